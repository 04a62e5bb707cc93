import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  CreateTopicCommand,
  PublishBatchCommand,
  type PublishBatchRequestEntry,
  PublishCommand,
  type PublishCommandInput,
  SetSubscriptionAttributesCommand,
  SetTopicAttributesCommand,
  SNSClient,
  SubscribeCommand,
  UnsubscribeCommand,
} from "@aws-sdk/client-sns";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  type Message,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sns = cloud.client(SNSClient);
const sqs = cloud.client(SQSClient);

const topic = async (Name: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sns.send(new CreateTopicCommand({ Name, Attributes }))).TopicArn!;

/** A queue that takes what topics bring. */
async function queue(QueueName: string, attributes: Record<string, string> = {}) {
  const Policy = policy(allow("sqs:SendMessage", { Principal: { Service: "sns.amazonaws.com" } }));
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes: { ...attributes, Policy } }));
  return { url: QueueUrl!, arn: `arn:aws:sqs:us-east-1:000000000000:${QueueName}` };
}

const subscribe = async (
  TopicArn: string,
  Endpoint: string,
  Attributes: Record<string, string> = {},
): Promise<string> =>
  (await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint, Attributes }))).SubscriptionArn!;
const publish = async (TopicArn: string, Message: string, more: Partial<PublishCommandInput> = {}) => {
  const sent = await sns.send(new PublishCommand({ TopicArn, Message, ...more }));
  await cloud.settle();
  return sent;
};
async function receive(url: string): Promise<Message[]> {
  await cloud.settle();
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All"],
    }),
  );
  return Messages;
}
const bodies = async (url: string): Promise<string[]> => (await receive(url)).map(({ Body }) => Body!);
const texts = async (url: string): Promise<string[]> => (await bodies(url)).map((body) => JSON.parse(body).Message);
const invalid = (said: string): string => `InvalidParameter 400 Invalid parameter: ${said}`;
const number = (StringValue: string) => ({ DataType: "Number", StringValue });

