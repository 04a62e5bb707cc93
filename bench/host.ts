// The processes under measure, each of its own: aws-like as a user starts it, and the bare server that is its limit.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fsyncSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Question } from "./bare-files.ts";

export const REGION = "us-east-1";
export const ACCOUNT = "000000000000";
const COMMAND = fileURLToPath(new URL("../bin/aws-like", import.meta.url));
const BARE = fileURLToPath(new URL("bare.ts", import.meta.url));
const BARE_FILES = fileURLToPath(new URL("bare-files.ts", import.meta.url));
const START_LIMIT_MS = 10_000;

export interface Host extends AsyncDisposable {
  readonly endpoint: string;
  readonly port: number;
  readonly pid: number;
  /** The workspace. */
  readonly dir: string;
  /** What an SDK client is made with. */
  readonly client: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
    readonly forcePathStyle: true;
    readonly maxAttempts: 1;
  };
}

/** A directory beside others on the disk to be measured; gone when disposed. */
export async function scratch(dir: string): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(resolve(dir), ".bench-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** `aws-like up` in a workspace of its own, answering. */
export async function startHost(dir: string, ...options: string[]): Promise<Host> {
  await using undo = new AsyncDisposableStack();
  const workspace = undo.use(await scratch(dir));
  const port = await freePort();
  const child = undo.use(spawnUp(workspace.path, port, options));
  const endpoint = `http://127.0.0.1:${port}`;
  const end = performance.now() + START_LIMIT_MS;
  while (!(await healthy(endpoint))) {
    if (child.process.exitCode !== null || performance.now() > end) throw new Error("aws-like did not start");
    await new Promise((wait) => setTimeout(wait, 20));
  }
  const stack = undo.move();
  return {
    endpoint,
    port,
    pid: child.process.pid!,
    dir: workspace.path,
    client: {
      endpoint,
      region: REGION,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      forcePathStyle: true,
      maxAttempts: 1,
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A database that was just filled: the kernel still writes out gigabytes, and that would be measured, too. */
export function settled({ dir }: Host): void {
  const file = openSync(join(dir, "db.sqlite"), "r+");
  fsyncSync(file);
  closeSync(file);
}

export type Child = AsyncDisposable & { readonly process: ChildProcess };

/** The terminal's lines are written and read, as in a user's terminal; complaints are shown. */
export function spawnUp(dir: string, port: number, options: readonly string[] = []): Child {
  const args = [COMMAND, "up", "--dir", dir, "--port", String(port), ...options];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.resume();
  return ended(child);
}

export interface Bare extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** From now on it answers each request, when it has read it, with this many bytes. */
  answer(bytes: number): Promise<void>;
}

/** node:http that answers a constant. */
export async function startBare(): Promise<Bare> {
  const port = await freePort();
  const child = spawnBare(port);
  await once(child.process, "message");
  return {
    port,
    pid: child.process.pid!,
    async answer(bytes) {
      child.process.send(bytes);
      await once(child.process, "message");
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

export interface BareFiles extends Bare {
  ask(question: Question): Promise<number>;
}

/** node:http that keeps what is put to it in files below `dir`, synced, and answers it from there. */
export async function startBareFiles(dir: string): Promise<BareFiles> {
  const port = await freePort();
  // As many threads as aws-like has.
  const env = { ...process.env, UV_THREADPOOL_SIZE: "16" };
  const child = ended(fork(BARE_FILES, [String(port), dir], { env }));
  await once(child.process, "message");
  return {
    port,
    pid: child.process.pid!,
    answer: () => Promise.resolve(),
    async ask(question) {
      child.process.send(question);
      const [answer] = (await once(child.process, "message")) as [number];
      return answer;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

export const spawnBare = (port: number): Child => ended(fork(BARE, [String(port)]));

/** CPU time that a process has used, in all its threads; ms, in steps of 10. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks * 10;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function healthy(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/_aws-like/health`)).ok;
  } catch {
    return false; // it does not listen yet
  }
}

const ended = (child: ChildProcess): Child => ({
  process: child,
  async [Symbol.asyncDispose]() {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    const late = setTimeout(() => child.kill("SIGKILL"), 5000);
    child.kill("SIGTERM");
    await exit;
    clearTimeout(late);
  },
});
