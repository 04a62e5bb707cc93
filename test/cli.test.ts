// The command line: the real bin in processes of its own. What goes wrong is one clear sentence and exit code 1.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { durationMs } from "../src/cli/clock.ts";
import { format } from "../src/cli/terminal.ts";
import { tree } from "../src/cli/why.ts";
import { launch, type Ran, run, temporary, up } from "./bin.ts";

/** One sentence on stderr, nothing else, exit code 1. */
function assertRefused({ code, stdout, stderr }: Ran, sentence: RegExp): void {
  assert.equal(code, 1, stdout + stderr);
  assert.match(stderr, /^aws-like: [^\n]+\n$/);
  assert.match(stderr, sentence);
}

const COMMANDS = [
  "up",
  "init",
  "why",
  "policy",
  "logs",
  "clock",
  "snapshot",
  "sync",
  "fsck",
  "queue",
  "send",
  "events",
  "chaos",
  "doctor",
  "reset",
  "env",
  "version",
];

test("--help lists every command, and each has a --help of its own", async () => {
  const { code, stdout } = await run(["--help"]);
  assert.equal(code, 0);
  for (const name of COMMANDS) assert.match(stdout, new RegExp(`^  ${name} `, "m"));
  for (const name of COMMANDS) {
    const help = await run([name, "--help"]);
    assert.equal(help.code, 0);
    assert.match(help.stdout, new RegExp(`^usage: aws-like ${name}`));
  }
});

test("version says the versions of aws-like and of its Node", async () => {
  const { stdout } = await run(["version"]);
  assert.match(stdout, /^aws-like \d+\.\d+\.\d+ \(node v\d+\.\d+\.\d+\)\n$/);
});

test("a reader that has enough ends the command quietly", () => {
  const bin = join(import.meta.dirname, "../bin/aws-like");
  const shell = spawnSync("bash", ["-o", "pipefail", "-c", `"${process.execPath}" "${bin}" --help | true`]);
  assert.deepEqual([shell.status, String(shell.stderr)], [0, ""]);
});

test("env prints exports that a shell takes", async () => {
  const { stdout } = await run(["env", "--port", "4999", "--region", "eu-west-1"]);
  const shell = spawnSync("sh", ["-c", `${stdout}\necho "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_DEFAULT_REGION"`]);
  assert.equal(String(shell.stdout), "http://localhost:4999 test eu-west-1\n");
});

test("init makes a workspace from the example, and leaves what is there alone", async () => {
  await using it = await temporary();
  const dir = join(it.dir, "workspace");
  assert.equal((await run(["init", dir])).code, 0);
  assert.deepEqual((await readdir(dir)).sort(), [
    ...["Makefile", "README.md", "aws", "input", "lambda.sh", "s3sync.sh", "template.yaml"],
  ]);
  assert.deepEqual(await readdir(join(dir, "input")), [], "nothing in it that would be an object");
  assertRefused(await run(["init", dir]), /is not empty$/m);
  assertRefused(await run(["init"]), /say which directory to make/);
});

