// Topics that functions, buckets and other topics' owners have to do with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AddPermissionCommand, PutFunctionEventInvokeConfigCommand } from "@aws-sdk/client-lambda";
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  CreateTopicCommand,
  PublishCommand,
  SetTopicAttributesCommand,
  SNSClient,
  SubscribeCommand,
} from "@aws-sdk/client-sns";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startCloud, type TestCloud } from "../../../test/cloud.ts";
import { arnOf, startCloudWithRole } from "../../../test/lambda.ts";
import { allow, policy } from "../../../test/principals.ts";

async function queue(cloud: TestCloud, QueueName: string) {
  const sqs = cloud.client(SQSClient);
  const Policy = policy(allow("sqs:SendMessage", { Principal: "*" }));
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes: { Policy } }));
  return {
    arn: `arn:aws:sqs:us-east-1:000000000000:${QueueName}`,
    async bodies() {
      await cloud.settle();
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
      // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
      return Messages.map(({ Body }) => JSON.parse(Body!) as any);
    },
  };
}

test("a function gets a record of AWS's form, when its policy lets the topic in; else its dead letters do", async () => {
  await using cloud = await startCloudWithRole();
  const sns = cloud.client(SNSClient);
  await cloud.createBash("f", "echo null");
  const done = await queue(cloud, "done");
  const dead = await queue(cloud, "dead");
  await cloud.lambda.send(
    new PutFunctionEventInvokeConfigCommand({
      FunctionName: "f",
      DestinationConfig: { OnSuccess: { Destination: done.arn } },
    }),
  );
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "t", Attributes: { SignatureVersion: "2" } }));
  const { SubscriptionArn } = await sns.send(
    new SubscribeCommand({
      TopicArn,
      Protocol: "lambda",
      Endpoint: arnOf("f"),
      Attributes: { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn }) },
    }),
  );
  const attributes = { a: { DataType: "String", StringValue: "v" } };
  const publish = (Message: string) =>
    sns.send(new PublishCommand({ TopicArn, Message, MessageAttributes: attributes }));
  await publish("shut out");
  const [buried] = await dead.bodies();
  assert.deepEqual([buried.Type, buried.Message], ["Notification", "shut out"]);

  const permission = {
    StatementId: "s",
    Action: "lambda:InvokeFunction",
    Principal: "sns.amazonaws.com",
    SourceArn: TopicArn,
  };
  await cloud.lambda.send(new AddPermissionCommand({ FunctionName: "f", ...permission }));
  const { MessageId } = await publish("let in");
  const [ran] = await done.bodies();
  const { Sns, ...record } = ran.requestPayload.Records[0];
  assert.deepEqual(record, { EventSource: "aws:sns", EventVersion: "1.0", EventSubscriptionArn: SubscriptionArn });
  const { Timestamp, Signature, SigningCertUrl, ...rest } = Sns;
  assert.deepEqual(rest, {
    Type: "Notification",
    MessageId,
    TopicArn,
    Subject: null,
    Message: "let in",
    SignatureVersion: "1",
    UnsubscribeUrl: `${cloud.endpoint}/?Action=Unsubscribe&SubscriptionArn=${SubscriptionArn}`,
    MessageAttributes: { a: { Type: "String", Value: "v" } },
  });
  assert.ok(Timestamp && Signature && SigningCertUrl);
});

test("a bucket tells a topic that lets it in, with S3's subject; what is tested when it is configured too", async () => {
  await using cloud = await startCloud();
  const s3 = cloud.client(S3Client);
  const sns = cloud.client(SNSClient);
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "told" }));
  const told = await queue(cloud, "told");
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: told.arn }));
  await s3.send(new CreateBucketCommand({ Bucket: "telling" }));
  const configure = () =>
    s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: "telling",
        NotificationConfiguration: { TopicConfigurations: [{ TopicArn, Events: ["s3:ObjectCreated:*"] }] },
      }),
    );
  const error = await configure().then(
    () => assert.fail(),
    (reason: { ArgumentValue1?: string }) => reason,
  );
  assert.equal(
    error.ArgumentValue1,
    "Permissions on the destination topic do not allow S3 to publish notifications from this bucket",
  );
  const may = policy(
    allow("sns:Publish", {
      Principal: { Service: "s3.amazonaws.com" },
      Condition: { ArnLike: { "aws:SourceArn": "arn:aws:s3:::telling" } },
    }),
  );
  await sns.send(new SetTopicAttributesCommand({ TopicArn, AttributeName: "Policy", AttributeValue: may }));
  await configure();
  const [tested] = await told.bodies();
  assert.deepEqual([tested.Subject, JSON.parse(tested.Message).Event], ["Amazon S3 Notification", "s3:TestEvent"]);
  await s3.send(new PutObjectCommand({ Bucket: "telling", Key: "k", Body: "x" }));
  const [made] = await told.bodies();
  assert.equal(made.Subject, "Amazon S3 Notification");
  assert.equal(JSON.parse(made.Message).Records[0].eventName, "ObjectCreated:Put");
});
