import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { newBucket, s3 } = await startCloudWithBuckets();

const put = (Bucket: string, Body: string, Key = "k") => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const text = async (Bucket: string, VersionId?: string, Key = "k") =>
  (await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }))).Body!.transformToString();
const setVersioning = (Bucket: string, Status: "Enabled" | "Suspended") =>
  s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
const versions = async (Bucket: string) => {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  return { versions: Versions.map((one) => one.VersionId), markers: DeleteMarkers.map((one) => one.VersionId) };
};

test("versioning is not there until it is enabled, and cannot be taken away", async () => {
  const { Bucket } = await newBucket();
  assert.equal((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status, undefined);
  for (const status of ["Enabled", "Suspended"] as const) {
    await setVersioning(Bucket, status);
    assert.equal((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status, status);
  }
  const missing = s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: {} }));
  assert.equal((await failure(missing)).name, "IllegalVersioningConfigurationException");
});

test("each put is a version, the newest is the plain file, and every one can be read", async () => {
  const { Bucket, directory } = await newBucket({ versioned: true });
  const ids: string[] = [];
  for (const body of ["one", "two", "three"]) ids.push((await put(Bucket, body)).VersionId!);
  assert.equal(new Set(ids).size, 3);
  assert.equal(readFileSync(`${directory}/k`, "utf8"), "three");
  assert.deepEqual(await Promise.all(ids.map((id) => text(Bucket, id))), ["one", "two", "three"]);
  assert.deepEqual((await versions(Bucket)).versions, ids.toReversed());
});

test("what was put before versioning is the null version", async () => {
  const { Bucket } = await newBucket();
  assert.equal((await put(Bucket, "before")).VersionId, undefined);
  await setVersioning(Bucket, "Enabled");
  assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }))).VersionId, "null");
  await put(Bucket, "after");
  assert.equal(await text(Bucket, "null"), "before");
});

test("suspended versioning replaces the null version only", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const first = (await put(Bucket, "first")).VersionId!;
  await setVersioning(Bucket, "Suspended");
  assert.equal((await put(Bucket, "null one")).VersionId, "null");
  await put(Bucket, "null two");
  assert.deepEqual((await versions(Bucket)).versions, ["null", first]);
  assert.equal(await text(Bucket, "null"), "null two");
  await setVersioning(Bucket, "Enabled");
  const last = (await put(Bucket, "last")).VersionId!;
  await setVersioning(Bucket, "Suspended");
  await put(Bucket, "null three");
  assert.deepEqual((await versions(Bucket)).versions, ["null", last, first]);
});

test("a delete puts a marker before the versions, and deleting the marker brings the object back as a file", async () => {
  const { Bucket, directory } = await newBucket({ versioned: true });
  const id = (await put(Bucket, "kept")).VersionId!;
  const marker = await s3.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
  assert.equal(marker.DeleteMarker, true);
  assert.throws(() => readFileSync(`${directory}/k`));
  assert.equal((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
  assert.equal(await text(Bucket, id), "kept");
  const gone = await s3.send(new DeleteObjectCommand({ Bucket, Key: "k", VersionId: marker.VersionId }));
  assert.deepEqual([gone.DeleteMarker, gone.VersionId], [true, marker.VersionId]);
  assert.equal(readFileSync(`${directory}/k`, "utf8"), "kept");
  assert.equal(await text(Bucket), "kept");
});

test("GET of a deleted key is a 404, of the marker itself a 405", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  await put(Bucket, "x");
  const { VersionId } = await s3.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
  assert.equal((await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k" })))).name, "NoSuchKey");
  const marked = await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k", VersionId })));
  assert.deepEqual([marked.name, marked.status, marked.ResourceType], ["MethodNotAllowed", 405, "DeleteMarker"]);
  assert.equal((await failure(s3.send(new HeadObjectCommand({ Bucket, Key: "k", VersionId })))).status, 405);
});

test("deleting the newest version makes the one before it the object again", async () => {
  const { Bucket, directory } = await newBucket({ versioned: true });
  const first = (await put(Bucket, "first")).VersionId!;
  const second = (await put(Bucket, "second")).VersionId!;
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "k", VersionId: second }));
  assert.equal(readFileSync(`${directory}/k`, "utf8"), "first");
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
  assert.equal(head.VersionId, first);
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "k", VersionId: first }));
  assert.throws(() => readFileSync(`${directory}/k`));
  assert.deepEqual(await versions(Bucket), { versions: [], markers: [] });
});

test("an older version goes without touching the object", async () => {
  const { Bucket, directory } = await newBucket({ versioned: true });
  const first = (await put(Bucket, "first")).VersionId!;
  await put(Bucket, "second");
  const { Deleted } = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "k", VersionId: first }] } }),
  );
  assert.deepEqual(Deleted, [{ Key: "k", VersionId: first }]);
  assert.equal(readFileSync(`${directory}/k`, "utf8"), "second");
  assert.equal(
    (await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k", VersionId: first })))).name,
    "NoSuchVersion",
  );
});

test("a version id that could be none is an InvalidArgument", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  await put(Bucket, "x");
  const error = await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k", VersionId: "nonsense" })));
  assert.deepEqual([error.name, error.ArgumentName, error.ArgumentValue], ["InvalidArgument", "versionId", "nonsense"]);
});

test("a version is copied into a new one, a marker is not", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const first = (await put(Bucket, "first")).VersionId!;
  await put(Bucket, "second");
  const copy = await s3.send(new CopyObjectCommand({ Bucket, Key: "k", CopySource: `${Bucket}/k?versionId=${first}` }));
  assert.equal(copy.CopySourceVersionId, first);
  assert.equal(await text(Bucket), "first");
  const { VersionId } = await s3.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
  const ofMarker = s3.send(
    new CopyObjectCommand({ Bucket, Key: "c", CopySource: `${Bucket}/k?versionId=${VersionId}` }),
  );
  assert.equal((await failure(ofMarker)).name, "InvalidRequest");
});

test("If-None-Match: * takes a deleted key for a free one", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  await put(Bucket, "x");
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "again", IfNoneMatch: "*" }));
  assert.equal(await text(Bucket), "again");
});

test("versions are listed in pages, newest first within a key", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const expected: string[] = [];
  for (const Key of ["a", "b"]) {
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.push(`${Key} ${(await put(Bucket, `${n}`, Key)).VersionId}`);
    expected.push(...ids.toReversed());
  }
  const seen: string[] = [];
  let KeyMarker: string | undefined;
  let VersionIdMarker: string | undefined;
  for (let more = true; more; ) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 2, KeyMarker, VersionIdMarker }));
    seen.push(...page.Versions!.map(({ Key, VersionId }) => `${Key} ${VersionId}`));
    ({ NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page);
    more = page.IsTruncated!;
  }
  assert.deepEqual(seen, expected);
});
