// Every key that S3 accepts makes the round trip through the SDK, and none touches anything outside of the bucket's directory.
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import fc from "fast-check";
import { startCloud } from "./cloud.ts";
import { postForm } from "./post-form.ts";

const LIMIT = { timeout: 120_000 };
const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const s3 = cloud.client(S3Client);
const { dir } = cloud.aws.config;
mkdirSync(join(dir, ".aws-like", "s3"), { recursive: true }); // made with the first object, else

const KEYS = [
  "..",
  ".",
  "../up",
  "../../../../../../../../tmp/aws-like-escape",
  "a/../../b",
  "a/./b",
  "./a",
  "/",
  "//",
  "///x",
  "/etc/passwd",
  "trailing/",
  "trailing//",
  "double//slash",
  "a",
  "a/b",
  "a/b/c",
  "a/b/",
  "nul\0byte",
  "\0",
  "control\x01\x02\x1f\x7f",
  "tab\tand\nline\r\n",
  " ",
  " leading and trailing ",
  ".hidden",
  "...",
  ".aws-like",
  ".aws-like/s3/x",
  ".aws-like-stage",
  ".aws-like-stage/x",
  "buckets/other/x",
  "db.sqlite",
  "half.part",
  ".~tmp~/x",
  ".rsync-partial/x",
  "notes~",
  ".notes.swp",
  "x.tmp",
  "a\\b",
  "C:\\x",
  "100%",
  "%2e%2e/x",
  "%00",
  "a+b c",
  "?versionId=1",
  "#fragment",
  "&amp;<x>'\"]]>",
  "x".repeat(255),
  "x".repeat(256),
  `${"y".repeat(255)}/${"y".repeat(255)}/z`,
  `${"y".repeat(300)}/z`,
  "é".repeat(127),
  "é".repeat(128),
  "d/".repeat(500),
  `${"e/".repeat(511)}ee`,
  "z".repeat(1024),
  "\u{1F600}".repeat(256),
  "\u{10FFFF}",
  "\uFFFD",
  "\u200B\u202E\uFEFF",
  "e\u0301",
  "\u00E9",
  "K\u212A",
  "constructor",
  "__proto__",
];

const bytesOf = (key: string): string => `of ${JSON.stringify(key)}`;

async function newBucket(Bucket: string): Promise<string> {
  await s3.send(new CreateBucketCommand({ Bucket }));
  return Bucket;
}

/** A control character cannot be told in XML 1.0: EncodingType url is the way to list it, on AWS too. */
async function listed(Bucket: string, Prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 17 }, { Bucket, Prefix, EncodingType: "url" }))
    for (const { Key } of page.Contents ?? []) keys.push(decodeURIComponent(Key!.replaceAll("+", " ")));
  return keys;
}

