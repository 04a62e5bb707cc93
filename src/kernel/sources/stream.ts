// Polls a DynamoDB stream: a reader for each shard, after its parent's end; batches in the order of their records, again until they succeed
// or are given up. https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html, .../services-dynamodb-errors.html
import { createHash } from "node:crypto";
import { setTimeout as realSleep } from "node:timers/promises";
import { realNow } from "../clock.ts";
import type { Context, Principal } from "../context.ts";
import { newRequestId } from "../names.ts";
import { claimShard, type Position, positionsOf, releaseShards, renewShards, savePosition } from "./positions.ts";
import { type StreamRecord, streamRecord } from "./records.ts";
import { Rests, waitAfter } from "./rest.ts";
import type { Consumer, Poller, StreamSource } from "./source.ts";
import { type Entry, MOST_BYTES, type OpenWindow, StreamBatches } from "./stream-batches.ts";

const MOST_RECORDS = 1_000;
/** Real time: between processes. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;

export function pollStream(ctx: Context, source: StreamSource, consumer: Consumer): Poller {
  const poller = new StreamPoller(ctx, source, consumer);
  const running = poller.run();
  return {
    settled: () => poller.settled(),
    nextDue: () => poller.nextDue(),
    async [Symbol.asyncDispose]() {
      poller.stop();
      await running;
    },
  };
}

/** A shard as DescribeStream tells of it. */
interface Shard {
  readonly id: string;
  readonly parent: string | undefined;
  readonly closed: boolean;
}

class StreamPoller {
  readonly #ctx: Context;
  readonly #source: StreamSource;
  readonly #consumer: Consumer;
  readonly #rests: Rests;
  readonly #batches: StreamBatches;
  readonly #shared: boolean;
  readonly #owner = newRequestId();
  readonly #stop = new AbortController();
  readonly #readers = new Map<string, Promise<void>>();
  #failures = 0;
  #as: Principal | undefined;

  constructor(ctx: Context, source: StreamSource, consumer: Consumer) {
    this.#ctx = ctx;
    this.#source = source;
    this.#consumer = consumer;
    this.#rests = new Rests(ctx);
    this.#batches = new StreamBatches({ ctx, source, consumer, rests: this.#rests });
    this.#shared = ctx.config.databaseUrl.startsWith("postgres");
  }

  stop(): void {
    this.#rests.stop();
    this.#stop.abort();
  }

  nextDue(): number | undefined {
    return this.#rests.nextDue();
  }

  settled(): Promise<void> {
    return this.#rests.idle(() => this.#ctx.clock.now());
  }

  run(): Promise<void> {
    if (this.#shared) void this.#keepLeases();
    return this.#rests.busy(async () => {
      while (!this.#rests.stopped) {
        using watch = await this.#asked(() => this.#ctx.watch(this.#source.arn));
        const shards = watch && (await this.#asked(() => this.#shards()));
        if (shards && (await this.#asked(() => this.#read(shards)))) {
          // There is nothing new to read before a shard has ended.
          const changed = this.#readers.size > 0 ? Promise.race(this.#readers.values()) : watch.changed;
          await this.#rests.rest(this.#ctx, { changed });
        } else await this.#rests.rest(this.#ctx, { until: this.#ctx.clock.now() + waitAfter(this.#failures) });
      }
      await Promise.all(this.#readers.values());
      const of = { source: this.#source.id, owner: this.#owner };
      await this.#ctx.write((tx) => releaseShards(tx, of));
    });
  }

  /** undefined: the stream could not be asked, and the consumer was told. */
  async #asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await ask();
      if (this.#failures > 0) this.#consumer.trouble?.(this.#ctx, undefined);
      this.#failures = 0;
      return answer;
    } catch (error) {
      this.#failures++;
      this.#as = undefined;
      this.#consumer.trouble?.(this.#ctx, error);
      return undefined;
    }
  }

  /** Whoever was refused may have another role by now. */
  async #session(): Promise<Principal> {
    this.#as ??= await this.#source.as();
    return this.#as;
  }

  async #shards(): Promise<Shard[]> {
    const shards: Shard[] = [];
    let after: string | undefined;
    do {
      const input = { StreamArn: this.#source.arn, ...(after !== undefined && { ExclusiveStartShardId: after }) };
      const { StreamDescription: told } = await this.#ctx.call(
        "dynamodbstreams",
        "DescribeStream",
        input,
        await this.#session(),
      );
      for (const { ShardId, ParentShardId, SequenceNumberRange } of told?.Shards ?? [])
        shards.push({
          id: ShardId!,
          parent: ParentShardId,
          closed: SequenceNumberRange?.EndingSequenceNumber !== undefined,
        });
      after = told?.LastEvaluatedShardId;
    } while (after !== undefined);
    return shards;
  }

