// A key's content changes: the row, who asked for notifications, and the files. The store is the truth, and the plain file follows it.
// The order is: the key's lock, conditions, bytes on the disk, commit, plain file, clean-up. A crash before the commit leaves the object as it was;
// after it, the next start lets the plain file follow (recovery.ts). https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { AwsError, type Context, type Tx } from "../../kernel/mod.ts";
import { bucketFacts, readBucket } from "./buckets.ts";
import { carry } from "./carried.ts";
import { errors } from "./errors.ts";
import { type EventName, notify, type Origin } from "./events.ts";
import {
  copyFile,
  discard,
  findSeat,
  fingerprintAt,
  isDirectory,
  linkToSide,
  type Place,
  pathOf,
  plainFingerprint,
  stagePath,
} from "./files.ts";
import { guardOf, isFull } from "./guards.ts";
import { fitsPath, storedKey } from "./keys.ts";
import { checkUnlocked } from "./object-lock.ts";
import { follow } from "./recovery.ts";
import { carryOut, foretell } from "./removals.ts";
import { REPLICA, replicate } from "./replication.ts";
import { newStage } from "./staging.ts";
import { nextSequence, placeOf, stateOf, withRoot } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import {
  type Bytes,
  type Content,
  deleteVersion,
  insertVersion,
  isPlain,
  type NewVersion,
  noBytes,
  promote,
  rankAfter,
  type Standing,
  sidesOf,
  standing,
  succession,
  versionOf,
} from "./versions.ts";

export interface Put {
  readonly bucket: BucketRow;
  readonly key: string;
  /** Path of the staged bytes: they are moved, or discarded. */
  readonly staged: string;
  /** What is staged, where it is not yet on the disk: the commit carries it. */
  readonly bytes?: Uint8Array | undefined;
  readonly version: Content;
  readonly event: EventName;
  readonly origin: Origin;
  /** Throws what the request's conditions say of the object that stands: undefined where there is none. */
  readonly check?: (current: ObjectRow | undefined) => void;
  /** A replica has the id and the time of its original. */
  readonly as?: As;
  /** What else belongs into the transaction. */
  readonly also?: (tx: Tx) => Promise<void>;
}

export interface As {
  readonly versionId: string;
  readonly modifiedMs: number;
}

export interface Stored {
  /** Undefined where the bucket never had versioning. */
  readonly versionId: string | undefined;
  readonly modifiedMs: number;
}

export const putVersion = (ctx: Context, put: Put): Promise<Stored> =>
  orDiscard([put.staged], (made) =>
    changing(ctx, put.bucket, put.key, (before) => {
      put.check?.(live(before.standing.newest));
      return withRoot(ctx, put.bucket, (place) => putAt(ctx, place, { put, before, made }));
    }),
  );

/** For whoever holds the key's lock, and has seen that no change from outside waits. `until`: the lock must be held as long. */
export const putHeld = (ctx: Context, put: Put, until: Before["until"]): Promise<Stored> =>
  orDiscard([put.staged], async (made) => {
    const before = { ...(await beforeOf(ctx, put.bucket, put.key)), until };
    put.check?.(live(before.standing.newest));
    return await withRoot(ctx, put.bucket, (place) => putAt(ctx, place, { put, before, made }));
  });

interface PutAt {
  readonly put: Put;
  readonly before: Before;
  readonly made: string[];
}