const get = async (Bucket: string, Key: string): Promise<string> =>
  (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();

const sorted = (keys: readonly string[]): string[] =>
  keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

/** All that is in the workspace, and beside it, outside of the buckets named: path -> what changes when it is written to. */
function outside(...buckets: string[]): Map<string, string> {
  const found = new Map<string, string>();
  const look = (path: string) => {
    if (buckets.some((name) => path === join(dir, "buckets", name) || path === join(dir, ".aws-like", "s3", name)))
      return;
    if (/\/(logs|db\.sqlite.*|\.aws-like\/lambda)$/.test(path)) return;
    const stat = lstatSync(path);
    found.set(path, stat.isFile() ? readFileSync(path, "latin1") : "");
    if (stat.isDirectory()) for (const name of readdirSync(path)) look(join(path, name));
  };
  look(dir);
  return found;
}

test(
  "each odd key goes round by Put, Head, Get, List, Copy and Delete, and nothing outside of the bucket changes",
  LIMIT,
  async () => {
    const [from, to] = [await newBucket("keys-from"), await newBucket("keys-to")];
    writeFileSync(join(dir, "canary"), "canary");
    mkdirSync(join(dir, "buckets", "other"));
    writeFileSync(join(dir, "buckets", "other", "x"), "canary");
    const before = outside(from, to);
    for (const Key of KEYS) await s3.send(new PutObjectCommand({ Bucket: from, Key, Body: bytesOf(Key) }));
    await cloud.settle();
    assert.deepEqual(await listed(from), sorted(KEYS));
    for (const Key of KEYS) {
      assert.equal(await get(from, Key), bytesOf(Key));
      const { ContentLength } = await s3.send(new HeadObjectCommand({ Bucket: from, Key }));
      assert.equal(ContentLength, Buffer.byteLength(bytesOf(Key)));
      assert.ok((await listed(from, Key)).includes(Key), `found by itself as the prefix: ${JSON.stringify(Key)}`);
      const CopySource = `${from}/${encodeURIComponent(Key)}`;
      await s3.send(new CopyObjectCommand({ Bucket: to, Key, CopySource }));
      assert.equal(await get(to, Key), bytesOf(Key));
    }
    for (const [at, Key] of KEYS.entries())
      if (at % 2 === 0) await s3.send(new DeleteObjectCommand({ Bucket: from, Key }));
    const left = KEYS.filter((_, at) => at % 2 === 1);
    assert.deepEqual(await listed(from), sorted(left));
    for (const Key of left) assert.equal(await get(from, Key), bytesOf(Key));
    for (const Key of left) await s3.send(new DeleteObjectCommand({ Bucket: from, Key }));
    assert.deepEqual(await listed(from), []);
    assert.deepEqual(await listed(to), sorted(KEYS));
    await cloud.settle();
    assert.deepEqual(outside(from, to), before);
    assert.throws(() => lstatSync("/tmp/aws-like-escape"), { code: "ENOENT" });
  },
);

test("each odd key goes round by a POST form, and nothing outside of the bucket changes", LIMIT, async () => {
  const bucket = await newBucket("keys-posted");
  const before = outside(bucket);
  // A form ends its lines with CR LF.
  const keys = KEYS.filter((key) => !/[\r\n]/.test(key));
  for (const key of keys) {
    const { status, text } = await postForm(cloud, { bucket, fields: { key }, file: bytesOf(key) });
    assert.equal(status, 204, `${JSON.stringify(key)}: ${text}`);
  }
  await cloud.settle();
  assert.deepEqual(await listed(bucket), sorted(keys));
  for (const key of keys) assert.equal(await get(bucket, key), bytesOf(key));
  assert.deepEqual(outside(bucket), before);
});

for (const [what, Key] of [
  ["1025 bytes", "x".repeat(1025)],
  ["1025 bytes in 1024 characters", `${"x".repeat(1023)}é`],
] as const)
  test(`a key of ${what} is KeyTooLongError, to write, to read and to delete`, LIMIT, async () => {
    const Bucket = await newBucket(`too-long-${[...Key].length}`);
    const wrong = { name: "KeyTooLongError", message: "Your key is too long" };
    await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key, Body: "x" })), wrong);
    await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key })), wrong);
    await assert.rejects(s3.send(new DeleteObjectCommand({ Bucket, Key })), wrong);
    await assert.rejects(s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/x` })), wrong);
    assert.deepEqual(await listed(Bucket), []);
  });

/** Any text of whole characters, with more of what is a separator, a dot or a control character than chance would give. */
const anyKey = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 12 }) },
      {
        weight: 2,
        arbitrary: fc.constantFrom("/", ".", "..", "//", "a", "b", "~", ".tmp", "\0", "\x01", "%", "+", " "),
      },
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((parts) => parts.join(""))
  .filter((key) => key.isWellFormed() && Buffer.byteLength(key) <= 1024);

test("any Unicode text is a key: put, listed in the order of its bytes, read, deleted", LIMIT, async () => {
  let buckets = 0;
  const before = outside();
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(anyKey, { minLength: 1, maxLength: 12 }), async (keys) => {
      const Bucket = await newBucket(`random-${++buckets}`);
      for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: bytesOf(Key) }));
      await cloud.settle();
      assert.deepEqual(await listed(Bucket), sorted(keys));
      for (const Key of keys) assert.equal(await get(Bucket, Key), bytesOf(Key));
      const { Deleted } = await s3.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }),
      );
      assert.equal(Deleted?.length, keys.length);
      assert.deepEqual(await listed(Bucket), []);
    }),
    { numRuns: 30 },
  );
  const all = Array.from({ length: buckets }, (_, at) => `random-${at + 1}`);
  assert.deepEqual(outside(...all), before);
});
