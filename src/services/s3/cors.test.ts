// CORS as a browser meets it: preflights, and the headers of answers and refusals.
import assert from "node:assert/strict";
import { test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { refusal } from "../../../test/principals.ts";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket } = await startCloudWithBuckets({ bucketDefaults: "classic" });
const s3 = cloud.client(S3);
const VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

const preflight = (path: string, headers: Record<string, string>) =>
  fetch(`${cloud.endpoint}/${path}`, { method: "OPTIONS", headers });
const told = (response: Response) =>
  Object.fromEntries([...response.headers].filter(([name]) => name === "vary" || name.startsWith("access-control-")));
const errorOf = async (response: Response) => {
  const text = await response.text();
  const member = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(text)?.[1];
  return [response.status, member("Code"), member("Message"), member("Method"), member("ResourceType")];
};
const NOT_ALLOWED =
  "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";

test("rules are kept as they were put; what is wrong with one is told in AWS's words", async () => {
  const { Bucket } = await newBucket();
  assert.equal((await failure(s3.getBucketCors({ Bucket }))).name, "NoSuchCORSConfiguration");
  const rule = { AllowedMethods: ["GET"], AllowedOrigins: ["http://*.example.com"] };
  const put = (...CORSRules: object[]) =>
    s3.putBucketCors({ Bucket, CORSConfiguration: { CORSRules: CORSRules as never } });
  const MALFORMED =
    "MalformedXML 400 The XML you provided was not well-formed or did not validate against our published schema";
  for (const [rules, wanted] of [
    [[], MALFORMED],
    [[{ AllowedMethods: ["GET"] }], MALFORMED],
    [Array(101).fill(rule), MALFORMED],
    [[{ ...rule, ID: "x".repeat(256) }], MALFORMED],
    [
      [{ ...rule, AllowedMethods: ["EAT"] }],
      "InvalidRequest 400 Found unsupported HTTP method in CORS config. Unsupported method is EAT",
    ],
    [
      [{ ...rule, AllowedOrigins: ["*.*"] }],
      'InvalidRequest 400 AllowedOrigin "*.*" can not have more than one wildcard.',
    ],
    [
      [{ ...rule, AllowedHeaders: ["**"] }],
      'InvalidRequest 400 AllowedHeader "**" can not have more than one wildcard.',
    ],
    [[{ ...rule, ExposeHeaders: ["x-*"] }], /^InvalidRequest 400 ExposeHeader "x-\*" contains wildcard/],
  ] as const)
    if (typeof wanted === "string") assert.equal(await refusal(put(...rules)), wanted);
    else assert.match(await refusal(put(...rules)), wanted);
  await put(rule, { ...rule, MaxAgeSeconds: 30, ID: "second" });
  assert.deepEqual((await s3.getBucketCors({ Bucket })).CORSRules, [
    rule,
    { ...rule, MaxAgeSeconds: 30, ID: "second" },
  ]);
  await s3.deleteBucketCors({ Bucket });
  assert.equal((await failure(s3.getBucketCors({ Bucket }))).name, "NoSuchCORSConfiguration");
});

test("a preflight is answered by the first rule that fits, or refused", async () => {
  const { Bucket } = await newBucket();
  const ask = (headers: object, path = `${Bucket}/k`) =>
    preflight(path, { origin: "http://app.example.com", "access-control-request-method": "PUT", ...headers });
  assert.deepEqual((await errorOf(await preflight(`${Bucket}/k`, {}))).slice(0, 3), [
    400,
    "BadRequest",
    "Insufficient information. Origin request header needed.",
  ]);
  assert.deepEqual(await errorOf(await ask({})), [
    403,
    "AccessForbidden",
    "CORSResponse: CORS is not enabled for this bucket.",
    "PUT",
    "OBJECT",
  ]);
  assert.deepEqual(await errorOf(await ask({}, "missing")), [
    403,
    "AccessForbidden",
    "CORSResponse: Bucket not found",
    "PUT",
    "BUCKET",
  ]);
  await s3.putBucketCors({
    Bucket,
    CORSConfiguration: {
      CORSRules: [
        {
          AllowedMethods: ["PUT", "GET"],
          AllowedOrigins: ["http://*.example.com"],
          AllowedHeaders: ["X-Amz-*"],
          ExposeHeaders: ["ETag", "x-a"],
          MaxAgeSeconds: 30,
        },
        { AllowedMethods: ["GET"], AllowedOrigins: ["*"] },
      ],
    },
  });
  const allowed = {
    "access-control-allow-origin": "http://app.example.com",
    "access-control-allow-methods": "PUT, GET",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "ETag, x-a",
    "access-control-max-age": "30",
    vary: VARY,
  };
  const put = await ask({});
  assert.deepEqual([put.status, told(put)], [200, allowed]);
  const withHeaders = await ask({ "access-control-request-headers": "X-AMZ-date,x-amz-acl" });
  assert.deepEqual(told(withHeaders), { ...allowed, "access-control-allow-headers": "x-amz-date, x-amz-acl" });
  const anyone = await ask({ origin: "http://elsewhere", "access-control-request-method": "GET" });
  assert.deepEqual(told(anyone), {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET",
    vary: VARY,
  });
  const refused = [403, "AccessForbidden", NOT_ALLOWED, "PUT", "OBJECT"];
  assert.deepEqual(await errorOf(await ask({ origin: "http://elsewhere" })), refused);
  assert.deepEqual(await errorOf(await ask({ "access-control-request-headers": "authorization" })), refused);
  assert.deepEqual((await errorOf(await ask({ "access-control-request-method": "EAT" }))).slice(0, 3), [
    400,
    "BadRequest",
    "Invalid Access-Control-Request-Method: EAT",
  ]);
});

test("answers and refusals have the headers where the origin and the method are allowed", async () => {
  const { Bucket } = await newBucket();
  await s3.putObject({ Bucket, Key: "k", Body: "x", ACL: "public-read" });
  const get = (key: string, headers: Record<string, string>) =>
    fetch(`${cloud.endpoint}/${Bucket}/${key}`, { headers });
  assert.deepEqual(told(await get("k", { origin: "http://a" })), {});
  await s3.putBucketCors({
    Bucket,
    CORSConfiguration: { CORSRules: [{ AllowedMethods: ["GET"], AllowedOrigins: ["http://a"] }] },
  });
  const wanted = {
    "access-control-allow-origin": "http://a",
    "access-control-allow-methods": "GET",
    "access-control-allow-credentials": "true",
    vary: VARY,
  };
  const found = await get("k", { origin: "http://a" });
  assert.deepEqual([await found.text(), told(found)], ["x", wanted]);
  const denied = await get("missing", { origin: "http://a" });
  assert.deepEqual([denied.status, told(denied)], [403, wanted]);
  assert.deepEqual(told(await get("k", { origin: "http://b" })), {});
  assert.deepEqual(told(await get("k", {})), {});
});
