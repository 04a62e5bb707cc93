// A request's message as the input of its operation.
import { Readable } from "node:stream";
import { gunzipSync, inflateSync } from "node:zlib";
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import type { Member, Model, Protocol } from "../model/model.ts";
import { decodeCbor } from "./cbor.ts";
import { compiled } from "./compiled.ts";
import { BadParameter, type Bindings, isStreaming, readHead } from "./http.ts";
import { parseJson, serialization } from "./json.ts";
import type { Route } from "./routes.ts";
import { Unreadable } from "./text.ts";
import { parseXml, XmlError } from "./xml-text.ts";

/** AWS's largest are Lambda's inline code and CloudWatch's metrics: a compressed body may not grow beyond this. */
const MAX_INFLATED_BYTES = 64 * 1024 * 1024;

/**
 * SDK-shaped: Date, Uint8Array, Readable; members that were not sent, or are null, are not there.
 * Throws AwsError where the message cannot be read: SerializationException, MalformedXML, MalformedInput, InvalidArgument.
 */
export function input(model: Model, route: Route, request: HttpRequest, body: Uint8Array | Readable): unknown {
  const made = compiled(model);
  const structure = model.operations[route.operation]!.input;
  switch (route.protocol) {
    case "restXml":
    case "restJson":
      return restInput(model, { route, request, body, structure, b: made.bindings(structure) });
    case "query":
      return inWords("query", () => made.form()(structure, route.form!));
    case "rpcv2Cbor": {
      const bytes = inflated(request, body);
      return made.trees("rpcv2Cbor").reader(structure)(bytes.byteLength === 0 ? {} : decodeCbor(bytes));
    }
    default:
      return made.trees(route.protocol).reader(structure)(parseJson(inflated(request, body)));
  }
}

interface RestInput {
  readonly route: Route;
  readonly request: HttpRequest;
  readonly body: Uint8Array | Readable;
  readonly structure: string;
  readonly b: Bindings;
}

function restInput(model: Model, { route, request, body, structure, b }: RestInput): unknown {
  const { protocol } = route;
  return inWords(protocol, () => {
    const { uri } = model.operations[route.operation]!.http!;
    const head = readHead(b, model, { structure, uri, request, labels: route.labels, query: route.query! });
    if (b.payload) {
      const { name, member, shape } = b.payload;
      if (isStreaming(shape))
        head[name] = body instanceof Uint8Array ? Readable.from([body], { objectMode: false }) : body;
      else {
        const payload = readPayload(model, protocol, { member, bytes: inflated(request, body) });
        if (payload !== undefined) head[name] = payload;
      }
      return head;
    }
    if (!b.body) return head;
    const bytes = inflated(request, body);
    if (bytes.byteLength === 0) return head;
    const made = compiled(model);
    const rest =
      protocol === "restJson"
        ? made.trees(protocol).reader(structure, true)(parseJson(bytes))
        : made.xml(protocol).reader(structure)(parseXml(decode(bytes)));
    return Object.assign(head, rest);
  });
}

function readPayload(
  model: Model,
  protocol: Protocol,
  { member, bytes }: { member: Member; bytes: Uint8Array },
): unknown {
  const shape = model.shapes[member.shape]!;
  if (bytes.byteLength === 0) return undefined;
  if (shape.type === "blob") return bytes;
  if (shape.type === "string") return decode(bytes);
  const made = compiled(model);
  if (protocol === "restJson") return made.trees(protocol).readerOf(member)(parseJson(bytes));
  const root = parseXml(decode(bytes));
  const codec = made.xml(protocol);
  if (root.name !== codec.rootOf(member)) throw new XmlError(`the root is ${root.name}`);
  return codec.readerOf(member)(root);
}

/** What could not be read, as the protocol says it. */
function inWords<T>(protocol: Protocol, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const said = words(protocol, error);
    if (said) throw said;
    throw error;
  }
}

function words(protocol: Protocol, error: unknown): AwsError | undefined {
  if (error instanceof URIError)
    return protocol === "restXml"
      ? new AwsError("InvalidURI", 400, "Couldn't parse the specified URI.")
      : serialization("Couldn't parse the specified URI.");
  if (error instanceof BadParameter) return badParameter(protocol, error);
  if (error instanceof Unreadable && protocol === "query")
    return new AwsError("MalformedInput", 400, `STRING_VALUE can not be converted to ${article(error.type)}`);
  if (protocol === "restXml" && (error instanceof XmlError || error instanceof Unreadable))
    return new AwsError(
      "MalformedXML",
      400,
      "The XML you provided was not well-formed or did not validate against our published schema",
    );
  return undefined;
}

function badParameter(protocol: Protocol, { wire, text, type }: BadParameter): AwsError {
  if (protocol !== "restXml") return serialization(`STRING_VALUE can not be converted to ${article(type)}`);
  const why = type === "integer" || type === "long" ? "not an integer or within integer range" : `not a valid ${type}`;
  return new AwsError("InvalidArgument", 400, `Provided ${wire} ${why}`, { ArgumentName: wire, ArgumentValue: text });
}

function article(type: string): string {
  const name = type[0]!.toUpperCase() + type.slice(1);
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new XmlError("not UTF-8", { cause: error });
  }
}

function inflated(request: HttpRequest, body: Uint8Array | Readable): Uint8Array {
  if (!(body instanceof Uint8Array)) throw new TypeError("this operation's body is read as bytes");
  const encoding = request.headers["content-encoding"];
  if (encoding !== "gzip" && encoding !== "deflate") return body;
  try {
    return (encoding === "gzip" ? gunzipSync : inflateSync)(body, { maxOutputLength: MAX_INFLATED_BYTES });
  } catch (error) {
    throw serialization(`the body is not ${encoding}, or too large: ${(error as Error).message}`);
  }
}
