// The rows of a table's view: of the database file, which may be open elsewhere, or of a running cloud.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { defaults } from "../../config.ts";
import { AwsError } from "../../kernel/error.ts";
import { RAW, VIEW_OF, viewQuery } from "../../services/dynamodb/view-query.ts";
import { type Environment, UserError } from "../command.ts";
import { ask } from "../remote.ts";

export type Cell = string | number | bigint | null;
export type Row = Readonly<Record<string, Cell>>;

export interface Query {
  readonly table: string;
  readonly sql: string;
  readonly region: string;
}

export const databaseOf = (dir: string): string => join(dir, "db.sqlite");

/** One row after the other, however many there are. Throws UserError where the table is not there, or the SQL is none. */
export function* rowsOfFile(dir: string, { table, sql, region }: Query): Generator<Row> {
  const file = databaseOf(dir);
  if (!existsSync(file)) throw new UserError(`there is no database in ${dir}`);
  // Not read-only: a reader would leave the write-ahead log's files behind.
  using database = new DatabaseSync(file);
  database.exec("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON");
  try {
    const view = database.prepare(VIEW_OF).get({ account: defaults.account, region, table }) as
      | { name: string }
      | undefined;
    if (!view) throw new UserError(`there is no table ${table} in ${region}`);
    const { query, hidesRaw } = viewQuery(view.name, sql);
    const statement = database.prepare(query);
    statement.setReadBigInts(true);
    for (const row of statement.iterate()) yield shown(row as Row, hidesRaw);
  } catch (error) {
    throw isSqlFault(error) ? new UserError((error as Error).message) : error;
  }
}

/** Through the control API: as many as it gives. */
export async function rowsOfCloud(
  endpoint: string,
  environment: Environment,
  query: Query,
): Promise<{ rows: readonly Row[]; more: boolean }> {
  return ask(endpoint, "/_aws-like/table", environment, query);
}

function shown(row: Row, hidesRaw: boolean): Row {
  const cells = Object.entries(row)
    .filter(([name]) => !(hidesRaw && name === RAW))
    .map(([name, value]) => [name, typeof value === "bigint" && isSafe(value) ? Number(value) : value]);
  return Object.fromEntries(cells) as Row;
}

const isSafe = (value: bigint): boolean => Number.isSafeInteger(Number(value));

const isSqlFault = (error: unknown): boolean =>
  error instanceof AwsError || (error as NodeJS.ErrnoException).code === "ERR_SQLITE_ERROR";
