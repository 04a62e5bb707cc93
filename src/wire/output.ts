// A handler's answer as an HTTP message.
import type { Readable } from "node:stream";
import type { HttpAnswer } from "../model/http.ts";
import type { Model, Protocol, Structure } from "../model/model.ts";
import { stringify, withValues } from "../model/verbatim.ts";
import { encodeCbor } from "./cbor.ts";
import { type Compiled, compiled } from "./compiled.ts";
import { eventStream, type Payloads } from "./event-stream.ts";
import { type Bindings, inAnswerBody, writeHead } from "./http.ts";
import type { Route } from "./routes.ts";
import { escapeXml } from "./xml-text.ts";

type Fields = Record<string, unknown>;

/** `value` is what the handler answered; undefined and null members are not written. */
export function output(model: Model, route: Route, value: unknown, requestId: string): HttpAnswer {
  const { protocol } = route;
  const structure = model.operations[route.operation]!.output;
  const isJson = protocol === "awsJson1_0" || protocol === "awsJson1_1";
  const fields = ((isJson ? value : withValues(value)) ?? {}) as Fields;
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
      // Recorded: TagResource, DeleteQueue and the like answer nothing at all.
      if (structure === "Unit") return { status: 200, headers };
      headers["content-type"] = protocol === "awsJson1_0" ? "application/x-amz-json-1.0" : "application/x-amz-json-1.1";
      return { status: 200, headers, body: stringify(fields, made.trees(protocol).writer(structure)) };
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
  const stream = compiled(model).streamOf(structure);
  return stream && { ...stream, events: (fields[stream.name] ?? none()) as AsyncIterable<Fields> };
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
