// `aws-like sync`: the real command against a running cloud.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { chooser, type Filter } from "../src/cli/s3/filters.ts";
import { run, temporary } from "./bin.ts";
import { startCloud } from "./cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const s3 = cloud.client(S3Client);

let buckets = 0;
async function newBucket(): Promise<string> {
  const Bucket = `synced-${++buckets}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  return Bucket;
}

const put = (Bucket: string, Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const keysOf = async (Bucket: string) =>
  (await s3.send(new ListObjectsV2Command({ Bucket }))).Contents?.map(({ Key }) => Key!) ?? [];

const write = (dir: string, files: Readonly<Record<string, string | Buffer>>) => {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
};

/** What it did, sorted: several files are under way at once. */
async function sync(cwd: string, ...args: string[]) {
  const { code, stdout, stderr } = await run(["sync", ...args, "--endpoint", cloud.endpoint], { cwd });
  return { code, stderr, lines: stdout.split("\n").filter(Boolean).sort() };
}

test("sync uploads what is new, nothing the second time, then what changed; --delete takes away what is gone", async () => {
  await using it = await temporary();
  const Bucket = await newBucket();
  write(it.dir, {
    "in/a.txt": "a",
    "in/a/b": "under a name that is a file's beginning",
    "in/odd é+%&<> k": "odd",
    "in/empty": "",
  });
  await put(Bucket, "p/stranger", "x");
  const first = await sync(it.dir, "in", `s3://${Bucket}/p`);
  assert.deepEqual(first, {
    code: 0,
    stderr: "",
    lines: ["a.txt", "a/b", "empty", "odd é+%&<> k"].map((name) => `upload: in/${name} to s3://${Bucket}/p/${name}`),
  });
  assert.deepEqual(await keysOf(Bucket), ["p/a.txt", "p/a/b", "p/empty", "p/odd é+%&<> k", "p/stranger"]);
  assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key: "p/a.txt" }))).ContentType, "text/plain");
  assert.deepEqual((await sync(it.dir, "in", `s3://${Bucket}/p/`)).lines, []);
  // The same size: what tells is the time.
  write(it.dir, { "in/a.txt": "A" });
  assert.deepEqual((await sync(it.dir, "in", `s3://${Bucket}/p`, "--size-only")).lines, []);
  const dry = await sync(it.dir, "in", `s3://${Bucket}/p`, "--dry-run", "--delete");
  assert.deepEqual(dry.lines, [
    `(dry run) delete: s3://${Bucket}/p/stranger`,
    `(dry run) upload: in/a.txt to s3://${Bucket}/p/a.txt`,
  ]);
  assert.ok((await keysOf(Bucket)).includes("p/stranger"));
  await sync(it.dir, "in", `s3://${Bucket}/p`, "--delete");
  assert.deepEqual(await keysOf(Bucket), ["p/a.txt", "p/a/b", "p/empty", "p/odd é+%&<> k"]);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: "p/a.txt" }));
  assert.equal(await Body!.transformToString(), "A");
});

test("sync downloads with the objects' times, so that the second time there is nothing to do", async () => {
  await using it = await temporary();
  const Bucket = await newBucket();
  for (const key of ["a", "d/e/f", "d-g", "folder/"]) await put(Bucket, key, key);
  const out = join(it.dir, "out");
  assert.equal((await sync(it.dir, `s3://${Bucket}`, "out")).lines.length, 3);
  assert.equal(readFileSync(join(out, "d/e/f"), "utf8"), "d/e/f");
  const { LastModified } = await s3.send(new HeadObjectCommand({ Bucket, Key: "a" }));
  assert.equal(statSync(join(out, "a")).mtimeMs, LastModified!.getTime());
  assert.deepEqual((await sync(it.dir, `s3://${Bucket}`, "out")).lines, []);
  assert.deepEqual((await sync(it.dir, "out", `s3://${Bucket}`)).lines, [], "nor the other way round");
  write(out, { mine: "m", "kept.log": "k" });
  const { lines } = await sync(it.dir, `s3://${Bucket}`, "out", "--delete", "--exclude", "*.log");
  assert.deepEqual([lines, readdirSync(out).sort()], [["delete: out/mine"], ["a", "d", "d-g", "kept.log"]]);
});

