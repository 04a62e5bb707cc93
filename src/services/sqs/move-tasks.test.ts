import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Message, SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, userWith } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
await cloud.aws.clock({ freeze: true });

const ARN = "arn:aws:sqs:us-east-1:000000000000:";
const create = async (QueueName: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sqs.createQueue({ QueueName, Attributes })).QueueUrl!;
const receive = async (QueueUrl: string, more: object = {}): Promise<Message[]> =>
  (await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, AttributeNames: ["All"], ...more })).Messages ?? [];
const redrive = (target: string) => ({
  RedrivePolicy: JSON.stringify({ deadLetterTargetArn: `${ARN}${target}`, maxReceiveCount: 1 }),
});
const lastTask = async (name: string) => (await sqs.listMessageMoveTasks({ SourceArn: `${ARN}${name}` })).Results![0]!;

/** A source whose messages, `bodies`, are dead. */
async function withDead(name: string, dead: string, bodies: readonly string[]): Promise<string> {
  const url = await create(name, { VisibilityTimeout: "0", ...redrive(dead) });
  for (const MessageBody of bodies) await sqs.sendMessage({ QueueUrl: url, MessageBody });
  const taken = await receive(url);
  assert.equal(taken.length, bodies.length);
  assert.deepEqual(await receive(url), []);
  return url;
}

test("Without a destination each message goes back to the queue it came from, as a new one", async () => {
  const dead = await create("dead");
  const one = await withDead("one", "dead", ["a", "b"]);
  const two = await withDead("two", "dead", ["c"]);
  const [letter] = await receive(dead, { MaxNumberOfMessages: 1, VisibilityTimeout: 0 });
  await cloud.advance(5_000);
  const poll = sqs.receiveMessage({ QueueUrl: two, WaitTimeSeconds: 20, AttributeNames: ["All"] });
  const { TaskHandle } = await sqs.startMessageMoveTask({ SourceArn: `${ARN}dead` });
  assert.ok(TaskHandle);
  await cloud.settle();
  const [woken] = (await poll).Messages!;
  assert.equal(woken!.Body, "c");
  const [a, b] = await receive(one);
  assert.deepEqual([a!.Body, b!.Body], ["a", "b"]);
  assert.notEqual(a!.MessageId, letter!.MessageId);
  assert.equal(Number(a!.Attributes!.SentTimestamp), Number(letter!.Attributes!.SentTimestamp) + 5_000);
  assert.equal(a!.Attributes!.ApproximateReceiveCount, "1");
  assert.equal(a!.Attributes!.DeadLetterQueueSourceArn, undefined);
  const { StartedTimestamp, ...task } = await lastTask("dead");
  assert.equal(StartedTimestamp, cloud.aws.now());
  assert.deepEqual(task, {
    Status: "COMPLETED",
    SourceArn: `${ARN}dead`,
    ApproximateNumberOfMessagesMoved: 3,
    ApproximateNumberOfMessagesToMove: 3,
  });
});

test("A rate moves so many a second, to the queue that is named, until it is cancelled", async () => {
  const dead = await create("slow-dead");
  await withDead("slow", "slow-dead", ["1", "2", "3", "4", "5"]);
  const to = await create("elsewhere");
  const [SourceArn, DestinationArn] = [`${ARN}slow-dead`, `${ARN}elsewhere`];
  const start = () => sqs.startMessageMoveTask({ SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond: 1 });
  const { TaskHandle } = await start();
  await cloud.advance(1_000);
  const { StartedTimestamp: _, ...task } = await lastTask("slow-dead");
  assert.deepEqual(task, {
    TaskHandle,
    Status: "RUNNING",
    SourceArn,
    DestinationArn,
    MaxNumberOfMessagesPerSecond: 1,
    ApproximateNumberOfMessagesMoved: 2,
    ApproximateNumberOfMessagesToMove: 5,
  });
  await assert.rejects(start(), {
    Code: "InvalidParameterValue",
    message: "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
  });
  const cancelled = await sqs.cancelMessageMoveTask({ TaskHandle });
  assert.equal(cancelled.ApproximateNumberOfMessagesMoved, 2);
  assert.equal((await lastTask("slow-dead")).Status, "CANCELLING");
  await cloud.advance(5_000);
  const { Status, TaskHandle: gone, ApproximateNumberOfMessagesMoved: moved } = await lastTask("slow-dead");
  assert.deepEqual([Status, gone, moved], ["CANCELLED", undefined, 2]);
  await assert.rejects(sqs.cancelMessageMoveTask({ TaskHandle }), { name: "UnsupportedOperation" });
  assert.equal((await receive(to)).length, 2);
  // A new task takes the rest; ListMessageMoveTasks tells the newest first.
  await sqs.startMessageMoveTask({ SourceArn });
  await cloud.settle();
  assert.deepEqual(await receive(dead), []);
  const { Results } = await sqs.listMessageMoveTasks({ SourceArn, MaxResults: 10 });
  assert.deepEqual(
    Results!.map((one) => [one.Status, one.ApproximateNumberOfMessagesMoved]),
    [
      ["COMPLETED", 3],
      ["CANCELLED", 2],
    ],
  );
});