test("a queue gets the envelope: its members and its blanks are AWS's", async () => {
  const TopicArn = await topic("enveloped");
  const { url, arn } = await queue("enveloped");
  const SubscriptionArn = await subscribe(TopicArn, arn);
  const { MessageId } = await publish(TopicArn, 'Hello "world"', {
    Subject: "Greeting",
    MessageAttributes: {
      n: number("1.5"),
      b: { DataType: "Binary", BinaryValue: Buffer.from([2, 3, 4]) },
    },
  });
  const [body] = await bodies(url);
  const { Timestamp, Signature, SigningCertURL } = JSON.parse(body!);
  assert.match(Timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(
    body,
    `{
  "Type" : "Notification",
  "MessageId" : "${MessageId}",
  "TopicArn" : "${TopicArn}",
  "Subject" : "Greeting",
  "Message" : "Hello \\"world\\"",
  "Timestamp" : "${Timestamp}",
  "SignatureVersion" : "1",
  "Signature" : "${Signature}",
  "SigningCertURL" : "${SigningCertURL}",
  "UnsubscribeURL" : "${cloud.endpoint}/?Action=Unsubscribe&SubscriptionArn=${SubscriptionArn}",
  "MessageAttributes" : {
    "n" : {"Type":"Number","Value":"1.5"},
    "b" : {"Type":"Binary","Value":"AgME"}
  }
}`,
  );
});

test("raw delivery brings the text and the attributes as they are", async () => {
  const TopicArn = await topic("raw");
  const { url, arn } = await queue("raw");
  await subscribe(TopicArn, arn, { RawMessageDelivery: "true" });
  await publish(TopicArn, "Test msg", {
    MessageAttributes: { attr1: number("99.12"), b: { DataType: "Binary", BinaryValue: Buffer.from([2, 3, 4]) } },
  });
  const [message] = await receive(url);
  assert.equal(message!.Body, "Test msg");
  assert.deepEqual(message!.MessageAttributes!.attr1, number("99.12"));
  assert.deepEqual([...message!.MessageAttributes!.b!.BinaryValue!], [2, 3, 4]);
});

test("a structured message has a text for each protocol", async () => {
  const TopicArn = await topic("structured");
  const { url, arn } = await queue("structured");
  await subscribe(TopicArn, arn);
  const structured = (value: unknown) =>
    publish(TopicArn, typeof value === "string" ? value : JSON.stringify(value), { MessageStructure: "json" });
  await structured({ default: "for all", sqs: '{"field":"value"}' });
  await structured({ default: "for all", lambda: "for functions" });
  assert.deepEqual((await texts(url)).sort(), ["for all", '{"field":"value"}']);
  assert.equal(
    await refusal(structured({ sqs: "x" })),
    invalid("Message Structure - No default entry in JSON message body"),
  );
  assert.equal(
    await refusal(structured({ default: { object: 1 } })),
    invalid("Message Structure - No default entry in JSON message body"),
  );
  assert.equal(await refusal(structured("no json")), invalid("Message Structure - JSON message body failed to parse"));
});

test("what cannot be published is refused in AWS's words", async () => {
  const TopicArn = await topic("refusing");
  const send = (more: Partial<PublishCommandInput>) => refusal(publish(TopicArn, "x", more));
  const cases: [Partial<PublishCommandInput>, string][] = [
    [{ Message: "" }, "Empty message"],
    [{ Message: "x".repeat(262_145) }, "Message too long"],
    [{ Message: "x".repeat(262_140), MessageAttributes: { a: number("1") } }, "Message too long"],
    [{ Subject: "" }, "Subject"],
    [{ Subject: "two\nlines" }, "Subject"],
    [{ Subject: "x".repeat(101) }, "Subject"],
    [
      { MessageDeduplicationId: "d" },
      "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type",
    ],
    [{ TopicArn: "randomstring" }, "TopicArn Reason: An ARN must have at least 6 elements, not 1"],
    [{ TopicArn: "" }, "TopicArn Reason: An ARN must have at least 6 elements, not 1"],
    [{ TopicArn: "arn:aws:sns:eu-west-1:000000000000:t" }, "TopicArn"],
    [
      { TopicArn: undefined, TargetArn: "arn:aws:sns:us-east-1:000000000000:endpoint/APNS/abcdef/0f7d5971" },
      "TargetArn Reason: No endpoint found for the target arn specified",
    ],
    [{ TopicArn: undefined }, "TopicArn or TargetArn Reason: no value for required parameter"],
    [{ TopicArn: undefined, PhoneNumber: "+1a234" }, "PhoneNumber Reason: +1a234 is not valid to publish to"],
  ];
  for (const [more, said] of cases) assert.equal(await send(more), invalid(said));
  assert.equal(await send({ TopicArn: `${TopicArn}x` }), "NotFound 404 Topic does not exist");
  assert.ok((await publish(TopicArn, "x", { TopicArn: undefined, TargetArn: TopicArn })).MessageId);
});

test("message attributes are judged as AWS judges them", async () => {
  const TopicArn = await topic("attributed");
  const send = (name: string, value: object) =>
    refusal(publish(TopicArn, "x", { MessageAttributes: { [name]: value as { DataType: string } } }));
  const empty = (type: string) =>
    `The message attribute 'a' must contain non-empty message attribute value for message attribute type '${type}'.`;
  const bytes = Buffer.from("x");
  const cases: [string, object, string][] = [
    ["a", { DataType: "String", StringValue: "" }, empty("String")],
    ["a", { DataType: "Binary" }, empty("Binary")],
    [
      "a",
      { DataType: "String", BinaryValue: bytes },
      "The message attribute 'a' with type 'String' must use field 'String'.",
    ],
    [
      "a",
      { DataType: "Number", BinaryValue: bytes },
      "The message attribute 'a' with type 'Number' must use field 'String'.",
    ],
    [
      "a",
      { DataType: "Binary", StringValue: "x" },
      "The message attribute 'a' with type 'Binary' must use field 'Binary'.",
    ],
    [
      "a",
      { DataType: "Invalid", StringValue: "x" },
      "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
    ],
    ["x".repeat(257), number("1"), "Length of message attribute name must be less than 256 bytes."],
    [
      "a^b",
      number("1"),
      "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.",
    ],
    [".a", number("1"), "Invalid message attribute name starting with character '.' was found."],
    ["a.", number("1"), "Invalid message attribute name ending with character '.' was found."],
    ["a..b", number("1"), "Message attribute name can not have successive '.' character."],
  ];
  for (const [name, value, said] of cases) assert.equal(await send(name, value), `ParameterValueInvalid 400 ${said}`);
  assert.equal(
    await send("a", { StringValue: "x" }),
    "ValidationError 400 1 validation error detected: Value null at 'messageAttributes.a.member.dataType' failed to satisfy constraint: Member must not be null",
  );
});

test("a filter lets through what its policy says, by attributes or by the body", async () => {
  const TopicArn = await topic("filtered");
  const byAttribute = await queue("by-attribute");
  const byBody = await queue("by-body");
  const one = await subscribe(TopicArn, byAttribute.arn, {
    FilterPolicy: '{"store":["a",{"prefix":"b"}],"price":[{"numeric":[">",0,"<=",100]}]}',
  });
  await subscribe(TopicArn, byBody.arn, {
    FilterPolicyScope: "MessageBody",
    FilterPolicy: '{"order":{"kind":[{"anything-but":"test"}]}}',
  });
  const store = (StringValue: string) => ({ DataType: "String", StringValue });
  await publish(TopicArn, "1", { MessageAttributes: { store: store("a"), price: number("100") } });
  await publish(TopicArn, "2", { MessageAttributes: { store: store("bcd"), price: number("101") } });
  await publish(TopicArn, "3", { MessageAttributes: { store: store("bcd"), price: number("1") } });
  await publish(TopicArn, "4", { MessageAttributes: { store: store("c"), price: number("1") } });
  await publish(TopicArn, '{"order":{"kind":"test"}}');
  await publish(TopicArn, '{"order":{"kind":"real"}}');
  assert.deepEqual((await texts(byAttribute.url)).sort(), ["1", "3"]);
  assert.deepEqual(await texts(byBody.url), ['{"order":{"kind":"real"}}']);
  await sns.send(
    new SetSubscriptionAttributesCommand({ SubscriptionArn: one, AttributeName: "FilterPolicy", AttributeValue: "{}" }),
  );
  await publish(TopicArn, "all");
  assert.deepEqual(await texts(byAttribute.url), ["all"]);
});

test("a batch: its errors of the whole, and those of an entry", async () => {
  const TopicArn = await topic("batched");
  const { url, arn } = await queue("batched");
  await subscribe(TopicArn, arn);
  const batch = (...entries: PublishBatchRequestEntry[]) =>
    sns.send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: entries }));
  const entry = (Id: string, more: Partial<PublishBatchRequestEntry> = {}) => ({ Id, Message: Id, ...more });
  const { Successful, Failed } = await batch(entry("1"), entry("2", { Subject: "two\nlines" }), entry("3"));
  assert.deepEqual(
    Successful!.map(({ Id }) => Id),
    ["1", "3"],
  );
  assert.deepEqual(Failed, [
    { Id: "2", Code: "InvalidParameter", Message: "Invalid parameter: Subject", SenderFault: true },
  ]);
  assert.deepEqual((await texts(url)).sort(), ["1", "3"]);
  const half = "x".repeat(131_073);
  const cases: [PublishBatchRequestEntry[], string][] = [
    [[], "EmptyBatchRequest 400 The batch request doesn't contain any entries."],
    [
      Array.from({ length: 11 }, (_, at) => entry(String(at))),
      "TooManyEntriesInBatchRequest 400 The batch request contains more entries than permissible.",
    ],
    [
      [entry("a"), entry("a")],
      "BatchEntryIdsNotDistinct 400 Two or more batch entries in the request have the same Id.",
    ],
    [
      [entry("message.id")],
      "InvalidBatchEntryId 400 The Id of a batch entry in the batch request contains an impermissible character: message.id",
    ],
    [
      [entry("a".repeat(81))],
      `InvalidBatchEntryId 400 The Id of a batch entry in the batch request is too long: ${"a".repeat(81)}`,
    ],
    [
      [entry("a", { Message: half }), entry("b", { Message: half })],
      "BatchRequestTooLong 400 The length of all the messages put together is more than the limit.",
    ],
    [
      [entry("a", { MessageStructure: "json", Message: "{}" })],
      invalid("Message Structure - No default entry in JSON message body"),
    ],
  ];
  for (const [entries, said] of cases) assert.equal(await refusal(batch(...entries)), said);
});

