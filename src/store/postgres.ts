// The engine for more than one node: the same SQL, SERIALIZABLE, on a PostgreSQL server.
import assert from "node:assert";
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type DatabaseError, Pool, type PoolClient } from "pg";
import { defects } from "./defect.ts";
import { type MigrationTx, migrateWith } from "./migrate.ts";
import { PostgresRun } from "./postgres-run.ts";
import { resultTypes, Translator } from "./postgres-sql.ts";
import type { Migration, Singly, Store, Tx } from "./store.ts";

const CONNECTIONS = 10;
/** For a free connection of the pool too: behind many writers of one row that may take its time. */
const CONNECT_TIMEOUT_MS = 60_000;
/** A transaction that lost against a concurrent one runs again so often, after a random wait that doubles up to the longest. */
const ATTEMPTS = 100;
const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 100;
/** Two nodes that start at once migrate one after the other. Any number, the same on all nodes. */
const MIGRATION_LOCK = 4_566_001;
const LOCK_TIMEOUT_MS = 60_000;

/** All that we make is in it, so that a database may hold other things too, which we neither see nor touch. */
const SCHEMA = "aws_like";

const WRITE = "BEGIN ISOLATION LEVEL SERIALIZABLE";
const READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/** The database must be encoded in UTF8; its collation does not matter. */
export async function openPostgres(url: string): Promise<Store> {
  const store = new PostgresStore(connect(url));
  try {
    await store.prepare();
  } catch (error) {
    await store.close();
    // Where a name has several addresses, the error has no message of its own.
    const { message, code } = error as DatabaseError;
    throw new Error(`the database ${withoutPassword(url)} cannot be opened: ${message || code}`, { cause: error });
  }
  return store;
}

export async function destroyPostgres(url: string): Promise<void> {
  const pool = connect(url);
  try {
    await pool.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
  } finally {
    await pool.end();
  }
}

function connect(url: string): Pool {
  const pool = new Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    application_name: "aws-like",
    types: resultTypes,
    // Statements are sent without waiting for the answer to the one before: BEGIN costs no round trip of its own.
    pipeline: true,
  });
  // A connection that breaks fails the query that runs on it, or is idle and replaced; the event itself must only not kill us.
  const tolerate = () => undefined;
  pool.on("error", tolerate);
  pool.on("connect", (client) => {
    client.on("error", tolerate);
    client.query(`SET search_path TO ${SCHEMA}`).catch(tolerate);
  });
  return pool;
}

class PostgresStore implements Store {
  readonly #pool: Pool;
  readonly #translator = new Translator();
  /** Reads, writes and migrations under way. */
  #asked = 0;
  #closed: PromiseWithResolvers<void> | undefined;
  /** The last of those who take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  readonly singly: Singly;

  constructor(pool: Pool) {
    this.#pool = pool;
    const single = async <T>(sql: string, ask: (run: PostgresRun) => Promise<T>) => {
      assert.match(sql, /^\s*SELECT\b/i);
      return await this.#counted(() => this.#connected((client) => ask(new PostgresRun(client, this.#translator))));
    };
    this.singly = {
      all: (sql, params) => single(sql, (run) => run.all(sql, params)),
      one: (sql, params) => single(sql, (run) => run.one(sql, params)),
    };
  }

  read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#counted(() => this.#connected((client) => this.#transaction(client, READ, work)));
  }

  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#counted(() => this.#connected((client) => this.#transaction(client, WRITE, work)));
  }

  async migrate(owner: string, migrations: readonly Migration[]): Promise<void> {
    await this.#counted(() => this.#alone((write) => migrateWith(write, owner, migrations)));
  }

  /** What a new database needs before its first table. */
  async prepare(): Promise<void> {
    await this.#alone((write) =>
      write(async (tx) => {
        const database = await tx.one<{ encoding: string; ready: number }>(
          "SELECT current_setting('server_encoding') AS encoding, to_regtype(:blob) IS NOT NULL AS ready",
          { blob: `${SCHEMA}.blob` },
        );
        if (database?.encoding !== "UTF8") throw new Error(`its encoding is ${database?.encoding}, not UTF8`);
        if (!database.ready)
          await tx.exec(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}; CREATE DOMAIN ${SCHEMA}.blob AS bytea`);
      }),
    );
  }

  /** What was asked for before is still done. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = Promise.withResolvers<void>();
      this.#endWhenIdle();
    }
    return this.#closed.promise;
  }

  #endWhenIdle(): void {
    if (this.#closed && this.#asked === 0) this.#pool.end().then(this.#closed.resolve, this.#closed.reject);
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw defects.closed();
    this.#asked++;
    try {
      return await work();
    } finally {
      this.#asked--;
      this.#endWhenIdle();
    }
  }

  /** Only one node at a time does `work`, which may be run again. */
  #alone(work: (write: <T>(work: (tx: MigrationTx) => Promise<T>) => Promise<T>) => Promise<void>): Promise<void> {
    return this.#connected(async (client) => {
      await client.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
      try {
        await work((step) => this.#transaction(client, WRITE, step));
      } finally {
        await client.query(`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`);
      }
    });
  }

  /** Runs `work` on a connection. Who loses against a concurrent transaction runs again when it is its turn among those who did. */
  async #connected<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    try {
      return await this.#onConnection(work);
    } catch (error) {
      if (!mayRunAgain(error)) throw error;
      return await this.#inTurn(() => this.#untilItWins(work));
    }
  }

  async #untilItWins<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.#onConnection(work);
      } catch (error) {
        if (!mayRunAgain(error) || attempt === ATTEMPTS) throw error;
        await sleep(randomInt(1 + Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS)));
      }
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => undefined); // its own caller is told
    return turn;
  }

  async #onConnection<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let unfit = false;
    try {
      return await work(client);
    } catch (error) {
      unfit = hasStalePlan(error);
      throw error;
    } finally {
      // A connection that is still in a transaction was lost in it.
      client.release(unfit || client.getTransactionStatus() !== "I");
    }
  }

  async #transaction<T>(client: PoolClient, begin: string, work: (tx: PostgresRun) => Promise<T>): Promise<T> {
    const run = new PostgresRun(client, this.#translator);
    const begun = client.query(begin);
    // It is awaited below: the work's own error goes first.
    begun.catch(() => undefined);
    try {
      const value = await run.finish(work);
      await begun;
      const { command } = await client.query("COMMIT");
      assert.equal(command, "COMMIT");
      return value;
    } catch (error) {
      // Where this fails, the connection is lost, and the transaction with it: `release` looks at its state.
      await client.query("ROLLBACK").catch(() => undefined);
      throw isConflict(run.failure) ? run.failure : error;
    }
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization_failure, deadlock_detected. */
const isConflict = (error: unknown): boolean => ["40001", "40P01"].includes((error as DatabaseError)?.code ?? "");

/** The table was changed under a plan that this connection keeps; a new connection has none. */
const hasStalePlan = (error: unknown): boolean =>
  (error as DatabaseError)?.code === "0A000" && /cached plan/.test((error as Error).message);

const mayRunAgain = (error: unknown): boolean => isConflict(error) || hasStalePlan(error);

const withoutPassword = (url: string): string => url.replace(/:[^:@/]*@/, ":***@");
