// One execution environment: init, one invocation at a time, and what becomes of a crash or a timeout.
import assert from "node:assert/strict";
import { access, chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { takeAnswerFile } from "./answer-file.ts";
import { type AnswerPipe, openAnswerPipe } from "./answer-pipe.ts";
import { startLimit } from "./debugger.ts";
import { diskUse } from "./disk-use.ts";
import { environment, type Places, placesOf, TAG } from "./environment.ts";
import { besideExtensions, externalExtensions, openChannel } from "./extension-processes.ts";
import { Extensions, type ShutdownReason } from "./extensions.ts";
import {
  exited,
  extensionFailed,
  extensionLine,
  type Failure,
  handlerFailed,
  initReport,
  lostAnswer,
  noEntrypoint,
  reported,
  timedOut,
  tooLarge,
} from "./failures.ts";
import type { Host } from "./host.ts";
import { type Bind, startScript } from "./inside.ts";
import { type Program, programFor, type Unstartable } from "./interpreters.ts";
import { type Loopback, listenForRuntime } from "./loopback.ts";
import { realNow } from "./real-time.ts";
import { removeTree } from "./remove.ts";
import { type Answer, LARGEST_PAYLOAD, LARGEST_STREAM, RuntimeApi } from "./runtime-api.ts";
import { type Exit, type RuntimeProcess, startProcess } from "./runtime-process.ts";
import type { InitFailure, Invocation, LogLine, OnLog, Result, Spec, Worker } from "./sandbox.ts";
import { shutDown } from "./shutdown.ts";
import { Telemetry } from "./telemetry.ts";
import { recordsOf, rounded, statusOf, tracingOf } from "./telemetry-records.ts";

/** What ends a wait for the runtime. The first one counts. */
type Ending = { readonly kind: "ready" } | { readonly kind: "answer"; readonly answer: Answer } | Bad;
type Bad =
  | { readonly kind: "initError"; readonly answer: Answer }
  | { readonly kind: "exit"; readonly exit: Exit }
  | { readonly kind: "extension"; readonly type: string; readonly message: string }
  | { readonly kind: "timeout" }
  /** /tmp holds more than it may. */
  | { readonly kind: "disk" }
  | { readonly kind: "aborted" };

/** One invocation right after the other does not pay for being frozen in between (0.3 ms of a bash function's 1.3). */
const FREEZE_AFTER_MS = 10;

/** On AWS a full /tmp refuses the write; a plain directory has no size, so a function that goes on filling it is ended. */
const DISK_WATCH_MS = 1_000;
/** For what is still in a killed function's pipe. */
const DRAIN_MS = 20;

export async function startWorker(host: Host, spec: Spec, onLog: OnLog): Promise<Worker> {
  await access(spec.codeDir);
  const name = host.newWorkerName();
  const dir = join(host.workersDir, name);
  const places = placesOf(host, spec, dir);
  const program = await programFor(spec, host, places);
  await mkdir(dir, { mode: 0o700 });
  for (const name of ["tmp", "out"]) {
    await mkdir(join(dir, name));
    await chmod(join(dir, name), 0o1777);
  }
  const loopback = host.loopbackOf(name);
  const hosts = await readFile("/etc/hosts", "utf8").catch(() => ""); // A host may have none.
  await writeFile(join(dir, "hosts"), `${hosts}\n${loopback} sandbox.localdomain sandbox\n`);
  const extensions = await externalExtensions(spec.optDir);
  const worker = new ExecutionEnvironment(host, { spec, onLog, dir, places, program, extensions, loopback });
  await worker.open();
  return worker;
}

interface Plan {
  readonly spec: Spec;
  readonly onLog: OnLog;
  readonly dir: string;
  readonly places: Places;
  readonly program: Program | Unstartable;
  /** Names of files in /opt/extensions. */
  readonly extensions: readonly string[];
  /** What `sandbox.localdomain` is in this environment. */
  readonly loopback: string;
}

class ExecutionEnvironment implements Worker {
  readonly #host: Host;
  readonly #plan: Plan;
  #uid: number | undefined;
  readonly #api: RuntimeApi;
  readonly #extensions: Extensions;
  readonly #telemetry: Telemetry;
  #loopback: Loopback | undefined;
  #process: RuntimeProcess | undefined;
  #cleanup: Promise<void> = Promise.resolve();
  #state: Worker["state"] = "busy";
  #settled = Promise.withResolvers<void>();
  #ending = Promise.withResolvers<Ending>();
  #invocation: Invocation | undefined;
  #lastWords: string | undefined;
  #initMs: number | undefined;
  #peakMb = 0;
  /** While external extensions have yet to register. */
  #startRuntime: (() => void) | undefined;
  /** What the Telemetry API is to hear of the last invocation. */
  #records: ReturnType<typeof recordsOf> | undefined;
  #freezing: NodeJS.Timeout | undefined;
  #disposed: Promise<void> | undefined;

  constructor(host: Host, plan: Plan) {
    this.#host = host;
    this.#plan = plan;
    this.#telemetry = new Telemetry(plan.loopback);
    this.#extensions = new Extensions(plan.spec, {
      onChange: () => this.#look(),
      onError: (kind, message) => this.#extensionFailed({ type: `Extension.${kind}`, message }),
      onSubscription: (request) => this.#telemetry.subscribe(request),
    });
    const runtime = {
      onReady: () => this.#look(),
      onInitError: (answer: Answer) => this.#ending.resolve({ kind: "initError", answer }),
      onAnswer: (answer: Answer) => this.#ending.resolve({ kind: "answer", answer }),
    };
    this.#api = new RuntimeApi(runtime, this.#extensions);
    host.workers.add(this);
  }

  get state(): Worker["state"] {
    return this.#state;
  }

  get initialized(): boolean {
    return this.#process !== undefined;
  }

  get initMs(): number | undefined {
    return this.#initMs;
  }

  settled(): Promise<void> {
    return this.#state === "busy" ? this.#settled.promise : Promise.resolve();
  }

  async open(): Promise<void> {
    this.#loopback = await listenForRuntime(this.#host.server, this.#api, () => this.#uid ?? process.getuid!());
    this.#initMs = await this.#init("init", this.#host.initLimitMs).then((init) =>
      init.failure ? undefined : init.ms,
    );
    this.#settle();
  }

  async invoke(invocation: Invocation): Promise<Result> {
    if (this.#state !== "warm") throw new Error(`this worker is ${this.#state}`);
    this.#thaw();
    assert.match(invocation.requestId, /^[\w-]+$/); // It names a file.
    invocation.signal?.throwIfAborted();
    this.#state = "busy";
    this.#settled = Promise.withResolvers();
    this.#invocation = invocation;
    this.#lastWords = undefined;
    const abort = () => this.#ending.resolve({ kind: "aborted" });
    invocation.signal?.addEventListener("abort", abort, { once: true });
    const began = realNow();
    const left = () => Math.max(0, invocation.timeoutMs - (realNow() - began));
    try {
      const outcome = await this.#run(invocation, left);
      return this.#result(outcome, realNow() - began);
    } finally {
      invocation.signal?.removeEventListener("abort", abort);
      this.#rest(left());
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#state = "dead";
    clearTimeout(this.#freezing);
    this.#ending.resolve({ kind: "aborted" });
    await this.#kill("spindown");
    this.#loopback?.close();
    await removeTree(this.#plan.dir);
    this.#host.giveUid(this.#uid);
    this.#host.workers.delete(this);
    this.#settled.resolve();
  }

  /** The answer's bytes, or what went wrong. Rejects when the invocation was aborted. */
  async #run(invocation: Invocation, left: () => number): Promise<Buffer | Failure> {
    if (!this.#process) {
      const { failure } = await this.#init("invoke", left());
      if (failure) return failure;
    }
    this.#ending = Promise.withResolvers();
    this.#telemetry.platform("start", {
      requestId: invocation.requestId,
      version: this.#plan.spec.version,
      tracing: tracingOf(invocation),
    });
    this.#extensions.invoke(invocation);
    const pipe = await this.#answerPipe(invocation);
    this.#api.give(invocation);
    const watch = setInterval(() => this.#watchDisk(), DISK_WATCH_MS).unref();
    const ending = await this.#end(left()).finally(() => clearInterval(watch));
    if (ending.kind === "answer") {
      await this.#process?.caughtUp();
      const piped = await pipe?.end(left());
      if (piped?.late) return this.#failed({ kind: "timeout" });
      return this.#answered(invocation, { ...ending.answer, ...(piped && { ...piped, streamed: true }) });
    }
    const status = ending.kind === "timeout" ? "timeout" : "failure";
    this.#telemetry.platform("runtimeDone", {
      requestId: invocation.requestId,
      status,
      tracing: tracingOf(invocation),
    });
    await this.#kill(status);
    await pipe?.end(DRAIN_MS);
    await takeAnswerFile(join(this.#plan.dir, "out"), invocation.requestId);
    return this.#failed(ending as Bad);
  }

  async #answerPipe({ requestId, sink }: Invocation): Promise<AnswerPipe | undefined> {
    const { program, dir } = this.#plan;
    if (!sink || !("answersInFile" in program)) return undefined;
    return openAnswerPipe(this.#host.fifos, { outDir: join(dir, "out"), requestId, sink });
  }

  async #answered({ requestId }: Invocation, answer: Answer): Promise<Buffer | Failure> {
    const file = await takeAnswerFile(join(this.#plan.dir, "out"), requestId);
    if (answer.exitStatus) return handlerFailed(requestId, answer.exitStatus, this.#lastWords);
    if (answer.tooLarge || (answer.inFile && file === "too large"))
      return tooLarge(answer.streamed ? LARGEST_STREAM : LARGEST_PAYLOAD);
    if (answer.inFile && answer.streamed) return Buffer.alloc(0);
    if (answer.inFile) return Buffer.isBuffer(file) ? file : lostAnswer(requestId);
    return answer.errorType === undefined ? answer.body : reported(answer.body, answer.errorType);
  }

  #failed(ending: Bad): Failure {
    const { requestId = "", timeoutMs = this.#host.initLimitMs, signal } = this.#invocation ?? {};
    if (ending.kind === "exit") return exited(requestId, ending.exit);
    if (ending.kind === "disk") return exited(requestId, { how: "signal: killed", outOfMemory: false });
    if (ending.kind === "extension") return extensionFailed(requestId, ending);
    if (ending.kind === "timeout") return timedOut(requestId, timeoutMs, new Date(realNow()));
    if (ending.kind === "initError") return reported(ending.answer.body, ending.answer.errorType ?? "");
    throw signal?.aborted ? signal.reason : new Error("the sandbox was closed");
  }

  #result(outcome: Buffer | Failure, tookMs: number): Result {
    const failure = Buffer.isBuffer(outcome) ? undefined : outcome;
    const { memoryMb } = this.#plan.spec;
    const durationMs = failure?.error.kind === "timeout" ? this.#invocation!.timeoutMs : tookMs;
    const initMs = this.#initMs;
    this.#initMs = undefined;
    this.#peakMb = Math.min(memoryMb, Math.max(this.#peakMb, this.#process?.peakMb() ?? 0));
    if (failure?.error.type === "Runtime.OutOfMemory") this.#peakMb = memoryMb;
    if (failure?.line) this.#say("platform", failure.line);
    const result: Result = {
      payload: failure?.payload ?? (outcome as Buffer),
      ...(failure && { error: failure.error }),
      durationMs,
      billedMs: Math.ceil(durationMs + (initMs ?? 0)),
      ...(initMs !== undefined && { initMs }),
      maxMemoryMb: this.#peakMb,
    };
    this.#records = recordsOf(this.#invocation!, result, memoryMb);
    this.#telemetry.platform("runtimeDone", this.#records.runtimeDone);
    return result;
  }

  /** Starts the runtime and waits until it asks for its first event. */
  async #init(phase: "init" | "invoke", limitMs: number): Promise<{ ms: number; failure?: Failure }> {
    const began = realNow();
    const { functionName, version: functionVersion } = this.#plan.spec;
    const about = { initializationType: "on-demand", phase };
    this.#telemetry.restart();
    this.#telemetry.platform("initStart", { ...about, functionName, functionVersion });
    const failure = await this.#start(limitMs);
    const ms = realNow() - began;
    const status = failure ? statusOf(failure.error) : { status: "success" };
    this.#telemetry.platform("initRuntimeDone", { ...about, ...status });
    for (const extension of this.#extensions.described) {
      this.#telemetry.platform("extension", extension);
      this.#say("platform", extensionLine(extension));
    }
    this.#telemetry.platform("initReport", { ...about, ...status, metrics: { durationMs: rounded(ms) } });
    this.#extensions.close();
    this.#telemetry.close();
    if (failure) this.#say("platform", initReport(ms, phase, failure.error), { ms, phase, error: failure.error });
    return { ms, ...(failure && { failure }) };
  }

  async #start(limitMs: number): Promise<Failure | undefined> {
    const { program, spec, places, dir, extensions: names } = this.#plan;
    if ("message" in program) return noEntrypoint(this.#invocation?.requestId ?? "", program);
    this.#ending = Promise.withResolvers();
    this.#api.restart();
    this.#extensions.restart(names);
    const channel = names.length > 0 ? await openChannel(join(dir, "out")) : undefined;
    const tag = `${dir}/`;
    const env = environment(spec, { places, program, runtimeApi: this.#loopback!.address, tag });
    const { rung } = this.#host;
    const start = startScript({
      env,
      argv: program.argv,
      cwd: places.task,
      fileMb: spec.ephemeralMb,
      ownProcessCount: rung.layout,
      ...(channel && { run: (runtime: string) => besideExtensions(runtime, { ...places, names }) }),
    });
    // The first launcher brings the uid of this environment, which owns its /tmp from then on.
    const launcher = await this.#host.launchers.take(this.#uid);
    this.#uid = launcher.uid;
    const started = startProcess(this.#host, launcher, {
      inside: { workerDir: dir, uid: this.#uid, binds: this.#binds(program), start },
      memoryMb: spec.memoryMb,
      tag: `${TAG}=${tag}`,
      api: this.#api,
      beside: channel && { channel, extensions: names.length },
      onLine: (stream, text) => this.#say(stream, text),
      onExtensionExit: (how) => {
        if (this.#process === started)
          this.#extensionFailed({ type: "Extension.Crash", message: how || "exit code 0" });
      },
    });
    this.#startRuntime = channel?.startRuntime;
    this.#process = started;
    started.exited.then((exit) => this.#exited(started, exit));
    // Disposed while the pipes were made.
    if (this.#state === "dead") this.#ending.resolve({ kind: "aborted" });
    const ending = await this.#end(limitMs, { waits: true });
    if (ending.kind === "ready") {
      if (this.#host.cpu === "aws") started.shareCpu();
      return undefined;
    }
    await this.#kill(ending.kind === "timeout" ? "timeout" : "failure");
    return this.#failed(ending as Bad);
  }

  #binds(program: Program): Bind[] {
    const { dir, places, spec } = this.#plan;
    return [
      { from: spec.codeDir, to: places.task },
      ...(spec.optDir === undefined ? [] : [{ from: spec.optDir, to: places.opt }]),
      { from: join(dir, "hosts"), to: "/etc/hosts" },
      { from: join(dir, "tmp"), to: places.tmp, write: true },
      { from: join(dir, "out"), to: places.out, write: true },
      ...program.binds,
    ];
  }

  #exited(started: RuntimeProcess, exit: Exit): void {
    if (this.#process !== started) return;
    this.#process = undefined;
    this.#cleanup = this.#shutDown(started, "failure");
    this.#ending.resolve({ kind: "exit", exit });
  }

  /** Who has asked for the next event, after a change of that. */
  #look(): void {
    if (this.#extensions.registered) this.#startRuntime?.();
    if (this.#extensions.registered) this.#startRuntime = undefined;
    if (this.#api.ready && this.#extensions.ready) this.#ending.resolve({ kind: "ready" });
  }

  #extensionFailed(fault: { type: string; message: string }): void {
    this.#ending.resolve({ kind: "extension", ...fault });
    // Between two invocations nobody waits for it: the next one starts all anew.
    if (this.#state === "warm") this.#kill("failure");
  }

  async #kill(reason: ShutdownReason): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running) this.#cleanup = this.#shutDown(running, reason);
    await this.#cleanup;
  }

  async #shutDown(running: RuntimeProcess, reason: ShutdownReason): Promise<void> {
    const external = this.#plan.extensions.length > 0;
    await shutDown(running, { reason, external, extensions: this.#extensions, telemetry: this.#telemetry });
  }

  async #end(limitMs: number, { waits = false } = {}): Promise<Ending> {
    const { promise, resolve } = this.#ending;
    const over = () => resolve({ kind: "timeout" });
    const limit = startLimit(limitMs, { debug: this.#plan.spec.debug, waits, over });
    try {
      return await promise;
    } finally {
      limit.stop();
    }
  }

  /** After the answer a runtime may work on until it asks for the next event, but not past the deadline. */
  async #untilReady(limitMs: number): Promise<void> {
    if (!this.#process || (this.#api.ready && this.#extensions.ready)) return;
    this.#ending = Promise.withResolvers();
    const ending = await this.#end(limitMs);
    if (ending.kind === "timeout" || ending.kind === "extension")
      await this.#kill(ending.kind === "timeout" ? "timeout" : "failure");
  }

  /** From the answer to the next invocation. */
  async #rest(limitMs: number): Promise<void> {
    await this.#untilReady(limitMs);
    if (this.#records) this.#telemetry.platform("report", this.#records.report);
    if (this.#state === "busy" && (await this.#diskIsOver())) {
      this.#say(
        "platform",
        `/tmp holds more than ${this.#plan.spec.ephemeralMb} MB: this environment is not used again`,
      );
      await this[Symbol.asyncDispose]();
    }
    this.#settle();
  }

  async #diskIsOver(): Promise<boolean> {
    const limit = this.#plan.spec.ephemeralMb * 1024 * 1024;
    return (await diskUse(join(this.#plan.dir, "tmp"), limit)) > limit;
  }

  async #watchDisk(): Promise<void> {
    const { promise, resolve } = this.#ending;
    const over = await this.#diskIsOver();
    if (over && promise === this.#ending.promise) resolve({ kind: "disk" });
  }

  #settle(): void {
    if (this.#state === "dead") return;
    this.#invocation = undefined;
    this.#state = "warm";
    this.#freezing = setTimeout(() => this.#process?.freeze(), FREEZE_AFTER_MS).unref();
    this.#settled.resolve();
  }

  #thaw(): void {
    clearTimeout(this.#freezing);
    this.#process?.thaw();
  }

  #say(stream: LogLine["stream"], text: string, initFailure?: InitFailure): void | Promise<void> {
    if (stream !== "platform") this.#telemetry.line(stream === "extension" ? "extension" : "function", text);
    if (stream === "stderr" && text.trim() !== "") this.#lastWords = text;
    const requestId = this.#invocation?.requestId;
    return this.#plan.onLog({
      at: realNow(),
      ...(requestId !== undefined && { requestId }),
      text,
      stream,
      ...(initFailure && { initFailure }),
    });
  }
}
