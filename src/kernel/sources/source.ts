// What event source mappings and pipes have in common: they poll a queue or a stream, and bring what matches to somebody in batches.
import type { Context, Principal } from "../context.ts";
import type { Arn } from "../names.ts";
import type { Running } from "../service.ts";

/** As Lambda's functions and Pipes' targets get it: names in camel case, binary values in base64. */
export type SourceRecord = Readonly<Record<string, unknown>>;

export interface Source {
  /** Of the mapping or the pipe: what has been read of a stream is remembered under it. */
  readonly id: string;
  readonly arn: Arn;
  /** Who asks the source: a session of the function's or the pipe's role. Asked at first, and after each refusal: it may have changed. */
  as(): Promise<Principal>;
  /** One that matches is enough; none at all: everything passes. */
  readonly filters: readonly { matches(event: unknown): boolean }[];
  readonly batchSize: number;
  /** How long a batch may be waited for once its first record is there. ms. */
  readonly windowMs: number;
}

export interface QueueSource extends Source {
  /** Batches that are under way at once, at most. */
  readonly maximumConcurrency: number;
}

export interface StreamSource extends Source {
  readonly startingPosition: "TRIM_HORIZON" | "LATEST";
  /** Of the mapping, ms since the epoch: what is older is not LATEST. */
  readonly createdMs: number;
  /** Batches of one shard that are under way at once; those of one item's key never are. */
  readonly parallelization: number;
  /** undefined: as old as the stream keeps it. */
  readonly maxRecordAgeMs: number | undefined;
  /** undefined: until it succeeds, or is too old. */
  readonly maxRetries: number | undefined;
  /** A batch that failed is halved. */
  readonly bisect: boolean;
  /** How long a tumbling window is; 0 or absent: there are none. With windows, `parallelization` is 1. ms. */
  readonly tumblingMs?: number;
}

/** The part of a tumbling window that one invocation is told of. */
export interface WindowPart {
  readonly startMs: number;
  readonly endMs: number;
  /** What the invocation before answered; undefined at first. JSON. */
  readonly state: unknown;
  readonly shardId: string;
  /** The last one, without records. */
  readonly isFinal: boolean;
  /** Its state has become too large. */
  readonly isTerminatedEarly: boolean;
}

/** What a batch's function answered: the ids (of messages, or sequence numbers) that have failed. */
export interface Consumed {
  readonly failed: readonly string[];
  /** Of a tumbling window, for its next invocation. */
  readonly state?: unknown;
}

export interface Consumer {
  /**
   * Brings a batch. A throw means that all of it has failed; a `Throttled` one that nothing was tried. `attempt` is 1 at first.
   */
  consume(
    ctx: Context,
    records: readonly SourceRecord[],
    attempt: number,
    window?: WindowPart | undefined,
  ): Promise<Consumed>;
  /** A stream's records that are given up: too old, or failed too often. Throws: it is tried again. */
  discard?(ctx: Context, lost: Discarded): Promise<void>;
  /** The source could not be asked; undefined: it can be again. */
  trouble?(ctx: Context, error: unknown): void;
}

export interface Discarded {
  readonly records: readonly SourceRecord[];
  readonly reason: "RetryAttemptsExhausted" | "RecordAgeExceeded";
  /** Of the last batch that had them. */
  readonly error: unknown;
  readonly attempts: number;
  readonly shardId: string;
  readonly streamArn: Arn;
}

/** Nothing was tried: again in a while, and it is no attempt. */
export class Throttled extends Error {}

/** Stops at its disposal: what is under way ends first. */
export interface Poller extends Running {
  settled(): Promise<void>;
  nextDue(): number | undefined;
}
