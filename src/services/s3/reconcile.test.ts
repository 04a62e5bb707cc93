import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { startCloud } from "../../../test/cloud.ts";

/** A cloud with one bucket, and what was said of its objects, in order. */
async function watched(dir?: string, databaseUrl?: string) {
  const said: string[] = [];
  let trouble = (): unknown => undefined;
  const cloud = await startCloud({
    ...(dir !== undefined && { dir }),
    ...(databaseUrl && { databaseUrl }),
    show: ({ text }) => {
      if (text.includes("trying again")) trouble();
      if (text.startsWith("Object")) said.push(text.replace(/ \(.*/s, "").replace(" bucket/", " "));
    },
  });
  const s3 = cloud.client(S3Client);
  const Bucket = "bucket";
  await s3.send(new CreateBucketCommand({ Bucket }));
  const directory = `${cloud.aws.config.dir}/buckets/bucket`;
  const keys = async () => {
    const found: string[] = [];
    for (let ContinuationToken: string | undefined, more = true; more; ) {
      const { Contents = [], NextContinuationToken } = await s3.send(
        new ListObjectsV2Command({ Bucket, ContinuationToken }),
      );
      found.push(...Contents.map(({ Key }) => Key!));
      ContinuationToken = NextContinuationToken;
      more = NextContinuationToken !== undefined;
    }
    return found;
  };
  return {
    cloud,
    s3,
    directory,
    said,
    keys,
    onTrouble(then: () => unknown) {
      trouble = then;
    },
    /** What was said since, when everything has settled. */
    async news(): Promise<string[]> {
      await cloud.settle();
      return said.splice(0).sort();
    },
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  };
}

const workspace = () => mkdtempSync(`${tmpdir()}/aws-like-reconcile-`);

test("a file that is dropped is an object, with its ETag and the type of its extension", async () => {
  await using w = await watched();
  mkdirSync(`${w.directory}/in`);
  writeFileSync(`${w.directory}/in/page.html`, "<p>");
  assert.deepEqual(await w.news(), ["ObjectCreated:Put in/page.html"]);
  const head = await w.s3.send(new HeadObjectCommand({ Bucket: "bucket", Key: "in/page.html" }));
  assert.deepEqual(
    [head.ContentType, head.ETag, head.ContentLength],
    ["text/html", `"${createHash("md5").update("<p>").digest("hex")}"`, 3],
  );
});

test("an object that the API put is one event, and its file none", async () => {
  await using w = await watched();
  for (const Key of ["a", "d/b", "d/b"]) await w.s3.send(new PutObjectCommand({ Bucket: "bucket", Key, Body: Key }));
  assert.deepEqual(await w.news(), ["ObjectCreated:Put a", "ObjectCreated:Put d/b", "ObjectCreated:Put d/b"]);
  assert.deepEqual(await w.news(), []);
});

test("cp, mv, ln, rm, rsync, sed -i and tar are one event a file", async () => {
  await using w = await watched();
  const sh = (script: string) => execFileSync("bash", ["-ec", script], { cwd: w.directory });
  sh("echo one > one; cp one two; mkdir -p x/y; cp one x/y/three; ln one hard");
  assert.deepEqual(
    await w.news(),
    ["hard", "one", "two", "x/y/three"].map((key) => `ObjectCreated:Put ${key}`),
  );
  sh("mv two moved; sed -i s/one/changed/ one");
  assert.deepEqual(await w.news(), ["ObjectCreated:Put moved", "ObjectCreated:Put one", "ObjectRemoved:Delete two"]);
  sh("mv x z");
  assert.deepEqual(await w.news(), ["ObjectCreated:Put z/y/three", "ObjectRemoved:Delete x/y/three"]);
  sh("tar cf - z | (mkdir t; cd t; tar xf -)");
  assert.deepEqual(await w.news(), ["ObjectCreated:Put t/z/y/three"]);
  sh("rm -r t z one");
  assert.deepEqual(
    await w.news(),
    ["one", "t/z/y/three", "z/y/three"].map((key) => `ObjectRemoved:Delete ${key}`),
  );
  assert.deepEqual(await w.keys(), ["hard", "moved"]);
});

test("a hard link and a change of mode are no news of the file that was there", async () => {
  await using w = await watched();
  writeFileSync(`${w.directory}/a`, "x");
  await w.news();
  linkSync(`${w.directory}/a`, `${w.cloud.aws.config.dir}/elsewhere`);
  execFileSync("chmod", ["600", `${w.directory}/a`]);
  assert.deepEqual(await w.news(), []);
});

test("half downloads and editors' names are no objects until they have their own", async () => {
  await using w = await watched();
  writeFileSync(`${w.directory}/movie.mp4.part`, "half");
  assert.deepEqual(await w.news(), []);
  renameSync(`${w.directory}/movie.mp4.part`, `${w.directory}/movie.mp4`);
  assert.deepEqual(await w.news(), ["ObjectCreated:Put movie.mp4"]);
});

test("a file is an object when it is closed, not before", async () => {
  await using w = await watched();
  const fd = openSync(`${w.directory}/slow`, "w");
  writeSync(fd, "half");
  assert.deepEqual(await w.news(), []);
  writeSync(fd, " and half");
  closeSync(fd);
  assert.deepEqual(await w.news(), ["ObjectCreated:Put slow"]);
});

test("a file of the size and time of the one before it is still another", async () => {
  await using w = await watched();
  const time = new Date(1e12);
  for (const body of ["aaaa", "bbbb"]) {
    writeFileSync(`${w.directory}/new`, body);
    utimesSync(`${w.directory}/new`, time, time);
    renameSync(`${w.directory}/new`, `${w.directory}/k`);
    assert.ok((await w.news()).includes("ObjectCreated:Put k"));
  }
  const get = await w.s3.send(new GetObjectCommand({ Bucket: "bucket", Key: "k" }));
  assert.equal(await get.Body!.transformToString(), "bbbb");
});

test("what came, changed and went while the cloud was down is taken in once, at start", async () => {
  const dir = workspace();
  const directory = `${dir}/buckets/bucket`;
  {
    await using w = await watched(dir);
    for (const name of ["stays", "changes", "goes"]) writeFileSync(`${directory}/${name}`, name);
    await w.news();
  }
  mkdirSync(`${directory}/new/deep`, { recursive: true });
  writeFileSync(`${directory}/new/deep/file`, "new");
  appendFileSync(`${directory}/changes`, "!");
  rmSync(`${directory}/goes`);
  for (const expected of [
    ["ObjectCreated:Put changes", "ObjectCreated:Put new/deep/file", "ObjectRemoved:Delete goes"],
    [],
  ]) {
    await using w = await watched(dir);
    assert.deepEqual(await w.news(), expected);
    assert.deepEqual(await w.keys(), ["changes", "new/deep/file", "stays"]);
  }
  rmSync(dir, { recursive: true });
});

test("a file that took an object's place while the cloud was down is the object, with one event; what a crash left is gone", async () => {
  const dir = workspace();
  const directory = `${dir}/buckets/bucket`;
  {
    await using w = await watched(dir);
    for (const Key of ["k", "k/side"]) await w.s3.send(new PutObjectCommand({ Bucket: "bucket", Key, Body: "old" }));
  }
  writeFileSync(`${dir}/.aws-like/s3/bucket/stage/staged`, "new");
  renameSync(`${dir}/.aws-like/s3/bucket/stage/staged`, `${directory}/k`);
  writeFileSync(`${dir}/.aws-like/s3/bucket/stage/torn`, "half");
  const orphan = `${dir}/.aws-like/s3/bucket/side/${"ab".repeat(16).replace(/^(..)/, "$1/$1")}`;
  mkdirSync(dirname(orphan), { recursive: true });
  writeFileSync(orphan, "nobody's");
  await using w = await watched(dir);
  assert.deepEqual(await w.news(), ["ObjectCreated:Put k"]);
  for (const left of [orphan, `${dir}/.aws-like/s3/bucket/stage/torn`]) assert.ok(!existsSync(left));
  for (const [Key, expected] of [
    ["k", "new"],
    ["k/side", "old"],
  ]) {
    const get = await w.s3.send(new GetObjectCommand({ Bucket: "bucket", Key }));
    assert.equal(await get.Body!.transformToString(), expected);
  }
  rmSync(dir, { recursive: true });
});

test("a workspace that was copied with its times is the same cloud, without an event", async () => {
  const [dir, copy] = [workspace(), workspace()];
  let database: string;
  {
    await using w = await watched(dir);
    database = w.cloud.aws.config.databaseUrl;
    writeFileSync(`${w.directory}/dropped`, "dropped");
    await w.news();
    for (const [Key, Body] of [
      ["k", "first"],
      ["k/below", "side"],
    ])
      await w.s3.send(new PutObjectCommand({ Bucket: "bucket", Key, Body }));
  }
  execFileSync("cp", ["-a", `${dir}/.`, copy]);
  await using w = await watched(copy, database);
  assert.deepEqual(await w.news(), []);
  for (const [Key, expected] of [
    ["dropped", "dropped"],
    ["k", "first"],
    ["k/below", "side"],
  ]) {
    const get = await w.s3.send(new GetObjectCommand({ Bucket: "bucket", Key }));
    assert.equal(await get.Body!.transformToString(), expected);
  }
  for (const gone of [dir, copy]) rmSync(gone, { recursive: true });
});

test("a change that the API meets first is one event, before the API's own", async () => {
  await using w = await watched();
  for (let n = 0; n < 20; n++) {
    writeFileSync(`${w.directory}/k${n}`, "from outside");
    await w.s3.send(new PutObjectCommand({ Bucket: "bucket", Key: `k${n}`, Body: "from the API" }));
  }
  const news = await w.news();
  assert.equal(news.length, 40);
});

// PostgreSQL is asked over a socket for each file: fewer of them prove the same.
const PER_DIRECTORY = process.env.AWS_LIKE_TEST_POSTGRES ? 20 : 200;
const FILES = 100 * PER_DIRECTORY;

test(`${FILES} files of a cp -r are as many objects and events, then none when they are removed`, async () => {
  await using w = await watched();
  const source = `${w.cloud.aws.config.dir}/source`;
  for (let d = 0; d < 100; d++) {
    mkdirSync(`${source}/${d}/below`, { recursive: true });
    for (let f = 0; f < PER_DIRECTORY; f++) writeFileSync(`${source}/${d}/below/${f}`, `${d} ${f}`);
  }
  execFileSync("cp", ["-r", source, `${w.directory}/copied`]);
  const came = await w.news();
  assert.equal(came.length, FILES);
  assert.equal(new Set(came).size, FILES);
  assert.equal((await w.keys()).length, FILES);
  rmSync(`${w.directory}/copied`, { recursive: true });
  const went = await w.news();
  assert.equal(new Set(went).size, FILES);
  assert.equal(went.length, FILES);
  assert.deepEqual(await w.keys(), []);
});

test("a file that is dropped while the store fails is an object when it works again", async (t) => {
  if (process.env.AWS_LIKE_TEST_POSTGRES) return t.skip("the failure is made in SQLite's file");
  await using w = await watched();
  using db = new DatabaseSync(`${w.cloud.aws.config.dir}/db.sqlite`);
  db.exec("CREATE TRIGGER fails BEFORE INSERT ON s3_object BEGIN SELECT RAISE(ABORT, 'the disk is full'); END");
  const failed = new Promise<void>((resolve) => w.onTrouble(resolve));
  writeFileSync(`${w.directory}/kept`, "x");
  await failed;
  db.exec("DROP TRIGGER fails");
  assert.deepEqual(await w.news(), ["ObjectCreated:Put kept"]);
});
