// PutLogEvents: what comes in is appended to the stream's file of the day, then its place is committed, and with it what filters make of it.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
import { type Context, defineOperations, type Input, type Output, type Tx } from "../../kernel/mod.ts";
import { onStream } from "./access.ts";
import type { Filtered } from "./deliveries.ts";
import { errors } from "./errors.ts";
import { BATCH_SPAN_MS } from "./events.ts";
import { append, bytesOf, dayOf, filePath, type LogEvent, textOf } from "./files.ts";
import { compileFilterPattern } from "./filter-pattern/filter-pattern.ts";
import { told } from "./live-tails.ts";
import { itself, keptFrom } from "./retention.ts";
import {
  catalogChanged,
  type FilterRow,
  type GroupRow,
  groupArn,
  knownFilters,
  knownGroup,
  knownStream,
  refOf,
  type StreamRow,
} from "./rows.ts";
import { sequenceToken } from "./streams.ts";

const MOST_BYTES = 1_048_576;
const EVENT_OVERHEAD_BYTES = 26;
const FUTURE_MS = 2 * 3_600_000;
const PAST_MS = 14 * 86_400_000;

export const putLogEvents = defineOperations("logs", {
  PutLogEvents: {
    access: (ctx, input) => onStream(refOf(ctx, input.logGroupName), "PutLogEvents", input.logStreamName),
    async handle(ctx, input) {
      const events = checked(input);
      const group = await knownGroup(ctx, refOf(ctx, input.logGroupName));
      if (!group) throw errors.noGroup();
      const stream = await knownStream(ctx, group, input.logStreamName!);
      if (!stream) throw errors.noStream();
      const { accepted, rejected } = sift(events, { now: ctx.now, group });
      const seq = accepted.length > 0 ? await take(ctx, { group, stream, events: accepted }) : stream.next_seq;
      return {
        nextSequenceToken: sequenceToken({ id: stream.id, next_seq: seq + 1 }),
        ...(rejected && { rejectedLogEventsInfo: rejected }),
        // Entities say where telemetry comes from. That there are none here is an answer that AWS has too: the events are taken.
        ...(input.entity && { rejectedEntityInfo: { errorType: "UnsupportedLogGroupType" as const } }),
      };
    },
  },
});

