// The embedded engine. SQLite answers at once, so a transaction whose work awaits nothing but its tx runs to its end before the event loop
// turns: reads run at once, one after the other; writes wait for the end of the turn and share one commit, a savepoint each. While a commit is on its
// way to the disk, the event loop goes on: reads are of the moment before it, and further writes gather.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defects } from "./defect.ts";
import { migrateWith } from "./migrate.ts";
import { type Connection, connect, isBusy, type SqliteFile } from "./sqlite-connection.ts";
import type { SqliteLog } from "./sqlite-log.ts";
import { SqliteRun } from "./sqlite-run.ts";
import type { Migration, Singly, Store } from "./store.ts";

/** One commit serves at most so many writers, gathered for at most so long: the first of them is not to wait for all. */
const GROUP_LIMIT = 256;
const GROUP_MS = 5;
/** How long another process (the sqlite3 shell) may hold the file's write lock before our writes fail, and how often we look. */
const BUSY_LIMIT_MS = 10_000;
const BUSY_RETRY_MS = 5;

/**
 * `file` is created where it is missing. `:memory:` is a file in the system's temporary directory, never synced, removed at close: SQLite's
 * own shared memory database has no snapshots.
 */
export async function openSqlite(file: string | ":memory:", { durable = true } = {}): Promise<Store> {
  if (file !== ":memory:") return new SqliteStore(connect(file, { durable }));
  const dir = await mkdtemp(join(tmpdir(), "aws-like-"));
  return new SqliteStore(connect(join(dir, "db.sqlite"), { durable: false }), () => rm(dir, { recursive: true }));
}

export async function destroySqlite(file: string | ":memory:"): Promise<void> {
  if (file === ":memory:") return;
  for (const suffix of ["", "-wal", "-shm"]) await rm(file + suffix, { force: true });
}

interface Job {
  readonly work: (tx: SqliteRun) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

class SqliteStore implements Store {
  readonly #file: SqliteFile;
  readonly #cleanUp: () => Promise<void>;
  readonly #reads: Job[] = [];
  readonly #writes: Job[] = [];
  /** What runs now. Whoever finds it still running in a later turn has found a transaction that awaits something else. */
  #running: SqliteRun | undefined;
  /** A read, or a group of writes, is under way. */
  #busy = false;
  /** A commit is on its way to the disk: nobody sees it yet, and the next one waits for it. */
  #syncing = false;
  #broken: Error | undefined;
  #armed = false;
  /** So many of the next writers have a commit each: the one they shared failed, and it is to be the failure of whose fault it was. */
  #alone = 0;
  #lockedSince: number | undefined;
  #closed: PromiseWithResolvers<void> | undefined;

  readonly singly: Singly;

  constructor(file: SqliteFile, cleanUp = () => Promise.resolve()) {
    this.#file = file;
    this.#cleanUp = cleanUp;
    this.singly = {
      all: (sql, params) => this.#single(sql, () => file.reader.all(sql, params) as never),
      one: (sql, params) => this.#single(sql, () => file.reader.one(sql, params) as never),
    };
  }

  read<T>(work: (tx: SqliteRun) => Promise<T>): Promise<T> {
    return this.#ask(work, (job) => {
      if (this.#busy) this.#reads.push(job);
      else void this.#read(job);
    });
  }

