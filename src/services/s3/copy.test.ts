import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  CopyObjectCommand,
  type CopyObjectCommandInput,
  DeleteObjectTaggingCommand,
  GetObjectAttributesCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from "@aws-sdk/client-s3";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { newBucket, s3 } = await startCloudWithBuckets();

async function source() {
  const { Bucket, directory } = await newBucket();
  await s3.send(
    new PutObjectCommand({
      Bucket,
      Key: "a b/ü+%",
      Body: "source",
      ContentType: "text/x",
      Metadata: { m: "1" },
      Tagging: "t=1",
    }),
  );
  const copy = (more: Partial<CopyObjectCommandInput> = {}) =>
    s3.send(
      new CopyObjectCommand({ Bucket, Key: "copy", CopySource: encodeURIComponent(`${Bucket}/a b/ü+%`), ...more }),
    );
  return { Bucket, directory, copy };
}

test("CopyObject copies bytes, headers, metadata and tags, of any key", async () => {
  const { Bucket, directory, copy } = await source();
  const { CopyObjectResult } = await copy();
  assert.equal(CopyObjectResult?.ETag, '"36cd38f49b9afa08222c0dc9ebfe35eb"');
  assert.equal(readFileSync(`${directory}/copy`, "utf8"), "source");
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "copy" }));
  assert.deepEqual([head.ContentType, head.Metadata, head.TagCount], ["text/x", { m: "1" }, 1]);
});

test("CopyObject replaces metadata and tags where it is told to", async () => {
  const { Bucket, copy } = await source();
  await copy({
    MetadataDirective: "REPLACE",
    Metadata: { n: "2" },
    ContentType: "text/y",
    TaggingDirective: "REPLACE",
    Tagging: "u=2",
  });
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "copy" }));
  assert.deepEqual([head.ContentType, head.Metadata], ["text/y", { n: "2" }]);
  const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: "copy" }));
  assert.deepEqual(TagSet, [{ Key: "u", Value: "2" }]);
});

test("CopyObject computes the checksum that is asked for", async () => {
  const { Bucket, copy } = await source();
  const { CopyObjectResult } = await copy({ ChecksumAlgorithm: "SHA256" });
  const { Checksum } = await s3.send(
    new GetObjectAttributesCommand({ Bucket, Key: "copy", ObjectAttributes: ["Checksum"] }),
  );
  assert.equal(Checksum?.ChecksumSHA256, CopyObjectResult?.ChecksumSHA256);
  assert.ok(Checksum?.ChecksumSHA256);
});

test("a copy onto itself must change something", async () => {
  const { copy } = await source();
  const error = await failure(copy({ Key: "a b/ü+%" }));
  assert.match(error.message, /^This copy request is illegal because it is trying to copy an object to itself/);
  await copy({ Key: "a b/ü+%", MetadataDirective: "REPLACE" });
  await copy({ Key: "a b/ü+%", StorageClass: "STANDARD_IA" });
});

for (const [condition, holds] of [
  [{ CopySourceIfMatch: '"36cd38f49b9afa08222c0dc9ebfe35eb"' }, true],
  [{ CopySourceIfMatch: '"no"' }, false],
  [{ CopySourceIfNoneMatch: '"36cd38f49b9afa08222c0dc9ebfe35eb"' }, false],
  [{ CopySourceIfNoneMatch: '"no"' }, true],
  [{ CopySourceIfModifiedSince: new Date(0) }, true],
  [{ CopySourceIfUnmodifiedSince: new Date(0) }, false],
  [{ CopySourceIfMatch: '"36cd38f49b9afa08222c0dc9ebfe35eb"', CopySourceIfUnmodifiedSince: new Date(0) }, true],
] as const)
  test(`a copy with ${JSON.stringify(condition)} ${holds ? "is made" : "is a 412"}`, async () => {
    const { copy } = await source();
    if (holds) await copy(condition);
    else assert.equal((await failure(copy(condition))).status, 412);
  });

test("a source that is not there, or is none, is named", async () => {
  const { Bucket, copy } = await source();
  const noKey = await failure(copy({ CopySource: `${Bucket}/none` }));
  assert.deepEqual([noKey.name, noKey.Key], ["NoSuchKey", "none"]);
  assert.equal((await failure(copy({ CopySource: "no-such-bucket/k" }))).name, "NoSuchBucket");
  const none = await failure(copy({ CopySource: "nonsense" }));
  assert.deepEqual([none.name, none.message], ["InvalidArgument", "Invalid copy source object key"]);
});

test("what is in an archive is not copied", async () => {
  const { Bucket, copy } = await source();
  await s3.send(new PutObjectCommand({ Bucket, Key: "cold", Body: "x", StorageClass: "GLACIER" }));
  const error = await failure(copy({ CopySource: `${Bucket}/cold` }));
  assert.deepEqual([error.name, error.status], ["ObjectNotInActiveTierError", 403]);
});

test("attributes that are not named, or are none, are refused in AWS's words", async () => {
  const { Bucket } = await source();
  const attributes = (ObjectAttributes: unknown) =>
    failure(s3.send(new GetObjectAttributesCommand({ Bucket, Key: "a b/ü+%", ObjectAttributes } as never)));
  const missing =
    "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
  const none = await attributes(undefined);
  assert.deepEqual([none.name, none.message], ["InvalidRequest", missing]);
  assert.equal((await attributes(["Owner"])).message, "Invalid attribute name specified.");
});

test("CopyObject with If-None-Match does not overwrite", async () => {
  const { copy } = await source();
  await copy({ IfNoneMatch: "*" });
  assert.equal((await failure(copy({ IfNoneMatch: "*" }))).status, 412);
});

test("tags of an object are put, got and deleted; ten at most, sound ones only", async () => {
  const { Bucket } = await source();
  const Key = "a b/ü+%";
  const put = (TagSet: { Key: string; Value: string }[]) =>
    s3.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }));
  await put([
    { Key: "x", Value: "" },
    { Key: "y", Value: "ü" },
  ]);
  assert.equal((await s3.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet?.length, 2);
  const many = Array.from({ length: 11 }, (_, n) => ({ Key: `${n}`, Value: "" }));
  assert.equal((await failure(put(many))).name, "BadRequest");
  for (const bad of ["aws:x", "", "x".repeat(129)])
    assert.equal((await failure(put([{ Key: bad, Value: "" }]))).name, "InvalidTag");
  await s3.send(new DeleteObjectTaggingCommand({ Bucket, Key }));
  assert.deepEqual((await s3.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet, []);
  assert.equal((await failure(s3.send(new GetObjectTaggingCommand({ Bucket, Key: "none" })))).name, "NoSuchKey");
});