  /** Begins to read what can be read: shards whose parent is done, or is no more. */
  async #read(shards: readonly Shard[]): Promise<true> {
    const known = await this.#ctx.read((tx) => positionsOf(tx, this.#source.id));
    const done = new Set(known.filter((position) => position.done).map(({ shard }) => shard));
    const ids = new Set(shards.map(({ id }) => id));
    const first = known.length === 0;
    for (const shard of shards) {
      const ready = shard.parent === undefined || !ids.has(shard.parent) || done.has(shard.parent);
      if (done.has(shard.id) || this.#readers.has(shard.id) || !ready) continue;
      if (first && this.#source.startingPosition === "LATEST") await this.#beginLatest(shard);
      if (first && shard.closed && this.#source.startingPosition === "LATEST") continue;
      const reader = this.#rests.busy(() => this.#reader(shard.id)).finally(() => this.#readers.delete(shard.id));
      this.#readers.set(shard.id, reader);
    }
    return true;
  }

  /** What is in the stream when it is first looked at is past: closed shards, and the open one up to here. */
  async #beginLatest({ id, closed }: Shard): Promise<void> {
    const position = await this.#claim(id);
    if (!position) return;
    const input = { StreamArn: this.#source.arn, ShardId: id, ShardIteratorType: "LATEST" as const };
    const got = closed ? {} : await this.#ctx.call("dynamodbstreams", "GetShardIterator", input, await this.#session());
    await this.#save({ ...position, done: closed ? 1 : 0, state: stateText({ latest: got.ShardIterator }) });
  }

  /** Where no other process is, a lease is that of one that died. */
  #claim(shard: string): Promise<Position | undefined> {
    const now = this.#shared ? realNow() : Number.MAX_SAFE_INTEGER;
    const of = { source: this.#source.id, shard, owner: this.#owner, now, until: realNow() + LEASE_MS };
    return this.#ctx.write((tx) => claimShard(tx, of));
  }

  #save(position: Position): Promise<boolean> {
    const until = realNow() + LEASE_MS;
    const of = { ...position, source: this.#source.id, owner: this.#owner, until };
    return this.#ctx.write((tx) => savePosition(tx, of));
  }

  /** A batch may take a quarter of an hour. */
  async #keepLeases(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await realSleep(RENEW_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const of = { source: this.#source.id, owner: this.#owner, until: realNow() + LEASE_MS };
      await this.#ctx
        .write((tx) => renewShards(tx, of))
        .catch((error) => this.#ctx.log.warn(`the leases of ${this.#source.id} cannot be renewed: ${error}`));
    }
  }

  /** A store that is away for a moment must not end the reading. */
  async #reader(shard: string): Promise<void> {
    try {
      await this.#readShard(shard);
    } catch (error) {
      this.#consumer.trouble?.(this.#ctx, error);
      await this.#rests.rest(this.#ctx, { until: this.#ctx.clock.now() + waitAfter(1) });
    }
  }