  write<T>(work: (tx: SqliteRun) => Promise<T>): Promise<T> {
    return this.#ask(work, (job) => {
      this.#writes.push(job);
      this.#arm();
    });
  }

  async migrate(owner: string, migrations: readonly Migration[]): Promise<void> {
    await migrateWith((work) => this.write(work), owner, migrations);
  }

  /** What was asked for before is still done. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = Promise.withResolvers<void>();
      this.#arm();
    }
    return this.#closed.promise;
  }

  #ask<T>(work: (tx: SqliteRun) => Promise<T>, start: (job: Job) => void): Promise<T> {
    if (this.#closed) return Promise.reject(defects.closed());
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise<T>((resolve, reject) => start({ work, resolve: resolve as Job["resolve"], reject }));
  }

  /** At once, whatever runs: a read that is under way has its snapshot on this connection, begun in this very turn. */
  async #single<T>(sql: string, statement: () => T): Promise<T> {
    if (this.#closed) throw defects.closed();
    if (this.#broken) throw this.#broken;
    try {
      return statement();
    } catch (error) {
      if (error instanceof Error) error.message += ` in: ${sql}`;
      throw error;
    }
  }

  async #read(job: Job): Promise<void> {
    this.#busy = true;
    const outcome = await this.#run(this.#file.reader, job, READ);
    this.#busy = false;
    settle(job, outcome);
    this.#next();
  }

  async #group(): Promise<void> {
    const { writer, log } = this.#file;
    this.#busy = true;
    const jobs: Job[] = [];
    const outcomes: Outcome[] = [];
    const limit = this.#alone > 0 ? 1 : GROUP_LIMIT;
    const end = performance.now() + GROUP_MS;
    do {
      const job = this.#writes.shift()!;
      jobs.push(job);
      outcomes.push(await this.#run(writer, job, WRITE));
    } while (writer.inTransaction && this.#writes.length > 0 && jobs.length < limit && performance.now() < end);
    const failure = commit(this.#file, outcomes.at(-1)!);
    this.#busy = false;
    this.#alone = Math.max(0, this.#alone - 1);
    if (failure && jobs.length > 1) {
      this.#writes.unshift(...jobs);
      this.#alone = jobs.length;
    }
    const settleAll = (failure: Outcome | undefined) => {
      for (const [index, job] of jobs.entries()) settle(job, failure ?? outcomes[index]!);
    };
    if (!failure && log) void this.#sync(log, settleAll);
    else if (!failure || jobs.length === 1) settleAll(failure);
    this.#next();
  }

  /** A disk that did not take a commit may have dropped it: what the log holds then is known only when it is opened again. */
  async #sync(log: SqliteLog, settleAll: (failure?: Outcome) => void): Promise<void> {
    this.#syncing = true;
    let failure: Outcome | undefined;
    try {
      await log.sync();
    } catch (error) {
      this.#broken = defects.unsynced(error);
      failure = { ok: false, error: this.#broken };
      for (const job of this.#writes.splice(0)) job.reject(this.#broken);
    }
    // A read that hangs is abandoned at the end of the turn.
    while (this.#busy) await new Promise(setImmediate);
    this.#syncing = false;
    log.release();
    settleAll(failure);
    this.#next();
  }

  async #run(connection: Connection, job: Job, { begin, commit, rollback }: Brackets): Promise<Outcome> {
    const run = new SqliteRun(connection);
    this.#running = run;
    this.#arm();
    try {
      connection.command(begin);
      const value = await run.finish(job.work);
      connection.command(commit);
      return { ok: true, value };
    } catch (error) {
      if (connection.inTransaction) for (const command of rollback) connection.command(command);
      return { ok: false, error };
    } finally {
      this.#running = undefined;
    }
  }

  #next(): void {
    const read = this.#reads.shift();
    if (read) void this.#read(read);
    else if (this.#writes.length > 0 || this.#closed) this.#arm();
  }

  #arm(waitMs = 0): void {
    if (this.#armed) return;
    this.#armed = true;
    const turn = () => {
      this.#armed = false;
      this.#turn();
    };
    if (waitMs > 0) setTimeout(turn, waitMs);
    else setImmediate(turn);
  }

  /** Once in a turn of the event loop, when its microtasks are done: what still runs hangs, and writes that came together go together. */
  #turn(): void {
    if (this.#busy) {
      this.#running?.abandon();
      this.#arm();
    } else if (this.#syncing) {
      // Its end goes on with what has come meanwhile.
    } else if (this.#writes.length > 0) {
      if (this.#begin()) void this.#group();
    } else if (this.#closed) {
      this.#file.close();
      this.#cleanUp().then(this.#closed.resolve, this.#closed.reject);
    }
  }

  /** Another process may hold the write lock: we look again, so that this one goes on serving, and say so at last. */
  #begin(): boolean {
    try {
      this.#file.writer.command("BEGIN IMMEDIATE");
      this.#lockedSince = undefined;
      return true;
    } catch (error) {
      this.#lockedSince ??= performance.now();
      if (isBusy(error) && performance.now() - this.#lockedSince < BUSY_LIMIT_MS) {
        this.#arm(BUSY_RETRY_MS);
        return false;
      }
      this.#lockedSince = undefined;
      for (const job of this.#writes.splice(0)) job.reject(error);
      this.#next();
      return false;
    }
  }
}

interface Brackets {
  readonly begin: string;
  readonly commit: string;
  readonly rollback: readonly string[];
}

// A transaction of its own, or, while a commit is on its way to the disk, within that which holds the snapshot from before it.
const READ: Brackets = { begin: "SAVEPOINT r", commit: "RELEASE r", rollback: ["ROLLBACK TO r", "RELEASE r"] };
const WRITE: Brackets = { begin: "SAVEPOINT w", commit: "RELEASE w", rollback: ["ROLLBACK TO w", "RELEASE w"] };

/** The failure that all of the group share: of the commit, or of a statement on which SQLite gave up the whole transaction (disk full). */
function commit({ writer, log }: SqliteFile, last: Outcome): Outcome | undefined {
  if (!writer.inTransaction) return last;
  try {
    log?.hold();
    writer.command("COMMIT");
    return undefined;
  } catch (error) {
    if (writer.inTransaction) writer.command("ROLLBACK");
    log?.release();
    return { ok: false, error };
  }
}

function settle(job: Job, outcome: Outcome): void {
  if (outcome.ok) job.resolve(outcome.value);
  else job.reject(outcome.error);
}
