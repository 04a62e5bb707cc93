import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketLifecycleCommand,
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  RestoreObjectCommand,
} from "@aws-sdk/client-s3";
import { refusal } from "../../../test/principals.ts";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";
import { told } from "../../../test/s3-told.ts";

const { cloud, s3, newBucket } = await startCloudWithBuckets();
const [HOUR, DAY] = [3_600_000, 86_400_000];
// From noon: no midnight passes unasked.
await cloud.advance(1.5 * DAY - (cloud.aws.now() % DAY));
const MALFORMED =
  "MalformedXML 400 The XML you provided was not well-formed or did not validate against our published schema";

const put = (Bucket: string, Key: string, more: Partial<PutObjectCommandInput> = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body: "body", ...more }));
const configure = (Bucket: string, ...Rules: Partial<LifecycleRule>[]) =>
  s3.send(
    new PutBucketLifecycleConfigurationCommand({
      Bucket,
      LifecycleConfiguration: { Rules: Rules.map((rule) => ({ Status: "Enabled", Filter: {}, ...rule })) },
    }),
  );
const keys = async (Bucket: string): Promise<string[]> =>
  ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key!);
const head = (Bucket: string, Key: string) => s3.send(new HeadObjectCommand({ Bucket, Key }));
/** As AWS counts: whole days, and then to the next midnight. */
const midnight = (days: number): string =>
  new Date(Math.floor((cloud.aws.now() + days * DAY) / DAY) * DAY + DAY).toUTCString();
const days = (count: number) => cloud.advance(count * DAY);

test("a configuration is kept, given back and deleted", async () => {
  const { Bucket } = await newBucket();
  const get = () => s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  const NONE = "NoSuchLifecycleConfiguration 404 The lifecycle configuration does not exist";
  assert.equal(await refusal(get()), NONE);
  const date = new Date("2030-01-01T00:00:00Z");
  await configure(Bucket, { ID: "one", Expiration: { Date: date } });
  const { Rules, TransitionDefaultMinimumObjectSize } = await get();
  assert.deepEqual(Rules, [{ ID: "one", Status: "Enabled", Filter: {}, Expiration: { Date: date } }]);
  assert.equal(TransitionDefaultMinimumObjectSize, "all_storage_classes_128K");
  const old = { Status: "Enabled" as const, Prefix: "old/", Expiration: { Days: 1 } };
  await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [old] } }));
  const [{ ID, ...rest }] = (await get()).Rules as [LifecycleRule];
  assert.match(ID!, /^\w{48}$/);
  assert.deepEqual(rest, old);
  await s3.send(new DeleteBucketLifecycleCommand({ Bucket }));
  assert.equal(await refusal(get()), NONE);
});

test("a configuration that is wrong is refused in AWS's words", async () => {
  const { Bucket } = await newBucket();
  const Expiration = { Days: 1 };
  for (const [rules, words] of [
    [[], MALFORMED],
    [[{ Filter: undefined, Expiration }], MALFORMED],
    [[{ Status: "On", Expiration }], MALFORMED],
    [[{ Filter: { Prefix: "a", ObjectSizeGreaterThan: 1 }, Expiration }], MALFORMED],
    [[{ NoncurrentVersionExpiration: {} }], MALFORMED],
    [[{ Expiration: { Days: 1, ExpiredObjectDeleteMarker: true } }], MALFORMED],
    [[{ Transitions: [{ Days: 1, StorageClass: "COLD" }] }], MALFORMED],
    [[{}], "InvalidRequest 400 At least one action needs to be specified in a rule"],
    [[{ Expiration: { Days: 0 } }], "InvalidArgument 400 'Days' for Expiration action must be a positive integer"],
    [
      [{ Expiration: { Date: new Date("2030-01-01T01:00:00Z") } }],
      "InvalidArgument 400 'Date' must be at midnight GMT",
    ],
    [[{ ID: "x".repeat(256), Expiration }], "InvalidArgument 400 ID length should not exceed allowed limit of 255"],
    [
      [
        { ID: "x", Expiration },
        { ID: "x", Expiration },
      ],
      "InvalidArgument 400 Rule ID must be unique. Found same ID for more than one rule",
    ],
    [
      [
        {
          Filter: {
            And: {
              Tags: [
                { Key: "a", Value: "1" },
                { Key: "a", Value: "2" },
              ],
            },
          },
          Expiration,
        },
      ],
      "InvalidRequest 400 Duplicate Tag Keys are not allowed.",
    ],
    [
      [{ Expiration }, { Filter: undefined, Prefix: "a", Expiration }],
      "InvalidRequest 400 Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.",
    ],
    [
      [{ Transitions: [{ Days: 29, StorageClass: "STANDARD_IA" }] }],
      "InvalidArgument 400 'Days' in Transition action must be greater than or equal to 30 for storageClass 'STANDARD_IA'",
    ],
    [
      [{ Filter: { Prefix: "p" }, Expiration: { Days: 5 }, Transitions: [{ Days: 5, StorageClass: "GLACIER" }] }],
      "InvalidArgument 400 'Days' in the Expiration action for filter '(prefix=p)' must be greater than 'Days' in the Transition action",
    ],
    [
      [{ Filter: { Tag: { Key: "a", Value: "b" } }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }],
      "InvalidRequest 400 AbortIncompleteMultipartUpload cannot be specified with Tags.",
    ],
  ] as [Partial<LifecycleRule>[], string][])
    assert.equal(await refusal(configure(Bucket, ...rules)), words, JSON.stringify(rules));
  const minimum = new PutBucketLifecycleConfigurationCommand({
    Bucket,
    LifecycleConfiguration: { Rules: [{ Status: "Enabled", Filter: {}, Expiration }] },
    TransitionDefaultMinimumObjectSize: "value" as "varies_by_storage_class",
  });
  assert.equal(
    await refusal(s3.send(minimum)),
    "InvalidRequest 400 Invalid TransitionDefaultMinimumObjectSize found: value",
  );
});

