import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import { checkToken, claim, type Family, type Terms, verify } from "./signature.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const KEY_ID = "AKIAIOSFODNN7EXAMPLE";
const EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const MAY_24 = Date.UTC(2013, 4, 24);

interface Sent {
  method?: string;
  path?: string;
  query?: string;
  headers?: Record<string, string>;
}
const request = ({ method = "GET", path = "/", query = "", headers = {} }: Sent): HttpRequest => ({
  method,
  path,
  query,
  headers,
  body: Readable.from([]),
  from: "127.0.0.1",
});
const s3Terms: Terms = { family: "s3", service: "s3", realNow: MAY_24 };

function accept(sent: HttpRequest, terms: Terms = s3Terms, secretAccessKey = SECRET, body?: Uint8Array) {
  const claimed = claim(sent, terms);
  assert.ok(claimed);
  return verify(claimed, sent, { family: terms.family, secretAccessKey, body });
}

function refusal(work: () => unknown): AwsError {
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
const s3Headers = (signedHeaders: string, signature: string, more: Record<string, string> = {}) => ({
  host: "examplebucket.s3.amazonaws.com",
  authorization: `AWS4-HMAC-SHA256 Credential=${KEY_ID}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${signedHeaders},Signature=${signature}`,
  "x-amz-date": "20130524T000000Z",
  "x-amz-content-sha256": EMPTY_HASH,
  ...more,
});
const getObject = () =>
  request({
    path: "/test.txt",
    headers: s3Headers(
      "host;range;x-amz-content-sha256;x-amz-date",
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      { range: "bytes=0-9" },
    ),
  });
const presignedQuery =
  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
const presigned = (query = presignedQuery, headers = {}) =>
  request({ path: "/test.txt", query, headers: { host: "examplebucket.s3.amazonaws.com", ...headers } });

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
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash("sha256")
        : createHmac("sha256", typeof secret === "string" ? secret : Buffer.from(secret as Uint8Array));
  }
  update(data: string | ArrayBuffer | ArrayBufferView) {
    this.#hash.update(typeof data === "string" ? data : Buffer.from(data as Uint8Array));
  }
  async digest() {
    return new Uint8Array(this.#hash.digest());
  }
  reset() {
    throw new Error("a digest is made once");
  }
}

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

