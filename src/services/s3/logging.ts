// A bucket's logging configuration: where the lines about its requests are put. access-logs.ts writes them.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
import { AwsError, defineOperations, type Input } from "../../kernel/mod.ts";
import { bucketArn, bucketFacts, bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import type { BucketRow } from "./tables.ts";

export type Logging = NonNullable<
  NonNullable<Input<"s3", "PutBucketLogging">["BucketLoggingStatus"]>["LoggingEnabled"]
>;

export const loggingOf = ({ logging }: Pick<BucketRow, "logging">): Logging | undefined =>
  logging === null ? undefined : (JSON.parse(logging) as Logging);

export const logging = defineOperations("s3", {
  GetBucketLogging: {
    access: (_, { Bucket }) => ({ action: "s3:GetBucketLogging", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const LoggingEnabled = loggingOf(await bucketOf(ctx, input));
      return LoggingEnabled ? { LoggingEnabled } : {};
    },
  },

  PutBucketLogging: {
    access: (_, { Bucket }) => ({ action: "s3:PutBucketLogging", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      const wanted = input.BucketLoggingStatus?.LoggingEnabled;
      if (wanted) checkTarget(bucket, wanted, await bucketFacts(ctx, wanted.TargetBucket ?? ""));
      await ctx.write((tx) =>
        tx.run("UPDATE s3_bucket SET logging = :logging WHERE name = :name", {
          name: bucket.name,
          logging: wanted ? JSON.stringify(wanted) : null,
        }),
      );
      return {};
    },
  },
});

/** Whether its policy lets the log service write is found at delivery, as on AWS. */
function checkTarget(bucket: BucketRow, wanted: Logging, target: BucketRow | undefined): void {
  const { TargetBucket, TargetPrefix, TargetGrants, TargetObjectKeyFormat: format } = wanted;
  if (TargetBucket === undefined || TargetPrefix === undefined) throw errors.malformedXml();
  const { SimplePrefix, PartitionedPrefix } = format ?? {};
  if (format && (SimplePrefix === undefined) === (PartitionedPrefix === undefined)) throw errors.malformedXml();
  const source = PartitionedPrefix?.PartitionDateSource;
  if (source !== undefined && source !== "EventTime" && source !== "DeliveryTime") throw errors.malformedXml();
  const invalid = (message: string) => new AwsError("InvalidTargetBucketForLogging", 400, message, { TargetBucket });
  if (!target) throw invalid("The target bucket for logging does not exist");
  if (target.account !== bucket.account)
    throw invalid("The owner for the bucket to be logged and the target bucket must be the same.");
  if (target.region !== bucket.region)
    throw new AwsError("CrossLocationLoggingProhibitted", 403, "Cross S3 location logging not allowed. ", {
      ...(bucket.region !== "us-east-1" && { SourceBucketLocation: bucket.region }),
      TargetBucketLocation: target.region,
    });
  if (TargetGrants?.length) throw errors.notImplemented("TargetGrants");
}
