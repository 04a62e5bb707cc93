// One batch of paths of a bucket, compared with their rows: what is news becomes the row and the event that the API would have made of it.
import type { Context, Tx } from "../../kernel/mod.ts";
import { objectArn, readBucket } from "./buckets.ts";
import type { Carrier } from "./carried.ts";
import type { Checksum } from "./checksums.ts";
import { contentTypeOf } from "./content-types.ts";
import { defaultClass } from "./directory-names.ts";
import { type EventName, notify } from "./events.ts";
import { discard, is, isDirectory, isSeatOpen, type Place, pathOf, plainFingerprint, sizeAndTimeOf } from "./files.ts";
import { guardOf } from "./guards.ts";
import { compareStored, storedKey } from "./keys.ts";
import { defaultLock } from "./object-lock.ts";
import { follow } from "./recovery.ts";
import { isForetold } from "./removals.ts";
import { replicate } from "./replication.ts";
import { hashFile } from "./staging.ts";
import { nextSequence, stateOf } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import {
  deleteVersion,
  insertVersion,
  isPlain,
  type NewVersion,
  noBytes,
  rankAfter,
  sidesOf,
  standing,
  succession,
} from "./versions.ts";

/** Files that are hashed at once. */
const HASHES_AT_ONCE = 4;

interface FileContent {
  readonly size: number;
  readonly md5: string;
  readonly fingerprint: string;
  readonly crc64nvme: string;
  /** The name of a copy in the side folder, where the bucket keeps versions: the next `cp` over the file leaves it. */
  readonly guard: string | null;
}

/** What a plain file is now; `content` undefined: it is gone. */
interface News {
  readonly key: string;
  readonly content: FileContent | undefined;
  /** A context of its own: every file's event is the beginning of a chain. */
  readonly ctx: Context;
}

export interface Taken {
  /** Objects that came, changed or went. */
  readonly count: number;
  /** Keys whose files were written to while they were hashed. */
  readonly restless: readonly string[];
}

export async function takeIn(ctx: Context, bucket: BucketRow, place: Place, all: readonly string[]): Promise<Taken> {
  // Most hints are of what the API has just written.
  const { carrier } = stateOf(ctx);
  const keys = carrier ? all.filter((key) => !isCarried(carrier, bucket, place, key)) : all;
  if (keys.length === 0) return NOTHING;
  const { known, guarded } = await knownFingerprints(ctx, bucket.name, keys);
  const changed = keys.filter((key) => plainFingerprint(place, key) !== known.get(key));
  const restless: string[] = [];
  const hashed = await inParallel(changed, async (key): Promise<News[]> => {
    const content = await contentOf(ctx, place, { key, guarded }).catch((error: unknown) =>
      unreadable(ctx, `${place.root}/${key}`, error),
    );
    if (content === "unreadable") return [];
    if (content !== "restless") return [{ key, content, ctx: forkFor(ctx, bucket) }];
    restless.push(key);
    return [];
  });
  const news = hashed.flat();
  // Where the directory itself is missing, its files are out of sight, not deleted.
  const seen =
    news.some(({ content }) => !content) && !isDirectory(place.root) ? news.filter(({ content }) => content) : news;
  const count = seen.length > 0 ? await commit(forkFor(ctx, bucket), bucket, place, seen) : 0;
  return { count, restless };
}

const NOTHING: Taken = { count: 0, restless: [] };

function isCarried(carrier: Carrier, { name }: BucketRow, place: Place, key: string): boolean {
  const carried = carrier.fingerprintOf(name, storedKey(key));
  return carried !== undefined && carried === plainFingerprint(place, key);
}

const forkFor = (ctx: Context, { account, region }: BucketRow): Context =>
  ctx.fork({
    principal: { kind: "root", account, arn: `arn:aws:iam::${account}:root`, id: account },
    account,
    region,
  });

interface Known {
  /** The fingerprint of the plain file that each key's object has, where it has one. */
  readonly known: ReadonlyMap<string, string>;
  /** The bucket keeps what is overwritten. */
  readonly guarded: boolean;
}

