// ListStreams, DescribeStream, GetShardIterator, GetRecords.
import { createHash } from "node:crypto";
import { type Access, type Arn, type Context, defineOperations, type Output, type Tx } from "../../../kernel/mod.ts";
import { errors } from "../errors.ts";
import { elements } from "../table-description.ts";
import { type Iterator, iteratorOf, iteratorText, sequenceOf, sequenceText } from "./iterators.ts";
import { DAY_MS, ITERATOR_MS, MOST_RECORDS, MOST_SHARDS_LISTED, MOST_STREAMS_LISTED } from "./limits.ts";
import { lastTrimmed, type Range, readRecords, type StreamRecord } from "./records.ts";
import { findShard, listShards, type Shard } from "./shards.ts";
import { listStreams, openedStream, type Stream, streamRef, type ViewType } from "./streams.ts";

export const streamOperations = defineOperations("dynamodbstreams", {
  ListStreams: {
    access: (ctx, { TableName = "*" }) => ({
      action: "dynamodb:ListStreams",
      resource: `arn:aws:dynamodb:${ctx.region}:${ctx.account}:table/${TableName}/stream/*`,
    }),
    async handle(ctx, { TableName: table, ExclusiveStartStreamArn: after, Limit = MOST_STREAMS_LISTED }) {
      atMost(Limit, MOST_STREAMS_LISTED);
      const found = await ctx.read((tx) => listStreams(tx, ctx, { table, after, count: Limit + 1 }));
      const page = found.slice(0, Limit);
      return {
        Streams: page.map((stream) => ({ StreamArn: stream.arn, TableName: stream.table, StreamLabel: stream.label })),
        ...(found.length > Limit && { LastEvaluatedStreamArn: page.at(-1)!.arn }),
      };
    },
  },

  DescribeStream: {
    access: (ctx, input) => onStream(ctx, "DescribeStream", input.StreamArn),
    async handle(ctx, { StreamArn, ExclusiveStartShardId: after = "", Limit = MOST_SHARDS_LISTED, ShardFilter }) {
      atMost(Limit, MOST_SHARDS_LISTED);
      const childrenOf = ShardFilter?.Type === "CHILD_SHARDS" ? ShardFilter.ShardId : undefined;
      if (ShardFilter && childrenOf === undefined) throw errors.validation("ShardFilter needs both Type and ShardId");
      return ctx.read(async (tx) => {
        const stream = await openedStream(tx, ctx, StreamArn!);
        const found = await listShards(tx, ctx, { stream: stream.number, after, childrenOf, count: Limit + 1 });
        const page = found.slice(0, Limit);
        return {
          StreamDescription: {
            StreamArn: stream.arn,
            StreamLabel: stream.label,
            StreamStatus: stream.disabledMs === undefined ? "ENABLED" : "DISABLED",
            StreamViewType: stream.viewType,
            CreationRequestDateTime: new Date(stream.createdMs),
            TableName: stream.table,
            KeySchema: elements(stream.key),
            Shards: page.map(shardDescription),
            ...(found.length > Limit && { LastEvaluatedShardId: page.at(-1)!.id }),
          },
        };
      });
    },
  },

  GetShardIterator: {
    access: (ctx, input) => onStream(ctx, "GetShardIterator", input.StreamArn),
    async handle(ctx, { StreamArn, ShardId, ShardIteratorType: type, SequenceNumber }) {
      const wantsNumber = type === "AT_SEQUENCE_NUMBER" || type === "AFTER_SEQUENCE_NUMBER";
      if (wantsNumber !== (SequenceNumber !== undefined))
        throw errors.validation(
          wantsNumber
            ? `SequenceNumber is required when ShardIteratorType is ${type}`
            : `SequenceNumber must not be specified when ShardIteratorType is ${type}`,
        );
      const asked = SequenceNumber === undefined ? 0 : sequenceOf(SequenceNumber);
      const next = await ctx.read(async (tx) => {
        const stream = await openedStream(tx, ctx, StreamArn!);
        const shard = await openedShard(tx, ctx, stream, ShardId!);
        const range = rangeOf(stream, shard);
        const trimmed = await trimmedIn(tx, ctx, range, shard);
        if (type === "LATEST") return range.to + 1;
        if (type === "TRIM_HORIZON") return trimmed === undefined ? range.from : trimmed + 1;
        if (asked < range.from || asked > range.to)
          throw errors.validation(`Invalid SequenceNumber: ${SequenceNumber} is not in the shard ${shard.id}`);
        const next = type === "AT_SEQUENCE_NUMBER" ? asked : asked + 1;
        if (trimmed !== undefined && next <= trimmed) throw errors.trimmed();
        return next;
      });
      return { ShardIterator: iteratorText({ stream: StreamArn!, shard: ShardId!, next, givenMs: ctx.now }) };
    },
  },

  GetRecords: {
    access: (ctx, input) => onStream(ctx, "GetRecords", iteratorOf(input.ShardIterator).stream),
    async handle(ctx, { ShardIterator, Limit = MOST_RECORDS }) {
      atMost(Limit, MOST_RECORDS);
      const iterator = iteratorOf(ShardIterator);
      if (ctx.now - iterator.givenMs > ITERATOR_MS) throw errors.iteratorExpired();
      return ctx.read(async (tx) => {
        const stream = await openedStream(tx, ctx, iterator.stream);
        const shard = await openedShard(tx, ctx, stream, iterator.shard);
        const range = { ...rangeOf(stream, shard), from: iterator.next };
        if ((await trimmedIn(tx, ctx, range, shard)) !== undefined) throw errors.trimmed();
        const { records, last } = await readRecords(tx, range, Limit);
        const next = nextIterator(ctx, iterator, { shard, last, sequence: records.at(-1)?.sequence });
        return {
          Records: records.map((record) => recordDescription(stream, record)),
          ...(next && { NextShardIterator: iteratorText(next) }),
        };
      });
    },
  },
});