test("what a queue refuses goes to the subscription's dead letters, as it was", async () => {
  const TopicArn = await topic("refused");
  const { url, arn } = await queue("gone");
  const dead = await queue("dead");
  const SubscriptionArn = await subscribe(TopicArn, arn, {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn }),
  });
  await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
  await publish(TopicArn, "one", { Subject: "s", MessageAttributes: { a: number("1") } });
  const [body] = await bodies(dead.url);
  const { Message, Subject, MessageAttributes } = JSON.parse(body!);
  assert.deepEqual([Message, Subject, MessageAttributes], ["one", "s", { a: { Type: "Number", Value: "1" } }]);
  const raw = { SubscriptionArn, AttributeName: "RawMessageDelivery", AttributeValue: "true" };
  await sns.send(new SetSubscriptionAttributesCommand(raw));
  await publish(TopicArn, "two");
  assert.deepEqual(await bodies(dead.url), ["two"]);
});

test("a queue whose policy does not let the topic in gets nothing", async () => {
  const TopicArn = await topic("shut-out");
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "shut" }));
  await subscribe(TopicArn, "arn:aws:sqs:us-east-1:000000000000:shut");
  await publish(TopicArn, "lost");
  assert.deepEqual(await bodies(QueueUrl!), []);
  const condition = { ArnEquals: { "aws:SourceArn": TopicArn }, StringEquals: { "aws:SourceAccount": "000000000000" } };
  const Policy = policy(
    allow("sqs:SendMessage", { Principal: { Service: "sns.amazonaws.com" }, Condition: condition }),
  );
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  await publish(TopicArn, "found");
  assert.deepEqual(await texts(QueueUrl!), ["found"]);
});

