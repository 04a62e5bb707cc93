// Warm execution environments, by function and revision: taken by one invocation at a time, ended when idle too long or out of date.
import { setTimeout as sleep } from "node:timers/promises";
import { AwsError } from "../../../kernel/mod.ts";
import type { Sandbox, Worker } from "./sandbox.ts";

export interface PoolOptions {
  /** Environments in all, busy and idle: the machine's limit, not the account's. Beyond it an invocation waits for its turn. */
  readonly maxWorkers?: number;
  /** How long an environment waits for its next invocation. On real time, since what it costs is real memory. */
  readonly idleMs?: number;
  /** An environment that was kept is gone: someone may want to keep another. */
  onLost?(): void;
}

/** The function's init failed where nobody had called it yet. */
export class InitFailed extends Error {}

export interface WorkerKey {
  /** The function, whatever its code: what `retire` names. */
  readonly functionKey: string;
  /** Of code and configuration together. A worker of another revision is not reused. */
  readonly revision: string;
}

export interface Pool extends AsyncDisposable {
  /**
   * The warm worker that was used last, or a new one. It is the caller's until `release`.
   * Throws TooManyRequestsException (429) when too many wait already, and whatever `start` throws.
   */
  acquire(key: WorkerKey, start: (sandbox: Sandbox) => Promise<Worker>): Promise<Worker>;
  /** Whatever became of it. It is given out again when its runtime has asked for the next event. */
  release(worker: Worker): void;
  /** The function changed or is gone: its idle workers end now, its busy ones at their release. */
  retire(functionKey: string): Promise<void>;
  /**
   * So many environments of a key are ready from now on, however long nobody comes; those too many end, or become ordinary ones where they are busy.
   * Resolves when they are there. Throws InitFailed, whatever `start` throws, and an Error where this machine has no room: what is there stays.
   */
  keep(key: WorkerKey, count: number, start: (sandbox: Sandbox) => Promise<Worker>): Promise<void>;
  /** How many are kept for a key, busy ones included. */
  kept(key: WorkerKey): number;
  readonly size: { readonly busy: number; readonly idle: number; readonly waiting: number };
}

const MAX_WORKERS = 64;
/** The rest is for all that nobody provided for. */
const MAX_KEPT_SHARE = 0.75;
/** Environments of a key that are initialised at a time. */
const KEPT_AT_ONCE = 4;
const IDLE_MS = 5 * 60_000;
const MAX_WAITING = 1_000;
/** A runtime asks for its next event moments after it has answered: so long it is waited for, before another environment is started. */
const ALMOST_WARM_MS = 50;

interface Entry extends WorkerKey {
  worker?: Worker;
  state: "busy" | "idle" | "ending";
  retired: boolean;
  /** It waits without end for its next invocation. */
  kept?: boolean;
  timer?: NodeJS.Timeout;
  /** From its release on: resolves when it can be taken again, or when that takes too long. For one invocation that comes then. */
  almostWarm?: Promise<unknown>;
}

interface Waiting {
  readonly key: WorkerKey;
  /** With a worker of this key, or with leave to start one in the entry. */
  readonly resolve: (entry: Entry) => void;
  readonly reject: (error: Error) => void;
}

