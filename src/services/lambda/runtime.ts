// What runs while the cloud is up: the sandbox, its pool of warm workers, the log files. One for each cloud, found by its configuration.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type Arn,
  type Config,
  type Context,
  type Log,
  newHex,
  type Principal,
  type Running,
} from "../../kernel/mod.ts";
import { codeDir, lambdaDir } from "./code.ts";
import { configurationOf, type FunctionRow, findVersion, refOf, updateVersion } from "./configuration.ts";
import { type Credentials, environmentOf } from "./environment.ts";
import { errors } from "./errors.ts";
import { openLive } from "./live.ts";
import { LogFiles, LogTail, logLine, logPath, logStreamName, platformLines } from "./logs.ts";
import { functionArn } from "./names.ts";
import { assumeRole } from "./roles.ts";
import { runtimeVersionArn } from "./runtimes.ts";
import { openPool, type Pool } from "./sandbox/pool.ts";
import { openSandbox, type Result, type Sandbox, type Spec, type Worker } from "./sandbox/sandbox.ts";

export interface Call {
  /** The id that START, END and the context carry: the same in each retry of an asynchronous invocation. */
  readonly requestId: string;
  readonly event: Uint8Array;
  /** As the caller named the function: with the qualifier, where there was one. */
  readonly invokedArn: Arn;
  /** JSON. */
  readonly clientContext?: string | undefined;
}

export interface Outcome {
  readonly payload: Uint8Array;
  readonly error?: Result["error"];
  /** The last 4 KB of its log, base64. */
  readonly logTail: string;
  readonly version: string;
  /** The function's role, as this invocation had it: destinations are written to in its name. */
  readonly session: Principal;
}

const runtimes = new WeakMap<Config, Runtime>();

export function runtimeOf(ctx: Context): Runtime {
  const runtime = runtimes.get(ctx.config);
  if (!runtime) throw new Error("lambda is called before it is started");
  return runtime;
}

/** Resolves without the sandbox: it is probed meanwhile, and the first invocation waits for it. */
export async function startRuntime(ctx: Context): Promise<Runtime> {
  const runtime = new Runtime(ctx);
  runtimes.set(ctx.config, runtime);
  return runtime;
}

/** What is known of a worker besides what the sandbox knows. */
interface Environment {
  readonly credentials: Credentials;
  /** ms on the clock. */
  readonly expires: number;
  readonly session: Principal;
  /** Of the invocation that it answers. */
  tail?: LogTail | undefined;
  /** Where its lines are shown: as caused by that invocation, else by the one that started it. */
  show: (text: string) => void;
}

/** A worker whose role session ends sooner than this is replaced, so that no invocation outlives its credentials. */
const CREDENTIALS_MARGIN_MS = 900_000;

export class Runtime implements Running {
  /** Signs this process's download links. */
  readonly secret: string;
  readonly #ctx: Context;
  readonly #stop: AbortController;
  readonly #logs: LogFiles;
  readonly #opened: Promise<{ sandbox: Sandbox; pool: Pool }>;
  readonly #environments: WeakMap<Worker, Environment>;
  readonly #running: Set<Promise<unknown>>;

  constructor(ctx: Context) {
    this.secret = newHex(64);
    this.#ctx = ctx;
    this.#stop = new AbortController();
    this.#logs = new LogFiles((path, error) => ctx.log.error(`the log ${path} cannot be written: ${error}`));
    this.#environments = new WeakMap();
    this.#running = new Set();
    this.#opened = this.#open();
    // Whoever invokes gets the same error; here it is said once, and at once.
    this.#opened.catch((error) => ctx.log.error(`no function can run: ${error}`));
  }

