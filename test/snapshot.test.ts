// A snapshot is the state, whole: what is brought back is what was saved, and nothing happens because of it.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  CreateBucketCommand,
  DeleteBucketTaggingCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import type { Aws } from "../src/aws.ts";
import { startCloud } from "./cloud.ts";

const options = { databaseUrl: "" }; // with PostgreSQL there are none

test("a snapshot brings back objects with their metadata, their versions, and those that no path can hold", async () => {
  await using cloud = await startCloud(options);
  const s3 = cloud.client(S3Client);
  const Bucket = "kept";
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  const put = async (Key: string, Body: string) =>
    (await s3.send(new PutObjectCommand({ Bucket, Key, Body, Metadata: { body: Body } }))).VersionId!;
  const versions = [
    ["k", await put("k", "one"), "one"],
    ["k", await put("k", "two"), "two"],
    ["a//b", await put("a//b", "odd"), "odd"],
  ] as const;

  await snapshots(cloud.aws, { name: "first" });
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
  await snapshots(cloud.aws, { name: "first", restore: true });
  await cloud.settle();

  const { Versions, DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  assert.deepEqual([Versions?.length, DeleteMarkers.length], [3, 0]);
  for (const [Key, VersionId, body] of versions) {
    const answer = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }));
    assert.equal(await answer.Body!.transformToString(), body);
    assert.deepEqual(answer.Metadata, { body });
  }
});

test("a snapshot has the directory that a bucket lies in, also when the tag that said so is gone", async () => {
  await using cloud = await startCloud(options);
  const s3 = cloud.client(S3Client);
  const { dir } = cloud.aws.config;
  const Tags = [{ Key: "aws-like:directory", Value: "input" }];
  await s3.send(new CreateBucketCommand({ Bucket: "mapped", CreateBucketConfiguration: { Tags } }));
  await writeFile(join(dir, "input/file"), "mine");
  await cloud.settle();
  await s3.send(new DeleteBucketTaggingCommand({ Bucket: "mapped" }));

  await snapshots(cloud.aws, { name: "first" });
  assert.ok(existsSync(join(dir, "snapshots/first/input/file")));
  await s3.send(new DeleteObjectCommand({ Bucket: "mapped", Key: "file" }));
  await snapshots(cloud.aws, { name: "first", restore: true });
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: "mapped", Key: "file" }));
  assert.equal(await Body!.transformToString(), "mine");
});

test("no bucket lies in the directory of the snapshots", async () => {
  await using cloud = await startCloud(options);
  const Tags = [{ Key: "aws-like:directory", Value: "snapshots/mine" }];
  const made = cloud
    .client(S3Client)
    .send(new CreateBucketCommand({ Bucket: "mapped", CreateBucketConfiguration: { Tags } }));
  await assert.rejects(made, { name: "InvalidArgument", message: /must not lie in snapshots/ });
});

async function snapshots(aws: Aws, body: { name: string; restore?: true }): Promise<void> {
  const answer = await fetch(`${aws.endpoint}/_aws-like/snapshots`, { method: "POST", body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.text());
}

test("a cloud that cannot open again says why to whoever asks", async () => {
  await using cloud = await startCloud(options);
  const file = join(cloud.aws.config.dir, "db.sqlite");
  await assert.rejects(
    cloud.aws.closedFor(() => writeFile(file, "no database, but more than a hundred bytes of text: ".repeat(9))),
    /is damaged/,
  );
  const answer = await fetch(`${cloud.endpoint}/bucket`);
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /could not open its workspace again: .* is damaged/);
});
