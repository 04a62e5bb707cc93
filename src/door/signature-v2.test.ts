import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { accept, KEY_ID, refusal, request, SECRET, type Sent, s3Terms } from "./signature.fixture.ts";
import { claim, verify } from "./signature.ts";

describe("a URL of Signature Version 2", () => {
  // The URL of AWS's page, for a bucket that the host names; its signature as boto3 makes it.
  const signed = (text: string) => encodeURIComponent(createHmac("sha1", SECRET).update(text).digest("base64"));
  const base = `AWSAccessKeyId=${KEY_ID}&Expires=1369440000`;
  const make = (text: string, more = "", parts: Sent = {}) =>
    request({ path: "/b/k%20k", query: `${base}&Signature=${signed(text)}${more}`, ...parts });

  test("verifies until it expires, with the bucket in the path or in the host", () => {
    const text = "GET\n\n\n1369440000\n/b/k%20k";
    accept(make(text), { ...s3Terms, realNow: 1_369_439_999_000 });
    const hosted = make(text, "", { path: "/k%20k", headers: { host: "b.s3.localhost:4566" } });
    const options = { family: "s3" as const, secretAccessKey: SECRET };
    verify(claim(hosted, s3Terms)!, hosted, { ...options, path: "/b/k%20k" });
    // What it is signed for is what is acted upon: not the same path in the bucket of another host.
    const moved = { ...make(text), headers: { host: "other.s3.localhost:4566" } };
    assert.throws(() => verify(claim(moved, s3Terms)!, moved, { ...options, path: "/other/b/k%20k" }));
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
