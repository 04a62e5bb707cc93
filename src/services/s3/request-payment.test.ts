// Who pays, and transfer acceleration.
import assert from "node:assert/strict";
import { test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { policy, refusal } from "../../../test/principals.ts";
import { startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket } = await startCloudWithBuckets({ bucketDefaults: "classic" });
const s3 = cloud.client(S3);
const other = cloud.client(S3, { accessKeyId: "111111111111", secretAccessKey: "test" });
const DENIED = "AccessDenied 403 Access Denied";

test("who is not the owner says that he pays, or is denied; nobody cannot pay", async () => {
  const { Bucket } = await newBucket();
  await s3.putObject({ Bucket, Key: "k", Body: "x" });
  const Resource = [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`];
  await s3.putBucketPolicy({ Bucket, Policy: policy({ Effect: "Allow", Principal: "*", Action: "s3:*", Resource }) });
  assert.equal((await s3.getBucketRequestPayment({ Bucket })).Payer, "BucketOwner");
  assert.equal((await other.getObject({ Bucket, Key: "k" })).RequestCharged, undefined);
  const put = (Payer: string) =>
    s3.putBucketRequestPayment({ Bucket, RequestPaymentConfiguration: { Payer: Payer as "Requester" } });
  assert.match(await refusal(put("Nobody")), /^MalformedXML 400/);
  await put("Requester");
  assert.equal((await s3.getBucketRequestPayment({ Bucket })).Payer, "Requester");
  assert.equal((await s3.getObject({ Bucket, Key: "k" })).RequestCharged, undefined);
  const RequestPayer = "requester" as const;
  assert.equal(await refusal(other.getObject({ Bucket, Key: "k" })), DENIED);
  assert.equal((await other.getObject({ Bucket, Key: "k", RequestPayer })).RequestCharged, "requester");
  assert.equal(await refusal(other.listObjectsV2({ Bucket })), DENIED);
  assert.equal((await other.listObjectsV2({ Bucket, RequestPayer })).KeyCount, 1);
  assert.equal(await refusal(other.putObject({ Bucket, Key: "new", Body: "x" })), DENIED);
  await other.createBucket({ Bucket: "their-own" });
  const copy = { Bucket: "their-own", Key: "k", CopySource: `${Bucket}/k` };
  assert.equal(await refusal(other.copyObject(copy)), DENIED);
  await other.copyObject({ ...copy, RequestPayer });
  assert.equal(
    (await fetch(`${cloud.endpoint}/${Bucket}/k`, { headers: { "x-amz-request-payer": "requester" } })).status,
    403,
  );
  const { Deleted } = await other.deleteObjects({ Bucket, Delete: { Objects: [{ Key: "k" }] }, RequestPayer });
  assert.equal(Deleted?.length, 1);
});

test("acceleration is kept as it was put, and not for names with dots", async () => {
  const { Bucket } = await newBucket();
  const put = (name: string, Status: string) =>
    s3.putBucketAccelerateConfiguration({ Bucket: name, AccelerateConfiguration: { Status: Status as "Enabled" } });
  assert.equal((await s3.getBucketAccelerateConfiguration({ Bucket })).Status, undefined);
  for (const status of ["Enabled", "Suspended"]) {
    await put(Bucket, status);
    assert.equal((await s3.getBucketAccelerateConfiguration({ Bucket })).Status, status);
  }
  assert.match(await refusal(put(Bucket, "Fast")), /^MalformedXML 400/);
  await s3.createBucket({ Bucket: "with.dots" });
  assert.match(
    await refusal(put("with.dots", "Enabled")),
    /^InvalidRequest 400 S3 Transfer Acceleration is not supported/,
  );
});
