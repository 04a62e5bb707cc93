// Polls a DynamoDB stream: a reader for each shard, after its parent's end; batches in the order of their records, again until they succeed
// or are given up. https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html, .../services-dynamodb-errors.html
import { createHash } from "node:crypto";
import { realNow } from "../clock.ts";
import type { Context } from "../context.ts";
import { newRequestId } from "../names.ts";
import { claimShard, type Position, positionsOf, releaseShards, savePosition } from "./positions.ts";
import { type StreamRecord, streamRecord } from "./records.ts";
import { Rests, waitAfter } from "./rest.ts";
import { type Consumer, type Poller, type SourceRecord, type StreamSource, Throttled } from "./source.ts";

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

interface Entry {
  readonly sequence: string;
  readonly createdMs: number;
  readonly lane: number;
  readonly record: SourceRecord;
}

class StreamPoller {
  readonly #ctx: Context;
  readonly #source: StreamSource;
  readonly #consumer: Consumer;
  readonly #rests: Rests;
  readonly #owner = newRequestId();
  readonly #readers = new Map<string, Promise<void>>();
  #failures = 0;

  constructor(ctx: Context, source: StreamSource, consumer: Consumer) {
    this.#ctx = ctx;
    this.#source = source;
    this.#consumer = consumer;
    this.#rests = new Rests(ctx);
  }

  stop(): void {
    this.#rests.stop();
  }

  nextDue(): number | undefined {
    return this.#rests.nextDue();
  }

  settled(): Promise<void> {
    return this.#rests.idle(() => this.#ctx.clock.now());
  }

