// The rows of items, in their table and in its indexes: one SQL table for all, told apart by number.
import type { Context, Singly, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { expireBy, expiryFrom } from "./expiry.ts";
import { writeHistory } from "./history.ts";
import { heldKey, keyAttributes, type RowKey } from "./item-key.ts";
import { EMPTY, joinParts } from "./keys.ts";
import { pageBytes } from "./pages.ts";
import type { Index, KeySchema, Table } from "./schema.ts";
import { type Replicated, sendReplicated, stampWrite } from "./stamps.ts";
import { type Stored, StoredItem, type StoredRow } from "./stored.ts";
import { type Change as Recorded, record, writeRecords } from "./streams/records.ts";
import { type Item, itemSize, itemText, LARGEST_ITEM, member } from "./value.ts";
import { type Learned, remember, widenView } from "./views.ts";

// `number` is the table's or the index's. `item_key` tells apart the items that share a key of an index; it is empty in the table itself.
export const MIGRATION = `
  CREATE TABLE dynamodb_item (
    number BIGINT NOT NULL, hash BLOB NOT NULL, pk BLOB NOT NULL, sk BLOB NOT NULL, item_key BLOB NOT NULL,
    item TEXT NOT NULL, size BIGINT NOT NULL,
    PRIMARY KEY (number, hash, pk, sk, item_key)
  )`;

export async function readItem(tx: Singly, table: Table, key: RowKey): Promise<StoredItem | undefined> {
  const row = await tx.one<StoredRow>(
    `SELECT item, size FROM dynamodb_item
     WHERE number = :number AND hash = :hash AND pk = :pk AND sk = :sk AND item_key = :item_key`,
    { number: table.number, hash: key.hash, pk: key.pk, sk: key.sk, item_key: EMPTY },
  );
  return row && new StoredItem(row);
}

export interface Change {
  readonly key: RowKey;
  /** Known where `needsBefore`; elsewhere it may be left out. */
  readonly before?: Stored | undefined;
  /** undefined deletes. */
  readonly after?: Stored | undefined;
  /** It goes because its time has come. */
  readonly expired?: boolean;
  /** It was made in another region, and is not told back. */
  readonly replicated?: boolean;
}

/** Whether a change of the table's items is told of, or follows from, what was there. */
export const needsBefore = (table: Table): boolean =>
  table.indexes.length > 0 ||
  table.stream?.enabled === true ||
  table.pitr !== undefined ||
  table.replicas !== undefined;

/** What an item weighs; throws where it is too large. `sentence` differs between operations. */
export function weighed(item: Item, sentence = "Item size has exceeded the maximum allowed size"): Stored {
  const size = itemSize(item);
  if (size > LARGEST_ITEM) throw errors.validation(sentence);
  return { item, size };
}

/** A transaction that changes items. */
export interface Writing {
  readonly ctx: Context;
  readonly tx: Tx;
  readonly learned: Learned;
  /** What streams are told, at the end: whoever writes holds a stream's row after all items, and only for the commit. */
  readonly recorded: Recorded[];
  /** What other regions are told, at the end. */
  readonly replicated: Replicated[];
}

export async function writing<T>(ctx: Context, work: (writing: Writing) => Promise<T>): Promise<T> {
  let learned: Learned = new Map();
  const answer = await ctx.write(async (tx) => {
    learned = new Map();
    const within: Writing = { ctx, tx, learned, recorded: [], replicated: [] };
    const answer = await work(within);
    await writeRecords(tx, ctx, within.recorded);
    await sendReplicated(tx, ctx, within.replicated);
    return answer;
  });
  remember(learned);
  return answer;
}

/** An item, its index entries and its stream record, in the transaction that checked it. */
export async function changeItem(within: Writing, table: Table, change: Change): Promise<void> {
  const { ctx, tx, learned } = within;
  const { key, before, after, expired = false, replicated = false } = change;
  if (table.pitr) await writeHistory(tx, table.pitr, { key, before, now: ctx.now });
  if (after) {
    const expiresMs = expiryFrom(table, after.item, ctx.now);
    await upsert(tx, { number: table.number, key, itemKey: EMPTY, schema: table.key, expiresMs }, after);
    await widenView(tx, table, after.item, learned);
    if (expiresMs !== undefined) await expireBy(tx, ctx, table, expiresMs);
  } else await remove(tx, table.number, key, EMPTY);
  for (const index of table.indexes)
    await changeEntry(tx, { table, index, itemKey: itemKeyOf(key) }, before?.item, after?.item);
  if (table.stream?.enabled) record(within.recorded, { table, before: before?.item, after: after?.item, expired });
  const item = (after ?? before)?.item;
  if (table.replicas && !replicated && item) {
    await stampWrite(tx, table, { key, now: ctx.now });
    within.replicated.push({ table, key: item });
  }
}

/** Whoever changes several items changes them in this order: two that meet on PostgreSQL then wait for, and never block, each other. */
export function inLockingOrder(one: Keyed, two: Keyed): number {
  return (
    one.table.number - two.table.number ||
    Buffer.compare(one.rowKey.hash, two.rowKey.hash) ||
    Buffer.compare(one.rowKey.pk, two.rowKey.pk) ||
    Buffer.compare(one.rowKey.sk, two.rowKey.sk)
  );
}
export interface Keyed {
  readonly table: Table;
  readonly rowKey: RowKey;
}

/** Tells apart the items that share a key of an index; they are in the order of the table's own partitions. */
export const itemKeyOf = (key: RowKey): Uint8Array => Buffer.concat([key.hash, joinParts([key.pk, key.sk])]);

export interface Entry {
  readonly table: Table;
  readonly index: Index;
  readonly itemKey: Uint8Array;
}

export async function changeEntry(tx: Tx, entry: Entry, before?: Item, after?: Item): Promise<void> {
  const old = before && heldKey(entry.index, before);
  const next = after && heldKey(entry.index, after);
  if (old && !(next && sameKey(old, next))) await remove(tx, entry.index.number, old, entry.itemKey);
  if (!next) return;
  const item = projected(entry.table, entry.index, after!);
  const { number, key: schema } = entry.index;
  await upsert(tx, { number, key: next, itemKey: entry.itemKey, schema }, { item, size: itemSize(item) });
}

/** What an index keeps of an item. */
export function projected(table: Table, index: Index, item: Item): Item {
  if (index.projection === "ALL") return item;
  return Object.fromEntries(
    projectedNames(table, index)
      .map((name) => [name, member(item, name)] as const)
      .filter((entry): entry is [string, Item[string]] => entry[1] !== undefined),
  );
}

/** Of an index whose projection is not ALL. */
export const projectedNames = (table: Table, index: Index): readonly string[] => [
  ...new Set([
    ...[...keyAttributes(table.key), ...keyAttributes(index.key)].map(({ name }) => name),
    ...index.nonKeyAttributes,
  ]),
];

/** At most so many; the answer is how many there were. */
export async function removeRows(tx: Tx, number: number, most: number): Promise<number> {
  const last = await tx.one<{ hash: Uint8Array; pk: Uint8Array; sk: Uint8Array; item_key: Uint8Array }>(
    `SELECT hash, pk, sk, item_key FROM dynamodb_item WHERE number = :number
     ORDER BY hash, pk, sk, item_key LIMIT 1 OFFSET :skip`,
    { number, skip: most - 1 },
  );
  if (!last) return tx.run("DELETE FROM dynamodb_item WHERE number = :number", { number });
  return tx.run(
    `DELETE FROM dynamodb_item
     WHERE number = :number AND (hash, pk, sk, item_key) <= (:hash, :pk, :sk, :item_key)`,
    { number, ...last },
  );
}

const sameKey = (a: RowKey, b: RowKey): boolean => Buffer.compare(a.pk, b.pk) === 0 && Buffer.compare(a.sk, b.sk) === 0;

interface Row {
  readonly number: number;
  readonly key: RowKey;
  readonly itemKey: Uint8Array;
  /** Of the table, or of the index. */
  readonly schema: KeySchema;
  /** Of an item with a time to live; index entries go with their item. */
  readonly expiresMs?: number | undefined;
}

async function upsert(tx: Tx, { number, key, itemKey, schema, expiresMs }: Row, stored: Stored): Promise<void> {
  await tx.run(
    `INSERT INTO dynamodb_item (number, hash, pk, sk, item_key, item, size, page_bytes, expires_ms)
     VALUES (:number, :hash, :pk, :sk, :item_key, :item, :size, :page_bytes, :expires_ms)
     ON CONFLICT (number, hash, pk, sk, item_key)
       DO UPDATE SET item = excluded.item, size = excluded.size, page_bytes = excluded.page_bytes,
         expires_ms = excluded.expires_ms`,
    {
      number,
      hash: key.hash,
      pk: key.pk,
      sk: key.sk,
      item_key: itemKey,
      item: itemText(stored.item),
      size: stored.size,
      page_bytes: pageBytes(stored, schema),
      expires_ms: expiresMs ?? null,
    },
  );
}

/** When an item that stays as it is expires. */
export async function setExpiry(
  tx: Tx,
  { number }: Table,
  { key, ms }: { key: RowKey; ms: number | undefined },
): Promise<void> {
  await tx.run(
    `UPDATE dynamodb_item SET expires_ms = :ms
     WHERE number = :number AND hash = :hash AND pk = :pk AND sk = :sk AND item_key = :item_key`,
    { number, hash: key.hash, pk: key.pk, sk: key.sk, item_key: EMPTY, ms: ms ?? null },
  );
}

async function remove(tx: Tx, number: number, key: RowKey, itemKey: Uint8Array): Promise<void> {
  await tx.run(
    `DELETE FROM dynamodb_item
     WHERE number = :number AND hash = :hash AND pk = :pk AND sk = :sk AND item_key = :item_key`,
    { number, hash: key.hash, pk: key.pk, sk: key.sk, item_key: itemKey },
  );
}
