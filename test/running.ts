// The real command in a process of its own, in a workspace of a test's own: what a user has, and what can be killed.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type ClientConfig, type Key, ROOT } from "./cloud.ts";

export const BIN = join(import.meta.dirname, "..", "bin", "aws-like");
/** Far beyond what an idle machine needs: what passes it has hung. */
const LIMIT_MS = 60_000;
const POLL_MS = 25;

const run = promisify(execFile);

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Another command of the binary, to its end. */
export async function cli(...args: string[]): Promise<Ended> {
  const child = run(process.execPath, [BIN, ...args], { timeout: LIMIT_MS });
  return await child.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

export interface Workspace extends AsyncDisposable {
  readonly dir: string;
  /** A path in it. */
  at(...path: string[]): string;
  /** `aws-like up`; resolves when the template is deployed, or where there is none, when it listens. Killed with the workspace. */
  up(...args: string[]): Promise<Running>;
  /** What the view named as the table shows, read as any SQLite tool reads it. */
  rows(table?: string): Row[];
  /** The function's log, all days. */
  log(name?: string): string[];
  /** `START` lines: how often a function was run. */
  starts(name?: string): number;
}

export type Row = Readonly<Record<string, string | number | null>>;

export interface Running {
  readonly endpoint: string;
  readonly pid: number;
  /** What it wrote on stdout so far, a line each. */
  readonly lines: readonly string[];
  client<C>(type: new (config: ClientConfig) => C, as?: Key): C;
  /** Everything that is due has happened, and every file that was seen is in its bucket. */
  settle(): Promise<void>;
  /** Of the control API: the parsed answer. */
  control(path: string, body?: object): Promise<Record<string, unknown>>;
  /** `aws-like COMMAND` told of this cloud. */
  cli(...args: string[]): Promise<Ended>;
  /** Its whole process is gone when this resolves, as in a power cut. */
  kill(): Promise<void>;
  /** As Ctrl-C does. */
  stop(): Promise<void>;
}

/** `init`: from the example, by the command itself. Else an empty directory. */
export async function makeWorkspace({ init = true } = {}): Promise<Workspace> {
  const home = mkdtempSync(join(tmpdir(), "aws-like-story-"));
  const dir = join(home, "workspace");
  const at = (...path: string[]) => join(dir, ...path);
  const running = new Set<Running>();
  if (init) {
    const made = await cli("init", dir);
    assert.equal(made.code, 0, made.stderr);
  } else mkdirSync(dir);
  const log = (name = "files") => {
    const folder = at("logs", "lambda", name);
    const days = existsSync(folder) ? readdirSync(folder).sort() : [];
    return days.flatMap((day) => readFileSync(join(folder, day), "utf8").split("\n").slice(0, -1));
  };
  return {
    dir,
    at,
    async up(...args) {
      const one = await start(dir, args, existsSync(at("template.yaml")));
      running.add(one);
      return one;
    },
    rows(table = "files") {
      using database = new DatabaseSync(at("db.sqlite"), { readOnly: true });
      database.exec("PRAGMA busy_timeout = 5000");
      return database.prepare(`SELECT * FROM "${table}"`).all() as Row[];
    },
    log,
    starts: (name) => log(name).filter((line) => / START RequestId: /.test(line)).length,
    async [Symbol.asyncDispose]() {
      for (const one of running) await one.kill();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function start(dir: string, args: readonly string[], hasTemplate: boolean): Promise<Running> {
  const child = spawn(process.execPath, [BIN, "up", "--dir", dir, "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const clients: { destroy(): void }[] = [];
  const exited = once(child, "close"); // its last lines have been read, too
  const output = createInterface({ input: child.stdout });
  output.on("line", (line) => lines.push(line));
  const end = async (signal: NodeJS.Signals) => {
    for (const client of clients) client.destroy();
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  const started = hasTemplate ? / template +\d+ resources: / : /^export AWS_ENDPOINT_URL=/;
  try {
    await until("it starts", () => {
      assert.equal(child.exitCode, null, `it ended: ${lines.join("\n")}\n${stderr}`);
      return lines.some((line) => started.test(line));
    });
  } catch (error) {
    await end("SIGKILL");
    throw error;
  }
  const endpoint = /AWS_ENDPOINT_URL=(\S+)/.exec(lines.find((line) => line.startsWith("export"))!)![1]!;
  const control = async (path: string, body?: object) => {
    const request = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${endpoint}/_aws-like/${path}`, { ...request, signal: AbortSignal.timeout(LIMIT_MS) });
    const json = (await answer.json()) as Record<string, unknown>;
    assert.equal(answer.status, 200, JSON.stringify(json));
    return json;
  };
  return {
    endpoint,
    pid: child.pid!,
    lines,
    client(type, as = ROOT) {
      const config = { endpoint, region: "us-east-1", credentials: as, maxAttempts: 1, forcePathStyle: true };
      const client = new type(config);
      clients.push(client as { destroy(): void });
      return client;
    },
    settle: async () => {
      await control("settle", {});
    },
    control,
    cli: (...given) => cli(...given, "--endpoint", endpoint),
    kill: () => end("SIGKILL"),
    stop: async () => {
      await end("SIGTERM");
      assert.equal(child.exitCode, 0, stderr);
    },
  };
}

/** Looks again and again; fails by its own name where it does not come true in time. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, limitMs = LIMIT_MS): Promise<void> {
  for (const began = performance.now(); !(await isTrue()); await sleep(POLL_MS))
    assert.ok(performance.now() - began < limitMs, `within ${limitMs / 1000} s: ${what}`);
}
