// kill -9 while topics bring messages to queues: what Publish answered is in every queue, and a FIFO queue has it once and in order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { temporary, up } from "./bin.ts";

const LIMIT = { timeout: 120_000 };
const ROUNDS = 2;
const PUBLISHERS = 8;
/** Answered before the process is killed. */
const EACH = 80;
const GROUPS = 4;
const PLAIN = ["one", "two", "three"];
const arn = (service: string, name: string): string => `arn:aws:${service}:us-east-1:000000000000:${name}`;
const Policy = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Principal: { Service: "sns.amazonaws.com" }, Action: "sqs:SendMessage", Resource: "*" },
  ],
});

test("no message that was answered is lost, whatever moment the process is killed at", LIMIT, async () => {
  await using workspace = await temporary();
  /** What was answered, for each topic in the order of the answers of each publisher. */
  const answered = { plain: [] as string[], ordered: [] as string[] };
  for (let round = 0; round < ROUNDS; round++) {
    await using cloud = await up(workspace.dir);
    const client = clientOf(cloud.endpoint);
    const sns = new SNS(client);
    if (round === 0) await prepare(sns, new SQS(client));
    const publishers = Array.from({ length: PUBLISHERS }, (_, of) => publish(sns, `${round}-${of}`, answered));
    while (answered.ordered.length < (round + 1) * EACH) await new Promise((resolve) => setTimeout(resolve, 7));
    await cloud.stop("SIGKILL");
    await Promise.all(publishers);
    sns.destroy();
  }

  await using cloud = await up(workspace.dir);
  await fetch(`${cloud.endpoint}/_aws-like/settle`, { method: "POST" });
  const sqs = new SQS(clientOf(cloud.endpoint));
  for (const name of PLAIN) {
    const there = new Set((await drain(sqs, cloud.endpoint, name)).map(({ text }) => text));
    assert.deepEqual(
      answered.plain.filter((text) => !there.has(text)),
      [],
      `${name} has all`,
    );
  }
  const ordered = await drain(sqs, cloud.endpoint, "ordered.fifo");
  const there = new Set(ordered.map(({ text }) => text));
  assert.equal(there.size, ordered.length, "none is there twice");
  assert.deepEqual(
    answered.ordered.filter((text) => !there.has(text)),
    [],
    "the FIFO queue has all",
  );
  for (let group = 0; group < GROUPS; group++) {
    const numbers = ordered.filter((one) => one.group === `g${group}`).map(({ number }) => number);
    assert.deepEqual(numbers, numbers.toSorted(), `group ${group} is in the order of the topic`);
  }
  sqs.destroy();
});

const clientOf = (endpoint: string) => ({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
});

async function prepare(sns: SNS, sqs: SQS): Promise<void> {
  await sns.createTopic({ Name: "plain" });
  await sns.createTopic({ Name: "ordered.fifo", Attributes: { FifoTopic: "true", ContentBasedDeduplication: "true" } });
  for (const name of PLAIN) {
    await sqs.createQueue({ QueueName: name, Attributes: { Policy } });
    await sns.subscribe({ TopicArn: arn("sns", "plain"), Protocol: "sqs", Endpoint: arn("sqs", name) });
  }
  await sqs.createQueue({ QueueName: "ordered.fifo", Attributes: { Policy, FifoQueue: "true" } });
  const of = { Protocol: "sqs", Endpoint: arn("sqs", "ordered.fifo") };
  await sns.subscribe({ TopicArn: arn("sns", "ordered.fifo"), ...of });
  sqs.destroy();
}

/** One after the other until nobody answers; what was answered is noted. */
async function publish(sns: SNS, name: string, answered: { plain: string[]; ordered: string[] }): Promise<void> {
  for (let at = 0; ; at++)
    try {
      const text = `${name}-${at}`;
      await sns.publish({ TopicArn: arn("sns", "plain"), Message: text });
      answered.plain.push(text);
      await sns.publish({ TopicArn: arn("sns", "ordered.fifo"), Message: text, MessageGroupId: `g${at % GROUPS}` });
      answered.ordered.push(text);
    } catch (error) {
      if (
        "$metadata" in (error as object) &&
        (error as { $metadata: { httpStatusCode?: number } }).$metadata.httpStatusCode
      )
        throw error;
      return; // killed
    }
}

async function drain(sqs: SQS, endpoint: string, name: string) {
  const QueueUrl = `${endpoint}/000000000000/${name}`;
  const all: { text: string; group: string | undefined; number: string }[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.receiveMessage({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ["MessageGroupId"],
    });
    if (Messages.length === 0) return all;
    for (const { Body, Attributes } of Messages) {
      const { Message, SequenceNumber } = JSON.parse(Body!) as { Message: string; SequenceNumber: string };
      all.push({ text: Message, group: Attributes?.MessageGroupId, number: SequenceNumber });
    }
    const Entries = Messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
    await sqs.deleteMessageBatch({ QueueUrl, Entries });
  }
}
