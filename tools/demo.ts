// `make demo`: the story without a terminal. A workspace of its own, three dropped files, the chain of one, the rows. Exit code 0 when all is well.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "..");
const BIN = join(ROOT, "bin", "aws-like");
const START_LIMIT_MS = 20_000;
const LIMIT_MS = 60_000;

const run = promisify(execFile);
const home = await mkdtemp(join(tmpdir(), "aws-like-demo-"));
const workspace = join(home, "workspace");
let cloud: ChildProcess | undefined;
const timer = setTimeout(() => fail(new Error(`nothing came of it within ${LIMIT_MS / 1000} s`)), LIMIT_MS);
try {
  say(`aws-like init ${workspace}`);
  await cli("init", workspace);
  say("aws-like up");
  const endpoint = await start();

  say("cp hello.txt page.html data.json workspace/input/");
  const files = { "hello.txt": "hello, world\n", "page.html": "<h1>hello</h1>\n", "data.json": '{"hello":"world"}\n' };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(home, name), text);
    await copyFile(join(home, name), join(workspace, "input", name));
  }
  const rows = await rowsOf(workspace, Object.keys(files).length, endpoint);

  say("aws-like why input/hello.txt");
  console.log(await cli("why", join(workspace, "input", "hello.txt"), "--endpoint", endpoint));
  say("sqlite3 workspace/db.sqlite 'select name, size, content_type, sha256 from files'");
  console.table(rows);
  assert.deepEqual(rows.map(({ name }) => name).sort(), Object.keys(files).sort(), "each file has its row");
  console.log("\nit works: three files, three rows");
} catch (error) {
  fail(error as Error);
} finally {
  clearTimeout(timer);
  if (cloud && cloud.exitCode === null) {
    cloud.kill("SIGTERM");
    await once(cloud, "exit");
  }
  await rm(home, { recursive: true, force: true });
}

function say(text: string): void {
  console.log(`\n$ ${text}`);
}

function fail(error: Error): void {
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
  cloud?.kill("SIGTERM");
}

async function cli(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [BIN, ...args]);
  return stdout;
}

/** Resolves with the endpoint once the template is deployed. */
function start(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  cloud = spawn(process.execPath, [BIN, "up", "--dir", workspace, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const limit = setTimeout(() => reject(new Error("it did not start in time")), START_LIMIT_MS);
  let endpoint = "";
  createInterface({ input: cloud.stdout! }).on("line", (line) => {
    console.log(line);
    endpoint ||= / at (http:\S+),/.exec(line)?.[1] ?? "";
    if (/ template .* resources: /.test(line)) resolve(endpoint);
  });
  cloud.once("exit", (code) => reject(new Error(`it stopped with exit code ${code}`)));
  return promise.finally(() => clearTimeout(limit));
}

/** Resolves when there are `count` of them. */
async function rowsOf(dir: string, count: number, endpoint: string): Promise<Record<string, unknown>[]> {
  for (;;) {
    await fetch(`${endpoint}/_aws-like/settle`, { method: "POST" });
    using database = new DatabaseSync(join(dir, "db.sqlite"), { readOnly: true });
    const rows = database.prepare("SELECT name, size, content_type, sha256 FROM files ORDER BY name").all();
    if (rows.length >= count || process.exitCode) return rows;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
