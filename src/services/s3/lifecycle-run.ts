// Lifecycle, carried out: once a day, at midnight UTC, as AWS counts. A page of rows at a time; each key is judged by all of its versions.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
import { AwsError, type Context } from "../../kernel/mod.ts";
import { objectArn } from "./buckets.ts";
import { remove } from "./change.ts";
import { errors } from "./errors.ts";
import { BY_ITSELF, notifyAbout } from "./events.ts";
import { keyOf } from "./keys.ts";
import { abortOf, applies, classAt, dueAt, expiryOf, type Lifecycle, lifecycleOf, type Rule } from "./lifecycle.ts";
import { isLocked } from "./object-lock.ts";
import { nextSequence } from "./state.ts";
import type { BucketRow, ObjectRow, UploadRow } from "./tables.ts";
import { midnightAfter, type Task } from "./tasks.ts";
import { abort } from "./uploads.ts";
import { versionsByKey } from "./versions-by-key.ts";

const PAGE = 1000;
/** Removals that are under way at once: their commits are shared. */
const AT_ONCE = 32;

export const lifecycleTask: Task = {
  next: midnightAfter,
  async run(ctx, bucket) {
    const configuration = lifecycleOf(bucket);
    if (!configuration) return;
    const now = ctx.clock.now();
    let removals: Removing[] = [];
    let moves: Move[] = [];
    for await (const versions of versionsByKey(ctx, bucket)) {
      const { remove: gone, move } = judge(configuration, versions, now);
      removals.push(...gone);
      moves.push(...move);
      if (removals.length + moves.length < PAGE) continue;
      await carryOut(ctx, bucket, removals, moves);
      removals = [];
      moves = [];
    }
    await carryOut(ctx, bucket, removals, moves);
    await abortUploads(ctx, bucket, now);
  },
};

interface Removing {
  readonly row: ObjectRow;
  /** Without: the current version expires, which in a versioned bucket is a delete marker. */
  readonly version?: true;
}

interface Move {
  readonly row: ObjectRow;
  readonly to: string;
}

interface Judgement {
  readonly remove: Removing[];
  readonly move: Move[];
}

function judge(configuration: Lifecycle, versions: readonly ObjectRow[], now: number): Judgement {
  const { Rules } = configuration;
  const judgement: Judgement = { remove: [], move: [] };
  const [newest, ...older] = versions as [ObjectRow, ...ObjectRow[]];
  if (newest.delete_marker) {
    if (older.length === 0 && Rules.some((rule) => endsMarker(rule, newest, now)))
      judgement.remove.push({ row: newest, version: true });
  } else if ((expiryOf(Rules, newest)?.at ?? Number.POSITIVE_INFINITY) <= now) judgement.remove.push({ row: newest });
  else move(judgement, configuration, { row: newest, now, since: newest.modified_ms, of: "Transitions" });
  for (const [newer, row] of older.entries()) {
    const since = row.noncurrent_ms ?? row.modified_ms;
    const ends = Rules.some((rule) => endsNoncurrent(rule, row, { newer, since, now }));
    if (ends && !isLocked(row, now)) judgement.remove.push({ row, version: true });
    else if (!ends && !row.delete_marker)
      move(judgement, configuration, { row, now, since, of: "NoncurrentVersionTransitions" });
  }
  return judgement;
}

/** A delete marker that hides nothing any more. */
function endsMarker(rule: Rule, row: ObjectRow, now: number): boolean {
  const { Expiration } = rule;
  if (!Expiration || !applies(rule, row)) return false;
  if (Expiration.ExpiredObjectDeleteMarker) return true;
  return Expiration.Days !== undefined && dueAt(row.modified_ms, Expiration) <= now;
}

function endsNoncurrent(
  rule: Rule,
  row: ObjectRow,
  { newer, since, now }: { newer: number; since: number; now: number },
): boolean {
  const { NoncurrentDays: Days, NewerNoncurrentVersions: kept = 0 } = rule.NoncurrentVersionExpiration ?? {};
  return Days !== undefined && newer >= kept && applies(rule, row) && dueAt(since, { Days }) <= now;
}

function move(
  { move: moves }: Judgement,
  configuration: Lifecycle,
  { row, ...when }: { row: ObjectRow } & Parameters<typeof classAt>[2],
): void {
  const to = classAt(configuration, row, when);
  if (to !== undefined) moves.push({ row, to });
}

async function carryOut(
  ctx: Context,
  bucket: BucketRow,
  removals: readonly Removing[],
  moves: readonly Move[],
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < removals.length; at = next++) await expire(ctx, bucket, removals[at]!);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, removals.length) }, worker));
  await moveAll(ctx, moves);
}

/** Whoever changed, locked or removed it since it was read is right: it is looked at again tomorrow. */
async function expire(ctx: Context, bucket: BucketRow, { row, version }: Removing): Promise<void> {
  const key = keyOf(row.key);
  try {
    await remove(ctx, {
      bucket,
      key,
      ...(version && { versionId: row.version_id }),
      origin: BY_ITSELF,
      family: "LifecycleExpiration",
      check(current) {
        if (!version && current?.rank !== row.rank) throw errors.operationAborted();
      },
    });
    ctx.log.info(`LifecycleExpiration ${bucket.name}/${key}`, { subject: objectArn(bucket.name, key) });
  } catch (error) {
    if (!(error instanceof AwsError) || error.status >= 500) throw error;
    ctx.log.info(`${bucket.name}/${key} does not expire: ${error.message}`, { subject: objectArn(bucket.name, key) });
  }
}

async function moveAll(ctx: Context, moves: readonly Move[]): Promise<void> {
  if (moves.length === 0) return;
  const sequences = moves.map(() => nextSequence(ctx));
  await ctx.write(async (tx) => {
    for (const [at, { row, to }] of moves.entries()) {
      const { bucket, key, rank } = row;
      const moved = await tx.run(
        "UPDATE s3_object SET storage_class = :to WHERE bucket = :bucket AND key = :key AND rank = :rank",
        { bucket, key, rank, to },
      );
      if (moved === 0) continue;
      await notifyAbout(ctx, tx, row, {
        event: "LifecycleTransition",
        origin: BY_ITSELF,
        sequence: sequences[at]!,
        more: { lifecycleEventData: { transitionEventData: { destinationStorageClass: to } } },
      });
    }
  });
}

async function abortUploads(ctx: Context, bucket: BucketRow, now: number): Promise<void> {
  if (!lifecycleOf(bucket)!.Rules.some((rule) => rule.AbortIncompleteMultipartUpload)) return;
  const uploads = await ctx.read((tx) =>
    tx.all<UploadRow>("SELECT * FROM s3_upload WHERE bucket = :name", { name: bucket.name }),
  );
  for (const upload of uploads)
    if ((abortOf(bucket, upload)?.at ?? Number.POSITIVE_INFINITY) <= now) await abort(ctx, bucket, upload);
}
