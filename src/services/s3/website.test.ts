// A bucket as a website, as a browser sees it.
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { policy, refusal } from "../../../test/principals.ts";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket } = await startCloudWithBuckets({ bucketDefaults: "classic" });
const s3 = cloud.client(S3);

interface Seen {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
}

/** By its Host header: no name is resolved. */
function visit(
  bucket: string,
  path: string,
  { method = "GET", ...headers }: Record<string, string> = {},
  zone = "s3-website.localhost",
): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const { port } = new URL(cloud.endpoint);
  const to = { port, host: "127.0.0.1", method, path, headers: { ...headers, host: `${bucket}.${zone}:${port}` } };
  request(to, async (response) => {
    const text = Buffer.concat(await response.toArray()).toString();
    resolve({ status: response.statusCode!, headers: response.headers as Record<string, string>, text });
  })
    .on("error", reject)
    .end();
  return promise;
}

async function site(configuration: object, objects: Record<string, string> = {}): Promise<string> {
  const { Bucket } = await newBucket();
  await s3.putBucketWebsite({ Bucket, WebsiteConfiguration: configuration });
  const Policy = policy({
    Effect: "Allow",
    Principal: "*",
    Action: ["s3:GetObject", "s3:ListBucket"],
    Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
  });
  await s3.putBucketPolicy({ Bucket, Policy });
  for (const [Key, Body] of Object.entries(objects))
    await s3.putObject({ Bucket, Key, Body, ContentType: "text/html" });
  return Bucket;
}

