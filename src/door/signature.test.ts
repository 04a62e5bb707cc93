import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { Sha256 } from "../../test/sha256.ts";
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import {
  accept,
  EMPTY_HASH,
  getObject,
  KEY_ID,
  MAY_24,
  presigned,
  refusal,
  request,
  SECRET,
  s3Headers,
  s3Terms,
} from "./signature.fixture.ts";
import { checkToken, claim, type Family, verify } from "./signature.ts";

describe("AWS's documented examples", () => {
  test("a GET with a Range verifies", () => {
    const verified = accept(getObject());
    assert.equal(verified.scope, "20130524/us-east-1/s3/aws4_request");
  });

  test("a PUT signed over Date instead of X-Amz-Date verifies", () => {
    const headers: Record<string, string> = s3Headers(
      "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
      {
        date: "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      },
    );
    accept(request({ method: "PUT", path: "/test%24file.text", headers }));
  });

  test("a sub-resource without a value verifies", () => {
    accept(
      request({
        query: "lifecycle",
        headers: s3Headers(
          "host;x-amz-content-sha256;x-amz-date",
          "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
      }),
    );
  });

  test("a listing verifies, in whatever order its query comes", () => {
    const headers = s3Headers(
      "host;x-amz-content-sha256;x-amz-date",
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
    accept(request({ query: "max-keys=2&prefix=J", headers }));
    accept(request({ query: "prefix=J&max-keys=2", headers }));
  });

  test("a presigned URL verifies for its 86400 seconds, and not one longer", () => {
    accept(presigned(), { ...s3Terms, realNow: MAY_24 + 86_399_999 });
    const late = refusal(() => accept(presigned(), { ...s3Terms, realNow: MAY_24 + 86_400_000 }));
    assert.equal(late.message, "Request has expired");
    assert.equal(late.status, 403);
    assert.deepEqual(late.fields, {
      "X-Amz-Expires": "86400",
      Expires: "2013-05-25T00:00:00Z",
      ServerTime: "2013-05-25T00:00:00Z",
    });
  });

  test("IAM's ListUsers verifies", () => {
    const headers = {
      host: "iam.amazonaws.com",
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
      "x-amz-date": "20150830T123600Z",
      authorization:
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    };
    accept(
      request({ query: "Action=ListUsers&Version=2010-05-08", headers }),
      { family: "query", service: "iam", realNow: Date.UTC(2015, 7, 30, 12, 36) },
      "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    );
  });
});

// The SDK's own signer, as the clients use it.
const NOW = Date.UTC(2026, 10, 22, 12);
const signer = (service: string, sessionToken?: string) =>
  new SignatureV4({
    service,
    region: "eu-central-1",
    credentials: { accessKeyId: KEY_ID, secretAccessKey: SECRET, sessionToken },
    sha256: Sha256,
    uriEscapePath: service !== "s3",
  });

interface Plain {
  method: string;
  path: string;
  query: Record<string, string | string[]>;
  headers: Record<string, string>;
  body?: string;
}
const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const asSent = (signed: Plain | object): HttpRequest => {
  const { method, path, query, headers } = signed as Plain;
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((one) => (one === "" ? encoded(name) : `${encoded(name)}=${encoded(one)}`)),
  );
  return request({
    method,
    path,
    query: pairs.join("&"),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  });
};
const sdkRequest = (parts: Partial<Plain>) => ({
  protocol: "http:",
  hostname: "localhost",
  port: 4566,
  method: "GET",
  path: "/",
  query: {},
  ...parts,
  headers: { host: "localhost:4566", ...parts.headers } as Record<string, string>,
});

describe("the SDK's signer", () => {
  const cases: [string, string, Family, Partial<Plain>][] = [
    ["a POST of JSON", "dynamodb", "json", { method: "POST", body: '{"TableName":"files"}' }],
    ["a form", "sts", "query", { method: "POST", body: "Action=GetCallerIdentity&Version=2011-06-15" }],
    ["a path with an encoded ARN", "lambda", "rest", { path: "/2015-03-31/functions/arn%3Aaws%3Alambda/x%20y" }],
    ["a path to be normalized", "lambda", "rest", { path: "/a//b/./c/../d/" }],
    [
      "queries with empty, repeated and encoded values",
      "lambda",
      "rest",
      { query: { b: ["2", "1", ""], "a b": "ü+&=" } },
    ],
    ["a key with everything in it", "s3", "s3", { path: "/b/a//b/../%C3%BC%20%2B%28x%29%7E" }],
    ["spaces in header values", "s3", "s3", { headers: { "x-amz-meta-a": "  one   two  " } }],
  ];
  for (const [name, service, family, parts] of cases)
    test(`verifies ${name}, and not when the method, a header, the body or the secret is another`, async () => {
      const original = sdkRequest(parts);
      if (family === "s3")
        original.headers["x-amz-content-sha256"] = createHash("sha256")
          .update(parts.body ?? "")
          .digest("hex");
      const sent = asSent(await signer(service).sign(original, { signingDate: new Date(NOW) }));
      const terms = { family, service, realNow: NOW };
      const body = Buffer.from(parts.body ?? "");
      accept(sent, terms, SECRET, body);
      const code = family === "s3" || family === "query" ? "SignatureDoesNotMatch" : "InvalidSignatureException";
      const altered: HttpRequest[] = [
        { ...sent, method: "DELETE" },
        { ...sent, headers: { ...sent.headers, host: "elsewhere" } },
        { ...sent, path: `${sent.path}x` },
        { ...sent, query: `${sent.query}&x=1` },
      ];
      for (const other of altered) assert.equal(refusal(() => accept(other, terms, SECRET, body)).code, code);
      assert.equal(refusal(() => accept(sent, terms, "another", body)).code, code);
      if (family !== "s3") assert.equal(refusal(() => accept(sent, terms, SECRET, Buffer.from("!"))).code, code);
    });

  for (const [service, family] of [
    ["s3", "s3"],
    ["sts", "query"],
    ["lambda", "rest"],
  ] as const)
    test(`verifies a URL presigned for ${service}, with a session token`, async () => {
      const options = { signingDate: new Date(NOW), expiresIn: 600 };
      const original = sdkRequest({ path: "/b/k%20k", query: { "x-id": "GetObject" } });
      if (family === "s3") original.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
      const sent = asSent(await signer(service, "the/token+==").presign(original, options));
      const terms = { family, service, realNow: NOW };
      const claimed = claim(sent, terms);
      assert.equal(claimed?.sessionToken, "the/token+==");
      assert.equal(claimed.kind, "query");
      accept(sent, terms);
    });
});

test("headers of one name are signed as one, joined by a comma", () => {
  // aws-sig-v4-test-suite, get-header-value-order
  const headers = {
    host: "example.amazonaws.com",
    "my-header1": "value4,value1,value3,value2",
    "x-amz-date": "20150830T123600Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
  };
  accept(
    request({ headers }),
    { family: "json", service: "service", realNow: Date.UTC(2015, 7, 30, 12, 36) },
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  );
});

test("a header in UTF-8 is verified as the bytes that were sent", async () => {
  const meta = "größe";
  const original = sdkRequest({ headers: { "x-amz-meta-a": meta, "x-amz-content-sha256": EMPTY_HASH } });
  const sent = asSent(await signer("s3").sign(original, { signingDate: new Date(NOW) }));
  const asLatin1 = Buffer.from(meta, "utf8").toString("latin1");
  accept({ ...sent, headers: { ...sent.headers, "x-amz-meta-a": asLatin1 } }, { ...s3Terms, realNow: NOW });
});

test("a request without a signature claims nothing", () => {
  for (const family of ["s3", "json", "rest", "query"] as const) {
    assert.equal(claim(request({}), { ...s3Terms, family }), undefined);
    assert.equal(claim(request({ headers: { authorization: "" } }), { ...s3Terms, family }), undefined);
  }
  assert.equal(claim(request({ headers: { authorization: "Bearer x" } }), { ...s3Terms, family: "json" }), undefined);
});

test("temporary credentials are not over; a key without a session token takes none", () => {
  const claimed = { ...claim(getObject(), s3Terms)!, sessionToken: "right" };
  const principal = { kind: "anonymous" } as const;
  const session = { secretAccessKey: SECRET, temporary: true, expires: 1000, principal } as const;
  const code = (sent: string | undefined, family: Family, now: number, credential: Parameters<typeof checkToken>[1]) =>
    refusal(() => checkToken({ ...claimed, sessionToken: sent }, credential, { family, now })).code;
  checkToken(claimed, session, { family: "s3", now: 999 });
  checkToken({ ...claimed, sessionToken: undefined }, { secretAccessKey: SECRET, principal }, { family: "s3", now: 0 });
  assert.equal(code("right", "s3", 1000, session), "ExpiredToken");
  assert.equal(code("right", "json", 1000, session), "ExpiredTokenException");
  assert.equal(code("any", "s3", 0, { secretAccessKey: SECRET, principal }), "InvalidToken");
  assert.equal(code("any", "query", 0, { secretAccessKey: SECRET, principal }), "InvalidClientTokenId");
});

test("whatever is claimed, it is refused with an error of AWS or not at all", () => {
  const scrap = fc.constantFrom(
    "AWS4-HMAC-SHA256",
    "Credential=",
    "/",
    "20130524",
    "us-east-1/s3/aws4_request",
    "SignedHeaders=host",
  );
  const text = fc.array(fc.oneof(scrap, fc.string({ unit: "binary-ascii", maxLength: 6 })), { maxLength: 12 });
  const names = ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"].map(
    (name) => `X-Amz-${name}`,
  );
  const query = fc.array(fc.tuple(fc.constantFrom(...names, "AWSAccessKeyId", "Signature", "Expires", "%"), text), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(
      text,
      query,
      fc.constantFrom<Family>("s3", "json", "rest", "query"),
      (authorization, parameters, family) => {
        const sent = request({
          query: parameters.map(([name, value]) => `${name}=${value.join("")}`).join("&"),
          headers: { host: "h", "x-amz-date": "20130524T000000Z", authorization: authorization.join(" ") },
        });
        try {
          const claimed = claim(sent, { ...s3Terms, family });
          if (claimed) verify(claimed, sent, { family, secretAccessKey: SECRET });
        } catch (error) {
          assert.ok(error instanceof AwsError, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});