  async #readShard(shard: string): Promise<void> {
    const position = await this.#claim(shard);
    // Another process reads it: it may die.
    if (!position) {
      using watch = await this.#ctx.watch(this.#source.arn);
      return this.#rests.rest(this.#ctx, { changed: watch.changed });
    }
    let reading: Reading = { position, iterator: undefined, window: stateOf(position.state).window };
    while (!this.#rests.stopped && !reading.position.done) {
      const gathered = await this.#gather(reading);
      if (!gathered) return; // stopped
      const { iterator, last, ended, wanted } = gathered;
      const through = await this.#process(shard, wanted, reading.window);
      if (!through) return; // stopped on the way: they come again
      const over = through.window && (ended || this.#ctx.clock.now() >= this.#endOf(through.window));
      if (over && !(await this.#batches.finish(shard, through.window!))) return;
      const window = over ? undefined : through.window;
      const state = window ? stateText({ window }) : last === "" ? reading.position.state : null;
      const next = { shard, sequence: last, done: ended ? 1 : 0, state };
      if (!(await this.#save(next))) return;
      reading = { position: next, iterator, window };
    }
  }

  /** A batch that is full, or whose window is over, or all that is left of a shard; or nothing, where that is to be remembered. */
  async #gather({ position, iterator: from, window }: Reading): Promise<Gathered | undefined> {
    const { batchSize, windowMs } = this.#source;
    let iterator = from;
    let last = position.sequence;
    let bytes = 0;
    let until: number | undefined;
    const wanted: Entry[] = [];
    while (!this.#rests.stopped) {
      using watch = await this.#ctx.watch(this.#source.arn);
      iterator ??= await this.#asked(() => this.#iteratorAfter({ ...position, sequence: last }));
      const page = iterator === undefined ? undefined : await this.#asked(() => this.#page(iterator!));
      if (!page) {
        iterator = undefined; // it may be too old by now
        await this.#rests.rest(this.#ctx, { until: this.#ctx.clock.now() + waitAfter(Math.max(1, this.#failures)) });
        continue;
      }
      iterator = page.next;
      last = page.last ?? last;
      const more = page.entries.filter(this.#passes);
      wanted.push(...more);
      bytes += more.reduce((sum, entry) => sum + entry.bytes, 0);
      const now = this.#ctx.clock.now();
      if (wanted.length > 0) until ??= now + windowMs;
      const gathered = { iterator, last, wanted, ended: iterator === undefined };
      const full = wanted.length >= batchSize || bytes >= MOST_BYTES;
      if (full || gathered.ended || (until !== undefined && now >= until)) return gathered;
      if (page.last !== undefined) continue; // there may be more
      if (window && now >= this.#endOf(window)) return gathered;
      // What nobody wants is remembered as read, once there is nothing more.
      if (wanted.length === 0 && last !== position.sequence) return gathered;
      const ends = [until, window && this.#endOf(window)].filter((one) => one !== undefined);
      const next = ends.length > 0 ? { until: Math.min(...ends) } : {};
      await this.#rests.rest(this.#ctx, { ...next, changed: watch.changed });
    }
    return undefined;
  }

  #endOf({ startMs }: OpenWindow): number {
    return startMs + this.#source.tumblingMs!;
  }

  async #iteratorAfter({ shard, sequence, state }: Position): Promise<string> {
    const { arn } = this.#source;
    const as = await this.#session();
    const { latest } = stateOf(state);
    if (sequence === "" && latest !== undefined) return latest;
    const where =
      sequence === ""
        ? { ShardIteratorType: "TRIM_HORIZON" as const }
        : { ShardIteratorType: "AFTER_SEQUENCE_NUMBER" as const, SequenceNumber: sequence };
    const input = { StreamArn: arn, ShardId: shard, ...where };
    try {
      const { ShardIterator } = await this.#ctx.call("dynamodbstreams", "GetShardIterator", input, as);
      return ShardIterator!;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "TrimmedDataAccessException") throw error;
      // What was not read in its day is gone: on with what there is.
      this.#ctx.log.warn(`${this.#source.id}: records of ${shard} were trimmed before they were read`);
      const horizon = { StreamArn: arn, ShardId: shard, ShardIteratorType: "TRIM_HORIZON" as const };
      const { ShardIterator } = await this.#ctx.call("dynamodbstreams", "GetShardIterator", horizon, as);
      return ShardIterator!;
    }
  }

  /** `last`: of all that were read; undefined where there were none. */
  async #page(iterator: string): Promise<{ entries: Entry[]; last: string | undefined; next: string | undefined }> {
    const { arn, batchSize, parallelization, startingPosition, createdMs } = this.#source;
    const Limit = Math.min(MOST_RECORDS, batchSize * parallelization);
    const input = { ShardIterator: iterator, Limit };
    const { Records = [], NextShardIterator } = await this.#ctx.call(
      "dynamodbstreams",
      "GetRecords",
      input,
      await this.#session(),
    );
    // Records tell their second only.
    const from = startingPosition === "LATEST" ? Math.floor(createdMs / 1000) * 1000 : 0;
    const entries = Records.map((record) => entryOf(record, arn, parallelization));
    return {
      entries: entries.filter((entry) => entry.createdMs >= from),
      last: entries.at(-1)?.sequence,
      next: NextShardIterator,
    };
  }

  readonly #passes = ({ record }: Entry): boolean => {
    const { filters } = this.#source;
    return filters.length === 0 || filters.some((filter) => filter.matches(record));
  };

