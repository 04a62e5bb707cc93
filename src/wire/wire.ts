// An HTTP request becomes an operation and its input, an output or an error becomes an HTTP answer: for every service,
// driven by its model. Services' departures from their models are their own quirks; nothing here knows a service.
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { AwsError } from "../kernel/error.ts";
import type { HttpAnswer, HttpRequest } from "../model/http.ts";
import type { Member, Model, Protocol, Structure, Union } from "../model/model.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import { type Compiled, compiled } from "./compiled.ts";
import { errorAnswer } from "./errors.ts";
import { eventStream, type Payloads } from "./event-stream.ts";
import { BadParameter, type Bindings, inAnswerBody, isStreaming, readHead, writeHead } from "./http.ts";
import { parseJson, serialization } from "./json.ts";
import { Unreadable } from "./text.ts";
import { escapeXml, parseXml, XmlError } from "./xml-text.ts";

export interface Route {
  readonly operation: string;
  readonly protocol: Protocol;
  /** REST: what stood in the path, not yet decoded. */
  readonly labels: Readonly<Record<string, string>>;
  /** REST: the parsed query. */
  readonly query?: URLSearchParams;
  /** query protocol: the parameters, from the body or the URL. */
  readonly form?: URLSearchParams;
}

/** AWS's largest are Lambda's inline code and CloudWatch's metrics: a compressed body may not grow beyond this. */
const MAX_INFLATED_BYTES = 64 * 1024 * 1024;

type Fields = Record<string, unknown>;
const NOTHING: Readonly<Record<string, string>> = {};

/** Undefined: the service has no such operation. `form` is demanded for the query protocol. */
export function route(
  model: Model,
  protocol: Protocol | undefined,
  request: HttpRequest,
  form?: URLSearchParams,
): Route | undefined {
  const spoken = protocol ?? model.protocols[0]!;
  switch (spoken) {
    case "restXml":
    case "restJson": {
      const query = new URLSearchParams(request.query);
      const found = compiled(model).routes()(request, query);
      return found && { ...found, protocol: spoken, query };
    }
    case "query": {
      const parameters = form ?? new URLSearchParams(request.query);
      const operation = known(model, parameters.get("Action") ?? "");
      return operation === undefined ? undefined : { operation, protocol: spoken, labels: NOTHING, form: parameters };
    }
    case "rpcv2Cbor": {
      const operation = known(model, /^\/service\/[^/]+\/operation\/([^/]+)$/.exec(request.path)?.[1] ?? "");
      return operation === undefined ? undefined : { operation, protocol: spoken, labels: NOTHING };
    }
    default: {
      const operation = known(model, (request.headers["x-amz-target"] ?? "").split(".").at(-1)!);
      return operation === undefined ? undefined : { operation, protocol: spoken, labels: NOTHING };
    }
  }
}

function known(model: Model, operation: string): string | undefined {
  return Object.hasOwn(model.operations, operation) ? operation : undefined;
}

/** What `input` wants of the body. Of RPC protocols always all bytes. */
export function readsBody(model: Model, operation: string): "none" | "bytes" | "stream" {
  const { input, http } = model.operations[operation]!;
  if (!http) return "bytes";
  const b = compiled(model).bindings(input);
  if (b.payload) return isStreaming(b.payload.shape) ? "stream" : "bytes";
  return b.body ? "bytes" : "none";
}

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
  if (request.headers["content-encoding"] !== "gzip") return body;
  try {
    return gunzipSync(body, { maxOutputLength: MAX_INFLATED_BYTES });
  } catch (error) {
    throw serialization(`the body is not gzip, or too large: ${(error as Error).message}`);
  }
}

/** `value` is what the handler answered; undefined and null members are not written. */
export function output(model: Model, route: Route, value: unknown, requestId: string): HttpAnswer {
  const { protocol } = route;
  const structure = model.operations[route.operation]!.output;
  const fields = (value ?? {}) as Fields;
  const made = compiled(model);
  const headers: Record<string, string> = { "x-amzn-requestid": requestId };
  const stream = streamOf(model, structure, fields);
  if (protocol === "restXml" || protocol === "restJson")
    return restOutput(model, { route, structure, fields, requestId });
  if (stream) return streamed(model, { protocol, structure, fields, headers, stream });
  switch (protocol) {
    case "query":
      return {
        status: 200,
        headers: { ...headers, "content-type": "text/xml" },
        body: queryBody(model, route, { structure, fields, requestId }),
      };
    case "rpcv2Cbor": {
      headers["smithy-protocol"] = "rpc-v2-cbor";
      if (structure === "Unit") return { status: 200, headers };
      headers["content-type"] = "application/cbor";
      return { status: 200, headers, body: encodeCbor(made.trees(protocol).writer(structure)(fields)) };
    }
    default:
      headers["content-type"] = protocol === "awsJson1_0" ? "application/x-amz-json-1.0" : "application/x-amz-json-1.1";
      return { status: 200, headers, body: JSON.stringify(made.trees(protocol).writer(structure)(fields)) };
  }
}

function queryBody(
  model: Model,
  { operation }: Route,
  { structure, fields, requestId }: { structure: string; fields: Fields; requestId: string },
): string {
  const out = [`<${operation}Response xmlns="${escapeXml(model.xmlNamespace ?? "")}">`];
  if (structure !== "Unit") {
    out.push(`<${operation}Result>`);
    compiled(model).xml("query").writer(structure)(out, fields);
    out.push(`</${operation}Result>`);
  }
  out.push(
    `<ResponseMetadata><RequestId>${escapeXml(requestId)}</RequestId></ResponseMetadata></${operation}Response>`,
  );
  return out.join("");
}

interface RestOutput {
  readonly route: Route;
  readonly structure: string;
  readonly fields: Fields;
  readonly requestId: string;
}

