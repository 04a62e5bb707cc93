// The story, as a user has it: the real command, a workspace of the example, files that are copied, tools that are not ours.
import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { ListQueuesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Upload as LargeUpload } from "@aws-sdk/lib-storage";
import { makeWorkspace, type Running, until, type Workspace } from "./running.ts";

const LIMIT = { timeout: 120_000 };
const EXAMPLE = import.meta.filename;
const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const has = (program: string): boolean => spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;

/** One line of the terminal: a time, who speaks, what. */
const LINE = /^(\d\d:\d\d:\d\d\.\d{3}) {2}(\S+) +(.*)$/;

test("a file that is copied into input/ becomes a row, a log and a chain of lines", LIMIT, async (t) => {
  await using workspace = await makeWorkspace();
  const cloud = await workspace.up();
  copyFileSync(EXAMPLE, workspace.at("input", "story.txt"));
  await cloud.settle();

  await t.test("the row says name, size, hash, type, version and time, to node:sqlite and to sqlite3 alike", () => {
    const bytes = readFileSync(EXAMPLE);
    const [row, ...more] = workspace.rows();
    assert.deepEqual(more, []);
    const { time, _item, ...rest } = row!;
    assert.deepEqual(rest, {
      name: "story.txt",
      size: bytes.length,
      sha256: sha256(bytes),
      content_type: "text/plain",
      version: "null",
    });
    assert.deepEqual(Object.keys(JSON.parse(String(_item))).sort(), [...Object.keys(rest), "time"].sort());
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    if (!has("sqlite3")) return void t.diagnostic("*** no sqlite3 on this machine: read with node:sqlite only ***");
    const json = execFileSync("sqlite3", ["-json", workspace.at("db.sqlite"), "select * from files"]);
    assert.deepEqual(JSON.parse(json.toString()), [{ ...row }]);
  });

  await t.test("the log is a text file in Lambda's own words", () => {
    const log = workspace.log();
    const words = ["START RequestId: ", "reading s3://input/story.txt", "story.txt: ", "END RequestId: ", "REPORT "];
    const places = words.map((word) => log.findIndex((line) => line.includes(word)));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
      log.join("\n"),
    );
    assert.ok(places[0]! >= 0, log.join("\n"));
    for (const line of log) assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /);
  });

  await t.test("the terminal shows event, START, END, REPORT and the item, timestamped and in order", async () => {
    await until("the last line is there", () => cloud.lines().some((line) => line.includes("REPORT RequestId")));
    const lines = cloud
      .lines()
      .map((line) => LINE.exec(line))
      .filter((found) => found !== null);
    const from = lines.findIndex(([, , , text]) => text!.startsWith("ObjectCreated:Put input/story.txt"));
    assert.ok(from >= 0, cloud.lines().join("\n"));
    const after = lines.slice(from);
    const at = (pattern: RegExp) => after.findIndex(([, , , text]) => pattern.test(text!));
    const found = [/^ObjectCreated/, /START RequestId/, /PutItem files .*story\.txt/, /END RequestId/, /REPORT/].map(
      at,
    );
    assert.equal(found[0], 0);
    assert.deepEqual(
      found,
      found.toSorted((a, b) => a - b),
      after.map(([line]) => line).join("\n"),
    );
    const times = after.map(([, time]) => time!);
    assert.deepEqual(times, times.toSorted(), "times ascend");
  });

  await t.test("why FILE shows the chain from the file to the row", async () => {
    for (const query of [workspace.at("input", "story.txt"), "story.txt"]) {
      const { code, stdout, stderr } = await cloud.cli("why", query);
      assert.equal(code, 0, stderr);
      const steps = [/ObjectCreated:Put input\/story\.txt/, /START RequestId/, /PutItem/, /END RequestId/];
      for (const step of steps) assert.match(stdout, step);
      assert.match(stdout, /\d ms/);
      const depth = (pattern: RegExp) => {
        const line = stdout
          .split("\n")
          .slice(1)
          .find((one) => pattern.test(one))!;
        return /ms {2}( *)/.exec(line)![1]!.length;
      };
      assert.ok(depth(/ObjectCreated/) < depth(/START/), stdout);
      assert.ok(depth(/START/) < depth(/PutItem/), stdout);
    }
    const nothing = await cloud.cli("why", "no-such-file.txt");
    assert.deepEqual([nothing.code, nothing.stderr], [1, "aws-like: nothing is recorded of no-such-file.txt\n"]);
  });
});

