// One execution environment: init, one invocation at a time, and what becomes of a crash or a timeout.
import assert from "node:assert/strict";
import { access, chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { takeAnswerFile } from "./answer-file.ts";
import { type AnswerPipe, openAnswerPipe } from "./answer-pipe.ts";
import { startLimit } from "./debugger.ts";
import { diskUse } from "./disk-use.ts";
import { environment, type Places, placesOf, TAG } from "./environment.ts";
import {
  exited,
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

/** What ends a wait for the runtime. The first one counts. */
type Ending = { readonly kind: "ready" } | { readonly kind: "answer"; readonly answer: Answer } | Bad;
type Bad =
  | { readonly kind: "initError"; readonly answer: Answer }
  | { readonly kind: "exit"; readonly exit: Exit }
  | { readonly kind: "timeout" }
  | { readonly kind: "aborted" };

/** One invocation right after the other does not pay for being frozen in between (0.3 ms of a bash function's 1.3). */
const FREEZE_AFTER_MS = 10;

/** For what is still in a killed function's pipe. */
const DRAIN_MS = 20;

export async function startWorker(host: Host, spec: Spec, onLog: OnLog): Promise<Worker> {
  await access(spec.codeDir);
  const dir = join(host.workersDir, host.newWorkerName());
  const places = placesOf(host, spec, dir);
  const program = await programFor(spec, host, places);
  await mkdir(dir, { mode: 0o700 });
  for (const name of ["tmp", "out"]) {
    await mkdir(join(dir, name));
    await chmod(join(dir, name), 0o1777);
  }
  const worker = new ExecutionEnvironment(host, { spec, onLog, dir, places, program });
  await worker.open();
  return worker;
}

interface Plan {
  readonly spec: Spec;
  readonly onLog: OnLog;
  readonly dir: string;
  readonly places: Places;
  readonly program: Program | Unstartable;
}

class ExecutionEnvironment implements Worker {
  readonly #host: Host;
  readonly #plan: Plan;
  #uid: number | undefined;
  readonly #api: RuntimeApi;
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
  #freezing: NodeJS.Timeout | undefined;
  #disposed: Promise<void> | undefined;

  constructor(host: Host, plan: Plan) {
    this.#host = host;
    this.#plan = plan;
    this.#api = new RuntimeApi({
      onReady: () => this.#ending.resolve({ kind: "ready" }),
      onInitError: (answer) => this.#ending.resolve({ kind: "initError", answer }),
      onAnswer: (answer) => this.#ending.resolve({ kind: "answer", answer }),
    });
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
    this.#loopback?.close();
    await this.#kill();
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
    const pipe = await this.#answerPipe(invocation);
    this.#api.give(invocation);
    const ending = await this.#end(left());
    if (ending.kind === "answer") {
      await this.#process?.caughtUp();
      const piped = await pipe?.end(left());
      if (piped?.late) return this.#failed({ kind: "timeout" });
      return this.#answered(invocation, { ...ending.answer, ...(piped && { ...piped, streamed: true }) });
    }
    await this.#kill();
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
    return {
      payload: failure?.payload ?? (outcome as Buffer),
      ...(failure && { error: failure.error }),
      durationMs,
      billedMs: Math.ceil(durationMs + (initMs ?? 0)),
      ...(initMs !== undefined && { initMs }),
      maxMemoryMb: this.#peakMb,
    };
  }

  /** Starts the runtime and waits until it asks for its first event. */
  async #init(phase: "init" | "invoke", limitMs: number): Promise<{ ms: number; failure?: Failure }> {
    const began = realNow();
    const failure = await this.#start(limitMs);
    const ms = realNow() - began;
    if (failure) this.#say("platform", initReport(ms, phase, failure.error), { ms, phase, error: failure.error });
    return { ms, ...(failure && { failure }) };
  }

  async #start(limitMs: number): Promise<Failure | undefined> {
    const { program, spec, places, dir } = this.#plan;
    if ("message" in program) return noEntrypoint(this.#invocation?.requestId ?? "", program);
    this.#ending = Promise.withResolvers();
    this.#api.restart();
    const tag = `${dir}/`;
    const env = environment(spec, { places, program, runtimeApi: this.#loopback!.address, tag });
    const { rung } = this.#host;
    const start = startScript({
      env,
      argv: program.argv,
      cwd: places.task,
      fileMb: spec.ephemeralMb,
      ownProcessCount: rung.layout,
    });
    // The first launcher brings the uid of this environment, which owns its /tmp from then on.
    const launcher = await this.#host.launchers.take(this.#uid);
    this.#uid = launcher.uid;
    const started = startProcess(this.#host, launcher, {
      inside: { workerDir: dir, uid: this.#uid, binds: rung.layout ? this.#binds(program) : [], start },
      memoryMb: spec.memoryMb,
      tag: `${TAG}=${tag}`,
      api: this.#api,
      onLine: (stream, text) => this.#say(stream, text),
    });
    this.#process = started;
    started.exited.then((exit) => this.#exited(started, exit));
    // Disposed while the pipes were made.
    if (this.#state === "dead") this.#ending.resolve({ kind: "aborted" });
    const ending = await this.#end(limitMs, { waits: true });
    if (ending.kind === "ready") {
      if (this.#host.cpu === "aws") started.shareCpu();
      return undefined;
    }
    await this.#kill();
    return this.#failed(ending as Bad);
  }

  #binds(program: Program): Bind[] {
    const { dir, places, spec } = this.#plan;
    return [
      { from: spec.codeDir, to: places.task },
      ...(spec.optDir === undefined ? [] : [{ from: spec.optDir, to: places.opt }]),
      { from: join(dir, "tmp"), to: places.tmp, write: true },
      { from: join(dir, "out"), to: places.out, write: true },
      ...program.binds,
    ];
  }

  #exited(started: RuntimeProcess, exit: Exit): void {
    if (this.#process !== started) return;
    this.#process = undefined;
    this.#cleanup = started.kill();
    this.#ending.resolve({ kind: "exit", exit });
  }

  async #kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running) this.#cleanup = running.kill();
    await this.#cleanup;
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
    if (!this.#process || this.#api.ready) return;
    this.#ending = Promise.withResolvers();
    const ending = await this.#end(limitMs);
    if (ending.kind === "timeout") await this.#kill();
  }

  /** From the answer to the next invocation. */
  async #rest(limitMs: number): Promise<void> {
    await this.#untilReady(limitMs);
    const limit = this.#plan.spec.ephemeralMb * 1024 * 1024;
    if (this.#state === "busy" && (await diskUse(join(this.#plan.dir, "tmp"), limit)) > limit) {
      this.#say(
        "platform",
        `/tmp holds more than ${this.#plan.spec.ephemeralMb} MB: this environment is not used again`,
      );
      await this[Symbol.asyncDispose]();
    }
    this.#settle();
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