const page = (title: string, members: string[], more: string[] = []) =>
  [
    "<html>",
    `<head><title>${title}</title></head>`,
    "<body>",
    `<h1>${title}</h1>`,
    "<ul>",
    ...members.map((one) => `<li>${one}</li>`),
    "</ul>",
    ...more,
    "<hr/>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
const ids = ({ headers }: Seen) => [`RequestId: ${headers["x-amz-request-id"]}`, `HostId: ${headers["x-amz-id-2"]}`];

test("index documents stand for directories, under each name of the endpoint", async () => {
  const Bucket = await site(
    { IndexDocument: { Suffix: "index.html" } },
    { "index.html": "home", "docs/index.html": "docs", "a b.html": "spaced" },
  );
  for (const zone of ["s3-website.localhost", "s3-website.us-east-1.localhost", "s3-website-us-east-1.amazonaws.com"])
    assert.equal((await visit(Bucket, "/", {}, zone)).text, "home", zone);
  assert.equal((await visit(Bucket, "/docs/")).text, "docs");
  assert.equal((await visit(Bucket, "/a%20b.html")).text, "spaced");
  const slashless = await visit(Bucket, "/docs");
  assert.deepEqual([slashless.status, slashless.headers.location], [302, "/docs/"]);
  const missing = await visit(Bucket, "/none/");
  assert.equal(missing.status, 404);
  const said = ["Code: NoSuchKey", "Message: The specified key does not exist.", "Key: none/index.html"];
  assert.equal(missing.text, page("404 Not Found", [...said, ...ids(missing)]));
  assert.equal(missing.headers["x-amz-error-code"], "NoSuchKey");
});

test("pages have their headers, ranges and conditions; other methods are not allowed", async () => {
  const Bucket = await site({ IndexDocument: { Suffix: "index.html" } }, { "index.html": "home" });
  const { headers, text } = await visit(Bucket, "/");
  assert.deepEqual([text, headers["content-type"], headers["content-length"]], ["home", "text/html", "4"]);
  const head = await visit(Bucket, "/", { method: "HEAD" });
  assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", "4"]);
  const range = await visit(Bucket, "/", { range: "bytes=1-2" });
  assert.deepEqual([range.status, range.text, range.headers["content-range"]], [206, "om", "bytes 1-2/4"]);
  const known = await visit(Bucket, "/", { "if-none-match": headers.etag! });
  assert.deepEqual([known.status, known.text, known.headers.etag], [304, "", headers.etag]);
  const posted = await visit(Bucket, "/", { method: "POST" });
  assert.equal(posted.status, 405);
  const said = [
    "Code: MethodNotAllowed",
    "Message: The specified method is not allowed against this resource.",
    "Method: POST",
    "ResourceType: OBJECT",
  ];
  assert.equal(posted.text, page("405 Method Not Allowed", [...said, ...ids(posted)]));
});

test("the error document has the error's status; where it cannot be read that is said, too", async () => {
  const Bucket = await site(
    { IndexDocument: { Suffix: "i" }, ErrorDocument: { Key: "error.html" } },
    { "error.html": "sorry" },
  );
  const sorry = await visit(Bucket, "/none", { range: "bytes=0-1" });
  assert.deepEqual([sorry.status, sorry.text], [404, "sorry"]);
  await s3.deleteObject({ Bucket, Key: "error.html" });
  const plain = await visit(Bucket, "/none");
  const no = (key: string) => ["Code: NoSuchKey", "Message: The specified key does not exist.", `Key: ${key}`];
  const second = [
    "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>",
    "<ul>",
    ...no("error.html").map((one) => `<li>${one}</li>`),
    "</ul>",
  ];
  assert.equal(plain.text, page("404 Not Found", [...no("none"), ...ids(plain)], second));
  await s3.deleteBucketPolicy({ Bucket });
  const denied = await visit(Bucket, "/none");
  assert.equal(denied.status, 403);
  assert.match(denied.text, /<li>Code: AccessDenied<\/li>\n<li>Message: Access Denied<\/li>/);
});

test("requests are redirected by rules, by the object, or all of them", async () => {
  const Bucket = await site(
    {
      IndexDocument: { Suffix: "i" },
      RoutingRules: [
        { Condition: { KeyPrefixEquals: "old/" }, Redirect: { ReplaceKeyPrefixWith: "new/" } },
        {
          Condition: { KeyPrefixEquals: "away" },
          Redirect: { HostName: "example.com", Protocol: "https", HttpRedirectCode: "307" },
        },
        {
          Condition: { HttpErrorCodeReturnedEquals: "404", KeyPrefixEquals: "app/" },
          Redirect: { ReplaceKeyWith: "app.html" },
        },
      ],
    },
    { "app/real": "real" },
  );
  const to = async (path: string) => {
    const { status, headers } = await visit(Bucket, path);
    return `${status} ${headers.location}`;
  };
  const here = `http://${Bucket}.s3-website.localhost:${new URL(cloud.endpoint).port}`;
  assert.equal(await to("/old/a%20b"), `301 ${here}/new/a%20b`);
  assert.equal(await to("/away/x"), "307 https://example.com/away/x");
  assert.equal((await visit(Bucket, "/app/real")).text, "real");
  assert.equal(await to("/app/none"), `301 ${here}/app.html`);
  await s3.putObject({ Bucket, Key: "moved", WebsiteRedirectLocation: "/elsewhere" });
  assert.equal(await to("/moved"), "301 /elsewhere");
  const all = await site({ RedirectAllRequestsTo: { HostName: "example.com" } });
  assert.equal((await visit(all, "/a/b?c=d")).headers.location, "http://example.com/a/b?c=d");
});

test("a policy on the referring page, and CORS, hold for websites", async () => {
  const Bucket = await site({ IndexDocument: { Suffix: "i" } }, { i: "home" });
  const Condition = { StringLike: { "aws:Referer": "http://mine/*" } };
  await s3.putBucketPolicy({
    Bucket,
    Policy: policy({
      Effect: "Allow",
      Principal: "*",
      Action: "s3:GetObject",
      Resource: `arn:aws:s3:::${Bucket}/*`,
      Condition,
    }),
  });
  assert.equal((await visit(Bucket, "/")).status, 403);
  assert.equal((await visit(Bucket, "/", { referer: "http://mine/page" })).text, "home");
  await s3.putBucketCors({
    Bucket,
    CORSConfiguration: { CORSRules: [{ AllowedMethods: ["GET"], AllowedOrigins: ["*"] }] },
  });
  assert.equal(
    (await visit(Bucket, "/", { referer: "http://mine/", origin: "http://a" })).headers["access-control-allow-origin"],
    "*",
  );
  const asked = await visit(Bucket, "/", {
    method: "OPTIONS",
    origin: "http://a",
    "access-control-request-method": "GET",
  });
  assert.deepEqual([asked.status, asked.headers["access-control-allow-methods"]], [200, "GET"]);
});

test("without a bucket, or a configuration, there is no website", async () => {
  const none = await visit("no-such", "/");
  const said = ["Code: NoSuchBucket", "Message: The specified bucket does not exist", "BucketName: no-such"];
  assert.equal(none.text, page("404 Not Found", [...said, ...ids(none)]));
  const { Bucket } = await newBucket();
  assert.match((await visit(Bucket, "/")).text, /<li>Code: NoSuchWebsiteConfiguration<\/li>/);
  assert.equal((await failure(s3.getBucketWebsite({ Bucket }))).name, "NoSuchWebsiteConfiguration");
});

test("what is wrong with a configuration is told in AWS's words", async () => {
  const { Bucket } = await newBucket();
  const put = (WebsiteConfiguration: object) => s3.putBucketWebsite({ Bucket, WebsiteConfiguration });
  const index = { IndexDocument: { Suffix: "i" } };
  const rule = (one: object) => ({ ...index, RoutingRules: [one] });
  const Redirect = { HostName: "h" };
  for (const [configuration, wanted] of [
    [{ IndexDocument: { Suffix: "/i" } }, "InvalidArgument 400 The IndexDocument Suffix is not well formed"],
    [{ IndexDocument: { Suffix: "" } }, "InvalidArgument 400 The IndexDocument Suffix is not well formed"],
    [
      { ...index, RedirectAllRequestsTo: Redirect },
      "InvalidArgument 400 RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
    ],
    [
      { ErrorDocument: { Key: "e" } },
      "InvalidArgument 400 A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
    ],
    [
      { RedirectAllRequestsTo: { ...Redirect, Protocol: "ftp" } },
      "InvalidRequest 400 Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.",
    ],
    [
      rule({ Redirect: { ReplaceKeyWith: "a", ReplaceKeyPrefixWith: "b" } }),
      "InvalidRequest 400 You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
    ],
    [
      rule({ Condition: {}, Redirect }),
      "InvalidRequest 400 Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
    ],
    [
      rule({ Redirect: {} }),
      "MalformedXML 400 The XML you provided was not well-formed or did not validate against our published schema",
    ],
    [
      rule({ Redirect: { ...Redirect, HttpRedirectCode: "200" } }),
      "InvalidRequest 400 The provided HTTP redirect code (200) is not valid. Valid codes are 3XX except 300.",
    ],
    [
      rule({ Condition: { HttpErrorCodeReturnedEquals: "200" }, Redirect }),
      "InvalidRequest 400 The provided HTTP error code (200) is not valid. Valid codes are 4XX or 5XX.",
    ],
    [
      { ...index, RoutingRules: Array(51).fill({ Redirect }) },
      "InvalidRequest 400 51 routing rules provided, the number of routing rules in a website configuration is limited to 50.",
    ],
  ] as const)
    assert.equal(await refusal(put(configuration)), wanted);
  const kept = {
    ...index,
    ErrorDocument: { Key: "e" },
    RoutingRules: [{ Condition: { KeyPrefixEquals: "a" }, Redirect }],
  };
  await put(kept);
  const { $metadata: _, ...told } = await s3.getBucketWebsite({ Bucket });
  assert.deepEqual(told, kept);
  await s3.deleteBucketWebsite({ Bucket });
  assert.equal((await failure(s3.getBucketWebsite({ Bucket }))).name, "NoSuchWebsiteConfiguration");
});
