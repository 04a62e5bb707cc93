// A file system without hard links (FAT, some network shares): what would be linked is copied.
import assert from "node:assert/strict";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";

let refused = 0;
promises.link = () => {
  refused++;
  return Promise.reject(Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" }));
};
syncBuiltinESMExports();

const { startCloudWithBuckets } = await import("../../../test/s3.ts");
const { newBucket, s3 } = await startCloudWithBuckets();

const text = async (Bucket: string, VersionId?: string) =>
  (await s3.send(new GetObjectCommand({ Bucket, Key: "k", VersionId }))).Body!.transformToString();

test("an upload of one part is completed", async () => {
  const { Bucket } = await newBucket();
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "k" }));
  const part = { Bucket, Key: "k", UploadId, PartNumber: 1 };
  const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body: "the part" }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: "k", UploadId, MultipartUpload }));
  assert.equal(await text(Bucket), "the part");
  assert.ok(refused > 0);
});

test("what was put before versioning was enabled is kept when it is succeeded", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "before" }));
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const links = refused;
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "after" }));
  assert.deepEqual([await text(Bucket), await text(Bucket, "null"), refused], ["after", "before", links + 1]);
});
