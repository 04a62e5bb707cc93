// A poller's pauses: until its source changes, or the clock has come so far. Whoever settles or moves the clock can see them.
import { setTimeout as realSleep } from "node:timers/promises";
import type { Context } from "../context.ts";

/** Another process on the same database cannot tell us of a change: we look. Real time. */
const SHARED_LOOK_MS = 250;
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000];

/** Between attempts of what failed. ms. */
export const waitAfter = (failures: number): number => WAITS_MS[Math.min(failures, WAITS_MS.length) - 1]!;

export class Rests {
  readonly #resting = new Map<symbol, number | undefined>();
  readonly #shared: boolean;
  readonly #stop = new AbortController();
  #busy = 0;
  #waiters: (() => void)[] = [];

  constructor(ctx: Context) {
    this.#shared = ctx.config.databaseUrl.startsWith("postgres");
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Something that `settled` waits for. */
  async busy<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
      this.#tell();
    }
  }

  /** Who waits for others that are `busy` themselves is not: only they rest. */
  async waitingFor<T>(others: () => Promise<T>): Promise<T> {
    const done = others();
    this.#busy--;
    try {
      return await done;
    } finally {
      this.#busy++;
    }
  }

  /** Resolves at the change, when the clock has reached `until` (ms since the epoch), or when we stop. Counts as idle. */
  async rest(
    ctx: Context,
    { until, changed }: { until?: number | undefined; changed?: Promise<void> | undefined },
  ): Promise<void> {
    if (this.stopped) return;
    const over = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, over.signal]);
    const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    const waits: Promise<unknown>[] = [stopped];
    if (changed) waits.push(changed);
    if (until !== undefined) waits.push(ctx.clock.sleep(Math.max(0, until - ctx.clock.now()), signal));
    if (changed && this.#shared) waits.push(realSleep(SHARED_LOOK_MS, undefined, { signal, ref: false }));
    const me = Symbol();
    this.#resting.set(me, until);
    this.#busy--;
    this.#tell();
    // An abort ends the rest, and is no error.
    await Promise.race(waits.map((wait) => wait.catch(() => undefined)));
    this.#busy++;
    this.#resting.delete(me);
    over.abort();
  }

  /** When the first of those who rest goes on by the clock. */
  nextDue(): number | undefined {
    const due = [...this.#resting.values()].filter((until) => until !== undefined);
    return due.length > 0 ? Math.min(...due) : undefined;
  }

  /** Resolves when all rest, and none of them was to wake by now. */
  async idle(now: () => number): Promise<void> {
    for (;;) {
      await new Promise(setImmediate); // who was woken a moment ago is busy by then
      const next = this.nextDue();
      if (this.#busy > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
      else if (next === undefined || next > now()) return;
    }
  }

  #tell(): void {
    if (this.#busy === 0) for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
