// For tests and the benchmark: a sandbox with a state directory of its own, and functions made of a few files.
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Config } from "../../../kernel/mod.ts";
import { realNow } from "./real-time.ts";
import {
  type Invocation,
  type LogLine,
  openSandbox,
  type Result,
  type Sandbox,
  type Spec,
  type Worker,
} from "./sandbox.ts";

export interface Files {
  readonly [path: string]: string;
}

type InvokeOptions = Partial<Pick<Invocation, "timeoutMs" | "signal" | "requestId" | "clientContext" | "sink">>;

export interface Trial extends AsyncDisposable {
  readonly worker: Worker;
  readonly lines: LogLine[];
  /** The texts of stdout and stderr, or of one stream. */
  log(stream?: LogLine["stream"]): string[];
  invoke(event?: unknown, options?: InvokeOptions): Promise<Result>;
  /** Invokes and reads the answer as JSON. */
  answer(event?: unknown, options?: { timeoutMs?: number }): Promise<unknown>;
}

export interface World extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly dir: string;
  readonly notices: string[];
  try(files: Files, spec?: Partial<Spec>): Promise<Trial>;
}

export const ARN = "arn:aws:lambda:us-east-1:000000000000:function:f";

export async function openWorld(
  choice: Config["sandbox"] = "auto",
  options: { initLimitMs?: number; stateDir?: string; cpu?: Config["cpu"] } = {},
): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-sandbox-"));
  const notices: string[] = [];
  const sandbox = await openSandbox({
    choice,
    stateDir: join(dir, "state"),
    onNotice: (text) => notices.push(text),
    ...options,
  });
  let count = 0;
  return {
    sandbox,
    dir,
    notices,
    async try(files, spec = {}) {
      const codeDir = join(dir, `code-${++count}`);
      await writeFiles(codeDir, files);
      const lines: LogLine[] = [];
      const worker = await sandbox.start({ ...SPEC, codeDir, ...spec }, (line) => void lines.push(line));
      return trial(worker, lines);
    },
    async [Symbol.asyncDispose]() {
      await sandbox[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const SPEC: Omit<Spec, "codeDir"> = {
  functionName: "f",
  functionArn: ARN,
  version: "$LATEST",
  runtime: "provided.al2023",
  handler: "lambda.handler",
  env: {},
  memoryMb: 256,
  ephemeralMb: 512,
  timeoutMs: 3_000,
  logGroup: "/aws/lambda/f",
  logStream: "2026/01/13/[$LATEST]0123456789abcdef0123456789abcdef",
};

async function writeFiles(codeDir: string, files: Files): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(codeDir, name)), { recursive: true });
    await writeFile(join(codeDir, name), text);
    await chmod(join(codeDir, name), text.startsWith("#!") ? 0o755 : 0o644);
  }
}

function trial(worker: Worker, lines: LogLine[]): Trial {
  let count = 0;
  const invoke: Trial["invoke"] = async (event = {}, { timeoutMs = 5_000, requestId, ...more } = {}) => {
    const result = await worker.invoke({
      requestId: requestId ?? `request-${++count}`,
      event: Buffer.from(JSON.stringify(event)),
      functionArn: ARN,
      deadlineMs: realNow() + timeoutMs,
      timeoutMs,
      traceId: "Root=1-65a1b2c3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0",
      ...more,
    });
    await worker.settled();
    return result;
  };
  return {
    worker,
    lines,
    log: (stream) =>
      lines.filter((line) => (stream ? line.stream === stream : line.stream !== "platform")).map(({ text }) => text),
    invoke,
    answer: async (event, options) => JSON.parse(Buffer.from((await invoke(event, options)).payload).toString()),
    [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose](),
  };
}

export const text = (result: Result): string => Buffer.from(result.payload).toString();
export const json = (result: Result): unknown => JSON.parse(text(result));
