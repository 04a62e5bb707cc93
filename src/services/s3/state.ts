// What S3 keeps in memory for one cloud: locks, the places of its buckets, the reconciler. Nothing here must survive a crash.
import { join } from "node:path";
import type { Config, Context } from "../../kernel/mod.ts";
import type { AccessLogs } from "./access-logs.ts";
import type { Carrier } from "./carried.ts";
import { type Disk, openDisk } from "./durable.ts";
import { errors } from "./errors.ts";
import { is, makeDirectory, openPlace, type Place } from "./files.ts";
import { KeyLocks } from "./locks.ts";
import type { Removals } from "./removals.ts";
import type { BucketRow } from "./tables.ts";

export interface State {
  readonly locks: KeyLocks;
  readonly disk: Disk;
  /** By bucket and directory. */
  readonly places: Map<string, Promise<Place>>;
  /** Undefined until S3 has started, and after it stopped. */
  reconciler: Reconciler | undefined;
  removals: Removals | undefined;
  /** Undefined too where nothing waits for the disk, and where other nodes use the store: they hold files that this one knows nothing of. */
  carrier: Carrier | undefined;
  accessLogs: AccessLogs | undefined;
  lastSequence: number;
}

/** Sequence numbers ascend, also where the clock stands still: 1024 a millisecond. */
export function nextSequence(ctx: Context): number {
  const state = stateOf(ctx);
  state.lastSequence = Math.max(ctx.clock.now() * 1024, state.lastSequence + 1);
  return state.lastSequence;
}

/** The part of reconcile.ts that handlers ask for. */
export interface Reconciler {
  /** Watches a bucket's directory and takes in what is there already. */
  add(bucket: BucketRow): Promise<void>;
  remove(bucket: string): Promise<void>;
  /** Brings the row of one key in line with its plain file, now. */
  check(bucket: string, key: string): Promise<void>;
  /** Resolves when every file below the bucket's directory has its row. */
  walk(bucket: string): Promise<void>;
}

const states = new WeakMap<Config, State>();

export function stateOf(ctx: Context): State {
  let state = states.get(ctx.config);
  if (!state) {
    state = {
      locks: new KeyLocks(),
      disk: openDisk(ctx.config.durability),
      places: new Map(),
      reconciler: undefined,
      removals: undefined,
      carrier: undefined,
      accessLogs: undefined,
      lastSequence: 0,
    };
    states.set(ctx.config, state);
  }
  return state;
}

/** At the start and the reset of a cloud: places may be others. */
export const forgetState = (ctx: Context): unknown => states.delete(ctx.config);

/** Beside the buckets: on the file system that most of them are on. */
export const systemOf = (ctx: Context): string => join(ctx.config.dir, ".aws-like", "s3");

export const rootOf = (ctx: Context, bucket: Pick<BucketRow, "directory">): string =>
  join(ctx.config.dir, bucket.directory);

/**
 * Where the bucket's files are. A directory of the user's that is missing is not made again: it may be on a disk that is not mounted, and its objects
 * are not gone then. That is a 503 and a loud line, until it is back.
 */
export async function placeOf(ctx: Context, bucket: BucketRow): Promise<Place> {
  const { places } = stateOf(ctx);
  const name = `${bucket.name}/${bucket.directory}`;
  let place = places.get(name);
  if (!place) {
    const { disk } = stateOf(ctx);
    place = openPlace(rootOf(ctx, bucket), { system: systemOf(ctx), bucket: bucket.name, disk });
    places.set(name, place);
    place.catch(() => places.delete(name));
  }
  try {
    return await place;
  } catch (error) {
    throw missing(ctx, bucket, error);
  }
}

function missing(ctx: Context, bucket: BucketRow, error: unknown): unknown {
  if (!is(error, "ENOENT", "ENOTDIR")) return error;
  ctx.log.error(`the directory of bucket ${bucket.name} is missing: ${rootOf(ctx, bucket)}`, {
    subject: `arn:aws:s3:::${bucket.name}`,
  });
  return errors.slowDown();
}

/** A file operation below the bucket's root: where the root itself has gone, that is what is said. */
export async function withRoot<T>(ctx: Context, bucket: BucketRow, work: (place: Place) => Promise<T>): Promise<T> {
  const place = await placeOf(ctx, bucket);
  try {
    return await work(place);
  } catch (error) {
    if (!is(error, "ENOENT", "ENOTDIR")) throw error;
    stateOf(ctx).places.delete(`${bucket.name}/${bucket.directory}`);
    await placeOf(ctx, bucket);
    throw error;
  }
}

/** The directory of a new bucket. */
export const makeRoot = (ctx: Context, directory: string): Promise<void> =>
  makeDirectory(stateOf(ctx).disk, join(ctx.config.dir, directory));