async function putAt(ctx: Context, place: Place, { put, before, made }: PutAt): Promise<Stored> {
  const { bucket, key } = put;
  const stored = storedKey(key);
  const { newest } = before.standing;
  const next = succession(before.bucket.versioning, before.standing, put.as?.versionId);
  const guards = before.bucket.versioning === "Enabled";
  const { carrier } = stateOf(ctx);
  const mayCarry = put.bytes && !guards && !next.demoted && fitsPath(place.root, key);
  // What is not carried must not follow what has yet to reach the disk.
  if (!mayCarry) await carrier?.settle(bucket.name, stored);
  const aside = await setAside(place, key, { demoted: next.demoted, made });
  const seat = await findSeat(place, key, put.staged);
  if (seat.side !== null) made.push(pathOf(place, key, seat.side));
  const guard = guards && seat.side === null ? await guardOf(ctx, place, put.staged) : null;
  if (guard !== null) made.push(pathOf(place, key, guard));
  const batch = mayCarry && seat.side === null ? carrier?.board(put.bytes.length) : undefined;
  if (put.bytes && !batch) await onDisk(place, seat.side === null ? put.staged : pathOf(place, key, seat.side));
  let file: { place: Place; path: string; fingerprint: string } | undefined;
  try {
    const sequence = nextSequence(ctx);
    const version: NewVersion = { ...put.version, ...seat, guard, modified_ms: put.as?.modifiedMs ?? ctx.clock.now() };
    const dying = newest && isPlain(newest) && seat.side !== null ? removalOf(newest) : undefined;
    const rank = await commit(ctx, made, async (tx) => {
      const { bucket: now, newest: last } = await unchanged(tx, stored, { before, check: put.check });
      const rank = rankAfter(last, sequence);
      await insertVersion(tx, {
        bucket: bucket.name,
        key: stored,
        rank,
        succession: next,
        version,
        deleteMarker: false,
        demotedSide: aside,
      });
      if (batch) await carry(tx, batch, { bucket: bucket.name, key: stored, rank, bytes: put.bytes! });
      if (dying) await foretell(tx, dying);
      await replicate(ctx, tx, now, { replication: null, ...version, key: stored, rank, delete_marker: 0 });
      await put.also?.(tx);
      await notify(ctx, tx, now, put.origin, {
        event: put.event,
        key,
        size: version.size,
        etag: version.etag,
        versionId: now.versioning ? next.versionId : undefined,
        sequence: -rank,
      });
      return rank;
    });
    const seated = await follow(ctx, place, { bucket: bucket.name, key: stored, rank, ...seat });
    if (seated && batch) file = { place, path: pathOf(place, key, null), fingerprint: version.fingerprint };
    // Not waited for: until the name is on the disk, the staged bytes are, and their row. The next change of the key waits.
    else if (seated) before.until(seated.synced());
    if (dying) await carryOut(ctx, place, dying);
    for (const side of sidesOf(next.replaced)) await discard(pathOf(place, key, side));
    return { versionId: before.bucket.versioning ? next.versionId : undefined, modifiedMs: version.modified_ms };
  } finally {
    if (batch) carrier!.leave(batch, { bucket: bucket.name, key: stored, file });
  }
}

async function onDisk(place: Place, path: string): Promise<void> {
  await Promise.all([place.disk.file(path), place.ordered || place.disk.names(dirname(path))]);
}

const removalOf = ({ bucket, key, fingerprint }: ObjectRow) => ({ bucket, key, fingerprint });

/** Files that were made for a row go again where the row does not come to be. */
async function orDiscard<T>(made: string[], work: (made: string[]) => Promise<T>): Promise<T> {
  try {
    return await work(made);
  } catch (error) {
    for (const path of made) await discard(path);
    throw error;
  }
}

/** Where the store fails, the row may have come to be all the same: its files stay, and the next start knows. */
async function commit<T>(ctx: Context, made: string[], work: (tx: Tx) => Promise<T>): Promise<T> {
  try {
    const done = await ctx.write(work);
    made.length = 0;
    return done;
  } catch (error) {
    if (!(error instanceof AwsError)) made.length = 0;
    throw error;
  }
}

export interface Removal {
  readonly bucket: BucketRow;
  readonly key: string;
  readonly versionId?: string | undefined;
  /** Governance does not hold who may bypass it. */
  readonly bypass?: boolean | undefined;
  /** Of its event. */
  readonly family?: "ObjectRemoved" | "LifecycleExpiration";
  /** The delete marker is a replica. */
  readonly replica?: As;
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
  return await changing(ctx, bucket, key, async (before) => {
    await stateOf(ctx).carrier?.settle(bucket.name, storedKey(key));
    return versionId === undefined
      ? removeCurrent(ctx, removal, before)
      : removeVersion(ctx, { ...removal, versionId });
  });
}

interface Before {
  readonly bucket: BucketRow;
  readonly standing: Standing;
  /** The key stays locked as long. */
  readonly until: (settled: Promise<void>) => void;
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
    const done = await locks.hold(bucket.name, key, async (until) => {
      const before = await beforeOf(ctx, bucket, key);
      if (first && reconciler && (await isChangedOutside(ctx, bucket, key, before.standing.newest))) return undefined;
      return { value: await work({ ...before, until }) };
    });
    if (done) return done.value;
    await reconciler!.check(bucket.name, key);
  }
}

