// kill -9 at the worst moments: what was acknowledged or dropped is there after the restart, and nothing is half there.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  type DeleteMarkerEntry,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  type ObjectVersion,
  PutBucketVersioningCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { killed } from "./bin.ts";
import { makeWorkspace, until, type Workspace } from "./running.ts";

const LIMIT = { timeout: 170_000 };
const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test(
  "kill -9 in the middle of 500 drops loses none: every file has its row, what was finished is not run again",
  LIMIT,
  async () => {
    await using workspace = await makeWorkspace();
    const dropped = new Map<string, string>();
    const drop = (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const [name, text] = [`file-${String(i).padStart(3, "0")}.txt`, `content of ${i}\n`];
        writeFileSync(workspace.at("input", name), text);
        dropped.set(name, sha256(text));
      }
    };
    const first = await workspace.up();
    drop(0, 40);
    await first.settle();
    const finished = [...dropped.keys()];

    drop(40, 300);
    await until("the function is busy with the first of them", () => workspace.starts() > finished.length + 20);
    await first.kill();
    assert.ok(workspace.rows().length < dropped.size, "it was killed in the middle");

    drop(300, 400);
    const second = await workspace.up();
    drop(400, 500);
    await second.settle();

    assert.deepEqual(new Map(workspace.rows().map(({ name, sha256: sum }) => [name, sum])), new Map([...dropped]));
    const runs = runsOf(workspace);
    assert.deepEqual(
      finished.filter((name) => runs.get(name) !== 1),
      [],
    );
    assert.deepEqual(
      [...dropped.keys()].filter((name) => (runs.get(name) ?? 0) < 1),
      [],
    );
    const extra = [...runs.values()].reduce((sum, count) => sum + count - 1, 0);
    assert.ok(extra <= AT_ONCE, `${extra} were run again: more than can have been running when it was killed`);
    await second.stop();
  },
);

test(
  "kill -9 after a large table, or an index, was deleted or made: the rest of it happens after the restart",
  LIMIT,
  async (t) => {
    await using workspace = await makeWorkspace({ init: false });
    const count = () => workspace.rows("dynamodb_item").length;
    const first = await workspace.up();
    const client = first.client(DynamoDB);
    const text = "x".repeat(300_000);
    for (const TableName of ["going", "staying"]) {
      await client.createTable({
        TableName,
        AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
        KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
        BillingMode: "PAY_PER_REQUEST",
      });
      // A step is 1000 rows of one that goes, and 1 MB of one that is indexed.
      for (let from = 0; from < (TableName === "going" ? 2500 : 20); from += 20)
        await client.batchWriteItem({
          RequestItems: {
            [TableName]: Array.from({ length: 20 }, (_, i) => ({
              PutRequest: {
                Item: {
                  id: { N: `${from + i}` },
                  n: { N: "1" },
                  ...(TableName === "staying" && { text: { S: text } }),
                },
              },
            })),
          },
        });
    }
    await client.updateTable({
      TableName: "staying",
      AttributeDefinitions: [{ AttributeName: "n", AttributeType: "N" }],
      GlobalSecondaryIndexUpdates: [
        {
          Create: {
            IndexName: "by-n",
            KeySchema: [{ AttributeName: "n", KeyType: "HASH" }],
            Projection: { ProjectionType: "KEYS_ONLY" },
          },
        },
      ],
    });
    await client.deleteTable({ TableName: "going" });
    await first.kill();
    // A quick machine may have done it all by then.
    if (count() === 40) t.diagnostic("the kill came when nothing was left to do");

    const second = await workspace.up();
    await second.settle();
    assert.equal(count(), 40);
    const again = second.client(DynamoDB);
    assert.deepEqual((await again.listTables({})).TableNames, ["staying"]);
    assert.equal((await again.scan({ TableName: "staying", IndexName: "by-n" })).Count, 20);
    await second.stop();
  },
);

