// Event notifications: which of a bucket's configurations an event meets, and the record that is sent.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
import { createHash } from "node:crypto";
import type { Context, Tx } from "../../kernel/mod.ts";
import { bridged } from "./bridge.ts";
import { keyOf } from "./keys.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";

/** All that happens here. */
export const EVENT_NAMES = [
  "ObjectCreated:Put",
  "ObjectCreated:Post",
  "ObjectCreated:Copy",
  "ObjectCreated:CompleteMultipartUpload",
  "ObjectRemoved:Delete",
  "ObjectRemoved:DeleteMarkerCreated",
  "ObjectTagging:Put",
  "ObjectTagging:Delete",
  "ObjectAcl:Put",
  "ObjectRestore:Post",
  "ObjectRestore:Completed",
  "ObjectRestore:Delete",
  "LifecycleExpiration:Delete",
  "LifecycleExpiration:DeleteMarkerCreated",
  "LifecycleTransition",
  "Replication:OperationFailedReplication",
] as const;

export type EventName = (typeof EVENT_NAMES)[number];

/** Where a change came from: a request's peer, or the host itself for a file. */
export interface Origin {
  readonly address: string;
  /** The id of the event, where it is not the context's request. */
  readonly requestId?: string;
}

export interface ObjectEvent {
  readonly event: EventName;
  readonly key: string;
  /** Of created objects. */
  readonly size?: number;
  readonly etag?: string;
  readonly versionId: string | undefined;
  readonly sequence: number;
  /** Of what has a copy in an archive. */
  readonly storageClass?: string;
  /** What the record has of this kind of event only: `glacierEventData`, `lifecycleEventData`, `replicationEventData`. */
  readonly more?: object;
}

/** One of a bucket's configurations, of any kind of destination. */
export interface Configuration {
  readonly Id: string;
  readonly arn: string;
  readonly Events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
}

/** A delete marker's ETag: that of nothing (seen on AWS, 2026-10). */
const NO_BYTES = "d41d8cd98f00b204e9800998ecf8427e";

/** One for all kinds of events since 2.4 (2026). */
const EVENT_VERSION = "2.5";

/** Of what a topic is told. */
export const SUBJECT = "Amazon S3 Notification";

/** Puts one Work a matching configuration, into the transaction of the change. */
export async function notify(
  ctx: Context,
  tx: Tx,
  bucket: BucketRow,
  origin: Origin,
  happened: ObjectEvent,
): Promise<void> {
  const event = happened.event.endsWith(":DeleteMarkerCreated") ? { ...happened, etag: NO_BYTES } : happened;
  for (const configuration of configurationsOf(bucket)) {
    if (!meets(configuration, event)) continue;
    const sourceArn = `arn:aws:s3:::${bucket.name}`;
    await ctx.put(tx, {
      to: configuration.arn,
      payload: {
        kind: "event",
        event: { Records: [record(ctx, bucket, configuration, origin, event)] },
        subject: SUBJECT,
      },
      as: { kind: "service", name: "s3.amazonaws.com", account: bucket.account, sourceArn },
      ...(origin.requestId !== undefined && { cause: origin.requestId }),
    });
  }
  const told = tellsEventBridge(bucket) ? bridged(ctx, bucket, origin, event) : undefined;
  if (told) await ctx.put(tx, told);
}

/** Of something that happened to a version and left its content as it was: its tags, its ACL, its copy in an archive. */
export async function notifyAbout(
  ctx: Context,
  tx: Tx,
  row: ObjectRow,
  { event, origin, sequence, more }: Pick<ObjectEvent, "event" | "sequence" | "more"> & { origin: Origin },
): Promise<void> {
  const bucket = await tx.one<BucketRow>("SELECT * FROM s3_bucket WHERE name = :name", { name: row.bucket });
  if (!bucket) return;
  await notify(ctx, tx, bucket, origin, {
    event,
    key: keyOf(row.key),
    size: row.size,
    etag: row.etag,
    versionId: bucket.versioning ? row.version_id : undefined,
    sequence,
    storageClass: row.storage_class,
    ...(more && { more }),
  });
}

export const meets = (
  { Events, prefix, suffix }: Configuration,
  { event, key }: Pick<ObjectEvent, "event" | "key">,
): boolean => key.startsWith(prefix) && key.endsWith(suffix) && Events.some((pattern) => covers(pattern, event));

/** `s3:ObjectCreated:*` covers `ObjectCreated:Put`. */
const covers = (pattern: string, event: string): boolean =>
  pattern.endsWith("*") ? `s3:${event}`.startsWith(pattern.slice(0, -1)) : pattern === `s3:${event}`;

