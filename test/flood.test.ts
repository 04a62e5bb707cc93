// Thousands of files at once into a watched bucket, through the real command: one event a file, none missed, in bounded memory.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CreateBucketCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { makeWorkspace, type Running } from "./running.ts";

const LIMIT = { timeout: 170_000 };
/** AWS_LIKE_TEST_FILES chooses another number. */
const FILES = Number(process.env.AWS_LIKE_TEST_FILES ?? 20_000);
const MOST_MB = 400;

test(`cp -r of ${FILES} small files is one event a file, and none is missed`, LIMIT, async () => {
  await using workspace = await makeWorkspace({ init: false });
  const cloud = await workspace.up();
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "flood" }));
  const tree = workspace.at("..", "tree");
  const keys = new Set<string>();
  for (let i = 0; i < FILES; i++) {
    const folder = `${i % 40}/${i % 7}/below`;
    if (i < 280) mkdirSync(join(tree, folder), { recursive: true });
    writeFileSync(join(tree, folder, `${i}.txt`), `${i}\n`);
    keys.add(`tree/${folder}/${i}.txt`);
  }
  execFileSync("cp", ["-r", tree, workspace.at("buckets", "flood")]);
  await cloud.settle();
  assert.deepEqual(await listed(s3, "flood"), [...keys].sort());
  assert.ok(peakMb(cloud.pid) < MOST_MB, `${peakMb(cloud.pid)} MB`);

  execFileSync("rm", ["-r", workspace.at("buckets", "flood", "tree")]);
  await cloud.settle();
  assert.deepEqual(await listed(s3, "flood"), []);
  await cloud.stop();
  assert.deepEqual(events(cloud, "ObjectCreated:Put flood/"), [...keys].sort());
  assert.deepEqual(events(cloud, "ObjectRemoved:Delete flood/"), [...keys].sort());
});

test("when the kernel's queue of events overflows nothing is missed, and nothing is told twice", LIMIT, async (t) => {
  const queue = Number(readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"));
  if (queue > 20_000) return t.skip(`*** this kernel queues ${queue} events: too many to overflow it in a test ***`);
  await using workspace = await makeWorkspace({ init: false });
  const cloud = await workspace.up();
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "flood" }));
  const write = (from: number, to: number) => {
    const names = Array.from({ length: to - from }, (_, i) => `${String(from + i).padStart(5, "0")}.txt`);
    for (const name of names) writeFileSync(workspace.at("buckets", "flood", name), name);
    return names;
  };
  const before = write(0, 100);
  await cloud.settle();
  // At least two events each that do not merge: made, and closed after writing.
  process.kill(cloud.pid, "SIGSTOP");
  const meanwhile = write(100, 100 + Math.ceil(queue / 2) + 500);
  process.kill(cloud.pid, "SIGCONT");
  await cloud.settle();
  const all = [...before, ...meanwhile];
  assert.deepEqual(await listed(s3, "flood"), all);
  assert.deepEqual(events(cloud, "ObjectCreated:Put flood/"), all);
  assert.ok(
    cloud.lines().some((line) => /WARN .*compared file by file/.test(line)),
    "it is said that events were lost",
  );
  await cloud.stop();
});

async function listed(s3: S3Client, Bucket: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket }))
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key!));
  return keys.sort();
}

/** The keys of what the terminal showed, repeated where it was shown more than once. */
const events = ({ lines }: Running, what: string): string[] =>
  lines()
    .map((line) => line.split(what)[1])
    .filter((rest) => rest !== undefined)
    .map((rest) => rest.replace(/ \(\d+ bytes, .*\)$/, ""))
    .sort();

const peakMb = (pid: number): number =>
  Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024);