/** Sandboxes that run at once, as the README of Lambda says. */
const AT_ONCE = 64;

/** How often the function was run for each object. */
function runsOf(workspace: Workspace): Map<string, number> {
  const runs = new Map<string, number>();
  for (const line of workspace.log()) {
    const name = / reading s3:\/\/input\/(.*)$/.exec(line)?.[1];
    if (name) runs.set(name, (runs.get(name) ?? 0) + 1);
  }
  return runs;
}

test("kill -9 in the middle of API writes loses no acknowledged object, and leaves none half", LIMIT, async () => {
  await using workspace = await makeWorkspace({ init: false });
  const Bucket = "writes";
  const versions = new Map<string, Version[]>();
  for (let round = 0; round < ROUNDS; round++) {
    const cloud = await workspace.up();
    const s3 = cloud.client(S3Client);
    if (round === 0) await s3.send(new CreateBucketCommand({ Bucket }));
    let acknowledged = 0;
    const write = async (writer: number) => {
      for (let n = 0; ; n++) {
        // Some keys again and again, some below new folders, some that no path can hold, in sizes of one write and of several.
        const Key = [`same-${writer}`, `${round}/${writer}/${n}`, `odd//${writer}/${n}`][n % 3]!;
        const body = randomBytes([20, 5_000, 400_000][n % 7] ?? 100);
        const version = { sum: sha256(body), acknowledged: false };
        versions.set(Key, [...(versions.get(Key) ?? []), version]);
        try {
          await s3.send(new PutObjectCommand({ Bucket, Key, Body: body }));
        } catch {
          return; // it was killed
        }
        version.acknowledged = true;
        acknowledged++;
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
    await until("it is in the middle of it", () => acknowledged > 60 + 40 * round);
    await cloud.kill();
    await Promise.all(writers);
  }

  const cloud = await workspace.up();
  await cloud.settle();
  const s3 = cloud.client(S3Client);
  const keys = await keysOf(s3, Bucket);
  assert.deepEqual(
    keys.filter((key) => !versions.has(key)),
    [],
    "nothing is listed that nobody wrote",
  );
  for (const [Key, of] of versions) {
    const last = of.findLastIndex((version) => version.acknowledged);
    if (last < 0 && !keys.includes(Key)) continue;
    const object = await s3.send(new GetObjectCommand({ Bucket, Key }));
    const bytes = await object.Body!.transformToByteArray();
    const possible = of.slice(Math.max(last, 0)).map(({ sum }) => sum);
    assert.ok(possible.includes(sha256(bytes)), `${Key} is the last acknowledged version, or one begun after it`);
    assert.equal(object.ETag, `"${createHash("md5").update(bytes).digest("hex")}"`, Key);
  }
  const home = workspace.at(".aws-like", "s3", Bucket);
  assert.deepEqual(readdirSync(join(home, "stage")), []);
  assert.deepEqual(filesBelow(workspace.at("buckets", Bucket)), keys.filter((key) => !key.includes("//")).sort());
  const odd = keys.filter((key) => key.includes("//"));
  assert.ok(odd.length > 20);
  assert.equal(filesBelow(join(home, "side")).length, odd.length, "no bytes stay that no object has");
  await cloud.stop();
});

const ROUNDS = 3;
const WRITERS = 8;

interface Version {
  readonly sum: string;
  acknowledged: boolean;
}

async function keysOf(s3: S3Client, Bucket: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket }))
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key!));
  return keys;
}

const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .sort();

