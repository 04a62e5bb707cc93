import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeletePublicAccessBlockCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets();

const text = async (bucket: string, key: string, more = {}) =>
  (await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...more }))).Body!.transformToString();

test("PutObject makes a plain file of the key, and GetObject gives it back", async () => {
  const { Bucket, directory } = await newBucket();
  const put = await s3.send(new PutObjectCommand({ Bucket, Key: "a/b c.txt", Body: "hello" }));
  assert.equal(put.ETag, '"5d41402abc4b2a76b9719d911017c592"');
  assert.equal(put.ServerSideEncryption, "AES256");
  assert.equal(put.ChecksumType, "FULL_OBJECT");
  assert.equal(readFileSync(`${directory}/a/b c.txt`, "utf8"), "hello");
  assert.equal(await text(Bucket, "a/b c.txt"), "hello");
});

test("an object keeps its headers and metadata, and GetObject overrides them where asked", async () => {
  const { Bucket } = await newBucket();
  const headers: Partial<PutObjectCommandInput> = {
    CacheControl: "max-age=60",
    ContentDisposition: 'attachment; filename="x"',
    ContentEncoding: "gzip",
    ContentLanguage: "de",
    ContentType: "text/x-test",
    Metadata: { Mixed: "Case", other: "1" },
    WebsiteRedirectLocation: "/there",
    StorageClass: "STANDARD_IA",
    Tagging: "a=1&b=2",
  };
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", Expires: new Date(1e12), ...headers }));
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
  const { Metadata, Tagging: _, ...plain } = headers;
  for (const [name, value] of Object.entries(plain)) assert.equal(head[name as keyof typeof head], value, name);
  assert.deepEqual(head.Metadata, { mixed: Metadata!.Mixed, other: "1" });
  assert.equal(head.ExpiresString, new Date(1e12).toUTCString());
  const get = await s3.send(
    new GetObjectCommand({ Bucket, Key: "k", ResponseContentType: "text/plain", ResponseCacheControl: "no-store" }),
  );
  assert.equal(get.ContentType, "text/plain");
  assert.equal(get.CacheControl, "no-store");
  assert.equal(get.TagCount, 2);
  await get.Body!.transformToString();
});

test("an object without a content type is binary/octet-stream, and aws-chunked is not kept as an encoding", async () => {
  const { Bucket } = await newBucket();
  const client = cloud.client(S3Client);
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      delete headers["content-type"];
      return next(args);
    },
    { step: "build", priority: "low" },
  );
  await client.send(
    new PutObjectCommand({ Bucket, Key: "k", Body: Readable.from([Buffer.from("stream")]), ContentLength: 6 }),
  );
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
  assert.equal(head.ContentType, "binary/octet-stream");
  assert.equal(head.ContentEncoding, undefined);
});

for (const [range, expected, contentRange] of [
  ["bytes=0-3", "0123", "bytes 0-3/10"],
  ["bytes=7-", "789", "bytes 7-9/10"],
  ["bytes=-2", "89", "bytes 8-9/10"],
  ["bytes=-50", "0123456789", "bytes 0-9/10"],
  ["bytes=5-500", "56789", "bytes 5-9/10"],
  ["bytes=3-1", "0123456789", undefined],
  ["bytes=0-1,4-5", "0123456789", undefined],
  ["lines=1-2", "0123456789", undefined],
] as const)
  test(`GetObject of the range ${range} answers ${contentRange ?? "all of it"}`, async () => {
    const { Bucket } = await newBucket();
    await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "0123456789" }));
    const get = await s3.send(new GetObjectCommand({ Bucket, Key: "k", Range: range }));
    assert.equal(await get.Body!.transformToString(), expected);
    assert.equal(get.ContentRange, contentRange);
    assert.equal(get.$metadata.httpStatusCode, contentRange ? 206 : 200);
  });

test("an Expires that is no date is given back as it was sent, once", async () => {
  const { Bucket } = await newBucket();
  const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "k" }));
  await fetch(url, { method: "PUT", body: "x", headers: { expires: "whenever" } });
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
  assert.equal(head.ExpiresString, "whenever");
  const answer = await fetch(await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "k" })));
  assert.deepEqual([answer.headers.get("expires"), answer.headers.get("expiresstring")], ["whenever", null]);
  assert.ok(answer.headers.get("x-amz-id-2"));
});