test("a queue that fails, or is too busy, gets its message later, as do those behind it in a FIFO group", async () => {
  const TopicArn = await topic("patient");
  const fifoTopic = await topic("patient.fifo", { FifoTopic: "true", ContentBasedDeduplication: "true" });
  const { url, arn } = await queue("patient");
  const fifo = await queue("patient.fifo", { FifoQueue: "true" });
  await subscribe(TopicArn, arn);
  await subscribe(fifoTopic, fifo.arn);
  for (const [kind, what] of [
    ["fail", "arn:aws:sqs:*:patient*"],
    ["throttle", "sqs:SendMessage"],
  ] as const) {
    await cloud.aws.clock({ freeze: true });
    await cloud.aws.chaos({ set: { kind, what, percent: 100 } });
    await sns.send(new PublishCommand({ TopicArn, Message: kind }));
    for (const at of ["1", "2"])
      await sns.send(new PublishCommand({ TopicArn: fifoTopic, Message: `${kind} ${at}`, MessageGroupId: "g" }));
    await cloud.settle();
    assert.deepEqual(await texts(url), []);
    await cloud.aws.chaos({ clear: {} });
    await cloud.advance(60_000);
    assert.deepEqual((await texts(url)).includes(kind), true);
    assert.deepEqual(
      (await texts(fifo.url)).filter((text) => text.startsWith(kind)),
      [`${kind} 1`, `${kind} 2`],
    );
    await sqs.send(new PurgeQueueCommand({ QueueUrl: url }));
    await sqs.send(new PurgeQueueCommand({ QueueUrl: fifo.url }));
    await cloud.advance(61_000);
    await cloud.aws.clock({ resume: true });
  }
});

test("the link in a notification ends its subscription, without a signature", async () => {
  const TopicArn = await topic("linked");
  const { url, arn } = await queue("linked");
  await subscribe(TopicArn, arn);
  await publish(TopicArn, "x");
  const [body] = await bodies(url);
  const answer = await fetch(JSON.parse(body!).UnsubscribeURL);
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /<UnsubscribeResponse/);
  await publish(TopicArn, "y");
  assert.deepEqual(await bodies(url), []);
});

test("a standard queue of a standard topic gets the message group", async () => {
  const TopicArn = await topic("fair");
  const { url, arn } = await queue("fair");
  await subscribe(TopicArn, arn);
  await publish(TopicArn, "x", { MessageGroupId: "tenant" });
  const [message] = await receive(url);
  assert.equal(message!.Attributes!.MessageGroupId, "tenant");
});

