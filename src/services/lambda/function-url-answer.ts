// What a function's answer is as HTTP: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload
import { Readable } from "node:stream";
import type { Context, HttpAnswer } from "../../kernel/mod.ts";
import type { Streamed } from "./response-stream.ts";
import type { Outcome } from "./runtime.ts";

const { validateHeaderName, validateHeaderValue } = process.getBuiltinModule("node:http");

/** A 502 where the function failed, or answered what no HTTP answer can be made of. */
export function fromPayload(ctx: Context, { payload, error }: Outcome): HttpAnswer {
  if (error) return broken(ctx, undefined);
  const text = Buffer.from(payload).toString("utf8");
  const said = parsed(text);
  if (said === undefined) return broken(ctx, "the function's answer is no JSON, which a buffered function URL needs");
  if (!isObject(said) || said.statusCode === undefined)
    return { status: 200, headers: headersOf(ctx, JSON_TYPE), body: text };
  const head = headOf(ctx, said, JSON_TYPE);
  if (!head) return broken(ctx, `the function's statusCode, headers or cookies are none: ${text.slice(0, 200)}`);
  return { ...head, ...(said.body != null && { body: bodyOf(said) }) };
}

/** The content type of an answer whose first part is its status, headers and cookies. */
const HTTP_INTEGRATION = "application/vnd.awslambda.http-integration-response";

/** An answer that begins before the function has ended; one that fails later is cut off. */
export async function fromStream(ctx: Context, answer: Streamed): Promise<HttpAnswer> {
  const { contentType, body, outcome } = answer;
  if (contentType === undefined) {
    const { payload, error } = await outcome;
    return error ? broken(ctx, undefined) : { status: 200, headers: headersOf(ctx, JSON_TYPE), body: payload };
  }
  const rest = Readable.from(untilDone(answer), { objectMode: false });
  if (contentType !== HTTP_INTEGRATION) return { status: 200, headers: headersOf(ctx, contentType), body: rest };
  const prelude = await readPrelude(body);
  const said = prelude === undefined ? undefined : parsed(prelude);
  const head = isObject(said) ? headOf(ctx, { statusCode: 200, ...said }, OCTETS) : undefined;
  if (head) return { ...head, body: rest };
  body.destroy();
  return broken(ctx, "the stream does not begin with status and headers, and eight zero bytes");
}

type Said = Readonly<Record<string, unknown>>;

const JSON_TYPE = "application/json";
const OCTETS = "application/octet-stream";
const LARGEST_PRELUDE = 1024 * 1024;

async function* untilDone({ body, outcome }: Streamed): AsyncGenerator<Uint8Array> {
  yield* body;
  const { error } = await outcome;
  if (error) throw new Error(`the function failed in the middle of its answer: ${error.type}`);
}

/** Takes from the stream what comes before eight zero bytes. */
async function readPrelude(body: Streamed["body"]): Promise<string | undefined> {
  let have = Buffer.alloc(0);
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    have = Buffer.concat([have, chunk as Buffer]);
    const end = have.indexOf(Buffer.alloc(8));
    if (end >= 0) {
      const rest = have.subarray(end + 8);
      if (rest.length > 0) body.unshift(rest);
      return have.toString("utf8", 0, end);
    }
    if (have.length > LARGEST_PRELUDE) return undefined;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const isObject = (value: unknown): value is Said =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function bodyOf({ body, isBase64Encoded }: Said): string | Uint8Array {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return isBase64Encoded === true ? Buffer.from(text, "base64") : text;
}

/** Undefined: HTTP has no such status, or no such header. */
function headOf(ctx: Context, said: Said, type: string): HttpAnswer | undefined {
  const status = Number(said.statusCode);
  const given = isObject(said.headers) ? Object.entries(said.headers) : [];
  const cookies = Array.isArray(said.cookies) ? said.cookies.map(String) : [];
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  const headers = headersOf(ctx, type);
  for (const [name, value] of given) {
    const lower = name.toLowerCase();
    if (value == null) continue;
    if (!isSendable(lower, String(value))) return undefined;
    headers[OURS.has(lower) ? `x-amzn-remapped-${lower}` : lower] = String(value);
  }
  if (!cookies.every((cookie) => isSendable("set-cookie", cookie))) return undefined;
  return { status, headers, ...(cookies.length > 0 && { cookies }) };
}

/** Of the connection, not of the answer: Lambda hands them on under another name. */
const OURS: ReadonlySet<string> = new Set(["connection", "content-length", "date", "keep-alive", "transfer-encoding"]);

function isSendable(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

const headersOf = (ctx: Context, type: string): Record<string, string> => ({
  "content-type": type,
  "x-amzn-requestid": ctx.requestId,
});

function broken(ctx: Context, why: string | undefined): HttpAnswer {
  if (why !== undefined) ctx.log.warn(`a function URL answers 502: ${why}`);
  return { status: 502, headers: headersOf(ctx, JSON_TYPE), body: "Internal Server Error" };
}
