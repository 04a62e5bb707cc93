import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { type Message, SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
afterEach(() => cloud.aws.chaos({ clear: {} }));
const sqs = cloud.client(SQS);
await cloud.aws.clock({ freeze: true });

const create = async (QueueName: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sqs.createQueue({ QueueName, Attributes })).QueueUrl!;
const receive = async (QueueUrl: string, more: object = {}): Promise<Message[]> =>
  (await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, ...more })).Messages ?? [];
const sendTen = (QueueUrl: string, more: object = {}) =>
  sqs.sendMessageBatch({
    QueueUrl,
    Entries: Array.from({ length: 10 }, (_, i) => ({ Id: `${i}`, MessageBody: `${i}`, ...more })),
  });
const set = (kind: string, percent: number, what = "*") => cloud.aws.chaos({ set: { kind, percent, what } });

test("A duplicate comes once more with an id that was seen, even where the first was deleted", async () => {
  const url = await create("twice");
  await set("duplicate", 100, "twice");
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "m" });
  const [first] = await receive(url);
  await sqs.deleteMessage({ QueueUrl: url, ReceiptHandle: first!.ReceiptHandle });
  const [again] = await receive(url, { AttributeNames: ["ApproximateReceiveCount"] });
  assert.equal(again!.MessageId, first!.MessageId);
  assert.equal(again!.Body, "m");
  assert.notEqual(again!.ReceiptHandle, first!.ReceiptHandle);
  assert.equal(again!.Attributes!.ApproximateReceiveCount, "1");
  await sqs.deleteMessage({ QueueUrl: url, ReceiptHandle: again!.ReceiptHandle });
  assert.deepEqual(await receive(url), []);
  await cloud.advance(60_000);
  assert.deepEqual(await receive(url), []);
});

test("A long poll that waits is woken by a duplicate", async () => {
  const url = await create("waited");
  await set("duplicate", 100);
  const polls = [1, 2].map(() => receive(url, { WaitTimeSeconds: 20 }));
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "m" });
  const [one, two] = (await Promise.all(polls)).flat();
  assert.equal(one!.MessageId, two!.MessageId);
});

test("Half of the messages come twice, and the same half with the same seed", async () => {
  const doubled = async (name: string, seed: number): Promise<string> => {
    await cloud.aws.chaos({ seed, set: { kind: "duplicate", percent: 50, what: "half-*" } });
    const url = await create(name);
    await sendTen(url);
    await receive(url);
    return (await receive(url)).map(({ Body }) => Body).join("");
  };
  const seven = await doubled("half-1", 7);
  assert.ok(seven.length > 1 && seven.length < 10, seven);
  assert.equal(await doubled("half-2", 7), seven);
  assert.notEqual(await doubled("half-3", 8), seven);
});

test("Reordered, a standard queue gives a later message before an earlier one, and loses none", async () => {
  const url = await create("shuffled");
  await set("reorder", 50);
  await sendTen(url);
  const bodies: string[] = [];
  for (let i = 0; i < 10; i++) bodies.push((await receive(url, { MaxNumberOfMessages: 1 }))[0]!.Body!);
  assert.notDeepEqual(bodies, bodies.toSorted());
  assert.deepEqual(bodies.toSorted(), [..."0123456789"]);
});

test("A FIFO queue keeps its promise, and what is not meant is left alone", async () => {
  const fifo = await create("kept.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  await set("duplicate", 100);
  await set("reorder", 100);
  await sendTen(fifo, { MessageGroupId: "g" });
  assert.deepEqual(
    (await receive(fifo)).map(({ Body }) => Body),
    [..."0123456789"],
  );
  assert.deepEqual(await receive(fifo), []);
  await cloud.aws.chaos({ clear: {} });
  await set("duplicate", 100, "other");
  const calm = await create("calm");
  await sqs.sendMessage({ QueueUrl: calm, MessageBody: "m" });
  assert.equal((await receive(calm)).length + (await receive(calm)).length, 1);
});
