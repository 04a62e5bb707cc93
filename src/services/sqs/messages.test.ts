import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { type Message, type SendMessageCommandInput, SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
await cloud.aws.clock({ freeze: true });

let made = 0;
const create = async (Attributes: Record<string, string> = {}): Promise<string> =>
  (await sqs.createQueue({ QueueName: `q${made++}`, Attributes })).QueueUrl!;
const send = (QueueUrl: string, MessageBody: string, more: Partial<SendMessageCommandInput> = {}) =>
  sqs.sendMessage({ QueueUrl, MessageBody, ...more });
const receive = async (QueueUrl: string, more: object = {}): Promise<Message[]> =>
  (await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, ...more })).Messages ?? [];
const bodies = (messages: Message[]): (string | undefined)[] => messages.map(({ Body }) => Body);
const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

test("A message is sent, received once within its visibility, and deleted", async () => {
  const url = await create();
  const sent = await send(url, "héllo");
  assert.equal(sent.MD5OfMessageBody, md5("héllo"));
  const [message, ...others] = await receive(url, { MessageSystemAttributeNames: ["All"] });
  assert.equal(others.length, 0);
  const { ReceiptHandle, Attributes, ...rest } = message!;
  assert.deepEqual(rest, { MessageId: sent.MessageId, MD5OfBody: md5("héllo"), Body: "héllo" });
  assert.equal(Attributes!.SenderId, "000000000000");
  assert.equal(Attributes!.ApproximateReceiveCount, "1");
  assert.deepEqual(Object.keys(Attributes!).sort(), [
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "SenderId",
    "SentTimestamp",
  ]);
  assert.deepEqual(await receive(url), []);
  await sqs.deleteMessage({ QueueUrl: url, ReceiptHandle: ReceiptHandle! });
  await cloud.advance(60_000);
  assert.deepEqual(await receive(url), []);
});

test("A message comes back when its visibility ends, with a new handle and its count", async () => {
  const url = await create({ VisibilityTimeout: "10" });
  await send(url, "x");
  const [first] = await receive(url);
  await cloud.advance(9_999);
  assert.deepEqual(await receive(url), []);
  await cloud.advance(1);
  const [second] = await receive(url, { AttributeNames: ["ApproximateReceiveCount"], VisibilityTimeout: 0 });
  assert.deepEqual(second!.Attributes, { ApproximateReceiveCount: "2" });
  assert.notEqual(second!.ReceiptHandle, first!.ReceiptHandle);
  // An old handle deletes nothing, and says nothing.
  await sqs.deleteMessage({ QueueUrl: url, ReceiptHandle: first!.ReceiptHandle! });
  const [third] = await receive(url, { VisibilityTimeout: 1 });
  await cloud.advance(1_000);
  // After its visibility a handle still deletes, as long as nobody else has received.
  await sqs.deleteMessage({ QueueUrl: url, ReceiptHandle: third!.ReceiptHandle! });
  assert.deepEqual(await receive(url), []);
});

test("Delays: the queue's, the message's own, and the counts that tell", async () => {
  const url = await create({ DelaySeconds: "5" });
  await send(url, "queue's");
  await send(url, "own", { DelaySeconds: 2 });
  await send(url, "at once", { DelaySeconds: 0 });
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: ["All"] });
  assert.equal(Attributes!.ApproximateNumberOfMessagesDelayed, "2");
  assert.equal(Attributes!.ApproximateNumberOfMessages, "1");
  assert.deepEqual(bodies(await receive(url)), ["at once"]);
  await cloud.advance(2_000);
  assert.deepEqual(bodies(await receive(url)), ["own"]);
  await cloud.advance(3_000);
  assert.deepEqual(bodies(await receive(url)), ["queue's"]);
  const after = await sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: ["All"] });
  assert.equal(after.Attributes!.ApproximateNumberOfMessagesNotVisible, "3");
});