/** In AWS's order: the size of each, of all, their order, their span. */
function checked({ logEvents = [] }: Input<"logs", "PutLogEvents">): LogEvent[] {
  const events = logEvents.map(({ timestamp = 0, message = "" }) => ({ timestamp, message }));
  let bytes = 0;
  for (const { message } of events) {
    const size = Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES;
    if (size > MOST_BYTES) throw errors.parameter(`Log event too large: ${size} bytes exceeds limit of ${MOST_BYTES}`);
    bytes += size;
  }
  if (bytes > MOST_BYTES) throw errors.parameter(`Upload too large: ${bytes} bytes exceeds limit of ${MOST_BYTES}`);
  if (events.some(({ timestamp }, i) => i > 0 && timestamp < events[i - 1]!.timestamp))
    throw errors.parameter("Log events in a single PutLogEvents request must be in chronological order.");
  if (events.length > 0 && events.at(-1)!.timestamp - events[0]!.timestamp > BATCH_SPAN_MS)
    throw errors.parameter("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
  return events;
}

/** The ends of what is too old or expired are exclusive. */
function sift(events: readonly LogEvent[], { now, group }: { now: number; group: GroupRow }) {
  const until = (ms: number): number => {
    const first = events.findIndex(({ timestamp }) => timestamp >= ms);
    return first < 0 ? events.length : first;
  };
  const old = until(now - PAST_MS);
  const expired = until(keptFrom(group, now));
  const fresh = until(now + FUTURE_MS + 1);
  const rejected: Output<"logs", "PutLogEvents">["rejectedLogEventsInfo"] = {
    ...(old > 0 && { tooOldLogEventEndIndex: old }),
    ...(expired > 0 && { expiredLogEventEndIndex: expired }),
    ...(fresh < events.length && { tooNewLogEventStartIndex: fresh }),
  };
  const accepted = events.slice(Math.max(old, expired), fresh);
  return { accepted, rejected: Object.keys(rejected).length > 0 ? rejected : undefined };
}

interface Taking {
  readonly group: GroupRow;
  readonly stream: StreamRow;
  readonly events: readonly LogEvent[];
}

/** The number of the batch. The text is written before the commit: a batch in the store has its text in the file. */
async function take(ctx: Context, { group, stream, events }: Taking): Promise<number> {
  const now = ctx.now;
  const day = dayOf(now);
  const text = textOf(events);
  const works = wanted(await knownFilters(ctx, group), events);
  const start = await append(filePath(ctx.config, { dir: group.dir, file: stream.file, day }), text.bytes);
  const row = {
    stream_id: stream.id,
    group_id: group.id,
    first_ms: events[0]!.timestamp,
    last_ms: events.at(-1)!.timestamp,
    ingested_ms: now,
    day,
    start,
    sizes: text.sizes,
    bytes: bytesOf(text.sizes.split(",").map(Number)),
  };
  const seq = await ctx.write(async (tx) => {
    const seq = await place(tx, row);
    if (seq === undefined) return undefined;
    const to = groupArn(group);
    const as = itself(to, group.account);
    for (const work of works) {
      const payload: Filtered = { ...work, stream: stream.id, seq };
      await ctx.put(tx, { to, as, payload });
    }
    return seq;
  });
  if (seq === undefined) throw errors.noStream(); // deleted meanwhile
  told(ctx, { group, stream: stream.name, events, ingestedMs: now });
  return seq;
}

type Row = Parameters<Tx["run"]>[1] & {
  readonly stream_id: string;
  readonly first_ms: number;
  readonly last_ms: number;
};

/** Undefined: the stream is gone. */
async function place(
  tx: Tx,
  row: Row & { readonly ingested_ms: number; readonly bytes: number },
): Promise<number | undefined> {
  const { stream_id: id, first_ms, last_ms, ingested_ms, bytes } = row;
  const stream = await tx.one<{ seq: number }>(
    `UPDATE logs_stream SET next_seq = next_seq + 1, stored_bytes = stored_bytes + :bytes, last_ingestion_ms = :ingested_ms,
       first_event_ms = CASE WHEN first_event_ms < :first_ms THEN first_event_ms ELSE :first_ms END,
       last_event_ms = CASE WHEN last_event_ms > :last_ms THEN last_event_ms ELSE :last_ms END
     WHERE id = :id RETURNING next_seq - 1 AS seq`,
    { id, first_ms, last_ms, ingested_ms, bytes },
  );
  if (!stream) {
    catalogChanged(tx);
    return undefined;
  }
  await tx.run(
    `INSERT INTO logs_batch (stream_id, seq, group_id, first_ms, last_ms, ingested_ms, day, start, sizes, bytes)
     VALUES (:stream_id, :seq, :group_id, :first_ms, :last_ms, :ingested_ms, :day, :start, :sizes, :bytes)`,
    { ...row, seq: stream.seq },
  );
  return stream.seq;
}

/** A subscription's where one event matches; metrics count also what does not, if they have a default. */
function wanted(filters: readonly FilterRow[], events: readonly LogEvent[]) {
  const subscriptions = filters.filter(({ kind, pattern }) => {
    if (kind !== "subscription") return false;
    const match = compileFilterPattern(pattern);
    return events.some(({ message }) => match(message));
  });
  const metrics = filters.some(({ kind }) => kind === "metric");
  return [
    ...subscriptions.map(({ name }) => ({ kind: "subscription" as const, filter: name })),
    ...(metrics ? [{ kind: "metrics" as const }] : []),
  ];
}