  run(): Promise<void> {
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
      this.#consumer.trouble?.(this.#ctx, error);
      return undefined;
    }
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
        this.#source.as,
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
    const got = closed ? {} : await this.#ctx.call("dynamodbstreams", "GetShardIterator", input, this.#source.as);
    await this.#save({ ...position, done: closed ? 1 : 0, state: stateText({ latest: got.ShardIterator }) });
  }

  #claim(shard: string): Promise<Position | undefined> {
    const now = realNow();
    const of = { source: this.#source.id, shard, owner: this.#owner, now, until: now + LEASE_MS };
    return this.#ctx.write((tx) => claimShard(tx, of));
  }

  #save(position: Position): Promise<boolean> {
    const until = realNow() + LEASE_MS;
    const of = { ...position, source: this.#source.id, owner: this.#owner, until };
    return this.#ctx.write((tx) => savePosition(tx, of));
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
    let position = await this.#claim(shard);
    let renewAt = realNow() + RENEW_MS;
    let iterator: string | undefined;
    // Another process reads it: it may die.
    if (!position) {
      using watch = await this.#ctx.watch(this.#source.arn);
      return this.#rests.rest(this.#ctx, { changed: watch.changed });
    }
    while (!this.#rests.stopped && !position.done) {
      using watch = await this.#ctx.watch(this.#source.arn);
      iterator ??= await this.#asked(() => this.#iteratorAfter(position!));
      const page = iterator === undefined ? undefined : await this.#asked(() => this.#page(iterator!));
      if (!page) {
        iterator = undefined; // it may be too old by now
        position = { ...position, state: null };
        await this.#rests.rest(this.#ctx, { until: this.#ctx.clock.now() + waitAfter(Math.max(1, this.#failures)) });
        continue;
      }
      const { entries, next } = page;
      iterator = next;
      if (entries.length > 0) {
        await this.#windowOver(entries);
        if (!(await this.#process(shard, entries))) return; // stopped on the way: they come again
        const done = next === undefined ? 1 : 0;
        position = { ...position, sequence: entries.at(-1)!.sequence, done, state: null };
        if (!(await this.#save(position))) return;
        renewAt = realNow() + RENEW_MS;
      } else if (next === undefined) {
        position = { ...position, done: 1 };
        if (!(await this.#save(position))) return;
      } else {
        await this.#rests.rest(this.#ctx, { changed: watch.changed });
        if (realNow() < renewAt) continue;
        if (!(await this.#save(position))) return;
        renewAt = realNow() + RENEW_MS;
      }
    }
  }

  async #iteratorAfter({ shard, sequence, state }: Position): Promise<string> {
    const { arn, as } = this.#source;
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

  async #page(iterator: string): Promise<{ entries: Entry[]; next: string | undefined }> {
    const { arn, as, batchSize, parallelization, startingPosition, createdMs } = this.#source;
    const Limit = Math.min(MOST_RECORDS, batchSize * parallelization);
    const input = { ShardIterator: iterator, Limit };
    const { Records = [], NextShardIterator } = await this.#ctx.call("dynamodbstreams", "GetRecords", input, as);
    // Records tell their second only.
    const from = startingPosition === "LATEST" ? Math.floor(createdMs / 1000) * 1000 : 0;
    const entries = Records.map((record) => entryOf(record, arn, parallelization)).filter((e) => e.createdMs >= from);
    // Of a page of nothing but what is past, the iterator alone is remembered.
    return { entries, next: NextShardIterator };
  }

  /** A batch that is not full waits for its window's end; what comes meanwhile is in the next page. */
  async #windowOver(entries: readonly Entry[]): Promise<void> {
    const { windowMs, batchSize } = this.#source;
    if (windowMs === 0 || entries.length >= batchSize) return;
    const until = this.#ctx.clock.now() + windowMs;
    while (this.#ctx.clock.now() < until && !this.#rests.stopped) await this.#rests.rest(this.#ctx, { until });
  }

  /** Lanes run side by side, each in order. False: stopped before all was done. */
  async #process(shard: string, entries: readonly Entry[]): Promise<boolean> {
    const lanes = [...Map.groupBy(entries.filter(this.#passes), ({ lane }) => lane).values()];
    const ended = await Promise.all(lanes.map((lane) => this.#lane(shard, lane)));
    return ended.every((end) => end);
  }

  readonly #passes = ({ record }: Entry): boolean => {
    const { filters } = this.#source;
    return filters.length === 0 || filters.some((filter) => filter.matches(record));
  };

  async #lane(shard: string, entries: readonly Entry[]): Promise<boolean> {
    const { batchSize } = this.#source;
    for (let at = 0; at < entries.length; at += batchSize)
      if (!(await this.#batch(shard, entries.slice(at, at + batchSize), 1))) return false;
    return true;
  }

  /** Until it has succeeded, or was given up. `tries`: that of this batch, or of the one that it is a part of. */
  async #batch(shard: string, batch: readonly Entry[], tries: number): Promise<boolean> {
    const ctx = this.#forked();
    let left = batch;
    let lastError: unknown;
    for (let attempt = tries, throttled = 0; left.length > 0; ) {
      if (this.#rests.stopped) return false;
      left = await this.#withoutOld(ctx, { shard, entries: left, error: lastError, attempt });
      if (left.length === 0) return true;
      try {
        const records = left.map(({ record }) => record);
        const { failed } = await this.#consumer.consume(ctx, records, attempt);
        const first = firstFailed(left, failed);
        if (first === undefined) return true;
        left = left.slice(first); // in front of it all is done
        lastError = new Error(`${failed.length} records were reported as failed`);
      } catch (error) {
        lastError = error;
        if (error instanceof Throttled) {
          await this.#rests.rest(ctx, { until: ctx.clock.now() + waitAfter(++throttled) });
          continue;
        }
        ctx.log.warn(
          `a batch of ${left.length} from ${this.#source.arn} failed: ${(error as Error).message}; attempt ${attempt}`,
        );
      }
      const { maxRetries, bisect } = this.#source;
      // Halving a batch is no retry.
      if (bisect && left.length > 1) {
        const half = Math.ceil(left.length / 2);
        return (
          (await this.#batch(shard, left.slice(0, half), attempt)) &&
          (await this.#batch(shard, left.slice(half), attempt))
        );
      }
      if (maxRetries !== undefined && attempt > maxRetries) {
        await this.#discard(ctx, { shard, entries: left, reason: "RetryAttemptsExhausted", error: lastError, attempt });
        return true;
      }
      await this.#rests.rest(ctx, { until: ctx.clock.now() + waitAfter(attempt) });
      attempt++;
    }
    return true;
  }

  async #withoutOld(
    ctx: Context,
    of: { shard: string; entries: readonly Entry[]; error: unknown; attempt: number },
  ): Promise<readonly Entry[]> {
    const { maxRecordAgeMs } = this.#source;
    if (maxRecordAgeMs === undefined) return of.entries;
    const oldest = ctx.clock.now() - maxRecordAgeMs;
    const old = of.entries.filter(({ createdMs }) => createdMs < oldest);
    if (old.length === 0) return of.entries;
    await this.#discard(ctx, { ...of, entries: old, reason: "RecordAgeExceeded" });
    return of.entries.filter(({ createdMs }) => createdMs >= oldest);
  }

  /** Until it is told: what is lost must not be lost in silence. */
  async #discard(
    ctx: Context,
    of: {
      shard: string;
      entries: readonly Entry[];
      reason: "RetryAttemptsExhausted" | "RecordAgeExceeded";
      error: unknown;
      attempt: number;
    },
  ): Promise<void> {
    const records = of.entries.map(({ record }) => record);
    const { reason, error, attempt: attempts, shard: shardId } = of;
    ctx.log.error(`${records.length} records of ${this.#source.arn} are given up: ${reason}`);
    for (let failures = 1; !this.#rests.stopped; failures++)
      try {
        const streamArn = this.#source.arn;
        await this.#consumer.discard?.(ctx, { records, reason, error, attempts, shardId, streamArn });
        return;
      } catch (failure) {
        ctx.log.error(`what is given up could not be told: ${(failure as Error).message}`);
        await this.#rests.rest(ctx, { until: ctx.clock.now() + waitAfter(failures) });
      }
  }

  /** Each batch begins a chain of its own. */
  #forked(): Context {
    const { account, region } = this.#ctx;
    return this.#ctx.fork({ principal: this.#ctx.principal, account, region });
  }
}

interface State {
  /** The iterator that the first look gave: good for a quarter of an hour, which is as long as it may be needed after a crash. */
  readonly latest?: string | undefined;
}

const stateText = (state: State): string => JSON.stringify(state);
const stateOf = (text: string | null): State => (text === null ? {} : (JSON.parse(text) as State));

/** All that come after the first that failed are tried again with it. */
function firstFailed(batch: readonly Entry[], failed: readonly string[]): number | undefined {
  if (failed.length === 0) return undefined;
  const ids = new Set(failed);
  const at = batch.findIndex(({ sequence }) => ids.has(sequence));
  return Math.max(at, 0); // an id that it never had: all of them
}

const entryOf = (record: StreamRecord, arn: string, lanes: number): Entry => ({
  sequence: record.dynamodb?.SequenceNumber ?? "",
  createdMs: record.dynamodb?.ApproximateCreationDateTime?.getTime() ?? 0,
  lane: lanes === 1 ? 0 : laneOf(record, lanes),
  record: streamRecord(record, arn),
});

/** Records of one key share a lane, and so keep their order. */
const laneOf = (record: StreamRecord, lanes: number): number =>
  createHash("md5")
    .update(JSON.stringify(record.dynamodb?.Keys ?? null))
    .digest()
    .readUInt32BE() % lanes;
