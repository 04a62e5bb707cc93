// What a bucket tells EventBridge, where it is told to: everything, to the default bus of its account and region.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
import type { Context, NewWork } from "../../kernel/mod.ts";
import { type EventName, type ObjectEvent, type Origin, sequencerOf } from "./events.ts";
import type { BucketRow } from "./tables.ts";

interface Told {
  readonly type: string;
  /** Members of its `object`, besides the key and the version. */
  readonly object: readonly ("size" | "etag" | "sequencer")[];
  /** Further members of the detail. */
  readonly more?: Readonly<Record<string, string>>;
}

const created = (reason: string): Told => ({
  type: "Object Created",
  object: ["size", "etag", "sequencer"],
  more: { reason },
});
/** Only a delete marker has an ETag. */
const deleted = (reason: string, kind: string): Told => ({
  type: "Object Deleted",
  object: ["etag", "sequencer"],
  more: { reason, "deletion-type": kind },
});
const changed = (type: string): Told => ({ type, object: ["etag"] });
const archived = (type: string): Told => ({ type, object: ["size", "etag"] });

/** What has no entry is no event of EventBridge's: a failed replication. */
const TOLD: Partial<Readonly<Record<EventName, Told>>> = {
  "ObjectCreated:Put": created("PutObject"),
  "ObjectCreated:Post": created("POST Object"),
  "ObjectCreated:Copy": created("CopyObject"),
  "ObjectCreated:CompleteMultipartUpload": created("CompleteMultipartUpload"),
  "ObjectRemoved:Delete": deleted("DeleteObject", "Permanently Deleted"),
  "ObjectRemoved:DeleteMarkerCreated": deleted("DeleteObject", "Delete Marker Created"),
  "LifecycleExpiration:Delete": deleted("Lifecycle Expiration", "Permanently Deleted"),
  "LifecycleExpiration:DeleteMarkerCreated": deleted("Lifecycle Expiration", "Delete Marker Created"),
  "ObjectTagging:Put": changed("Object Tags Added"),
  "ObjectTagging:Delete": changed("Object Tags Deleted"),
  "ObjectAcl:Put": changed("Object ACL Updated"),
  "ObjectRestore:Post": archived("Object Restore Initiated"),
  "ObjectRestore:Completed": archived("Object Restore Completed"),
  "ObjectRestore:Delete": archived("Object Restore Expired"),
  LifecycleTransition: archived("Object Storage Class Changed"),
};

/** The work that tells it; undefined where EventBridge is told nothing of the kind. */
export function bridged(ctx: Context, bucket: BucketRow, origin: Origin, event: ObjectEvent): NewWork | undefined {
  const told = TOLD[event.event];
  if (!told) return undefined;
  const { account, region, name } = bucket;
  const sourceArn = `arn:aws:s3:::${name}`;
  const of = { size: event.size, etag: event.etag, sequencer: sequencerOf(event) };
  const members = told.object.flatMap((member) => (of[member] === undefined ? [] : [[member, of[member]] as const]));
  const versioned = event.versionId === undefined ? {} : { "version-id": event.versionId };
  const detail = {
    version: "0",
    "event-version": "1.2", // seen on AWS, 2026-10
    bucket: { name },
    object: { key: event.key, ...Object.fromEntries(members), ...versioned },
    "request-id": origin.requestId ?? ctx.requestId,
    ...requester(ctx),
    ...(/^[\d.:a-f]+$/i.test(origin.address) && { "source-ip-address": origin.address }),
    ...told.more,
    ...classes(event),
  };
  return {
    to: `arn:aws:events:${region}:${account}:event-bus/default`,
    as: { kind: "service", name: "s3.amazonaws.com", account, sourceArn },
    payload: { kind: "entry", source: "aws.s3", detailType: told.type, detail, resources: [sourceArn] },
    ...(origin.requestId !== undefined && { cause: origin.requestId }),
  };
}

/** An account, or the service that did it by itself. Who signed nothing has neither. */
function requester({ principal }: Context): { requester?: string } {
  if (principal.kind === "anonymous") return {};
  return { requester: principal.kind === "service" ? principal.name : principal.account };
}

/** Of what is archived, restored, or moved to another class: the notification has the same under other names. */
function classes({ event, storageClass, more }: ObjectEvent): Readonly<Record<string, string>> {
  const { glacierEventData, lifecycleEventData } = (more ?? {}) as {
    glacierEventData?: { restoreEventData?: { lifecycleRestorationExpiryTime?: string } };
    lifecycleEventData?: { transitionEventData?: { destinationStorageClass?: string } };
  };
  const expires = glacierEventData?.restoreEventData?.lifecycleRestorationExpiryTime;
  const destination = lifecycleEventData?.transitionEventData?.destinationStorageClass;
  const restores = event.startsWith("ObjectRestore:") && storageClass;
  return {
    ...(restores && { "source-storage-class": storageClass }),
    ...(expires !== undefined && { "restore-expiry-time": expires }),
    ...(destination !== undefined && { "destination-storage-class": destination }),
  };
}
