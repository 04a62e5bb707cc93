// Receivers that wait for a message: woken by the commit that brings one, or by the time when one becomes visible again.
import { setTimeout as realSleep } from "node:timers/promises";
import type { Arn, Config, Context, Running, Tx, Watch } from "../../kernel/mod.ts";
import { queueOfArn } from "./access.ts";
import { Crowds } from "./crowd.ts";
import { findQueue } from "./queue-row.ts";
import { Sweeps } from "./retention.ts";

/** Another process on the same database cannot wake us: we look. Real time. */
const SHARED_LOOK_MS = 250;

/** The first queue has the number 1. */
const NO_QUEUE = 0;

const waitings = new WeakMap<Config, Waiting>();

export const waitingOf = (ctx: Context): Waiting => {
  const waiting = waitings.get(ctx.config);
  if (!waiting) throw new Error("sqs is called before it is started");
  return waiting;
};

export async function startWaiting(ctx: Context): Promise<Running> {
  const waiting = new Waiting(ctx);
  waitings.set(ctx.config, waiting);
  return waiting;
}

/** For pollers of other services. A queue that is not there never changes. */
export async function watch(ctx: Context, resource: Arn): Promise<Watch> {
  const ref = queueOfArn(resource);
  const queue = ref && (await ctx.read((tx) => findQueue(tx, ref)));
  const arrival = waitingOf(ctx).arrival(queue?.number ?? NO_QUEUE);
  return {
    changed: arrival.promise,
    nextDue: async () => queue && ctx.read((tx) => nextVisible(tx, queue, ctx.clock.now())),
    [Symbol.dispose]: () => arrival[Symbol.dispose](),
  };
}

/** When the next hidden message shows. ms since the epoch. */
export async function nextVisible(
  tx: Pick<Tx, "one">,
  { number }: { number: number },
  now: number,
): Promise<number | undefined> {
  const row = await tx.one<{ next: number | null }>(
    "SELECT MIN(visible_ms) AS next FROM sqs_message WHERE queue_number = :number AND visible_ms > :now",
    { number, now },
  );
  return row?.next ?? undefined;
}

/** Resolves with the next message of its queue; forget it when it is no longer waited for. */
interface Arrival extends Disposable {
  readonly promise: Promise<void>;
}

class Waiting implements Running {
  readonly #shared: boolean;
  readonly #ended = new AbortController();
  readonly crowds = new Crowds();
  readonly sweeps = new Sweeps();
  readonly #arrivals = new Map<number, Set<() => void>>();

  constructor(ctx: Context) {
    this.#shared = ctx.config.databaseUrl.startsWith("postgres");
  }

  /** The cloud closes: nobody is to wait any longer. */
  get ended(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Messages of this queue were committed, or made visible. */
  wake(queueNumber: number): void {
    for (const arrived of this.#arrivals.get(queueNumber) ?? []) arrived();
  }

  /** Ask for it before you look whether there is something, or what comes in between is missed. */
  arrival(queueNumber: number): Arrival {
    const { promise, resolve } = Promise.withResolvers<void>();
    const all = this.#arrivals.get(queueNumber) ?? new Set();
    this.#arrivals.set(queueNumber, all.add(resolve));
    return {
      promise,
      [Symbol.dispose]: () => {
        all.delete(resolve);
        if (all.size === 0 && this.#arrivals.get(queueNumber) === all) this.#arrivals.delete(queueNumber);
      },
    };
  }

  /** Resolves at the arrival, when the clock has reached `ms` (since the epoch), or when the caller went away. */
  async until(ctx: Context, { promise }: Arrival, ms: number): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([ctx.signal, this.#ended.signal, over.signal]);
    const waits = [promise, ctx.clock.sleep(Math.max(0, ms - ctx.clock.now()), signal)];
    if (this.#shared) waits.push(realSleep(SHARED_LOOK_MS, undefined, { signal, ref: false }));
    // An abort ends the wait, and is no error.
    await Promise.race(waits.map((wait) => wait.catch(() => undefined)));
    over.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
  }
}
