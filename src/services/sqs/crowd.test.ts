import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Message, SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";
import { openStore } from "../../store/open.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
await cloud.aws.clock({ freeze: true });

const create = async (QueueName: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sqs.createQueue({ QueueName, Attributes })).QueueUrl!;
const receive = async (QueueUrl: string, more: object = {}): Promise<Message[]> =>
  (await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, ...more })).Messages ?? [];
const bodies = (messages: Message[]): (string | undefined)[] => messages.map(({ Body }) => Body);

/** Batches of ten. */
async function send(QueueUrl: string, count: number, group?: string): Promise<void> {
  const Entries = Array.from({ length: Math.min(count, 10) }, (_, i) => ({
    Id: String(i),
    MessageBody: group ?? "none",
    ...(group !== undefined && { MessageGroupId: group }),
  }));
  for (let left = count; left > 0; left -= 10)
    await sqs.sendMessageBatch({ QueueUrl, Entries: Entries.slice(0, left) });
}

test("A noisy message group of a standard queue does not make the others wait", async () => {
  const url = await create("fair");
  await send(url, 100, "noisy");
  for (const quiet of ["b", "c", "b"]) await send(url, 1, quiet);
  await send(url, 1);
  // 29 in flight make no noise: those behind wait for their turn.
  for (const most of [10, 10, 9])
    assert.ok((await receive(url, { MaxNumberOfMessages: most })).every(({ Body }) => Body === "noisy"));
  await cloud.advance(2_000);
  assert.deepEqual(bodies(await receive(url, { MaxNumberOfMessages: 1 })), ["noisy"]);
  await cloud.advance(2_000);
  // Now it holds 30, which is all: first comes who waited longest of the quiet, one of each group by turns, and then more of the noisy.
  assert.deepEqual(bodies(await receive(url)), ["b", "c", "none", "b", ...Array<string>(6).fill("noisy")]);
  assert.equal((await receive(url)).length, 10);
});

test("Where several are noisy, who holds least is served first", async () => {
  const url = await create("fair-2");
  await send(url, 60, "most");
  for (let i = 0; i < 4; i++) assert.equal((await receive(url)).length, 10);
  await send(url, 50, "less");
  await cloud.advance(2_000);
  for (let i = 0; i < 3; i++) assert.deepEqual(bodies(await receive(url)), Array<string>(10).fill("less"));
  await cloud.advance(2_000);
  // 40 of one and 30 of the other are in flight.
  assert.deepEqual(bodies(await receive(url)), Array<string>(10).fill("less"));
});

test("With 120,000 in flight a short poll is told OverLimit, a long poll waits, a FIFO queue gives nothing", async () => {
  const { config } = cloud.aws;
  const standard = await create("full");
  const fifo = await create("full.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  await send(standard, 1);
  await sqs.sendMessage({ QueueUrl: fifo, MessageBody: "x", MessageGroupId: "g" });
  const taken = await receive(standard);
  assert.equal(taken.length + (await receive(fifo)).length, 2);
  const store = await openStore(config.databaseUrl, config.dir, { durable: false });
  await store.write(async (tx) => {
    const columns = `message_id, body, attributes, sender_id, group_id, sent_ms, visible_ms, receives, received_ms`;
    const full = "number IN (SELECT number FROM sqs_queue WHERE name LIKE 'full%')";
    for (let count = 1; count < 120_000; count *= 2)
      await tx.run(
        `INSERT INTO sqs_message (queue_number, sequence, ${columns}) SELECT queue_number, sequence + :count, ${columns}
         FROM sqs_message WHERE queue_number IN (SELECT number FROM sqs_queue WHERE ${full})`,
        { count },
      );
  });
  await store.close();
  await cloud.advance(2_000);
  await send(standard, 1);
  await sqs.sendMessage({ QueueUrl: fifo, MessageBody: "y", MessageGroupId: "h" });
  await assert.rejects(receive(standard), {
    name: "OverLimit",
    message: "Too many messages in flight: the queue has reached the limit of 120000.",
  });
  const poll = receive(standard, { WaitTimeSeconds: 5 });
  assert.deepEqual(await receive(fifo), []);
  await cloud.advance(5_000);
  assert.deepEqual(await poll, []);
});
