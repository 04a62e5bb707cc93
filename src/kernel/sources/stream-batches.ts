// A stream's batches on their way to the consumer: again until they succeed, halved, or given up.
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html, .../services-ddb-windows.html
import type { Context } from "../context.ts";
import { type Rests, waitAfter } from "./rest.ts";
import {
  type Consumed,
  type Consumer,
  type SourceRecord,
  type StreamSource,
  Throttled,
  type WindowPart,
} from "./source.ts";

/** A batch is no larger than what a function can be invoked with. */
export const MOST_BYTES = 6 * 1024 * 1024;
/** "1 MB per shard", of a window's state. */
const MOST_STATE_BYTES = 1024 * 1024;

export interface Entry {
  readonly sequence: string;
  readonly createdMs: number;
  readonly lane: number;
  /** As JSON. */
  readonly bytes: number;
  readonly record: SourceRecord;
}

/** A tumbling window that records came for. Its state changes with each invocation. */
export interface OpenWindow {
  startMs: number;
  state: unknown;
}

interface Batch {
  readonly shard: string;
  readonly entries: readonly Entry[];
  readonly window: OpenWindow | undefined;
  /** Of this batch, or of the one that it is a part of. 1 at first. */
  readonly attempt: number;
}

export class StreamBatches {
  readonly #ctx: Context;
  readonly #source: StreamSource;
  readonly #consumer: Consumer;
  readonly #rests: Rests;

  constructor(of: { ctx: Context; source: StreamSource; consumer: Consumer; rests: Rests }) {
    this.#ctx = of.ctx;
    this.#source = of.source;
    this.#consumer = of.consumer;
    this.#rests = of.rests;
  }