const beforeOf = async (ctx: Context, bucket: BucketRow, key: string): Promise<Omit<Before, "until">> => ({
  bucket: checkSame(await bucketFacts(ctx, bucket.name), bucket),
  standing: await standing(ctx.singly, bucket.name, storedKey(key)),
});

export async function isChangedOutside(
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

async function removeCurrent(ctx: Context, removal: Removal, before: Before): Promise<Removed> {
  const { bucket, key, origin, check, family = "ObjectRemoved", replica } = removal;
  const stored = storedKey(key);
  const { newest } = before.standing;
  check?.(live(newest));
  if (!before.bucket.versioning && !newest) return { nothing: true };
  const marks = before.bucket.versioning !== null;
  const next = succession(before.bucket.versioning, before.standing, replica?.versionId);
  const dying = newest && isPlain(newest) ? removalOf(newest) : undefined;
  return await withExistingRoot(ctx, bucket, (place) =>
    orDiscard([], async (made) => {
      const aside = await setAside(place, key, { demoted: next.demoted, made });
      const sequence = nextSequence(ctx);
      await commit(ctx, made, async (tx) => {
        const { bucket: now, newest: last } = await unchanged(tx, stored, { before, check });
        const rank = rankAfter(last, sequence);
        if (marks)
          await insertVersion(tx, {
            bucket: bucket.name,
            key: stored,
            rank,
            succession: next,
            version: {
              ...noBytes,
              modified_ms: replica?.modifiedMs ?? ctx.clock.now(),
              ...(replica && { replication: REPLICA }),
            },
            deleteMarker: true,
            demotedSide: aside,
          });
        else await deleteVersion(tx, newest!);
        if (dying) await foretell(tx, dying);
        // What a lifecycle removes stays in the destination, which has a lifecycle of its own.
        if (marks && !replica && family === "ObjectRemoved")
          await replicate(ctx, tx, now, { key: stored, rank, tags: null, replication: null, delete_marker: 1 });
        await notify(ctx, tx, now, origin, {
          event: `${family}:${marks ? "DeleteMarkerCreated" : "Delete"}`,
          key,
          versionId: marks ? next.versionId : undefined,
          sequence: -rank,
        });
      });
      if (dying) await carryOut(ctx, place, dying);
      for (const side of sidesOf(marks ? next.replaced : newest)) await discard(pathOf(place, key, side));
      return marks ? { deleteMarker: true, versionId: next.versionId } : {};
    }),
  );
}

/** A version goes for good. Where it was the newest, the one before it stands again, as the plain file. */
async function removeVersion(
  ctx: Context,
  { bucket, key, versionId, bypass, origin, check, family = "ObjectRemoved" }: Removal & { versionId: string },
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
  checkUnlocked(row, ctx.clock.now(), { BypassGovernanceRetention: bypass });
  const promoted = newest?.rank === row.rank ? before.second : undefined;
  return await withExistingRoot(ctx, bucket, (place) =>
    orDiscard([], async (made) => {
      const bytes = promoted && (await standAgain(ctx, place, { row: promoted, key, made }));
      const dying = isPlain(row) && !bytes?.staged ? removalOf(row) : undefined;
      const sequence = nextSequence(ctx);
      await commit(ctx, made, async (tx) => {
        const now = await sameBucket(tx, bucket);
        // A hold that has come meanwhile is honoured.
        const still = await versionOf(tx, bucket.name, stored, versionId);
        if (still?.rank !== row.rank) throw errors.operationAborted();
        checkUnlocked(still, ctx.clock.now(), { BypassGovernanceRetention: bypass });
        await deleteVersion(tx, row);
        if (promoted) await promote(tx, promoted, bytes!);
        if (dying) await foretell(tx, dying);
        await notify(ctx, tx, now, origin, {
          event: `${family}:Delete`,
          key,
          versionId: now.versioning ? versionId : undefined,
          sequence: -rankAfter(newest, sequence),
        });
      });
      if (promoted) {
        const rank = promoted.rank;
        await (await follow(ctx, place, { bucket: bucket.name, key: stored, rank, ...bytes! }))?.synced();
      }
      if (dying) await carryOut(ctx, place, dying);
      for (const side of sidesOf(row)) await discard(pathOf(place, key, side));
      return { versionId, ...(row.delete_marker && { deleteMarker: true }) };
    }),
  );
}

interface StandAgain {
  readonly row: ObjectRow;
  readonly key: string;
  readonly made: string[];
}

/**
 * An older version is to be the plain file again: a copy of its bytes is staged, and they stay where they are, as the guard of the file. On a full
 * disk the version is the object without a plain file.
 */
async function standAgain(
  ctx: Context,
  place: Place,
  { row, key, made }: StandAgain,
): Promise<Bytes & { fingerprint: string }> {
  const { side, guard, staged, supersedes, fingerprint } = row;
  if (row.delete_marker || side === null) return { side, guard, staged, supersedes, fingerprint };
  const asItIs = { side, guard: null, staged: null, supersedes: null, fingerprint };
  if (!fitsPath(place.root, key)) return asItIs;
  const name = newStage();
  const path = stagePath(place, name);
  try {
    await copyFile(pathOf(place, key, side), path);
  } catch (error) {
    await discard(path);
    if (!isFull(error)) throw error;
    ctx.log.error(`${row.bucket}/${key} has no plain file: ${error instanceof Error ? error.message : error}`);
    return asItIs;
  }
  made.push(path);
  await Promise.all([place.disk.file(path), place.disk.names(dirname(path))]);
  const again = fingerprintAt(path)!;
  const seat = await findSeat(place, key, path);
  // What cannot be plain was moved aside a second time: the first name is as good.
  if (seat.side !== null) {
    await discard(pathOf(place, key, seat.side));
    return asItIs;
  }
  return { ...seat, guard: side, fingerprint: again };
}

export const live = (row: ObjectRow | undefined): ObjectRow | undefined => (row?.delete_marker ? undefined : row);

/**
 * The name that the demoted version's bytes have in the side folder: their guard, or a link to the plain file before it is replaced. Undefined: they
 * are not there any more.
 */
async function setAside(
  place: Place,
  key: string,
  { demoted, made }: { demoted: ObjectRow | undefined; made: string[] },
): Promise<string | null | undefined> {
  if (!demoted) return undefined;
  if (!isPlain(demoted)) return demoted.side;
  if (demoted.guard !== null) return demoted.guard;
  if (plainFingerprint(place, key) !== demoted.fingerprint) return undefined;
  const aside = await linkToSide(pathOf(place, key, null), place);
  if (aside !== undefined) made.push(pathOf(place, key, aside));
  return aside;
}

/** What is not mounted is not deleted. */
const withExistingRoot = <T>(ctx: Context, bucket: BucketRow, work: (place: Place) => Promise<T>): Promise<T> =>
  withRoot(ctx, bucket, async (place) => {
    if (!isDirectory(place.root)) await stat(place.root);
    return await work(place);
  });

/** The bucket as it is now: it may have been deleted since the request was read. */
const sameBucket = async (tx: Tx, bucket: BucketRow): Promise<BucketRow> =>
  checkSame(await readBucket(tx, bucket.name), bucket);

function checkSame(now: BucketRow | undefined, { name, created_ms }: BucketRow): BucketRow {
  if (!now || now.created_ms !== created_ms) throw errors.noSuchBucket(name);
  return now;
}

/**
 * Within one process the key's lock sees to it; another node on the same database is told apart here, and so is versioning that was switched on since.
 * Answers the bucket as it is, and the newest version's rank.
 */
async function unchanged(
  tx: Tx,
  key: string,
  { before, check }: { before: Before; check: Put["check"] },
): Promise<{ bucket: BucketRow; newest: Pick<ObjectRow, "rank"> | undefined }> {
  const { name } = before.bucket;
  const now = await tx.one<BucketRow & { newest: number | null }>(
    `SELECT b.*, (SELECT o.rank FROM s3_object o WHERE o.bucket = b.name AND o.key = :key ORDER BY o.rank LIMIT 1) AS newest
     FROM s3_bucket b WHERE b.name = :name`,
    { name, key },
  );
  const bucket = checkSame(now, before.bucket);
  const rank = now!.newest ?? undefined;
  if (rank !== before.standing.newest?.rank || bucket.versioning !== before.bucket.versioning)
    throw check ? errors.conditionalConflict() : errors.operationAborted();
  return { bucket, newest: rank === undefined ? undefined : { rank } };
}
