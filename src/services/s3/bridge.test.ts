import assert from "node:assert/strict";
import { after, test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { eventsOf, listen, queueArn, sink } from "../../../test/bus.ts";
import { startCloud } from "../../../test/cloud.ts";

const DAY = 86_400_000;
const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const s3 = cloud.client(S3);
const events = eventsOf(cloud);

interface Told {
  readonly source: string;
  readonly "detail-type": string;
  readonly resources: readonly string[];
  readonly detail: Record<string, unknown>;
}

async function told(Bucket: string): Promise<() => Promise<Told[]>> {
  await s3.createBucket({ Bucket });
  await s3.putBucketNotificationConfiguration({ Bucket, NotificationConfiguration: { EventBridgeConfiguration: {} } });
  const received = await sink(cloud, Bucket);
  await listen(
    events,
    { Name: Bucket, EventPattern: { source: ["aws.s3"], detail: { bucket: { name: [Bucket] } } } },
    queueArn(Bucket),
  );
  return async () => (await received()).map(({ Body }) => JSON.parse(Body!) as Told);
}

test("A bucket tells EventBridge of an object that is made, with what AWS says of it", async () => {
  const received = await told("made");
  const { $metadata } = await s3.putObject({ Bucket: "made", Key: "a b/ü.txt", Body: "test" });
  const [{ detail, ...event } = assert.fail()] = await received();
  assert.deepEqual(
    [event["detail-type"], event.source, event.resources],
    ["Object Created", "aws.s3", ["arn:aws:s3:::made"]],
  );
  const { sequencer, ...object } = detail.object as Record<string, unknown>;
  assert.match(String(sequencer), /^[0-9A-F]{18}$/);
  assert.deepEqual(
    { ...detail, object },
    {
      version: "0",
      "event-version": "1.2",
      bucket: { name: "made" },
      object: { key: "a b/ü.txt", size: 4, etag: "098f6bcd4621d373cade4e832627b4f6" },
      "request-id": $metadata.requestId,
      requester: "000000000000",
      "source-ip-address": "127.0.0.1",
      reason: "PutObject",
    },
  );
});

test("A bucket tells EventBridge of all that happens to its objects", async () => {
  const received = await told("all");
  const object = { Bucket: "all", Key: "k" };
  await s3.putBucketVersioning({ Bucket: "all", VersioningConfiguration: { Status: "Enabled" } });
  const { VersionId } = await s3.putObject({ ...object, Body: "x", StorageClass: "GLACIER" });
  await s3.putObjectTagging({ ...object, Tagging: { TagSet: [{ Key: "a", Value: "b" }] } });
  await s3.deleteObjectTagging(object);
  await s3.restoreObject({ ...object, RestoreRequest: { Days: 1 } });
  await cloud.advance(3 * DAY);
  await s3.deleteObject(object);
  await s3.deleteObject({ ...object, VersionId });
  const all = await received();
  const by = (type: string, more: object = {}) =>
    all.filter(
      ({ "detail-type": is, detail }) =>
        is === type && Object.entries(more).every(([name, value]) => detail[name] === value),
    );
  for (const [type, more] of [
    ["Object Created", {}],
    ["Object Tags Added", {}],
    ["Object Tags Deleted", {}],
    ["Object Restore Initiated", { "source-storage-class": "GLACIER" }],
    [
      "Object Restore Completed",
      { "source-storage-class": "GLACIER", requester: "s3.amazonaws.com", "source-ip-address": undefined },
    ],
    ["Object Restore Expired", { requester: "s3.amazonaws.com" }],
    ["Object Deleted", { reason: "DeleteObject", "deletion-type": "Delete Marker Created" }],
    ["Object Deleted", { reason: "DeleteObject", "deletion-type": "Permanently Deleted" }],
  ] as const)
    assert.equal(by(type, more).length, 1, `${type} ${JSON.stringify(more)}`);
  assert.equal(all.length, 8);
  const marker = by("Object Deleted", { "deletion-type": "Delete Marker Created" })[0]!.detail.object;
  assert.equal((marker as { etag?: string }).etag, "d41d8cd98f00b204e9800998ecf8427e");
  const tagged = by("Object Tags Added")[0]!.detail.object;
  assert.deepEqual(tagged, { key: "k", etag: "9dd4e461268c8034f5c8564e155c67a6", "version-id": VersionId });
});

test("A bucket that is no longer told to tells nothing, and says what it is told to", async () => {
  const received = await told("quiet");
  const Bucket = "quiet";
  const { EventBridgeConfiguration } = await s3.getBucketNotificationConfiguration({ Bucket });
  assert.deepEqual(EventBridgeConfiguration, {});
  await s3.putBucketNotificationConfiguration({ Bucket, NotificationConfiguration: {} });
  await s3.putObject({ Bucket, Key: "k", Body: "x" });
  assert.deepEqual(await received(), []);
});
