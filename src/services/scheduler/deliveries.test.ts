import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import { CreateTopicCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startCloud, type TestCloud } from "../../../test/cloud.ts";
import { policy } from "../../../test/principals.ts";
import { ACCOUNT, bodies, MINUTE, QUEUE, received, schedule, startCloudAtNoon } from "../../../test/schedules.ts";
import { openCloud } from "../../cloud.ts";

const DEAD = QUEUE.replace(/q$/, "dead");
const queue = (cloud: TestCloud, QueueName: string, Attributes = {}) =>
  cloud.client(SQSClient).send(new CreateQueueCommand({ QueueName, Attributes }));

test("What was due while the cloud was down is invoked once at its start, and goes on in step", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-scheduler-"));
  try {
    const { cloud, scheduler } = await startCloudAtNoon({ dir });
    const target = { Input: "<aws.scheduler.scheduled-time>" };
    await scheduler.send(schedule("cron", "cron(0/10 * * * ? *)", { target }));
    await scheduler.send(schedule("once", "at(2027-01-10T12:05:00)", { target }));
    const { config } = cloud.aws;
    await cloud[Symbol.asyncDispose]();
    {
      // Nothing runs, and the clock goes on.
      await using idle = await openCloud(config, "http://localhost", () => undefined, { idle: true });
      idle.clock.advance(35 * MINUTE);
      await idle.saveClock();
    }
    await using again = await startCloud({ dir });
    await again.settle();
    assert.deepEqual((await bodies(again)).sort(), ["2027-01-10T12:05:00Z", "2027-01-10T12:10:00Z"]);
    await again.advance(5 * MINUTE);
    assert.deepEqual(await bodies(again), ["2027-01-10T12:40:00Z"]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("A target that fails is tried again as the retry policy says; then it is a dead letter", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  await queue(cloud, "dead");
  const failing = (Name: string, RetryPolicy: object) =>
    schedule(Name, "at(2027-01-10T12:01:00)", {
      target: { Input: `${Name} <aws.scheduler.attempt-number>`, RetryPolicy, DeadLetterConfig: { Arn: DEAD } },
    });
  await scheduler.send(failing("twice", { MaximumRetryAttempts: 2 }));
  await scheduler.send(failing("aged", { MaximumEventAgeInSeconds: 60 }));
  await scheduler.send(failing("lasting", {}));
  await cloud.aws.chaos({ set: { kind: "fail", what: QUEUE, percent: 100 } });
  await cloud.advance(3 * MINUTE);
  const letters = (await received(cloud, "dead")).map(({ Body, MessageAttributes: a }) => [
    Body,
    a!.ERROR_CODE!.StringValue,
    a!.EXHAUSTED_RETRY_CONDITION!.StringValue,
    a!.RETRY_ATTEMPTS!.StringValue,
  ]);
  assert.deepEqual(letters, [
    ["twice 3", "ServiceUnavailable", "MaximumRetryAttempts", "2"],
    ["aged 6", "ServiceUnavailable", "MaximumEventAgeInSeconds", "5"],
  ]);
  await cloud.aws.chaos({ clear: {} });
  await cloud.advance(10 * MINUTE);
  const [lasting, ...more] = await bodies(cloud);
  assert.match(lasting!, /^lasting [789]$/);
  assert.deepEqual(more, []);
});

test("A target that is throttled is invoked when it is so no longer, and that is no attempt", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const target = { Input: "<aws.scheduler.attempt-number>", RetryPolicy: { MaximumRetryAttempts: 0 } };
  await scheduler.send(schedule("s", "at(2027-01-10T12:01:00)", { target }));
  await cloud.aws.chaos({ set: { kind: "throttle", what: "sqs:SendMessage", percent: 100 } });
  await cloud.advance(2 * MINUTE);
  assert.deepEqual(await bodies(cloud), []);
  await cloud.aws.chaos({ clear: {} });
  await cloud.advance(5 * MINUTE);
  assert.deepEqual(await bodies(cloud), ["1"]);
});

test("A topic, a bus and a FIFO queue get the Input, each in its way", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const open = { Policy: policy({ Effect: "Allow", Principal: "*", Action: "sqs:SendMessage", Resource: "*" }) };
  await queue(cloud, "ordered.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  await queue(cloud, "subscribed", open);
  await queue(cloud, "matched", open);
  const sns = cloud.client(SNSClient);
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "t" }));
  const Endpoint = QUEUE.replace(/q$/, "subscribed");
  const Attributes = { RawMessageDelivery: "true" };
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint, Attributes }));
  const events = cloud.client(EventBridgeClient);
  await events.send(new CreateEventBusCommand({ Name: "b" }));
  const EventPattern = '{"source": ["my.jobs"], "detail": {"n": [1]}}';
  await events.send(new PutRuleCommand({ Name: "r", EventBusName: "b", EventPattern }));
  const Targets = [{ Id: "q", Arn: QUEUE.replace(/q$/, "matched") }];
  await events.send(new PutTargetsCommand({ Rule: "r", EventBusName: "b", Targets }));

  const at = "at(2027-01-10T12:01:00)";
  await scheduler.send(schedule("topic", at, { target: { Arn: TopicArn, Input: "to the topic" } }));
  const EventBridgeParameters = { Source: "my.jobs", DetailType: "Job" };
  const Arn = `arn:aws:events:us-east-1:${ACCOUNT}:event-bus/b`;
  await scheduler.send(schedule("bus", at, { target: { Arn, Input: '{"n": 1}', EventBridgeParameters } }));
  const fifo = { Arn: QUEUE.replace(/q$/, "ordered.fifo"), SqsParameters: { MessageGroupId: "g" } };
  await scheduler.send(schedule("fifo", at, { target: fifo }));
  await cloud.advance(MINUTE);

  assert.deepEqual(await bodies(cloud, "subscribed"), ["to the topic"]);
  assert.deepEqual(await bodies(cloud, "ordered.fifo"), ["fifo"]);
  const [body] = await bodies(cloud, "matched");
  const { source, resources, detail, "detail-type": type } = JSON.parse(body!) as Record<string, unknown>;
  const schedules = [`arn:aws:scheduler:us-east-1:${ACCOUNT}:schedule/default/bus`];
  assert.deepEqual(
    { source, resources, detail, type },
    { source: "my.jobs", resources: schedules, detail: { n: 1 }, type: "Job" },
  );
});
