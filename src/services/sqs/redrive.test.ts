import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Message, SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
await cloud.aws.clock({ freeze: true });

const ARN = "arn:aws:sqs:us-east-1:000000000000:";
const create = async (QueueName: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sqs.createQueue({ QueueName, Attributes })).QueueUrl!;
const receive = async (QueueUrl: string, more: object = {}): Promise<Message[]> =>
  (await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, ...more })).Messages ?? [];
const redrive = (target: string, maxReceiveCount: number | string) => ({
  RedrivePolicy: JSON.stringify({ deadLetterTargetArn: `${ARN}${target}`, maxReceiveCount }),
});

test("What was received too often goes to the dead-letter queue, with all it had", async () => {
  const dead = await create("dead");
  const url = await create("source", { VisibilityTimeout: "0", ...redrive("dead", "1") });
  const { MessageId } = await sqs.sendMessage({
    QueueUrl: url,
    MessageBody: "m",
    MessageAttributes: { MyAttribute: { DataType: "String", StringValue: "foobar" } },
  });
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "n" });
  const asked = { AttributeNames: ["All"], MessageAttributeNames: ["All"] };
  const before = await receive(url, asked);
  assert.deepEqual(
    before.map(({ Body, Attributes }) => [Body, Attributes!.ApproximateReceiveCount]),
    [
      ["m", "1"],
      ["n", "1"],
    ],
  );
  assert.deepEqual(await receive(dead), []);
  assert.deepEqual(await receive(url), []); // this receive finds them dead
  const [letter, other] = await receive(dead, asked);
  assert.equal(other!.Body, "n");
  const { ReceiptHandle: _, Attributes, ...rest } = letter!;
  assert.deepEqual(rest, {
    MessageId,
    Body: "m",
    MD5OfBody: "6f8f57715090da2632453988d9a1501b",
    MessageAttributes: { MyAttribute: { DataType: "String", StringValue: "foobar" } },
    MD5OfMessageAttributes: "adb59cd4678ea5a855436b949cd07ab6",
  });
  assert.equal(Attributes!.ApproximateReceiveCount, "2");
  assert.equal(Attributes!.DeadLetterQueueSourceArn, `${ARN}source`);
  assert.equal(Attributes!.SentTimestamp, before[0]!.Attributes!.SentTimestamp);
});

test("A long poll on the dead-letter queue is woken by the move; one receive passes over many dead", async () => {
  const dead = await create("dead-2");
  const url = await create("source-2", { VisibilityTimeout: "0", ...redrive("dead-2", 1) });
  for (const MessageBody of ["1", "2", "3"]) await sqs.sendMessage({ QueueUrl: url, MessageBody });
  assert.equal((await receive(url)).length, 3);
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "alive" });
  const poll = receive(dead, { WaitTimeSeconds: 20 });
  const alive = await receive(url, { MaxNumberOfMessages: 2, VisibilityTimeout: 30 });
  assert.deepEqual(
    alive.map(({ Body }) => Body),
    ["alive"],
  );
  assert.ok((await poll).length > 0);
});

test("A FIFO queue's dead letters keep their order", async () => {
  const dead = await create("dead.fifo", { FifoQueue: "true" });
  const url = await create("source.fifo", {
    FifoQueue: "true",
    ContentBasedDeduplication: "true",
    VisibilityTimeout: "0",
    ...redrive("dead.fifo", 1),
  });
  for (const MessageBody of ["1", "2", "3"]) await sqs.sendMessage({ QueueUrl: url, MessageBody, MessageGroupId: "g" });
  await receive(url);
  await receive(url);
  assert.deepEqual(
    (await receive(dead)).map(({ Body }) => Body),
    ["1", "2", "3"],
  );
});

test("Where the dead-letter queue was deleted, messages stay", async () => {
  const dead = await create("dead-3");
  const url = await create("source-3", { VisibilityTimeout: "0", ...redrive("dead-3", 1) });
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "stays" });
  await sqs.deleteQueue({ QueueUrl: dead });
  for (let n = 0; n < 3; n++) assert.equal((await receive(url)).length, 1);
});

test("A redrive policy is kept as AWS writes it, taken back with an empty text, and listed by its target", async () => {
  const dead = await create("dead-4");
  const url = await create("source-4", redrive("dead-4", "5"));
  const policy = async () =>
    (await sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: ["RedrivePolicy"] })).Attributes?.RedrivePolicy;
  assert.equal(await policy(), `{"deadLetterTargetArn":"${ARN}dead-4","maxReceiveCount":5}`);
  assert.equal(await create("source-4", redrive("dead-4", "5")), url);
  assert.deepEqual((await sqs.listDeadLetterSourceQueues({ QueueUrl: dead })).queueUrls, [url]);
  await sqs.setQueueAttributes({ QueueUrl: url, Attributes: { RedrivePolicy: "" } });
  assert.equal(await policy(), undefined);
  assert.deepEqual((await sqs.listDeadLetterSourceQueues({ QueueUrl: dead })).queueUrls, []);
});

const WRONG: [policy: string, reason: string][] = [
  ["nonsense", "Redrive policy is not a valid JSON map."],
  [`{"maxReceiveCount":1}`, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."],
  [`{"deadLetterTargetArn":"${ARN}dead"}`, "Redrive policy does not contain mandatory attribute: maxReceiveCount."],
  [
    `{"deadLetterTargetArn":"${ARN}dead","maxReceiveCount":1001}`,
    "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.",
  ],
  [`{"deadLetterTargetArn":"${ARN}nobody","maxReceiveCount":1}`, "Dead letter target does not exist."],
  [`{"deadLetterTargetArn":"dead","maxReceiveCount":1}`, "Invalid value for deadLetterTargetArn."],
  [
    `{"deadLetterTargetArn":"${ARN}dead.fifo","maxReceiveCount":1}`,
    "Dead-letter queue must be same type of queue as the source.",
  ],
  [
    `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:111111111111:dead","maxReceiveCount":1}`,
    "Dead-letter target owner should be same as the source.",
  ],
];
for (const [policy, reason] of WRONG)
  test(`The redrive policy ${policy} is refused`, async () => {
    await assert.rejects(create("never", { RedrivePolicy: policy }), {
      Code: "InvalidParameterValue",
      message: `Value ${policy} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
    });
  });
