// Replication, carried out: the bucket's role reads a version where it was put and makes the same one in the destination, with its id, its time and
// its ETag. What the role may not do in either bucket is not done. https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
import {
  type Access,
  AwsError,
  assumeRole,
  type Context,
  type Handler,
  type Operations,
  type Principal,
  type Tx,
  type Work,
} from "../../kernel/mod.ts";
import { bucketOf, objectArn, readBucket } from "./buckets.ts";
import { putVersion, remove } from "./change.ts";
import { type SourceInput, stageIfSame } from "./copy.ts";
import { errors } from "./errors.ts";
import { BY_ITSELF, notifyAbout } from "./events.ts";
import { keyOf } from "./keys.ts";
import { progressOf, REPLICA, type Replicating, setProgress } from "./replication.ts";
import { nextSequence, stateOf } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { asS3 } from "./tasks.ts";
import { versionOf } from "./versions.ts";

const mark = Symbol("replication");

interface Replica {
  readonly source: BucketRow;
  readonly row: ObjectRow;
  readonly storageClass?: string | undefined;
}

type Marked = { readonly [mark]?: Replica; readonly Bucket?: string; readonly Key?: string };

/** The actions that a role needs besides those of who puts and deletes. */
const ACTIONS: Readonly<Record<string, (replica: Replica) => string[]>> = {
  HeadObject: ({ row }) => [
    "GetObjectVersionForReplication",
    "GetObjectVersionAcl",
    ...(row.tags ? ["GetObjectVersionTagging"] : []),
  ],
  PutObject: ({ row }) => ["ReplicateObject", ...(row.tags ? ["ReplicateTags"] : [])],
  PutObjectTagging: () => ["ReplicateTags"],
  DeleteObject: () => ["ReplicateDelete"],
};

type Any = Handler<"s3", "PutObject">;

/** Operations that S3 does as a bucket's role: with permissions, and an effect, of their own. Only this file marks them. */
export const withReplicas = (operations: Operations<"s3">): Operations<"s3"> => {
  const known = operations as Readonly<Record<string, Any>>;
  const marked = Object.keys(ACTIONS).map((name): [string, Any] => {
    const { access, handle } = known[name]!;
    const replicaOf = (input: object) => (input as Marked)[mark];
    return [
      name,
      {
        access: (ctx, input) => {
          const replica = replicaOf(input);
          return replica ? ACTIONS[name]!(replica).map((action) => onReplica(action, input)) : access(ctx, input);
        },
        handle: (ctx, input) => {
          const replica = replicaOf(input);
          if (!replica) return handle(ctx, input);
          // The original is known: whether the role may read it is what was asked.
          return name === "HeadObject" ? Promise.resolve({}) : take(ctx, input, replica);
        },
      },
    ];
  });
  return { ...operations, ...Object.fromEntries(marked) };
};

const onReplica = (action: string, { Bucket, Key }: Marked): Access => ({
  action: `s3:${action}`,
  resource: objectArn(Bucket!, Key!),
});

export async function deliverReplica(ctx: Context, { payload }: Work): Promise<void> {
  const replicating = payload as Replicating;
  const { bucket, key, destination } = replicating;
  // One key at a time, its oldest version first: the destination's newest is the source's newest.
  await stateOf(ctx).locks.hold(`${bucket} to ${destination}`, key, async () => {
    for (const row of await pending(ctx, replicating)) await carryOver(ctx, replicating, row);
  });
}

const pending = async (ctx: Context, { bucket, key, rank, destination }: Replicating): Promise<ObjectRow[]> => {
  const rows = await ctx.read((tx) =>
    tx.all<ObjectRow>(
      "SELECT * FROM s3_object WHERE bucket = :bucket AND key = :key AND rank >= :rank AND replication LIKE '%PENDING%' ORDER BY rank DESC",
      { bucket, key, rank },
    ),
  );
  return rows.filter((row) => progressOf(row)?.[destination] === "PENDING");
};

async function carryOver(ctx: Context, replicating: Replicating, row: ObjectRow): Promise<void> {
  const { destination: Bucket, storageClass, role } = replicating;
  const source = await ctx.read((tx) => readBucket(tx, row.bucket));
  if (!source) return;
  const session = await assume(ctx, source, role);
  const replica: Replica = { source, row, storageClass };
  const Key = keyOf(row.key);
  const there = await ctx.read((tx) => versionOf(tx, Bucket, row.key, row.version_id));
  const marked = { [mark]: replica, Bucket, Key };
  if (!row.delete_marker) {
    const from = { [mark]: replica, Bucket: source.name, Key, VersionId: row.version_id };
    await failing("SrcGetObjectNotPermitted", ctx.call("s3", "HeadObject", from, session));
  }
  if (there && there.tags !== row.tags) {
    const Tagging = { TagSet: [] };
    await failing("DstPutObjectNotPermitted", ctx.call("s3", "PutObjectTagging", { ...marked, Tagging }, session));
  } else if (!there && row.delete_marker)
    await failing("DstDelObjNotPermitted", ctx.call("s3", "DeleteObject", marked, session));
  else if (!there) await failing("DstPutObjectNotPermitted", ctx.call("s3", "PutObject", marked, session));
  await ctx.write((tx) => conclude(tx, row, Bucket, "COMPLETED"));
}