test("a large file goes in parts, and --checksum knows it again", async () => {
  await using it = await temporary();
  const Bucket = await newBucket();
  const large = Buffer.alloc(20 * 1024 ** 2 + 7, "large ");
  write(it.dir, { "in/large": large, "in/small": "s" });
  assert.equal((await sync(it.dir, "in", `s3://${Bucket}`)).code, 0);
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "large" }));
  assert.match(head.ETag!, /-3"$/);
  for (const name of ["large", "small"]) utimesSync(join(it.dir, "in", name), new Date(), new Date(Date.now() + 9e6));
  assert.deepEqual((await sync(it.dir, "in", `s3://${Bucket}`, "--checksum")).lines, []);
  large[9_000_000]! ^= 1;
  write(it.dir, { "in/large": large });
  for (const name of ["large", "small"]) utimesSync(join(it.dir, "in", name), 0, 0);
  assert.deepEqual((await sync(it.dir, "in", `s3://${Bucket}`)).lines, [], "its time says that it is older");
  assert.equal((await sync(it.dir, "in", `s3://${Bucket}`, "--checksum")).lines.length, 1);
  assert.equal((await sync(it.dir, `s3://${Bucket}`, "out")).code, 0);
  assert.ok(readFileSync(join(it.dir, "out/large")).equals(large));
  const left = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  assert.equal(left.Uploads, undefined);
});

test("what cannot be copied is said, the rest is copied, and the exit code is 1", async () => {
  await using it = await temporary();
  const Bucket = await newBucket();
  write(it.dir, { "in/ok": "o" });
  symlinkSync("nowhere", join(it.dir, "in/dangling"));
  symlinkSync(".", join(it.dir, "in/loop"));
  const up = await sync(it.dir, "in", `s3://${Bucket}`);
  assert.deepEqual([up.code, up.lines.length, up.stderr], [1, 3, "aws-like: 2 files failed\n"]);
  assert.match(up.lines.join("\n"), /skipped dangling: ENOENT/);
  assert.deepEqual(await keysOf(Bucket), ["ok"]);
  for (const key of ["../out-of-it", "a//b", "x".repeat(300)]) await put(Bucket, key, "x");
  const down = await sync(it.dir, `s3://${Bucket}`, "out");
  assert.deepEqual([down.code, readdirSync(join(it.dir, "out"))], [1, ["ok"]]);
  assert.ok(!readdirSync(it.dir).includes("out-of-it"));
});

for (const [what, args, sentence] of [
  ["two directories", ["a", "b"], /say a directory and s3:/],
  ["a directory that is not there", ["nowhere", "s3://b"], /there is no directory/],
  ["a bucket that is not there", [".", "s3://no-such-bucket"], /NoSuchBucket: The specified bucket does not exist/],
  ["no number of jobs", [".", "s3://b", "--jobs", "0"], /--jobs is a number/],
  ["both ways of comparing", [".", "s3://b", "--checksum", "--size-only"], /exclude each other/],
] as const)
  test(`sync refuses ${what}`, async () => {
    await using it = await temporary();
    const { code, stderr } = await sync(it.dir, ...args);
    assert.equal(code, 1);
    assert.match(stderr, /^aws-like: [^\n]+\n$/);
    assert.match(stderr, sentence);
  });

test("the last filter that matches decides, and a star crosses slashes", () => {
  const filters = (text: string): Filter[] =>
    text.split(" ").map((one) => ({ kind: one[0] === "+" ? "include" : "exclude", pattern: one.slice(1) }));
  for (const [text, path, chosen] of [
    ["-*.log", "a/b.log", false],
    ["-* +*.txt", "a/b.txt", true],
    ["+*.txt -*", "a/b.txt", false],
    ["-a?c", "abc", false],
    ["-a?c", "abbc", true],
    ["-[!a-c]x", "dx", false],
    ["-[!a-c]x", "bx", true],
    ["-[", "[", false],
    ["-a.b(", "a.b(", false],
    ["-a.b", "aXb", true],
    ["-\u{1F600}?", "\u{1F600}\u{1F600}", false],
  ] as const)
    assert.equal(chooser(filters(text))(path), chosen, `${text} of ${path}`);
});