/** Arguments that are refused before anything is started. */
const refused: readonly (readonly [what: string, args: readonly string[], sentence: RegExp])[] = [
  ["a command that is none", ["nope"], /there is no command nope; aws-like --help lists them/],
  ["an option that is none", ["up", "--nope"], /Unknown option '--nope'/],
  ["a port that is none", ["up", "--port", "http"], /--port is a number from 0 to 65535, not http/],
  [
    "a sandbox that is none",
    ["up", "--sandbox", "docker"],
    /--sandbox is one of auto, bwrap, unshare, landlock, none, not docker/,
  ],
  ["processors that are none", ["up", "--cpu", "2"], /--cpu is one of host, aws, not 2/],
  ["delays that are none", ["up", "--delays", "long"], /--delays is one of none, real, not long/],
  [
    "bucket defaults that are none",
    ["up", "--bucket-defaults", "open"],
    /--bucket-defaults is one of secure, classic, not open/,
  ],
  ["a durability that is none", ["up", "--durability", "eventual"], /--durability is one of full, fast, not eventual/],
  ["a database that is none", ["up", "--database", "mysql://x"], /is postgres:\/\/\.\.\., not mysql:\/\/x/],
  ["a parameter without a value", ["up", "--parameter", "A"], /--parameter is NAME=VALUE, not A/],
  ["a host that is open to others without a secret", ["up", "--host", "0.0.0.0"], /set AWS_LIKE_ROOT_SECRET/],
  ["everyone as root, open to others", ["up", "--host", "0.0.0.0", "--relaxed"], /for loopback only/],
  [
    "a directory that is not there",
    ["up", "--dir", "/nowhere"],
    /there is no directory \/nowhere; make one with: aws-like init/,
  ],
  ["a directory that is a file", ["up", "--dir", "/etc/passwd"], /\/etc\/passwd is not a directory/],
  ["accounts that are not there", ["up", "--accounts", "/nowhere"], /--accounts \/nowhere: ENOENT/],
  ["a clock's word that is none", ["clock", "jump"], /say: clock, clock advance 7d/],
  ["a duration that is none", ["clock", "advance", "soon"], /soon is no duration; say 90s/],
  ["a snapshot without a name", ["snapshot", "save"], /say: snapshot save NAME/],
  ["why without a question", ["why"], /say what to explain/],
  ["why of a name and the last denied", ["why", "x", "--last-denied"], /a name or --last-denied, not both/],
  ["why of a name and a principal", ["why", "x", "--principal", "alice"], /--principal goes with --last-denied/],
  ["policy without suggest", ["policy"], /say: policy suggest --principal NAME/],
  ["policy for nobody", ["policy", "suggest"], /say for whom: --principal NAME/],
  ["policy since no time", ["policy", "suggest", "--principal", "a", "--since", "ever"], /ever is no duration/],
  ["logs where there are none", ["logs", "--dir", "/"], /there are no logs in \/logs\/lambda; say --dir WORKSPACE/],
  [
    "a cloud that does not run",
    ["clock", "--endpoint", "http://localhost:9"],
    /no aws-like answers at http:\/\/localhost:9/,
  ],
];

for (const [what, args, sentence] of refused)
  test(`refused in one sentence: ${what}`, async () => assertRefused(await run(args), sentence));

test("a port that is taken is told", async () => {
  await using it = await temporary();
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  assertRefused(
    await run(["up", "--dir", it.dir, "--port", String(port)]),
    /port \d+ is taken; stop what listens there, or say --port/,
  );
  server.close();
});

test("a directory that is not writable is told", async () => {
  await using it = await temporary();
  await chmod(it.dir, 0o555);
  // Root may write anywhere but where nobody can.
  const [dir, sentence] =
    process.getuid!() === 0 ? ["/proc", /\/proc is not writable \(E\w+\)/] : [it.dir, /is not writable/];
  assertRefused(await run(["up", "--dir", dir as string, "--port", "0"]), sentence as RegExp);
});

test("a database that is damaged is told, and left as it is", async () => {
  await using it = await temporary();
  await writeFile(join(it.dir, "db.sqlite"), "this is no database, and was never one");
  assertRefused(await run(["up", "--dir", it.dir, "--port", "0"]), /db\.sqlite is damaged, or is no SQLite database/);
  assert.match(await readFile(join(it.dir, "db.sqlite"), "utf8"), /^this is no database/);
});

test("a template that is wrong is told with its line", async () => {
  await using it = await temporary();
  await writeFile(join(it.dir, "template.yaml"), "Resources:\n  A:\n    Type: AWS::Foo::Bar\n");
  assertRefused(
    await run(["up", "--dir", it.dir, "--port", "0"]),
    /template\.yaml:2: Resources\.A: aws-like does not understand the type AWS::Foo::Bar/,
  );
});

test("a workspace has one cloud: a second one is told so", async () => {
  await using it = await temporary();
  await using _ = await up(it.dir);
  assertRefused(await run(["up", "--dir", it.dir, "--port", "0"]), /another aws-like runs in /);
});