async function assume(ctx: Context, source: BucketRow, role: string): Promise<Principal> {
  const by = asS3(source);
  const { session } = await failing("AssumeRoleNotPermitted", assumeRole(ctx, { role, name: "s3-replication", by }));
  return session;
}

/** AWS's word for what went wrong, with the refusal: https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-failure-codes.html */
const reasons = new WeakMap<AwsError, string>();

async function failing<T>(reason: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof AwsError) reasons.set(error, error.code === "NoSuchBucket" ? "DstBucketNotFound" : reason);
    throw error;
  }
}

/** In the destination, allowed by now: the version as it is in the source. */
async function take(ctx: Context, input: object, { source, row, storageClass }: Replica): Promise<object> {
  const bucket = await bucketOf(ctx, input as { Bucket: string });
  if (bucket.versioning !== "Enabled") throw errors.invalidRequest("Destination bucket must have versioning enabled.");
  const key = keyOf(row.key);
  const as = { versionId: row.version_id, modifiedMs: row.modified_ms };
  const there = await ctx.read((tx) => versionOf(tx, bucket.name, row.key, row.version_id));
  if (there) {
    await ctx.write((tx) =>
      tx.run("UPDATE s3_object SET tags = :tags WHERE bucket = :bucket AND key = :key AND rank = :rank", {
        bucket: there.bucket,
        key: there.key,
        rank: there.rank,
        tags: row.tags,
      }),
    );
    return {};
  }
  if (row.delete_marker) {
    await remove(ctx, { bucket, key, origin: BY_ITSELF, replica: as });
    return {};
  }
  // Bytes under a customer's key go as they lie: who has the key reads the replica, too.
  const asItLies = { bucket: source, key, row: { ...row, encryption: null } };
  const options = { target: bucket, algorithms: [], input: input as SourceInput, seal: undefined };
  const look = () => stageIfSame(ctx, asItLies, options);
  // A file may be on its way to its place still: who brings it there holds the key's lock.
  const staged = (await look()) ?? (await stateOf(ctx).locks.hold(source.name, key, look));
  if (!staged) throw errors.slowDown();
  const { bucket: _, key: __, rank, version_id, current, delete_marker, modified_ms, side, guard, ...kept } = row;
  const { staged: ___, supersedes, noncurrent_ms, restored, ...content } = kept;
  await putVersion(ctx, {
    bucket,
    key,
    staged: staged.path,
    version: {
      ...content,
      ...ownership(source, bucket, row),
      ...(bucket.object_lock === null && { lock_mode: null, lock_until_ms: null, legal_hold: null }),
      fingerprint: staged.fingerprint,
      storage_class: storageClass ?? row.storage_class,
      replication: REPLICA,
    },
    event: "ObjectCreated:Put",
    origin: BY_ITSELF,
    as,
  });
  ctx.log.info(`replicated ${source.name}/${key} to ${bucket.name}`, { subject: objectArn(bucket.name, key) });
  return {};
}

/** Whoever owned it owns the replica, with the same grants: unless all of the destination is its owner's. */
const ownership = (
  source: BucketRow,
  bucket: BucketRow,
  { owner, acl }: ObjectRow,
): Pick<ObjectRow, "owner" | "acl"> =>
  bucket.ownership === "BucketOwnerEnforced"
    ? { owner: null, acl: null }
    : { owner: owner ?? (source.account === bucket.account ? null : source.account), acl };

async function conclude(
  tx: Tx,
  of: Pick<ObjectRow, "bucket" | "key" | "rank">,
  destination: string,
  status: "COMPLETED" | "FAILED",
): Promise<ObjectRow | undefined> {
  const row = await tx.one<ObjectRow>(
    "SELECT * FROM s3_object WHERE bucket = :bucket AND key = :key AND rank = :rank",
    { bucket: of.bucket, key: of.key, rank: of.rank },
  );
  if (!row || row.replication === REPLICA) return undefined;
  await setProgress(tx, row, { ...progressOf(row), [destination]: status });
  return row;
}

/** In the transaction that forgets the Work. */
export async function failReplica(ctx: Context, tx: Tx, { payload }: Work, error: unknown): Promise<void> {
  const replicating = payload as Replicating;
  const { rule, destination } = replicating;
  const row = await conclude(tx, replicating, destination, "FAILED");
  if (!row) return;
  const failureReason = (error instanceof AwsError && reasons.get(error)) || "DstPutObjectNotPermitted";
  ctx.log.warn(`${row.bucket}/${keyOf(row.key)} is not replicated to ${destination}: ${failureReason}`);
  await notifyAbout(ctx, tx, row, {
    event: "Replication:OperationFailedReplication",
    origin: BY_ITSELF,
    sequence: nextSequence(ctx),
    more: {
      replicationEventData: {
        replicationRuleId: rule,
        destinationBucket: `arn:aws:s3:::${destination}`,
        s3Operation: row.delete_marker ? "OBJECT_DELETE" : "OBJECT_PUT",
        requestTime: new Date(row.modified_ms).toISOString(),
        failureReason,
      },
    },
  });
}
