import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { test } from "node:test";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets();

const put = (Bucket: string, Key: string, Body = `of ${Key}`) => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const text = async (Bucket: string, Key: string) =>
  (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();
const keys = async (Bucket: string) =>
  (await s3.send(new ListObjectsV2Command({ Bucket, EncodingType: "url" }))).Contents?.map(({ Key }) => Key) ?? [];
const workspace = cloud.aws.config.dir;

const ODD = [
  "/leading",
  "trailing/",
  "double//slash",
  "./dot",
  "../up",
  "a/../../../../../../tmp/aws-like-escape",
  "a/./b",
  "..",
  ".",
  "/",
  "//",
  "nul\0byte",
  "x".repeat(256),
  `${"y".repeat(300)}/z`,
  "é".repeat(130),
  ".aws-like-stage/x",
  "half.part",
  ".~tmp~/x",
  "d".repeat(1024),
];

test("keys that no path can hold are objects like any other, and none is a file outside of the bucket", async () => {
  const { Bucket, directory } = await newBucket();
  await put(Bucket, "first");
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "first" }));
  const before = readdirSync(workspace).sort();
  for (const key of ODD) await put(Bucket, key);
  for (const key of ODD) assert.equal(await text(Bucket, key), `of ${key}`);
  await cloud.settle();
  assert.equal((await keys(Bucket)).length, ODD.length);
  assert.deepEqual(readdirSync(directory), []);
  assert.deepEqual(readdirSync(workspace).sort(), before);
  assert.ok(!existsSync("/tmp/aws-like-escape"));
  for (const key of ODD) await s3.send(new DeleteObjectCommand({ Bucket, Key: key }));
  assert.deepEqual(await keys(Bucket), []);
});

const PLAIN = [
  "a b",
  "ü/ö",
  "\u{1F600}",
  "new\nline",
  "back\\slash",
  "%41",
  "a+b",
  "~tilde",
  "-dash",
  "x".repeat(255),
  ".hidden",
  "...",
];

test("keys that a path can hold are plain files of that name", async () => {
  const { Bucket, directory } = await newBucket();
  for (const key of PLAIN) await put(Bucket, key);
  for (const key of PLAIN) {
    assert.equal(readFileSync(`${directory}/${key}`, "utf8"), `of ${key}`);
    assert.equal(await text(Bucket, key), `of ${key}`);
  }
  await cloud.settle();
  assert.equal((await keys(Bucket)).length, PLAIN.length);
});

test("a key and what looks like a file below it are both objects, in either order", async () => {
  const { Bucket } = await newBucket();
  for (const key of ["a", "a/b", "a/b/c", "d/e/f", "d/e", "d"]) await put(Bucket, key);
  for (const key of ["a", "a/b", "a/b/c", "d/e/f", "d/e", "d"]) assert.equal(await text(Bucket, key), `of ${key}`);
  for (const key of ["a", "d/e/f"]) await s3.send(new DeleteObjectCommand({ Bucket, Key: key }));
  for (const key of ["a/b", "a/b/c", "d/e", "d"]) assert.equal(await text(Bucket, key), `of ${key}`);
  await put(Bucket, "d/e", "again");
  assert.equal(await text(Bucket, "d/e"), "again");
});

test("an empty directory gives way to an object of its name", async () => {
  const { Bucket, directory } = await newBucket();
  mkdirSync(`${directory}/was-empty`);
  await put(Bucket, "was-empty");
  assert.equal(readFileSync(`${directory}/was-empty`, "utf8"), "of was-empty");
});

test("a symbolic link leads no write out of the bucket, and is no object", async () => {
  const { Bucket, directory } = await newBucket();
  const outside = `${workspace}/outside-${Bucket}`;
  mkdirSync(outside);
  writeFileSync(`${outside}/secret`, "secret");
  symlinkSync(outside, `${directory}/link`);
  symlinkSync(`${outside}/secret`, `${directory}/file`);
  await cloud.settle();
  assert.deepEqual(await keys(Bucket), []);
  await put(Bucket, "link/new");
  await put(Bucket, "link/deep/new");
  await put(Bucket, "file");
  assert.deepEqual(readdirSync(outside), ["secret"]);
  assert.equal(readFileSync(`${outside}/secret`, "utf8"), "secret");
  assert.equal(await text(Bucket, "link/new"), "of link/new");
  assert.equal(await text(Bucket, "file"), "of file");
  assert.equal((await failure(s3.send(new GetObjectCommand({ Bucket, Key: "link/secret" })))).name, "NoSuchKey");
});

test("an object whose directory was swapped for a link is not read from there", async () => {
  const { Bucket, directory } = await newBucket();
  await put(Bucket, "d/secret", "mine");
  const outside = `${workspace}/outside-${Bucket}`;
  mkdirSync(outside);
  writeFileSync(`${outside}/secret`, "theirs");
  rmSync(`${directory}/d`, { recursive: true });
  symlinkSync(outside, `${directory}/d`);
  assert.equal((await failure(s3.send(new GetObjectCommand({ Bucket, Key: "d/secret" })))).name, "NoSuchKey");
});

