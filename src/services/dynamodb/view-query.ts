// A table's view, asked in SQL by a person: through a running cloud, or in the database file itself.
import { AwsError } from "../../kernel/mod.ts";

/** The view's name. Parameters: account, region, table. */
export const VIEW_OF = `SELECT v.name FROM dynamodb_view v JOIN dynamodb_table t ON t.number = v.number
  WHERE t.account = :account AND t.region = :region AND t.name = :table`;

/** The column with the whole item; shown to whoever names it. */
export const RAW = "_item";

/** `sql`: what follows the table (`where size > 3 order by size`), or a SELECT of its own; empty for all. */
export function viewQuery(view: string, sql: string): { query: string; hidesRaw: boolean } {
  if (sql.replaceAll(QUOTED, "").includes(";"))
    throw new AwsError("BadRequest", 400, "one statement, without a semicolon");
  if (/^\s*(select|with|values)\b/i.test(sql)) return { query: sql, hidesRaw: false };
  return { query: `SELECT * FROM "${view.replaceAll('"', '""')}" ${sql}`, hidesRaw: true };
}

/** What may hold a semicolon that ends nothing. */
const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"/g;
