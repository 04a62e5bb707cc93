// Requests to a function's URL, by its Host header: no name is resolved.
import { type IncomingHttpHeaders, request } from "node:http";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Key } from "./cloud.ts";
import { Sha256 } from "./sha256.ts";

export interface Seen {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** What had come when the connection broke. */
  readonly cut: boolean;
}

export interface Visit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Signs for `lambda` in us-east-1. */
  readonly as?: Key;
}

/** `url`: a FunctionUrl, and what follows it. */
export async function visit(url: string, { method = "GET", headers = {}, body, as }: Visit = {}): Promise<Seen> {
  const { hostname, host, port, pathname, search, searchParams } = new URL(url);
  const plain = { method, headers: { ...headers, host }, body };
  const query = Object.fromEntries(searchParams);
  const asked = as
    ? await signer(as).sign({ ...plain, protocol: "http:", hostname, path: pathname, query })
    : { ...plain };
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const to = { port, host: "127.0.0.1", method, path: pathname + search, headers: asked.headers };
  request(to, async (response) => {
    const chunks: Buffer[] = [];
    let cut = false;
    response.on("data", (chunk) => chunks.push(chunk));
    response.on("error", () => {
      cut = true;
    });
    response.on("close", () => {
      const text = Buffer.concat(chunks).toString();
      resolve({ status: response.statusCode!, headers: response.headers, text, cut });
    });
  })
    .on("error", reject)
    .end(body);
  return promise;
}

const signer = ({ accessKeyId, secretAccessKey, sessionToken }: Key) =>
  new SignatureV4({
    service: "lambda",
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
    sha256: Sha256,
  });
