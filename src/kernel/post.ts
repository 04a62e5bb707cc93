// Due work: everything that is to happen because of something that happened. One table, one loop, at least once.
//
// A row is written in the transaction of the change that causes it, so it survives what the change survives. A row that is being delivered
// is leased to this process; the lease of a dead process ends (at once on SQLite, which has one process; after LEASE_MS on PostgreSQL).
import { setTimeout as realSleep } from "node:timers/promises";
import type { Migration, Store, Tx } from "../store/store.ts";
import { type Clock, realNow } from "./clock.ts";
import type { NewWork, Principal, Retry, Work } from "./context.ts";
import { isRefusal, isThrottling } from "./error.ts";
import { newRequestId } from "./names.ts";

/** What the post asks of the world: to deliver, and to say what becomes of what could not be delivered. */
export interface Carrier {
  deliver(work: Work, place: Place): Promise<void>;
  /** One transaction: what becomes of it, and `forget`. */
  giveUp(work: Work, place: Place, error: unknown, forget: (tx: Tx) => Promise<unknown>): Promise<void>;
  /** The store failed while the post looked for what is due. */
  trouble(error: unknown): void;
  /** One attempt failed; `againAt` is undefined when it was the last. */
  failed(work: Work, place: Place, error: unknown, againAt: number | undefined): void;
}

export interface Place {
  readonly account: string;
  readonly region: string;
}

/** One target may not take all the hands: a slow function does not hold up a queue. */
const MAX_IN_FLIGHT_PER_TARGET = 64;
/** Due rows that are read to know whose they are. */
const MOST_LOOKED_AT = 256;
const LEASE_MS = 30_000;
const TROUBLE_WAIT_MS = 1_000;
const HEARTBEAT_MS = 10_000;
/** Throttling is no attempt: it is waited out, from 1 second up to 5 minutes, as Lambda does for its asynchronous events. */
const SHORTEST_THROTTLE_MS = 1_000;
const LONGEST_THROTTLE_MS = 300_000;
const FOR_EVER = 2 ** 53 - 1;

export const DEFAULT_RETRY: Retry = { waitsMs: [1_000, 10_000, 60_000], attempts: 5, maxAgeMs: 24 * 3_600_000 };

export const postMigrations: readonly Migration[] = [
  `CREATE TABLE work (
     id TEXT NOT NULL PRIMARY KEY, target TEXT NOT NULL, due_ms BIGINT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL,
     principal TEXT NOT NULL, payload TEXT NOT NULL, retry TEXT NOT NULL, cause TEXT NOT NULL,
     attempt BIGINT NOT NULL, created_ms BIGINT NOT NULL, lease_owner TEXT, lease_until_ms BIGINT NOT NULL
   );
   CREATE INDEX work_by_target ON work (target, due_ms, id);
   CREATE INDEX work_by_due ON work (due_ms);`,
  "ALTER TABLE work ADD COLUMN trace TEXT",
];

interface Row {
  id: string;
  target: string;
  due_ms: number;
  account: string;
  region: string;
  principal: string;
  payload: string;
  retry: string;
  cause: string;
  attempt: number;
  created_ms: number;
  trace: string | null;
}

export class Post implements AsyncDisposable {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #carrier: Carrier;
  readonly #owner = newRequestId();
  readonly #shared: boolean;
  readonly #stop = new AbortController();
  readonly #inFlight = new Map<string, number>();
  #busy = 0;
  #taken = 0;
  #wakeUp: (() => void) | undefined;
  #awake = true;
  #loop: Promise<void> | undefined;
  #idleWaiters: (() => void)[] = [];

  /** `shared`: other processes use the same store. */
  constructor(store: Store, clock: Clock, carrier: Carrier, options: { shared: boolean }) {
    this.#store = store;
    this.#clock = clock;
    this.#carrier = carrier;
    this.#shared = options.shared;
  }

