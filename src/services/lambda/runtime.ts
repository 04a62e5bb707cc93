// What runs while the cloud is up: the sandbox, its pool of warm workers, the log files. One for each cloud, found by its configuration.
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import {
  type Arn,
  type Config,
  type Context,
  type Log,
  newHex,
  newRequestId,
  type Principal,
  type Running,
} from "../../kernel/mod.ts";
import { Admission } from "./admission.ts";
import { CloudWatchLogs, type Ship } from "./cloudwatch-logs.ts";
import { codeDir, lambdaDir, sweepCode } from "./code.ts";
import { limitsOf } from "./concurrency.ts";
import { configurationOf, type FunctionRow, findVersion, refOf, updateVersion } from "./configuration.ts";
import { debugOf } from "./debugging.ts";
import { environmentOf } from "./environment.ts";
import { errors } from "./errors.ts";
import { optDirOf } from "./function-layers.ts";
import { Hands } from "./hands.ts";
import { openLive } from "./live.ts";
import { LogFiles, LogTail, logLine, logPath, logStreamName } from "./logs.ts";
import { functionArn } from "./names.ts";

import { platformLog } from "./platform-log.ts";
import { Provisioner } from "./provisioner.ts";
import { nextTrace, refuseLoop } from "./recursion.ts";
import { assumeRole, lambdaPrincipal } from "./roles.ts";
import { runtimeVersionArn } from "./runtimes.ts";
import type { Debug } from "./sandbox/debugger.ts";
import { openPool, type Pool } from "./sandbox/pool.ts";
import { realNow } from "./sandbox/real-time.ts";
import {
  openSandbox,
  type ResponseSink,
  type Result,
  type Sandbox,
  type Spec,
  type Worker,
} from "./sandbox/sandbox.ts";
import { said } from "./tap.ts";

export interface Call {
  /** The id that START, END and the context carry: the same in each retry of an asynchronous invocation. */
  readonly requestId: string;
  readonly event: Uint8Array;
  /** As the caller named the function: with the qualifier, where there was one. */
  readonly invokedArn: Arn;
  /** JSON. */
  readonly clientContext?: string | undefined;
  /** Of what caused it: a function that an event has gone through too often is not run. */
  readonly trace?: string | undefined;
  /** Takes a streamed answer as it comes. */
  readonly sink?: ResponseSink;
}

export interface Outcome {
  readonly payload: Uint8Array;
  readonly error?: Result["error"];
  /** The last 4 KB of its log, base64. */
  readonly logTail: string;
  readonly version: string;
  /** The function's role, as this invocation had it: destinations are written to in its name. */
  readonly session: Principal;
  /** What it ran under: for what comes of it. */
  readonly trace: string;
}

const runtimes = new WeakMap<Config, Runtime>();

export function runtimeOf(ctx: Context): Runtime {
  const runtime = runtimes.get(ctx.config);
  if (!runtime) throw new Error("lambda is called before it is started");
  return runtime;
}

/** Of a cloud that may have stopped. */
export const runtimeIfAny = (config: Config): Runtime | undefined => runtimes.get(config);

/** Resolves without the sandbox: it is probed meanwhile, and the first invocation waits for it. */
export async function startRuntime(ctx: Context): Promise<Runtime> {
  await sweepCode(ctx);
  const runtime = new Runtime(ctx);
  runtimes.set(ctx.config, runtime);
  runtime.provision();
  return runtime;
}

/** What it returns, if anything, resolves when there is room for more. */
type Write = (lines: readonly string[]) => Promise<void> | undefined;

/** What is known of a worker besides what the sandbox knows. */
interface Environment {
  readonly accessKeyId: string;
  readonly session: Principal;
  /** Where its lines go: to the log, as of the invocation that it answers, or answered last, or was started for. */
  write: Write;
  /** The same lines to its stream in CloudWatch Logs. */
  readonly ship: Ship;
}

/**
 * Environments are renewed so often: a role session lasts an hour, an invocation a quarter of one, and none may outlive its credentials.
 */