/** Streams have ARNs of their own, and dynamodb's actions. */
function onStream(ctx: Context, action: string, arn: Arn | undefined): Access {
  streamRef(ctx, arn);
  return { action: `dynamodb:${action}`, resource: arn! };
}

function atMost(limit: number, most: number): void {
  if (limit > most)
    throw errors.validation(
      `1 validation error detected: Value '${limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to ${most}`,
    );
}

async function openedShard(tx: Tx, ctx: Context, stream: Stream, id: string): Promise<Shard> {
  const shard = await findShard(tx, ctx, stream.number, id);
  if (!shard) throw errors.shardNotFound(stream.arn, id);
  return shard;
}

/** The open shard reaches as far as the stream does now. */
const rangeOf = (stream: Stream, shard: Shard): Range => ({
  stream: stream.number,
  from: shard.firstSequence,
  to: shard.lastSequence ?? stream.lastSequence,
});

/** Records live for a day; a shard that was opened since has lost none. */
async function trimmedIn(tx: Tx, ctx: Context, range: Range, { openedMs }: Shard): Promise<number | undefined> {
  const horizon = ctx.now - DAY_MS;
  return openedMs > horizon ? undefined : lastTrimmed(tx, range, horizon);
}

/** None at the end of a closed shard: its children have what comes. */
function nextIterator(
  ctx: Context,
  iterator: Iterator,
  { shard, last, sequence }: { shard: Shard; last: boolean; sequence: number | undefined },
): Iterator | undefined {
  if (last && shard.closedMs !== undefined) return undefined;
  return { ...iterator, next: sequence === undefined ? iterator.next : sequence + 1, givenMs: ctx.now };
}

const shardDescription = (shard: Shard) => ({
  ShardId: shard.id,
  SequenceNumberRange: {
    StartingSequenceNumber: sequenceText(shard.firstSequence),
    ...(shard.lastSequence !== undefined && { EndingSequenceNumber: sequenceText(shard.lastSequence) }),
  },
  ...(shard.parent !== undefined && { ParentShardId: shard.parent }),
});

type RecordDescription = NonNullable<Output<"dynamodbstreams", "GetRecords">["Records"]>[number];

function recordDescription(stream: Stream, record: StreamRecord): RecordDescription {
  const viewType: ViewType = stream.viewType;
  return {
    // The same record has the same id, whoever reads it.
    eventID: createHash("md5").update(`${stream.arn}/${record.sequence}`).digest("hex"),
    eventName: record.event,
    eventVersion: "1.1",
    eventSource: "aws:dynamodb",
    awsRegion: streamRegion(stream),
    dynamodb: {
      // In whole seconds, as AWS tells it here.
      ApproximateCreationDateTime: new Date(Math.floor(record.createdMs / 1000) * 1000),
      Keys: record.keys,
      ...(record.newImage && { NewImage: record.newImage }),
      ...(record.oldImage && { OldImage: record.oldImage }),
      SequenceNumber: sequenceText(record.sequence),
      SizeBytes: record.size,
      StreamViewType: viewType,
    },
    ...(record.expired && { userIdentity: { PrincipalId: "dynamodb.amazonaws.com", Type: "Service" } }),
  };
}

const streamRegion = ({ arn }: Stream): string => arn.split(":")[3]!;