test("an upload by `aws s3 cp` fires the same event as a cp, one each, also a large one in parts", LIMIT, async (t) => {
  await using workspace = await makeWorkspace();
  const cloud = await workspace.up();
  const large = workspace.at("..", "large.bin");
  writeFileSync(large, Buffer.alloc(20 * 1024 ** 2, "large "));
  const upload = has("aws") ? byCli(cloud) : bySdk(cloud);
  if (!has("aws")) t.diagnostic("*** no aws CLI on this machine: the SDK uploads instead ***");

  copyFileSync(EXAMPLE, workspace.at("input", "by-cp.txt"));
  await upload(EXAMPLE, "by-api.txt");
  await upload(large, "by-parts.bin");
  await cloud.settle();

  assert.equal(workspace.starts(), 3, workspace.log().join("\n"));
  assert.deepEqual(readings(workspace), ["by-api.txt", "by-cp.txt", "by-parts.bin"]);
  const bytes = {
    "by-api.txt": readFileSync(EXAMPLE),
    "by-cp.txt": readFileSync(EXAMPLE),
    "by-parts.bin": readFileSync(large),
  };
  assert.deepEqual(
    Object.fromEntries(workspace.rows().map(({ name, sha256: sum }) => [name, sum])),
    Object.fromEntries(Object.entries(bytes).map(([name, of]) => [name, sha256(of)])),
  );
  for (const [name, of] of Object.entries(bytes)) assert.ok(readFileSync(workspace.at("input", name)).equals(of), name);
});

type Upload = (file: string, key: string) => Promise<unknown>;

const byCli =
  (cloud: Running): Upload =>
  (file, key) =>
    promisify(execFile)("aws", ["s3", "cp", "--no-progress", file, `s3://input/${key}`], {
      timeout: 60_000,
      env: awsEnvironment(cloud),
    });

const awsEnvironment = ({ endpoint }: Running): NodeJS.ProcessEnv => ({
  ...process.env,
  AWS_ENDPOINT_URL: endpoint,
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_DEFAULT_REGION: "us-east-1",
});

const bySdk = (cloud: Running): Upload => {
  const client = cloud.client(S3Client);
  return (file, Key) => new LargeUpload({ client, params: { Bucket: "input", Key, Body: readFileSync(file) } }).done();
};

/** The objects that the function was run for, sorted, repeated where it was run more than once. */
const readings = (workspace: Workspace): string[] =>
  workspace
    .log()
    .flatMap((line) => / reading s3:\/\/input\/(.*)$/.exec(line)?.[1] ?? [])
    .sort();

test("a file that was dropped while the cloud was down is picked up at the next start, once", LIMIT, async () => {
  await using workspace = await makeWorkspace();
  writeFileSync(workspace.at("input", "before-the-first-start"), "1");
  const first = await workspace.up();
  await first.settle();
  assert.deepEqual(readings(workspace), ["before-the-first-start"]);
  await first.stop();

  mkdirSync(workspace.at("input", "folder"));
  writeFileSync(workspace.at("input", "folder", "while-down"), "2");
  writeFileSync(workspace.at("input", "gone-again"), "3");
  rmSync(workspace.at("input", "gone-again"));
  const second = await workspace.up();
  await second.settle();
  assert.deepEqual(readings(workspace), ["before-the-first-start", "folder/while-down"]);
  assert.deepEqual(names(workspace), ["before-the-first-start", "folder/while-down"]);
  await second.stop();

  const third = await workspace.up();
  await third.settle();
  await third.stop();
  assert.equal(workspace.starts(), 2);
});

const names = (workspace: Workspace): unknown[] =>
  workspace
    .rows()
    .map(({ name }) => name)
    .sort();

