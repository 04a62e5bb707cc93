// Topics in a template, on a real cloud.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { deploy } from "../src/template/deploy.ts";
import { plan } from "../src/template/plan.ts";
import { startCloud } from "./cloud.ts";

const TOPICS = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Alarms:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: alarms
      DisplayName: Alarms
      Subscription: [{ Protocol: sqs, Endpoint: !GetAtt Heard.Arn }]
      Tags: [{ Key: team, Value: a }]
  Ordered: { Type: AWS::SNS::Topic, Properties: { FifoTopic: true, ContentBasedDeduplication: true } }
  Heard: { Type: AWS::SQS::Queue, Properties: { QueueName: heard } }
  Loud: { Type: AWS::SQS::Queue, Properties: { QueueName: loud } }
  May:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Heard, !Ref Loud]
      PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: { Service: sns.amazonaws.com }, Action: "sqs:SendMessage", Resource: "*" }] }
  LoudOnly:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Alarms
      Protocol: sqs
      Endpoint: !GetAtt Loud.Arn
      RawMessageDelivery: true
      FilterPolicyScope: MessageBody
      FilterPolicy: { level: [loud] }
  Open:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Alarms]
      PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: { Service: s3.amazonaws.com }, Action: "sns:Publish", Resource: !Ref Alarms }] }
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: fn
      Runtime: nodejs22.x
      Handler: index.handler
      InlineCode: "exports.handler = async (e) => e;"
      Events:
        Alarm: { Type: SNS, Properties: { Topic: !Ref Alarms, FilterPolicy: { kind: [x] } } }
`;

test("topics, subscriptions and policies are made, changed and removed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-template-"));
  try {
    await using cloud = await startCloud({ dir });
    const { aws } = cloud;
    const here = { account: "000000000000", region: "us-east-1", stack: "workspace", endpoint: cloud.endpoint, dir };
    const put = (text: string) =>
      deploy(plan(text, { place: here, parameters: new Map() }), { call: aws.call, place: here });
    const TopicArn = "arn:aws:sns:us-east-1:000000000000:alarms";
    const said = async (name: string) => {
      const QueueUrl = `${cloud.endpoint}/000000000000/${name}`;
      await cloud.settle();
      const { Messages = [] } = await aws.call("sqs", "ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10 });
      for (const { ReceiptHandle } of Messages) await aws.call("sqs", "DeleteMessage", { QueueUrl, ReceiptHandle });
      return Messages.map(({ Body }) => Body!);
    };
    const publish = (Message: string) => aws.call("sns", "Publish", { TopicArn, Message });

    await put(TOPICS);
    assert.deepEqual((await put(TOPICS)).changed, []);
    const { Attributes } = await aws.call("sns", "GetTopicAttributes", { TopicArn });
    assert.equal(Attributes!.DisplayName, "Alarms");
    assert.match(Attributes!.Policy!, /s3\.amazonaws\.com/);
    assert.equal(Attributes!.SubscriptionsConfirmed, "3");
    assert.deepEqual((await aws.call("sns", "ListTagsForResource", { ResourceArn: TopicArn })).Tags, [
      { Key: "team", Value: "a" },
    ]);
    await publish('{"level":"loud"}');
    await publish('{"level":"quiet"}');
    assert.equal((await said("heard")).length, 2);
    assert.deepEqual(await said("loud"), ['{"level":"loud"}']);

    const { changed } = await put(
      TOPICS.replace("      DisplayName: Alarms\n", "")
        .replace("level: [loud]", "level: [quiet]")
        .replace(/ {6}Subscription: .*\n/, ""),
    );
    assert.deepEqual(changed.toSorted(), ["Alarms", "LoudOnly"]);
    await publish('{"level":"quiet"}');
    assert.deepEqual(await said("loud"), ['{"level":"quiet"}']);
    assert.deepEqual(await said("heard"), [], "its subscription went with the line that said it");
    assert.equal((await aws.call("sns", "GetTopicAttributes", { TopicArn })).Attributes!.DisplayName, "");

    await put("Resources: { Only: { Type: AWS::SQS::Queue } }");
    assert.deepEqual((await aws.call("sns", "ListTopics", {})).Topics, []);
    assert.deepEqual((await aws.call("sns", "ListSubscriptions", {})).Subscriptions, []);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