describe("S3 refuses", () => {
  const header = (name: string, value: string | undefined) => () => {
    const sent = getObject();
    const headers: Record<string, string> = { ...sent.headers };
    if (value === undefined) delete headers[name];
    else headers[name] = value;
    return { ...sent, headers };
  };
  const authorization = (from: string | RegExp, to: string) =>
    header("authorization", getObject().headers.authorization!.replace(from, to));
  const url = (from: string | RegExp, to: string) => () => presigned(presignedQuery.replace(from, to));
  const malformed = (text: string) => `AuthorizationHeaderMalformed 400 The authorization header is malformed; ${text}`;
  const parameters = (text: string, status = 400) => `AuthorizationQueryParametersError ${status} ${text}`;
  const components = malformed(
    "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
  );
  const MAL_FORMED = 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".';
  const VERSION_2 =
    "InvalidRequest 400 The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
  const REQUIRED = parameters(
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
  );
  const NOT_SIGNED = "AccessDenied 403 There were headers present in the request which were not signed";
  const NO_DATE = "AccessDenied 403 AWS authentication requires a valid Date or x-amz-date header";
  const cases: [string, () => HttpRequest, string][] = [
    ["no Credential", authorization(/Credential=[^,]+,/, ""), components],
    ["no SignedHeaders", authorization(/SignedHeaders=[^,]+,/, ""), components],
    ["no Signature", authorization(/,Signature=.*/, ""), components],
    ["a component without equal sign", authorization("Signature=", "Signature"), components],
    ["four parts in the credential", authorization("/us-east-1/", "/"), malformed(MAL_FORMED)],
    [
      "a short scope date",
      authorization("/20130524/", "/2013052/"),
      malformed('incorrect date format "2013052". This date in the credential must be in the format "yyyyMMdd".'),
    ],
    [
      "another service's scope",
      authorization("/s3/", "/ec2/"),
      malformed('incorrect service "ec2". This endpoint belongs to "s3".'),
    ],
    [
      "another terminator",
      authorization("aws4_request", "aws4_reques"),
      malformed('incorrect terminal "aws4_reques". This endpoint uses "aws4_request".'),
    ],
    [
      "no access key",
      authorization(KEY_ID, ""),
      malformed("a non-empty Access Key (AKID) must be provided in the credential."),
    ],
    [
      "a scope of another day",
      authorization("/20130524/", "/20130523/"),
      malformed('Invalid credential date "20130523". This date is not the same as X-Amz-Date: "20130524".'),
    ],
    ["another scheme", header("authorization", "Bearer token"), "InvalidArgument 400 Unsupported Authorization Type"],
    ["Signature Version 2", header("authorization", "AWS key:signature"), VERSION_2],
    [
      "Signature Version 4A",
      authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
      "NotImplemented 501 Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported; use AWS4-HMAC-SHA256.",
    ],
    [
      "header and URL at once",
      () => presigned(presignedQuery, { authorization: "AWS4-HMAC-SHA256 a=b" }),
      "InvalidArgument 400 Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
    ],
    [
      "no payload hash",
      header("x-amz-content-sha256", undefined),
      "InvalidRequest 400 Missing required header for this request: x-amz-content-sha256",
    ],
    [
      "a payload hash that is none",
      header("x-amz-content-sha256", "abc"),
      "InvalidArgument 400 x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
    ],
    ["no date", header("x-amz-date", undefined), NO_DATE],
    ["a date that is none", header("x-amz-date", "20131324T000000Z"), NO_DATE],
    ["an x-amz- header that is not signed", header("x-amz-acl", "public-read"), NOT_SIGNED],
    ["a host that is not signed", authorization("host;", ""), NOT_SIGNED],
    ["an x-amz- header beside a URL", () => presigned(presignedQuery, { "x-amz-acl": "public-read" }), NOT_SIGNED],
    [
      "a wrong signature",
      authorization(/Signature=..../, "Signature=0000"),
      "SignatureDoesNotMatch 403 The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ],
    ["a URL without signature", url(/&X-Amz-Signature=.*/, ""), REQUIRED],
    ["a URL without algorithm", url(/X-Amz-Algorithm=[^&]*&/, ""), REQUIRED],
    [
      "a URL of another algorithm",
      url("HMAC-SHA256", "HMAC-SHA1"),
      parameters('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'),
    ],
    [
      "a doubly encoded credential",
      url(/%2F/g, "%252F"),
      parameters(`Error parsing the X-Amz-Credential parameter; ${MAL_FORMED}`),
    ],
    [
      "a URL of another day",
      url("Date=20130524", "Date=20130525"),
      parameters('Invalid credential date "20130524". This date is not the same as X-Amz-Date: "20130525".'),
    ],
    [
      "a URL with a bad date",
      url("T000000Z", ""),
      parameters("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""),
    ],
    ["a lifetime of no number", url("86400", "1h"), parameters("X-Amz-Expires should be a number", 403)],
    ["a negative lifetime", url("86400", "-7"), parameters("X-Amz-Expires must be non-negative", 403)],
    [
      "a lifetime of more than a week",
      url("86400", "604801"),
      parameters(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        403,
      ),
    ],
    ["a lifetime of nothing", url("86400", "0"), "AccessDenied 403 Request has expired"],
    [
      "a lifetime that was changed",
      url("86400", "604800"),
      "SignatureDoesNotMatch 403 The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ],
  ];
  for (const [name, make, expected] of cases)
    test(name, () => {
      const error = refusal(() => accept(make()));
      assert.equal(`${error.code} ${error.status} ${error.message}`, expected);
    });

  test("a request more than 15 minutes off, either way, and says by whose clock", () => {
    for (const off of [-900_000, 900_000]) accept(getObject(), { ...s3Terms, realNow: MAY_24 + off });
    for (const off of [-901_000, 901_000]) {
      const error = refusal(() => accept(getObject(), { ...s3Terms, realNow: MAY_24 + off }));
      assert.equal(error.code, "RequestTimeTooSkewed");
      assert.equal(error.fields.RequestTime, "20130524T000000Z");
      assert.equal(error.fields.MaxAllowedSkewMilliseconds, 900_000);
    }
    const early = refusal(() => accept(presigned(), { ...s3Terms, realNow: MAY_24 - 901_000 }));
    assert.equal(early.message, "Request is not valid yet");
  });

  test("a wrong signature, showing what it calculated with", () => {
    const { fields } = refusal(() => accept(getObject(), s3Terms, "another"));
    assert.equal(fields.AWSAccessKeyId, KEY_ID);
    assert.match(
      String(fields.StringToSign),
      /^AWS4-HMAC-SHA256\n20130524T000000Z\n20130524\/us-east-1\/s3\/aws4_request\n/,
    );
    assert.match(String(fields.CanonicalRequest), /^GET\n\/test\.txt\n\nhost:examplebucket/);
    assert.match(String(fields.CanonicalRequestBytes), /^47 45 54 0a 2f 74/);
  });
});

describe("the other services refuse", () => {
  const terms: Terms = { family: "json", service: "dynamodb", realNow: NOW };
  const good = {
    host: "localhost:4566",
    "x-amz-date": "20261122T120000Z",
    authorization: `AWS4-HMAC-SHA256 Credential=${KEY_ID}/20261122/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`,
  };
  const digest = (text: string) => createHash("sha256").update(text).digest("base64");
  const auth = (from: string | RegExp, to: string) => ({
    ...good,
    authorization: good.authorization.replace(from, to),
  });
  const bare = auth(/ .*/, "");
  const { "x-amz-date": _, ...undated } = good;
  const keyless = auth(/Credential=[^ ]+ /, "Credential ");
  const cases: [string, Record<string, string>, string][] = [
    [
      "an empty Authorization header",
      bare,
      `IncompleteSignatureException Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization=${digest(bare.authorization)}`,
    ],
    [
      "a part without equal sign",
      keyless,
      `IncompleteSignatureException Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '${digest(keyless.authorization)}'.`,
    ],
    [
      "no date",
      undated,
      `IncompleteSignatureException Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=${digest(good.authorization)}`,
    ],
    [
      "a date that is none",
      { ...good, "x-amz-date": "201" },
      "IncompleteSignatureException Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601",
    ],
    [
      "an old request",
      { ...good, "x-amz-date": "20261122T114459Z" },
      "InvalidSignatureException Signature expired: 20261122T114459Z is now earlier than 20261122T114500Z (20261122T120000Z - 15 min.)",
    ],
    [
      "a request of the future",
      { ...good, "x-amz-date": "20261122T121501Z" },
      "InvalidSignatureException Signature not yet current: 20261122T121501Z is still later than 20261122T121500Z (20261122T120000Z + 15 min.)",
    ],
    [
      "a host that is not signed",
      auth("host;", ""),
      "InvalidSignatureException 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    ],
    [
      "another algorithm",
      auth("SHA256", "SHA25"),
      "IncompleteSignatureException Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). ",
    ],
    [
      "four parts in the credential",
      auth("/us-east-1", ""),
      `IncompleteSignatureException Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${KEY_ID}/20261122/dynamodb/aws4_request'`,
    ],
    [
      "a scope that is wrong in everything",
      auth("20261122/us-east-1/dynamodb/aws4_request", "20261121/Ü/sqs/aws5"),
      "InvalidSignatureException Credential should be scoped to a valid region, not 'Ü'. Credential should be scoped to correct service: 'dynamodb'. Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261121' != '20261122', from '20261122T120000Z'.",
    ],
    [
      "a wrong signature",
      good,
      "InvalidSignatureException The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    ],
    [
      "Signature Version 2",
      { ...good, authorization: "AWS a:b" },
      "IncompleteSignatureException AWS Signature Version 2 is not supported; use AWS4-HMAC-SHA256.",
    ],
  ];
  for (const [name, headers, expected] of cases)
    test(name, () => {
      const error = refusal(() => accept(request({ method: "POST", headers }), terms));
      assert.equal(`${error.code} ${error.message}`, expected);
      assert.equal(error.status, 400);
    });

  test("a URL, naming every parameter that it lacks", () => {
    const error = refusal(() => accept(request({ query: "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=x" }), terms));
    assert.equal(
      error.message,
      "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters.",
    );
  });

  test("a header and a URL at once", () => {
    const error = refusal(() => accept(request({ query: "X-Amz-Algorithm=a", headers: good }), terms));
    assert.equal(
      error.message,
      "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    );
  });

  test("with the code and the status of their protocol", () => {
    const codes = (["query", "json", "rest"] as const).map((family) => {
      const { code, status } = refusal(() => accept(request({ headers: good }), { ...terms, family }));
      return `${code} ${status}`;
    });
    assert.deepEqual(codes, [
      "SignatureDoesNotMatch 403",
      "InvalidSignatureException 400",
      "InvalidSignatureException 403",
    ]);
  });
});

describe("a URL of Signature Version 2", () => {
  // The URL of AWS's page, for a bucket that the host names; its signature as boto3 makes it.
  const signed = (text: string) => encodeURIComponent(createHmac("sha1", SECRET).update(text).digest("base64"));
  const base = `AWSAccessKeyId=${KEY_ID}&Expires=1369440000`;
  const make = (text: string, more = "", parts: Sent = {}) =>
    request({ path: "/b/k%20k", query: `${base}&Signature=${signed(text)}${more}`, ...parts });

  test("verifies until it expires, with the bucket in the path or in the host", () => {
    const text = "GET\n\n\n1369440000\n/b/k%20k";
    accept(make(text), { ...s3Terms, realNow: 1_369_439_999_000 });
    accept(make(text, "", { path: "/k%20k", headers: { host: "b.s3.localhost:4566" } }), s3Terms);
    const late = refusal(() => accept(make(text), { ...s3Terms, realNow: 1_369_440_000_000 }));
    assert.deepEqual(
      [late.code, late.message, late.fields.Expires],
      ["AccessDenied", "Request has expired", "2013-05-25T00:00:00Z"],
    );
    const other = refusal(() => accept(make(text, "", { method: "PUT" }), s3Terms));
    assert.deepEqual([other.code, other.fields.CanonicalRequest], ["SignatureDoesNotMatch", undefined]);
  });

  test("signs sub-resources, content headers and what begins with x-amz-, in the query too", () => {
    const text =
      "PUT\n\ntext/plain\n1369440000\nx-amz-meta-a:1\nx-amz-security-token:t/+\n/b/k%20k?tagging&versionId=v";
    const more = "&tagging&x-id=y&versionId=v&x-amz-security-token=t%2F%2B";
    const headers = { "content-type": "text/plain", "x-amz-meta-a": "1", host: "localhost" };
    const sent = make(text, more, { method: "PUT", headers });
    accept(sent, s3Terms);
    assert.equal(claim(sent, s3Terms)?.sessionToken, "t/+");
    assert.equal(
      refusal(() => accept({ ...sent, headers: { host: "localhost" } }, s3Terms)).code,
      "SignatureDoesNotMatch",
    );
  });

  test("must have its three parameters", () => {
    for (const query of [base, "Signature=a&Expires=1", `AWSAccessKeyId=a&Signature=b`])
      assert.equal(
        refusal(() => accept(request({ query }), s3Terms)).message,
        "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
      );
    const odd = request({ query: "AWSAccessKeyId=a&Signature=b&Expires=soon" });
    assert.equal(refusal(() => accept(odd, s3Terms)).message, "Invalid date (should be seconds since epoch): soon");
  });
});

test("a session token must be there, be right and not be over; a key without one takes none", () => {
  const claimed = { ...claim(getObject(), s3Terms)!, sessionToken: "right" };
  const principal = { kind: "anonymous" } as const;
  const session = { secretAccessKey: SECRET, sessionToken: "right", expires: 1000, principal };
  const code = (sent: string | undefined, family: Family, now: number, credential: Parameters<typeof checkToken>[1]) =>
    refusal(() => checkToken({ ...claimed, sessionToken: sent }, credential, { family, now })).code;
  checkToken(claimed, session, { family: "s3", now: 999 });
  checkToken({ ...claimed, sessionToken: undefined }, { secretAccessKey: SECRET, principal }, { family: "s3", now: 0 });
  assert.equal(code("right", "s3", 1000, session), "ExpiredToken");
  assert.equal(code("right", "json", 1000, session), "ExpiredTokenException");
  assert.equal(code("wrong", "s3", 0, session), "InvalidToken");
  assert.equal(code("wrong", "query", 0, session), "InvalidClientTokenId");
  assert.equal(code(undefined, "s3", 0, session), "InvalidAccessKeyId");
  assert.equal(code(undefined, "json", 0, session), "UnrecognizedClientException");
  assert.equal(code("any", "s3", 0, { secretAccessKey: SECRET, principal }), "InvalidToken");
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
