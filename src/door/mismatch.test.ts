// A signature that does not match is explained by the change that was made to the request.
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalRequests, sha256, stringToSign } from "./canonical.ts";
import type { Claim } from "./claim.ts";
import { explainMismatch } from "./mismatch.ts";
import { KEY_ID, request, SECRET, type Sent } from "./signature.fixture.ts";
import { signerOf } from "./signature.ts";

const SCOPE = { date: "20130524", region: "us-east-1", service: "dynamodb" };
const HEADERS = { host: "localhost:4566", "x-amz-date": "20130524T000000Z" };

interface Made extends Sent {
  readonly secret?: string;
  readonly body?: string;
}

/** What is said where `signed` was signed and `sent` came. */
function explained(signed: Made, sent: Made, headers = ["host", "x-amz-date"]): readonly string[] {
  const text = canonicalRequests(request({ headers: HEADERS, ...signed }), {
    headers,
    payloadHash: sha256(signed.body ?? ""),
    s3: false,
  })[0]!;
  const signature = signerOf(signed.secret ?? SECRET, SCOPE).sign(stringToSign("20130524T000000Z", SCOPE, text));
  const claimed: Claim = {
    kind: "header",
    ...SCOPE,
    accessKeyId: KEY_ID,
    signedHeaders: headers,
    signature,
    timestamp: "20130524T000000Z",
  };
  const { reasons, canonicalRequest } = explainMismatch(claimed, request({ headers: HEADERS, ...sent }), {
    family: "json",
    secretAccessKey: SECRET,
    body: Buffer.from(sent.body ?? ""),
  });
  assert.ok(canonicalRequest.startsWith(`${sent.method ?? "GET"}\n`));
  return reasons;
}

const cases: readonly (readonly [what: string, signed: Made, sent: Made, reason: RegExp])[] = [
  [
    "another secret",
    { secret: "another" },
    {},
    /^no usual change .* most likely the client's secret is not this key's/,
  ],
  ["a secret with a line end", { secret: `${SECRET}\n` }, {}, /has a line end at its end/],
  ["the root's secret", { secret: "test" }, {}, /is "test", which is the root key's/],
  ["another host", { headers: { ...HEADERS, host: "127.0.0.1:4566" } }, {}, /signed for the host 127.0.0.1:4566/],
  ["a host without its port", { headers: { ...HEADERS, host: "localhost" } }, {}, /signed for the host localhost, /],
  ["another method", {}, { method: "HEAD" }, /signed for GET, and sent as HEAD/],
  ["a query that was not signed", {}, { query: "list-type=2" }, /the query string was not signed/],
  ["a body that was not signed", {}, { body: "{}" }, /an empty one was signed/],
  ["a lost line end", { body: "{}\n" }, { body: "{}" }, /a line end was lost at its end/],
  ["a lost slash", { path: "/a/" }, { path: "/a" }, /a \/ at the end of the path/],
];

for (const [what, signed, sent, reason] of cases)
  test(`a signature of ${what} is explained`, () => assert.match(explained(signed, sent)[0]!, reason));

test("signed headers that did not come are named, and those that proxies change", () => {
  const headers = { ...HEADERS, "x-amz-target": "DynamoDB_20120810.ListTables", "user-agent": "one" };
  const sent = { ...HEADERS, "user-agent": "two" };
  const [, lost, unsafe] = explained({ headers }, { headers: sent }, Object.keys(headers));
  assert.equal(lost, "these headers were signed and did not come: x-amz-target");
  assert.equal(unsafe, "these signed headers are often changed on the way: user-agent");
});

test("session tokens and encryption keys are not told", () => {
  const secrets = {
    "x-amz-security-token": "hush",
    "x-amz-server-side-encryption-customer-key": "hush",
    "x-amz-copy-source-server-side-encryption-customer-key": "hush",
  };
  const signedHeaders = Object.keys(secrets);
  const claimed: Claim = {
    kind: "header",
    ...SCOPE,
    accessKeyId: KEY_ID,
    signedHeaders,
    signature: "0",
    timestamp: "20130524T000000Z",
  };
  const sent = request({ headers: { ...HEADERS, ...secrets }, query: "X-Amz-Security-Token=hush&a=b" });
  const told = JSON.stringify(explainMismatch(claimed, sent, { family: "json", secretAccessKey: SECRET }));
  assert.doesNotMatch(told, /hush/);
  assert.match(told, /a=b/);
  for (const name of signedHeaders) assert.match(told, new RegExp(`${name}:\\.\\.\\.`));
});
