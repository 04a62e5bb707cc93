// One connection to a SQLite file: its statements, prepared once, and the values that go in and come out.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { bind, fromBigint, parseSql, type Statement } from "./sql.ts";
import { SqliteLog } from "./sqlite-log.ts";
import type { Params, Row, Value } from "./store.ts";

interface Prepared {
  readonly statement: Statement;
  readonly compiled: StatementSync;
  /** Integers arrive as bigint. A SELECT starts without, and is run again when it meets one beyond 2^53. */
  wide: boolean;
  /** SQLite's count of changed rows belongs to these; after any other statement it is that of the one before. */
  readonly changes: boolean;
}

/** Statements are few and written out in the source; only those of tables made at run time could grow without end. */
const PREPARED_LIMIT = 1000;

const NO_PARAMS: Params = {};

export interface SqliteFile {
  readonly writer: Connection;
  readonly reader: Connection;
  /** Undefined where nothing waits for the disk. */
  readonly log: SqliteLog | undefined;
  close(): void;
}

/** Both connections to a file. Not `durable`: a crash of the machine may lose it, and nothing waits for the disk. */
export function connect(file: string, { durable }: { durable: boolean }): SqliteFile {
  const opened: { close(): void }[] = [];
  // The writer last: it takes the log into the file and removes it, which a reader cannot, so that db.sqlite alone is all there is.
  const close = () => {
    for (const connection of opened.reverse()) connection.close();
  };
  try {
    const writer = new Connection(file, { readOnly: false });
    opened.push(writer);
    const mode = writer.one("PRAGMA journal_mode = WAL")?.journal_mode;
    if (mode !== "wal") throw new Error(`it cannot have a write-ahead log there (journal mode ${mode})`);
    // The log is cut back after a long reader had let it grow.
    writer.exec("PRAGMA synchronous = OFF; PRAGMA journal_size_limit = 67108864");
    const reader = new Connection(file, { readOnly: true });
    opened.push(reader);
    reader.one("SELECT COUNT(*) FROM sqlite_schema");
    // From here on a lock is waited for in sqlite.ts, which lets the event loop run meanwhile.
    writer.exec("PRAGMA busy_timeout = 0");
    const log = durable ? new SqliteLog(file, { writer, reader }) : undefined;
    if (log) opened.push(log);
    return { writer, reader, log, close };
  } catch (error) {
    close();
    throw new Error(explain(file, error as SqliteError), { cause: error });
  }
}

interface SqliteError extends Error {
  /** https://sqlite.org/rescode.html, extended: the low byte is the primary code. */
  readonly errcode?: number;
}

const BUSY = 5;
const CORRUPT = 11;
const NOTADB = 26;

const primaryCode = (error: unknown): number => ((error as SqliteError).errcode ?? 0) & 0xff;

/** Another connection holds the lock. */
export const isBusy = (error: unknown): boolean => primaryCode(error) === BUSY;

function explain(file: string, error: SqliteError): string {
  const code = primaryCode(error);
  if (code === CORRUPT || code === NOTADB)
    return `the database ${file} is damaged, or is no SQLite database (${error.message}): restore a snapshot, or move it away`;
  return `the database ${file} cannot be opened: ${error.message}`;
}

/** How long the opening, and a reader, wait for another process that recovers or closes the log. */
const BUSY_TIMEOUT_MS = 1000;

export class Connection {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();
  readonly #commands = new Map<string, StatementSync>();

  constructor(file: string, { readOnly }: { readOnly: boolean }) {
    this.#db = new DatabaseSync(file, { readOnly, timeout: BUSY_TIMEOUT_MS });
    // PostgreSQL's LIKE tells A from a. 16 MiB of pages are kept.
    this.#db.exec("PRAGMA case_sensitive_like = ON; PRAGMA cache_size = -16384");
  }

  /** False after an error on which SQLite has rolled back by itself (disk full, I/O). */
  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  all(sql: string, params = NO_PARAMS): Row[] {
    const prepared = this.#prepare(sql);
    const values = positional(prepared.statement, params);
    if (prepared.wide) return (prepared.compiled.all(...values) as Row[]).map(narrow);
    try {
      return prepared.compiled.all(...values) as Row[];
    } catch (error) {
      widen(prepared, error);
      return (prepared.compiled.all(...values) as Row[]).map(narrow);
    }
  }

  one(sql: string, params = NO_PARAMS): Row | undefined {
    const prepared = this.#prepare(sql);
    const values = positional(prepared.statement, params);
    if (!prepared.wide)
      try {
        return prepared.compiled.get(...values) as Row | undefined;
      } catch (error) {
        widen(prepared, error);
      }
    const row = prepared.compiled.get(...values) as Row | undefined;
    return row && narrow(row);
  }

  run(sql: string, params = NO_PARAMS): number {
    const prepared = this.#prepare(sql);
    const { changes } = prepared.compiled.run(...positional(prepared.statement, params));
    return prepared.changes ? Number(changes) : 0;
  }

  /** BEGIN, COMMIT, SAVEPOINT...: nothing goes in and nothing comes out. */
  command(sql: string): void {
    let command = this.#commands.get(sql);
    if (!command) {
      command = this.#db.prepare(sql);
      this.#commands.set(sql, command);
    }
    command.get();
  }

  exec(sql: string): void {
    this.#db.exec(sql);
  }

  close(): void {
    this.#db.close();
  }

  #prepare(sql: string): Prepared {
    return this.#prepared.get(sql) ?? this.#compile(sql);
  }

  #compile(sql: string): Prepared {
    const statement = parseSql(sql);
    // node:sqlite binds by position only to anonymous parameters, and by position is faster than by name.
    const compiled = this.#db.prepare(statement.texts.join("?"));
    const wide = !/^\s*SELECT\b/i.test(sql);
    compiled.setReadBigInts(wide);
    const prepared: Prepared = { statement, compiled, wide, changes: /^\s*(INSERT|UPDATE|DELETE|WITH)\b/i.test(sql) };
    const oldest = this.#prepared.size >= PREPARED_LIMIT ? this.#prepared.keys().next().value : undefined;
    if (oldest !== undefined) this.#prepared.delete(oldest);
    this.#prepared.set(sql, prepared);
    return prepared;
  }
}

/** A parameter that the text names twice is there twice. */
function positional(statement: Statement, params: Params): Value[] {
  const values = bind(statement, params);
  return statement.slots.length === values.length ? values : statement.slots.map((slot) => values[slot]!);
}

/** Passes the error on, unless it says that an integer does not fit a number. A SELECT has changed nothing and may run again. */
function widen(prepared: Prepared, error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ERR_OUT_OF_RANGE") throw error;
  prepared.wide = true;
  prepared.compiled.setReadBigInts(true);
}

function narrow(row: Row): Row {
  for (const name in row) {
    const value = row[name];
    if (typeof value === "bigint") row[name] = fromBigint(value);
  }
  return row;
}
