// A bucket's default encryption. https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html
import { type Context, defineOperations, type Input } from "../../kernel/mod.ts";
import { onBucket } from "./access.ts";
import { bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import { kmsKeyArn } from "./kms-keys.ts";
import type { BucketRow } from "./tables.ts";

type Rule = NonNullable<
  NonNullable<Input<"s3", "PutBucketEncryption">["ServerSideEncryptionConfiguration"]>["Rules"]
>[number];

const ALGORITHMS = ["AES256", "aws:kms", "aws:kms:dsse"];
const BLOCKABLE = ["SSE-C", "NONE"];

/** Of every bucket since January 2023. */
const STANDARD: Rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" }, BucketKeyEnabled: false };

export const bucketEncryption = defineOperations("s3", {
  GetBucketEncryption: {
    access: (_, input) => onBucket("GetEncryptionConfiguration", input),
    async handle(ctx, input) {
      return { ServerSideEncryptionConfiguration: { Rules: [ruleOf(await bucketOf(ctx, input))] } };
    },
  },

  PutBucketEncryption: {
    access: (_, input) => onBucket("PutEncryptionConfiguration", input),
    async handle(ctx, input) {
      const rules = input.ServerSideEncryptionConfiguration?.Rules ?? [];
      const [rule] = rules;
      if (!rule || rules.length > 1) throw errors.malformedXml();
      const bucket = await bucketOf(ctx, input);
      const normal = checked(ctx, bucket, rule);
      await setEncryption(ctx, bucket.name, JSON.stringify(normal));
      return {};
    },
  },

  DeleteBucketEncryption: {
    access: (_, input) => onBucket("PutEncryptionConfiguration", input),
    async handle(ctx, input) {
      await setEncryption(ctx, (await bucketOf(ctx, input)).name, null);
      return {};
    },
  },
});

const setEncryption = (ctx: Context, name: string, encryption: string | null) =>
  ctx.write((tx) => tx.run("UPDATE s3_bucket SET encryption = :encryption WHERE name = :name", { name, encryption }));

function checked(ctx: Context, bucket: BucketRow, rule: Rule): Rule {
  const { ApplyServerSideEncryptionByDefault: apply, BucketKeyEnabled = false, BlockedEncryptionTypes: blocked } = rule;
  const { SSEAlgorithm = "AES256", KMSMasterKeyID } = apply ?? {};
  if (!ALGORITHMS.includes(SSEAlgorithm)) throw errors.malformedXml();
  if (KMSMasterKeyID !== undefined) {
    if (SSEAlgorithm === "AES256")
      throw errors.invalidArgument(
        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        "ApplyServerSideEncryptionByDefault",
      );
    kmsKeyArn(ctx, bucket, KMSMasterKeyID);
  }
  if (blocked?.EncryptionType?.some((type) => !BLOCKABLE.includes(type))) throw errors.malformedXml();
  return {
    ApplyServerSideEncryptionByDefault: { SSEAlgorithm, ...(KMSMasterKeyID !== undefined && { KMSMasterKeyID }) },
    BucketKeyEnabled,
    ...(blocked && { BlockedEncryptionTypes: blocked }),
  };
}

const ruleOf = ({ encryption }: Pick<BucketRow, "encryption">): Rule =>
  encryption === null ? STANDARD : (JSON.parse(encryption) as Rule);

export function defaultEncryption(bucket: BucketRow): { sse: string; keyId: string | undefined; bucketKey: boolean } {
  const { ApplyServerSideEncryptionByDefault: apply, BucketKeyEnabled = false } = ruleOf(bucket);
  return { sse: apply!.SSEAlgorithm!, keyId: apply!.KMSMasterKeyID, bucketKey: BucketKeyEnabled };
}

export const isBlocked = (bucket: BucketRow, type: "SSE-C"): boolean =>
  ruleOf(bucket).BlockedEncryptionTypes?.EncryptionType?.includes(type) === true;
