// What a stream tells of: one record for each change of an item, written in the transaction of the change.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
//
// Whoever polls the stream (an event source mapping, a pipe) is woken when the transaction is committed.
import { type Context, forgetWith, type Tx } from "../../../kernel/mod.ts";
import { keyItem } from "../item-key.ts";
import type { Table, TableStream } from "../schema.ts";
import { equalItems, type Item, itemOf, itemSize, itemText } from "../value.ts";
import { MOST_RECORD_BYTES, SHARD_BYTES } from "./limits.ts";
import { closeLater, roll } from "./shards.ts";
import { streamArn } from "./streams.ts";

export interface Change {
  readonly table: Table;
  /** undefined: the item is new. */
  readonly before: Item | undefined;
  /** undefined: it is gone. */
  readonly after: Item | undefined;
  /** It went because its time had come. */
  readonly expired: boolean;
}

export type EventName = "INSERT" | "MODIFY" | "REMOVE";

/** Nothing is told of a write that changes nothing. */
export function record(recorded: Change[], change: Change): void {
  const { before, after } = change;
  if (before && after ? equalItems(before, after) : !before && !after) return;
  recorded.push(change);
}

/** At the end of the transaction. A stream's row is locked until the commit: the order of its numbers is the order in which records can be seen. */
export async function writeRecords(tx: Tx, ctx: Context, recorded: readonly Change[]): Promise<void> {
  if (recorded.length === 0) return;
  const byStream = Map.groupBy(recorded, ({ table }) => table.stream!.number);
  for (const number of [...byStream.keys()].sort((a, b) => a - b)) await writeStream(tx, ctx, byStream.get(number)!);
}

async function writeStream(tx: Tx, ctx: Context, changes: readonly Change[]): Promise<void> {
  const { table } = changes[0]!;
  const stream = table.stream!;
  const rows = changes.map((change) => rowOf(stream, change));
  const bytes = rows.reduce((sum, { size }) => sum + size, 0);
  const counted = await tx.one<{ last_sequence: number; shard_bytes: number }>(
    `UPDATE dynamodb_stream SET last_sequence = last_sequence + :count, shard_bytes = shard_bytes + :bytes
     WHERE number = :number RETURNING last_sequence, shard_bytes`,
    { count: rows.length, bytes, number: stream.number },
  );
  let sequence = counted!.last_sequence - rows.length;
  for (const row of rows)
    await tx.run(
      `INSERT INTO dynamodb_stream_record
         (stream, sequence, created_ms, size, event, expired, keys, old_image, new_image)
       VALUES (:stream, :sequence, :created_ms, :size, :event, :expired, :keys, :old_image, :new_image)`,
      { stream: stream.number, sequence: ++sequence, created_ms: ctx.now, ...row },
    );
  const address = { number: stream.number, arn: streamArn(table, stream) };
  forgetWith(tx, address.arn);
  if (counted!.shard_bytes > SHARD_BYTES) await roll(tx, ctx, address);
  else if (counted!.shard_bytes === bytes) await closeLater(tx, ctx, address);
}

function rowOf({ viewType }: TableStream, { table, before, after, expired }: Change) {
  const keys = keyItem(table.key, (after ?? before)!);
  const oldImage = viewType === "OLD_IMAGE" || viewType === "NEW_AND_OLD_IMAGES" ? before : undefined;
  const newImage = viewType === "NEW_IMAGE" || viewType === "NEW_AND_OLD_IMAGES" ? after : undefined;
  const event: EventName = before ? (after ? "MODIFY" : "REMOVE") : "INSERT";
  return {
    event,
    size: sizeOf(keys) + sizeOf(oldImage) + sizeOf(newImage),
    expired: expired ? 1 : 0,
    keys: itemText(keys),
    old_image: oldImage ? itemText(oldImage) : null,
    new_image: newImage ? itemText(newImage) : null,
  };
}

const sizeOf = (item: Item | undefined): number => (item ? itemSize(item) : 0);

/** As it was written. */
export interface StreamRecord {
  readonly sequence: number;
  readonly createdMs: number;
  /** SizeBytes. */
  readonly size: number;
  readonly event: EventName;
  readonly expired: boolean;
  readonly keys: Item;
  readonly oldImage: Item | undefined;
  readonly newImage: Item | undefined;
}

/** Of one shard, or of what is left of it. */
export interface Range {
  readonly stream: number;
  readonly from: number;
  readonly to: number;
}

/** `last`: there were no more. */
export async function readRecords(
  tx: Tx,
  { stream, from, to }: Range,
  limit: number,
): Promise<{ records: StreamRecord[]; last: boolean }> {
  // First how large they are: a thousand of the largest would be more than memory holds.
  const sizes = await tx.all<{ sequence: number; size: number }>(
    `SELECT sequence, size FROM dynamodb_stream_record WHERE stream = :stream AND sequence BETWEEN :from AND :to
     ORDER BY sequence LIMIT :count`,
    { stream, from, to, count: limit + 1 },
  );
  const page = withinBytes(sizes.slice(0, limit));
  if (page.length === 0) return { records: [], last: true };
  const rows = await tx.all<RecordRow>(
    `SELECT sequence, created_ms, size, event, expired, keys, old_image, new_image FROM dynamodb_stream_record
     WHERE stream = :stream AND sequence BETWEEN :from AND :to ORDER BY sequence`,
    { stream, from, to: page.at(-1)!.sequence },
  );
  return { records: rows.map(recordOf), last: page.length === sizes.length };
}

/** At least one. */
function withinBytes<T extends { size: number }>(rows: readonly T[]): readonly T[] {
  let bytes = 0;
  const end = rows.findIndex(({ size }, i) => {
    bytes += size;
    return i > 0 && bytes > MOST_RECORD_BYTES;
  });
  return end < 0 ? rows : rows.slice(0, end);
}

/** The number of the last record that is too old to be read; undefined: there is none in the range. */
export async function lastTrimmed(tx: Tx, { stream, from, to }: Range, horizonMs: number): Promise<number | undefined> {
  const row = await tx.one<{ sequence: number | null }>(
    `SELECT MAX(sequence) AS sequence FROM dynamodb_stream_record
     WHERE stream = :stream AND sequence BETWEEN :from AND :to AND created_ms <= :horizon`,
    { stream, from, to, horizon: horizonMs },
  );
  return row?.sequence ?? undefined;
}

interface RecordRow {
  readonly sequence: number;
  readonly created_ms: number;
  readonly size: number;
  readonly event: EventName;
  readonly expired: number;
  readonly keys: string;
  readonly old_image: string | null;
  readonly new_image: string | null;
}

const recordOf = (row: RecordRow): StreamRecord => ({
  sequence: row.sequence,
  createdMs: row.created_ms,
  size: row.size,
  event: row.event,
  expired: row.expired === 1,
  keys: itemOf(row.keys),
  oldImage: row.old_image === null ? undefined : itemOf(row.old_image),
  newImage: row.new_image === null ? undefined : itemOf(row.new_image),
});
