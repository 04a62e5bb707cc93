import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Message, type SendMessageCommandInput, SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
await cloud.aws.clock({ freeze: true });

let made = 0;
const create = async (Attributes: Record<string, string> = {}): Promise<string> =>
  (await sqs.createQueue({ QueueName: `q${made++}.fifo`, Attributes: { FifoQueue: "true", ...Attributes } })).QueueUrl!;
/** `group body`, or `group body id`. */
const send = (QueueUrl: string, text: string, more: Partial<SendMessageCommandInput> = {}) => {
  const [MessageGroupId, MessageBody, MessageDeduplicationId = `${MessageGroupId}-${MessageBody}`] = text.split(" ");
  return sqs.sendMessage({ QueueUrl, MessageBody, MessageGroupId, MessageDeduplicationId, ...more });
};
const receive = async (QueueUrl: string, more: object = {}): Promise<Message[]> =>
  (await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, ...more })).Messages ?? [];
const bodies = (messages: Message[]): (string | undefined)[] => messages.map(({ Body }) => Body);
const remove = (QueueUrl: string, { ReceiptHandle }: Message) => sqs.deleteMessage({ QueueUrl, ReceiptHandle });

test("A FIFO queue has its own attributes, and must end in .fifo", async () => {
  const url = await create();
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: ["All"] });
  const { FifoQueue, ContentBasedDeduplication, DeduplicationScope, FifoThroughputLimit } = Attributes!;
  assert.deepEqual(
    { FifoQueue, ContentBasedDeduplication, DeduplicationScope, FifoThroughputLimit },
    {
      FifoQueue: "true",
      ContentBasedDeduplication: "false",
      DeduplicationScope: "queue",
      FifoThroughputLimit: "perQueue",
    },
  );
  await assert.rejects(sqs.createQueue({ QueueName: "plain", Attributes: { FifoQueue: "true" } }), {
    Code: "InvalidParameterValue",
    message:
      "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
  });
  await assert.rejects(sqs.setQueueAttributes({ QueueUrl: url, Attributes: { FifoQueue: "false" } }), {
    name: "InvalidAttributeValue",
    message: "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
  });
});

test("A group is received in order, and waits while one of it is in flight", async () => {
  const url = await create();
  for (const text of ["a 1", "b 1", "a 2", "b 2"]) await send(url, text);
  const [first] = await receive(url, { MaxNumberOfMessages: 1 });
  assert.equal(first!.Body, "1");
  // Group a waits; both of b come, in their order.
  const ofB = await receive(url, { AttributeNames: ["MessageGroupId"] });
  assert.deepEqual(
    ofB.map(({ Body, Attributes }) => `${Attributes!.MessageGroupId} ${Body}`),
    ["b 1", "b 2"],
  );
  assert.deepEqual(await receive(url), []);
  await remove(url, first!);
  assert.deepEqual(bodies(await receive(url)), ["2"]);
});

test("After a visibility ends, the group begins again at its first", async () => {
  const url = await create();
  for (const text of ["g foo", "g bar", "g baz"]) await send(url, text);
  const all = await receive(url, { VisibilityTimeout: 30 });
  assert.deepEqual(bodies(all), ["foo", "bar", "baz"]);
  const visible = async (message: Message) =>
    sqs.changeMessageVisibility({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0 });
  await visible(all[1]!);
  assert.deepEqual(await receive(url), []); // foo, before it, is in flight
  await visible(all[0]!);
  assert.deepEqual(bodies(await receive(url)), ["foo", "bar"]); // baz is in flight yet, behind them
});