function restOutput(model: Model, { route, structure, fields, requestId }: RestOutput): HttpAnswer {
  const { protocol } = route;
  const made = compiled(model);
  const b = made.bindings(structure);
  const status =
    (b.status ? (fields[b.status] as number | undefined) : undefined) ??
    model.operations[route.operation]!.http!.status;
  const headers: Record<string, string> = {
    [protocol === "restXml" ? "x-amz-request-id" : "x-amzn-requestid"]: requestId,
    ...writeHead(b, fields),
  };
  const stream = streamOf(model, structure, fields);
  if (stream) return { ...streamed(model, { protocol, structure, fields, headers, stream }), status };
  const body = b.payload
    ? writePayload(made, protocol, { payload: b.payload, value: fields[b.payload.name], model })
    : writeBody(made, protocol, { b, structure, fields, model });
  if (body === undefined) return { status, headers };
  headers["content-type"] ??= body.type;
  return { status, headers, body: body.content };
}

interface Written {
  readonly type: string;
  readonly content: Uint8Array | string | Readable;
}

function writeBody(
  made: Compiled,
  protocol: Protocol,
  { b, structure, fields, model }: { b: Bindings; structure: string; fields: Fields; model: Model },
): Written | undefined {
  if (!b.answerBody) return undefined;
  if (protocol === "restJson")
    return { type: "application/json", content: JSON.stringify(made.trees(protocol).writer(structure, true)(fields)) };
  const out: string[] = [];
  made.xml(protocol).writer(structure)(out, fields);
  const shape = model.shapes[structure] as Structure;
  const root = shape.xmlName ?? structure;
  const content = unwrapped(shape, root) ? out.join("") || `<${root}/>` : `<${root}>${out.join("")}</${root}>`;
  return { type: "application/xml", content: document(content, root, model) };
}

/** Smithy's s3UnwrappedXmlOutput: GetBucketLocation's one member is the root itself. */
function unwrapped(shape: Structure, root: string): boolean {
  const inBody = Object.entries(shape.members).filter(([, m]) => inAnswerBody(m));
  return inBody.length === 1 && (inBody[0]![1].xmlName ?? inBody[0]![0]) === root;
}

function document(content: string, root: string, { xmlNamespace }: Model): string {
  const named = xmlNamespace ? content.replace(`<${root}`, `<${root} xmlns="${escapeXml(xmlNamespace)}"`) : content;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${named}`;
}

function writePayload(
  made: Compiled,
  protocol: Protocol,
  { payload, value, model }: { payload: NonNullable<Bindings["payload"]>; value: unknown; model: Model },
): Written | undefined {
  const { member, shape } = payload;
  if (value === undefined || value === null) return undefined;
  if (shape.type === "blob") {
    const content = value as Uint8Array | Readable;
    return { type: "application/octet-stream", content };
  }
  if (shape.type === "string") return { type: "text/plain", content: value as string };
  if (protocol === "restJson")
    return { type: "application/json", content: JSON.stringify(made.trees(protocol).writerOf(member)(value)) };
  const codec = made.xml(protocol);
  const out: string[] = [];
  const root = codec.rootOf(member);
  codec.writerOf(member)(out, root, value);
  return { type: "application/xml", content: document(out.join(""), root, model) };
}

interface Stream {
  readonly name: string;
  readonly union: string;
  readonly events: AsyncIterable<Fields>;
}

function streamOf(model: Model, structure: string, fields: Fields): Stream | undefined {
  for (const [name, member] of Object.entries((model.shapes[structure] as Structure).members)) {
    if ((model.shapes[member.shape] as Union).eventStream !== true) continue;
    return { name, union: member.shape, events: (fields[name] ?? none()) as AsyncIterable<Fields> };
  }
  return undefined;
}

async function* none(): AsyncGenerator<never> {
  // A handler may leave its stream out: it ends at once.
}

interface Streamed {
  readonly protocol: Protocol;
  readonly structure: string;
  readonly fields: Fields;
  readonly headers: Record<string, string>;
  readonly stream: Stream;
}

function streamed(model: Model, { protocol, structure, fields, headers, stream }: Streamed): HttpAnswer {
  const payloads = payloadsOf(model, protocol);
  const rpc = protocol !== "restXml" && protocol !== "restJson";
  const body = eventStream(stream.events, {
    model,
    union: stream.union,
    payloads,
    ...(rpc && { initial: payloads.write(structure, { ...fields, [stream.name]: undefined }) }),
  });
  return { status: 200, headers: { ...headers, "content-type": "application/vnd.amazon.eventstream" }, body };
}

function payloadsOf(model: Model, protocol: Protocol): Payloads {
  const made = compiled(model);
  switch (protocol) {
    case "restXml":
    case "query": {
      const write = (structure: string, value: unknown) => {
        const out: string[] = [];
        made.xml(protocol).writerOf({ shape: structure })(out, structure, value);
        return Buffer.from(out.join(""), "utf8");
      };
      return { contentType: "text/xml", write };
    }
    case "rpcv2Cbor":
      return { contentType: "application/cbor", write: (s, v) => encodeCbor(made.trees(protocol).writer(s)(v)) };
    default:
      return {
        contentType: protocol === "restJson" ? "application/json" : `application/x-amz-json-1.${protocol.at(-1)}`,
        write: (s, v) => Buffer.from(JSON.stringify(made.trees(protocol).writer(s)(v)), "utf8"),
      };
  }
}

/** Every protocol's form of an error. Of a modelled error's members those that `error.fields` has are written too. */
export function error(
  model: Model,
  protocol: Protocol,
  operation: string | undefined,
  error: AwsError,
  requestId: string,
): HttpAnswer {
  return errorAnswer(model, protocol, { operation, error, requestId });
}
