// What a queue is told: of every kind of event, and first of all that it can be told.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DeleteObjectTaggingCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from "@aws-sdk/client-s3";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";
import { configure, messages, queueFor, told } from "../../../test/s3-told.ts";

const { cloud, s3, newBucket } = await startCloudWithBuckets();
test("a queue that may be told gets S3's test event, before the first one", async () => {
  const { Bucket } = await newBucket();
  const { QueueUrl, QueueArn } = await queueFor(cloud);
  await configure(cloud, Bucket, QueueArn, ["s3:ObjectCreated:*"]);
  const [told, ...others] = await messages(cloud, QueueUrl);
  const { Time, RequestId, HostId, ...rest } = told;
  assert.deepEqual(rest, { Service: "Amazon S3", Event: "s3:TestEvent", Bucket });
  assert.match(Time, /^\d{4}-/);
  assert.match(`${RequestId} ${HostId}`, /^[A-Z0-9]{16} \S{20,}$/);
  assert.deepEqual(others, []);
});

test("a queue that does not let S3 send, or is not there, or elsewhere, refuses the configuration", async () => {
  const { Bucket } = await newBucket();
  const { QueueArn } = await queueFor(cloud, false);
  const gone = `${QueueArn}-gone`;
  const WORDS = "Unable to validate the following destination configurations";
  for (const [arn, reason] of [
    [QueueArn, "Permissions on the destination queue do not allow S3 to publish notifications from this bucket"],
    [gone, "The destination queue does not exist"],
  ] as const) {
    const error = await failure(configure(cloud, Bucket, arn, ["s3:ObjectCreated:*"]));
    assert.deepEqual(
      [error.name, error.status, error.message, error.ArgumentName1, error.ArgumentValue1],
      ["InvalidArgument", 400, WORDS, `${arn}, null`, reason],
    );
  }
  const elsewhere = await failure(
    configure(cloud, Bucket, QueueArn.replace("us-east-1", "eu-west-1"), ["s3:ObjectCreated:*"]),
  );
  assert.match(elsewhere.message, /^The notification destination service region is not valid/);
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      SkipDestinationValidation: true,
      NotificationConfiguration: { QueueConfigurations: [{ QueueArn: gone, Events: ["s3:ObjectCreated:*"] }] },
    }),
  );
});

test("a topic that is not there is no destination: it is told in AWS's words", async () => {
  const { Bucket } = await newBucket();
  const TopicArn = "arn:aws:sns:us-east-1:000000000000:topic";
  const error = await failure(
    s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket,
        NotificationConfiguration: { TopicConfigurations: [{ TopicArn, Events: ["s3:ObjectCreated:*"] }] },
      }),
    ),
  );
  assert.deepEqual([error.name, error.ArgumentValue1], ["InvalidArgument", "The destination topic does not exist"]);
});

test("tags that are put and deleted are told of, in records of version 2.5", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const queue = await told(cloud, Bucket, ["s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:ObjectRestore:*"]);
  const { VersionId, ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: "tagged", Body: "x" }));
  await s3.send(
    new PutObjectTaggingCommand({ Bucket, Key: "tagged", Tagging: { TagSet: [{ Key: "a", Value: "b" }] } }),
  );
  await s3.send(new DeleteObjectTaggingCommand({ Bucket, Key: "tagged" }));
  const records = await queue.next();
  assert.deepEqual(
    records
      .map(({ eventVersion, eventName, s3: { object } }) => [eventVersion, eventName, object.versionId, object.eTag])
      .sort(),
    ["ObjectTagging:Delete", "ObjectTagging:Put"].map((name) => ["2.5", name, VersionId, ETag!.replaceAll('"', "")]),
  );
});