function record(
  ctx: Context,
  bucket: BucketRow,
  configuration: Configuration,
  origin: Origin,
  event: ObjectEvent,
): unknown {
  const requestId = origin.requestId ?? ctx.requestId;
  return {
    eventVersion: EVENT_VERSION,
    eventSource: "aws:s3",
    awsRegion: bucket.region,
    eventTime: new Date(ctx.clock.now()).toISOString(),
    eventName: event.event,
    userIdentity: { principalId: principalIdOf(ctx) },
    requestParameters: { sourceIPAddress: origin.address },
    responseElements: { "x-amz-request-id": requestId, "x-amz-id-2": extendedIdOf(requestId) },
    s3: {
      s3SchemaVersion: "1.0",
      configurationId: configuration.Id,
      bucket: {
        name: bucket.name,
        ownerIdentity: { principalId: customerIdOf(bucket.account) },
        arn: `arn:aws:s3:::${bucket.name}`,
      },
      object: {
        key: formEncoded(event.key),
        ...(event.size !== undefined && { size: event.size }),
        ...(event.etag !== undefined && { eTag: event.etag }),
        ...(event.versionId !== undefined && { versionId: event.versionId }),
        sequencer: sequencerOf(event),
      },
    },
    ...event.more,
  };
}

export const sequencerOf = ({ sequence }: Pick<ObjectEvent, "sequence">): string =>
  sequence.toString(16).toUpperCase().padStart(18, "0");

/** What S3 does by itself comes from itself. */
export const BY_ITSELF: Origin = { address: "s3.amazonaws.com" };

/** As java.net.URLEncoder writes it, but for the slash: what AWS's record holds. */
export const formEncoded = (key: string): string =>
  encodeURIComponent(key)
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+")
    .replaceAll("%2F", "/");

function principalIdOf({ principal }: Context): string {
  if (principal.kind === "anonymous") return "Anonymous";
  if (principal.kind === "service")
    return principal.name === "s3.amazonaws.com" ? principal.name : `AWS:${principal.name}`;
  return principal.kind === "root" ? customerIdOf(principal.account) : `AWS:${principal.id}`;
}

/** AWS gives each account an opaque customer id (`A3NL1KOZZKExample`); ours follows from the account's number. */
const customerIdOf = (account: string): string =>
  `A${createHash("sha256").update(account).digest("hex").toUpperCase().slice(0, 13)}`;

/** The second id of a request: base64, and long. */
export const extendedIdOf = (requestId: string): string => createHash("sha384").update(requestId).digest("base64");

/** What a bucket's row keeps, for all kinds of destination alike. Parsed once for each text. */
interface Parsed {
  readonly configurations: readonly Configuration[];
  readonly eventBridge: boolean;
}
const parsed = new Map<string, Parsed>();
const MAX_PARSED = 1000;

export const configurationsOf = (bucket: Pick<BucketRow, "notification">): readonly Configuration[] =>
  parsedOf(bucket)?.configurations ?? [];

const tellsEventBridge = (bucket: Pick<BucketRow, "notification">): boolean => parsedOf(bucket)?.eventBridge ?? false;

function parsedOf({ notification }: Pick<BucketRow, "notification">): Parsed | undefined {
  if (notification === null) return undefined;
  let found = parsed.get(notification);
  if (!found) {
    const stored = JSON.parse(notification) as StoredNotification;
    found = { configurations: flatten(stored), eventBridge: stored.EventBridgeConfiguration !== undefined };
    if (parsed.size >= MAX_PARSED) parsed.clear();
    parsed.set(notification, found);
  }
  return found;
}

interface StoredRule {
  readonly Id?: string | undefined;
  readonly Events?: readonly string[] | undefined;
  readonly Filter?:
    | { readonly Key?: { readonly FilterRules?: readonly { Name?: string; Value?: string }[] | undefined } | undefined }
    | undefined;
}

export interface StoredNotification {
  readonly LambdaFunctionConfigurations?:
    | readonly (StoredRule & { LambdaFunctionArn: string | undefined })[]
    | undefined;
  readonly QueueConfigurations?: readonly (StoredRule & { QueueArn: string | undefined })[] | undefined;
  readonly TopicConfigurations?: readonly (StoredRule & { TopicArn: string | undefined })[] | undefined;
  /** That it is there says it all. */
  readonly EventBridgeConfiguration?: object | undefined;
}

export const flatten = (stored: StoredNotification): Configuration[] => [
  ...(stored.TopicConfigurations ?? []).map((rule) => one(rule, rule.TopicArn)),
  ...(stored.QueueConfigurations ?? []).map((rule) => one(rule, rule.QueueArn)),
  ...(stored.LambdaFunctionConfigurations ?? []).map((rule) => one(rule, rule.LambdaFunctionArn)),
];

function one(rule: StoredRule, arn: string | undefined): Configuration {
  const filterOf = (name: string) =>
    rule.Filter?.Key?.FilterRules?.find((filter) => filter.Name?.toLowerCase() === name)?.Value ?? "";
  return {
    Id: rule.Id ?? "",
    arn: arn ?? "",
    Events: rule.Events ?? [],
    prefix: filterOf("prefix"),
    suffix: filterOf("suffix"),
  };
}
