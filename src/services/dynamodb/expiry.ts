// When an item expires. Its row says so (`dynamodb_item.expires_ms`), and a table has due work for the earliest of its items only: not a
// work row for each item, let alone for each time that it is written.
import type { Context, Tx } from "../../kernel/mod.ts";
import { dynamodbItself } from "./itself.ts";
import type { Table } from "./schema.ts";
import type { StoredRow } from "./stored.ts";
import { type Item, member } from "./value.ts";

export const MIGRATION = `
  ALTER TABLE dynamodb_item ADD COLUMN expires_ms BIGINT;
  CREATE INDEX dynamodb_item_by_expiry ON dynamodb_item (number, expires_ms) WHERE expires_ms IS NOT NULL;
  CREATE TABLE dynamodb_expiry (number BIGINT PRIMARY KEY, due_ms BIGINT NOT NULL)`;

/** Of a Work to a table: take the items whose time has come. */
export interface Expire {
  readonly kind: "expire";
  readonly tableId: string;
}

/** AWS leaves alone what expired more than five years ago: it is rather a mistake. */
const OLDEST_MS = 5 * 365 * 24 * 60 * 60 * 1000;
/** Work that is due for so long was given up: it is put again. */
const LOST_MS = 60 * 60 * 1000;
/** The latest time that a Date can tell. */
const LATEST_MS = 8.64e15;

/** ms; undefined where the item has no such number. */
export function expiry(table: Table, item: Item): number | undefined {
  const seconds = table.ttlAttribute === undefined ? undefined : member(item, table.ttlAttribute)?.N;
  if (seconds === undefined) return undefined;
  const ms = Math.ceil(Number(seconds) * 1000);
  return ms > 0 && ms < LATEST_MS ? ms : undefined;
}

/** Of an item that is written now. */
export function expiryFrom(table: Table, item: Item, now: number): number | undefined {
  const ms = expiry(table, item);
  return ms === undefined || now - ms > OLDEST_MS ? undefined : ms;
}

/** With an item's write: due work, unless there is some for that time, or an earlier one. */
export async function expireBy(tx: Tx, ctx: Context, table: Table, ms: number): Promise<void> {
  const row = await tx.one<{ due_ms: number }>("SELECT due_ms FROM dynamodb_expiry WHERE number = :number", {
    number: table.number,
  });
  if (row && row.due_ms <= ms && row.due_ms > ctx.now - LOST_MS) return;
  await tx.run(
    `INSERT INTO dynamodb_expiry (number, due_ms) VALUES (:number, :ms)
     ON CONFLICT (number) DO UPDATE SET due_ms = excluded.due_ms`,
    { number: table.number, ms },
  );
  const payload: Expire = { kind: "expire", tableId: table.id };
  await ctx.put(tx, { to: table.arn, as: dynamodbItself(table.arn), due: Math.max(ms, ctx.now), payload });
}

/** What is due now is taken: for the next one there is none yet. */
export async function forgetExpiry(tx: Tx, { number }: Table): Promise<void> {
  await tx.run("DELETE FROM dynamodb_expiry WHERE number = :number", { number });
}

export async function isDue(tx: Tx, { number }: Table, now: number): Promise<boolean> {
  const row = await tx.one<{ due_ms: number }>("SELECT due_ms FROM dynamodb_expiry WHERE number = :number", { number });
  return row !== undefined && row.due_ms <= now;
}

export const itemsDue = (tx: Tx, { number }: Table, now: number, most: number): Promise<StoredRow[]> =>
  tx.all(
    `SELECT item, size FROM dynamodb_item WHERE number = :number AND expires_ms <= :now ORDER BY expires_ms LIMIT :most`,
    { number, now, most },
  );

export async function nextExpiry(tx: Tx, { number }: Table): Promise<number | undefined> {
  const row = await tx.one<{ ms: number | null }>(
    "SELECT MIN(expires_ms) AS ms FROM dynamodb_item WHERE number = :number AND expires_ms IS NOT NULL",
    { number },
  );
  return row?.ms ?? undefined;
}