export function openPool(sandbox: Sandbox, options: PoolOptions = {}): Pool {
  const { maxWorkers = MAX_WORKERS, idleMs = IDLE_MS, onLost } = options;
  const entries = new Set<Entry>();
  const byWorker = new WeakMap<Worker, Entry>();
  let waiting: Waiting[] = [];
  let closed = false;

  const count = (state: Entry["state"]): number => [...entries].filter((entry) => entry.state === state).length;

  async function end(entry: Entry): Promise<void> {
    clearTimeout(entry.timer);
    entry.state = "ending";
    await entry.worker?.[Symbol.asyncDispose]();
    entries.delete(entry);
    serve();
  }

  /** Whatever can be done for a key now: a warm worker, or room for a new one. Else undefined, and room is made if that is possible. */
  function entryFor(key: WorkerKey): Entry | undefined {
    const idle = [...entries].filter((entry) => entry.state === "idle" && isFor(entry, key));
    const warm = idle.findLast(({ kept }) => kept) ?? idle.at(-1);
    if (warm) {
      clearTimeout(warm.timer);
      warm.state = "busy";
      return warm;
    }
    if (entries.size < maxWorkers) {
      const entry: Entry = { ...key, state: "busy", retired: false };
      entries.add(entry);
      return entry;
    }
    makeRoom();
    return undefined;
  }

  function makeRoom(): void {
    const longestIdle = [...entries].find((entry) => entry.state === "idle" && !entry.kept);
    if (longestIdle && count("ending") === 0) end(longestIdle);
  }

  /** One invocation after the other is to meet one environment, however soon it comes. */
  function almostWarmFor(key: WorkerKey): Promise<unknown> | undefined {
    const same = [...entries].filter((entry) => isFor(entry, key));
    if (same.some((entry) => entry.state === "idle")) return undefined;
    const entry = same.find(({ almostWarm }) => almostWarm);
    const almostWarm = entry?.almostWarm;
    if (entry) entry.almostWarm = undefined;
    return almostWarm;
  }

  function serve(): void {
    waiting = waiting.filter(({ key, resolve }) => {
      const entry = entryFor(key);
      if (entry) resolve(entry);
      return !entry;
    });
  }

  function wait(key: WorkerKey): Promise<Entry> {
    if (waiting.length >= MAX_WAITING)
      throw new AwsError("TooManyRequestsException", 429, "Rate Exceeded.", {
        Reason: "ConcurrentInvocationLimitExceeded",
        Type: "User",
      });
    const { promise, resolve, reject } = Promise.withResolvers<Entry>();
    waiting.push({ key, resolve, reject });
    return promise;
  }

  async function settle(entry: Entry): Promise<void> {
    await entry.worker!.settled();
    if (entry.retired || closed || entry.worker!.state !== "warm") {
      await end(entry);
      if (entry.kept && !closed) onLost?.();
      return;
    }
    entry.state = "idle";
    entry.almostWarm = undefined;
    // At the end of the set: the last one used is the first one taken.
    entries.delete(entry);
    entries.add(entry);
    if (!entry.kept) {
      entry.timer = setTimeout(() => end(entry), idleMs);
      entry.timer.unref();
    }
    serve();
  }

  async function keepOne(key: WorkerKey, start: (sandbox: Sandbox) => Promise<Worker>): Promise<void> {
    if (entries.size >= maxWorkers) makeRoom();
    const kept = [...entries].filter((entry) => entry.kept).length;
    if (entries.size > maxWorkers || kept >= Math.floor(maxWorkers * MAX_KEPT_SHARE))
      throw new Error(`aws-like keeps at most ${Math.floor(maxWorkers * MAX_KEPT_SHARE)} environments ready`);
    const entry: Entry = { ...key, state: "busy", retired: false, kept: true };
    entries.add(entry);
    try {
      entry.worker = await start(sandbox);
      if (!entry.worker.initialized) throw new InitFailed("its init failed");
    } catch (error) {
      await end(entry);
      throw error;
    }
    byWorker.set(entry.worker, entry);
    // It may have become one too many meanwhile.
    if (closed || !entry.kept) await end(entry);
    else await settle(entry);
  }

  return {
    async acquire(key, start) {
      if (closed) throw new Error("the pool is closed");
      const almostWarm = almostWarmFor(key);
      if (almostWarm) await almostWarm;
      const entry = (waiting.length === 0 && entryFor(key)) || (await wait(key));
      if (entry.worker) return entry.worker;
      try {
        entry.worker = await start(sandbox);
      } catch (error) {
        await end(entry);
        throw error;
      }
      byWorker.set(entry.worker, entry);
      return entry.worker;
    },
    release(worker) {
      const entry = byWorker.get(worker);
      if (entry?.state !== "busy") return;
      const settled = settle(entry);
      entry.almostWarm = Promise.race([settled, sleep(ALMOST_WARM_MS, undefined, { ref: false })]);
    },
    async retire(functionKey) {
      // What is kept is of a published version, which no update changes: keep() ends it.
      const concerned = [...entries].filter((entry) => entry.functionKey === functionKey && !entry.kept);
      for (const entry of concerned) entry.retired = true;
      await Promise.all(concerned.filter((entry) => entry.state === "idle").map(end));
    },
    async keep(key, count, start) {
      const kept = [...entries].filter((entry) => entry.kept && isFor(entry, key));
      const tooMany = kept.slice(count);
      for (const entry of tooMany) entry.kept = false;
      await Promise.all(tooMany.filter((entry) => entry.state === "idle").map(end));
      for (let missing = count - kept.length; missing > 0 && !closed; missing -= KEPT_AT_ONCE)
        await Promise.all(Array.from({ length: Math.min(missing, KEPT_AT_ONCE) }, () => keepOne(key, start)));
    },
    kept: (key) =>
      [...entries].filter((entry) => entry.kept && entry.worker && entry.state !== "ending" && isFor(entry, key))
        .length,
    get size() {
      return { busy: count("busy"), idle: count("idle"), waiting: waiting.length };
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const { reject } of waiting.splice(0)) reject(new Error("the pool is closed"));
      await Promise.all([...entries].map(end));
    },
  };
}

const isFor = (entry: WorkerKey, key: WorkerKey): boolean =>
  entry.functionKey === key.functionKey && entry.revision === key.revision;
