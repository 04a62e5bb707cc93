// One run of one transaction's work on a PostgreSQL connection.
import type { ClientBase } from "pg";
import { defects } from "./defect.ts";
import type { MigrationTx } from "./migrate.ts";
import { type Translator, translate } from "./postgres-sql.ts";
import type { Params } from "./store.ts";

export class PostgresRun implements MigrationTx {
  readonly engine = "postgres";
  readonly #client: ClientBase;
  readonly #translator: Translator;
  #pending = 0;
  #last: string | undefined;
  #over = false;
  #hung: Error | undefined;
  #failure: { readonly error: unknown } | undefined;
  #reject: ((error: Error) => void) | undefined;

  constructor(client: ClientBase, translator: Translator) {
    this.#client = client;
    this.#translator = translator;
  }

  /** The error of the statement that spoiled the transaction, caught or not. */
  get failure(): unknown {
    return this.#failure?.error;
  }

  /** What `work` answers, unless a statement failed: PostgreSQL would answer a COMMIT with a rollback. */
  async finish<T>(work: (tx: PostgresRun) => Promise<T>): Promise<T> {
    try {
      const value = await new Promise<T>((resolve, reject) => {
        this.#reject = reject;
        work(this).then(resolve, reject);
        this.#watch();
      });
      if (this.#failure) throw this.#failure.error;
      return value;
    } finally {
      this.#over = true;
    }
  }

  async all<T>(sql: string, params?: Params): Promise<T[]> {
    return (await this.#query(sql, params)).rows as T[];
  }

  async one<T>(sql: string, params?: Params): Promise<T | undefined> {
    return (await this.#query(sql, params)).rows[0] as T | undefined;
  }

  async run(sql: string, params?: Params): Promise<number> {
    const { command, rowCount } = await this.#query(sql, params);
    return command === "SELECT" ? 0 : (rowCount ?? 0);
  }

  async exec(sql: string): Promise<void> {
    await this.#answer(sql, () => this.#client.query(translate(sql)));
  }

  #query(sql: string, params?: Params) {
    return this.#answer(sql, () => this.#client.query(this.#translator.query(sql, params)));
  }

  async #answer<R>(sql: string, statement: () => Promise<R>): Promise<R> {
    this.#last = sql;
    this.#pending++;
    try {
      if (this.#over) throw this.#hung ?? defects.over();
      if (this.#failure) throw this.#failure.error;
      return await statement();
    } catch (error) {
      if (error instanceof Error && !this.#over && !this.#failure) error.message += ` in: ${sql}`;
      this.#failure ??= { error };
      throw error;
    } finally {
      this.#pending--;
      this.#watch();
    }
  }

  /** When the event loop turns and the work is not done, it must have asked its tx for something; else it awaits something else. */
  #watch(): void {
    setImmediate(() => {
      if (this.#pending > 0 || this.#over) return;
      this.#over = true;
      this.#hung = defects.waited(this.#last);
      this.#reject?.(this.#hung);
    });
  }
}
