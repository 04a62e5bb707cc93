// Events read back in the order of their time: batches from the store, their text from the files. Batches may overlap in time; they are merged.
import { createHash } from "node:crypto";
import type { Context } from "../../kernel/mod.ts";
import { eventsOf, filePath, type LogEvent, Pieces } from "./files.ts";
import { beyond } from "./pages.ts";
import { keptFrom } from "./retention.ts";
import type { BatchRow, GroupRow, StreamRow } from "./rows.ts";

export interface Found extends LogEvent {
  /** 56 digits, as AWS's; they sort as the events do. */
  readonly id: string;
  readonly ingestedMs: number;
  readonly stream: string;
}

/** A batch spans that at most: PutLogEvents sees to it. */
export const BATCH_SPAN_MS = 86_400_000;
const BATCHES = 500;

/** The time, the stream, the batch, the place in it. Sorts as a text. */
function idOf(timestamp: number, { stream_id, seq }: BatchRow, place: number): string {
  const stream = Number.parseInt(createHash("sha256").update(stream_id).digest("hex").slice(0, 12), 16);
  return `3${pad(timestamp, 19)}${pad(stream, 15)}${pad(seq, 14)}${pad(place, 7)}`;
}

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0");

/** Where nothing is yet. */
export const BEGINNING = `3${"0".repeat(55)}`;
/** The earliest that an event of this time can have. */
export const idFrom = (timestamp: number): string => `3${pad(Math.max(0, timestamp), 19)}`.padEnd(56, "0");
export const timeOfId = (id: string): number => Number(id.slice(1, 20));

export interface Range {
  /** Inclusive, ms since the epoch. */
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

type Batch = BatchRow & { readonly name: string; readonly file: string };

/** Of one stream; `backwards`: the latest first. */
export function eventsOfStream(
  ctx: Context,
  { group, stream, backwards = false, ...range }: Range & { group: GroupRow; stream: StreamRow; backwards?: boolean },
): AsyncGenerator<Found> {
  const within = { from: Math.max(range.from, keptFrom(group, ctx.now)), to: range.to };
  const next = async (last: Batch | undefined): Promise<Batch[]> => {
    const edge = backwards ? within.to + BATCH_SPAN_MS : within.from - BATCH_SPAN_MS;
    const rows = await ctx.singly.all<BatchRow>(backwards ? LAST_FIRST : FIRST_FIRST, {
      id: stream.id,
      ...within,
      at: last ? (backwards ? last.last_ms : last.first_ms) : edge,
      seq: last?.seq ?? (backwards ? Number.MAX_SAFE_INTEGER : -1),
      most: BATCHES,
    });
    return rows.map((row) => ({ ...row, name: stream.name, file: stream.file }));
  };
  return merged(ctx, { group, within, backwards, next });
}

const FIRST_FIRST = `SELECT * FROM logs_batch WHERE stream_id = :id AND (first_ms, seq) > (:at, :seq) AND first_ms < :to AND last_ms >= :from
  ORDER BY first_ms, seq LIMIT :most`;
const LAST_FIRST = `SELECT * FROM logs_batch WHERE stream_id = :id AND (last_ms, seq) < (:at, :seq) AND first_ms < :to AND last_ms >= :from
  ORDER BY last_ms DESC, seq DESC LIMIT :most`;

export interface Streams {
  readonly prefix?: string | undefined;
  readonly names?: readonly string[] | undefined;
}

/** Of all streams of a group, or some. */
export function eventsOfGroup(
  ctx: Context,
  { group, prefix = "", names, ...range }: Range & Streams & { group: GroupRow },
): AsyncGenerator<Found> {
  const within = { from: Math.max(range.from, keptFrom(group, ctx.now)), to: range.to };
  const wanted = names && new Set(names);
  let cursor = { at: within.from - BATCH_SPAN_MS, stream: "", seq: -1 };
  const next = async (): Promise<Batch[]> => {
    for (;;) {
      const rows = await ctx.singly.all<Batch>(
        `SELECT b.*, s.name, s.file FROM logs_batch b JOIN logs_stream s ON s.id = b.stream_id
         WHERE b.group_id = :id AND (b.first_ms, b.stream_id, b.seq) > (:at, :stream, :seq) AND b.first_ms < :to
           AND b.last_ms >= :from AND s.name >= :prefix AND s.name < :end
         ORDER BY b.first_ms, b.stream_id, b.seq LIMIT :most`,
        { id: group.id, ...within, ...cursor, prefix, end: beyond(prefix), most: BATCHES },
      );
      const last = rows.at(-1);
      if (!last) return [];
      cursor = { at: last.first_ms, stream: last.stream_id, seq: last.seq };
      const found = wanted ? rows.filter(({ name }) => wanted.has(name)) : rows;
      if (found.length > 0) return found;
    }
  };
  return merged(ctx, { group, within, backwards: false, next });
}

interface Merge {
  readonly group: GroupRow;
  readonly within: Range;
  readonly backwards: boolean;
  /** Empty: there are no more. */
  next(last: Batch | undefined): Promise<Batch[]>;
}

async function* merged(ctx: Context, { group, within, backwards, next }: Merge): AsyncGenerator<Found> {
  await using pieces = new Pieces();
  const order = backwards
    ? (a: Found, b: Found) => (a.id < b.id ? 1 : -1)
    : (a: Found, b: Found) => (a.id < b.id ? -1 : 1);
  let pending: Found[] = [];
  let last: Batch | undefined;
  for (let page = await next(undefined); page.length > 0; page = await next(last)) {
    for (const batch of page) {
      // Whatever comes from here on lies on this side of the bound.
      const bound = backwards ? batch.last_ms : batch.first_ms;
      const later = pending.findIndex(({ timestamp }) => (backwards ? timestamp <= bound : timestamp >= bound));
      const ready = later < 0 ? pending.splice(0) : pending.splice(0, later);
      yield* ready;
      const events = await load(ctx, pieces, { group, batch });
      const fit = events.filter(({ timestamp }) => timestamp >= within.from && timestamp < within.to);
      pending = [...pending, ...fit].sort(order);
    }
    last = page.at(-1);
  }
  yield* pending;
}

/** One batch, as it lies in its file. */
export async function load(
  ctx: Context,
  pieces: Pieces,
  { group, batch }: { group: Pick<GroupRow, "dir" | "name">; batch: Batch },
): Promise<Found[]> {
  const sizes = batch.sizes.split(",").map(Number);
  const path = filePath(ctx.config, { dir: group.dir, file: batch.file, day: batch.day });
  const events = eventsOf(await pieces.read(path, batch, sizes), sizes);
  const found = events.flatMap((event, place) =>
    event
      ? [{ ...event, id: idOf(event.timestamp, batch, place), ingestedMs: batch.ingested_ms, stream: batch.name }]
      : [],
  );
  if (found.length < events.length)
    ctx.log.warn(
      `${events.length - found.length} events of ${group.name} are not shown: ${path} is not as it was written`,
    );
  return found;
}

/** The batch that a work speaks of; empty where it is gone. */
export async function eventsOfBatch(
  ctx: Context,
  group: GroupRow,
  { stream, seq }: { stream: string; seq: number },
): Promise<Found[]> {
  const batch = await ctx.singly.one<Batch>(
    `SELECT b.*, s.name, s.file FROM logs_batch b JOIN logs_stream s ON s.id = b.stream_id
     WHERE b.stream_id = :stream AND b.seq = :seq AND b.group_id = :group`,
    { stream, seq, group: group.id },
  );
  if (!batch) return [];
  await using pieces = new Pieces();
  return await load(ctx, pieces, { group, batch });
}