test("objects expire by prefix, tag, size and date, at midnight UTC, and say so before", async () => {
  const { Bucket, directory } = await newBucket();
  await configure(
    Bucket,
    { ID: "prefix", Filter: { Prefix: "log/" }, Expiration: { Days: 1 } },
    { ID: "tag", Filter: { Tag: { Key: "kind", Value: "tmp" } }, Expiration: { Days: 2 } },
    { ID: "both", Filter: { And: { Prefix: "big/", ObjectSizeGreaterThan: 10 } }, Expiration: { Days: 2 } },
    { ID: "off", Status: "Disabled", Expiration: { Days: 1 } },
    {
      ID: "date",
      Filter: { Prefix: "date/" },
      Expiration: { Date: new Date(Math.ceil(cloud.aws.now() / DAY) * DAY + 3 * DAY) },
    },
  );
  const queue = await told(cloud, Bucket, ["s3:LifecycleExpiration:*", "s3:ObjectRemoved:*"]);
  const { Expiration } = await put(Bucket, "log/a");
  assert.equal(Expiration, `expiry-date="${midnight(1)}", rule-id="prefix"`);
  assert.equal((await head(Bucket, "log/a")).Expiration, Expiration);
  await put(Bucket, "tagged", { Tagging: "kind=tmp&more=1" });
  await put(Bucket, "big/small");
  await put(Bucket, "big/large", { Body: "more than ten" });
  await put(Bucket, "date/a");
  assert.equal((await put(Bucket, "kept")).Expiration, undefined);
  await days(1);
  assert.equal((await keys(Bucket)).length, 6);
  await days(1);
  assert.deepEqual(await keys(Bucket), ["big/large", "big/small", "date/a", "kept", "tagged"]);
  assert.equal(existsSync(`${directory}/log/a`), false);
  const [record] = await queue.next();
  assert.deepEqual(
    [record.eventVersion, record.eventName, record.s3.object.key, record.userIdentity, record.requestParameters],
    [
      "2.5",
      "LifecycleExpiration:Delete",
      "log/a",
      { principalId: "s3.amazonaws.com" },
      { sourceIPAddress: "s3.amazonaws.com" },
    ],
  );
  await days(3);
  assert.deepEqual(await keys(Bucket), ["big/small", "kept"]);
});

test("in a versioned bucket the current version gives way to a marker, old ones go by age and number, and the marker last", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const queue = await told(cloud, Bucket, ["s3:LifecycleExpiration:*"]);
  await configure(Bucket, {
    ID: "all",
    Expiration: { Days: 3 },
    NoncurrentVersionExpiration: { NoncurrentDays: 1, NewerNoncurrentVersions: 1 },
  });
  for (const Body of ["1", "2", "3", "4"]) await put(Bucket, "a", { Body });
  const versions = () => s3.send(new ListObjectVersionsCommand({ Bucket }));
  await days(2);
  assert.equal((await versions()).Versions?.length, 2, "the current one and one before");
  const names = async () => (await queue.next()).map(({ eventName }) => eventName.split(":")[1]);
  assert.deepEqual(await names(), ["Delete", "Delete"]);
  await days(2);
  const { Versions, DeleteMarkers } = await versions();
  assert.deepEqual([Versions?.length, DeleteMarkers?.[0]?.IsLatest], [2, true]);
  await days(2);
  assert.equal((await versions()).Versions?.length, 1, "one that is noncurrent is kept");
  assert.deepEqual(await names(), ["DeleteMarkerCreated", "Delete"]);
  await configure(Bucket, {
    ID: "all",
    Expiration: { ExpiredObjectDeleteMarker: true },
    NoncurrentVersionExpiration: { NoncurrentDays: 1 },
  });
  await days(2);
  const left = await versions();
  assert.deepEqual([left.Versions, left.DeleteMarkers], [undefined, undefined]);
  assert.deepEqual(await names(), ["Delete", "Delete"]);
});

test("what is locked outlives its lifecycle", async () => {
  const Bucket = "lifelong";
  await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  await configure(Bucket, { NoncurrentVersionExpiration: { NoncurrentDays: 1 } });
  const { VersionId } = await put(Bucket, "a", { ObjectLockLegalHoldStatus: "ON" });
  await put(Bucket, "a");
  await put(Bucket, "a");
  await days(3);
  const { Versions } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  assert.deepEqual(Versions?.map(({ VersionId: id }) => id).slice(1), [VersionId]);
});

