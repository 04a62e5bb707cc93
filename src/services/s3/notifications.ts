// A bucket's notification configuration: what is accepted is what will be sent.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
import { AwsError, type Context, defineOperations, newToken, parseArn } from "../../kernel/mod.ts";
import { bucketArn, bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import { type Configuration, EVENT_NAMES, extendedIdOf, flatten, type StoredNotification, SUBJECT } from "./events.ts";
import type { BucketRow } from "./tables.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html */
const FAMILIES = [
  "ObjectCreated",
  "ObjectRemoved",
  "ObjectRestore",
  "ObjectTagging",
  "LifecycleExpiration",
  "Replication",
];
/** Nothing is ever lost or late here, nor moved between tiers: who asks for these is told of nothing. */
const NEVER = [
  "ReducedRedundancyLostObject",
  "IntelligentTiering",
  "Replication:OperationMissedThreshold",
  "Replication:OperationReplicatedAfterThreshold",
  "Replication:OperationNotTracked",
];
const EVENTS: ReadonlySet<string> = new Set(
  [...EVENT_NAMES, ...NEVER, ...FAMILIES.map((family) => `${family}:*`)].map((name) => `s3:${name}`),
);

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
      const stored = {
        ...named("TopicConfigurations", wanted.TopicConfigurations),
        ...named("QueueConfigurations", wanted.QueueConfigurations),
        ...named("LambdaFunctionConfigurations", wanted.LambdaFunctionConfigurations),
        ...(wanted.EventBridgeConfiguration && { EventBridgeConfiguration: {} }),
      } as StoredNotification;
      const configurations = flatten(stored);
      checkArns(stored);
      for (const configuration of configurations) checkEvents(configuration);
      checkFilters(stored);
      checkOverlap(configurations);
      if (!input.SkipDestinationValidation) await checkDestinations(ctx, bucket, configurations);
      const notification = Object.keys(stored).length > 0 ? JSON.stringify(stored) : null;
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
    if (event.startsWith("s3:ObjectAnnotation")) throw errors.notImplemented(event);
    if (!EVENTS.has(event))
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

/** A destination must exist and take what S3 brings: a function is asked without running it, a queue is sent a test. All that fail are named at once. */
async function checkDestinations(
  ctx: Context,
  bucket: BucketRow,
  configurations: readonly Configuration[],
): Promise<void> {
  const problems: { arn: string; reason: string }[] = [];
  for (const arn of new Set(configurations.map((one) => one.arn))) {
    if (parseArn(arn)!.region !== bucket.region) throw errors.destinationElsewhere(arn);
    const reason = await refusal(ctx, bucket, arn);
    if (reason !== undefined) problems.push({ arn, reason });
  }
  if (problems.length > 0) throw errors.destinationInvalid(problems);
}

async function refusal(asked: Context, bucket: BucketRow, arn: string): Promise<string | undefined> {
  const { account, region } = bucket;
  // Where the destination is: a bucket can be configured at any region's endpoint.
  const ctx = asked.region === region ? asked : asked.fork({ principal: asked.principal, account, region });
  const s3 = {
    kind: "service",
    name: "s3.amazonaws.com",
    account: bucket.account,
    sourceArn: bucketArn(bucket.name),
  } as const;
  const service = parseArn(arn)!.service;
  try {
    if (service === "lambda") await ctx.call("lambda", "Invoke", { FunctionName: arn, InvocationType: "DryRun" }, s3);
    else if (service === "sns")
      await ctx.call("sns", "Publish", { TopicArn: arn, Message: testEvent(ctx, bucket), Subject: SUBJECT }, s3);
    else {
      const { account, resource } = parseArn(arn)!;
      const QueueUrl = `${ctx.endpoint}/${account}/${resource}`;
      await ctx.call("sqs", "SendMessage", { QueueUrl, MessageBody: testEvent(ctx, bucket) }, s3);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof AwsError) || (error.status >= 500 && error.status !== 501)) throw error;
    if (service === "lambda") return `Not authorized to invoke function [${arn}]`;
    const kind = service === "sns" ? "topic" : "queue";
    if (error.status !== 403 || !(await isThere(ctx, arn))) return `The destination ${kind} does not exist`;
    return `Permissions on the destination ${kind} do not allow S3 to publish notifications from this bucket`;
  }
}

/** What is not there has no policy: SQS and SNS deny it as one that does not let S3 in. S3 tells the two apart. */
async function isThere(ctx: Context, arn: string): Promise<boolean> {
  const { service, account, resource } = parseArn(arn)!;
  const owner = { kind: "root", account, arn: `arn:aws:iam::${account}:root`, id: account } as const;
  try {
    if (service === "sns") await ctx.call("sns", "GetTopicAttributes", { TopicArn: arn }, owner);
    else await ctx.call("sqs", "GetQueueUrl", { QueueName: resource }, owner);
    return true;
  } catch (error) {
    if (error instanceof AwsError && (error.status === 400 || error.status === 404)) return false;
    throw error;
  }
}

const testEvent = (ctx: Context, { name }: BucketRow): string =>
  JSON.stringify({
    Service: "Amazon S3",
    Event: "s3:TestEvent",
    Time: new Date(ctx.clock.now()).toISOString(),
    Bucket: name,
    RequestId: ctx.requestId,
    HostId: extendedIdOf(ctx.requestId),
  });