  /** Resolves when all are done or given up, in their order. False: stopped before. */
  async bring(shard: string, entries: readonly Entry[], window?: OpenWindow): Promise<boolean> {
    for (let at = 0; at < entries.length; ) {
      const batch = firstBatch(entries.slice(at, at + this.#source.batchSize));
      if (!(await this.#batch({ shard, entries: batch, window, attempt: 1 }))) return false;
      at += batch.length;
    }
    return true;
  }

  /** A window's last invocation, without records. False: stopped before. */
  async finish(shard: string, window: OpenWindow, isTerminatedEarly = false): Promise<boolean> {
    const part = { ...this.#partOf(shard, window), isFinal: true, isTerminatedEarly };
    const { maxRetries } = this.#source;
    for (let attempt = 1, waited = 1; !this.#rests.stopped; waited++) {
      const ctx = this.#forked();
      try {
        await this.#consumer.consume(ctx, [], attempt, part);
        return true;
      } catch (error) {
        ctx.log.warn(
          `the end of a window of ${this.#source.arn} failed: ${(error as Error).message}; attempt ${attempt}`,
        );
        if (!(error instanceof Throttled) && maxRetries !== undefined && attempt > maxRetries) {
          ctx.log.error(`the state of a window of ${this.#source.arn} is given up`);
          return true;
        }
        if (!(error instanceof Throttled)) attempt++;
      }
      await this.#rests.rest(ctx, { until: ctx.clock.now() + waitAfter(waited) });
    }
    return false;
  }

  async #batch({ shard, entries, window, attempt: first }: Batch): Promise<boolean> {
    const { maxRetries, bisect } = this.#source;
    let left = entries;
    let lastError: unknown;
    for (let attempt = first, throttled = 0; left.length > 0; ) {
      if (this.#rests.stopped) return false;
      const ctx = this.#forked(); // each invocation begins a chain of its own
      left = await this.#withoutOld(ctx, { shard, entries: left, error: lastError, attempt });
      if (left.length === 0) return !this.#rests.stopped;
      try {
        const records = left.map(({ record }) => record);
        const part = window && this.#partOf(shard, window);
        const consumed = await this.#consumer.consume(ctx, records, attempt, part);
        if (window && !(await this.#keepState(shard, window, consumed))) return false;
        const failed = firstFailed(left, consumed.failed);
        if (failed === undefined) return true;
        left = left.slice(failed); // in front of it all is done
        lastError = new Error(`${consumed.failed.length} records were reported as failed`);
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
      // Halving a batch is no retry.
      if (bisect && left.length > 1) {
        const half = Math.ceil(left.length / 2);
        return (
          (await this.#batch({ shard, entries: left.slice(0, half), window, attempt })) &&
          (await this.#batch({ shard, entries: left.slice(half), window, attempt }))
        );
      }
      if (maxRetries !== undefined && attempt > maxRetries)
        return this.#discard(ctx, {
          shard,
          entries: left,
          reason: "RetryAttemptsExhausted",
          error: lastError,
          attempt,
        });
      await this.#rests.rest(ctx, { until: ctx.clock.now() + waitAfter(attempt) });
      attempt++;
    }
    return true;
  }

  #partOf(shardId: string, { startMs, state }: OpenWindow): WindowPart {
    const endMs = startMs + this.#source.tumblingMs!;
    return { startMs, endMs, state, shardId, isFinal: false, isTerminatedEarly: false };
  }

  /** A state that is too large ends its window now. False: stopped. */
  async #keepState(shard: string, window: OpenWindow, { state }: Consumed): Promise<boolean> {
    window.state = state;
    if (state === undefined || Buffer.byteLength(JSON.stringify(state)) <= MOST_STATE_BYTES) return true;
    this.#ctx.log.warn(`a window of ${this.#source.arn} ends early: its state exceeds ${MOST_STATE_BYTES} bytes`);
    const through = await this.finish(shard, window, true);
    window.state = undefined;
    return through;
  }

  async #withoutOld(
    ctx: Context,
    of: { shard: string; entries: readonly Entry[]; error: unknown; attempt: number },
  ): Promise<readonly Entry[]> {
    const { maxRecordAgeMs } = this.#source;
    if (maxRecordAgeMs === undefined) return of.entries;
    const oldest = ctx.clock.now() - maxRecordAgeMs;
    const [old, young] = [
      of.entries.filter(({ createdMs }) => createdMs < oldest),
      of.entries.filter(({ createdMs }) => createdMs >= oldest),
    ];
    if (old.length > 0) await this.#discard(ctx, { ...of, entries: old, reason: "RecordAgeExceeded" });
    return young;
  }

  /** Until it is told: what is lost must not be lost in silence. False: stopped before. */
  async #discard(
    ctx: Context,
    of: {
      shard: string;
      entries: readonly Entry[];
      reason: "RetryAttemptsExhausted" | "RecordAgeExceeded";
      error: unknown;
      attempt: number;
    },
  ): Promise<boolean> {
    const records = of.entries.map(({ record }) => record);
    const { reason, error, attempt: attempts, shard: shardId } = of;
    const streamArn = this.#source.arn;
    ctx.log.error(`${records.length} records of ${streamArn} are given up: ${reason}`);
    for (let failures = 1; !this.#rests.stopped; failures++)
      try {
        await this.#consumer.discard?.(ctx, { records, reason, error, attempts, shardId, streamArn });
        return true;
      } catch (failure) {
        ctx.log.error(`what is given up could not be told: ${(failure as Error).message}`);
        await this.#rests.rest(ctx, { until: ctx.clock.now() + waitAfter(failures) });
      }
    return false;
  }

  #forked(): Context {
    const { account, region } = this.#ctx;
    return this.#ctx.fork({ principal: this.#ctx.principal, account, region });
  }
}

/** As many as an invocation's payload can hold; one at least. */
function firstBatch(entries: readonly Entry[]): readonly Entry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, i) => {
    bytes += entry.bytes + 1;
    return i > 0 && bytes > MOST_BYTES;
  });
  return end === -1 ? entries : entries.slice(0, end);
}

/** All that come after the first that failed are tried again with it. */
function firstFailed(batch: readonly Entry[], failed: readonly string[]): number | undefined {
  if (failed.length === 0) return undefined;
  const ids = new Set(failed);
  const at = batch.findIndex(({ sequence }) => ids.has(sequence));
  return Math.max(at, 0); // an id that it never had: all of them
}
