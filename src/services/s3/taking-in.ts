// One batch of paths of a bucket, compared with their rows: what is news becomes the row and the event that the API would have made of it.
import type { Context, Tx } from "../../kernel/mod.ts";
import { objectArn, readBucket } from "./buckets.ts";
import type { Checksum } from "./checksums.ts";
import { contentTypeOf } from "./content-types.ts";
import { type EventName, notify } from "./events.ts";
import {
  asideOf,
  discard,
  fingerprintAt,
  is,
  isDirectory,
  type Place,
  pathOf,
  plainFingerprint,
  sizeAndTimeOf,
} from "./files.ts";
import { compareStored, storedKey } from "./keys.ts";
import { hashFile } from "./staging.ts";
import { nextSequence, stateOf } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { deleteVersion, insertVersion, type NewVersion, noBytes, rankAfter, standing, succession } from "./versions.ts";

/** Files that are hashed at once. */
const HASHES_AT_ONCE = 4;

/** What a plain file is now; `content` undefined: it is gone. */
interface News {
  readonly key: string;
  readonly content:
    | { readonly size: number; readonly md5: string; readonly fingerprint: string; readonly crc64nvme: string }
    | undefined;
  /** A context of its own: every file's event is the beginning of a chain. */
  readonly ctx: Context;
}

export interface Taken {
  /** Objects that came, changed or went. */
  readonly count: number;
  /** Keys whose files were written to while they were hashed. */
  readonly restless: readonly string[];
}

export async function takeIn(ctx: Context, bucket: BucketRow, place: Place, keys: readonly string[]): Promise<Taken> {
  const known = await knownFingerprints(ctx, bucket.name, keys);
  const changed = keys.filter((key) => plainFingerprint(place, key) !== known.get(key));
  const restless: string[] = [];
  const hashed = await inParallel(changed, async (key): Promise<News[]> => {
    const content = await contentOf(place, key).catch((error: unknown) =>
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

const forkFor = (ctx: Context, { account, region }: BucketRow): Context =>
  ctx.fork({
    principal: { kind: "root", account, arn: `arn:aws:iam::${account}:root`, id: account },
    account,
    region,
  });

/** The fingerprint of the plain file that each key's object has, where it has one. */
async function knownFingerprints(ctx: Context, bucket: string, keys: readonly string[]): Promise<Map<string, string>> {
  return await ctx.read(async (tx) => {
    const known = new Map<string, string>();
    for (const key of keys) {
      const row = await tx.one<Pick<ObjectRow, "side" | "delete_marker" | "fingerprint">>(
        "SELECT side, delete_marker, fingerprint FROM s3_object WHERE bucket = :bucket AND key = :key ORDER BY rank LIMIT 1",
        { bucket, key: storedKey(key) },
      );
      if (row && isPlain(row)) known.set(key, row.fingerprint);
    }
    return known;
  });
}

export const isPlain = (row: Pick<ObjectRow, "side" | "delete_marker">): boolean =>
  row.side === null && !row.delete_marker;

async function contentOf(place: Place, key: string): Promise<News["content"] | "restless"> {
  if (plainFingerprint(place, key) === undefined) return undefined;
  const hashed = await hashFile(pathOf(place, key, null), ["CRC64NVME"]);
  if (hashed) return { ...hashed, crc64nvme: hashed.digests.CRC64NVME! };
  return plainFingerprint(place, key) === undefined ? undefined : "restless";
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
    if (still.length === 0) return 0;
    const firstSequence = nextSequence(ctx);
    const done = await ctx.write(async (tx) => {
      const now = await readBucket(tx, bucket.name);
      if (!now) return [];
      const effects: Effect[] = [];
      for (const [at, one] of still.entries()) {
        const effect = await apply(tx, { bucket: now, place, news: one, sequence: firstSequence + at, writer: ctx });
        if (effect) effects.push(effect);
      }
      return effects;
    });
    for (let at = 1; at < still.length; at++) nextSequence(ctx);
    for (const { event, one, obsolete } of done) {
      if (obsolete) await discard(pathOf(place, one.key, obsolete));
      say(bucket, event, one);
    }
    return done.length;
  } finally {
    for (const release of releases) release();
  }
}

interface Effect {
  readonly event: EventName;
  readonly one: News;
  /** Bytes in the side folder that no row names any more. */
  readonly obsolete: string | null | undefined;
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
      version: content ? versionOf(key, content, writer.clock.now()) : { ...noBytes, modified_ms: writer.clock.now() },
      deleteMarker: !content,
      demotedSide: sideOf(place, key, next.demoted),
    });
  else await deleteVersion(tx, newest!);
  await notify(writer, tx, bucket, origin, {
    event,
    key,
    ...(content && { size: content.size, etag: content.md5 }),
    versionId: marks ? next.versionId : undefined,
    sequence: -rank,
  });
  return { event, one: news, obsolete: next.replaced?.side };
}

/** The workspace was copied or restored with its times: the same bytes in another inode are no news. */
function isMoved(row: ObjectRow, { fingerprint, md5, crc64nvme }: NonNullable<News["content"]>): boolean {
  if (!isPlain(row) || sizeAndTimeOf(row.fingerprint) !== sizeAndTimeOf(fingerprint)) return false;
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

/** The bytes of what was the plain file are overwritten, unless the API had set them aside and died before its commit. */
function sideOf(place: Place, key: string, demoted: ObjectRow | undefined): string | null | undefined {
  if (!demoted) return undefined;
  if (!isPlain(demoted)) return demoted.side;
  const aside = asideOf(key, demoted.rank);
  return fingerprintAt(pathOf(place, key, aside)) === demoted.fingerprint ? aside : undefined;
}

const versionOf = (key: string, content: NonNullable<News["content"]>, now: number): NewVersion => ({
  ...noBytes,
  size: content.size,
  etag: content.md5,
  modified_ms: now,
  fingerprint: content.fingerprint,
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
