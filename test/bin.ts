// The real command, in a process of its own.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BIN = join(import.meta.dirname, "../bin/aws-like");
/** Far beyond what any of these needs. */
const LIMIT_MS = 30_000;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

/** No variable of the caller's own cloud reaches the command. */
const environment = (env: RunOptions["env"]) => ({ PATH: process.env.PATH!, HOME: tmpdir(), ...env });

/** Runs to the end. */
export function run(args: readonly string[], { cwd, env, uid }: RunOptions = {}): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>();
  const options = { cwd, env: environment(env), timeout: LIMIT_MS, ...(uid !== undefined && { uid, gid: uid }) };
  execFile(process.execPath, [BIN, ...args], options, (error, stdout, stderr) => {
    resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
  });
  return promise;
}

export interface Launched extends AsyncDisposable {
  readonly process: ChildProcess;
  /** All that it printed so far. */
  said(): string;
  /** Resolves when a line that it prints, or has printed, matches. */
  until(pattern: RegExp): Promise<void>;
  /** Resolves with its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface Up extends Launched {
  readonly endpoint: string;
}

/** `aws-like up` on any free port; resolves when it listens. `wrap`: a command line that runs it, as `unshare -Ur`. */
export async function up(dir: string, args: readonly string[] = [], wrap: readonly string[] = []): Promise<Up> {
  const launched = await launch(["up", "--dir", dir, "--port", "0", ...args], wrap);
  await launched.until(/ at http:\S+, workspace/);
  return { ...launched, endpoint: / at (http:\S+),/.exec(launched.said())![1]! };
}

/** A command that keeps running. */
export async function launch(args: readonly string[], wrap: readonly string[] = []): Promise<Launched> {
  const command = [...wrap, process.execPath, BIN, ...args];
  const child = spawn(command[0]!, command.slice(1), { env: environment({}), stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  const exited = once(child, "close"); // what it said last has been read, too
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    return child.exitCode;
  };
  const until = async (pattern: RegExp) => {
    for (const end = performance.now() + LIMIT_MS; !pattern.test(said); ) {
      if (performance.now() > end || child.exitCode !== null) {
        await stop("SIGKILL");
        assert.fail(`${pattern} was not said, but:\n${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return {
    process: child,
    said: () => said,
    until,
    stop,
    async [Symbol.asyncDispose]() {
      await stop("SIGKILL");
    },
  };
}

export async function temporary(): Promise<{ readonly dir: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-cli-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

/** Runs for so long, ms, and is killed. */
export async function killed(args: readonly string[], lived: number): Promise<void> {
  const child = spawn(process.execPath, [BIN, ...args], { env: environment({}), stdio: "ignore" });
  const exited = once(child, "exit");
  await new Promise((resolve) => setTimeout(resolve, lived));
  child.kill("SIGKILL");
  await exited;
}
