// `aws-like fsck`: a workspace that was harmed in every way is told of, mended, and well.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { run, temporary } from "../../../test/bin.ts";
import { startCloud } from "../../../test/cloud.ts";
import { openStore } from "../../store/open.ts";

const put = (s3: S3Client, Bucket: string, Key: string, Body: string) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const get = async (s3: S3Client, Bucket: string, Key: string) =>
  (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();

/** Other bytes, of which size and time tell nothing. */
function alter(path: string, reference: string): void {
  execFileSync("touch", ["-r", path, reference]);
  writeFileSync(path, readFileSync(path, "utf8").toUpperCase());
  execFileSync("touch", ["-r", reference, path]);
}

test("fsck finds what is wrong in a stopped workspace, mends what it can, and says what it cannot", async () => {
  await using it = await temporary();
  let databaseUrl = "";
  {
    await using cloud = await startCloud({ dir: it.dir });
    const s3 = cloud.client(S3Client);
    for (const Bucket of ["plain", "kept"]) await s3.send(new CreateBucketCommand({ Bucket }));
    const VersioningConfiguration = { Status: "Enabled" } as const;
    await s3.send(new PutBucketVersioningCommand({ Bucket: "kept", VersioningConfiguration }));
    for (const key of ["well", "altered", "gone", "a//damaged"]) await put(s3, "plain", key, `${key}: some bytes`);
    for (const key of ["restored", "guarded", "swapped", "lost"]) {
      await put(s3, "kept", key, `${key}: old`);
      await put(s3, "kept", key, `${key}: new`);
    }
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: "plain", Key: "parts" }));
    for (const PartNumber of [1, 2])
      await s3.send(
        new UploadPartCommand({ Bucket: "plain", Key: "parts", UploadId, PartNumber, Body: `part ${PartNumber}` }),
      );
    await cloud.settle();
    databaseUrl = cloud.aws.config.databaseUrl;
  }
  const fsck = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(["fsck", "--dir", it.dir, ...args], {
      env: { DATABASE_URL: databaseUrl },
    });
    assert.equal(stderr, "");
    return { code, lines: stdout.split("\n").filter(Boolean) };
  };
  assert.deepEqual((await fsck()).lines.at(-1), "12 objects and versions, 165 bytes: all is well");

  const side = (bucket: string, name: string) => join(it.dir, ".aws-like/s3", bucket, "side", name.slice(0, 2), name);
  const store = await openStore(databaseUrl, it.dir);
  const column = async (sql: string) => String(Object.values((await store.singly.one(sql))!)[0]);
  const reference = join(it.dir, "reference");
  writeFileSync(reference, "");
  alter(join(it.dir, "buckets/plain/altered"), reference);
  rmSync(join(it.dir, "buckets/plain/gone"));
  writeFileSync(join(it.dir, "buckets/plain/strange"), "strange");
  alter(side("plain", await column("SELECT side FROM s3_object WHERE key = 'a//damaged'")), reference);
  alter(join(it.dir, "buckets/kept/restored"), reference);
  rmSync(side("kept", await column("SELECT guard FROM s3_object WHERE key = 'guarded' AND current = 1")));
  await store.write((tx) => tx.run("UPDATE s3_object SET current = 1 - current WHERE key = 'swapped'"));
  rmSync(side("kept", await column("SELECT side FROM s3_object WHERE key = 'lost' AND current = 0")));
  rmSync(side("plain", await column("SELECT side FROM s3_part WHERE number = 2")));
  const stray = side("plain", "ab".repeat(16));
  mkdirSync(join(stray, ".."), { recursive: true });
  writeFileSync(stray, "");
  writeFileSync(join(it.dir, ".aws-like/s3/plain/stage/stray"), "");
  mkdirSync(join(it.dir, ".aws-like/s3/no-bucket"));

  await store.close();
  const expected = [
    /^s3:\/\/kept\/guarded \(version \S+\): the guard of its plain file is gone/,
    /^s3:\/\/kept\/lost \(version \S+\): its bytes are gone; .*its row is removed$/,
    /^s3:\/\/kept\/restored \(version \S+\): the bytes .* are others .*restored from its guard$/,
    /^s3:\/\/kept\/swapped \(version \S+\): its newest version is not the current one/,
    /^s3:\/\/plain\/a\/\/damaged: its bytes are others .*; cannot be repaired$/,
    /^s3:\/\/plain\/altered: the bytes .* are others .*; .*the file is taken in as it is now$/,
    /^s3:\/\/plain\/gone: its plain file is gone/,
    /^s3:\/\/plain\/strange: a file that is no object/,
    /^s3:\/\/plain\/parts \(part 2 of upload \S+\): the bytes of a part are gone/,
    /side\/ab\/(ab){16}: a file that no row names/,
    /stage\/stray: a file that no row names/,
    /s3\/no-bucket: files of a bucket that is not there/,
  ];
  const check = (lines: readonly string[]) => {
    for (const pattern of expected)
      assert.ok(
        lines.some((line) => pattern.test(line)),
        `${pattern}\n${lines.join("\n")}`,
      );
  };
  for (let time = 0; time < 2; time++) {
    const found = await fsck();
    check(found.lines);
    // Both versions of `swapped` are not what they should be.
    assert.deepEqual([found.code, found.lines.length], [1, expected.length + 2], found.lines.join("\n"));
  }
  const mended = await fsck("--repair");
  check(mended.lines);
  assert.equal(mended.lines.filter((line) => line.includes("; repaired: ")).length, expected.length - 1);
  const after = await fsck();
  assert.deepEqual([after.code, after.lines.length], [1, 2], after.lines.join("\n"));
  assert.match(after.lines[0]!, /damaged/);
  assert.ok(!existsSync(stray) && !readdirSync(join(it.dir, ".aws-like/s3")).includes("no-bucket"));

  await using cloud = await startCloud({ dir: it.dir });
  const s3 = cloud.client(S3Client);
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: "plain" }));
  assert.deepEqual(
    Contents!.map(({ Key }) => Key),
    ["a//damaged", "altered", "strange", "well"],
  );
  assert.equal(await get(s3, "plain", "altered"), "ALTERED: SOME BYTES");
  for (const key of ["restored", "guarded", "swapped", "lost"]) assert.equal(await get(s3, "kept", key), `${key}: new`);
});