test("too few inotify watches are told with the remedy, and files are found all the same", async (t) => {
  // The limit is each user namespace's own, so it can be lowered here without touching the machine's.
  const lower = ["unshare", "-Ur", "sh", "-c", 'echo 4 > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"];
  if (spawnSync(lower[0]!, [...lower.slice(1), "true"]).status !== 0) return t.skip("no user namespaces here");
  await using it = await temporary();
  for (const name of ["a", "b", "c", "d", "e", "f"]) await mkdir(join(it.dir, "input", name), { recursive: true });
  await writeFile(
    join(it.dir, "template.yaml"),
    "Resources: { B: { Type: AWS::S3::Bucket, Metadata: { AwsLike: { Directory: ./input } } } }\n",
  );
  await using cloud = await up(it.dir, ["--sandbox", "none"], lower);
  await cloud.until(/WARN .*sysctl fs\.inotify\.max_user_watches=\d+/);
  await cloud.until(/template +1 resources: made B/);
  await writeFile(join(it.dir, "input", "f", "late.txt"), "x");
  await cloud.until(/ObjectCreated:Put input\/f\/late\.txt/);
});

test("up says where it listens and what to export, shows what happens, and stops at SIGTERM", async () => {
  await using it = await temporary();
  await writeFile(
    join(it.dir, "template.yaml"),
    "Resources: { B: { Type: AWS::S3::Bucket, Metadata: { AwsLike: { Directory: ./input } } } }\n",
  );
  await using cloud = await up(it.dir);
  await cloud.until(/template +1 resources: made B/);
  assert.match(cloud.said(), /^aws-like \d\S+ at http:\/\/127\.0\.0\.1:\d+, workspace \//);
  assert.match(cloud.said(), /^export AWS_ENDPOINT_URL=http:\/\/localhost:\d+ AWS_ACCESS_KEY_ID=test /m);
  assert.match(cloud.said(), /^functions run in /m);
  await writeFile(join(it.dir, "input", "cat.txt"), "meow");
  await cloud.until(/^\d\d:\d\d:\d\d\.\d{3} {2}s3 {8}ObjectCreated:Put input\/cat\.txt \(4 bytes, text\/plain\)$/m);
  assert.equal(await cloud.stop("SIGTERM"), 0);
  assert.match(cloud.said(), /\nstopping\n$/);
  assert.ok(!cloud.said().includes("\x1b"), "no colours where there is no terminal");
});

test("the control commands speak to a running cloud", async () => {
  await using it = await temporary();
  await writeFile(
    join(it.dir, "template.yaml"),
    "Resources: { B: { Type: AWS::S3::Bucket, Metadata: { AwsLike: { Directory: ./input } } } }\n",
  );
  await using cloud = await up(it.dir);
  await cloud.until(/made B/);
  const ask = (...args: string[]) => run([...args, "--endpoint", cloud.endpoint], { cwd: it.dir });
  const said = async (...args: string[]) => {
    const ran = await ask(...args);
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim();
  };

  const before = Date.parse(await said("clock", "freeze", "2030-01-01T00:00:00Z"));
  assert.equal(new Date(before).toISOString(), "2030-01-01T00:00:00.000Z");
  assert.equal(await said("clock", "advance", "1d12h"), "2030-01-02T12:00:00.000Z");
  await said("clock", "resume");

  await writeFile(join(it.dir, "input", "kept.txt"), "one");
  await cloud.until(/ObjectCreated:Put input\/kept\.txt/);
  assert.match(await said("why", "input/kept.txt"), /s3 +ObjectCreated:Put input\/kept\.txt \(3 bytes, text\/plain\)/);
  assert.match(await said("why", join(it.dir, "input/kept.txt")), /ObjectCreated:Put input\/kept\.txt/);
  assertRefused(await ask("why", "nothing-of-this-name"), /nothing is recorded of nothing-of-this-name/);

  assert.equal(await said("snapshot", "save", "first"), "saved first");
  await writeFile(join(it.dir, "input", "kept.txt"), "two");
  assert.match(await said("snapshot", "list"), /^\d{4}-\S+ {2}first$/);
  assert.equal(await said("snapshot", "restore", "first"), "restored first");
  assert.equal(await readFile(join(it.dir, "input", "kept.txt"), "utf8"), "one");
  assertRefused(await ask("snapshot", "restore", "second"), /there is no snapshot second/);

  assert.equal(await said("reset"), "reset");
  assert.ok(existsSync(join(it.dir, "input", "kept.txt")), "files of a mapped directory stay");
  assert.ok(cloud.said().split("made B").length === 3, "the template was deployed again");
});

test("logs prints the functions' log files without a running cloud", async () => {
  await using it = await temporary();
  const folder = join(it.dir, "logs", "lambda", "files");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "2030-01-01.log"), "2030-01-01T00:00:00.000Z START\n2030-01-01T00:00:01.000Z END\n");
  const { stdout } = await run(["logs", "--dir", it.dir]);
  assert.equal(stdout, "files  2030-01-01T00:00:00.000Z START\nfiles  2030-01-01T00:00:01.000Z END\n");
  assert.match((await run(["logs", "--dir", it.dir, "files"])).stdout, /^2030-01-01T00:00:00\.000Z START\n/);
  assertRefused(await run(["logs", "--dir", it.dir, "nope"]), /there is no log of a function nope/);
});

