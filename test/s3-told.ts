// A queue that a bucket tells of its events, and what it was told.

import { type Event, PutBucketNotificationConfigurationCommand, S3Client } from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { TestCloud } from "./cloud.ts";
import { allow, policy } from "./principals.ts";

let queues = 0;

/** A queue that S3 may send to, or not. */
export async function queueFor(cloud: TestCloud, mayS3 = true): Promise<{ QueueUrl: string; QueueArn: string }> {
  const sqs = cloud.client(SQSClient);
  const QueueName = `queue-${++queues}`;
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName }));
  const Policy = policy(allow("sqs:SendMessage", { Principal: { Service: "s3.amazonaws.com" } }));
  if (mayS3) await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  return { QueueUrl: QueueUrl!, QueueArn: `arn:aws:sqs:us-east-1:000000000000:${QueueName}` };
}

export const configure = (cloud: TestCloud, Bucket: string, QueueArn: string, Events: readonly string[]) =>
  cloud.client(S3Client).send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: { QueueConfigurations: [{ QueueArn, Events: Events as Event[] }] },
    }),
  );

// biome-ignore lint/suspicious/noExplicitAny: messages as AWS writes them
export async function messages(cloud: TestCloud, QueueUrl: string): Promise<any[]> {
  await cloud.settle();
  const sqs = cloud.client(SQSClient);
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  const Entries = Messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
  if (Entries.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  return Messages.map(({ Body }) => JSON.parse(Body!));
}

/** Events of a bucket, from now on: `next` is what it was told since, in order. */
export async function told(cloud: TestCloud, Bucket: string, Events: readonly string[]) {
  const { QueueUrl, QueueArn } = await queueFor(cloud);
  await configure(cloud, Bucket, QueueArn, Events);
  await messages(cloud, QueueUrl);
  return {
    // biome-ignore lint/suspicious/noExplicitAny: a record as AWS writes it
    async next(): Promise<any[]> {
      const records = (await messages(cloud, QueueUrl)).flatMap(({ Records }) => Records);
      return records.sort((a, b) => (a.s3.object.sequencer < b.s3.object.sequencer ? -1 : 1));
    },
  };
}
