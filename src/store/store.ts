// What every engine promises. SQL is the same text on both; parameters are named (`:name`). What both read is in docs/store.md.

export type Value = string | number | bigint | Uint8Array | null;
export type Params = Readonly<Record<string, Value>>;
/** A row's shape is known by the SQL beside it: say it as `one<{ name: string }>(...)`. */
export type Row = Record<string, Value>;

export interface Tx {
  /** For the one statement that cannot be written the same for both: a view over JSON. */
  readonly engine: "sqlite" | "postgres";
  /** All rows, columns by name. TEXT is string, BIGINT number (bigint beyond 2^53), BLOB Uint8Array. */
  all<T = Row>(sql: string, params?: Params): Promise<T[]>;
  /** The first row, or undefined. */
  one<T = Row>(sql: string, params?: Params): Promise<T | undefined>;
  /** Rows changed. */
  run(sql: string, params?: Params): Promise<number>;
}

/** SELECTs, each a snapshot of its own: what two of them read may be of two moments. Nothing has to be begun or ended for them. */
export type Singly = Pick<Tx, "all" | "one">;

export interface Store {
  readonly singly: Singly;
  /** A snapshot: what is read in one `read` is of one moment. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Serializable, all or nothing, durable when it resolves. `work` awaits nothing but its `tx`, changes nothing outside it, and may be run
   * again. A throw rolls it back and is passed on.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Applies what is missing of `migrations`, once each, in order; refuses a database that is newer than this program. */
  migrate(owner: string, migrations: readonly Migration[]): Promise<void>;
  close(): Promise<void>;
}

/** SQL statements separated by `;`. TEXT, BIGINT and BLOB only; never edited once released: add the next one. */
export type Migration = string;