const RENEWAL_MS = 45 * 60_000;
/** Kept environments are looked at so often, on real time, whether they must be renewed. */
const RENEWAL_LOOK_MS = 60_000;

/** Asynchronous invocations of one function at once: a burst of events is worked off, not started all together. */
const ASYNCHRONOUS_HANDS = 4 * availableParallelism();

export class Runtime implements Running {
  /** Signs this process's download links. */
  readonly secret: string;
  readonly #ctx: Context;
  readonly #stop: AbortController;
  readonly #logs: LogFiles;
  readonly #shipped: CloudWatchLogs;
  readonly #opened: Promise<{ sandbox: Sandbox; pool: Pool }>;
  #provisioner: Provisioner | undefined;
  readonly #renewal: NodeJS.Timeout;
  readonly #environments: WeakMap<Worker, Environment>;
  readonly #asynchronous: Hands;
  readonly #admission: Admission;
  /** A debugged function has one sandbox: its port is one. */
  readonly #debugged: Hands;
  readonly #running: Set<Promise<unknown>>;

  constructor(ctx: Context) {
    this.secret = newHex(64);
    this.#ctx = ctx;
    this.#stop = new AbortController();
    this.#logs = new LogFiles((path, error) => ctx.log.error(`the log ${path} cannot be written: ${error}`));
    this.#shipped = new CloudWatchLogs(ctx);
    this.#environments = new WeakMap();
    this.#running = new Set();
    this.#asynchronous = new Hands(ASYNCHRONOUS_HANDS);
    this.#admission = new Admission();
    this.#debugged = new Hands(1);
    this.#opened = this.#open();
    this.#renewal = setInterval(() => this.provision(), RENEWAL_LOOK_MS);
    this.#renewal.unref();
    // Whoever invokes gets the same error; here it is said once, and at once.
    this.#opened.catch((error) => ctx.log.error(`no function can run: ${error}`));
  }

