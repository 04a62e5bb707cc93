// Runs a function's code away from the host: `openSandbox` takes the strongest rung of the ladder that this host allows,
// `start` makes one execution environment in it (own /tmp, own processes, one invocation at a time).
import type { Config } from "../../../kernel/mod.ts";
import { closeCgroups, openCgroups } from "./cgroup.ts";
import type { Debug } from "./debugger.ts";
import { openHost } from "./host.ts";
import { ladder, type Rung, strongest } from "./ladder.ts";
import { startWorker } from "./worker.ts";

export type { Rung } from "./ladder.ts";

/** What runs: one configuration of one function. */
export interface Spec {
  readonly functionName: string;
  readonly functionArn: string;
  readonly version: string;
  /** `provided.al2023`, `nodejs22.x`, `python3.13`... */
  readonly runtime: string;
  readonly handler: string;
  /** Absolute; seen read-only as /var/task. Directories 0755 and files 0644 at least: as root the function has a uid of its own. */
  readonly codeDir: string;
  /** The layers, merged; seen read-only as /opt. Absolute. */
  readonly optDir?: string;
  /** All that does not depend on the sandbox: region, credentials, AWS_ENDPOINT_URL, what the function's owner set. */
  readonly env: Readonly<Record<string, string>>;
  readonly memoryMb: number;
  readonly ephemeralMb: number;
  readonly timeoutMs: number;
  readonly logGroup: string;
  /** Of Node and Python. Such a sandbox runs alone: the port is one. */
  readonly debug?: Debug | undefined;
  readonly logStream: string;
}

export interface Invocation {
  readonly requestId: string;
  readonly event: Uint8Array;
  readonly functionArn: string;
  /** Epoch ms on real time, for the header: getRemainingTimeInMillis compares it with the host's clock. */
  readonly deadlineMs: number;
  /** The limit that is enforced, on real time. */
  readonly timeoutMs: number;
  readonly traceId: string;
  /** JSON. */
  readonly clientContext?: string;
  /** Aborted: the processes are killed and `invoke` rejects with the reason. */
  readonly signal?: AbortSignal;
  /** Takes an answer that the runtime streams, as it comes; the Result's payload is then empty. Absent: it is collected. */
  readonly sink?: ResponseSink | undefined;
}

export interface ResponseSink {
  /** Before the first bytes, which may be never. */
  begin(contentType: string): void;
  /** A promise makes the function wait: nothing is buffered here. It never rejects. */
  write(chunk: Uint8Array): void | Promise<void>;
}

export interface Result {
  /** To the caller as it is: the function's answer, or the error document in AWS's words. */
  readonly payload: Uint8Array;
  readonly error?: {
    /** For REPORT and the destinations: Runtime.ExitError, Sandbox.Timedout, Function.Unknown, Runtime.OutOfMemory... */
    readonly type: string;
    readonly kind: "function" | "runtime" | "timeout";
  };
  readonly durationMs: number;
  readonly billedMs: number;
  /** Of a cold start's init, with the first invocation only. */
  readonly initMs?: number;
  readonly maxMemoryMb: number;
}

export interface LogLine {
  /** Epoch ms, on real time. */
  readonly at: number;
  /** Of the invocation that runs; absent during init. */
  readonly requestId?: string;
  /** Without its line end. A `\r` inside it stays: runtimes send the lines of one message so. At most 256 KB. */
  readonly text: string;
  /** `platform`: what Lambda itself says of a failure (INIT_REPORT, "Task timed out", "Runtime exited"). */
  readonly stream: "stdout" | "stderr" | "extension" | "platform";
  /** What INIT_REPORT says, of a line that is one. */
  readonly initFailure?: InitFailure;
}

export interface InitFailure {
  readonly ms: number;
  readonly phase: "init" | "invoke";
  readonly error: NonNullable<Result["error"]>;
}

/** A promise makes the function wait: its pipe fills, nothing is buffered here. */
export type OnLog = (line: LogLine) => void | Promise<void>;

/** One execution environment. It outlives a crash and a timeout: /tmp stays, the next invocation starts the runtime anew. */
export interface Worker extends AsyncDisposable {
  /** Rejects when the worker is busy or dead, or when the invocation's signal is aborted. A failing function is a Result. */
  invoke(invocation: Invocation): Promise<Result>;
  /** `busy` until the runtime asks for the next invocation, which may be later than the answer. */
  readonly state: "warm" | "busy" | "dead";
  /** Its runtime runs: init went well. */
  readonly initialized: boolean;
  /** How long it took, until an invocation's Result says it. */
  readonly initMs: number | undefined;
  /** Resolves when it is `warm` or `dead`. */
  settled(): Promise<void>;
}

export interface Sandbox extends AsyncDisposable {
  readonly rung: Rung;
  /**
   * Resolves when init is over, well or not: a failed init is tried again within the first invocation, as on AWS.
   * Rejects where no runtime can be started: MissingInterpreter, a code directory that is not there.
   */
  start(spec: Spec, onLog: OnLog): Promise<Worker>;
}

export interface SandboxOptions {
  readonly choice: Config["sandbox"];
  /** Absolute; made where missing. /tmp directories of the workers live here. */
  readonly stateDir: string;
  /** `aws`: processors in proportion to memory, from the end of init on, where the host has cgroups. Default: `host`, all of them. */
  readonly cpu?: Config["cpu"];
  /** Default: AWS's 10 seconds. */
  readonly initLimitMs?: number;
  /** What the user must know: a weak rung, an interpreter of another version. */
  onNotice(text: string): void;
}

export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const rung = await strongest(options.choice);
  if (rung.off.length > 0)
    options.onNotice(`lambda runs in ${rung.title}. Off: ${rung.off.join("; ")}. ${rung.turnOn}`);
  const host = await openHost(rung, options);
  return {
    rung,
    start: (spec, onLog) => startWorker(host, spec, onLog),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

/** Each rung as this host has it, strongest first, for `doctor`. */
export async function probe(): Promise<Rung[]> {
  openCgroups();
  try {
    return await ladder();
  } finally {
    closeCgroups();
  }
}
