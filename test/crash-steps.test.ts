// A process that is killed between any two steps of a change leaves the object as it was, or as it was to be: rows, bytes, headers and files.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, test } from "node:test";
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  ListPartsCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { startCloud } from "./cloud.ts";
import { bucketOf, scenarios } from "./crash-scenarios.ts";

/** Far more than any change has. */
const MOST_STEPS = 30;

// Each waits for processes and settling more than it computes.
describe("a process that is killed", { concurrency: 4 }, () => {
  for (const name of Object.keys(scenarios))
    test(`killed at any step of ${name}`, { timeout: 120_000 }, async (t) => {
      const before = await left(name, 0);
      const outcomes: string[] = [];
      let after = "";
      for (let step = 1; after === ""; step++) {
        assert.ok(step <= MOST_STEPS);
        const { said, state } = await left(name, step);
        if (said === "done") after = state;
        else outcomes.push(state);
      }
      assert.notEqual(after, before.state);
      // First as it was, then as it was to be: there is one moment at which it changes.
      const changed = outcomes.findIndex((state) => state !== before.state);
      const old = changed < 0 ? outcomes.length : changed;
      for (const [at, state] of outcomes.entries())
        assert.equal(state, at < old ? before.state : after, `killed before step ${at + 1}`);
      t.diagnostic(`${old} steps before the commit, ${outcomes.length - old} after it`);
    });

  test("a file that is changed after the crash is newer than the version that had no time to take its place", {
    timeout: 120_000,
  }, async () => {
    const name = "a put of a new version";
    const dir = mkdtempSync(join(tmpdir(), "aws-like-step-"));
    assert.equal(await die(dir, name, "seat"), "");
    assert.equal(readFileSync(join(dir, "buckets", bucketOf(name), "k"), "utf8"), "old");
    writeFileSync(join(dir, "buckets", bucketOf(name), "k"), "from outside");
    {
      await using cloud = await startCloud({ dir, databaseUrl: "" });
      await cloud.settle();
      const { versions, plain, staged } = await stateOf(cloud.client(S3Client), dir, bucketOf(name));
      assert.deepEqual(
        versions.map(({ body }) => body),
        ["from outside", "new", "old"],
      );
      assert.deepEqual([plain, staged], [[["k", "from outside"]], []]);
    }
    rmSync(dir, { recursive: true });
  });
});

/** What the next start finds, as text: all that a client and a person can see, but ids and times. */
async function left(name: string, step: number): Promise<{ said: string; state: string }> {
  const dir = mkdtempSync(join(tmpdir(), "aws-like-step-"));
  try {
    const said = await die(dir, name, step);
    await using cloud = await startCloud({ dir, databaseUrl: "" });
    await cloud.settle();
    return { said, state: JSON.stringify(await stateOf(cloud.client(S3Client), dir, bucketOf(name)), null, 1) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function die(dir: string, name: string, step: number | "seat"): Promise<string> {
  const script = join(import.meta.dirname, "crash-step.ts");
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, dir, name, String(step)], { timeout: 60_000 }, (error, stdout, stderr) => {
      if (error?.signal === "SIGKILL" && stderr === "") resolve(stdout);
      else reject(new Error(`it was to be killed, but: ${error?.message} ${stderr}`));
    });
  });
}

async function stateOf(s3: S3Client, dir: string, Bucket: string) {
  const list = await versionsOf(s3, Bucket);
  const versions: { body: string; [member: string]: unknown }[] = [];
  for (const { Key, VersionId, IsLatest, Size } of list.Versions ?? []) {
    const get = await s3.send(
      new GetObjectCommand({ Bucket, Key: Key!, ...(VersionId !== undefined && { VersionId }) }),
    );
    const body = await get.Body!.transformToString();
    versions.push({ Key, IsLatest, Size, body, type: get.ContentType, metadata: get.Metadata, etag: get.ETag });
  }
  const uploads: unknown[] = [];
  for (const { Key, UploadId } of (await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? []) {
    const { Parts = [] } = await s3.send(new ListPartsCommand({ Bucket, Key: Key!, UploadId: UploadId! }));
    uploads.push({ Key, parts: Parts.map(({ PartNumber, ETag, Size }) => ({ PartNumber, ETag, Size })) });
  }
  const home = join(dir, ".aws-like", "s3", Bucket);
  return {
    versions,
    markers: (list.DeleteMarkers ?? []).map(({ Key, IsLatest }) => ({ Key, IsLatest })),
    uploads,
    plain: contentsBelow(join(dir, "buckets", Bucket)),
    staged: contentsBelow(join(home, "stage")),
    sides: contentsBelow(join(home, "side"))
      .map(([, text]) => text)
      .sort(),
  };
}

/** A directory bucket has no versions: its objects. */
async function versionsOf(s3: S3Client, Bucket: string): Promise<Partial<ListObjectVersionsCommandOutput>> {
  if (!Bucket.endsWith("--x-s3")) return await s3.send(new ListObjectVersionsCommand({ Bucket }));
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
  return { Versions: Contents.map(({ Key, Size }) => ({ Key, Size, IsLatest: true })) };
}

const contentsBelow = (dir: string): (readonly [string, string])[] =>
  entriesBelow(dir)
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [relative(dir, path), readFileSync(path, "utf8")] as const)
    .sort((a, b) => (a.join() < b.join() ? -1 : 1));

function entriesBelow(dir: string) {
  try {
    return readdirSync(dir, { recursive: true, withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
