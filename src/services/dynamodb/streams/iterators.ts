// Sequence numbers and shard iterators as texts.
import type { Arn } from "../../../kernel/mod.ts";
import { errors } from "../errors.ts";

/** 21 digits, as AWS's shortest; they grow as numbers and as texts. */
export const sequenceText = (sequence: number): string => `1${String(sequence).padStart(20, "0")}`;

/** Throws ValidationException where it is none of ours. */
export function sequenceOf(text: string): number {
  if (!/^1\d{20}$/.test(text)) throw errors.validation(`Invalid SequenceNumber: ${text}`);
  return Number(text.slice(1));
}

/** Where a reader stands. */
export interface Iterator {
  readonly stream: Arn;
  readonly shard: string;
  /** The next sequence number that it has not seen. */
  readonly next: number;
  /** When it was given. */
  readonly givenMs: number;
}

/** `ARN|1|...`, as AWS's own. */
export const iteratorText = ({ stream, shard, next, givenMs }: Iterator): string =>
  `${stream}|1|${Buffer.from(JSON.stringify([shard, next, givenMs])).toString("base64")}`;

export function iteratorOf(text: string | undefined): Iterator {
  const [, stream, rest] = /^([^|]+)\|1\|([A-Za-z0-9+/=]+)$/.exec(text ?? "") ?? [];
  const [shard, next, givenMs] = parts(rest);
  if (
    stream === undefined ||
    typeof shard !== "string" ||
    !Number.isSafeInteger(next) ||
    !Number.isSafeInteger(givenMs)
  )
    throw errors.validation("Invalid ShardIterator");
  return { stream, shard, next: next as number, givenMs: givenMs as number };
}

function parts(encoded: string | undefined): readonly unknown[] {
  if (encoded === undefined) return [];
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, "base64").toString());
    return Array.isArray(value) ? value : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
