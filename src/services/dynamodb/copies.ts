// Rows that are copied from one number to another: into a backup, out of one, or what a table held at a time in the past. In steps of so many
// rows by the order of their hashes, each a transaction and two statements, so that nobody waits for a large table.
import type { Params, Singly, Tx } from "../../kernel/mod.ts";
import { EMPTY } from "./keys.ts";

export const MIGRATION = `
  CREATE TABLE dynamodb_copy (
    number BIGINT PRIMARY KEY, source BIGINT NOT NULL, history BIGINT, at_ms BIGINT,
    position BLOB NOT NULL, items BIGINT NOT NULL, bytes BIGINT NOT NULL
  )`;

/** Rows of dynamodb_item as they are, or as they were: what has changed since is in dynamodb_history. */
export interface Source {
  readonly number: number;
  readonly asOf?: { readonly history: number; readonly ms: number } | undefined;
}

/** Rows whose hash is in (after, upto]; without `upto` all that follow. */
export interface Span {
  readonly after: Uint8Array;
  readonly upto: Uint8Array | undefined;
}

export interface Copied {
  readonly span: Span;
  readonly items: number;
  readonly bytes: number;
  readonly done: boolean;
}

/** Of one step; more where many rows have one hash. */
const MOST_COPIED = 2000;

export async function beginCopy(tx: Tx, number: number, { number: source, asOf }: Source): Promise<void> {
  await tx.run(
    `INSERT INTO dynamodb_copy (number, source, history, at_ms, position, items, bytes)
     VALUES (:number, :source, :history, :at, :position, 0, 0)`,
    { number, source, history: asOf?.history ?? null, at: asOf?.ms ?? null, position: EMPTY },
  );
}

/** undefined: there is nothing to copy to that number, or no more. */
export async function copySome(tx: Tx, number: number): Promise<Copied | undefined> {
  const row = await tx.one<CopyRow>(
    "SELECT source, history, at_ms, position, items, bytes FROM dynamodb_copy WHERE number = :number",
    { number },
  );
  if (!row) return undefined;
  const asOf = row.history === null ? undefined : { history: row.history, ms: row.at_ms! };
  const source: Source = { number: row.source, asOf };
  const span = await nextSpan(tx, source, { after: row.position, most: MOST_COPIED });
  const { sql, params } = rowsSql(source, span);
  const copied = await tx.run(
    `INSERT INTO dynamodb_item (number, hash, pk, sk, item_key, item, size, page_bytes)
     SELECT CAST(:target AS BIGINT), r.hash, r.pk, r.sk, CAST(:empty AS BLOB), r.item, r.size, r.page_bytes
     FROM (${sql}) r WHERE 1 = 1`,
    { ...params, target: number, empty: EMPTY },
  );
  const weight = await tx.one<{ bytes: number }>(
    `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM dynamodb_item i WHERE i.number = :target ${within("i", span)}`,
    { target: number, ...spanParams(span) },
  );
  const items = row.items + copied;
  const bytes = row.bytes + weight!.bytes;
  const done = span.upto === undefined;
  if (done) await tx.run("DELETE FROM dynamodb_copy WHERE number = :number", { number });
  else
    await tx.run(
      "UPDATE dynamodb_copy SET position = :position, items = :items, bytes = :bytes WHERE number = :number",
      {
        number,
        position: span.upto!,
        items,
        bytes,
      },
    );
  return { span, items, bytes, done };
}

interface CopyRow {
  readonly source: number;
  readonly history: number | null;
  readonly at_ms: number | null;
  readonly position: Uint8Array;
  readonly items: number;
  readonly bytes: number;
}

/** Whether rows of this number are being copied somewhere. */
export async function isBeingCopied(tx: Singly, { number }: Pick<Source, "number">): Promise<boolean> {
  return (await tx.one("SELECT number FROM dynamodb_copy WHERE source = :number LIMIT 1", { number })) !== undefined;
}

/** The next rows, about `most` of them; without a number, of what has changed alone. */
export async function nextSpan(
  tx: Singly,
  { number, asOf }: Partial<Source>,
  { after, most }: { after: Uint8Array; most: number },
): Promise<Span> {
  const bound = (table: string, of: number) =>
    tx.one<{ hash: Uint8Array }>(
      `SELECT hash FROM ${table} WHERE number = :of AND hash > :after ORDER BY hash LIMIT 1 OFFSET :skip`,
      { of, after, skip: most - 1 },
    );
  const bounds = [
    number && (await bound("dynamodb_item", number)),
    asOf && (await bound("dynamodb_history", asOf.history)),
  ];
  const [first] = bounds.flatMap((row) => (row ? [row.hash] : [])).sort(Buffer.compare);
  return { after, upto: first };
}

/** `hash, pk, sk, item, size` of each item that there is, or was. */
export function rowsSql({ number, asOf }: Source, span: Span): { sql: string; params: Params } {
  const params = { source: number, ...spanParams(span) };
  const now = `SELECT i.hash, i.pk, i.sk, i.item, i.size, i.page_bytes FROM dynamodb_item i WHERE i.number = :source ${within("i", span)}`;
  if (!asOf) return { sql: now, params };
  // Of an item that has changed since, the earliest entry says what it was.
  const sql = `${now}
    AND NOT EXISTS (SELECT 1 FROM dynamodb_history l WHERE l.number = :history
      AND l.hash = i.hash AND l.pk = i.pk AND l.sk = i.sk AND l.until_ms > :at)
    UNION ALL
    SELECT h.hash, h.pk, h.sk, h.item, h.size, CAST(NULL AS BIGINT) FROM dynamodb_history h
    WHERE h.number = :history ${within("h", span)} AND h.until_ms > :at AND h.item IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM dynamodb_history e WHERE e.number = h.number
        AND e.hash = h.hash AND e.pk = h.pk AND e.sk = h.sk AND e.until_ms > :at AND e.until_ms < h.until_ms)`;
  return { sql, params: { ...params, history: asOf.history, at: asOf.ms } };
}

export const within = (alias: string, { upto }: Span): string =>
  `AND ${alias}.hash > :after ${upto ? `AND ${alias}.hash <= :upto` : ""}`;
export const spanParams = ({ after, upto }: Span): Params => ({ after, ...(upto && { upto }) });