test("fsck asks a running cloud, which answers requests meanwhile", async () => {
  await using it = await temporary();
  await using cloud = await startCloud({ dir: it.dir });
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "busy" }));
  await Promise.all(Array.from({ length: 50 }, (_, n) => put(s3, "busy", `${n}`, "bytes")));
  const fsck = (...args: string[]) => run(["fsck", "--endpoint", cloud.endpoint, ...args]);
  const [sound] = await Promise.all([
    fsck(),
    ...Array.from({ length: 50 }, (_, n) => put(s3, "busy", `${n % 10}`, "other")),
  ]);
  assert.match(sound.stdout, /^50 objects and versions, 250 bytes: all is well\n$/);
  alter(join(it.dir, "buckets/busy/7"), join(it.dir, "reference"));
  await cloud.settle();
  const mended = await fsck("--repair");
  assert.match(mended.stdout, /: 1 wrong, 1 repaired\n$|all is well\n$/, mended.stdout + mended.stderr);
  await cloud.settle();
  assert.equal(await get(s3, "busy", "7"), "OTHER");
  const held = await run(["fsck", "--dir", it.dir], { env: { DATABASE_URL: cloud.aws.config.databaseUrl } });
  assert.deepEqual([held.code, held.stdout], [1, ""]);
  assert.match(held.stderr, /^aws-like: another aws-like runs in \S+; stop it first, or say --endpoint\n$/);
  const nowhere = await run(["fsck", "--dir", join(it.dir, "buckets")]);
  assert.match(nowhere.stderr, /is no workspace/);
});
