import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import type { HttpRequest } from "../model/http.ts";
import {
  accept,
  getObject,
  KEY_ID,
  MAY_24,
  presigned,
  presignedQuery,
  refusal,
  request,
  s3Terms,
} from "./signature.fixture.ts";
import type { Terms } from "./signature.ts";

const NOW = Date.UTC(2026, 10, 22, 12);

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
  const parameters = (text: string) => `AuthorizationQueryParametersError 400 ${text}`;
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
    ["a lifetime of no number", url("86400", "1h"), parameters("X-Amz-Expires should be a number")],
    ["a negative lifetime", url("86400", "-7"), parameters("X-Amz-Expires must be non-negative")],
    [
      "a lifetime of more than a week",
      url("86400", "604801"),
      parameters(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
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
