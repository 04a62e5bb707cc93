// An AwsError as each protocol's own form of an error. What AWS's SDKs cannot recognise here they report as a parse error.
import { createHash } from "node:crypto";
import type { AwsError } from "../kernel/error.ts";
import type { HttpAnswer } from "../model/http.ts";
import type { Model, Protocol, Structure } from "../model/model.ts";
import { encodeCbor } from "./cbor.ts";
import { compiled } from "./compiled.ts";
import { bindings, headerSafe, writeHead } from "./http.ts";
import { escapeXml } from "./xml-text.ts";

interface Told {
  readonly model: Model;
  readonly protocol: Protocol;
  readonly operation: string | undefined;
  readonly error: AwsError;
  readonly requestId: string;
  /** The modelled error, by its name or its query code. */
  readonly shape: Structure | undefined;
  readonly name: string;
}

/** `operation` undefined: none was found. The answer to a HEAD has no body. */
export function errorAnswer(
  model: Model,
  protocol: Protocol,
  { operation, error, requestId }: { operation: string | undefined; error: AwsError; requestId: string },
): HttpAnswer {
  const name = compiled(model).errorNames().get(error.code) ?? error.code;
  const found = model.shapes[name];
  const shape = found?.type === "structure" && found.error ? found : undefined;
  return FORMS[protocol]({ model, protocol, operation, error, requestId, shape, name });
}

const FORMS: Record<Protocol, (told: Told) => HttpAnswer> = {
  awsJson1_0: (told) => awsJson(told, "application/x-amz-json-1.0"),
  awsJson1_1: (told) => awsJson(told, "application/x-amz-json-1.1"),
  restJson,
  query,
  restXml,
  rpcv2Cbor,
};

function awsJson(told: Told, contentType: string): HttpAnswer {
  const value = { __type: typeName(told), ...content(told) };
  const body = JSON.stringify(told.shape ? jsonMembers(told, value) : value);
  return {
    status: told.error.status,
    headers: { "content-type": contentType, "x-amzn-requestid": told.requestId, ...queryError(told) },
    body,
  };
}

/** Services that prefix their own errors prefix Coral's too (seen: DynamoDB, SQS); the others prefix none. */
function typeName({ model, name, shape }: Told): string {
  if (!model.errorPrefix) return name;
  if (shape) return model.errorPrefix + name;
  return `${name === "ValidationException" ? "com.amazon.coral.validate" : "com.amazon.coral.service"}#${name}`;
}

/** The message, under the key that the model or Coral has for it, and the error's further members. */
function content({ shape, error, name }: Told): Record<string, unknown> {
  const members = shape ? Object.keys(shape.members) : [];
  const capital = shape ? members.includes("Message") && !members.includes("message") : CAPITAL_MESSAGE.has(name);
  return { ...(error.message !== "" && { [capital ? "Message" : "message"]: error.message }), ...error.fields };
}

/** Coral's own errors say `Message`. */
const CAPITAL_MESSAGE = new Set(["SerializationException", "AccessDeniedException", "UnknownOperationException"]);

/** The model's members as it has them; a message that the model has not, and `__type`, are told all the same. */
function jsonMembers({ model, name, shape }: Told, value: Record<string, unknown>): object {
  const { __type, message, ...members } = value;
  const rest = model.protocols[0] === "restJson";
  const own = compiled(model)
    .trees(rest ? "restJson" : "awsJson1_0")
    .writer(
      name,
      rest,
    )(shape!.members.message ? { message, ...members } : members) as object;
  return {
    ...(__type !== undefined && { __type }),
    ...(!shape!.members.message && message !== undefined && { message }),
    ...own,
  };
}

/** For SDKs of the time when the service spoke the query protocol: `AWS.SimpleQueueService.NonExistentQueue;Sender`. */
function queryError({ model, shape, name, error }: Told): Record<string, string> {
  if (!model.queryCompatible) return {};
  return { "x-amzn-query-error": `${shape?.error?.code ?? name};${error.status < 500 ? "Sender" : "Receiver"}` };
}

function rpcv2Cbor(told: Told): HttpAnswer {
  return {
    status: told.error.status,
    headers: {
      "content-type": "application/cbor",
      "smithy-protocol": "rpc-v2-cbor",
      "x-amzn-requestid": told.requestId,
      ...queryError(told),
    },
    body: encodeCbor({ __type: typeName(told), ...content(told) }),
  };
}

function restJson(told: Told): HttpAnswer {
  const { model, shape, name, error } = told;
  // Lambda's errors name whose fault it was.
  const type = shape?.members.Type &&
    error.fields.Type === undefined && { Type: error.status < 500 ? "User" : "Service" };
  const value = { ...content(told), ...type };
  const head = shape ? writeHead(bindings(model, name), value) : {};
  return {
    status: error.status,
    headers: {
      "content-type": "application/json",
      "x-amzn-requestid": told.requestId,
      "x-amzn-errortype": headerSafe(name),
      ...head,
    },
    body: JSON.stringify(shape ? jsonMembers(told, value) : value),
  };
}

function query({ model, shape, name, error, requestId }: Told): HttpAnswer {
  const out = [`<ErrorResponse xmlns="${escapeXml(model.xmlNamespace ?? "")}"><Error>`];
  out.push(element("Type", error.status < 500 ? "Sender" : "Receiver"));
  out.push(element("Code", shape?.error?.code ?? name), element("Message", error.message));
  if (shape)
    compiled(model).xml("query").writer(name)(out, without(error.fields, ["message", "Message", "Type", "Code"]));
  else pushFields(out, error.fields);
  out.push(`</Error>${element("RequestId", requestId)}</ErrorResponse>`);
  return {
    status: error.status,
    headers: { "content-type": "text/xml", "x-amzn-requestid": requestId },
    body: out.join(""),
  };
}

function without(fields: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** S3 says more than its model: `fields` (BucketName, Key, Resource...) are written as they come. */
function restXml({ model, operation, name, error, requestId }: Told): HttpAnswer {
  const hostId = createHash("sha256").update(requestId).digest("base64");
  const headers = { "x-amz-request-id": requestId, "x-amz-id-2": hostId };
  const { status } = error;
  const isHead = operation !== undefined && model.operations[operation]?.http?.method === "HEAD";
  if (isHead || status === 304) return { status, headers };
  const out = [
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error>`,
    element("Code", name),
    element("Message", error.message),
  ];
  pushFields(out, error.fields);
  out.push(`${element("RequestId", requestId)}${element("HostId", hostId)}</Error>`);
  return { status, headers: { ...headers, "content-type": "application/xml" }, body: out.join("") };
}

function pushFields(out: string[], fields: Record<string, unknown>): void {
  for (const [field, value] of Object.entries(fields))
    if (value !== undefined && value !== null && /^[A-Za-z_][\w.-]*$/.test(field))
      out.push(element(field, String(value)));
}

function element(name: string, text: string): string {
  return `<${name}>${escapeXml(text)}</${name}>`;
}