test("The handle of a FIFO message expires with its visibility", async () => {
  const url = await create({ VisibilityTimeout: "5" });
  await send(url, "g foobar");
  const [message] = await receive(url);
  await cloud.advance(5_000);
  await assert.rejects(remove(url, message!), {
    Code: "InvalidParameterValue",
    message: `Value ${message!.ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
  });
  const [again] = await receive(url);
  await remove(url, again!);
});

test("What was sent within five minutes is not sent again, deleted or not", async () => {
  const url = await create();
  const first = await send(url, "g 1 dedup");
  assert.match(first.SequenceNumber!, /^\d{20}$/);
  const [message] = await receive(url, { AttributeNames: ["All"] });
  assert.deepEqual(
    [message!.Attributes!.MessageDeduplicationId, message!.Attributes!.SequenceNumber],
    ["dedup", first.SequenceNumber],
  );
  await remove(url, message!);
  // Another body, another group: the id is what counts, for the whole queue.
  const second = await send(url, "h 2 dedup");
  assert.deepEqual([second.MessageId, second.SequenceNumber], [first.MessageId, first.SequenceNumber]);
  assert.deepEqual(await receive(url), []);
  await cloud.advance(300_000);
  const third = await send(url, "g 3 dedup");
  assert.ok(third.SequenceNumber! > first.SequenceNumber!);
  assert.deepEqual(bodies(await receive(url)), ["3"]);
});

test("Deduplication by group keeps groups apart, by content needs no id", async () => {
  const url = await create({ DeduplicationScope: "messageGroup", ContentBasedDeduplication: "true" });
  const MessageDeduplicationId = undefined;
  for (const text of ["a x", "b x", "a x"]) await send(url, text, { MessageDeduplicationId });
  assert.deepEqual(bodies(await receive(url)), ["x", "x"]);
});

test("A FIFO queue's delay holds for all of its messages; a message has none of its own", async () => {
  const url = await create({ DelaySeconds: "2" });
  await assert.rejects(send(url, "g x", { DelaySeconds: 2 }), {
    Code: "InvalidParameterValue",
    message:
      "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.",
  });
  await send(url, "g x", { DelaySeconds: 0 });
  assert.deepEqual(await receive(url), []);
  await cloud.advance(2_000);
  assert.deepEqual(bodies(await receive(url)), ["x"]);
});

test("A message to a FIFO queue needs a group, and an id where content is not enough", async () => {
  const QueueUrl = await create();
  await assert.rejects(sqs.sendMessage({ QueueUrl, MessageBody: "x", MessageDeduplicationId: "d" }), {
    Code: "MissingParameter",
    message: "The request must contain the parameter MessageGroupId.",
  });
  const noId = {
    Code: "InvalidParameterValue",
    message:
      "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
  };
  await assert.rejects(sqs.sendMessage({ QueueUrl, MessageBody: "x", MessageGroupId: "g" }), noId);
  const Entries = [{ Id: "1", MessageBody: "x", MessageGroupId: "g" }];
  await assert.rejects(sqs.sendMessageBatch({ QueueUrl, Entries }), noId);
});

test("Competing receivers keep each group in order", async () => {
  const url = await create();
  const groups = ["a", "b", "c", "d"];
  for (let n = 0; n < 10; n++) for (const group of groups) await send(url, `${group} ${n}`);
  const seen = new Map<string, number[]>(groups.map((group) => [group, []]));
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      for (;;) {
        const messages = await receive(url, { MaxNumberOfMessages: 2, AttributeNames: ["MessageGroupId"] });
        for (const message of messages) {
          seen.get(message.Attributes!.MessageGroupId!)!.push(Number(message.Body));
          await remove(url, message);
        }
        if (groups.every((group) => seen.get(group)!.length >= 10)) return;
      }
    }),
  );
  for (const group of groups) assert.deepEqual(seen.get(group), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("A receive that is asked again with its attempt id gets the same messages and handles, and their time anew", async () => {
  const url = await create();
  for (const text of ["a 1", "a 2", "b 1"]) await send(url, text);
  const attempt = {
    ReceiveRequestAttemptId: "try-1",
    VisibilityTimeout: 30,
    AttributeNames: ["ApproximateReceiveCount"],
  };
  const first = await receive(url, { ...attempt, MaxNumberOfMessages: 2 });
  assert.deepEqual(bodies(first), ["1", "2"]);
  await cloud.advance(20_000);
  assert.deepEqual(await receive(url, attempt), first);
  await cloud.advance(20_000); // 40 s after the first: they would be visible
  assert.deepEqual(bodies(await receive(url)), ["1"]); // of b
  assert.deepEqual(await receive(url, attempt), first);
  // A message that was changed, or is gone, ends it: what is asked for is new.
  await remove(url, first[0]!);
  assert.deepEqual(await receive(url, attempt), []);
  await cloud.advance(30_000);
  assert.deepEqual(bodies(await receive(url, attempt)), ["2", "1"]);
  await cloud.advance(31_000);
  const anew = await receive(url, { ...attempt, VisibilityTimeout: 600 });
  assert.deepEqual(bodies(anew), ["2", "1"]);
  // For five minutes.
  await cloud.advance(300_000);
  assert.deepEqual(await receive(url, { ...attempt, VisibilityTimeout: 600 }), []);
});

test("An attempt id is a FIFO queue's, and well formed", async () => {
  const url = await create();
  await assert.rejects(receive(url, { ReceiveRequestAttemptId: "a b" }), {
    Code: "InvalidParameterValue",
    message:
      "Value a b for parameter ReceiveRequestAttemptId is invalid. Reason: ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
  });
  const standard = (await sqs.createQueue({ QueueName: "standard" })).QueueUrl!;
  await assert.rejects(receive(standard, { ReceiveRequestAttemptId: "a" }), {
    Code: "InvalidParameterValue",
    message:
      "Value a for parameter ReceiveRequestAttemptId is invalid. Reason: The request include parameter that is not valid for this queue type.",
  });
});

test("A deep backlog behind a message in flight does not hide the other groups", async () => {
  const url = await create();
  const many = async (group: string, count: number) => {
    for (let from = 0; from < count; from += 10)
      await sqs.sendMessageBatch({
        QueueUrl: url,
        Entries: Array.from({ length: 10 }, (_, i) => ({
          Id: `${i}`,
          MessageBody: `${group}${from + i}`,
          MessageGroupId: group,
          MessageDeduplicationId: `${group}${from + i}`,
        })),
      });
  };
  await many("busy", 230);
  await many("z", 10);
  await many("a", 10);
  const [first] = await receive(url, { MaxNumberOfMessages: 1 });
  assert.equal(first!.Body, "busy0");
  assert.deepEqual(bodies(await receive(url, { MaxNumberOfMessages: 2 })), ["z0", "z1"]);
  assert.deepEqual(bodies(await receive(url)), ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"]);
  assert.deepEqual(await receive(url), []);
  await remove(url, first!);
  assert.deepEqual(bodies(await receive(url, { MaxNumberOfMessages: 2 })), ["busy1", "busy2"]);
});