  /** Runs a function once, now. A function that fails is an Outcome; a throw means that it could not be run. */
  async run(ctx: Context, row: FunctionRow, call: Call): Promise<Outcome> {
    const running = this.#run(ctx, row, call);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Ends the warm workers of all versions of a function; those that are busy end after their answer. */
  retire(arn: Arn): void {
    this.#opened
      .then(({ pool }) => pool.retire(arn))
      .catch(() => this.#ctx.log.debug(`no sandbox to retire ${arn} in`));
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.#logs.flushed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    runtimes.delete(this.#ctx.config);
    this.#stop.abort(new Error("the cloud stops"));
    const [opened] = await Promise.allSettled([this.#opened]);
    if (opened.status === "fulfilled") {
      await opened.value.pool[Symbol.asyncDispose]();
      await opened.value.sandbox[Symbol.asyncDispose]();
    }
    await this.settled();
  }

  async #open(): Promise<{ sandbox: Sandbox; pool: Pool }> {
    const dir = lambdaDir(this.#ctx.config.dir);
    await sweep(this.#ctx, dir);
    const sandbox = await openSandbox({
      choice: this.#ctx.config.sandbox,
      stateDir: join(dir, "sandboxes"),
      onNotice: (text) => this.#ctx.log.warn(text),
    });
    return { sandbox, pool: openPool(sandbox, {}) };
  }

  async #run(ctx: Context, row: FunctionRow, call: Call): Promise<Outcome> {
    const current = await this.#code(ctx, row);
    const worker = await this.#acquire(ctx, current);
    const environment = this.#environments.get(worker)!;
    const { MemorySize, Timeout } = configurationOf(current.row);
    const { requestId } = call;
    environment.tail = new LogTail();
    environment.show = showTo(ctx.log);
    // What the function calls with this worker's credentials is caused by this invocation.
    ctx.attribute(environment.credentials.accessKeyId, ctx.requestId);
    try {
      this.#log(current.row, environment, platformLines.start(requestId, row.version));
      const timeoutMs = Timeout * 1000;
      const result = await worker.invoke({
        requestId,
        event: call.event,
        functionArn: call.invokedArn,
        deadlineMs: realNow() + timeoutMs,
        timeoutMs,
        traceId: `Root=1-${Math.floor(ctx.now / 1000).toString(16)}-${newHex(24)};Parent=${newHex(16)};Sampled=0`,
        clientContext: call.clientContext,
        signal: this.#stop.signal,
      });
      this.#log(current.row, environment, platformLines.end(requestId));
      this.#log(current.row, environment, platformLines.report({ ...result, requestId, memoryMb: MemorySize }));
      return {
        payload: result.payload,
        error: result.error,
        logTail: environment.tail.toBase64(),
        version: row.version,
        session: environment.session,
      };
    } finally {
      ctx.attribute(environment.credentials.accessKeyId, undefined);
      environment.tail = undefined;
      (await this.#opened).pool.release(worker);
    }
  }

  /** The code as it is now. An edit of live code is a deployment: a new hash, a new revision, new workers. */
  async #code(ctx: Context, row: FunctionRow): Promise<{ row: FunctionRow; dir: string }> {
    const workspace = ctx.config.dir;
    if (row.live === null) return { row, dir: codeDir(workspace, row.code_sha256) };
    const live = await openLive(workspace, lambdaDir(workspace), row.live);
    if (live.sha256 === row.code_sha256) return { row, dir: live.dir };
    const latest = await ctx.write(async (tx) => {
      const before = await findVersion(tx, refOf(row));
      if (!before) throw errors.functionNotFound(functionArn(refOf(row)));
      if (before.live !== row.live || before.code_sha256 === live.sha256) return before;
      const after = { ...before, code_sha256: live.sha256, code_size: live.size, last_modified_ms: ctx.now };
      await updateVersion(tx, after);
      return after;
    });
    if (latest.live !== row.live) return this.#code(ctx, latest);
    ctx.log.info(`${row.function_name}: ${row.live} has changed, the next sandbox runs it`);
    this.retire(functionArn(refOf(row)));
    return { row: latest, dir: live.dir };
  }

  async #acquire(ctx: Context, code: { row: FunctionRow; dir: string }): Promise<Worker> {
    const { sandbox, pool } = await this.#opened;
    const { row } = code;
    const key = {
      functionKey: functionArn(refOf(row)),
      revision: `${row.version} ${row.revision_id} ${row.code_sha256}`,
    };
    for (;;) {
      const worker = await pool.acquire(key, () => this.#start(ctx, sandbox, code));
      const environment = this.#environments.get(worker);
      if (environment && environment.expires - ctx.clock.now() > CREDENTIALS_MARGIN_MS) return worker;
      await worker[Symbol.asyncDispose]();
      pool.release(worker);
    }
  }

  async #start(ctx: Context, sandbox: Sandbox, { row, dir }: { row: FunctionRow; dir: string }): Promise<Worker> {
    const ref = refOf(row);
    const configuration = configurationOf(row);
    const { credentials, expires, session } = await assumeRole(ctx, ref, configuration.Role);
    const environment: Environment = { credentials, expires, session, show: showTo(ctx.log) };
    const spec: Spec = {
      functionName: ref.name,
      functionArn: functionArn(ref),
      version: row.version,
      runtime: configuration.Runtime,
      handler: configuration.Handler,
      codeDir: dir,
      env: environmentOf({ configuration, region: ref.region, endpoint: ctx.endpoint, credentials }),
      memoryMb: configuration.MemorySize,
      ephemeralMb: configuration.EphemeralStorage.Size,
      timeoutMs: configuration.Timeout * 1000,
      logGroup: configuration.LoggingConfig.LogGroup,
      logStream: logStreamName(ctx.clock.now(), row.version, newHex(32)),
    };
    const { Runtime: runtime } = configuration;
    this.#log(row, environment, platformLines.initStart(runtime, runtimeVersionArn(ref.region, runtime)));
    const worker = await sandbox.start(spec, (line) => this.#log(row, environment, line.text));
    this.#environments.set(worker, environment);
    return worker;
  }

  #log(row: FunctionRow, environment: Environment, text: string): Promise<void> | undefined {
    const now = this.#ctx.clock.now();
    environment.tail?.add(text);
    environment.show(text);
    return this.#logs.append(logPath(this.#ctx.config, refOf(row), now), logLine(now, text));
  }
}

/** Of one invocation, on the terminal. The file has all of them. */
const SHOWN_LINES = 100;

function showTo(log: Log): (text: string) => void {
  let shown = 0;
  return (text) => {
    shown++;
    // REPORT and what Lambda says of a failure come last, and are always seen.
    if (shown <= SHOWN_LINES || /^(END|REPORT) RequestId: /.test(text)) log.info(text);
    else if (shown === SHOWN_LINES + 1) log.info("... further lines are in the log file");
  };
}

// Deadlines are the sandbox's, and sandboxes live on real time.
const realNow = (): number => performance.timeOrigin + performance.now();

/** Removes what a stopped process left: code that no function has any more, staged live files. */
async function sweep(ctx: Context, dir: string): Promise<void> {
  await rm(join(dir, "live"), { recursive: true, force: true });
  const used = await ctx.read((tx) =>
    tx.all<{ code_sha256: string }>("SELECT DISTINCT code_sha256 FROM lambda_function"),
  );
  const names = new Set(used.map((row) => Buffer.from(row.code_sha256, "base64").toString("hex")));
  const home = join(dir, "code");
  const found = await readdir(home).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return [];
  });
  for (const name of found)
    if (!names.has(name.replace(/\.zip$/, ""))) await rm(join(home, name), { recursive: true, force: true });
}
