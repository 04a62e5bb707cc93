// A bucket's inventory configurations. inventory-run.ts writes the lists.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/configure-inventory.html
import { AwsError, type Context, defineOperations, type Input } from "../../kernel/mod.ts";
import { bucketArn, bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import type { BucketRow } from "./tables.ts";
import { midnightAfter, schedule, unschedule } from "./tasks.ts";

const MAX_PAGE = 100;
const DAY = 86_400_000;

export type Inventory = NonNullable<Input<"s3", "PutBucketInventoryConfiguration">["InventoryConfiguration"]>;

/** In the order in which a list has them. */
export const FIELDS = [
  "Size",
  "LastModifiedDate",
  "ETag",
  "StorageClass",
  "IsMultipartUploaded",
  "ReplicationStatus",
  "EncryptionStatus",
  "ObjectLockRetainUntilDate",
  "ObjectLockMode",
  "ObjectLockLegalHoldStatus",
  "ChecksumAlgorithm",
] as const;
const WITHOUT = [
  "IntelligentTieringAccessTier",
  "BucketKeyStatus",
  "ObjectAccessControlList",
  "ObjectOwner",
  "LifecycleExpirationDate",
];

const access =
  (action: string) =>
  (_: Context, { Bucket }: { Bucket?: string | undefined }) => ({
    action: `s3:${action}InventoryConfiguration`,
    resource: bucketArn(Bucket!),
  });

export const inventory = defineOperations("s3", {
  GetBucketInventoryConfiguration: {
    access: access("Get"),
    async handle(ctx, input) {
      const InventoryConfiguration = await inventoryOf(ctx, await bucketOf(ctx, input), input.Id!);
      if (!InventoryConfiguration) throw errors.noConfiguration();
      return { InventoryConfiguration };
    },
  },

  ListBucketInventoryConfigurations: {
    access: access("Get"),
    async handle(ctx, input) {
      const { name } = await bucketOf(ctx, input);
      const { ContinuationToken: token } = input;
      const rows = await ctx.read((tx) =>
        tx.all<Row>(
          `SELECT id, document FROM s3_configuration WHERE bucket = :name AND kind = 'inventory' AND id > :after ORDER BY id LIMIT ${MAX_PAGE + 1}`,
          { name, after: token ? Buffer.from(token, "base64url").toString() : "" },
        ),
      );
      const page = rows.slice(0, MAX_PAGE);
      const more = rows.length > page.length;
      return {
        ...(page.length > 0 && {
          InventoryConfigurationList: page.map(({ document }) => JSON.parse(document) as Inventory),
        }),
        ...(token !== undefined && { ContinuationToken: token }),
        IsTruncated: more,
        ...(more && { NextContinuationToken: Buffer.from(page.at(-1)!.id).toString("base64url") }),
      };
    },
  },

  PutBucketInventoryConfiguration: {
    access: access("Put"),
    async handle(ctx, input) {
      const wanted = input.InventoryConfiguration!;
      check(wanted);
      if (wanted.Id !== input.Id)
        throw new AwsError("IdMismatch", 400, "Document ID does not match the specified configuration ID.");
      const bucket = await bucketOf(ctx, input);
      const task = `inventory/${wanted.Id}`;
      await ctx.write(async (tx) => {
        await tx.run(
          `INSERT INTO s3_configuration (bucket, kind, id, document) VALUES (:bucket, 'inventory', :id, :document)
           ON CONFLICT (bucket, kind, id) DO UPDATE SET document = excluded.document`,
          { bucket: bucket.name, id: wanted.Id!, document: JSON.stringify(wanted) },
        );
        await unschedule(tx, bucket, task);
        if (wanted.IsEnabled) await schedule(ctx, tx, { bucket, task, due: nextList(wanted, ctx.clock.now()) });
      });
      return {};
    },
  },

  DeleteBucketInventoryConfiguration: {
    access: access("Put"),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      await ctx.write(async (tx) => {
        const deleted = await tx.run(
          "DELETE FROM s3_configuration WHERE bucket = :name AND kind = 'inventory' AND id = :id",
          { name: bucket.name, id: input.Id! },
        );
        if (deleted === 0) throw errors.noConfiguration();
        await unschedule(tx, bucket, `inventory/${input.Id}`);
      });
      return {};
    },
  },
});

interface Row {
  readonly id: string;
  readonly document: string;
}

export async function inventoryOf(ctx: Context, { name }: BucketRow, id: string): Promise<Inventory | undefined> {
  const row = await ctx.read((tx) =>
    tx.one<Row>("SELECT id, document FROM s3_configuration WHERE bucket = :name AND kind = 'inventory' AND id = :id", {
      name,
      id,
    }),
  );
  return row && (JSON.parse(row.document) as Inventory);
}

/** Every midnight, or that which begins a Sunday. */
export function nextList({ Schedule }: Inventory, now: number): number {
  const midnight = midnightAfter(now);
  return Schedule?.Frequency === "Weekly" ? midnight + ((7 - new Date(midnight).getUTCDay()) % 7) * DAY : midnight;
}

function check({ Destination, Schedule, IncludedObjectVersions, OptionalFields = [], Filter }: Inventory): void {
  const { Bucket, Format, Encryption, Prefix } = Destination?.S3BucketDestination ?? {};
  if (!["Daily", "Weekly"].includes(Schedule?.Frequency ?? "")) throw errors.malformedXml();
  if (!["All", "Current"].includes(IncludedObjectVersions ?? "")) throw errors.malformedXml();
  if (!["CSV", "ORC", "Parquet"].includes(Format ?? "")) throw errors.malformedXml();
  for (const field of OptionalFields) {
    if (WITHOUT.includes(field)) throw errors.notImplemented(`the inventory's ${field}`);
    if (!(FIELDS as readonly string[]).includes(field)) throw errors.malformedXml();
  }
  if (Filter && Filter.Prefix === undefined) throw errors.malformedXml();
  if (!/^arn:aws:s3:::[^/:]+$/.test(Bucket ?? ""))
    throw new AwsError("InvalidS3DestinationBucket", 400, "Invalid bucket ARN.");
  if (Prefix !== undefined && Buffer.byteLength(Prefix) > 512) throw errors.malformedXml();
  if (Format !== "CSV") throw errors.notImplemented(`the inventory's Format ${Format}`);
  if (Encryption?.SSEKMS) throw errors.notImplemented("the inventory's SSEKMS");
}