test("kill -9 in the middle of versions, deletes and parts keeps each acknowledged one", LIMIT, async () => {
  await using workspace = await makeWorkspace({ init: false });
  const Bucket = "versions";
  const acknowledged: { Key: string; VersionId: string; sum: string | undefined }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const cloud = await workspace.up();
    const s3 = cloud.client(S3Client);
    if (round === 0) {
      await s3.send(new CreateBucketCommand({ Bucket }));
      const VersioningConfiguration = { Status: "Enabled" } as const;
      await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    }
    const write = async (writer: number) => {
      for (let n = 0; ; n++) {
        const Key = `key-${writer % 3}`;
        const body = randomBytes(1_000 + n);
        try {
          const { VersionId } =
            n % 5 === 3
              ? await s3.send(new DeleteObjectCommand({ Bucket, Key }))
              : n % 5 === 4
                ? await inParts(s3, { Bucket, Key, body })
                : await s3.send(new PutObjectCommand({ Bucket, Key, Body: body }));
          acknowledged.push({ Key, VersionId: VersionId!, sum: n % 5 === 3 ? undefined : sha256(body) });
        } catch {
          return; // it was killed
        }
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
    await until("it is in the middle of it", () => acknowledged.length > 60 * (round + 1));
    await cloud.kill();
    await Promise.all(writers);
  }

  const cloud = await workspace.up();
  await cloud.settle();
  const s3 = cloud.client(S3Client);
  const { versions, markers } = await versionsOf(s3, Bucket);
  for (const { Key, VersionId, sum } of acknowledged) {
    if (sum === undefined) {
      assert.ok(
        markers.some((marker) => marker.VersionId === VersionId),
        `the marker ${VersionId} of ${Key}`,
      );
      continue;
    }
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }));
    assert.equal(sha256(await Body!.transformToByteArray()), sum, `${Key} ${VersionId}`);
  }
  const extra = versions.length + markers.length - acknowledged.length;
  assert.ok(extra >= 0 && extra <= WRITERS * ROUNDS, `${extra} more than were acknowledged`);
  for (const { Key, VersionId, Size } of versions) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: Key!, VersionId: VersionId! }));
    assert.equal((await Body!.transformToByteArray()).length, Size, "whatever is listed is whole");
  }
  const latest = [...versions, ...markers].filter(({ IsLatest }) => IsLatest).map(({ Key }) => Key);
  assert.deepEqual(latest.sort(), ["key-0", "key-1", "key-2"]);
  assert.deepEqual(readdirSync(workspace.at(".aws-like", "s3", Bucket, "stage")), []);
  await cloud.stop();
});

async function inParts(s3: S3Client, { Bucket, Key, body }: { Bucket: string; Key: string; body: Uint8Array }) {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: body }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: ETag! }] };
  return await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }));
}

async function versionsOf(s3: S3Client, Bucket: string) {
  const [versions, markers]: [ObjectVersion[], DeleteMarkerEntry[]] = [[], []];
  for (let from: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}; ; ) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 50, ...from }));
    versions.push(...(page.Versions ?? []));
    markers.push(...(page.DeleteMarkers ?? []));
    if (!page.IsTruncated) return { versions, markers };
    from = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
}

test("kill -9 at any moment of the first start leaves what the next one completes", LIMIT, async () => {
  await using workspace = await makeWorkspace();
  writeFileSync(workspace.at("input", "early"), "1");
  for (let lived = 100; lived <= 600; lived += 50) await killed(["up", "--dir", workspace.dir, "--port", "0"], lived);
  const cloud = await workspace.up();
  writeFileSync(workspace.at("input", "late"), "2");
  await cloud.settle();
  assert.deepEqual(
    workspace
      .rows()
      .map(({ name }) => name)
      .sort(),
    ["early", "late"],
  );
  const s3 = cloud.client(S3Client);
  await s3.send(new PutObjectCommand({ Bucket: "archive", Key: "there", Body: "3" }));
  assert.deepEqual(readdirSync(workspace.at("archive")), ["there"]);
  // A kill between the bucket's move to its directory and the removal of the one before leaves that, empty.
  if (existsSync(workspace.at("buckets"))) assert.deepEqual(filesBelow(workspace.at("buckets")), []);
  await cloud.stop();
});
