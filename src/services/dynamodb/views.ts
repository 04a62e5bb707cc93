// For people: each table has a view named as the table, with a column for each top-level attribute that was ever seen, and the raw item.
// The one place where tables are made at run time, and the one where the engines' SQL differs: their JSON functions do.
import type { Tx } from "../../kernel/mod.ts";
import { keyAttributes } from "./item-key.ts";
import type { Table } from "./schema.ts";
import type { Item } from "./value.ts";
import { RAW } from "./view-query.ts";

export const MIGRATION = `
  CREATE TABLE dynamodb_view (
    number BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, attributes TEXT NOT NULL
  )`;

/** Further attributes are in the raw item only. */
const MOST_COLUMNS = 500;
/** PostgreSQL cuts longer names. */
const LONGEST_NAME_BYTES = 63;

// What each view has is only ever added to: what this process has seen committed need not be asked for again.
const seen = new Map<string, ReadonlySet<string>>();
const MOST_SEEN = 1000;

/** What a transaction learns of views; `remember` it once it is committed. */
export type Learned = Map<string, ReadonlySet<string>>;

export function remember(learned: Learned): void {
  for (const [id, attributes] of learned) {
    if (seen.size >= MOST_SEEN) seen.delete(seen.keys().next().value!);
    seen.set(id, attributes);
  }
}

/** `seenBefore`: attributes of items that it is filled with. */
export async function createView(tx: Tx, table: Table, seenBefore: readonly string[] = []): Promise<void> {
  const name = await freeName(tx, table);
  const keys = keyAttributes(table.key).map((attribute) => attribute.name);
  const attributes = [...new Set([...keys, ...seenBefore])];
  await tx.run("INSERT INTO dynamodb_view (number, name, attributes) VALUES (:number, :name, :attributes)", {
    number: table.number,
    name,
    attributes: JSON.stringify(attributes),
  });
  await tx.run(viewSql(tx, { name, number: table.number, attributes }));
}

/** The attributes that were ever seen in a table. */
export async function seenIn(tx: Tx, { number }: Table): Promise<readonly string[]> {
  const view = await tx.one<{ attributes: string }>("SELECT attributes FROM dynamodb_view WHERE number = :number", {
    number,
  });
  return view ? (JSON.parse(view.attributes) as string[]) : [];
}

export async function dropView(tx: Tx, table: Table): Promise<void> {
  const view = await tx.one<{ name: string }>("DELETE FROM dynamodb_view WHERE number = :number RETURNING name", {
    number: table.number,
  });
  if (view) await tx.run(`DROP VIEW IF EXISTS ${identifier(view.name)}`);
}

/** Adds the attributes that the view has not; nearly always it has them all, and this costs a look into memory. */
export async function widenView(tx: Tx, table: Table, item: Item, learned: Learned): Promise<void> {
  const known = learned.get(table.id) ?? seen.get(table.id);
  const names = Object.keys(item);
  if (known && (known.size >= MOST_COLUMNS || names.every((name) => known.has(name)))) return;
  const view = await tx.one<{ name: string; attributes: string }>(
    "SELECT name, attributes FROM dynamodb_view WHERE number = :number",
    { number: table.number },
  );
  if (!view) return;
  const old = new Set(JSON.parse(view.attributes) as string[]);
  const all = new Set([...old, ...names].slice(0, Math.max(MOST_COLUMNS, old.size)));
  learned.set(table.id, all);
  if (all.size === old.size) return;
  const attributes = [...all];
  await tx.run("UPDATE dynamodb_view SET attributes = :attributes WHERE number = :number", {
    number: table.number,
    attributes: JSON.stringify(attributes),
  });
  await tx.run(`DROP VIEW IF EXISTS ${identifier(view.name)}`);
  await tx.run(viewSql(tx, { name: view.name, number: table.number, attributes }));
}

/** The table's own name, or `table_` before a reserved one; where another account's or region's view has that, one with a suffix. */
async function freeName(tx: Tx, table: Table): Promise<string> {
  const { region, account, number } = table;
  const name = RESERVED.test(table.name) ? `table_${table.name}` : table.name;
  const candidates = [name, `${name}_${region}`, `${name}_${account}_${region}`];
  for (const candidate of candidates.filter((text) => text.length <= LONGEST_NAME_BYTES))
    if (!(await tx.one(CATALOG[tx.engine], { name: candidate.toLowerCase() }))) return candidate;
  return `${name.slice(0, LONGEST_NAME_BYTES - 20)}_${number}`;
}

// Engines keep these for themselves, and services, here now or to come, name their tables so.
const RESERVED =
  /^(sqlite|pg|apigateway|apigatewayv2|cloudformation|cloudwatch|dynamodb|dynamodbstreams|events|iam|kinesis|kms|lambda|logs|pipes|s3|scheduler|secretsmanager|sns|sqs|ssm|states|sts)_/i;
const CATALOG = {
  sqlite: "SELECT name FROM sqlite_schema WHERE lower(name) = :name",
  postgres: `SELECT table_name FROM information_schema.tables
    WHERE table_schema = current_schema() AND lower(table_name) = :name`,
} as const;

interface View {
  readonly name: string;
  readonly number: number;
  readonly attributes: readonly string[];
}

function viewSql(tx: Tx, { name, number, attributes }: View): string {
  const taken = new Set([RAW]);
  const columns = attributes
    .filter((attribute) => !attribute.includes("\0"))
    .map((attribute) => `${VALUE[tx.engine](literal(attribute))} AS ${identifier(columnName(attribute, taken))}`);
  return `CREATE VIEW ${identifier(name)} AS SELECT ${[...columns, `item AS ${RAW}`].join(", ")}
    FROM dynamodb_item WHERE number = ${number}`;
}

/** The attribute's value as SQL has it: text, number, 1 and 0, NULL; lists, maps and sets as JSON. `name` is a quoted string. */
const VALUE = {
  // A number that a double cannot hold stays text.
  sqlite: (name: string) => `(SELECT CASE t.key WHEN 'NULL' THEN NULL
    WHEN 'N' THEN CASE WHEN CAST(CAST(t.value AS NUMERIC) AS TEXT) = t.value THEN CAST(t.value AS NUMERIC) ELSE t.value END
    ELSE t.value END FROM json_each(item) AS a, json_each(a.value) AS t WHERE a.key = ${name})`,
  postgres: (name: string) => `(SELECT CASE t.key WHEN 'NULL' THEN NULL ELSE t.value END
    FROM json_each_text(CAST(item AS json) -> ${name}) AS t)`,
} as const;

/** SQL's names are equal whatever their case, and PostgreSQL's end after 63 bytes. */
function columnName(attribute: string, taken: Set<string>): string {
  const short = Buffer.from(attribute)
    .subarray(0, LONGEST_NAME_BYTES - 4)
    .toString()
    .replace(/\ufffd$/, "");
  let name = short || "_";
  for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${short}_${n}`;
  taken.add(name.toLowerCase());
  return name;
}

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