test("a FIFO topic keeps each group's order, numbers its messages and sends none twice in five minutes", async () => {
  const TopicArn = await topic("ordered.fifo", { FifoTopic: "true", ContentBasedDeduplication: "true" });
  const { url, arn } = await queue("ordered.fifo", { FifoQueue: "true" });
  const plain = await queue("unordered");
  await subscribe(TopicArn, arn);
  await subscribe(TopicArn, plain.arn, { RawMessageDelivery: "true" });
  const PublishBatchRequestEntries = ["1", "2", "3"].map((Id) => ({ Id, Message: `m${Id}`, MessageGroupId: "g" }));
  const { Successful } = await sns.send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries }));
  const numbers = Successful!.map(({ SequenceNumber }) => SequenceNumber!);
  assert.deepEqual(numbers, [...numbers].sort());
  assert.match(numbers[0]!, /^1\d{19}$/);
  const again = await publish(TopicArn, "m1", { MessageGroupId: "g" });
  assert.equal(again.SequenceNumber, numbers[0]);
  await publish(TopicArn, "m4", { MessageGroupId: "g", MessageDeduplicationId: "own" });
  const received = await receive(url);
  const said = received.map(({ Body }) => JSON.parse(Body!));
  assert.deepEqual(
    said.map(({ Message }) => Message),
    ["m1", "m2", "m3", "m4"],
  );
  assert.deepEqual(Object.keys(said[0]), [
    "Type",
    "MessageId",
    "SequenceNumber",
    "TopicArn",
    "Message",
    "Timestamp",
    "UnsubscribeURL",
  ]);
  assert.equal(said[0].SequenceNumber, numbers[0]);
  assert.deepEqual(
    received.map(({ Attributes }) => [Attributes!.MessageGroupId, Attributes!.MessageDeduplicationId]).at(-1),
    ["g", "own"],
  );
  const loose = await receive(plain.url);
  assert.deepEqual(loose.map(({ Body }) => Body).sort(), ["m1", "m2", "m3", "m4"]);
  assert.equal(loose[0]!.Attributes!.MessageGroupId, undefined);
  await cloud.advance(301_000);
  await publish(TopicArn, "m1", { MessageGroupId: "g" });
  const anew = (await bodies(plain.url)).filter((body) => body === "m1");
  assert.equal(anew.length, 2); // the first has become visible again
});

test("a FIFO topic wants a group and an id; by its scope the id is the group's", async () => {
  const TopicArn = await topic("strict.fifo", { FifoTopic: "true", FifoThroughputScope: "MessageGroup" });
  const send = (more: object) => sns.send(new PublishCommand({ TopicArn, Message: "x", ...more }));
  assert.equal(
    await refusal(send({ MessageDeduplicationId: "d" })),
    invalid("The MessageGroupId parameter is required for FIFO topics"),
  );
  assert.equal(
    await refusal(send({ MessageGroupId: "g" })),
    invalid(
      "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    ),
  );
  const numbers = [];
  for (const MessageGroupId of ["a", "b", "a"])
    numbers.push((await send({ MessageGroupId, MessageDeduplicationId: "d" })).SequenceNumber);
  assert.equal(numbers[0], numbers[2]);
  assert.notEqual(numbers[0], numbers[1]);
});

test("what a FIFO queue refuses goes to FIFO dead letters, and what waits behind it goes on", async () => {
  const TopicArn = await topic("dead.fifo", { FifoTopic: "true" });
  const { url, arn } = await queue("gone.fifo", { FifoQueue: "true" });
  const dead = await queue("buried.fifo", { FifoQueue: "true" });
  const standard = await queue("buried");
  const redrive = (deadLetterTargetArn: string) => ({ RedrivePolicy: JSON.stringify({ deadLetterTargetArn }) });
  assert.equal(
    await refusal(subscribe(TopicArn, arn, redrive(standard.arn))),
    invalid("Attributes Reason: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."),
  );
  await subscribe(TopicArn, arn, redrive(dead.arn));
  await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
  for (const id of ["1", "2", "3"])
    await sns.send(new PublishCommand({ TopicArn, Message: id, MessageGroupId: "g", MessageDeduplicationId: id }));
  assert.deepEqual(await texts(dead.url), ["1", "2", "3"]);
});

test("a message is not brought to who unsubscribed before it could be", async () => {
  const TopicArn = await topic("late.fifo", { FifoTopic: "true", ContentBasedDeduplication: "true" });
  const { url, arn } = await queue("late.fifo", { FifoQueue: "true" });
  const SubscriptionArn = await subscribe(TopicArn, arn);
  await publish(TopicArn, "before", { MessageGroupId: "g" });
  await sns.send(new UnsubscribeCommand({ SubscriptionArn }));
  await publish(TopicArn, "after", { MessageGroupId: "g" });
  assert.deepEqual(await texts(url), ["before"]);
  await sns.send(
    new SetTopicAttributesCommand({ TopicArn, AttributeName: "ContentBasedDeduplication", AttributeValue: "false" }),
  );
  assert.match(await refusal(publish(TopicArn, "x", { MessageGroupId: "g" })), /ContentBasedDeduplication enabled/);
});