  /** Runs a function once, now. A function that fails is an Outcome; a throw means that it could not be run, for now where it is a 429. */
  async run(ctx: Context, row: FunctionRow, call: Call): Promise<Outcome> {
    using _place = this.#admission.admit(row, await limitsOf(ctx, row));
    const running = this.#run(ctx, row, call);
    this.#running.add(running);
    const over = { functionArn: functionArn(refOf(row)), requestId: call.requestId };
    try {
      const outcome = await running;
      said(ctx.endpoint, { ...over, ...(outcome.error && { error: outcome.error.type }) });
      return outcome;
    } catch (error) {
      said(ctx.endpoint, { ...over, error: (error as Error).message });
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  /** The same for what nobody waits for: it waits its turn. Rejects when the cloud stops. */
  async runInTurn(ctx: Context, row: FunctionRow, call: Call): Promise<Outcome> {
    await using _turn = await this.#asynchronous.take(functionArn(refOf(row)));
    this.#stop.signal.throwIfAborted();
    return await this.run(ctx, row, call);
  }

  /** Ends the warm workers of all versions of a function; those that are busy end after their answer. */
  retire(arn: Arn): void {
    this.#opened
      .then(({ pool }) => pool.retire(arn))
      .catch(() => this.#ctx.log.debug(`no sandbox to retire ${arn} in`));
  }

  /** Keeps ready what has provisioned concurrency now: after each change of that. `again`: what failed before is tried once more. */
  provision(how: { again?: boolean } = {}): void {
    const provisioning = this.#opened
      .then(() => this.#provisioner!.reconcile(how))
      .catch((error) => this.#ctx.log.error(`provisioned concurrency: ${error}`))
      .finally(() => this.#running.delete(provisioning));
    this.#running.add(provisioning);
  }

  /** Of a version: environments that are ready, and why there are not more. */
  provisioned(row: FunctionRow): { available: number; failure?: string | undefined } {
    return this.#provisioner?.state(row) ?? { available: 0 };
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
    await Promise.all([this.#logs.flushed(), this.#shipped.flushed()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    runtimes.delete(this.#ctx.config);
    clearInterval(this.#renewal);
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
    const sandbox = await openSandbox({
      choice: this.#ctx.config.sandbox,
      cpu: this.#ctx.config.cpu,
      stateDir: join(dir, "sandboxes"),
      onNotice: (text) => this.#ctx.log.warn(text),
    });
    const pool = openPool(sandbox, { onLost: () => this.provision() });
    this.#provisioner = new Provisioner({
      ctx: this.#ctx,
      pool,
      keyOf: (row) => keyOf(row, this.#ctx.now),
      start: (row) => (opened) => this.#startKept(row, opened),
    });
    return { sandbox, pool };
  }

  #startKept(row: FunctionRow, sandbox: Sandbox): Promise<Worker> {
    const ref = refOf(row);
    const ctx = this.#ctx.fork({ principal: lambdaPrincipal(ref), account: ref.account, region: ref.region });
    const dir = codeDir(ctx.config.dir, row.code_sha256);
    const write = this.#writer(ctx, row, { requestId: ctx.requestId, tail: new LogTail() });
    return this.#start(ctx, { row, dir, sandbox, write, debug: undefined, initialization: "provisioned-concurrency" });
  }

  async #run(ctx: Context, row: FunctionRow, call: Call): Promise<Outcome> {
    await refuseLoop(ctx, row, call.trace);
    const trace = nextTrace(ctx.now, functionArn(refOf(row)), call.trace);
    const code = await this.#code(ctx, row);
    const { pool } = await this.#opened;
    const { requestId } = call;
    const tail = new LogTail();
    const write = this.#writer(ctx, row, { requestId, tail });
    const debug = debugOf(ctx.config, functionArn(refOf(row)));
    await using _turn = debug && (await this.#debugged.take(functionArn(refOf(row))));
    const worker = await pool.acquire(keyOf(code.row, ctx.now, debug?.port), (sandbox) =>
      this.#start(ctx, { ...code, sandbox, write, debug }),
    );
    const environment = this.#environments.get(worker)!;
    const say = both(ctx, environment.ship, write);
    environment.write = say;
    // What the function calls with its environment's credentials is caused by this invocation.
    ctx.attribute(environment.accessKeyId, ctx.requestId, trace);
    try {
      const { MemorySize, Timeout, LoggingConfig } = configurationOf(code.row);
      const log = platformLog(LoggingConfig);
      say(log.start(ctx.clock.now(), requestId, row.version));
      const timeoutMs = Timeout * 1000;
      const result = await worker.invoke({
        requestId,
        event: call.event,
        functionArn: call.invokedArn,
        deadlineMs: realNow() + timeoutMs,
        timeoutMs,
        traceId: trace,
        ...(call.clientContext !== undefined && { clientContext: call.clientContext }),
        sink: call.sink,
        signal: this.#stop.signal,
      });
      say(log.report(ctx.clock.now(), { ...result, requestId, memoryMb: MemorySize }));
      const { payload, error } = result;
      return { payload, error, logTail: tail.toBase64(), version: row.version, session: environment.session, trace };
    } finally {
      ctx.attribute(environment.accessKeyId, undefined);
      pool.release(worker);
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
      const after = {
        ...before,
        code_sha256: live.sha256,
        code_size: live.size,
        revision_id: newRequestId(),
        last_modified_ms: ctx.now,
      };
      await updateVersion(tx, after);
      return after;
    });
    if (latest.live !== row.live) return this.#code(ctx, latest);
    ctx.log.info(`${row.function_name}: ${row.live} has changed, the next sandbox runs it`);
    this.retire(functionArn(refOf(row)));
    return { row: latest, dir: live.dir };
  }

  /** A new worker, with a role session of its own. */
  async #start(
    ctx: Context,
    { row, dir, sandbox, write, debug, initialization = "on-demand" }: Start,
  ): Promise<Worker> {
    const ref = refOf(row);
    const configuration = configurationOf(row);
    const runtime = configuration.Runtime;
    const { credentials, session } = await assumeRole(ctx, ref, configuration.Role, errors.roleGone);
    const optDir = await optDirOf(ctx.config.dir, configuration.Layers);
    const logGroup = configuration.LoggingConfig.LogGroup;
    const logStream = logStreamName(ctx.now, row.version, newHex(32));
    const { account, region } = ref;
    const ship = this.#shipped.open({
      functionArn: functionArn(ref),
      account,
      region,
      group: logGroup,
      stream: logStream,
      as: session,
    });
    const environment: Environment = {
      accessKeyId: credentials.accessKeyId,
      session,
      write: both(ctx, ship, write),
      ship,
    };
    const spec: Spec = {
      functionName: ref.name,
      functionArn: functionArn(ref),
      version: row.version,
      runtime,
      handler: configuration.Handler,
      codeDir: dir,
      ...(optDir !== undefined && { optDir }),
      env: environmentOf({ configuration, region: ref.region, endpoint: ctx.endpoint, credentials, initialization }),
      memoryMb: configuration.MemorySize,
      ephemeralMb: configuration.EphemeralStorage.Size,
      timeoutMs: configuration.Timeout * 1000,
      logGroup,
      debug,
      logStream,
    };
    const log = platformLog(configuration.LoggingConfig);
    const version = { runtime, runtimeVersionArn: runtimeVersionArn(ref.region, runtime), version: row.version };
    environment.write(log.initStart(ctx.clock.now(), version));
    const worker = await sandbox.start(spec, (line) => environment.write(log.line(ctx.clock.now(), line)));
    if (worker.initMs !== undefined) environment.write(log.initialized(ctx.clock.now(), worker.initMs));
    this.#environments.set(worker, environment);
    return worker;
  }

  #writer(ctx: Context, row: FunctionRow, { requestId, tail }: { requestId: string; tail: LogTail }): Write {
    const ref = refOf(row);
    const arn = functionArn(ref);
    const show = showTo(ctx.log, arn);
    return (lines) => {
      const now = ctx.clock.now();
      let room: Promise<void> | undefined;
      for (const text of lines) {
        tail.add(text);
        show(text);
        said(ctx.endpoint, { functionArn: arn, requestId, line: text });
        room = this.#logs.append(logPath(ctx.config, ref, now), logLine(now, text)) ?? room;
      }
      return room;
    };
  }
}

/** To the text file, and to CloudWatch Logs; who floods one of them waits. */
const both =
  ({ clock }: Context, ship: Ship, write: Write): Write =>
  (lines) => {
    const now = clock.now();
    let room: Promise<void> | undefined;
    for (const text of lines) room = ship(now, text) ?? room;
    const written = write(lines);
    return room && written ? Promise.all([room, written]).then(() => undefined) : (room ?? written);
  };

interface Start {
  readonly row: FunctionRow;
  readonly dir: string;
  readonly sandbox: Sandbox;
  readonly write: Write;
  readonly debug: Debug | undefined;
  readonly initialization?: "on-demand" | "provisioned-concurrency";
}

/** A worker serves one version of one configuration of one code, for as long as its credentials are good. */
const keyOf = (row: FunctionRow, now: number, debugPort = 0) => ({
  functionKey: functionArn(refOf(row)),
  revision: [row.version, row.code_sha256, digest(row.configuration), Math.floor(now / RENEWAL_MS), debugPort].join(
    " ",
  ),
});

/** AWS changes a revision id where nothing of what runs has changed: a version was published, an update is done. */
const digest = (text: string): string => createHash("sha1").update(text).digest("base64");

/** Of one invocation, on the terminal. The file has all of them. */
const SHOWN_LINES = 100;

function showTo(log: Log, subject: Arn): (text: string) => void {
  let shown = 0;
  return (text) => {
    shown++;
    // REPORT and what Lambda says of a failure come last, and are always seen.
    if (shown <= SHOWN_LINES || /^(END|REPORT) RequestId: |"type":"platform\.report"/.test(text))
      log.info(text, { subject });
    else if (shown === SHOWN_LINES + 1) log.info("... further lines are in the log file", { subject });
  };
}
