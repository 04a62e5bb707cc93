// What a queue is told: of every kind of event, and first of all that it can be told.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DeleteObjectTaggingCommand,
  type Event,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { allow, policy } from "../../../test/principals.ts";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, s3, newBucket } = await startCloudWithBuckets();
const sqs = cloud.client(SQSClient);

let queues = 0;

async function newQueue(mayS3 = true): Promise<{ QueueUrl: string; QueueArn: string }> {
  const QueueName = `queue-${++queues}`;
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName }));
  const Policy = policy(allow("sqs:SendMessage", { Principal: { Service: "s3.amazonaws.com" } }));
  if (mayS3) await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  return { QueueUrl: QueueUrl!, QueueArn: `arn:aws:sqs:us-east-1:000000000000:${QueueName}` };
}

// biome-ignore lint/suspicious/noExplicitAny: messages as AWS writes them
async function messages(QueueUrl: string): Promise<any[]> {
  await cloud.settle();
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  if (Messages.length > 0)
    await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl,
        Entries: Messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle })),
      }),
    );
  return Messages.map(({ Body }) => JSON.parse(Body!));
}

const configure = (Bucket: string, QueueArn: string, Events: readonly string[]) =>
  s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: { QueueConfigurations: [{ QueueArn, Events: Events as Event[] }] },
    }),
  );

test("a queue that may be told gets S3's test event, before the first one", async () => {
  const { Bucket } = await newBucket();
  const { QueueUrl, QueueArn } = await newQueue();
  await configure(Bucket, QueueArn, ["s3:ObjectCreated:*"]);
  const [told, ...others] = await messages(QueueUrl);
  const { Time, RequestId, HostId, ...rest } = told;
  assert.deepEqual(rest, { Service: "Amazon S3", Event: "s3:TestEvent", Bucket });
  assert.match(Time, /^\d{4}-/);
  assert.match(`${RequestId} ${HostId}`, /^[A-Z0-9]{16} \S{20,}$/);
  assert.deepEqual(others, []);
});

test("a queue that does not let S3 send, or is not there, or elsewhere, refuses the configuration", async () => {
  const { Bucket } = await newBucket();
  const { QueueArn } = await newQueue(false);
  const gone = `${QueueArn}-gone`;
  const WORDS = "Unable to validate the following destination configurations";
  for (const [arn, reason] of [
    [QueueArn, "Permissions on the destination queue do not allow S3 to publish notifications from this bucket"],
    [gone, "The destination queue does not exist"],
  ] as const) {
    const error = await failure(configure(Bucket, arn, ["s3:ObjectCreated:*"]));
    assert.deepEqual(
      [error.name, error.status, error.message, error.ArgumentName1, error.ArgumentValue1],
      ["InvalidArgument", 400, WORDS, `${arn}, null`, reason],
    );
  }
  const elsewhere = await failure(
    configure(Bucket, QueueArn.replace("us-east-1", "eu-west-1"), ["s3:ObjectCreated:*"]),
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

test("a topic is no destination while there is no SNS: it is told in AWS's words", async () => {
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

test("tags that are put and deleted are told of, in records of version 2.3", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const { QueueUrl, QueueArn } = await newQueue();
  await configure(Bucket, QueueArn, ["s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:ObjectRestore:*"]);
  await messages(QueueUrl);
  const { VersionId, ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: "tagged", Body: "x" }));
  await s3.send(
    new PutObjectTaggingCommand({ Bucket, Key: "tagged", Tagging: { TagSet: [{ Key: "a", Value: "b" }] } }),
  );
  await s3.send(new DeleteObjectTaggingCommand({ Bucket, Key: "tagged" }));
  const records = (await messages(QueueUrl)).map(({ Records: [record] }) => record);
  assert.deepEqual(
    records
      .map(({ eventVersion, eventName, s3: { object } }) => [eventVersion, eventName, object.versionId, object.eTag])
      .sort(),
    ["ObjectTagging:Delete", "ObjectTagging:Put"].map((name) => ["2.3", name, VersionId, ETag!.replaceAll('"', "")]),
  );
});
