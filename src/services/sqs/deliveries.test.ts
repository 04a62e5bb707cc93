import assert from "node:assert/strict";
import { after, test } from "node:test";
import { InvokeCommand, PutFunctionEventInvokeConfigCommand } from "@aws-sdk/client-lambda";
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { type Message, SQS } from "@aws-sdk/client-sqs";
import { startCloudWithRole } from "../../../test/lambda.ts";

const cloud = await startCloudWithRole();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);

const ARN = "arn:aws:sqs:us-east-1:000000000000:";
const create = async (QueueName: string): Promise<string> => (await sqs.createQueue({ QueueName })).QueueUrl!;
const receive = async (QueueUrl: string): Promise<Message[]> =>
  (
    await sqs.receiveMessage({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["SenderId"],
    })
  ).Messages ?? [];

test("S3's notification is a message, when the queue lets S3 send", async () => {
  const QueueUrl = await create("uploads");
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "photos" }));
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: "photos",
      SkipDestinationValidation: true,
      NotificationConfiguration: {
        QueueConfigurations: [{ QueueArn: `${ARN}uploads`, Events: ["s3:ObjectCreated:*"] }],
      },
    }),
  );
  await s3.send(new PutObjectCommand({ Bucket: "photos", Key: "denied.jpg", Body: "x" }));
  await cloud.settle();
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "s3.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: `${ARN}uploads`,
        Condition: { ArnLike: { "aws:SourceArn": "arn:aws:s3:::photos" } },
      },
    ],
  });
  await sqs.setQueueAttributes({ QueueUrl, Attributes: { Policy } });
  await s3.send(new PutObjectCommand({ Bucket: "photos", Key: "cat.jpg", Body: "meow" }));
  await cloud.settle();
  const keys = (await receive(QueueUrl))
    .flatMap(({ Body }) => JSON.parse(Body!).Records)
    .map((record) => record.s3.object.key);
  assert.deepEqual(keys, ["cat.jpg"]);
});

test("A function's dead letter and its failure's record are messages, sent as its role", async () => {
  const dead = await create("dead");
  const failed = await create("failed");
  await cloud.createBash("broken", "exit 3", { DeadLetterConfig: { TargetArn: `${ARN}dead` } });
  await cloud.lambda.send(
    new PutFunctionEventInvokeConfigCommand({
      FunctionName: "broken",
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnFailure: { Destination: `${ARN}failed` } },
    }),
  );
  await cloud.lambda.send(new InvokeCommand({ FunctionName: "broken", InvocationType: "Event", Payload: '{"n":1}' }));
  await cloud.settle();
  const [letter, ...others] = await receive(dead);
  assert.equal(others.length, 0);
  assert.equal(letter!.Body, '{"n":1}');
  assert.deepEqual(Object.keys(letter!.MessageAttributes!).sort(), ["ErrorCode", "ErrorMessage", "RequestID"]);
  assert.match(letter!.Attributes!.SenderId!, /^AROA[A-Z0-9]+:broken$/);
  const [record] = await receive(failed);
  assert.deepEqual(JSON.parse(record!.Body!).requestPayload, { n: 1 });
});
