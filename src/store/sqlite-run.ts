// One run of one transaction's work on a SQLite connection.
import { defects } from "./defect.ts";
import type { MigrationTx } from "./migrate.ts";
import type { Connection } from "./sqlite-connection.ts";
import type { Params } from "./store.ts";

export class SqliteRun implements MigrationTx {
  readonly engine = "sqlite";
  readonly #connection: Connection;
  #last: string | undefined;
  #over = false;
  #hung: Error | undefined;
  #failure: { readonly error: unknown } | undefined;
  #reject: ((error: Error) => void) | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** What `work` answers, unless a statement failed: as on PostgreSQL, a failed statement spoils the transaction, caught or not. */
  async finish<T>(work: (tx: SqliteRun) => Promise<T>): Promise<T> {
    try {
      const value = await new Promise<T>((resolve, reject) => {
        this.#reject = reject;
        work(this).then(resolve, reject);
      });
      if (this.#failure) throw this.#failure.error;
      return value;
    } finally {
      this.#over = true;
    }
  }

  /** The work hangs: it is not waited for any longer, and its tx is of no more use to it. */
  abandon(): void {
    this.#over = true;
    this.#hung = defects.waited(this.#last);
    this.#reject?.(this.#hung);
  }

  all<T>(sql: string, params?: Params): Promise<T[]> {
    return this.#answer(sql, () => this.#connection.all(sql, params) as T[]);
  }

  one<T>(sql: string, params?: Params): Promise<T | undefined> {
    return this.#answer(sql, () => this.#connection.one(sql, params) as T | undefined);
  }

  run(sql: string, params?: Params): Promise<number> {
    return this.#answer(sql, () => this.#connection.run(sql, params));
  }

  exec(sql: string): Promise<void> {
    return this.#answer(sql, () => this.#connection.exec(sql));
  }

  #answer<R>(sql: string, statement: () => R): Promise<R> {
    this.#last = sql;
    try {
      if (this.#over) throw this.#hung ?? defects.over();
      if (this.#failure) throw this.#failure.error;
      return Promise.resolve(statement());
    } catch (error) {
      if (error instanceof Error && !this.#over && !this.#failure) error.message += ` in: ${sql}`;
      this.#failure ??= { error };
      return Promise.reject(error);
    }
  }
}