test("GetObject refuses a range beyond the object with InvalidRange, and says how large it is", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "12345678" }));
  const error = await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k", Range: "bytes=1024-4096" })));
  assert.equal(error.status, 416);
  assert.equal(error.name, "InvalidRange");
  assert.equal(error.ActualObjectSize, "8");
  assert.equal(error.RangeRequested, "bytes=1024-4096");
});

test("an object that was put whole is its own part 1 and has no part 2", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "test-123" }));
  const get = await s3.send(new GetObjectCommand({ Bucket, Key: "k", PartNumber: 1 }));
  assert.equal(get.ContentRange, "bytes 0-7/8");
  assert.equal(get.PartsCount, undefined);
  await get.Body!.transformToString();
  const error = await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k", PartNumber: 2 })));
  assert.deepEqual([error.name, error.status, error.ActualPartCount], ["InvalidPartNumber", 416, "1"]);
});

test("what is missing is named: bucket, key, and a HEAD by its status alone", async () => {
  const { Bucket } = await newBucket();
  const noKey = await failure(s3.send(new GetObjectCommand({ Bucket, Key: "none" })));
  assert.deepEqual([noKey.name, noKey.status, noKey.Key], ["NoSuchKey", 404, "none"]);
  const noBucket = await failure(s3.send(new GetObjectCommand({ Bucket: "no-such-bucket", Key: "k" })));
  assert.deepEqual([noBucket.name, noBucket.status, noBucket.BucketName], ["NoSuchBucket", 404, "no-such-bucket"]);
  assert.equal((await failure(s3.send(new HeadObjectCommand({ Bucket, Key: "none" })))).name, "NotFound");
});

const past = new Date("2000-01-01T00:00:00Z");
const ahead = new Date("2100-01-01T00:00:00Z");
const etag = '"8d777f385d3dfec8815d20f7496026dc"'; // of "data"

for (const [conditions, status] of [
  [{ IfMatch: etag }, 200],
  [{ IfMatch: "8d777f385d3dfec8815d20f7496026dc" }, 200],
  [{ IfMatch: "*" }, 200],
  [{ IfMatch: '"other"' }, 412],
  [{ IfNoneMatch: etag }, 304],
  [{ IfNoneMatch: "8d777f385d3dfec8815d20f7496026dc" }, 304],
  [{ IfNoneMatch: '"other"' }, 200],
  [{ IfModifiedSince: past }, 200],
  [{ IfModifiedSince: ahead }, 200],
  [{ IfUnmodifiedSince: past }, 412],
  [{ IfUnmodifiedSince: ahead }, 200],
  [{ IfMatch: etag, IfUnmodifiedSince: past }, 200],
  [{ IfMatch: '"other"', IfUnmodifiedSince: ahead }, 412],
  [{ IfNoneMatch: etag, IfModifiedSince: past }, 304],
  [{ IfNoneMatch: '"other"', IfModifiedSince: past }, 200],
] as const)
  test(`a GET and a HEAD with ${JSON.stringify(conditions)} are ${status}`, async () => {
    const { Bucket } = await newBucket();
    await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "data" }));
    for (const Command of [GetObjectCommand, HeadObjectCommand]) {
      const sent = s3.send(new Command({ Bucket, Key: "k", ...conditions }) as GetObjectCommand);
      if (status === 200) await sent.then(({ Body }) => Body?.transformToString());
      else assert.equal((await failure(sent)).status, status);
    }
  });

test("a GET that was modified exactly then is not modified since", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "data" }));
  const { LastModified } = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
  assert.equal(
    (await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k", IfModifiedSince: LastModified })))).status,
    304,
  );
  await text(Bucket, "k", { IfUnmodifiedSince: LastModified });
});