  async start(): Promise<void> {
    if (!this.#shared)
      await this.#store.write((tx) =>
        tx.run("UPDATE work SET lease_owner = NULL, lease_until_ms = 0 WHERE lease_until_ms > 0"),
      );
    this.#loop = this.#run();
    if (this.#shared) void this.#heartbeat();
  }

  /**
   * Writes the row. What is due now is leased to this process in the same statement and returned: give it to `dispatch` once the
   * transaction is committed, which spares a second one to claim it. `leased`: how many this transaction has leased already.
   */
  async put(
    tx: Tx,
    work: NewWork,
    from: Place & { principal: Principal; requestId: string; trace?: string | undefined },
    leased: number,
  ): Promise<Work | undefined> {
    const now = this.#clock.now();
    const due = work.due ?? now;
    const mine = due <= now && this.#free(work.to) > leased && !this.#stop.signal.aborted;
    const full: Work = {
      id: newRequestId(),
      to: work.to,
      due,
      as: work.as ?? from.principal,
      payload: work.payload,
      retry: work.retry ?? DEFAULT_RETRY,
      cause: work.cause ?? from.requestId,
      attempt: 1,
      createdAt: now,
      ...(from.trace !== undefined && { trace: from.trace }),
    };
    await tx.run(
      `INSERT INTO work (id, target, due_ms, account, region, principal, payload, retry, cause, attempt, created_ms, lease_owner, lease_until_ms,
         trace)
       VALUES (:id, :target, :due, :account, :region, :principal, :payload, :retry, :cause, 1, :now, :owner, :until, :trace)`,
      {
        id: full.id,
        target: full.to,
        due,
        account: from.account,
        region: from.region,
        principal: JSON.stringify(full.as),
        payload: JSON.stringify(full.payload),
        retry: JSON.stringify(full.retry),
        cause: full.cause,
        now,
        owner: mine ? this.#owner : null,
        until: mine ? this.#leaseEnd() : 0,
        trace: full.trace ?? null,
      },
    );
    return mine ? full : undefined;
  }

  /** After the commit: delivers what `put` leased, and looks again at what is due later. */
  dispatch(leased: readonly Work[], place: Place): void {
    if (this.#stop.signal.aborted) return; // the next start finds it
    for (const work of leased) this.#take(work, place);
    this.wake();
  }

  /** Something may be due that was not: a new row, a moved clock. */
  wake(): void {
    this.#awake = true;
    this.#wakeUp?.();
  }

  /** Resolves when nothing that is due now is left, and nothing is being delivered. */
  async settled(): Promise<void> {
    for (;;) {
      if (this.#busy > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
      const next = await this.nextDue();
      if (this.#busy === 0 && (next === undefined || next > this.#clock.now())) return;
      this.wake();
      await new Promise(setImmediate);
    }
  }

  /** When the next row is due that nobody delivers now. ms since the epoch. */
  async nextDue(): Promise<number | undefined> {
    const row = await this.#store.read((tx) =>
      tx.one<{ due: number | null }>("SELECT MIN(due_ms) AS due FROM work WHERE lease_until_ms <= :real", {
        real: realNow(),
      }),
    );
    return row?.due ?? undefined;
  }

  /** How many deliveries have begun so far: unchanged means that nothing happened. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes nothing new; what is being delivered goes on. */
  stop(): void {
    this.#stop.abort();
    this.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#loop;
    while (this.#busy > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted)
      try {
        this.#awake = false;
        await this.#claimAll();
        if (this.#awake) continue;
        const next = await this.nextDue();
        if (this.#awake) continue;
        await this.#sleepUntil(next);
      } catch (error) {
        // A database that is away for a moment must not end all delivery.
        this.#carrier.trouble(error);
        await this.#pause(TROUBLE_WAIT_MS);
      }
  }

  async #sleepUntil(due: number | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakeUp = resolve;
    const sleep = new AbortController();
    // A target that is full keeps due rows waiting: its next free hand wakes us, not the clock.
    const wait = due === undefined || due <= this.#clock.now() ? undefined : due - this.#clock.now();
    if (wait !== undefined) this.#clock.sleep(wait, sleep.signal).then(resolve, () => undefined);
    if (this.#shared) realSleep(1_000, undefined, { signal: sleep.signal, ref: false }).then(resolve, () => undefined);
    await promise;
    this.#wakeUp = undefined;
    sleep.abort();
  }

  /** Where little is due, whose it is is read at once, however many targets wait for later. A backlog is not read: each target is looked at in turn. */
  async #claimAll(): Promise<void> {
    const rows = await this.#store.read((tx) =>
      tx.all<{ target: string }>(
        "SELECT target FROM work WHERE due_ms <= :now AND lease_until_ms <= :real LIMIT :most",
        { now: this.#clock.now(), real: realNow(), most: MOST_LOOKED_AT },
      ),
    );
    const targets = new Set(rows.map(({ target }) => target));
    if (rows.length < MOST_LOOKED_AT) for (const target of targets) await this.#claimFree(target);
    else
      for (
        let target = await this.#nextTarget("");
        target && !this.#stop.signal.aborted;
        target = await this.#nextTarget(target)
      )
        await this.#claimFree(target);
  }

  async #claimFree(target: string): Promise<void> {
    const free = this.#free(target);
    if (free > 0 && !this.#stop.signal.aborted) await this.#claim(target, free);
  }

  async #nextTarget(after: string): Promise<string | undefined> {
    const row = await this.#store.read((tx) =>
      tx.one<{ target: string | null }>("SELECT MIN(target) AS target FROM work WHERE target > :after", { after }),
    );
    return row?.target ?? undefined;
  }

  async #claim(target: string, limit: number): Promise<void> {
    const params = { target, now: this.#clock.now(), real: realNow(), limit };
    const due = await this.#store.read((tx) =>
      tx.one("SELECT id FROM work WHERE target = :target AND due_ms <= :now AND lease_until_ms <= :real LIMIT 1", {
        target: params.target,
        now: params.now,
        real: params.real,
      }),
    );
    if (!due) return; // reading costs no commit
    const rows = await this.#store.write((tx) =>
      tx.all<Row>(
        `UPDATE work SET lease_owner = :owner, lease_until_ms = :until WHERE id IN (
           SELECT id FROM work WHERE target = :target AND due_ms <= :now AND lease_until_ms <= :real ORDER BY due_ms, id LIMIT :limit)
         RETURNING id, target, due_ms, account, region, principal, payload, retry, cause, attempt, created_ms, trace`,
        { ...params, owner: this.#owner, until: this.#leaseEnd() },
      ),
    );
    rows.sort((a, b) => a.due_ms - b.due_ms);
    for (const row of rows) this.#take(toWork(row), row);
  }

  #take(work: Work, place: Place): void {
    this.#busy++;
    this.#taken++;
    this.#inFlight.set(work.to, (this.#inFlight.get(work.to) ?? 0) + 1);
    void this.#deliver(work, place).finally(() => {
      const left = this.#inFlight.get(work.to)! - 1;
      if (left === 0) this.#inFlight.delete(work.to);
      else this.#inFlight.set(work.to, left);
      this.#busy--;
      if (left === MAX_IN_FLIGHT_PER_TARGET - 1) this.wake();
      if (this.#busy === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    });
  }

  async #deliver(work: Work, place: Place): Promise<void> {
    try {
      await this.#carrier.deliver(work, place);
    } catch (error) {
      // Stopping is no failure of the work: its lease ends, and the next process takes it.
      if (this.#stop.signal.aborted) return;
      await this.#again(work, place, error);
      return;
    }
    await this.#surely(() => this.#store.write((tx) => tx.run("DELETE FROM work WHERE id = :id", { id: work.id })));
  }

  /** Until the store takes it, or we stop: then the lease ends and the work is delivered again. */
  async #surely(change: () => Promise<unknown>): Promise<void> {
    for (;;)
      try {
        await change();
        return;
      } catch (error) {
        this.#carrier.trouble(error);
        if (this.#stop.signal.aborted) return;
        await this.#pause(TROUBLE_WAIT_MS);
      }
  }

  /** Real time; ends early when we stop. */
  async #pause(ms: number): Promise<void> {
    await realSleep(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }

  async #again(work: Work, place: Place, error: unknown): Promise<void> {
    const now = this.#clock.now();
    const throttled = isThrottling(error);
    const wait = throttled
      ? Math.min(Math.max(now - work.createdAt, SHORTEST_THROTTLE_MS), LONGEST_THROTTLE_MS)
      : (work.retry.waitsMs[Math.min(work.attempt, work.retry.waitsMs.length) - 1] ?? 0);
    const last =
      isRefusal(error) ||
      (work.attempt >= work.retry.attempts && !throttled) ||
      now + wait > work.createdAt + (work.retry.maxAgeMs ?? Number.POSITIVE_INFINITY);
    this.#carrier.failed(work, place, error, last ? undefined : now + wait);
    if (last) {
      const forget = (tx: Tx) => tx.run("DELETE FROM work WHERE id = :id", { id: work.id });
      await this.#surely(() => this.#carrier.giveUp(work, place, error, forget));
      return;
    }
    const params = { id: work.id, attempt: work.attempt + (throttled ? 0 : 1), due: now + wait };
    const again =
      "UPDATE work SET attempt = :attempt, due_ms = :due, lease_owner = NULL, lease_until_ms = 0 WHERE id = :id";
    await this.#surely(() => this.#store.write((tx) => tx.run(again, params)));
    this.wake();
  }

  async #heartbeat(): Promise<void> {
    const renew = (tx: Tx) =>
      tx.run("UPDATE work SET lease_until_ms = :until WHERE lease_owner = :owner", {
        owner: this.#owner,
        until: this.#leaseEnd(),
      });
    for (;;) {
      await this.#pause(HEARTBEAT_MS);
      if (this.#stop.signal.aborted) return;
      if (this.#busy > 0) await this.#surely(() => this.#store.write(renew));
    }
  }

  #free(target: string): number {
    return MAX_IN_FLIGHT_PER_TARGET - (this.#inFlight.get(target) ?? 0);
  }

  #leaseEnd(): number {
    return this.#shared ? realNow() + LEASE_MS : FOR_EVER;
  }
}

const toWork = (row: Row): Work => ({
  id: row.id,
  to: row.target,
  due: row.due_ms,
  as: JSON.parse(row.principal) as Principal,
  payload: JSON.parse(row.payload) as unknown,
  retry: JSON.parse(row.retry) as Retry,
  cause: row.cause,
  attempt: row.attempt,
  createdAt: row.created_ms,
  ...(row.trace !== null && { trace: row.trace }),
});
