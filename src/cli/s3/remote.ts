// S3 as `sync` needs it, of this cloud or of AWS: lists, streams, parts, deletions.
import { createHash } from "node:crypto";
import { Agent, type ClientRequest, type IncomingMessage, request as plainRequest } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "../../door/canonical.ts";
import { type Element, escapeXml, parseXml } from "../../wire/xml-text.ts";
import { UserError } from "../command.ts";
import { type Access, latin1, signedHeaders } from "../signed.ts";

export interface Listed {
  readonly key: string;
  readonly size: number;
  /** ms since the epoch, whole seconds. */
  readonly modifiedMs: number;
  /** Without quotes. */
  readonly etag: string;
}

export interface Call {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  readonly body?: string | (() => Readable);
}

/** An answer that is no success. */
export class S3Failure extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const TRIES = 4;
const FIRST_WAIT_MS = 200;
/** Without a byte in either direction. */
const SILENCE_MS = 60_000;
const DELETES_AT_ONCE = 1000;

export class Bucket implements Disposable {
  readonly name: string;
  readonly #access: Access;
  readonly #agent: Agent;

  constructor(name: string, access: Access, connections: number) {
    this.name = name;
    this.#access = access;
    const options = { keepAlive: true, maxSockets: connections };
    this.#agent = access.endpoint.startsWith("https:") ? new SecureAgent(options) : new Agent(options);
  }

  /** In the order of the keys' UTF-8 bytes. */
  async *list(prefix: string): AsyncGenerator<Listed> {
    for (let token: string | undefined, more = true; more; ) {
      const query = { "list-type": "2", "encoding-type": "url", prefix, ...(token && { "continuation-token": token }) };
      const page = parseXml(await this.text({ method: "GET", query }));
      for (const one of page.children)
        if (one.name === "Contents")
          yield {
            key: decodeURIComponent(textOf(one, "Key").replaceAll("+", " ")),
            size: Number(textOf(one, "Size")),
            modifiedMs: Date.parse(textOf(one, "LastModified")),
            etag: textOf(one, "ETag").replaceAll('"', ""),
          };
      more = textOf(page, "IsTruncated") === "true";
      token = textOf(page, "NextContinuationToken");
    }
  }

  /** The keys that could not be deleted, with the reason. */
  async delete(keys: readonly string[]): Promise<Map<string, string>> {
    const failed = new Map<string, string>();
    for (let at = 0; at < keys.length; at += DELETES_AT_ONCE) {
      const objects = keys
        .slice(at, at + DELETES_AT_ONCE)
        .map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`);
      const body = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects.join("")}</Delete>`;
      const md5 = createHash("md5").update(body).digest("base64");
      const answer = await this.text({
        method: "POST",
        query: { delete: "" },
        headers: { "content-md5": md5, "content-type": "application/xml" },
        body,
      });
      for (const one of parseXml(answer).children)
        if (one.name === "Error") failed.set(textOf(one, "Key"), textOf(one, "Message"));
    }
    return failed;
  }

  /** The answer's head; its body has been read. */
  async head(call: Call): Promise<IncomingMessage["headers"]> {
    const answer = await this.open(call);
    for await (const _ of answer);
    return answer.headers;
  }

  async text(call: Call): Promise<string> {
    const answer = await this.open(call);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  }

  /** A success, its body not yet read. Tries again what may succeed the next time. Throws S3Failure, or UserError where nobody answers. */
  async open(call: Call): Promise<IncomingMessage> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#once(call);
      } catch (error) {
        const passing = !(error instanceof S3Failure) || error.status >= 500 || error.status === 429;
        if (!passing || tried === TRIES) throw error instanceof S3Failure ? error : unanswered(this.#access, error);
        await sleep(FIRST_WAIT_MS * 2 ** (tried - 1));
      }
    }
  }

  async #once(call: Call): Promise<IncomingMessage> {
    const { path, headers } = signed(this.#access, this.name, call);
    const { hostname, port, protocol } = new URL(this.#access.endpoint);
    const send = protocol === "https:" ? secureRequest : plainRequest;
    const asked = send({
      host: hostname.replace(/^\[|\]$/g, ""),
      port,
      path,
      method: call.method,
      headers,
      agent: this.#agent,
    });
    const answer = await answerOf(asked, call);
    if (answer.statusCode! < 300) return answer;
    throw await failureOf(answer);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function answerOf(asked: ClientRequest, { body }: Call): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  asked.setTimeout(SILENCE_MS, () => asked.destroy(new Error(`nothing was heard for ${SILENCE_MS / 1000} s`)));
  asked.once("response", resolve);
  asked.on("error", reject);
  if (typeof body !== "function") asked.end(body);
  else
    body()
      .once("error", (error) => asked.destroy(error))
      .pipe(asked);
  return promise;
}

async function failureOf(answer: IncomingMessage): Promise<S3Failure> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const status = answer.statusCode!;
  const body = Buffer.concat(chunks).toString();
  if (!body.includes("<Code>")) return new S3Failure(String(status), status, `HTTP ${status}`);
  const error = parseXml(body);
  const code = textOf(error, "Code");
  return new S3Failure(code, status, `${code}: ${textOf(error, "Message")}`);
}

function unanswered({ endpoint }: Access, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "ECONNREFUSED"
    ? new UserError(`nothing answers at ${endpoint}; start it with: aws-like up`)
    : new Error(message || code);
}

/** A body that streams is not signed: its ETag is compared afterwards. */
function signed(access: Access, bucket: string, call: Call): { path: string; headers: Record<string, string> } {
  const path = `/${bucket}${call.key === undefined ? "" : `/${call.key.split("/").map(encode).join("/")}`}`;
  const query = Object.entries(call.query ?? {})
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join("&");
  const payloadHash = typeof call.body === "function" ? "UNSIGNED-PAYLOAD" : sha256(latin1(call.body ?? ""));
  const length = typeof call.body === "string" && { "content-length": String(Buffer.byteLength(call.body)) };
  const headers = signedHeaders(access, {
    service: "s3",
    method: call.method,
    path,
    query,
    headers: { ...call.headers, ...length, "x-amz-content-sha256": payloadHash },
    payloadHash,
  });
  return { path: query === "" ? path : `${path}?${query}`, headers };
}

/** All but RFC 3986's unreserved characters. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

export const textOf = ({ children }: Element, name: string): string =>
  children.find((child) => child.name === name)?.text ?? "";