test("PutObject with If-None-Match: * wins once among many", async () => {
  const { Bucket } = await newBucket();
  const puts = await Promise.allSettled(
    Array.from({ length: 10 }, (_, n) =>
      s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: `${n}`, IfNoneMatch: "*" })),
    ),
  );
  assert.equal(puts.filter(({ status }) => status === "fulfilled").length, 1);
  const error = await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", IfNoneMatch: "*" })));
  assert.deepEqual([error.name, error.status, error.Condition], ["PreconditionFailed", 412, "If-None-Match"]);
});

test("PutObject with If-Match replaces only what it names, and a missing key is 404", async () => {
  const { Bucket } = await newBucket();
  const missing = await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", IfMatch: etag })));
  assert.deepEqual([missing.name, missing.status], ["NoSuchKey", 404]);
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "data" }));
  assert.equal(
    (await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", IfMatch: '"no"' })))).status,
    412,
  );
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "new", IfMatch: etag }));
  assert.equal(await text(Bucket, "k"), "new");
});

for (const [name, extra, code] of [
  ["a Content-MD5 that is none", { ContentMD5: "not-md5" }, "InvalidDigest"],
  ["a Content-MD5 of other bytes", { ContentMD5: "1B2M2Y8AsgTpgAmY7PhCfg==" }, "BadDigest"],
  ["a CRC32 of other bytes", { ChecksumCRC32: "AAAAAA==" }, "BadDigest"],
  ["a SHA256 that is none", { ChecksumSHA256: "abc" }, "InvalidRequest"],
  ["an unknown storage class", { StorageClass: "OUTPOSTS" }, "InvalidStorageClass"],
  ["an unknown encryption", { ServerSideEncryption: "ROT13" }, "InvalidEncryptionAlgorithmError"],
  ["a KMS key without KMS", { SSEKMSKeyId: "k" }, "InvalidArgument"],
  ["a grant to nobody", { GrantRead: "id=1" }, "InvalidArgument"],
  ["a public ACL, which the bucket does not allow", { ACL: "public-read" }, "AccessControlListNotSupported"],
  ["an object lock, which its bucket has not", { ObjectLockLegalHoldStatus: "ON" }, "InvalidRequest"],
  ["metadata over 2 KB", { Metadata: { long: "x".repeat(2100) } }, "MetadataTooLarge"],
  ["tags of one name twice", { Tagging: "a=1&a=2" }, "InvalidArgument"],
  ["a key over 1024 bytes", { Key: "é".repeat(513) }, "KeyTooLongError"],
] as const)
  test(`PutObject refuses ${name} with ${code}, and leaves nothing behind`, async () => {
    const { Bucket } = await newBucket();
    const input = { Bucket, Key: "k", Body: "data", ...extra } as unknown as PutObjectCommandInput;
    assert.equal((await failure(s3.send(new PutObjectCommand(input)))).name, code);
    const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket }));
    assert.equal(KeyCount, 0);
  });

test("of a body that breaks off nothing is kept", async () => {
  const { Bucket } = await newBucket();
  const url = new URL(await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "k" })));
  const socket = connect(Number(url.port), url.hostname);
  socket.write(`PUT ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-length: 200000\r\n\r\n`);
  socket.end(Buffer.alloc(100_000));
  for await (const _ of socket) assert.ok(_);
  const stage = `${cloud.aws.config.dir}/.aws-like/s3/${Bucket}/stage`;
  while (readdirSync(stage).length > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await failure(s3.send(new HeadObjectCommand({ Bucket, Key: "k" })))).status, 404);
});