  /** Lanes run side by side, each in order; with tumbling windows there is one. undefined: stopped before all was done. */
  async #process(
    shard: string,
    entries: readonly Entry[],
    window: OpenWindow | undefined,
  ): Promise<{ window: OpenWindow | undefined } | undefined> {
    const { tumblingMs } = this.#source;
    if (tumblingMs) return this.#tumble(shard, entries, window);
    const lanes = [...Map.groupBy(entries, ({ lane }) => lane).values()];
    const ended = await this.#rests.waitingFor(() =>
      Promise.all(lanes.map((lane) => this.#rests.busy(() => this.#batches.bring(shard, lane)))),
    );
    return ended.every((end) => end) ? { window: undefined } : undefined;
  }

  /** A record belongs to the window of its second; one of a later window ends the one before. */
  async #tumble(
    shard: string,
    entries: readonly Entry[],
    before: OpenWindow | undefined,
  ): Promise<{ window: OpenWindow | undefined } | undefined> {
    const startOf = ({ createdMs }: Entry) => createdMs - (createdMs % this.#source.tumblingMs!);
    let window = before;
    for (let at = 0; at < entries.length; ) {
      const startMs = startOf(entries[at]!);
      if (window && window.startMs < startMs) {
        if (!(await this.#batches.finish(shard, window))) return undefined;
        window = undefined;
      }
      window ??= { startMs, state: undefined };
      const open: OpenWindow = window;
      const next = entries.findIndex((entry, i) => i > at && startOf(entry) > open.startMs);
      const part = entries.slice(at, next === -1 ? entries.length : next);
      if (!(await this.#batches.bring(shard, part, open))) return undefined;
      at += part.length;
    }
    return { window };
  }
}

/** How far a shard is read, in memory. */
interface Reading {
  readonly position: Position;
  readonly iterator: string | undefined;
  readonly window: OpenWindow | undefined;
}

interface Gathered {
  /** Where to read on; undefined: the shard has ended. */
  readonly iterator: string | undefined;
  /** Sequence number of the last that was read. */
  readonly last: string;
  readonly ended: boolean;
  readonly wanted: readonly Entry[];
}

interface State {
  /** The iterator that the first look gave: good for a quarter of an hour, which is as long as it may be needed after a crash. */
  readonly latest?: string | undefined;
  readonly window?: OpenWindow | undefined;
}

const stateText = (state: State): string => JSON.stringify(state);
const stateOf = (text: string | null): State => (text === null ? {} : (JSON.parse(text) as State));

const entryOf = (given: StreamRecord, arn: string, lanes: number): Entry => {
  const record = streamRecord(given, arn);
  return {
    sequence: given.dynamodb?.SequenceNumber ?? "",
    createdMs: given.dynamodb?.ApproximateCreationDateTime?.getTime() ?? 0,
    lane: lanes === 1 ? 0 : laneOf(given, lanes),
    bytes: Buffer.byteLength(JSON.stringify(record)),
    record,
  };
};

/** Records of one key share a lane, and so keep their order. */
const laneOf = (record: StreamRecord, lanes: number): number =>
  createHash("md5")
    .update(JSON.stringify(record.dynamodb?.Keys ?? null))
    .digest()
    .readUInt32BE() % lanes;