test("Messages are gone after the retention period", async () => {
  const url = await create({ MessageRetentionPeriod: "60" });
  await send(url, "x");
  await cloud.advance(60_001);
  assert.deepEqual(await receive(url), []);
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: ["All"] });
  assert.equal(Attributes!.ApproximateNumberOfMessages, "0");
});

test("ChangeMessageVisibility: longer, at once, and twelve hours at most", async () => {
  const url = await create();
  await send(url, "x");
  const [message] = await receive(url, { VisibilityTimeout: 10 });
  const handle = { QueueUrl: url, ReceiptHandle: message!.ReceiptHandle! };
  await sqs.changeMessageVisibility({ ...handle, VisibilityTimeout: 20 });
  await cloud.advance(15_000);
  assert.deepEqual(await receive(url), []);
  await assert.rejects(sqs.changeMessageVisibility({ ...handle, VisibilityTimeout: 43_200 }), {
    Code: "InvalidParameterValue",
    message:
      "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
  });
  await sqs.changeMessageVisibility({ ...handle, VisibilityTimeout: 0 });
  assert.deepEqual(bodies(await receive(url)), ["x"]);
  await assert.rejects(sqs.changeMessageVisibility({ ...handle, VisibilityTimeout: 1 }), {
    Code: "InvalidParameterValue",
    message: `Value ${handle.ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
  });
});

test("A receipt handle that never was one is refused", async () => {
  const url = await create();
  await assert.rejects(sqs.deleteMessage({ QueueUrl: url, ReceiptHandle: "garbage" }), {
    name: "ReceiptHandleIsInvalid",
    message: 'The input receipt handle "garbage" is not a valid receipt handle.',
  });
});

test("A long poll is woken by the message that is sent meanwhile", async () => {
  const url = await create();
  const one = { WaitTimeSeconds: 20, MaxNumberOfMessages: 1 };
  const polls = [receive(url, one), receive(url, one)];
  await polling(2);
  await send(url, "one");
  await send(url, "two");
  assert.deepEqual((await Promise.all(polls)).flatMap(bodies).sort(), ["one", "two"]);
});

test("A long poll ends empty when the clock has passed its time, and takes what becomes visible before", async () => {
  const url = await create();
  await send(url, "late", { DelaySeconds: 10 });
  const early = receive(url, { WaitTimeSeconds: 5 });
  const late = receive(url, { WaitTimeSeconds: 15 });
  await polling(2);
  await cloud.advance(5_000);
  assert.deepEqual(await early, []);
  await cloud.advance(5_000);
  assert.deepEqual(bodies(await late), ["late"]);
});

/** Requests that wait do not say so: they have read the store by the time another request was answered. */
async function polling(count: number): Promise<void> {
  for (let n = 0; n < 10 * count; n++) await sqs.listQueues({});
}

test("Competing receivers never get the same message twice", async () => {
  const url = await create();
  const sent = Array.from({ length: 100 }, (_, n) => `m${n}`);
  for (let n = 0; n < 100; n += 10)
    await sqs.sendMessageBatch({
      QueueUrl: url,
      Entries: sent.slice(n, n + 10).map((MessageBody, i) => ({ Id: `${i}`, MessageBody })),
    });
  const got: (string | undefined)[] = [];
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (;;) {
        const messages = await receive(url, { MaxNumberOfMessages: 3 });
        if (messages.length === 0) return;
        got.push(...bodies(messages));
      }
    }),
  );
  assert.deepEqual(got.sort(), sent.sort());
});

test("Message attributes come back where they are asked for, with the digest of what is told", async () => {
  const url = await create();
  const MessageAttributes = {
    Hello: { DataType: "String", StringValue: "There" },
    "Help.Me": { DataType: "String", StringValue: "Me" },
    General: { DataType: "String", StringValue: "Kenobi" },
  };
  // Recorded digests: the SDK checks them too.
  const sent = await send(url, "msg", { MessageAttributes });
  assert.equal(sent.MD5OfMessageAttributes, "4c360f3fdafd970e05fae2f149d997f5");
  const asked = async (...MessageAttributeNames: string[]) => {
    const [message] = await receive(url, { MessageAttributeNames, VisibilityTimeout: 0 });
    return [
      Object.keys(message!.MessageAttributes ?? {})
        .sort()
        .join(" "),
      message!.MD5OfMessageAttributes,
    ];
  };
  assert.deepEqual(await asked(), ["", undefined]);
  assert.deepEqual(await asked("All"), ["General Hello Help.Me", "4c360f3fdafd970e05fae2f149d997f5"]);
  assert.deepEqual(await asked(".*"), ["General Hello Help.Me", "4c360f3fdafd970e05fae2f149d997f5"]);
  assert.deepEqual(await asked("Foo"), ["", undefined]);
  assert.deepEqual(await asked("Hello", "General"), ["General Hello", "fca026605781cb4126a1e9044df24232"]);
  assert.deepEqual(await asked("Foo", "Hello"), ["Hello", "a311262e065454b75da111d535b8dacd"]);
  assert.deepEqual(await asked("Hel.*"), ["Hello Help.Me", "83fee93c1bcd8b9a5a923ffacdc636c7"]);
});

test("Binary attributes and a trace header travel unchanged", async () => {
  const url = await create();
  const BinaryValue = Uint8Array.of(0, 255, 30, 128);
  await send(url, "x", {
    MessageAttributes: { b: { DataType: "Binary.raw", BinaryValue } },
    MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: "Root=1-2-3" } },
  });
  const [message] = await receive(url, { MessageAttributeNames: ["All"], AttributeNames: ["AWSTraceHeader"] });
  assert.deepEqual(message!.MessageAttributes!.b, { DataType: "Binary.raw", BinaryValue });
  assert.deepEqual(message!.Attributes, { AWSTraceHeader: "Root=1-2-3" });
});

const invalid = "InvalidParameterValue";
const attribute = (name: string, DataType: string, StringValue: string): Partial<SendMessageCommandInput> => ({
  MessageAttributes: { [name]: { DataType, StringValue } },
});
const WRONG_MESSAGES: [
  what: string,
  body: string,
  more: Partial<SendMessageCommandInput>,
  code: string,
  message: string,
][] = [
  ["no body", "", {}, "MissingParameter", "The request must contain the parameter MessageBody."],
  [
    "a control character",
    "a\u0001",
    {},
    "InvalidMessageContents",
    "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
  ],
  [
    "a delay of more than 15 minutes",
    "x",
    { DelaySeconds: 901 },
    invalid,
    "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
  ],
  [
    "a deduplication id on a standard queue",
    "x",
    { MessageDeduplicationId: "d" },
    invalid,
    "Value d for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.",
  ],
  [
    "a group with a space",
    "x",
    { MessageGroupId: "group 123" },
    invalid,
    "Value group 123 for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
  ],
  [
    "an empty attribute",
    "x",
    attribute("ErrorDetails", "String", ""),
    invalid,
    "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'.",
  ],
  [
    "a number that is none",
    "x",
    attribute("n", "Number", "world"),
    invalid,
    "Can't cast the value of message (user) attribute 'n' to a number.",
  ],
  [
    "an unknown type",
    "x",
    attribute("t", "Text", "x"),
    invalid,
    "The type of message (user) attribute 't' is invalid. You must use only the following supported type prefixes: Binary, Number, String.",
  ],
  [
    "eleven attributes",
    "x",
    {
      MessageAttributes: Object.fromEntries(
        Array.from({ length: 11 }, (_, n) => [`a${n}`, { DataType: "String", StringValue: "x" }]),
      ),
    },
    invalid,
    "Number of message attributes [11] exceeds the allowed maximum [10].",
  ],
  [
    "more than the queue takes",
    "x".repeat(1025),
    {},
    invalid,
    "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
  ],
  [
    "more than the queue takes, with its attributes",
    "x".repeat(1016),
    attribute("ab", "String", "x"),
    invalid,
    "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
  ],
];
for (const [what, body, more, Code, message] of WRONG_MESSAGES)
  test(`SendMessage refuses ${what}`, async () => {
    const url = await create({ MaximumMessageSize: "1024" });
    await assert.rejects(send(url, body, more), { Code, message });
    assert.deepEqual(await receive(url), []);
  });

const WRONG_RECEIVES: [input: object, message: string][] = [
  [
    { MaxNumberOfMessages: 11 },
    "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
  ],
  [
    { WaitTimeSeconds: 21 },
    "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
  ],
  [
    { WaitTimeSeconds: -1 },
    "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
  ],
  [
    { VisibilityTimeout: 43_201 },
    "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.",
  ],
];
for (const [input, message] of WRONG_RECEIVES)
  test(`ReceiveMessage refuses ${JSON.stringify(input)}`, async () => {
    const url = await create();
    await assert.rejects(receive(url, input), { Code: "InvalidParameterValue", message });
  });

test("A batch succeeds and fails entry by entry", async () => {
  const url = await create({ MaximumMessageSize: "1024" });
  const sent = await sqs.sendMessageBatch({
    QueueUrl: url,
    Entries: [
      { Id: "good", MessageBody: "x" },
      { Id: "long", MessageBody: "y".repeat(1025) },
    ],
  });
  assert.deepEqual(
    sent.Successful!.map(({ Id, MD5OfMessageBody }) => [Id, MD5OfMessageBody]),
    [["good", md5("x")]],
  );
  assert.deepEqual(sent.Failed, [
    {
      Id: "long",
      SenderFault: true,
      Code: "InvalidParameterValue",
      Message: "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
    },
  ]);
  const [message] = await receive(url);
  const { ReceiptHandle } = message!;
  const changed = await sqs.changeMessageVisibilityBatch({
    QueueUrl: url,
    Entries: [
      { Id: "a", ReceiptHandle, VisibilityTimeout: 60 },
      { Id: "b", ReceiptHandle: "garbage", VisibilityTimeout: 60 },
    ],
  });
  assert.deepEqual(
    [changed.Successful, changed.Failed!.map(({ Code }) => Code)],
    [[{ Id: "a" }], ["ReceiptHandleIsInvalid"]],
  );
  const deleted = await sqs.deleteMessageBatch({
    QueueUrl: url,
    Entries: [
      { Id: "a", ReceiptHandle },
      { Id: "b", ReceiptHandle: "garbage" },
    ],
  });
  assert.deepEqual([deleted.Successful, deleted.Failed!.map(({ Id }) => Id)], [[{ Id: "a" }], ["b"]]);
  await cloud.advance(120_000);
  assert.deepEqual(await receive(url), []);
});

test("A batch as a whole is refused when it is empty, too large, or its ids are wrong", async () => {
  const QueueUrl = await create();
  const batch = (...ids: string[]) =>
    sqs.sendMessageBatch({ QueueUrl, Entries: ids.map((Id) => ({ Id, MessageBody: "x" })) });
  await assert.rejects(batch(), {
    name: "EmptyBatchRequest",
    message: "There should be at least one SendMessageBatchRequestEntry in the request.",
  });
  await assert.rejects(batch(..."abcdefghijk"), {
    name: "TooManyEntriesInBatchRequest",
    message: "Maximum number of entries per request are 10. You have sent 11.",
  });
  await assert.rejects(batch("a", "a"), { name: "BatchEntryIdsNotDistinct", message: "Id a repeated." });
  await assert.rejects(batch("a:b"), { name: "InvalidBatchEntryId" });
  const half = "x".repeat(524_288);
  await assert.rejects(
    sqs.sendMessageBatch({
      QueueUrl,
      Entries: [
        { Id: "a", MessageBody: half },
        { Id: "b", MessageBody: `${half}x` },
      ],
    }),
    {
      name: "BatchRequestTooLong",
      message: "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
    },
  );
});
