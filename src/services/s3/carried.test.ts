// Small objects and a loss of power: their bytes are in the commit, their files follow. Power is lost by hand: the commit's bytes are put back as they were
// when the put was answered, and the file is torn. What a kill alone leaves is seen to in test/crash-steps.test.ts.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { describe, test } from "node:test";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";

// The machine came up when a test says so: what was changed before was changed by the one whose power was lost.
let upSince = 0;
os.uptime = () => (Date.now() - upSince) / 1000;
syncBuiltinESMExports();

const { startCloud } = await import("../../../test/cloud.ts");
const { checkStopped } = await import("../../aws.ts");

const BUCKET = "bucket";
const BOOT = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

interface Carried {
  readonly boot: string;
  readonly text: string;
}

function asked<T>(dir: string, ask: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(dir, "db.sqlite"));
  const answer = ask(db);
  db.close();
  return answer;
}

const carried = (dir: string): Carried[] =>
  asked(dir, (db) =>
    db.prepare("SELECT boot, CAST(bytes AS TEXT) AS text FROM s3_carried").all(),
  ) as unknown as Carried[];

/** A workspace whose power was lost right after PutObject of `k`, "new" over "old", was answered. `boot`: what its row says of the kernel since. */
async function cutOff(boot = "another"): Promise<{ dir: string; file: string }> {
  const dir = mkdtempSync(join(tmpdir(), "aws-like-carried-"));
  let row: Record<string, SQLInputValue>;
  {
    await using cloud = await startCloud({ dir, databaseUrl: "", durability: "full" });
    const s3 = cloud.client(S3Client);
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body: "old" }));
    await cloud.settle();
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body: "new", ContentType: "text/new" }));
    const rows = asked(dir, (db) => db.prepare("SELECT * FROM s3_carried").all());
    assert.equal(rows.length, 1, "the commit carries it");
    row = rows[0]!;
  }
  assert.deepEqual(carried(dir), [], "a process that ends leaves nothing to be carried");
  asked(dir, (db) =>
    db
      .prepare(
        "INSERT INTO s3_carried (batch, bucket, key, rank, boot, bytes) VALUES (:batch, :bucket, :key, :rank, :boot, :bytes)",
      )
      .run({ ...row, boot }),
  );
  return { dir, file: join(dir, "buckets", BUCKET, "k") };
}

interface Found {
  readonly body: string;
  readonly plain: string;
  /** As it was put: a file that was taken for one from outside has another. */
  readonly type: string | undefined;
}

async function startAgain(dir: string): Promise<Found> {
  await using cloud = await startCloud({ dir, databaseUrl: "", durability: "full" });
  await cloud.settle();
  const s3 = cloud.client(S3Client);
  const get = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: "k" }));
  const body = await get.Body!.transformToString();
  const plain = readFileSync(join(dir, "buckets", BUCKET, "k"), "utf8");
  return { body, plain, type: get.ContentType };
}

describe("a small object after a loss of power", () => {
  const cases: Record<string, (workspace: { dir: string; file: string }) => void> = {
    "whose file was not on the disk": ({ file }) => unlinkSync(file),
    "whose file was there without its bytes": ({ file }) => truncateSync(file, 0),
    "whose file held other bytes of the same size": ({ file }) => writeFileSync(file, "xyz"),
    "whose file was whole": () => undefined,
  };
  for (const [name, damage] of Object.entries(cases))
    test(`${name} is what was answered, and is no news`, async () => {
      const workspace = await cutOff();
      damage(workspace);
      upSince = Date.now() + 1;
      assert.deepEqual(await startAgain(workspace.dir), { body: "new", plain: "new", type: "text/new" });
      assert.deepEqual(carried(workspace.dir), []);
      rmSync(workspace.dir, { recursive: true });
    });
});

test("a file that was changed since the machine came up again is newer than what the commit carried", async () => {
  const { dir, file } = await cutOff();
  upSince = Date.now() - 60_000;
  writeFileSync(file, "from outside");
  const { body, plain } = await startAgain(dir);
  assert.deepEqual([body, plain], ["from outside", "from outside"]);
  rmSync(dir, { recursive: true });
});

test("a file that the disk had refused is written again, whatever it seems to hold", async () => {
  const { dir, file } = await cutOff(`lost ${BOOT}`);
  upSince = Date.now() - 60_000;
  const refused = statSync(file).ino;
  assert.deepEqual(await startAgain(dir), { body: "new", plain: "new", type: "text/new" });
  assert.notEqual(statSync(file).ino, refused, "another file");
  rmSync(dir, { recursive: true });
});

test("a file that the disk had refused, and that a loss of power tore then, is what was answered", async () => {
  const { dir, file } = await cutOff("lost another");
  truncateSync(file, 0);
  upSince = Date.now() + 1;
  assert.deepEqual(await startAgain(dir), { body: "new", plain: "new", type: "text/new" });
  rmSync(dir, { recursive: true });
});

test("fsck of a workspace that nobody runs says which files power took, and writes them again", async () => {
  const { dir, file } = await cutOff();
  unlinkSync(file);
  upSince = Date.now() + 1;
  const said = async (repair: boolean) => {
    const found: unknown[] = [];
    for await (const one of checkStopped({ dir }, { repair }))
      if ("problem" in one) found.push([one.subject, one.problem, one.repaired]);
    return found;
  };
  const torn = [`s3://${BUCKET}/k`, "its plain file did not survive a loss of power"];
  assert.deepEqual(await said(false), [[...torn, false]]);
  assert.ok(!existsSync(file));
  assert.deepEqual(await said(true), [[...torn, true]]);
  assert.equal(readFileSync(file, "utf8"), "new");
  assert.deepEqual(await said(false), []);
  rmSync(dir, { recursive: true });
});

test("what is deleted, overwritten or replaced by something large while it is carried is not carried back", async () => {
  const dir = mkdtempSync(join(tmpdir(), "aws-like-carried-"));
  {
    await using cloud = await startCloud({ dir, databaseUrl: "", durability: "full" });
    const s3 = cloud.client(S3Client);
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    const put = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
    await Promise.all([put("gone", "small"), put("again", "small"), put("large", "small")]);
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: "gone" }));
    await put("large", "l".repeat(100_000));
    await put("again", "smaller");
    // What was carried had to be on the disk before it was followed by what is not carried: its row is gone by now.
    assert.deepEqual(
      carried(dir).map(({ text }) => text),
      ["smaller"],
    );
    await cloud.settle();
    assert.deepEqual(carried(dir), []);
    assert.ok(!existsSync(join(dir, "buckets", BUCKET, "gone")));
    assert.equal(readFileSync(join(dir, "buckets", BUCKET, "again"), "utf8"), "smaller");
  }
  rmSync(dir, { recursive: true });
});