test("uploads that nobody completes are aborted, and say when", async () => {
  const { Bucket } = await newBucket();
  await configure(Bucket, {
    ID: "abort",
    Filter: { Prefix: "up/" },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
  });
  const { UploadId, AbortDate, AbortRuleId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "up/a" }));
  assert.deepEqual([AbortDate?.toUTCString(), AbortRuleId], [midnight(2), "abort"]);
  const parts = await s3.send(new ListPartsCommand({ Bucket, Key: "up/a", UploadId }));
  assert.deepEqual(parts.AbortDate, AbortDate);
  await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "other" }));
  await days(3);
  const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  assert.deepEqual(
    Uploads?.map(({ Key }) => Key),
    ["other"],
  );
});

test("objects move to colder classes, small ones where that is asked for; an archived one is restored for some days", async () => {
  const { Bucket } = await newBucket();
  const queue = await told(cloud, Bucket, ["s3:LifecycleTransition", "s3:ObjectRestore:*"]);
  const Transitions = [
    { Days: 30, StorageClass: "STANDARD_IA" as const },
    { Days: 60, StorageClass: "GLACIER" as const },
  ];
  await configure(
    Bucket,
    { Filter: { ObjectSizeGreaterThan: 2 }, Transitions },
    { ID: "small", Filter: { Prefix: "b" }, Transitions: [{ Days: 1, StorageClass: "GLACIER" }] },
  );
  await put(Bucket, "a");
  await put(Bucket, "b", { Body: "1" });
  const restore = (Tier: "Expedited" | "Standard" | "Bulk", Days = 2) =>
    s3.send(new RestoreObjectCommand({ Bucket, Key: "a", RestoreRequest: { Days, GlacierJobParameters: { Tier } } }));
  assert.match(await refusal(restore("Standard")), /^InvalidObjectState 403 Restore is not allowed/);
  await days(32);
  assert.equal((await head(Bucket, "a")).StorageClass, "STANDARD_IA");
  const moved = async () =>
    (await queue.next()).map(({ lifecycleEventData: data }) => data.transitionEventData.destinationStorageClass);
  assert.deepEqual(await moved(), ["STANDARD_IA"]);
  await days(31);
  assert.equal((await head(Bucket, "a")).StorageClass, "GLACIER");
  assert.equal((await head(Bucket, "b")).StorageClass, undefined);
  assert.deepEqual(await moved(), ["GLACIER"]);
  const read = () => s3.send(new GetObjectCommand({ Bucket, Key: "a" }));
  assert.equal((await failure(read())).name, "InvalidObjectState");
  assert.equal((await restore("Standard")).$metadata.httpStatusCode, 202);
  assert.equal(await refusal(restore("Bulk")), "RestoreAlreadyInProgress 409 Object restore is already in progress");
  assert.equal((await head(Bucket, "a")).Restore, 'ongoing-request="true"');
  const status = async () => {
    const list = new ListObjectsV2Command({ Bucket, OptionalObjectAttributes: ["RestoreStatus"] });
    return (await s3.send(list)).Contents!.map(({ RestoreStatus }) => RestoreStatus);
  };
  assert.deepEqual(await status(), [{ IsRestoreInProgress: true }, undefined]);
  await cloud.advance(5 * HOUR);
  const until = midnight(2);
  assert.equal((await head(Bucket, "a")).Restore, `ongoing-request="false", expiry-date="${until}"`);
  assert.deepEqual(await status(), [{ IsRestoreInProgress: false, RestoreExpiryDate: new Date(until) }, undefined]);
  assert.equal(await (await read()).Body!.transformToString(), "body");
  assert.equal((await restore("Standard", 4)).$metadata.httpStatusCode, 200);
  const names = async () =>
    (await queue.next()).map(({ eventVersion, eventName, glacierEventData: data }) => [
      eventVersion,
      eventName,
      data?.restoreEventData.lifecycleRestoreStorageClass,
    ]);
  assert.deepEqual(await names(), [
    ["2.5", "ObjectRestore:Post", undefined],
    ["2.5", "ObjectRestore:Completed", "GLACIER"],
  ]);
  await days(3);
  await read();
  await days(2);
  assert.equal((await failure(read())).name, "InvalidObjectState");
  assert.equal((await head(Bucket, "a")).Restore, undefined);
  assert.deepEqual(await names(), [["2.5", "ObjectRestore:Delete", undefined]]);
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
});

test("a bucket that is deleted, or configured anew on the same day, expires nothing twice", async () => {
  const { Bucket } = await newBucket();
  await configure(Bucket, { Expiration: { Days: 1 } });
  await s3.send(new DeleteBucketLifecycleCommand({ Bucket }));
  await configure(Bucket, { Filter: { Prefix: "b" }, Expiration: { Days: 1 } });
  await put(Bucket, "a");
  await put(Bucket, "b");
  await days(3);
  assert.deepEqual(await keys(Bucket), ["a"]);
});
