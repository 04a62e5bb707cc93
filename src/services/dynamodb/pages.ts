// Rows in order, a page at a time: what Query and Scan read, in the table or in an index.
import type { Params, Singly } from "../../kernel/mod.ts";
import type { RowKey } from "./item-key.ts";
import { EMPTY } from "./keys.ts";
import { StoredItem, type StoredRow } from "./stored.ts";
import type { Item } from "./value.ts";

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html: of what was read, before any filter. */
const PAGE_BYTES = 1024 * 1024;
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
    return tx.all<StoredRow>(sql, { ...params, count });
  });

export const readAll = (tx: Singly, rows: AllRows, reading: Reading): Promise<Page> =>
  readPage(reading, (after, count) => {
    const { sql, params } = allSql(rows, after);
    return tx.all<StoredRow>(sql, { ...params, count });
  });

async function readPage(
  { after, limit = Number.POSITIVE_INFINITY, positionOf }: Reading,
  read: (after: Position | undefined, count: number) => Promise<StoredRow[]>,
): Promise<Page> {
  const rows: StoredItem[] = [];
  let bytes = 0;
  let position = after;
  for (let batch = FIRST_BATCH; ; batch = nextBatch(rows.length, bytes)) {
    const count = Math.min(batch, limit - rows.length);
    const found = await read(position, count);
    for (const row of found) {
      rows.push(new StoredItem(row));
      bytes += row.size;
      if (rows.length === limit || bytes > PAGE_BYTES) return { rows, bytes, stopped: true };
    }
    if (found.length < count) return { rows, bytes, stopped: false };
    position = positionOf(rows.at(-1)!.item);
  }
}

/** As many as will fill the page, going by those read so far. */
const nextBatch = (rows: number, bytes: number): number =>
  Math.min(LARGEST_BATCH, 1 + Math.ceil((PAGE_BYTES - bytes) / Math.max(1, bytes / rows)));

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
    sql: `SELECT item, size FROM dynamodb_item
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
    sql: `SELECT item, size FROM dynamodb_item
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
