// A bucket's notification configuration: what is accepted is what will be sent.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
import { AwsError, type Context, defineOperations, newToken, parseArn } from "../../kernel/mod.ts";
import { bucketArn, bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import { type Configuration, flatten, type StoredNotification } from "./events.ts";
import type { BucketRow } from "./tables.ts";

/** Events that this S3 has. The others of AWS's list never happen here: asking for them is refused by name. */
const EVENTS = [
  "s3:ObjectCreated:*",
  "s3:ObjectCreated:Put",
  "s3:ObjectCreated:Post",
  "s3:ObjectCreated:Copy",
  "s3:ObjectCreated:CompleteMultipartUpload",
  "s3:ObjectRemoved:*",
  "s3:ObjectRemoved:Delete",
  "s3:ObjectRemoved:DeleteMarkerCreated",
];
const OTHER_EVENTS =
  /^s3:(ReducedRedundancyLostObject|ObjectRestore|Replication|LifecycleTransition|IntelligentTiering|ObjectAcl|LifecycleExpiration|ObjectTagging|ObjectAnnotation)/;

export const notifications = defineOperations("s3", {
  GetBucketNotificationConfiguration: {
    access: (_, { Bucket }) => ({ action: "s3:GetBucketNotification", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const { notification } = await bucketOf(ctx, input);
      return notification === null ? {} : (JSON.parse(notification) as object);
    },
  },

  PutBucketNotificationConfiguration: {
    access: (_, { Bucket }) => ({ action: "s3:PutBucketNotification", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      const wanted = input.NotificationConfiguration ?? {};
      if (wanted.EventBridgeConfiguration) throw errors.notImplemented("EventBridgeConfiguration");
      const stored = {
        ...named("TopicConfigurations", wanted.TopicConfigurations),
        ...named("QueueConfigurations", wanted.QueueConfigurations),
        ...named("LambdaFunctionConfigurations", wanted.LambdaFunctionConfigurations),
      } as StoredNotification;
      const configurations = flatten(stored);
      checkArns(stored);
      for (const configuration of configurations) checkEvents(configuration);
      checkFilters(stored);
      checkOverlap(configurations);
      if (!input.SkipDestinationValidation) await checkDestinations(ctx, bucket, configurations);
      const notification = configurations.length > 0 ? JSON.stringify(stored) : null;
      await ctx.write((tx) =>
        tx.run("UPDATE s3_bucket SET notification = :notification WHERE name = :name", {
          name: bucket.name,
          notification,
        }),
      );
      return {};
    },
  },
});

/** AWS gives a configuration without an id one of its own. */
const named = (name: string, rules: readonly { Id?: string | undefined }[] | undefined) =>
  rules && rules.length > 0 ? { [name]: rules.map((rule) => ({ ...rule, Id: rule.Id || newToken(48) })) } : {};

/** What AWS calls the argument, and which service's ARN it takes. */
function checkArns(stored: StoredNotification): void {
  const check = (argument: string, service: string, arn: string | undefined) => {
    if (parseArn(arn ?? "")?.service !== service) throw errors.arnUnparsable(argument, arn ?? "");
  };
  for (const { TopicArn } of stored.TopicConfigurations ?? []) check("Topic", "sns", TopicArn);
  for (const { QueueArn } of stored.QueueConfigurations ?? []) check("Queue", "sqs", QueueArn);
  for (const { LambdaFunctionArn } of stored.LambdaFunctionConfigurations ?? [])
    check("CloudFunction", "lambda", LambdaFunctionArn);
}

function checkEvents({ Events }: Configuration): void {
  if (Events.length === 0) throw errors.malformedXml();
  for (const event of Events) {
    if (OTHER_EVENTS.test(event)) throw errors.notImplemented(event);
    if (!EVENTS.includes(event))
      throw errors.invalidArgument("The event is not supported for notifications", "Event", event);
  }
}

function checkFilters(stored: StoredNotification): void {
  const rules = [
    ...(stored.TopicConfigurations ?? []),
    ...(stored.QueueConfigurations ?? []),
    ...(stored.LambdaFunctionConfigurations ?? []),
  ];
  for (const { Filter } of rules) {
    const names = (Filter?.Key?.FilterRules ?? []).map(({ Name }) => Name?.toLowerCase() ?? "");
    for (const name of names)
      if (name !== "prefix" && name !== "suffix")
        throw errors.invalidArgument("filter rule name must be either prefix or suffix", "FilterRule.Name", name);
    if (new Set(names).size < names.length)
      throw errors.invalidArgument(
        "Cannot specify more than one prefix/suffix rule in a filter.",
        "FilterRule.Name",
        names.join(","),
      );
    for (const { Value } of Filter?.Key?.FilterRules ?? [])
      if (Buffer.byteLength(Value ?? "") > 1024)
        throw errors.invalidArgument(
          "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
          "FilterRule.Value",
          Value!,
        );
  }
}

/** No object may meet two configurations with one event. */
function checkOverlap(configurations: readonly Configuration[]): void {
  const ids = new Set(configurations.map(({ Id }) => Id));
  if (ids.size < configurations.length)
    throw errors.invalidArgument("Same ID used for multiple configurations. IDs must be unique", "Id", "");
  configurations.forEach((a, at) => {
    for (const b of configurations.slice(at + 1)) {
      if (!shareEvent(a, b)) continue;
      const prefixes = a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
      const suffixes = a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix);
      if (!prefixes || !suffixes) continue;
      throw new AwsError(
        "InvalidArgument",
        400,
        "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.",
      );
    }
  });
}

const shareEvent = (a: Configuration, b: Configuration): boolean =>
  a.Events.some((one) => b.Events.some((other) => covers(one, other) || covers(other, one)));

const covers = (pattern: string, event: string): boolean =>
  pattern === event || (pattern.endsWith("*") && event.startsWith(pattern.slice(0, -1)));

/** A function must exist and let S3 invoke it for this bucket: tried without running it. All that fail are named at once. */
async function checkDestinations(
  ctx: Context,
  bucket: BucketRow,
  configurations: readonly Configuration[],
): Promise<void> {
  const problems: { arn: string; reason: string }[] = [];
  for (const { arn } of configurations) {
    const reason = await refusal(ctx, bucket, arn);
    if (reason !== undefined) problems.push({ arn, reason });
  }
  if (problems.length > 0) throw errors.destinationInvalid(problems);
}

async function refusal(ctx: Context, bucket: BucketRow, arn: string): Promise<string | undefined> {
  const s3 = {
    kind: "service",
    name: "s3.amazonaws.com",
    account: bucket.account,
    sourceArn: bucketArn(bucket.name),
  } as const;
  const service = parseArn(arn)!.service;
  try {
    // The services that take messages have no way to ask without sending: what exists is what is checked.
    if (service === "lambda") await ctx.call("lambda", "Invoke", { FunctionName: arn, InvocationType: "DryRun" }, s3);
    else if (service === "sns") await ctx.call("sns", "GetTopicAttributes", { TopicArn: arn });
    else await ctx.call("sqs", "GetQueueUrl", { QueueName: parseArn(arn)!.resource });
    return undefined;
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    if (error.code === "NotImplemented") throw error;
    if (service === "lambda") return `Not authorized to invoke function [${arn}]`;
    return service === "sns" ? "The destination topic does not exist" : "The destination queue does not exist";
  }
}