test("a body of unknown length is refused with MissingContentLength", async () => {
  const { Bucket } = await newBucket();
  const url = new URL(await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "k" })));
  const socket = connect(Number(url.port), url.hostname);
  socket.write(
    `PUT ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
  );
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  assert.match(answer, /^HTTP\/1.1 411 [\s\S]*<Code>MissingContentLength<\/Code>/);
});

test("a large object streams in and out, whole", async () => {
  const { Bucket } = await newBucket();
  const bytes = Buffer.alloc(9 * 1024 ** 2, "0123456789abcdef-");
  await s3.send(new PutObjectCommand({ Bucket, Key: "large", Body: bytes }));
  const get = await s3.send(new GetObjectCommand({ Bucket, Key: "large" }));
  assert.ok(bytes.equals(await get.Body!.transformToByteArray()));
  const part = await s3.send(new GetObjectCommand({ Bucket, Key: "large", Range: "bytes=1000000-8999999" }));
  assert.ok(bytes.subarray(1_000_000, 9_000_000).equals(await part.Body!.transformToByteArray()));
});

test("a client that goes away in the middle of a body leaves no file open", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "large", Body: Buffer.alloc(9 * 1024 ** 2) }));
  const before = readdirSync("/proc/self/fd").length;
  for (let n = 0; n < 20; n++) {
    const get = await s3.send(new GetObjectCommand({ Bucket, Key: "large" }));
    (get.Body as unknown as Readable).destroy();
  }
  await cloud.settle();
  for (let n = 0; n < 200 && readdirSync("/proc/self/fd").length > before + 10; n++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.ok(readdirSync("/proc/self/fd").length <= before + 10);
});

test("DeleteObject removes the file, and is content where there is none", async () => {
  const { Bucket, directory } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "a/k", Body: "x" }));
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "a/k" }));
  await assert.rejects(stat(`${directory}/a/k`));
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "a/k" }));
});

test("DeleteObject with If-Match deletes only what it names", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "data" }));
  assert.equal((await failure(s3.send(new DeleteObjectCommand({ Bucket, Key: "k", IfMatch: '"no"' })))).status, 412);
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "k", IfMatch: etag }));
  assert.equal((await failure(s3.send(new DeleteObjectCommand({ Bucket, Key: "k", IfMatch: etag })))).status, 404);
});

test("a redirect that leads nowhere, and an empty version id, are refused in AWS's words", async () => {
  const { Bucket } = await newBucket();
  const put = (WebsiteRedirectLocation: string) =>
    s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", WebsiteRedirectLocation }));
  assert.equal((await failure(put("there"))).name, "InvalidRedirectLocation");
  for (const location of ["/there", "http://there", "https://there"]) await put(location);
  const empty = await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k", VersionId: "" })));
  assert.deepEqual([empty.name, empty.message], ["InvalidArgument", "Version id cannot be the empty string"]);
});

test("who reads without a signature does not choose the answer's headers", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  const Statement = [{ Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: `arn:aws:s3:::${Bucket}/*` }];
  // Where public access is not blocked, there is nothing to delete.
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket })).catch(() => undefined);
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: "2012-10-17", Statement }) }));
  const url = `${cloud.endpoint}/${Bucket}/k`;
  assert.equal((await fetch(url)).status, 200);
  const refused = await fetch(`${url}?response-content-type=text%2Fhtml`);
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /<Code>InvalidRequest<.*cannot be used for anonymous GET requests/s);
});

test("DeleteObject judges size and time where it is told to, and a missing key meets them", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "data" }));
  const { LastModified } = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
  const remove = (more: object) => s3.send(new DeleteObjectCommand({ Bucket, Key: "k", ...more }));
  for (const wrong of [{ IfMatchSize: 5 }, { IfMatchLastModifiedTime: past }])
    assert.equal((await failure(remove(wrong))).name, "PreconditionFailed");
  await remove({ IfMatchSize: 4, IfMatchLastModifiedTime: LastModified });
  await remove({ IfMatchSize: 5 });
  assert.equal((await failure(remove({ IfMatch: "*" }))).name, "NoSuchKey");
});

for (const [conditions, Header] of [
  [{ IfNoneMatch: etag }, "If-None-Match"],
  [{ IfMatch: "*" }, "If-Match"],
  [{ IfMatch: etag, IfNoneMatch: "*" }, "If-Match,If-None-Match"],
] as const)
  test(`a write with ${JSON.stringify(conditions)} is what AWS has not either`, async () => {
    const { Bucket } = await newBucket();
    const error = await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", ...conditions })));
    assert.deepEqual([error.name, error.status, error.Header], ["NotImplemented", 501, Header]);
  });

test("a condition is of the current version: beside a version id it is refused, for a key alone too", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const { VersionId } = await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "data" }));
  const error = await failure(s3.send(new DeleteObjectCommand({ Bucket, Key: "k", VersionId, IfMatch: etag })));
  assert.deepEqual([error.name, error.status, error.Header], ["NotImplemented", 501, "If-Match"]);
  const Objects = [{ Key: "k", VersionId, ETag: etag }];
  const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.deepEqual(
    Errors?.map(({ Key, Code }) => [Key, Code]),
    [["k", "NotImplemented"]],
  );
});

test("appending is refused by its name", async () => {
  const { Bucket } = await newBucket();
  const error = await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", WriteOffsetBytes: 0 })));
  assert.deepEqual([error.name, error.status], ["NotImplemented", 501]);
});

test("the bytes that a Content-MD5 does not fit are told in AWS's two ways", async () => {
  const { Bucket } = await newBucket();
  const ContentMD5 = createHash("md5").update("other").digest("base64");
  const put = await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", ContentMD5 })));
  const hex = createHash("md5").update("other").digest("hex");
  assert.deepEqual([put.name, put.ExpectedDigest], ["BadDigest", hex]);
  assert.equal(put.CalculatedDigest, createHash("md5").update("x").digest("base64"));
});

test("DeleteObjects answers for each key, is quiet where asked, and refuses more than 1000", async () => {
  const { Bucket } = await newBucket();
  for (const Key of ["a", "b"]) await s3.send(new PutObjectCommand({ Bucket, Key, Body: "data" }));
  const Objects = [{ Key: "a" }, { Key: "never" }, { Key: "b", ETag: '"no"' }];
  const { Deleted, Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.deepEqual(Deleted, [{ Key: "a" }, { Key: "never" }]);
  assert.deepEqual(
    Errors?.map(({ Key, Code }) => [Key, Code]),
    [["b", "PreconditionFailed"]],
  );
  const quiet = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "b" }], Quiet: true } }));
  assert.equal(quiet.Deleted, undefined);
  const many = Array.from({ length: 1001 }, (_, n) => ({ Key: `${n}` }));
  assert.equal(
    (await failure(s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: many } })))).name,
    "MalformedXML",
  );
});

test("an archived object is not read before it is restored", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "cold", StorageClass: "DEEP_ARCHIVE" }));
  const error = await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k" })));
  assert.deepEqual([error.name, error.status, error.StorageClass], ["InvalidObjectState", 403, "DEEP_ARCHIVE"]);
});

test("readers and writers of one key see whole objects with their own ETag", async () => {
  const { Bucket } = await newBucket();
  const bodies = ["one", "two".repeat(50_000), "three".repeat(20_000)];
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: bodies[0] }));
  await Promise.all([
    ...Array.from({ length: 30 }, (_, n) => s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: bodies[n % 3] }))),
    ...Array.from({ length: 60 }, async () => {
      const get = await s3.send(new GetObjectCommand({ Bucket, Key: "k" }));
      const body = await get.Body!.transformToByteArray();
      assert.equal(get.ETag, `"${createHash("md5").update(body).digest("hex")}"`);
    }),
  ]);
});

test("an answer never has the ETag of other bytes, when the file is written past the API", async () => {
  const { Bucket, directory } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "before" }));
  await writeFile(`${directory}/k`, "after!");
  const get = await s3.send(new GetObjectCommand({ Bucket, Key: "k" }));
  assert.equal(await get.Body!.transformToString(), "after!");
  assert.equal(get.ETag, `"${createHash("md5").update("after!").digest("hex")}"`);
  assert.equal(await readFile(`${directory}/k`, "utf8"), "after!");
});

test("a 304 has no body and no length, a HEAD error no body", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "data" }));
  const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "k" }));
  const answer = await raw("GET", url, { "if-none-match": etag });
  assert.match(answer, /^HTTP\/1.1 304 /);
  assert.doesNotMatch(answer, /content-length: [1-9]/i);
  assert.match(answer, /etag: "8d777f385d3dfec8815d20f7496026dc"/i);
  assert.match(answer, /\r\n\r\n$/);
});

/** As it is on the wire. */
async function raw(method: string, url: string, headers: Record<string, string>): Promise<string> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const lines = Object.entries({ host, connection: "close", ...headers }).map(([name, value]) => `${name}: ${value}`);
  socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
