// Requests and their verdicts, for the tests of signatures. The signed ones are AWS's documented examples.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import { claim, type Terms, verify } from "./signature.ts";

export const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
export const KEY_ID = "AKIAIOSFODNN7EXAMPLE";
export const EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
export const MAY_24 = Date.UTC(2013, 4, 24);

export interface Sent {
  method?: string;
  path?: string;
  query?: string;
  headers?: Record<string, string>;
}
export const request = ({ method = "GET", path = "/", query = "", headers = {} }: Sent): HttpRequest => ({
  method,
  path,
  query,
  headers,
  body: Readable.from([]),
  from: "127.0.0.1",
});
export const s3Terms: Terms = { family: "s3", service: "s3", realNow: MAY_24 };

export function accept(sent: HttpRequest, terms: Terms = s3Terms, secretAccessKey = SECRET, body?: Uint8Array) {
  const claimed = claim(sent, terms);
  assert.ok(claimed);
  return verify(claimed, sent, { family: terms.family, secretAccessKey, body });
}

export function refusal(work: () => unknown): AwsError {
  let thrown: unknown;
  try {
    work();
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof AwsError, `no AwsError, but ${thrown}`);
  return thrown;
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
export const s3Headers = (signedHeaders: string, signature: string, more: Record<string, string> = {}) => ({
  host: "examplebucket.s3.amazonaws.com",
  authorization: `AWS4-HMAC-SHA256 Credential=${KEY_ID}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${signedHeaders},Signature=${signature}`,
  "x-amz-date": "20130524T000000Z",
  "x-amz-content-sha256": EMPTY_HASH,
  ...more,
});
export const getObject = () =>
  request({
    path: "/test.txt",
    headers: s3Headers(
      "host;range;x-amz-content-sha256;x-amz-date",
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      { range: "bytes=0-9" },
    ),
  });
export const presignedQuery =
  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
export const presigned = (query = presignedQuery, headers = {}) =>
  request({ path: "/test.txt", query, headers: { host: "examplebucket.s3.amazonaws.com", ...headers } });
