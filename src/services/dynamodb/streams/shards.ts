// The shards of a stream: one is open, and is closed for its child after a while or when it is large. A closed one is kept for a day.
//
// No row of due work for a record: one when a shard gets its first record (to close it), one when it is closed (to forget it).
import { type Arn, type Context, forgetWith, newHex, type Tx, type Work } from "../../../kernel/mod.ts";
import { dynamodbItself } from "../itself.ts";
import { DAY_MS, SHARD_MS } from "./limits.ts";

export interface Shard {
  readonly id: string;
  readonly parent: string | undefined;
  readonly openedMs: number;
  readonly closedMs: number | undefined;
  readonly firstSequence: number;
  /** undefined: it is open. */
  readonly lastSequence: number | undefined;
}

/** As a Work's address. */
export interface StreamAddress {
  readonly number: number;
  readonly arn: Arn;
}

/** Of a Work: close this shard. Without: forget what is too old. */
interface Payload {
  readonly stream: number;
  readonly shard?: string;
}

/** The stream's row has counted its first sequence number. */
export const openFirstShard = (tx: Tx, ctx: Context, stream: number): Promise<void> =>
  openShard(tx, ctx, { stream, first: 1, parent: null });

/** With the first record of the open shard. */
export async function closeLater(tx: Tx, ctx: Context, stream: StreamAddress): Promise<void> {
  const open = await tx.one<{ id: string }>(
    "SELECT id FROM dynamodb_stream_shard WHERE stream = :stream AND closed_ms IS NULL",
    { stream: stream.number },
  );
  await due(tx, ctx, stream, { inMs: SHARD_MS, shard: open!.id });
}

/** The open shard is closed, and its child is open. */
export async function roll(tx: Tx, ctx: Context, stream: StreamAddress): Promise<void> {
  const closed = await close(tx, ctx, stream);
  const row = await tx.one<{ last_sequence: number }>(
    `UPDATE dynamodb_stream SET last_sequence = last_sequence + 1, shard_bytes = 0 WHERE number = :number
     RETURNING last_sequence`,
    { number: stream.number },
  );
  await openShard(tx, ctx, { stream: stream.number, first: row!.last_sequence, parent: closed });
}

export async function closeLastShard(tx: Tx, ctx: Context, stream: StreamAddress): Promise<void> {
  await close(tx, ctx, stream);
}

/** Its id. The end has a number of its own, greater than that of any record. */
async function close(tx: Tx, ctx: Context, stream: StreamAddress): Promise<string> {
  const end = await tx.one<{ last_sequence: number }>(
    "UPDATE dynamodb_stream SET last_sequence = last_sequence + 1 WHERE number = :number RETURNING last_sequence",
    { number: stream.number },
  );
  const shard = await tx.one<{ id: string }>(
    `UPDATE dynamodb_stream_shard SET closed_ms = :now, last_sequence = :last
     WHERE stream = :stream AND closed_ms IS NULL RETURNING id`,
    { now: ctx.now, last: end!.last_sequence, stream: stream.number },
  );
  await due(tx, ctx, stream, { inMs: DAY_MS });
  forgetWith(tx, stream.arn);
  return shard!.id;
}

async function openShard(
  tx: Tx,
  ctx: Context,
  { stream, first, parent }: { stream: number; first: number; parent: string | null },
): Promise<void> {
  // Ids in the order of their texts are in the order of time.
  const ms = parent === null ? ctx.now : Math.max(ctx.now, Number(parent.slice(ID_PREFIX.length).split("-")[0]) + 1);
  await tx.run(
    `INSERT INTO dynamodb_stream_shard (stream, id, parent, opened_ms, first_sequence)
     VALUES (:stream, :id, :parent, :now, :first)`,
    { stream, id: `${ID_PREFIX}${String(ms).padStart(20, "0")}-${newHex(8)}`, parent, now: ctx.now, first },
  );
}
const ID_PREFIX = "shardId-";

async function due(
  tx: Tx,
  ctx: Context,
  { number, arn }: StreamAddress,
  { inMs, shard }: { inMs: number; shard?: string },
): Promise<void> {
  const payload: Payload = { stream: number, ...(shard !== undefined && { shard }) };
  await ctx.put(tx, { to: arn, as: dynamodbItself(arn), due: ctx.now + inMs, payload });
}

/** The Work of a stream: a shard's time is over, or what it held is too old. */
export async function tend(ctx: Context, work: Work): Promise<void> {
  const { stream, shard } = work.payload as Payload;
  await ctx.write(async (tx) => {
    if (shard === undefined) return forget(tx, ctx, stream);
    const open = await tx.one(
      "SELECT id FROM dynamodb_stream_shard WHERE stream = :stream AND id = :id AND closed_ms IS NULL",
      { stream, id: shard },
    );
    if (open) await roll(tx, ctx, { number: stream, arn: work.to });
  });
}

async function forget(tx: Tx, ctx: Context, stream: number): Promise<void> {
  const horizon = ctx.now - DAY_MS;
  await tx.run(
    `DELETE FROM dynamodb_stream_record WHERE stream = :stream AND sequence <=
       (SELECT MAX(last_sequence) FROM dynamodb_stream_shard WHERE stream = :stream AND closed_ms <= :horizon)`,
    { stream, horizon },
  );
  await tx.run("DELETE FROM dynamodb_stream_shard WHERE stream = :stream AND closed_ms <= :horizon", {
    stream,
    horizon,
  });
  const gone = await tx.run("DELETE FROM dynamodb_stream WHERE number = :stream AND disabled_ms <= :horizon", {
    stream,
    horizon,
  });
  if (gone > 0) await tx.run("DELETE FROM dynamodb_resource_policy WHERE number = :stream", { stream });
}

interface ShardRow {
  readonly id: string;
  readonly parent: string | null;
  readonly opened_ms: number;
  readonly closed_ms: number | null;
  readonly first_sequence: number;
  readonly last_sequence: number | null;
}

const COLUMNS = "id, parent, opened_ms, closed_ms, first_sequence, last_sequence";

/** In their order; `childrenOf`: those of one parent only. */
export async function listShards(
  tx: Tx,
  ctx: Context,
  {
    stream,
    after,
    childrenOf,
    count,
  }: { stream: number; after: string; childrenOf: string | undefined; count: number },
): Promise<Shard[]> {
  const rows = await tx.all<ShardRow>(
    `SELECT ${COLUMNS} FROM dynamodb_stream_shard
     WHERE stream = :stream AND id > :after AND (closed_ms IS NULL OR closed_ms > :horizon)
       ${childrenOf === undefined ? "" : "AND parent = :parent"}
     ORDER BY id LIMIT :count`,
    {
      stream,
      after,
      horizon: ctx.now - DAY_MS,
      count,
      ...(childrenOf !== undefined && { parent: childrenOf }),
    },
  );
  return rows.map(shardOf);
}

export async function findShard(tx: Tx, ctx: Context, stream: number, id: string): Promise<Shard | undefined> {
  const row = await tx.one<ShardRow>(
    `SELECT ${COLUMNS} FROM dynamodb_stream_shard
     WHERE stream = :stream AND id = :id AND (closed_ms IS NULL OR closed_ms > :horizon)`,
    { stream, id, horizon: ctx.now - DAY_MS },
  );
  return row && shardOf(row);
}

const shardOf = (row: ShardRow): Shard => ({
  id: row.id,
  parent: row.parent ?? undefined,
  openedMs: row.opened_ms,
  closedMs: row.closed_ms ?? undefined,
  firstSequence: row.first_sequence,
  lastSequence: row.last_sequence ?? undefined,
});
