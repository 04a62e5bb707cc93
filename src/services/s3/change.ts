// A key's content changes: bytes get their place, the row follows, and who asked for notifications is told, in one transaction.
// The order is: the key's lock, preconditions, files, commit, clean-up. A crash between files and commit leaves a plain file that its row does not know:
// reconcile takes that for a file which came from outside, with the one event that the commit would have put.
import type { Context, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { type EventName, notify, type Origin } from "./events.ts";
import {
  asideOf,
  discard,
  discardPlain,
  is,
  linkToSide,
  moveToSide,
  type Place,
  pathOf,
  plainFingerprint,
  settle,
} from "./files.ts";
import { fitsPath, storedKey } from "./keys.ts";
import { nextSequence, placeOf, stateOf, withRoot } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import {
  deleteVersion,
  insertVersion,
  type NewVersion,
  noBytes,
  promote,
  rankAfter,
  type Standing,
  standing,
  succession,
  versionOf,
} from "./versions.ts";

export interface Put {
  readonly bucket: BucketRow;
  readonly key: string;
  /** Path of the staged bytes: they are moved. */
  readonly staged: string;
  readonly version: Omit<NewVersion, "side" | "modified_ms">;
  readonly event: EventName;
  readonly origin: Origin;
  /** Throws what the request's conditions say of the object that stands: undefined where there is none. */
  readonly check?: (current: ObjectRow | undefined) => void;
  /** What else belongs into the transaction. */
  readonly also?: (tx: Tx) => Promise<void>;
}

export interface Stored {
  /** Undefined where the bucket never had versioning. */
  readonly versionId: string | undefined;
  readonly modifiedMs: number;
}

export async function putVersion(ctx: Context, put: Put): Promise<Stored> {
  const { bucket, key } = put;
  const stored = storedKey(key);
  return await changing(ctx, bucket, key, async (before) => {
    put.check?.(live(before.standing.newest));
    const next = succession(before.bucket.versioning, before.standing);
    return await withRoot(ctx, bucket, async (place) => {
      const demotedSide = await setAside(place, key, next.demoted);
      const side = await settle(place, key, put.staged);
      const sequence = nextSequence(ctx);
      const version: NewVersion = { ...put.version, side, modified_ms: ctx.clock.now() };
      await ctx.write(async (tx) => {
        const now = await sameBucket(tx, bucket);
        const newest = await unchanged(tx, bucket.name, stored, before.standing);
        const rank = rankAfter(newest, sequence);
        await insertVersion(tx, {
          bucket: bucket.name,
          key: stored,
          rank,
          succession: next,
          version,
          deleteMarker: false,
          demotedSide,
        });
        await put.also?.(tx);
        await notify(ctx, tx, now, put.origin, {
          event: put.event,
          key,
          size: version.size,
          etag: version.etag,
          versionId: now.versioning ? next.versionId : undefined,
          sequence: -rank,
        });
      });
      await discardReplaced(place, key, next.replaced, side);
      return { versionId: before.bucket.versioning ? next.versionId : undefined, modifiedMs: version.modified_ms };
    });
  });
}

export interface Removal {
  readonly bucket: BucketRow;
  readonly key: string;
  readonly versionId?: string | undefined;
  readonly origin: Origin;
  readonly check?: (current: ObjectRow | undefined) => void;
}

export interface Removed {
  readonly versionId?: string;
  readonly deleteMarker?: boolean;
  /** What a line for people says: nothing was there to remove. */
  readonly nothing?: boolean;
}

/** Without a version: the object goes, or a delete marker comes, as the bucket's versioning says. */
export async function remove(ctx: Context, removal: Removal): Promise<Removed> {
  const { bucket, key, versionId } = removal;
  return await changing(ctx, bucket, key, (before) =>
    versionId === undefined ? removeCurrent(ctx, removal, before) : removeVersion(ctx, { ...removal, versionId }),
  );
}

interface Before {
  readonly bucket: BucketRow;
  readonly standing: Standing;
}

/** Under the key's lock, with the rows as they are, and with every change from outside taken in: none is superseded unseen. */
async function changing<T>(
  ctx: Context,
  bucket: BucketRow,
  key: string,
  work: (before: Before) => Promise<T>,
): Promise<T> {
  const { locks, reconciler } = stateOf(ctx);
  for (let first = true; ; first = false) {
    const done = await locks.hold(bucket.name, key, async () => {
      const before = await ctx.read(async (tx) => ({
        bucket: await sameBucket(tx, bucket),
        standing: await standing(tx, bucket.name, storedKey(key)),
      }));
      if (first && reconciler && (await isChangedOutside(ctx, bucket, key, before.standing.newest))) return undefined;
      return { value: await work(before) };
    });
    if (done) return done.value;
    await reconciler!.check(bucket.name, key);
  }
}

async function isChangedOutside(
  ctx: Context,
  bucket: BucketRow,
  key: string,
  newest: ObjectRow | undefined,
): Promise<boolean> {
  const place = await placeOf(ctx, bucket);
  if (!fitsPath(place.root, key)) return false;
  const known = newest && !newest.delete_marker && newest.side === null ? newest.fingerprint : undefined;
  return plainFingerprint(place, key) !== known;
}

async function removeCurrent(ctx: Context, { bucket, key, origin, check }: Removal, before: Before): Promise<Removed> {
  const stored = storedKey(key);
  const { newest } = before.standing;
  check?.(live(newest));
  if (!before.bucket.versioning && !newest) return { nothing: true };
  const marks = before.bucket.versioning !== null;
  const next = succession(before.bucket.versioning, before.standing);
  return await withRoot(ctx, bucket, async (place) => {
    const demotedSide = await setAside(place, key, next.demoted);
    if (newest && !newest.delete_marker && newest.side === null) await discardPlain(place, key, newest.fingerprint);
    const sequence = nextSequence(ctx);
    await ctx.write(async (tx) => {
      const now = await sameBucket(tx, bucket);
      const rank = rankAfter(await unchanged(tx, bucket.name, stored, before.standing), sequence);
      if (marks)
        await insertVersion(tx, {
          bucket: bucket.name,
          key: stored,
          rank,
          succession: next,
          version: { ...noBytes, modified_ms: ctx.clock.now() },
          deleteMarker: true,
          demotedSide,
        });
      else await deleteVersion(tx, newest!);
      await notify(ctx, tx, now, origin, {
        event: marks ? "ObjectRemoved:DeleteMarkerCreated" : "ObjectRemoved:Delete",
        key,
        versionId: marks ? next.versionId : undefined,
        sequence: -rank,
      });
    });
    if (next.replaced?.side) await discard(pathOf(place, key, next.replaced.side));
    return marks ? { deleteMarker: true, versionId: next.versionId } : {};
  });
}

/** A version goes for good. Where it was the newest, the one before it stands again, as the plain file. */
async function removeVersion(
  ctx: Context,
  { bucket, key, versionId, origin, check }: Removal & { versionId: string },
): Promise<Removed> {
  const stored = storedKey(key);
  const before = await ctx.read(async (tx) => {
    await sameBucket(tx, bucket);
    const [newest, second] = await tx.all<ObjectRow>(
      "SELECT * FROM s3_object WHERE bucket = :bucket AND key = :key ORDER BY rank LIMIT 2",
      { bucket: bucket.name, key: stored },
    );
    return { newest, second, row: await versionOf(tx, bucket.name, stored, versionId) };
  });
  const { row, newest } = before;
  check?.(row && !row.delete_marker ? row : undefined);
  if (!row) return { versionId, nothing: true };
  const promoted = newest?.rank === row.rank ? before.second : undefined;
  return await withRoot(ctx, bucket, async (place) => {
    // A plain file without its row would be found again as a new object; in the side folder it is only garbage.
    if (row.side === null && !row.delete_marker) await discardPlain(place, key, row.fingerprint);
    let side = promoted?.side ?? null;
    if (promoted && side !== null && fitsPath(place.root, key))
      side = await settle(place, key, pathOf(place, key, side));
    const sequence = nextSequence(ctx);
    await ctx.write(async (tx) => {
      const now = await sameBucket(tx, bucket);
      if ((await deleteVersion(tx, row)) === 0) throw errors.operationAborted();
      if (promoted) await promote(tx, promoted, side);
      await notify(ctx, tx, now, origin, {
        event: "ObjectRemoved:Delete",
        key,
        versionId: now.versioning ? versionId : undefined,
        sequence: -rankAfter(newest, sequence),
      });
    });
    if (row.side !== null) await discard(pathOf(place, key, row.side));
    return { versionId, ...(row.delete_marker && { deleteMarker: true }) };
  });
}

export const live = (row: ObjectRow | undefined): ObjectRow | undefined => (row?.delete_marker ? undefined : row);

/** The demoted version's bytes get a name in the side folder. Undefined: they are not there any more. */
async function setAside(place: Place, key: string, demoted: ObjectRow | undefined): Promise<string | null | undefined> {
  if (!demoted) return undefined;
  if (demoted.delete_marker || demoted.side !== null) return demoted.side;
  const path = pathOf(place, key, null);
  if (plainFingerprint(place, key) !== demoted.fingerprint) return undefined;
  const side = asideOf(key, demoted.rank);
  try {
    await linkToSide(path, place, side);
  } catch (error) {
    // A file system without hard links: for a moment the key has no file, and readers wait for the lock.
    if (!is(error, "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP")) throw error;
    await moveToSide(path, place, side);
  }
  return side;
}

async function discardReplaced(
  place: Place,
  key: string,
  replaced: ObjectRow | undefined,
  side: string | null,
): Promise<void> {
  if (!replaced || replaced.delete_marker) return;
  if (replaced.side !== null) return await discard(pathOf(place, key, replaced.side));
  // It was the plain file, and what came could not be: then it is not the object any more.
  if (side === null) return;
  await discardPlain(place, key, replaced.fingerprint);
}

/** The bucket as it is now: it may have been deleted, or its versioning changed, since the request was read. */
async function sameBucket(tx: Tx, { name, created_ms }: BucketRow): Promise<BucketRow> {
  const bucket = await tx.one<BucketRow>("SELECT * FROM s3_bucket WHERE name = :name", { name });
  if (!bucket || bucket.created_ms !== created_ms) throw errors.noSuchBucket(name);
  return bucket;
}

/** Within one process the key's lock sees to it; another node on the same database is told apart here. */
async function unchanged(tx: Tx, bucket: string, key: string, before: Standing): Promise<ObjectRow | undefined> {
  const { newest } = await standing(tx, bucket, key);
  if (newest?.rank !== before.newest?.rank) throw errors.operationAborted();
  return newest;
}