test("names that a shell or JSON could stumble over have their rows like any other", LIMIT, async () => {
  await using workspace = await makeWorkspace();
  const cloud = await workspace.up();
  const dropped = [
    ...[
      "-rf",
      "a b+c%20d&e=f?.JPG",
      "ü \u{1F600}",
      "new\nline",
      "tab\tbell\x07esc\x1bdel\x7f\x01",
      "back\\slash",
      "x".repeat(250),
    ],
    ...["$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"quoted"', "*", "~", "é=e\u0301"],
  ];
  const uploaded = ["odd//key", "../up", "trailing/", "%2e%2e"];
  for (const name of dropped) writeFileSync(workspace.at("input", name), name);
  const s3 = cloud.client(S3Client);
  for (const Key of uploaded) await s3.send(new PutObjectCommand({ Bucket: "input", Key, Body: Key }));
  await cloud.settle();
  assert.deepEqual(
    Object.fromEntries(workspace.rows().map(({ name, sha256: sum }) => [name, sum])),
    Object.fromEntries([...dropped, ...uploaded].map((name) => [name, sha256(name)])),
  );
  assert.equal(workspace.starts(), dropped.length + uploaded.length);
});

test("editing lambda.sh takes effect at the next invocation, with no command", LIMIT, async () => {
  await using workspace = await makeWorkspace();
  const cloud = await workspace.up();
  const drop = async (name: string) => {
    writeFileSync(workspace.at("input", name), name);
    await cloud.settle();
  };
  const text = readFileSync(workspace.at("lambda.sh"), "utf8");
  await drop("first");
  // In place, as `cat >` and nano do; then by another file of its name, as vim does.
  writeFileSync(workspace.at("lambda.sh"), text.replace('echo "reading ', 'echo "EDITED reading '));
  await drop("second");
  writeFileSync(workspace.at("new"), text.replace('echo "reading ', 'echo "REPLACED reading '));
  renameSync(workspace.at("new"), workspace.at("lambda.sh"));
  await drop("third");
  const said = workspace.log().flatMap((line) => / ((?:\S+ )?reading s3:\S+)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(said, [
    "reading s3://input/first",
    "EDITED reading s3://input/second",
    "REPLACED reading s3://input/third",
  ]);
  assert.deepEqual(names(workspace), ["first", "second", "third"]);
});

test(
  "a function that breaks is loud, is tried twice more, and its event is a dead letter; mended, it serves the next file",
  LIMIT,
  async () => {
    await using workspace = await makeWorkspace();
    const cloud = await workspace.up();
    const whole = readFileSync(workspace.at("lambda.sh"), "utf8");
    writeFileSync(workspace.at("lambda.sh"), whole.replace("handler() {", "handler() {\n  exit 3"));
    writeFileSync(workspace.at("input", "unlucky"), "1");
    await cloud.settle();
    assert.equal(workspace.starts(), 1);
    const advanced = await cloud.cli("clock", "advance", "1m");
    assert.equal(advanced.code, 0, advanced.stderr);
    assert.equal(workspace.starts(), 2);
    await cloud.cli("clock", "advance", "2m");
    assert.equal(workspace.starts(), 3);
    const loud = () => cloud.lines().filter((line) => / ERROR delivery \d to .*:function:files failed: /.test(line));
    await until("each failure is a loud line", () => loud().length === 3);

    const sqs = cloud.client(SQSClient);
    const { QueueUrls } = await sqs.send(new ListQueuesCommand({}));
    const { Messages } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: QueueUrls![0]!, MaxNumberOfMessages: 10, MessageAttributeNames: ["All"] }),
    );
    assert.deepEqual(
      Messages?.map(({ Body }) => JSON.parse(Body!).Records[0].s3.object.key),
      ["unlucky"],
    );
    const { ErrorCode, ErrorMessage, RequestID } = Messages![0]!.MessageAttributes!;
    assert.equal(ErrorCode?.StringValue, "200");
    assert.match(ErrorMessage?.StringValue ?? "", /exit status 3$/);
    assert.ok(workspace.log().some((line) => line.includes(`START RequestId: ${RequestID?.StringValue} `)));

    writeFileSync(workspace.at("lambda.sh"), whole);
    writeFileSync(workspace.at("input", "lucky"), "2");
    await cloud.settle();
    assert.deepEqual(names(workspace), ["lucky"]);
    assert.equal(workspace.starts(), 4);
  },
);

