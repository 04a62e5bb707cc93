// What people and programs do to files in a bucket's directory, and the events that a function gets for it: exactly those that S3 would send.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { AddPermissionCommand } from "@aws-sdk/client-lambda";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { startCloud, type TestCloud } from "./cloud.ts";
import { ACCOUNT, arnOf, type LambdaCloud, startCloudWithRole } from "./lambda.ts";

const LIMIT = { timeout: 60_000 };

const cloud = await startCloudWithRole();
after(() => cloud[Symbol.asyncDispose]());
const s3 = cloud.client(S3Client);
await makeSink(cloud);

interface Act {
  readonly name: string;
  /** A program that may be missing on this machine. */
  readonly needs?: string;
  readonly versioned?: true;
  /** bash, in the bucket's directory; `../../outside` is a directory on the same file system. What was there before `act` is no event of it. */
  readonly before?: string;
  readonly act: string;
  /** Sorted: `+ key` created, `- key` removed. */
  readonly events: readonly string[];
  /** All objects in the end. */
  readonly keys: readonly string[];
}

const OUT = "../../outside";

const acts: readonly Act[] = [
  { name: "cp", act: "cp /etc/hostname a", events: ["+ a"], keys: ["a"] },
  { name: "an empty file", act: ": > a", events: ["+ a"], keys: ["a"] },
  { name: "an overwrite", before: "echo 1 > a", act: "echo 2 > a", events: ["+ a"], keys: ["a"] },
  { name: "an overwrite with the same bytes", before: "echo 1 > a", act: "echo 1 > a", events: ["+ a"], keys: ["a"] },
  { name: "an append", before: "echo 1 > a", act: "echo 2 >> a", events: ["+ a"], keys: ["a"] },
  { name: "rm", before: "echo 1 > a; echo 2 > b", act: "rm a", events: ["- a"], keys: ["b"] },
  { name: "what came and went at once", act: "echo 1 > a; rm a", events: [], keys: [] },
  { name: "chmod, which changes no byte", before: "echo 1 > a", act: "chmod 600 a", events: [], keys: ["a"] },
  { name: "an empty directory", act: "mkdir -p a/b/c", events: [], keys: [] },
  {
    name: "files in directories that were made a moment ago",
    act: "for i in 1 2 3 4 5 6 7 8; do mkdir -p $i/a/b/c; echo $i > $i/a/b/c/f; echo $i > $i/f; done",
    events: [1, 2, 3, 4, 5, 6, 7, 8].flatMap((i) => [`+ ${i}/a/b/c/f`, `+ ${i}/f`]),
    keys: [1, 2, 3, 4, 5, 6, 7, 8].flatMap((i) => [`${i}/a/b/c/f`, `${i}/f`]),
  },
  { name: "a rename", before: "echo 1 > a", act: "mv a b", events: ["+ b", "- a"], keys: ["b"] },
  {
    name: "a rename over another file",
    before: "echo 1 > a; echo 2 > b",
    act: "mv a b",
    events: ["+ b", "- a"],
    keys: ["b"],
  },
  {
    name: "the rename of a directory",
    before: "mkdir -p d/e; echo 1 > d/1; echo 2 > d/e/2; echo 3 > d-not",
    act: "mv d f",
    events: ["+ f/1", "+ f/e/2", "- d/1", "- d/e/2"],
    keys: ["d-not", "f/1", "f/e/2"],
  },
  {
    name: "a directory that is moved in",
    before: `rm -rf ${OUT}/d; mkdir -p ${OUT}/d/e; echo 1 > ${OUT}/d/1; echo 2 > ${OUT}/d/e/2`,
    act: `mv ${OUT}/d d`,
    events: ["+ d/1", "+ d/e/2"],
    keys: ["d/1", "d/e/2"],
  },
  {
    name: "a directory that is moved out",
    before: "mkdir -p out/e; echo 1 > out/1; echo 2 > out/e/2; echo 3 > out.txt",
    act: `rm -rf ${OUT}/out; mv out ${OUT}/out; echo 4 > ${OUT}/out/4`,
    events: ["- out/1", "- out/e/2"],
    keys: ["out.txt"],
  },
  {
    name: "rm -r",
    before: "mkdir -p d/e; echo 1 > d/1; echo 2 > d/e/2",
    act: "rm -r d",
    events: ["- d/1", "- d/e/2"],
    keys: [],
  },
  {
    name: "a file that becomes a directory of files",
    before: "echo 1 > a",
    act: "rm a; mkdir a; echo 2 > a/b",
    events: ["+ a/b", "- a"],
    keys: ["a/b"],
  },
  { name: "a hard link", before: "echo 1 > a", act: "ln a b", events: ["+ b"], keys: ["a", "b"] },
  {
    name: "delivery by link and unlink",
    before: "echo 1 > old",
    act: `echo 1 > ${OUT}/tmp; ln ${OUT}/tmp new; rm ${OUT}/tmp`,
    events: ["+ new"],
    keys: ["new", "old"],
  },
  { name: "a symbolic link, which is no object", before: "echo 1 > a", act: "ln -s a b", events: [], keys: ["a"] },
  {
    name: "rsync of new files, by temporary names",
    needs: "rsync",
    before: `rm -rf ${OUT}/r; mkdir -p ${OUT}/r/d; echo 1 > ${OUT}/r/1; echo 2 > ${OUT}/r/d/2`,
    act: `rsync -a ${OUT}/r/ .`,
    events: ["+ 1", "+ d/2"],
    keys: ["1", "d/2"],
  },
  {
    name: "a second rsync, which has nothing to do",
    needs: "rsync",
    before: `rm -rf ${OUT}/s; mkdir -p ${OUT}/s; echo 1 > ${OUT}/s/1; rsync -a ${OUT}/s/ .`,
    act: `rsync -a ${OUT}/s/ .`,
    events: [],
    keys: ["1"],
  },
  {
    name: "rsync --delete of a changed tree",
    needs: "rsync",
    before: `rm -rf ${OUT}/t; mkdir -p ${OUT}/t; echo 1 > ${OUT}/t/1; echo 2 > ${OUT}/t/2; rsync -a ${OUT}/t/ .`,
    act: `rm ${OUT}/t/2; echo longer > ${OUT}/t/1; echo 3 > ${OUT}/t/3; rsync -a --delete ${OUT}/t/ .`,
    events: ["+ 1", "+ 3", "- 2"],
    keys: ["1", "3"],
  },
  {
    name: "an editor's save by another file",
    before: "echo 1 > notes",
    act: "echo 2 > .notes.swp; cp notes notes~; echo 2 > .notes.tmp; mv .notes.tmp notes; rm notes~ .notes.swp",
    events: ["+ notes"],
    keys: ["notes"],
  },
  {
    name: "an editor's save by moving the old one away",
    before: "echo 1 > notes",
    act: "mv notes notes~; echo 2 > notes; rm notes~",
    events: ["+ notes"],
    keys: ["notes"],
  },
  {
    name: "vim",
    needs: "vim",
    before: "echo 1 > notes",
    act: "vim -es -u NONE -c 'normal otwo' -c wq notes",
    events: ["+ notes"],
    keys: ["notes"],
  },
  { name: "sed -i", before: "echo 1 > a", act: "sed -i s/1/2/ a", events: ["+ a"], keys: ["a"] },
  {
    name: "a download",
    act: "echo half > a.iso.part; sleep 0.2; mv a.iso.part a.iso",
    events: ["+ a.iso"],
    keys: ["a.iso"],
  },
  { name: "a slow writer", act: "{ echo 1; sleep 0.3; echo 2; } > a", events: ["+ a"], keys: ["a"] },
  {
    name: "tar x",
    act: "tar c -C /etc hostname passwd | tar x",
    events: ["+ hostname", "+ passwd"],
    keys: ["hostname", "passwd"],
  },
  {
    name: "rm in a versioned bucket, which is a delete marker",
    versioned: true,
    before: "echo 1 > a",
    act: "rm a",
    events: ["! a"],
    keys: [],
  },
  {
    name: "names that have to be encoded",
    act: "echo 1 > 'a b+c'; echo 1 > 'ü.txt'; echo 1 > $'new\\nline'; echo 1 > '.hidden'",
    events: ["+ .hidden", "+ a b+c", "+ new\nline", "+ ü.txt"],
    keys: [".hidden", "a b+c", "new\nline", "ü.txt"],
  },
];