test("A task fails where a destination goes away, or nothing says where a message came from", async () => {
  await create("lost-dead");
  await withDead("lost", "lost-dead", ["1", "2", "3"]);
  const to = await create("soon-gone");
  const [SourceArn, DestinationArn] = [`${ARN}lost-dead`, `${ARN}soon-gone`];
  await sqs.startMessageMoveTask({ SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond: 1 });
  await cloud.settle();
  await sqs.deleteQueue({ QueueUrl: to });
  await cloud.advance(1_000);
  const failed = await lastTask("lost-dead");
  assert.deepEqual(
    [failed.Status, failed.FailureReason, failed.ApproximateNumberOfMessagesMoved],
    ["FAILED", "AWS.SimpleQueueService.NonExistentQueue", 1],
  );
  const dead = await create("direct-dead");
  await create("direct", redrive("direct-dead"));
  await sqs.sendMessage({ QueueUrl: dead, MessageBody: "sent here" });
  await sqs.startMessageMoveTask({ SourceArn: `${ARN}direct-dead` });
  await cloud.settle();
  assert.equal((await lastTask("direct-dead")).FailureReason, "CouldNotDetermineMessageSource");
  assert.equal((await receive(dead)).length, 1);
});

test("What cannot be moved is said in AWS's words", async () => {
  await create("no-dead-letter-queue");
  await create("letters.fifo", { FifoQueue: "true" });
  await create("source.fifo", { FifoQueue: "true", ...redrive("letters.fifo") });
  const noSource = "The resource that you specified for the SourceArn parameter doesn't exist.";
  const handle = (of: object) => Buffer.from(JSON.stringify(of)).toString("base64");
  const format =
    "You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>";
  const start = (SourceArn: string, more: object = {}) => sqs.startMessageMoveTask({ SourceArn, ...more });
  const cases: readonly (readonly [() => Promise<unknown>, string, string])[] = [
    [() => start("nonsense"), "InvalidParameterValue", format],
    [() => start(`${ARN}missing`), "ResourceNotFoundException", noSource],
    [
      () => start(`${ARN}no-dead-letter-queue`),
      "InvalidParameterValue",
      "Source queue must be configured as a Dead Letter Queue.",
    ],
    [
      () => start(`${ARN}dead`, { DestinationArn: `${ARN}missing` }),
      "ResourceNotFoundException",
      "The resource that you specified for the DestinationArn parameter doesn't exist.",
    ],
    [
      () => start(`${ARN}dead`, { MaxNumberOfMessagesPerSecond: 501 }),
      "InvalidParameterValue",
      "Value 501 for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided.",
    ],
    [
      () => start(`${ARN}letters.fifo`, { DestinationArn: `${ARN}one` }),
      "InvalidParameterValue",
      `Value ${ARN}one for parameter DestinationArn is invalid. Reason: The destination queue must be of the same type as the source queue.`,
    ],
    [() => sqs.listMessageMoveTasks({ SourceArn: `${ARN}missing` }), "ResourceNotFoundException", noSource],
    [
      () => sqs.listMessageMoveTasks({ SourceArn: `${ARN}dead`, MaxResults: 11 }),
      "InvalidParameterValue",
      "Value 11 for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 10.",
    ],
    [
      () => sqs.cancelMessageMoveTask({ TaskHandle: "nonsense" }),
      "InvalidParameterValue",
      "Value for parameter TaskHandle is invalid.",
    ],
    [
      () => sqs.cancelMessageMoveTask({ TaskHandle: handle({ taskId: "1", sourceArn: `${ARN}missing` }) }),
      "ResourceNotFoundException",
      noSource,
    ],
    [
      () => sqs.cancelMessageMoveTask({ TaskHandle: handle({ taskId: "1", sourceArn: `${ARN}dead` }) }),
      "ResourceNotFoundException",
      "Task does not exist.",
    ],
  ];
  for (const [call, Code, message] of cases) await assert.rejects(call(), { Code, message });
});

test("Who moves must be allowed to receive, to delete, and to send where it goes", async () => {
  const onDead = allow(
    ["sqs:StartMessageMoveTask", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    { Resource: `${ARN}dead` },
  );
  const half = await userWith(cloud, "half", { may: policy(onDead) });
  const whole = await userWith(cloud, "whole", { may: policy(onDead, allow("sqs:SendMessage")) });
  const start = (key: typeof half) => cloud.client(SQS, key).startMessageMoveTask({ SourceArn: `${ARN}dead` });
  await assert.rejects(start(half), { name: "AccessDenied", message: /sqs:sendmessage on resource: .*:one /i });
  await start(whole);
  await cloud.settle();
});

test("A task whose steps fail again and again is FAILED, and another may be started", async () => {
  const dead = await create("troubled-dead");
  const source = await withDead("troubled", "troubled-dead", ["a"]);
  const rename = (from: string, to: string) =>
    cloud.aws.write((tx) => tx.run(`ALTER TABLE sqs_message RENAME COLUMN ${from} TO ${to}`, {}));
  const SourceArn = `${ARN}troubled-dead`;
  await rename("copied", "away");
  await sqs.startMessageMoveTask({ SourceArn });
  await cloud.advance(300_000);
  await rename("away", "copied");
  assert.equal((await lastTask("troubled-dead")).Status, "FAILED");
  await cloud.advance(1_000);
  await sqs.startMessageMoveTask({ SourceArn });
  await cloud.advance(1_000);
  assert.equal((await receive(source)).length, 1);
  assert.equal((await receive(dead)).length, 0);
});