async function knownFingerprints(ctx: Context, bucket: string, keys: readonly string[]): Promise<Known> {
  return await ctx.read(async (tx) => {
    const known = new Map<string, string>();
    for (const key of keys) {
      const row = await tx.one<Pick<ObjectRow, "side" | "delete_marker" | "fingerprint">>(
        "SELECT side, delete_marker, fingerprint FROM s3_object WHERE bucket = :bucket AND key = :key ORDER BY rank LIMIT 1",
        { bucket, key: storedKey(key) },
      );
      if (row && isPlain(row)) known.set(key, row.fingerprint);
    }
    return { known, guarded: (await readBucket(tx, bucket))?.versioning === "Enabled" };
  });
}

async function contentOf(
  ctx: Context,
  place: Place,
  { key, guarded }: { key: string; guarded: boolean },
): Promise<FileContent | undefined | "restless"> {
  const fingerprint = plainFingerprint(place, key);
  if (fingerprint === undefined) return undefined;
  const path = pathOf(place, key, null);
  // What is hashed is the copy: so the guard has the bytes that the row says.
  const guard = guarded ? await guardOf(ctx, place, path) : null;
  const hashed = await hashFile(guard === null ? path : pathOf(place, key, guard), ["CRC64NVME"]);
  const now = plainFingerprint(place, key);
  if (hashed && now === fingerprint && (guard !== null || hashed.fingerprint === fingerprint))
    return { ...hashed, fingerprint, guard, crc64nvme: hashed.digests.CRC64NVME! };
  if (guard !== null) await discard(pathOf(place, key, guard));
  return now === undefined ? undefined : "restless";
}

/** A file that cannot be read holds up no other, and is not looked at until it changes. Too many open files will be fewer. */
function unreadable(ctx: Context, path: string, error: unknown): "unreadable" {
  if (is(error, "EMFILE", "ENFILE") || !(error instanceof Error && "syscall" in error)) throw error;
  ctx.log.error(`${path} cannot be read, and is no object: ${error.message}`);
  return "unreadable";
}

/** Under the keys' locks, and only for files that are still what was hashed: the API may have been faster. */
async function commit(ctx: Context, bucket: BucketRow, place: Place, news: readonly News[]): Promise<number> {
  const releases: (() => void)[] = [];
  try {
    for (const { key } of news.toSorted((a, b) => compareStored(a.key, b.key)))
      releases.push(await stateOf(ctx).locks.take(bucket.name, key));
    const still = news.filter(({ key, content }) => plainFingerprint(place, key) === content?.fingerprint);
    const done = still.length > 0 ? await record(ctx, bucket, { place, news: still }) : [];
    for (const { one, event, obsolete, unfinished } of done) {
      if (unfinished) await (await follow(ctx, place, unfinished))?.synced();
      for (const side of obsolete) await discard(pathOf(place, one.key, side));
      if (event) say(bucket, event, one);
    }
    const guarded = new Set(done.filter(({ event }) => event).map(({ one }) => one));
    for (const one of news)
      if (one.content?.guard && !guarded.has(one)) await discard(pathOf(place, one.key, one.content.guard));
    return guarded.size;
  } finally {
    for (const release of releases) release();
  }
}

async function record(
  ctx: Context,
  bucket: BucketRow,
  { place, news }: { place: Place; news: readonly News[] },
): Promise<Effect[]> {
  const firstSequence = nextSequence(ctx);
  for (let at = 1; at < news.length; at++) nextSequence(ctx);
  return await ctx.write(async (tx) => {
    const now = await readBucket(tx, bucket.name);
    if (!now) return [];
    const effects: Effect[] = [];
    for (const [at, one] of news.entries()) {
      const effect = await apply(tx, { bucket: now, place, news: one, sequence: firstSequence + at, writer: ctx });
      if (effect) effects.push(effect);
    }
    return effects;
  });
}

interface Effect {
  readonly one: News;
  readonly event?: EventName;
  /** Bytes in the side folder that no row names any more. */
  readonly obsolete: readonly string[];
  /** The file is no news: it has yet to be replaced by the one of this row. */
  readonly unfinished?: ObjectRow;
}

interface Application {
  readonly bucket: BucketRow;
  readonly place: Place;
  readonly news: News;
  readonly sequence: number;
  /** The context whose transaction it is. */
  readonly writer: Context;
}

