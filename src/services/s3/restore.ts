// RestoreObject: a copy of an archived object that can be read for some days. It takes the hours that AWS says, on the clock.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html
import { type Context, defineOperations, newToken, type Tx, type Work } from "../../kernel/mod.ts";
import { onObject } from "./access.ts";
import { bucketArn } from "./buckets.ts";
import { errors } from "./errors.ts";
import { BY_ITSELF, notifyAbout } from "./events.ts";
import { expectObject, lookUp } from "./lookup.ts";
import { accepted, originOf } from "./request.ts";
import { nextSequence } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { asS3, midnightAfter } from "./tasks.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The longest that AWS says of each: "within 3-5 hours". A tier that a class has not is none. */
const TIERS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  GLACIER: { Expedited: 5 * MINUTE, Standard: 5 * HOUR, Bulk: 12 * HOUR },
  DEEP_ARCHIVE: { Standard: 12 * HOUR, Bulk: 48 * HOUR },
};

/** The column `restored`. */
interface Restored {
  /** Of the Work that counts. */
  readonly token: string;
  readonly readyMs: number;
  readonly untilMs: number;
}

interface Payload {
  readonly kind: "restore";
  readonly bucket: string;
  readonly key: string;
  readonly rank: number;
  readonly token: string;
}

export const restores = defineOperations("s3", {
  RestoreObject: {
    access: (ctx, input) => ({ ...onObject(ctx, ["Get"], input), action: "s3:RestoreObject" }),
    async handle(ctx, input) {
      const request = input.RestoreRequest ?? {};
      if (request.Type !== undefined || request.SelectParameters || request.OutputLocation)
        throw errors.notImplemented("RestoreRequest's Type SELECT");
      const { Days, GlacierJobParameters, Tier } = request;
      if (Days === undefined) throw errors.malformedXml();
      if (Days < 1) throw errors.invalidArgument("restoration days should be at least 1", "Days", String(Days));
      const tier = GlacierJobParameters?.Tier ?? Tier ?? "Standard";
      if (!["Expedited", "Standard", "Bulk"].includes(tier)) throw errors.malformedXml();
      const { bucket, row: found } = await lookUp(ctx, input);
      const row = await expectObject(ctx, { bucket, row: found, input, method: "POST" });
      const takes = TIERS[row.storage_class];
      if (!takes) throw errors.notRestorable(row.storage_class);
      const took = takes[tier];
      if (took === undefined)
        throw errors.invalidArgument("Retrieval option is not supported by this storage class", "Tier", tier);
      const now = ctx.clock.now();
      const known = restoredOf(row);
      // A copy that is there is kept for that many days from now.
      if (known && known.readyMs <= now && known.untilMs > now) {
        await keep(ctx, row, { token: newToken(20), readyMs: known.readyMs, untilMs: midnightAfter(now + Days * DAY) });
        return {};
      }
      const readyMs = now + took;
      if (known && known.readyMs > now && known.readyMs <= readyMs) throw errors.restoring();
      const restored = { token: newToken(20), readyMs, untilMs: midnightAfter(readyMs + Days * DAY) };
      const sequence = nextSequence(ctx);
      await ctx.write(async (tx) => {
        await set(tx, row, restored);
        await notifyAbout(ctx, tx, row, { event: "ObjectRestore:Post", origin: originOf(input), sequence });
        await due(ctx, tx, { bucket, row, token: restored.token, at: readyMs });
      });
      return accepted({});
    },
  },
});

const restoredOf = ({ restored }: Pick<ObjectRow, "restored">): Restored | undefined =>
  restored === null ? undefined : (JSON.parse(restored) as Restored);

/** Whether the bytes may be read: an archived object's only while its copy is there. */
export function isReadable(row: ObjectRow, now: number): boolean {
  if (!TIERS[row.storage_class]) return true;
  const restored = restoredOf(row);
  return restored !== undefined && restored.readyMs <= now && now < restored.untilMs;
}

/** `x-amz-restore`. */
export function restoreHeader(row: ObjectRow, now: number): { Restore?: string } {
  const restored = TIERS[row.storage_class] && restoredOf(row);
  if (!restored || restored.untilMs <= now) return {};
  if (restored.readyMs > now) return { Restore: 'ongoing-request="true"' };
  return { Restore: `ongoing-request="false", expiry-date="${new Date(restored.untilMs).toUTCString()}"` };
}

/** What lists say of it, to those who ask. */
export function restoreStatus(row: Pick<ObjectRow, "restored" | "storage_class">, now: number) {
  const restored = TIERS[row.storage_class] && restoredOf(row);
  if (!restored || restored.untilMs <= now) return {};
  const inProgress = restored.readyMs > now;
  return {
    RestoreStatus: {
      IsRestoreInProgress: inProgress,
      ...(!inProgress && { RestoreExpiryDate: new Date(restored.untilMs) }),
    },
  };
}

async function keep(ctx: Context, row: ObjectRow, restored: Restored): Promise<void> {
  await ctx.write(async (tx) => {
    await set(tx, row, restored);
    const bucket = await tx.one<BucketRow>("SELECT * FROM s3_bucket WHERE name = :name", { name: row.bucket });
    if (bucket) await due(ctx, tx, { bucket, row, token: restored.token, at: restored.untilMs });
  });
}

async function set(tx: Tx, { bucket, key, rank }: ObjectRow, restored: Restored | null): Promise<void> {
  const changed = await tx.run(
    "UPDATE s3_object SET restored = :restored WHERE bucket = :bucket AND key = :key AND rank = :rank",
    { bucket, key, rank, restored: restored && JSON.stringify(restored) },
  );
  if (changed === 0) throw errors.operationAborted();
}

interface Due {
  readonly bucket: BucketRow;
  readonly row: ObjectRow;
  readonly token: string;
  readonly at: number;
}

function due(ctx: Context, tx: Tx, { bucket, row, token, at }: Due): Promise<void> {
  const payload: Payload = { kind: "restore", bucket: bucket.name, key: row.key, rank: row.rank, token };
  return ctx.put(tx, { to: bucketArn(bucket.name), as: asS3(bucket), due: at, payload });
}

/** The copy is ready, or its time is over. */
export async function continueRestore(ctx: Context, work: Work): Promise<void> {
  const { bucket: name, key, rank, token } = work.payload as Payload;
  const sequence = nextSequence(ctx);
  const now = ctx.clock.now();
  await ctx.write(async (tx) => {
    const bucket = await tx.one<BucketRow>("SELECT * FROM s3_bucket WHERE name = :name", { name });
    const row = await tx.one<ObjectRow>(
      "SELECT * FROM s3_object WHERE bucket = :name AND key = :key AND rank = :rank",
      { name, key, rank },
    );
    const restored = row && restoredOf(row);
    if (!bucket || !row || restored?.token !== token) return;
    const about = { origin: BY_ITSELF, sequence };
    if (now >= restored.untilMs) {
      await set(tx, row, null);
      await notifyAbout(ctx, tx, row, { ...about, event: "ObjectRestore:Delete" });
      return;
    }
    await notifyAbout(ctx, tx, row, { ...about, event: "ObjectRestore:Completed", more: glacier(row, restored) });
    const again = newToken(20);
    await set(tx, row, { ...restored, token: again });
    await due(ctx, tx, { bucket, row, token: again, at: restored.untilMs });
  });
}

const glacier = ({ storage_class }: ObjectRow, { untilMs }: Restored) => ({
  glacierEventData: {
    restoreEventData: {
      lifecycleRestorationExpiryTime: new Date(untilMs).toISOString(),
      lifecycleRestoreStorageClass: storage_class,
    },
  },
});
