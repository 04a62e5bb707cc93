// A workspace of a test's own with the real command in it: what a user has, and what can be killed.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { type Ran, run, up } from "./bin.ts";
import { type ClientConfig, type Key, ROOT } from "./cloud.ts";

/** Far beyond what an idle machine needs: what passes it has hung. */
const LIMIT_MS = 60_000;
const POLL_MS = 25;

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
  /** What it wrote so far. */
  lines(): string[];
  client<C>(type: new (config: ClientConfig) => C, as?: Key): C;
  /** Everything that is due has happened, and every file that was seen is in its bucket. */
  settle(): Promise<void>;
  /** `aws-like COMMAND` told of this cloud. */
  cli(...args: string[]): Promise<Ran>;
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
    const made = await run(["init", dir]);
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
  const cloud = await up(dir, args);
  if (hasTemplate) await cloud.until(/ template +\d+ resources: /);
  const { endpoint } = cloud;
  const clients: { destroy(): void }[] = [];
  const end = async (signal: NodeJS.Signals) => {
    for (const client of clients) client.destroy();
    return await cloud.stop(signal);
  };
  return {
    endpoint,
    pid: cloud.process.pid!,
    lines: () => cloud.said().split("\n"),
    client(type, as = ROOT) {
      const config = {
        endpoint,
        region: "us-east-1",
        credentials: as,
        maxAttempts: 1,
        forcePathStyle: true,
        disableHostPrefix: true,
      };
      const client = new type(config);
      clients.push(client as { destroy(): void });
      return client;
    },
    async settle() {
      const request = { method: "POST", signal: AbortSignal.timeout(LIMIT_MS) };
      const answer = await fetch(`${endpoint}/_aws-like/settle`, request);
      assert.equal(answer.status, 200, await answer.text());
    },
    cli: (...given) => run([...given, "--endpoint", endpoint]),
    kill: async () => {
      await end("SIGKILL");
    },
    stop: async () => {
      assert.equal(await end("SIGTERM"), 0, cloud.said());
    },
  };
}

/** Looks again and again; fails by its own name where it does not come true in time. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, limitMs = LIMIT_MS): Promise<void> {
  for (const began = performance.now(); !(await isTrue()); await sleep(POLL_MS))
    assert.ok(performance.now() - began < limitMs, `within ${limitMs / 1000} s: ${what}`);
}