const has = (program: string): boolean => spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;

for (const [number, { name, needs, versioned, before, act, events, keys }] of acts.entries())
  test(`the events of ${name}`, LIMIT, async (t) => {
    if (needs && !has(needs)) return t.skip(`*** ${needs} is not on this machine ***`);
    const Bucket = `bucket-${number}`;
    await s3.send(new CreateBucketCommand({ Bucket }));
    if (versioned)
      await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
    const directory = `${cloud.aws.config.dir}/buckets/${Bucket}`;
    mkdirSync(`${directory}/${OUT}`, { recursive: true });
    const bash = (script: string) => execFileSync("bash", ["-ec", script], { cwd: directory, stdio: "pipe" });
    if (before) bash(before);
    await cloud.settle();
    await tellSink(cloud, Bucket);
    bash(act);
    await cloud.settle();
    assert.deepEqual(eventsOf(cloud, Bucket), events);
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
    assert.deepEqual(
      Contents.map(({ Key }) => Key),
      keys,
    );
  });

test("what was done to files while the cloud was down is told at the next start, once", LIMIT, async () => {
  const dir = mkdtempSync(join(tmpdir(), "aws-like-files-"));
  const databaseUrl = "";
  try {
    const bash = (script: string) =>
      execFileSync("bash", ["-ec", script], { cwd: `${dir}/buckets/down`, stdio: "pipe" });
    {
      await using first = await startCloudWithRole({ dir, databaseUrl });
      await makeSink(first);
      await first.client(S3Client).send(new CreateBucketCommand({ Bucket: "down" }));
      bash("mkdir d; for name in same rewritten removed renamed d/moved; do echo 1 > $name; done");
      await first.settle();
      await tellSink(first, "down");
    }
    bash(
      "echo 2 > rewritten; rm removed; mv renamed new-name; mv d e; echo 3 > added; chmod 600 same; ln -s same link",
    );
    const events = ["+ added", "+ e/moved", "+ new-name", "+ rewritten", "- d/moved", "- removed", "- renamed"];
    for (let start = 0; start < 2; start++) {
      await using again = await startCloud({ dir, databaseUrl });
      await again.settle();
      assert.deepEqual(eventsOf(again, "down"), events);
      const { Contents = [] } = await again.client(S3Client).send(new ListObjectsV2Command({ Bucket: "down" }));
      assert.deepEqual(
        Contents.map(({ Key }) => Key),
        ["added", "e/moved", "new-name", "rewritten", "same"],
      );
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("files and API at once: each object is its file in the end, and no answer mixed two", LIMIT, async () => {
  const Bucket = "both";
  await s3.send(new CreateBucketCommand({ Bucket }));
  const directory = `${cloud.aws.config.dir}/buckets/${Bucket}`;
  const keys = ["a", "b", "c/d", "c/e"];
  mkdirSync(`${directory}/c`);
  const until = performance.now() + 3_000;
  const each = async (work: (key: string, n: number) => Promise<unknown> | unknown) => {
    for (let n = 0; performance.now() < until; n++) {
      await work(keys[n % keys.length]!, n);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  let reads = 0;
  const read = async (Key: string) => {
    const { Body, ETag } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    const bytes = await Body!.transformToByteArray();
    assert.equal(ETag, `"${createHash("md5").update(bytes).digest("hex")}"`, "never the ETag of other bytes");
    reads++;
    return Buffer.from(bytes).toString();
  };
  await Promise.all([
    each((Key, n) => s3.send(new PutObjectCommand({ Bucket, Key, Body: `api ${n} `.repeat(1 + (n % 900)) }))),
    each((Key, n) => s3.send(new PutObjectCommand({ Bucket, Key, Body: `other ${n} `.repeat(1 + (n % 700)) }))),
    each((key, n) => writeFileSync(`${directory}/${key}`, `file ${n} `.repeat(1 + (n % 800)))),
    each((key, n) => {
      writeFileSync(`${directory}/.${n}.tmp`, `moved ${n}`);
      renameSync(`${directory}/.${n}.tmp`, `${directory}/${key}`);
    }),
    each((key, n) => n % 7 === 0 && rmSync(`${directory}/${key}`, { force: true })),
    each((Key, n) => n % 9 === 0 && s3.send(new DeleteObjectCommand({ Bucket, Key }))),
    each((Key) => read(Key).catch((error: Error) => assert.match(error.name, /^(NoSuchKey|SlowDown|TimeoutError)$/))),
  ]);
  await cloud.settle();
  assert.ok(reads > 20, `${reads} reads of whole objects`);
  for (const key of keys) writeFileSync(`${directory}/${key}`, `the last of ${key}`);
  await cloud.settle();
  for (const key of keys) assert.equal(await read(key), `the last of ${key}`);
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
  assert.deepEqual(
    Contents.map(({ Key }) => Key),
    keys,
  );
});

/** A function that logs what it is told. */
async function makeSink(of: LambdaCloud): Promise<void> {
  await of.createBash("sink", 'echo "got $1" >&2; echo null');
  await of.lambda.send(
    new AddPermissionCommand({
      FunctionName: "sink",
      StatementId: "s3",
      Action: "lambda:InvokeFunction",
      Principal: "s3.amazonaws.com",
      SourceAccount: ACCOUNT,
    }),
  );
}

const tellSink = (of: TestCloud, Bucket: string) =>
  of.client(S3Client).send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: {
        LambdaFunctionConfigurations: [
          { LambdaFunctionArn: arnOf("sink"), Events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"] },
        ],
      },
    }),
  );

const SIGNS: Readonly<Record<string, string>> = {
  "ObjectCreated:Put": "+",
  "ObjectRemoved:Delete": "-",
  "ObjectRemoved:DeleteMarkerCreated": "!",
};

/** What the function was told of a bucket. */
function eventsOf(of: TestCloud, bucket: string): string[] {
  const folder = `${of.aws.config.dir}/logs/lambda/sink`;
  if (!existsSync(folder)) return []; // it was told nothing yet
  const lines = readdirSync(folder).flatMap((day) => readFileSync(`${folder}/${day}`, "utf8").split("\n"));
  return lines
    .flatMap((line) => / got (.*)$/.exec(line)?.[1] ?? [])
    .flatMap((event) => JSON.parse(event).Records as Told[])
    .filter((told) => told.s3.bucket.name === bucket)
    .map(
      ({ eventName, s3: { object } }) => `${SIGNS[eventName]} ${decodeURIComponent(object.key.replaceAll("+", " "))}`,
    )
    .sort();
}

interface Told {
  readonly eventName: string;
  readonly s3: { readonly bucket: { readonly name: string }; readonly object: { readonly key: string } };
}
