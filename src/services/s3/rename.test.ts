import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  RenameObjectCommand,
  type RenameObjectCommandInput,
} from "@aws-sdk/client-s3";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets();

let made = 0;
async function newDirectoryBucket() {
  const Bucket = `rename-${++made}--use1-az4--x-s3`;
  await s3.send(
    new CreateBucketCommand({
      Bucket,
      CreateBucketConfiguration: {
        Location: { Type: "AvailabilityZone", Name: "use1-az4" },
        Bucket: { Type: "Directory", DataRedundancy: "SingleAvailabilityZone" },
      },
    }),
  );
  const put = (Key: string, Body: string) =>
    s3.send(new PutObjectCommand({ Bucket, Key, Body, Metadata: { of: Key }, ContentType: "text/x" }));
  const rename = (RenameSource: string, Key: string, more: Partial<RenameObjectCommandInput> = {}) =>
    s3.send(new RenameObjectCommand({ Bucket, Key, RenameSource, ...more }));
  const read = async (Key: string) => (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();
  const keys = async () => (await s3.send(new ListObjectsV2Command({ Bucket }))).Contents?.map(({ Key }) => Key) ?? [];
  return { Bucket, directory: `${cloud.aws.config.dir}/buckets/${Bucket}`, put, rename, read, keys };
}

test("RenameObject moves the plain file, and all that is known of the object goes with it", async () => {
  const { Bucket, directory, put, rename, read, keys } = await newDirectoryBucket();
  const { ETag } = await put("a/one.txt", "one");
  const before = await s3.send(new HeadObjectCommand({ Bucket, Key: "a/one.txt", ChecksumMode: "ENABLED" }));
  await cloud.advance(60_000);
  await rename(`${Bucket}/a/one.txt`, "b/c/two words.txt");
  assert.deepEqual(await keys(), ["b/c/two words.txt"]);
  assert.equal(readFileSync(`${directory}/b/c/two words.txt`, "utf8"), "one");
  assert.ok(!existsSync(`${directory}/a/one.txt`));
  const after = await s3.send(new HeadObjectCommand({ Bucket, Key: "b/c/two words.txt", ChecksumMode: "ENABLED" }));
  assert.deepEqual({ ...after, $metadata: {} }, { ...before, $metadata: {} });
  assert.equal(after.ETag, ETag);
  // A source may be told without the bucket, and is URL-encoded.
  await rename("/b/c/two%20words.txt", "three");
  assert.equal(await read("three"), "one");
  assert.equal((await failure(rename("b/c/two%20words.txt", "x"))).name, "NoSuchKey");
});

test("RenameObject replaces what stands, and makes way for keys that no path can hold", async () => {
  const { directory, put, rename, read, keys } = await newDirectoryBucket();
  await put("a", "one");
  await put("b", "two");
  await rename("a", "b");
  assert.equal(await read("b"), "one");
  // Beside the object `b` there can be no directory `b`: such a key lies in the side folder, and comes back from there.
  await rename("b", "b/in");
  assert.equal(await read("b/in"), "one");
  await put("b", "again");
  await put("b//odd", "odd");
  await rename("b//odd", "plain");
  assert.equal(await read("plain"), "odd");
  assert.equal(readFileSync(`${directory}/plain`, "utf8"), "odd");
  await rename("plain", "q//odd");
  assert.equal(await read("q//odd"), "odd");
  assert.deepEqual(await keys(), ["b", "b/in", "q//odd"]);
  const side = `${directory}/../../.aws-like/s3`;
  const left = readdirSync(side, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(left.every(({ parentPath }) => !parentPath.includes("/stage")));
});

test("RenameObject holds its conditions on both ends", async () => {
  const { put, rename, read, Bucket } = await newDirectoryBucket();
  const { ETag } = await put("a", "one");
  const other = (await put("b", "two")).ETag;
  const past = new Date(Date.now() - 3_600_000);
  for (const [more, condition] of [
    [{ DestinationIfNoneMatch: "*" }, "If-None-Match"],
    [{ DestinationIfMatch: ETag }, "If-Match"],
    [{ DestinationIfUnmodifiedSince: past }, "If-Unmodified-Since"],
    [{ SourceIfMatch: other }, "x-amz-rename-source-If-Match"],
    [{ SourceIfNoneMatch: ETag }, "x-amz-rename-source-If-None-Match"],
    [{ SourceIfNoneMatch: "*" }, "x-amz-rename-source-If-None-Match"],
    [{ SourceIfUnmodifiedSince: past }, "x-amz-rename-source-If-Unmodified-Since"],
  ] as const) {
    const error = await failure(rename("a", "b", more));
    assert.deepEqual([error.name, error.status, error.Condition], ["PreconditionFailed", 412, condition]);
  }
  assert.equal((await failure(rename("a", "none", { DestinationIfMatch: ETag }))).name, "NoSuchKey");
  assert.deepEqual([await read("a"), await read("b")], ["one", "two"]);
  await rename("a", "b", { DestinationIfMatch: other, SourceIfMatch: ETag, SourceIfModifiedSince: past });
  assert.equal(await read("b"), "one");
  const same = await failure(rename("b", "b"));
  assert.deepEqual([same.name, same.status], ["InvalidRequest", 400]);
  assert.equal((await failure(rename(`${Bucket}/`, "c"))).name, "InvalidArgument");
});

test("a client token makes a rename happen once", async () => {
  const { put, rename, read } = await newDirectoryBucket();
  await put("a", "one");
  await rename("a", "b", { ClientToken: "token" });
  await put("a", "two");
  await rename("a", "b", { ClientToken: "token" });
  assert.deepEqual([await read("a"), await read("b")], ["two", "one"]);
  const error = await failure(rename("a", "c", { ClientToken: "token" }));
  assert.deepEqual([error.name, error.status], ["IdempotencyParameterMismatch", 400]);
  assert.equal((await failure(rename("a", "c", { ClientToken: "x".repeat(65) }))).name, "InvalidArgument");
});

test("renames against each other end with every object in one place", async () => {
  const { put, rename, read, keys } = await newDirectoryBucket();
  await put("a", "one");
  await put("b", "two");
  const settled = await Promise.allSettled(
    Array.from({ length: 12 }, (_, at) => (at % 2 ? rename("a", "b") : rename("b", "a"))),
  );
  for (const one of settled) if (one.status === "rejected") assert.equal((one.reason as Error).name, "NoSuchKey");
  const [left] = await keys();
  assert.equal((await keys()).length, 1);
  assert.match(await read(left!), /^(one|two)$/);
});

test("what was written to the source from outside is what is renamed", async () => {
  const { directory, put, rename, read } = await newDirectoryBucket();
  await put("a", "one");
  writeFileSync(`${directory}/a`, "from outside");
  await rename("a", "b");
  assert.equal(await read("b"), "from outside");
  await cloud.settle();
  assert.equal(await read("b"), "from outside");
});

test("RenameObject is not of general purpose buckets", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "a", Body: "x" }));
  const error = await failure(s3.send(new RenameObjectCommand({ Bucket, Key: "b", RenameSource: `${Bucket}/a` })));
  assert.deepEqual([error.name, error.status], ["NotImplemented", 501]);
});
