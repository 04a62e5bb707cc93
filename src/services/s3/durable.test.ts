// What is on the disk before an answer: the calls that wait for it are written down, and done.
import assert from "node:assert/strict";
import fs, { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const log: string[] = [];

type Calls = Record<string, (...args: unknown[]) => unknown>;

function writeDown(module: unknown, name: string, what: (...args: unknown[]) => string | undefined): void {
  const original = (module as Calls)[name]!;
  (module as Calls)[name] = (...args) => {
    const line = what(...args);
    if (line !== undefined) log.push(line);
    return original(...args);
  };
}

const ofDescriptor = (fd: unknown): string => readlinkSync(`/proc/self/fd/${fd}`);
const isStaged = (path: unknown): boolean => /\/stage\/[0-9a-f]+$/.test(String(path));
writeDown(fs, "fsync", (fd) => (isStaged(ofDescriptor(fd)) ? "bytes" : `names of ${basename(ofDescriptor(fd))}`));
writeDown(fs, "renameSync", (from) => (isStaged(from) ? "rename" : undefined));
syncBuiltinESMExports();

const { startCloudWithBuckets } = await import("../../../test/s3.ts");
const { openDisk } = await import("./durable.ts");
const { startCloud } = await import("../../../test/cloud.ts");
const { MAX_CARRIED } = await import("./carried.ts");
const { CreateBucketCommand } = await import("@aws-sdk/client-s3");

/** No commit carries it. */
const LARGE = MAX_CARRIED + 1;

test("an object's bytes and its new directories are on the disk before the answer, its name before the key's next change", async () => {
  await using cloud = await startCloud({ durability: "full" });
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "bucket" }));
  log.splice(0);
  await s3.send(new PutObjectCommand({ Bucket: "bucket", Key: "new/deep/k", Body: "x".repeat(LARGE) }));
  const at = (line: string, from = 0) => log.indexOf(line, from);
  for (const line of ["bytes", "names of bucket", "names of new"])
    assert.ok(at(line) >= 0 && at(line) < at("rename"), `${line} before the file has its name: ${log}`);
  await s3.send(new PutObjectCommand({ Bucket: "bucket", Key: "new/deep/k", Body: "y".repeat(LARGE) }));
  const named = at("names of deep");
  assert.ok(named > at("rename") && named < at("rename", at("rename") + 1), `between the two names: ${log}`);
});

test("a file system that may keep a file's bytes without its name is asked to sync both", async () => {
  // tmpfs stands for it: its type is none of those that are known to keep both.
  const dir = mkdtempSync("/dev/shm/aws-like-durable-");
  {
    await using cloud = await startCloud({ dir, durability: "full" });
    const s3 = cloud.client(S3Client);
    await s3.send(new CreateBucketCommand({ Bucket: "bucket" }));
    log.splice(0);
    await s3.send(new PutObjectCommand({ Bucket: "bucket", Key: "k", Body: "x".repeat(LARGE) }));
    const [staged, renamed] = [log.indexOf("names of stage"), log.indexOf("rename")];
    assert.ok(staged >= 0 && staged < renamed, `${log}`);
  }
  rmSync(dir, { recursive: true });
});

test("those who wait for one directory at once share its sync, and those who come while it runs the next", async () => {
  const directory = mkdtempSync(join(tmpdir(), "aws-like-names-"));
  const disk = openDisk("full");
  const many = () => Array.from({ length: 40 }, () => disk.names(directory));
  log.splice(0);
  const first = many();
  await new Promise(process.nextTick);
  await Promise.all([...first, ...many(), ...many()]);
  assert.deepEqual(log, Array(2).fill(`names of ${basename(directory)}`));
  rmSync(directory, { recursive: true });
});

test("with durability fast nothing is waited for", async () => {
  const { newBucket, s3 } = await startCloudWithBuckets();
  const { Bucket } = await newBucket({ versioned: true });
  log.splice(0);
  await s3.send(new PutObjectCommand({ Bucket, Key: "new/k", Body: "x" }));
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "new/k" }));
  assert.deepEqual(
    log.filter((line) => line !== "rename"),
    [],
  );
});