test("logs -f follows a log, and prints whole lines only", async () => {
  await using it = await temporary();
  const folder = join(it.dir, "logs", "lambda", "files");
  await mkdir(folder, { recursive: true });
  const log = join(folder, "2030-01-01.log");
  await writeFile(log, "one\n");
  await using follower = await launch(["logs", "-f", "--dir", it.dir, "files"]);
  await follower.until(/^one\n$/);
  await appendFile(log, "two\nthr");
  await follower.until(/^one\ntwo\n$/);
  await appendFile(log, "ee\n");
  await follower.until(/^one\ntwo\nthree\n$/);
});

test("doctor says the sandbox's rungs, the inotify limits, the disk and the interpreters", async () => {
  await using it = await temporary();
  const { stdout } = await run(["doctor", "--dir", it.dir]);
  for (const what of ["node", "port", "workspace", "inotify", "sandbox", "bash", "python3", "postgresql"])
    assert.match(stdout, new RegExp(`^(ok|warn|bad) +${what} `, "m"));
  assert.match(stdout, /functions run in this one/);
});

test("durations are sums of numbers with units", () => {
  assert.equal(durationMs("1d12h"), 129_600_000);
  assert.equal(durationMs("1.5s"), 1_500);
  assert.throws(() => durationMs("7 days"), /no duration/);
});

test("the chain of why is a tree: each below what caused it, in the order of time", () => {
  const lines = tree([
    { at: 1000, level: "info", id: "a", from: "s3", text: "ObjectCreated" },
    { at: 1001, level: "debug", id: "b", cause: "a", from: "lambda", text: "Invoke", fields: { tookMs: 3 } },
    {
      at: 1002,
      level: "debug",
      id: "c",
      cause: "b",
      from: "dynamodb",
      text: "PutItem",
      fields: { decision: "policy p" },
    },
    { at: 1003, level: "error", id: "b", cause: "a", from: "lambda", text: "failed" },
  ]);
  assert.deepEqual(lines.slice(1), [
    "     +0 ms  s3        ObjectCreated  a",
    "     +1 ms    lambda    Invoke  (3 ms)  b",
    "     +2 ms      dynamodb  PutItem  (policy p)  c",
    "     +3 ms    lambda    ERROR failed",
  ]);
});

test("an entry of several lines stays in its column; an error is loud", () => {
  const text = format({ at: 0, level: "error", id: "x", from: "lambda", text: "one\ntwo\n" }, false);
  assert.equal(text, `00:00:00.000  lambda    ERROR one\n${" ".repeat(24)}two`);
});
