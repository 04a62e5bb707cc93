// Rows in order, a page at a time: what Query and Scan read, in the table or in an index.
import type { Params, Singly } from "../../kernel/mod.ts";
import type { RowKey } from "./item-key.ts";
import { EMPTY } from "./keys.ts";
import type { KeySchema } from "./schema.ts";
import { type Stored, StoredItem, type StoredRow } from "./stored.ts";
import { type Item, valueSize } from "./value.ts";

interface PageRow extends StoredRow {
  /** null: it was written before this was known. */
  readonly page_bytes: number | null;
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html: of what was read, before any filter. */
const PAGE_BYTES = 1024 * 1024;
/** What an item takes of a page, beside what it counts as itself. */
export const MIGRATION = "ALTER TABLE dynamodb_item ADD COLUMN page_bytes BIGINT";

/**
 * What an item takes of a page, as it was measured on AWS: it seems to be stored without the names of its attributes, in pieces that have the
 * sort key each. Undocumented.
 */
export function pageBytes({ item, size }: Stored, { range }: KeySchema): number {
  const names = Object.keys(item).reduce((sum, name) => sum + Buffer.byteLength(name), 0);
  const sortKey = range.reduce((sum, { name }) => sum + valueSize(item[name]!), 0);
  const rest = size - names + Object.keys(item).length - sortKey - range.length;
  return 2 + rest + (1 + Math.floor((1 + rest) / PIECE_BYTES)) * (18 + sortKey);
}
const PIECE_BYTES = 3072;

const FIRST_BATCH = 32;
const LARGEST_BATCH = 1000;

/** Where a row stands: after it a page goes on. */
export interface Position extends RowKey {
  readonly itemKey: Uint8Array;
}

/** Within one partition. */
export interface PartitionRows {
  readonly number: number;
  readonly hash: Uint8Array;
  readonly pk: Uint8Array;
  /** sk in [from, to). */
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
  readonly forward: boolean;
}

/** All, or the partitions whose hash is in [from, to). */
export interface AllRows {
  readonly number: number;
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
}

export interface Page {
  readonly rows: readonly StoredItem[];
  readonly bytes: number;
  /** It stopped for the limit or for its size: there may be more. */
  readonly stopped: boolean;
}

export interface Reading {
  readonly after: Position | undefined;
  readonly limit: number | undefined;
  /** Of an item that was read. Its row is not asked for it: it is needed for the last one of many. */
  positionOf(item: Item): Position;
}

export const readPartition = (tx: Singly, rows: PartitionRows, reading: Reading): Promise<Page> =>
  readPage(reading, (after, count) => {
    const { sql, params } = partitionSql(rows, after);
    return tx.all<PageRow>(sql, { ...params, count });
  });

export const readAll = (tx: Singly, rows: AllRows, reading: Reading): Promise<Page> =>
  readPage(reading, (after, count) => {
    const { sql, params } = allSql(rows, after);
    return tx.all<PageRow>(sql, { ...params, count });
  });

async function readPage(
  { after, limit = Number.POSITIVE_INFINITY, positionOf }: Reading,
  read: (after: Position | undefined, count: number) => Promise<PageRow[]>,
): Promise<Page> {
  const rows: StoredItem[] = [];
  let bytes = 0;
  let filled = 0;
  let position = after;
  for (let batch = FIRST_BATCH; ; batch = nextBatch(rows.length, filled)) {
    const count = Math.min(batch, limit - rows.length);
    const found = await read(position, count);
    for (const row of found) {
      rows.push(new StoredItem(row));
      bytes += row.size;
      filled += row.page_bytes ?? row.size;
      if (rows.length === limit || filled > PAGE_BYTES) return { rows, bytes, stopped: true };
    }
    if (found.length < count) return { rows, bytes, stopped: false };
    position = positionOf(rows.at(-1)!.item);
  }
}

/** As many as will fill the page, going by those read so far. */
const nextBatch = (rows: number, filled: number): number =>
  Math.min(LARGEST_BATCH, 1 + Math.ceil((PAGE_BYTES - filled) / Math.max(1, filled / rows)));

interface Sql {
  readonly sql: string;
  readonly params: Params;
}

function partitionSql({ number, hash, pk, from, to, forward }: PartitionRows, after: Position | undefined): Sql {
  const [beyond, order] = forward ? [">", "ASC"] : ["<", "DESC"];
  // A position lies within the bounds: then it takes the place of the one it starts from.
  const low = after && forward ? "" : "AND sk >= :from_sk";
  const high = to && !(after && !forward) ? "AND sk < :to_sk" : "";
  return {
    sql: `SELECT item, size, page_bytes FROM dynamodb_item
      WHERE number = :number AND hash = :hash AND pk = :pk ${low} ${high}
        ${after ? `AND (sk, item_key) ${beyond} (:after_sk, :after_item_key)` : ""}
      ORDER BY sk ${order}, item_key ${order} LIMIT :count`,
    params: {
      number,
      hash,
      pk,
      ...(low && { from_sk: from }),
      ...(high && { to_sk: to! }),
      ...(after && { after_sk: after.sk, after_item_key: after.itemKey }),
    },
  };
}

function allSql({ number, from, to }: AllRows, after: Position | undefined): Sql {
  return {
    sql: `SELECT item, size, page_bytes FROM dynamodb_item
      WHERE number = :number ${to ? "AND hash < :to_hash" : ""}
        AND ${after ? "(hash, pk, sk, item_key) > (:hash, :pk, :sk, :item_key)" : "hash >= :hash"}
      ORDER BY hash, pk, sk, item_key LIMIT :count`,
    params: {
      number,
      ...(to && { to_hash: to }),
      hash: after ? after.hash : from,
      ...(after && { pk: after.pk, sk: after.sk, item_key: after.itemKey }),
    },
  };
}

export const WHOLE_TABLE = { from: EMPTY, to: undefined } as const;
