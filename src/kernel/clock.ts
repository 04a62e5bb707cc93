// One clock for everything that AWS does in time. It runs, or stands still; it can be moved forward. Nothing else reads the time.
import { setMaxListeners } from "node:events";

/** Milliseconds since the epoch. */
export interface Clock {
  now(): number;
  /** Resolves when the clock has reached now() + ms; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** What is persisted of a clock, so that a moved clock is still moved after a restart. */
export interface ClockState {
  readonly offsetMs: number;
  readonly frozenAt?: number;
}

// setTimeout overflows beyond 2^31-1 ms and would fire at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The real clock plus an offset, or a frozen one. `advance` moves it; `move` tells who must be told (the post) that it moved. */
export class MovableClock implements Clock {
  #offsetMs: number;
  #frozenAt: number | undefined;
  readonly #sleepers = new Set<Sleeper>();
  #timer: NodeJS.Timeout | undefined;

  constructor(state: ClockState = { offsetMs: 0 }) {
    this.#offsetMs = state.offsetMs;
    this.#frozenAt = state.frozenAt;
  }

  get state(): ClockState {
    return { offsetMs: this.#offsetMs, ...(this.#frozenAt !== undefined && { frozenAt: this.#frozenAt }) };
  }

  get frozen(): boolean {
    return this.#frozenAt !== undefined;
  }

  now(): number {
    return this.#frozenAt ?? Date.now() + this.#offsetMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      this.#sleepers.delete(sleeper);
      signal?.removeEventListener("abort", abort);
    };
    const sleeper: Sleeper = {
      at: this.now() + ms,
      wake() {
        leave();
        resolve();
      },
    };
    const abort = () => {
      leave();
      reject(signal?.reason);
    };
    if (signal) setMaxListeners(0, signal);
    signal?.addEventListener("abort", abort, { once: true });
    this.#sleepers.add(sleeper);
    this.#arm();
    return promise;
  }

  /** Stops the clock at its present time, or at `at`. */
  freeze(at = this.now()): void {
    this.#frozenAt = at;
    this.#arm();
  }

  /** Lets a frozen clock run on from where it stands. */
  resume(): void {
    if (this.#frozenAt === undefined) return;
    this.#offsetMs = this.#frozenAt - Date.now();
    this.#frozenAt = undefined;
    this.#arm();
  }

  /** Moves the clock forward by `ms` >= 0 and wakes, in order of their time, all who slept until then. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`a clock moves forward only, not by ${ms} ms`);
    if (this.#frozenAt !== undefined) this.#frozenAt += ms;
    else this.#offsetMs += ms;
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const now = this.now();
    const due = [...this.#sleepers].filter((s) => s.at <= now).sort((a, b) => a.at - b.at);
    for (const sleeper of due) sleeper.wake();
    if (this.#sleepers.size === 0 || this.frozen) return;
    const next = Math.min(...[...this.#sleepers].map((s) => s.at));
    this.#timer = setTimeout(() => this.#arm(), Math.min(next - now, LONGEST_TIMER_MS));
    this.#timer.unref();
  }
}

/** Real time, ms since the epoch: for what cannot be moved (signature skew, leases between processes), never for what AWS does in time. */
export const realNow = (): number => Date.now();