test("a directory of the workspace may be a bucket, and what lies in it are its objects", async () => {
  mkdirSync(`${workspace}/mapped`);
  writeFileSync(`${workspace}/mapped/there.txt`, "already there");
  const Tags = [{ Key: "aws-like:directory", Value: "./mapped" }];
  await s3.send(new CreateBucketCommand({ Bucket: "mapped", CreateBucketConfiguration: { Tags } }));
  await cloud.settle();
  assert.deepEqual(await keys("mapped"), ["there.txt"]);
  await put("mapped", "new.txt");
  assert.equal(readFileSync(`${workspace}/mapped/new.txt`, "utf8"), "of new.txt");
});

test("a bucket that holds nothing moves to another directory, and what lies there is dropped into it; one that holds something stays", async () => {
  const { Bucket, directory } = await newBucket();
  const map = (Value: string) =>
    s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: [{ Key: "aws-like:directory", Value }] } }));
  mkdirSync(`${workspace}/moved-to`);
  writeFileSync(`${workspace}/moved-to/there.txt`, "already there");
  await map("./moved-to");
  await cloud.settle();
  assert.deepEqual(await keys(Bucket), ["there.txt"]);
  assert.ok(!existsSync(directory));
  await put(Bucket, "new.txt");
  assert.equal(readFileSync(`${workspace}/moved-to/new.txt`, "utf8"), "of new.txt");
  writeFileSync(`${workspace}/moved-to/dropped.txt`, "dropped");
  await cloud.settle();
  assert.deepEqual(await keys(Bucket), ["dropped.txt", "new.txt", "there.txt"]);
  await map("moved-to/"); // the same
  const error = await failure(map("./elsewhere"));
  assert.deepEqual([error.name, error.ArgumentName], ["InvalidArgument", "aws-like:directory"]);
});

for (const Value of [
  "",
  ".",
  "..",
  "../elsewhere",
  "/etc",
  "a/../../b",
  ".aws-like/x",
  "logs",
  "buckets/other",
  "mapped/inside",
  "leads-out",
  "leads-out/below",
  "a-file",
])
  test(`a bucket is not made of the directory ${JSON.stringify(Value)}`, async () => {
    if (!existsSync(`${workspace}/leads-out`)) symlinkSync("/tmp", `${workspace}/leads-out`);
    writeFileSync(`${workspace}/a-file`, "");
    const Tags = [{ Key: "aws-like:directory", Value }];
    const error = await failure(
      s3.send(new CreateBucketCommand({ Bucket: "bad-directory", CreateBucketConfiguration: { Tags } })),
    );
    assert.deepEqual([error.name, error.ArgumentName], ["InvalidArgument", "aws-like:directory"]);
  });

test("while a bucket's directory is missing its objects are not taken for deleted, and it is said loudly", async () => {
  const { Bucket, directory } = await newBucket();
  await put(Bucket, "k");
  await cloud.settle();
  renameSync(directory, `${directory}-unmounted`);
  await cloud.settle();
  assert.equal((await failure(s3.send(new GetObjectCommand({ Bucket, Key: "k" })))).status, 503);
  for (const key of ["new", "d/new"]) assert.equal((await failure(put(Bucket, key))).status, 503);
  assert.ok(!existsSync(directory));
  renameSync(`${directory}-unmounted`, directory);
  await cloud.settle();
  assert.equal(await text(Bucket, "k"), "of k");
  await put(Bucket, "new");
});

test("a file keeps its permissions when the API writes it again", async () => {
  const { Bucket, directory } = await newBucket();
  await put(Bucket, "script");
  assert.equal(statSync(`${directory}/script`).mode & 0o777, 0o644);
  chmodSync(`${directory}/script`, 0o750);
  await put(Bucket, "script", "other");
  assert.equal(await text(Bucket, "script"), "other");
  assert.equal(statSync(`${directory}/script`).mode & 0o777, 0o750);
});

test("a file with holes has them in the copies that a versioned bucket keeps", async () => {
  const { Bucket, directory } = await newBucket({ versioned: true });
  const file = openSync(`${directory}/sparse`, "w", 0o640);
  writeSync(file, "begin", 0);
  writeSync(file, "end", 50 * 1024 ** 2);
  closeSync(file);
  await cloud.settle();
  const side = `${workspace}/.aws-like/s3/${Bucket}/side`;
  const copies = readdirSync(side, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.equal(copies.length, 1);
  const { size, blocks, mode } = statSync(`${copies[0]!.parentPath}/${copies[0]!.name}`);
  assert.deepEqual([size, mode & 0o777], [50 * 1024 ** 2 + 3, 0o640]);
  assert.ok(blocks * 512 < 1024 ** 2, `${blocks} blocks`);
  // Written over in place, it is the copy that the older version is.
  const { ETag } = await s3.send(new HeadObjectCommand({ Bucket, Key: "sparse" }));
  writeFileSync(`${directory}/sparse`, "other");
  await cloud.settle();
  const { Versions } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  const older = Versions!.find(({ IsLatest }) => !IsLatest)!;
  assert.equal(older.ETag, ETag);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: "sparse", VersionId: older.VersionId }));
  const bytes = Buffer.from(await Body!.transformToByteArray());
  assert.equal(bytes.length, 50 * 1024 ** 2 + 3);
  assert.equal(`"${createHash("md5").update(bytes).digest("hex")}"`, ETag);
});
