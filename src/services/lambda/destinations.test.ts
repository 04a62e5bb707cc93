// Records of asynchronous invocations in topics, buses and buckets, and dead letters in a topic.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from "@aws-sdk/client-eventbridge";
import { IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import { InvokeCommand, PutFunctionEventInvokeConfigCommand } from "@aws-sdk/client-lambda";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { CreateTopicCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { ACCOUNT, arnOf } from "../../../test/lambda.ts";
import { type Event, queueArn, startMappingsCloud } from "../../../test/mappings.ts";
import { allow, policy } from "../../../test/principals.ts";

const BUS = `arn:aws:events:us-east-1:${ACCOUNT}:event-bus/default`;

async function startDestinations() {
  const cloud = await startMappingsCloud();
  await cloud.queue("seen", {
    Policy: policy({ Effect: "Allow", Principal: "*", Action: "sqs:SendMessage", Resource: "*" }),
  });
  const sns = cloud.client(SNSClient);
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "topic" }));
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: queueArn("seen") }));
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "lost" }));
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    topic: TopicArn!,
    objects: async (): Promise<[string, Event][]> => {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: "lost" }));
      return Promise.all(
        Contents.map(async ({ Key }) => {
          const { Body } = await s3.send(new GetObjectCommand({ Bucket: "lost", Key }));
          return [Key!, JSON.parse(await Body!.transformToString())] as [string, Event];
        }),
      );
    },
    to: (FunctionName: string, DestinationConfig: object) =>
      cloud.lambda.send(
        new PutFunctionEventInvokeConfigCommand({ FunctionName, MaximumRetryAttempts: 0, DestinationConfig }),
      ),
    async run(FunctionName: string) {
      await cloud.lambda.send(new InvokeCommand({ FunctionName, InvocationType: "Event", Payload: '{"n":1}' }));
      await cloud.settle();
    },
  };
}

test("A bus gets the result as AWS puts it there, a topic the record, a bucket an object", async () => {
  await using cloud = await startDestinations();
  const events = cloud.client(EventBridgeClient);
  await events.send(new PutRuleCommand({ Name: "r", EventPattern: '{"source":["lambda"]}' }));
  await events.send(new PutTargetsCommand({ Rule: "r", Targets: [{ Id: "q", Arn: queueArn("seen") }] }));
  await cloud.createBash("works", `echo '{"ok":true}'`);
  await cloud.createBash("fails", "exit 1");
  await cloud.to("works", { OnSuccess: { Destination: BUS } });
  await cloud.to("fails", { OnFailure: { Destination: BUS } });
  await cloud.run("works");
  await cloud.run("fails");
  const [success, failure] = (await cloud.received("seen")).sort((a, b) =>
    a["detail-type"] > b["detail-type"] ? -1 : 1,
  );
  assert.deepEqual(
    [success["detail-type"], success.source, success.resources],
    ["Lambda Function Invocation Result - Success", "lambda", [BUS, arnOf("works:$LATEST")]],
  );
  assert.deepEqual([success.detail.requestPayload, success.detail.responsePayload], [{ n: 1 }, { ok: true }]);
  assert.equal(failure["detail-type"], "Lambda Function Invocation Result - Failure");
  assert.equal(failure.detail.requestContext.condition, "RetriesExhausted");

  await cloud.to("works", { OnSuccess: { Destination: cloud.topic } });
  await cloud.run("works");
  const told = (await cloud.received("seen")).find((message) => message.TopicArn === cloud.topic);
  assert.deepEqual(JSON.parse(told.Message).responsePayload, { ok: true });

  await cloud.to("fails", { OnFailure: { Destination: "arn:aws:s3:::lost" } });
  await cloud.run("fails");
  const [[key, object] = [], ...more] = await cloud.objects();
  assert.equal(more.length, 0);
  assert.match(key!, /^aws\/lambda\/async\/fails\/\d{4}\/\d\d\/\d\d\/[\d-]{10}T[\d.]{8}-[0-9a-f-]{36}$/);
  assert.equal(object.responseContext.functionError, "Unhandled");
});

test("A topic gets the dead letter: the event, with what went wrong as attributes", async () => {
  await using cloud = await startDestinations();
  await cloud.createBash("f", "exit 1", { DeadLetterConfig: { TargetArn: cloud.topic } });
  await cloud.to("f", {});
  await cloud.run("f");
  const [message] = await cloud.received("seen");
  assert.deepEqual(JSON.parse(message.Message), { n: 1 });
  assert.deepEqual(Object.keys(message.MessageAttributes).sort(), ["ErrorCode", "ErrorMessage", "RequestID"]);
});

test("A destination that the role may not write to is loud in the log; when it may, the next record arrives", async () => {
  await using cloud = await startDestinations();
  const iam = cloud.client(IAMClient);
  const may = (...actions: string[]) =>
    iam.send(
      new PutRolePolicyCommand({ RoleName: "function", PolicyName: "all", PolicyDocument: policy(allow(actions)) }),
    );
  await cloud.createBash("f", "exit 1");
  await cloud.to("f", { OnFailure: { Destination: "arn:aws:s3:::lost" } });
  await may("sqs:*");
  await cloud.run("f");
  await cloud.advance(60_000);
  assert.deepEqual(await cloud.objects(), []);
  const { entries } = await cloud.aws.why({ names: [arnOf("f")] });
  assert.ok(entries.some(({ level, text }) => level === "error" && /what became of an invocation is lost/.test(text)));
  await may("s3:PutObject");
  await cloud.run("f");
  assert.equal((await cloud.objects()).length, 1);
});
