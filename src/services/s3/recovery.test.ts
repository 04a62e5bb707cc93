// What is done where the plain file cannot follow its row, and what is left where a change is refused.
import assert from "node:assert/strict";
import fs, { existsSync, readdirSync, readFileSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";

let readOnly = false;
const { rename } = promises;
const { renameSync } = fs;
fs.renameSync = (from, to) => {
  if (readOnly && String(to).includes("/buckets/"))
    throw Object.assign(new Error("EROFS: read-only file system, rename"), { code: "EROFS" });
  renameSync(from, to);
};
syncBuiltinESMExports();

const { failure, startCloudWithBuckets } = await import("../../../test/s3.ts");
const { cloud, newBucket, s3 } = await startCloudWithBuckets();

const put = (Bucket: string, Body: string, more = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key: "k", Body, ContentType: "text/x", ...more }));
const left = (Bucket: string, folder: "stage" | "side") =>
  existsSync(`${cloud.aws.config.dir}/.aws-like/s3/${Bucket}/${folder}`)
    ? readdirSync(`${cloud.aws.config.dir}/.aws-like/s3/${Bucket}/${folder}`, {
        recursive: true,
        encoding: "utf8",
      }).filter((name) => /[0-9a-f]{24}/.test(name))
    : [];

test("an object whose plain file cannot take its place has its bytes in the side folder, and is not the old file", async () => {
  const { Bucket, directory } = await newBucket();
  await put(Bucket, "old");
  readOnly = true;
  await put(Bucket, "new");
  readOnly = false;
  await cloud.settle();
  const get = await s3.send(new GetObjectCommand({ Bucket, Key: "k" }));
  assert.deepEqual([await get.Body!.transformToString(), get.ContentType], ["new", "text/x"]);
  assert.ok(!existsSync(`${directory}/k`));
  assert.equal(left(Bucket, "side").length, 1);
  await put(Bucket, "again");
  assert.equal(readFileSync(`${directory}/k`, "utf8"), "again");
  assert.deepEqual(left(Bucket, "side"), []);
});

test("a change that is refused under the key's lock leaves no bytes, in a bucket with versions too", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  await put(Bucket, "first");
  for (const refused of [{ IfNoneMatch: "*" }, { IfMatch: '"no"' }])
    assert.equal((await failure(put(Bucket, "second", refused))).status, 412);
  assert.deepEqual(left(Bucket, "stage"), []);
  assert.equal(left(Bucket, "side").length, 1, "the first one's guard");
});

test("a file that is moved back after its object was deleted is an object again", async () => {
  const { Bucket, directory } = await newBucket();
  await put(Bucket, "kept");
  const elsewhere = `${cloud.aws.config.dir}/elsewhere`;
  await promises.link(`${directory}/k`, elsewhere);
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "k" }));
  await cloud.settle();
  await rename(elsewhere, `${directory}/k`);
  await cloud.settle();
  assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }))).ContentLength, 4);
  assert.ok(existsSync(`${directory}/k`));
});
