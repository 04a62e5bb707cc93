// A bucket's replication configuration, and what is to be replicated by it: decided in the transaction of the change. replication-run.ts does it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-add-config.html
import {
  type Access,
  type Context,
  defineOperations,
  type Input,
  newToken,
  parseArn,
  type Tx,
} from "../../kernel/mod.ts";
import { bucketArn, bucketFacts, bucketOf } from "./buckets.ts";
import { encryptionMembers } from "./encryption.ts";
import { errors } from "./errors.ts";
import { keyOf } from "./keys.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { tagsOf } from "./tags.ts";
import { asS3 } from "./tasks.ts";

const MAX_RULES = 1000;
const MAX_ID = 255;
const GUIDE = "Please refer to S3 Developer Guide for more information.";

type Configuration = NonNullable<Input<"s3", "PutBucketReplication">["ReplicationConfiguration"]>;
type Rule = NonNullable<Configuration["Rules"]>[number];

export const replication = defineOperations("s3", {
  GetBucketReplication: {
    access: (_, { Bucket }) => ({ action: "s3:GetReplicationConfiguration", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      const configuration = configurationOf(bucket);
      if (!configuration) throw errors.noReplication(bucket.name);
      return { ReplicationConfiguration: configuration };
    },
  },

  PutBucketReplication: {
    access: (_, { Bucket, ReplicationConfiguration: configuration }) => [
      { action: "s3:PutReplicationConfiguration", resource: bucketArn(Bucket!) },
      ...passRole(configuration?.Role),
    ],
    async handle(ctx, input) {
      if (input.Token !== undefined) throw errors.notImplemented("x-amz-bucket-object-lock-token");
      const { Role, Rules = [] } = input.ReplicationConfiguration ?? {};
      if (!Role || Rules.length === 0 || Rules.length > MAX_RULES) throw errors.malformedXml();
      const rules = Rules.map((rule) => ({ ...rule, ID: rule.ID || newToken(48) }));
      check(rules);
      const bucket = await bucketOf(ctx, input);
      if (bucket.versioning !== "Enabled")
        throw errors.invalidRequest("Versioning must be 'Enabled' on the bucket to apply a replication configuration");
      for (const name of new Set(rules.map(destinationOf))) {
        if (name === bucket.name)
          throw errors.invalidRequest("Destination bucket cannot be the same as the source bucket.");
        if ((await bucketFacts(ctx, name))?.versioning !== "Enabled")
          throw errors.invalidRequest("Destination bucket must have versioning enabled.");
      }
      await set(ctx, bucket, JSON.stringify({ Role, Rules: rules } satisfies Configuration));
      return {};
    },
  },

  DeleteBucketReplication: {
    access: (_, { Bucket }) => ({ action: "s3:PutReplicationConfiguration", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      await set(ctx, await bucketOf(ctx, input), null);
      return {};
    },
  },
});

const set = (ctx: Context, { name }: BucketRow, replication: string | null) =>
  ctx.write((tx) =>
    tx.run("UPDATE s3_bucket SET replication = :replication WHERE name = :name", { name, replication }),
  );

/** Who gives S3 a role must be allowed to. What is no role's ARN is given to nobody. */
const passRole = (role: string | undefined): Access[] =>
  role !== undefined && parseArn(role)?.resource.startsWith("role/")
    ? [{ action: "iam:PassRole", resource: role, conditions: { "iam:PassedToService": "s3.amazonaws.com" } }]
    : [];

const configurationOf = ({ replication }: Pick<BucketRow, "replication">): Configuration | undefined =>
  replication === null ? undefined : (JSON.parse(replication) as Configuration);

const destinationOf = ({ Destination }: Rule): string => parseArn(Destination?.Bucket ?? "")?.resource ?? "";

/** The newer form has a filter, and says which rule goes first. */
function check(rules: readonly Rule[]): void {
  const [ids, priorities] = [new Set<string>(), new Set<number>()];
  for (const rule of rules) {
    const { ID = "", Status, Priority, Filter, Prefix, Destination, DeleteMarkerReplication: markers } = rule;
    if ((Status !== "Enabled" && Status !== "Disabled") || !Destination?.Bucket) throw errors.malformedXml();
    if (Buffer.byteLength(ID) > MAX_ID)
      throw errors.invalidArgument(`ID length should not exceed allowed limit of ${MAX_ID}`, "ID", ID);
    if (ids.has(ID))
      throw errors.invalidArgument("Rule Id must be unique. Found same Id for more than one rule", "ID", ID);
    ids.add(ID);
    if (!/^arn:aws:s3:::[^/:]+$/.test(Destination.Bucket))
      throw errors.invalidArgument("Invalid bucket ARN.", "Bucket", Destination.Bucket);
    refuseWithoutEffect(rule);
    if (!Filter) {
      if (Prefix === undefined && Priority === undefined) throw errors.malformedXml();
      continue;
    }
    if (Prefix !== undefined || Object.values(Filter).filter((one) => one !== undefined).length > 1)
      throw errors.malformedXml();
    for (const [name, value] of Object.entries({ DeleteMarkerReplication: markers, Priority }))
      if (value === undefined)
        throw errors.invalidRequest(
          `${name} must be specified for this version of Cross Region Replication configuration schema. ${GUIDE}`,
        );
    if (priorities.has(Priority!)) throw errors.invalidRequest(`Found duplicate priority ${Priority}.`);
    priorities.add(Priority!);
    if (markers!.Status === "Enabled" && tagsIn(rule).length > 0)
      throw errors.invalidRequest(
        `Delete marker replication is not supported if any Tag filter is specified. ${GUIDE}`,
      );
  }
}

function refuseWithoutEffect({ Destination, SourceSelectionCriteria, ExistingObjectReplication }: Rule): void {
  const { AccessControlTranslation, EncryptionConfiguration, Account } = Destination!;
  const { SseKmsEncryptedObjects, ReplicaModifications } = SourceSelectionCriteria ?? {};
  if (AccessControlTranslation) throw errors.notImplemented("AccessControlTranslation");
  if (Account !== undefined) throw errors.notImplemented("Destination's Account");
  if (EncryptionConfiguration) throw errors.notImplemented("Destination's EncryptionConfiguration");
  if (SseKmsEncryptedObjects?.Status === "Enabled") throw errors.notImplemented("SseKmsEncryptedObjects");
  if (ReplicaModifications?.Status === "Enabled") throw errors.notImplemented("ReplicaModifications");
  if (ExistingObjectReplication?.Status === "Enabled") throw errors.notImplemented("ExistingObjectReplication");
}

const tagsIn = ({ Filter }: Rule) => [...(Filter?.Tag ? [Filter.Tag] : []), ...(Filter?.And?.Tags ?? [])];

type Change = Pick<ObjectRow, "key" | "tags" | "delete_marker"> & Partial<Pick<ObjectRow, "encryption">>;

/** The rule that decides for each destination: of several, that of the highest priority. */
function rulesFor(bucket: BucketRow, row: Change): Rule[] {
  // "By default, Amazon S3 doesn't replicate objects that are encrypted with KMS keys": who wants them says SseKmsEncryptedObjects.
  if (encryptionMembers(row.encryption ?? null).ServerSideEncryption?.startsWith("aws:kms")) return [];
  const byDestination = new Map<string, Rule>();
  for (const rule of configurationOf(bucket)?.Rules ?? []) {
    if (!applies(rule, row)) continue;
    const other = byDestination.get(destinationOf(rule));
    if (!other || (rule.Priority ?? 0) > (other.Priority ?? 0)) byDestination.set(destinationOf(rule), rule);
  }
  return [...byDestination.values()].filter((rule) => !row.delete_marker || markersToo(rule));
}

/** The older form replicates delete markers; the newer one where it says so. */
const markersToo = ({ Filter, DeleteMarkerReplication: markers }: Rule): boolean =>
  Filter || markers ? markers?.Status === "Enabled" : true;

function applies(rule: Rule, row: Change): boolean {
  const { Filter, Prefix } = rule;
  if (rule.Status !== "Enabled" || !keyOf(row.key).startsWith(Filter?.And?.Prefix ?? Filter?.Prefix ?? Prefix ?? ""))
    return false;
  const wanted = tagsIn(rule);
  if (wanted.length === 0) return true;
  const has = tagsOf(row.tags);
  return wanted.every(({ Key, Value }) => has.some((tag) => tag.Key === Key && tag.Value === Value));
}

/** What the column `replication` says of each destination. */
export type Progress = Readonly<Record<string, "PENDING" | "COMPLETED" | "FAILED">>;
export const REPLICA = "REPLICA";

export const progressOf = ({ replication }: Pick<ObjectRow, "replication">): Progress | undefined =>
  replication === null || replication === REPLICA ? undefined : (JSON.parse(replication) as Progress);

/** `x-amz-replication-status`: COMPLETED when it is in all destinations. */
export function replicationHeader(row: ObjectRow): {
  ReplicationStatus?: "PENDING" | "COMPLETED" | "FAILED" | "REPLICA";
} {
  if (row.replication === REPLICA) return { ReplicationStatus: REPLICA };
  const statuses = Object.values(progressOf(row) ?? {});
  if (statuses.length === 0) return {};
  return {
    ReplicationStatus:
      statuses.find((one) => one === "FAILED") ?? statuses.find((one) => one === "PENDING") ?? "COMPLETED",
  };
}

/** One version of an object that is to be made the same in one destination. */
export interface Replicating {
  readonly kind: "replicate";
  readonly bucket: string;
  readonly key: string;
  readonly rank: number;
  readonly role: string;
  readonly rule: string;
  readonly destination: string;
  readonly storageClass?: string | undefined;
}

/** In the transaction that made a version, a delete marker, or changed a version's tags. Replicas are not replicated. */
export async function replicate(
  ctx: Context,
  tx: Tx,
  bucket: BucketRow,
  row: Change & Pick<ObjectRow, "rank" | "replication">,
): Promise<void> {
  if (bucket.replication === null || row.replication === REPLICA) return;
  const rules = rulesFor(bucket, row);
  if (rules.length === 0) return;
  const progress: Progress = {
    ...progressOf(row),
    ...Object.fromEntries(rules.map((rule) => [destinationOf(rule), "PENDING" as const])),
  };
  await setProgress(tx, { bucket: bucket.name, key: row.key, rank: row.rank }, progress);
  for (const rule of rules)
    await ctx.put(tx, {
      to: bucketArn(bucket.name),
      as: asS3(bucket),
      payload: {
        kind: "replicate",
        bucket: bucket.name,
        key: row.key,
        rank: row.rank,
        role: configurationOf(bucket)!.Role!,
        rule: rule.ID!,
        destination: destinationOf(rule),
        storageClass: rule.Destination!.StorageClass,
      } satisfies Replicating,
    });
}

export const setProgress = (
  tx: Tx,
  { bucket, key, rank }: Pick<ObjectRow, "bucket" | "key" | "rank">,
  progress: Progress,
): Promise<number> =>
  tx.run("UPDATE s3_object SET replication = :progress WHERE bucket = :bucket AND key = :key AND rank = :rank", {
    bucket,
    key,
    rank,
    progress: JSON.stringify(progress),
  });