async function apply(tx: Tx, { bucket, place, news, sequence, writer }: Application): Promise<Effect | undefined> {
  const { key, content, ctx } = news;
  const stored = storedKey(key);
  const before = await standing(tx, bucket.name, stored);
  const { newest } = before;
  const known = newest && isPlain(newest) ? newest.fingerprint : undefined;
  if (known === content?.fingerprint) return undefined;
  if (newest && isPlain(newest) && isSeatOpen(place, newest, content?.fingerprint))
    return { one: news, obsolete: [], unfinished: newest };
  if (content && (await isForetold(tx, { bucket: bucket.name, key: stored, fingerprint: content.fingerprint })))
    return undefined;
  if (newest && content && isMoved(newest, content)) {
    await setFingerprint(tx, newest, content.fingerprint);
    return undefined;
  }
  const rank = rankAfter(newest, sequence);
  const next = succession(bucket.versioning, before);
  const origin = { address: "127.0.0.1", requestId: ctx.requestId };
  const marks = bucket.versioning !== null;
  const event: EventName = content
    ? "ObjectCreated:Put"
    : marks
      ? "ObjectRemoved:DeleteMarkerCreated"
      : "ObjectRemoved:Delete";
  if (content || marks)
    await insertVersion(tx, {
      bucket: bucket.name,
      key: stored,
      rank,
      succession: next,
      version: content
        ? {
            ...versionOf({ bucket: bucket.name, key }, content, writer.clock.now()),
            ...defaultLock(bucket, writer.clock.now()),
          }
        : { ...noBytes, modified_ms: writer.clock.now() },
      deleteMarker: !content,
      demotedSide: sideOf(next.demoted),
    });
  else await deleteVersion(tx, newest!);
  if (content || marks)
    await replicate(writer, tx, bucket, {
      key: stored,
      rank,
      tags: null,
      replication: null,
      delete_marker: content ? 0 : 1,
    });
  await notify(writer, tx, bucket, origin, {
    event,
    key,
    ...(content && { size: content.size, etag: content.md5 }),
    versionId: marks ? next.versionId : undefined,
    sequence: -rank,
  });
  return { event, one: news, obsolete: sidesOf(content || marks ? next.replaced : newest) };
}

/** The workspace was copied or restored with its times: the same bytes in another inode are no news. */
function isMoved(row: ObjectRow, { fingerprint, md5, crc64nvme }: NonNullable<News["content"]>): boolean {
  if (!isPlain(row) || sizeAndTimeOf(row.fingerprint) !== sizeAndTimeOf(fingerprint)) return false;
  // What an encrypted one's ETag and checksum say is not of the file's bytes: size and time to the nanosecond must do.
  if (row.encryption !== null) return true;
  if (row.parts === null) return row.etag === md5;
  const { algorithm, value } = JSON.parse(row.checksum!) as Checksum;
  // An upload in parts with another checksum: size and time to the nanosecond must do.
  return algorithm !== "CRC64NVME" || value === crc64nvme;
}

const setFingerprint = (tx: Tx, { bucket, key, rank }: ObjectRow, fingerprint: string): Promise<number> =>
  tx.run("UPDATE s3_object SET fingerprint = :fingerprint WHERE bucket = :bucket AND key = :key AND rank = :rank", {
    bucket,
    key,
    rank,
    fingerprint,
  });

/** What was the plain file is overwritten: its guard is left. */
const sideOf = (demoted: ObjectRow | undefined): string | null | undefined =>
  demoted && isPlain(demoted) ? (demoted.guard ?? undefined) : demoted?.side;

const versionOf = (
  { bucket, key }: { bucket: string; key: string },
  content: NonNullable<News["content"]>,
  now: number,
): NewVersion => ({
  ...noBytes,
  storage_class: defaultClass(bucket),
  size: content.size,
  etag: content.md5,
  modified_ms: now,
  fingerprint: content.fingerprint,
  guard: content.guard,
  headers: JSON.stringify({ ContentType: contentTypeOf(key) }),
  checksum: JSON.stringify({
    algorithm: "CRC64NVME",
    type: "FULL_OBJECT",
    value: content.crc64nvme,
  } satisfies Checksum),
});

function say(bucket: BucketRow, event: EventName, { key, content, ctx }: News): void {
  const what = content ? ` (${content.size} bytes, ${contentTypeOf(key)})` : "";
  ctx.log.info(`${event} ${bucket.name}/${key}${what}`, {
    subject: objectArn(bucket.name, key),
    path: `${bucket.directory}/${key}`,
  });
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]!);
  };
  await Promise.all(Array.from({ length: Math.min(HASHES_AT_ONCE, items.length) }, worker));
  return results;
}