test("the aws command does in the workspace what it does on AWS", LIMIT, async (t) => {
  if (!has("aws")) return t.skip("*** no aws CLI on this machine ***");
  await using workspace = await makeWorkspace();
  const cloud = await workspace.up();
  writeFileSync(workspace.at("input", "cat.txt"), "meow\n");
  const large = Buffer.alloc(30 * 1024 ** 2, "large ");
  writeFileSync(workspace.at("..", "large"), large);
  await cloud.settle();
  const aws = async (...args: string[]) =>
    (await promisify(execFile)("aws", args, { cwd: workspace.at(".."), env: awsEnvironment(cloud), timeout: 60_000 }))
      .stdout;

  const [ls, scan, functions, attributes, invoked] = await Promise.all([
    aws("s3", "ls", "s3://input/"),
    aws("dynamodb", "scan", "--table-name", "files", "--output", "json"),
    aws("lambda", "list-functions", "--query", "Functions[].FunctionName", "--output", "text"),
    aws(
      ...["s3api", "get-object-attributes", "--bucket", "input", "--key", "cat.txt"],
      ...["--object-attributes", "ObjectSize", "ETag", "--output", "json"],
    ),
    aws(...["lambda", "invoke", "--function-name", "files", "--output", "json", "answer.json"]),
    aws("s3", "cp", "--no-progress", "large", "s3://input/large"),
  ]);
  assert.match(ls, / 5 cat\.txt\n$/);
  assert.equal(JSON.parse(scan).Items[0].name.S, "cat.txt");
  assert.equal(functions.trim(), "files");
  const { ObjectSize, ETag } = JSON.parse(attributes);
  assert.deepEqual([ObjectSize, ETag], [5, createHash("md5").update("meow\n").digest("hex")]);
  // It is given {} and says that this is no event of S3.
  assert.deepEqual(JSON.parse(invoked), { StatusCode: 200, FunctionError: "Unhandled", ExecutedVersion: "$LATEST" });
  assert.match(JSON.parse(readFileSync(workspace.at("..", "answer.json"), "utf8")).errorMessage, /no event of S3/);

  await Promise.all([
    aws("s3", "cp", "--no-progress", "s3://input/large", "again"),
    aws("s3", "rm", "s3://input/cat.txt"),
  ]);
  assert.ok(readFileSync(workspace.at("..", "again")).equals(large));
  assert.ok(readFileSync(workspace.at("input", "large")).equals(large));
  assert.deepEqual(readdirSync(workspace.at("input")), ["large"]);
});

test("a snapshot brings the state back and fires nothing; a reset finds the files again as new", LIMIT, async () => {
  await using workspace = await makeWorkspace();
  const cloud = await workspace.up();
  const command = async (...args: string[]) => {
    const { code, stdout, stderr } = await cloud.cli(...args);
    assert.equal(code, 0, stderr);
    await cloud.settle();
    return stdout;
  };
  writeFileSync(workspace.at("input", "kept"), "kept");
  await cloud.settle();
  const saved = workspace.rows();
  await command("snapshot", "save", "one");
  assert.match(await command("snapshot", "list"), / one$/m);

  writeFileSync(workspace.at("input", "kept"), "changed");
  writeFileSync(workspace.at("input", "later"), "later");
  await cloud.settle();
  assert.deepEqual(names(workspace), ["kept", "later"]);
  assert.equal(workspace.starts(), 3);

  await command("snapshot", "restore", "one");
  assert.deepEqual(workspace.rows(), saved);
  assert.deepEqual(readdirSync(workspace.at("input")), ["kept"]);
  assert.equal(readFileSync(workspace.at("input", "kept"), "utf8"), "kept");
  assert.equal(workspace.starts(), 3, "no event for what was restored");
  writeFileSync(workspace.at("input", "after"), "after");
  await cloud.settle();
  assert.deepEqual(names(workspace), ["after", "kept"]);
  assert.equal(workspace.starts(), 4);

  await cloud.client(S3Client).send(new CreateBucketCommand({ Bucket: "mine" }));
  await command("reset");
  const { Buckets } = await cloud.client(S3Client).send(new ListBucketsCommand({}));
  assert.deepEqual(Buckets?.map(({ Name }) => Name).sort(), ["archive", "input"]);
  assert.deepEqual(names(workspace), ["after", "kept"]);
  assert.equal(workspace.starts(), 6, "each file of input/ is new to the new world");
});
