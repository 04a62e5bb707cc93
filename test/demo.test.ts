// The story, in the example workspace, with the real command: what a trainee does and sees.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { promisify } from "node:util";
import { run, temporary, type Up, up } from "./bin.ts";

const ROOT = join(import.meta.dirname, "..");
/** Bounded: a machine that others use too. */
const LIMIT_MS = 90_000;

/** A new workspace from the example. */
async function workspace() {
  const it = await temporary();
  const dir = join(it.dir, "workspace");
  const made = await run(["init", dir]);
  assert.equal(made.code, 0, made.stderr);
  return { dir, input: join(dir, "input"), [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() };
}

async function started(dir: string, args: readonly string[] = []): Promise<Up> {
  const cloud = await up(dir, args);
  await cloud.until(/template +\d+ resources: /);
  return cloud;
}

const settle = async ({ endpoint }: Up) => void (await fetch(`${endpoint}/_aws-like/settle`, { method: "POST" }));

interface Row {
  readonly name: string;
  readonly size: number;
  readonly content_type: string;
  readonly sha256: string;
}

function rowsOf(dir: string): Row[] {
  using database = new DatabaseSync(join(dir, "db.sqlite"), { readOnly: true, timeout: 5_000 });
  return database.prepare("SELECT * FROM files ORDER BY name").all() as unknown as Row[];
}

async function untilRows(cloud: Up, dir: string, count: number): Promise<Row[]> {
  for (const end = performance.now() + LIMIT_MS; ; ) {
    await settle(cloud);
    const rows = rowsOf(dir);
    if (rows.length >= count) return rows;
    assert.ok(performance.now() < end, `${rows.length} of ${count} rows:\n${cloud.said().slice(-4_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const countOf = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

test("make demo plays the story: three files, three rows", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, "tools/demo.ts")], { timeout: LIMIT_MS });
  assert.match(stdout, /it works: three files, three rows/);
  assert.match(stdout, /dynamodb +dynamodb:PutItem allowed/);
});

test("a dropped file becomes a row: name, size, hash, content type; whatever its name", async () => {
  await using it = await workspace();
  await using cloud = await started(it.dir);
  const names = ['a "quoted" \\name.txt', "sub folder/ünïcödé ~*(1)+&=%20.html", "#hash?.json", "plain"];
  await mkdir(join(it.input, "sub folder"));
  for (const name of names) await writeFile(join(it.input, name), "hello\n");
  const rows = await untilRows(cloud, it.dir, names.length);
  assert.deepEqual(rows.map(({ name }) => name).sort(), names.toSorted());
  for (const { name, size, sha256 } of rows) {
    assert.equal(Number(size), 6, name);
    assert.equal(sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  }
  assert.deepEqual(Object.fromEntries(rows.map(({ name, content_type }) => [name.at(-1), content_type])), {
    t: "text/plain",
    l: "text/html",
    n: "application/json",
    ...{ [names[3]!.at(-1)!]: rows.find(({ name }) => name === "plain")!.content_type },
  });
});

test("what was dropped while the cloud was down is picked up at the next start, once", async () => {
  await using it = await workspace();
  {
    await using cloud = await started(it.dir);
    await writeFile(join(it.input, "before.txt"), "1");
    await untilRows(cloud, it.dir, 1);
    assert.equal(await cloud.stop(), 0);
  }
  await writeFile(join(it.input, "while-down.txt"), "2");
  {
    await using cloud = await started(it.dir);
    await untilRows(cloud, it.dir, 2);
    await settle(cloud);
    assert.equal(countOf(cloud.said(), /ObjectCreated/g), 1, cloud.said());
    assert.match(cloud.said(), /8 resources: nothing to do/);
    await cloud.stop();
  }
  await using again = await started(it.dir);
  await settle(again);
  assert.equal(countOf(again.said(), /ObjectCreated|START/g), 0, again.said());
});

test("kill -9 in the middle of many drops loses none of them", async () => {
  await using it = await workspace();
  const names = Array.from({ length: 40 }, (_, i) => `file-${i}.txt`);
  {
    await using cloud = await started(it.dir);
    for (const name of names.slice(0, 25)) await writeFile(join(it.input, name), name);
    await cloud.until(/END RequestId/);
    await cloud.stop("SIGKILL");
  }
  for (const name of names.slice(25)) await writeFile(join(it.input, name), name);
  await using cloud = await started(it.dir);
  const rows = await untilRows(cloud, it.dir, names.length);
  assert.deepEqual(rows.map(({ name }) => name).sort(), names.toSorted());
});

test("an edit of lambda.sh takes effect at the next invocation, with no command", async () => {
  await using it = await workspace();
  await using cloud = await started(it.dir);
  await writeFile(join(it.input, "one.txt"), "1");
  await untilRows(cloud, it.dir, 1);
  const file = join(it.dir, "lambda.sh");
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace('echo "reading s3://', 'echo "EDITED s3://'));
  await writeFile(join(it.input, "two.txt"), "2");
  await cloud.until(/EDITED s3:\/\/input\/two\.txt/);
});

/** How a function may fail -> what is loud about it. */
const failures: readonly (readonly [what: string, code: string, loud: RegExp])[] = [
  ["a syntax error", "handler() {\n  if\n}\n", /syntax error/],
  ["an exit code", "handler() { echo 'it is broken' >&2; exit 3; }\n", /it is broken|exit status 3/],
  ["its time limit", "handler() { sleep 60; }\n", /Task timed out after 1\.00 seconds/],
  ["10 MB of output", "handler() { head -c 10000000 /dev/zero | tr '\\0' x; }\n", /ERROR|exceeded/],
];

for (const [what, code, loud] of failures)
  test(`a function that fails with ${what} is tried twice more and ends in the dead-letter queue; the next file is served`, async () => {
    await using it = await workspace();
    const template = join(it.dir, "template.yaml");
    await writeFile(template, (await readFile(template, "utf8")).replace("Timeout: 30", "Timeout: 1"));
    const file = join(it.dir, "lambda.sh");
    const good = await readFile(file, "utf8");
    await writeFile(file, code);
    await using cloud = await started(it.dir);
    await writeFile(join(it.input, "bad.txt"), "1");
    await cloud.until(loud);
    for (const wait of ["90s", "3m"]) {
      await settle(cloud);
      await run(["clock", "advance", wait, "--endpoint", cloud.endpoint]);
    }
    await settle(cloud);
    assert.equal(countOf(cloud.said(), /ERROR delivery [123] to \S+:function:files failed/g), 3, cloud.said());
    assert.match(await deadLetter(cloud), /bad\.txt/);
    await writeFile(file, good.replace("set -euo pipefail", "set -euo pipefail # mended"));
    await writeFile(join(it.input, "good.txt"), "2");
    const rows = await untilRows(cloud, it.dir, 1);
    assert.deepEqual(
      rows.map(({ name }) => name),
      ["good.txt"],
    );
  });

/** The body of the one message in the queue of what failed. */
async function deadLetter({ endpoint }: Up): Promise<string> {
  const { SQSClient, ListQueuesCommand, ReceiveMessageCommand } = await import("@aws-sdk/client-sqs");
  const sqs = new SQSClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  try {
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: "workspace-Failed" }));
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: QueueUrls[0] }));
    assert.equal(Messages.length, 1);
    return Messages[0]!.Body!;
  } finally {
    sqs.destroy();
  }
}

test("with the parameter Archive=yes the function moves what it has seen to the archive", async () => {
  await using it = await workspace();
  await using cloud = await started(it.dir, ["--parameter", "Archive=yes"]);
  await mkdir(join(it.input, "a folder"));
  await writeFile(join(it.input, "a folder", "b c.txt"), "moved\n");
  await cloud.until(/moved to s3:\/\/archive\//);
  await settle(cloud);
  assert.equal(await readFile(join(it.dir, "archive", "a folder", "b c.txt"), "utf8"), "moved\n");
  assert.deepEqual(
    rowsOf(it.dir).map(({ name }) => name),
    ["a folder/b c.txt"],
  );
});

test("s3sync.sh moves what is in the table into the archive bucket, and passes its own tests", async (t) => {
  if (spawnSync("rsync", ["--version"]).status !== 0 || spawnSync("sqlite3", ["--version"]).status !== 0)
    return t.skip("rsync or sqlite3 is not installed");
  await using it = await workspace();
  const script = join(it.dir, "s3sync.sh");
  await chmod(script, 0o755);
  const tested = spawnSync(script, ["--test"], { encoding: "utf8" });
  assert.equal(tested.status, 0, tested.stderr);
  await using cloud = await started(it.dir);
  await writeFile(join(it.input, "seen.txt"), "seen");
  await untilRows(cloud, it.dir, 1);
  assert.equal(spawnSync(script, { cwd: it.dir, encoding: "utf8" }).stdout, "seen.txt\n");
  await cloud.until(/ObjectCreated:Put archive\/seen\.txt/);
  await settle(cloud);
  assert.deepEqual(await readdir(it.input), []);
  assert.equal(countOf(cloud.said(), /ObjectCreated:Put archive/g), 1, "rsync's temporary name is no object");
});

test("the example's own tests pass: make test", async () => {
  await using it = await workspace();
  const made = spawnSync("make", ["-C", it.dir, "test"], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
});
