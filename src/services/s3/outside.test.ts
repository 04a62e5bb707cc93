// A bucket that keeps versions keeps them also where a file is changed past the API.
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets();

const put = (Bucket: string, Body: string) => s3.send(new PutObjectCommand({ Bucket, Key: "k", Body }));
const setVersioning = (Bucket: string, Status: "Enabled" | "Suspended") =>
  s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));

/** Newest first: what each version holds, `null` a delete marker. Each is read as a whole. */
async function history(Bucket: string): Promise<(string | null)[]> {
  await cloud.settle();
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  const texts = Versions.map(async ({ VersionId }) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: "k", VersionId }));
    return await Body!.transformToString();
  });
  return [...DeleteMarkers.map(() => null), ...(await Promise.all(texts))];
}

const sidesOf = (Bucket: string): string[] =>
  readdirSync(`${cloud.aws.config.dir}/.aws-like/s3/${Bucket}`, { recursive: true, encoding: "utf8" }).filter((name) =>
    /^side\/..\//.test(name),
  );

test("what is overwritten in place, truncated, appended to, replaced or removed from outside stays a version", async () => {
  const { Bucket, directory } = await newBucket({ versioned: true });
  const file = `${directory}/k`;
  await put(Bucket, "put");
  writeFileSync(file, "cp");
  assert.deepEqual(await history(Bucket), ["cp", "put"]);
  appendFileSync(file, " and more");
  assert.deepEqual(await history(Bucket), ["cp and more", "cp", "put"]);
  writeFileSync(`${directory}/new`, "mv");
  renameSync(`${directory}/new`, file);
  assert.deepEqual(await history(Bucket), ["mv", "cp and more", "cp", "put"]);
  await put(Bucket, "put again");
  rmSync(file);
  assert.deepEqual(await history(Bucket), [null, "put again", "mv", "cp and more", "cp", "put"]);
});

test("a version that stands again keeps its bytes when the file is overwritten", async () => {
  const { Bucket, directory } = await newBucket({ versioned: true });
  await put(Bucket, "first");
  const { VersionId } = await put(Bucket, "second");
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "k", VersionId }));
  assert.equal(readFileSync(`${directory}/k`, "utf8"), "first");
  writeFileSync(`${directory}/k`, "outside");
  assert.deepEqual(await history(Bucket), ["outside", "first"]);
});

test("a version that goes takes its copy with it", async () => {
  const { Bucket, directory } = await newBucket({ versioned: true });
  const ids = [await put(Bucket, "first"), await put(Bucket, "second")].map(({ VersionId }) => VersionId!);
  writeFileSync(`${directory}/k`, "outside");
  await cloud.settle();
  const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  assert.equal(sidesOf(Bucket).length, 3);
  for (const VersionId of [Versions[0]!.VersionId!, ...ids])
    await s3.send(new DeleteObjectCommand({ Bucket, Key: "k", VersionId }));
  assert.deepEqual(sidesOf(Bucket), []);
  assert.deepEqual(readdirSync(directory), []);
});

test("a bucket without versions keeps no copies; a suspended one keeps those of the versions that it has", async () => {
  const { Bucket, directory } = await newBucket();
  await put(Bucket, "null");
  assert.deepEqual(sidesOf(Bucket), []);
  await setVersioning(Bucket, "Enabled");
  await put(Bucket, "version");
  await setVersioning(Bucket, "Suspended");
  writeFileSync(`${directory}/k`, "outside");
  // The null version is what a suspended bucket replaces.
  assert.deepEqual(await history(Bucket), ["outside", "version"]);
  await put(Bucket, "null again");
  assert.deepEqual(await history(Bucket), ["null again", "version"]);
  assert.equal(sidesOf(Bucket).length, 1);
});
