import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type QueueAttributeName, SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);

const create = async (name: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sqs.createQueue({ QueueName: name, Attributes })).QueueUrl!;
const attributesOf = async (url: string, ...names: QueueAttributeName[]): Promise<Record<string, string> | undefined> =>
  (await sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: names.length > 0 ? names : ["All"] })).Attributes;

test("CreateQueue answers the queue's URL, and its attributes are AWS's defaults", async () => {
  const url = await create("defaults");
  assert.equal(url, `${cloud.endpoint}/000000000000/defaults`);
  assert.equal((await sqs.getQueueUrl({ QueueName: "defaults" })).QueueUrl, url);
  const { CreatedTimestamp, LastModifiedTimestamp, ...rest } = (await attributesOf(url))!;
  assert.match(CreatedTimestamp!, /^\d{10}$/);
  assert.equal(LastModifiedTimestamp, CreatedTimestamp);
  assert.deepEqual(rest, {
    ApproximateNumberOfMessages: "0",
    ApproximateNumberOfMessagesDelayed: "0",
    ApproximateNumberOfMessagesNotVisible: "0",
    DelaySeconds: "0",
    MaximumMessageSize: "1048576",
    MessageRetentionPeriod: "345600",
    QueueArn: "arn:aws:sqs:us-east-1:000000000000:defaults",
    ReceiveMessageWaitTimeSeconds: "0",
    SqsManagedSseEnabled: "true",
    VisibilityTimeout: "30",
  });
});

test("CreateQueue of a queue that is there answers its URL, unless an attribute differs", async () => {
  const url = await create("again", { DelaySeconds: "5" });
  assert.equal(await create("again", { DelaySeconds: "5" }), url);
  assert.equal(await create("again"), url);
  await assert.rejects(create("again", { DelaySeconds: "6" }), {
    name: "QueueNameExists",
    Code: "QueueAlreadyExists",
    message: "A queue already exists with the same name and a different value for attribute DelaySeconds",
  });
});

const WRONG_NAMES = ["", "with space", "dot.ted", "x".repeat(81), "it.fifo"];
for (const name of WRONG_NAMES)
  test(`CreateQueue refuses the name '${name.slice(0, 20)}'`, async () => {
    await assert.rejects(create(name), {
      Code: "InvalidParameterValue",
      message: "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    });
  });

const WRONG_ATTRIBUTES: [attributes: Record<string, string>, code: string, message: string][] = [
  [{ Nonsense: "1" }, "InvalidAttributeName", "Unknown Attribute Nonsense."],
  [{ QueueArn: "arn" }, "InvalidAttributeName", "Unknown Attribute QueueArn."],
  [{ VisibilityTimeout: "43201" }, "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."],
  [{ VisibilityTimeout: "x" }, "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."],
  [{ DelaySeconds: "-1" }, "InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."],
  [
    { MessageRetentionPeriod: "59" },
    "InvalidAttributeValue",
    "Invalid value for the parameter MessageRetentionPeriod.",
  ],
  [{ MaximumMessageSize: "1048577" }, "InvalidAttributeValue", "Invalid value for the parameter MaximumMessageSize."],
  [{ Policy: "no json" }, "InvalidAttributeValue", "Invalid value for the parameter Policy."],
  [{ FifoQueue: "false" }, "InvalidAttributeName", "Unknown Attribute FifoQueue."],
  [{ ContentBasedDeduplication: "true" }, "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."],
  [
    { DeduplicationScope: "queue" },
    "InvalidAttributeName",
    "You can specify the DeduplicationScope only when FifoQueue is set to true.",
  ],
  [
    { KmsMasterKeyId: "key", SqsManagedSseEnabled: "true" },
    "InvalidAttributeName",
    "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
  ],
];
for (const [attributes, Code, message] of WRONG_ATTRIBUTES)
  test(`${JSON.stringify(attributes)} is refused by CreateQueue and by SetQueueAttributes`, async () => {
    await assert.rejects(create("never", attributes), { Code, message });
    const QueueUrl = await create("always");
    await assert.rejects(sqs.setQueueAttributes({ QueueUrl, Attributes: attributes }), { Code, message });
  });

test("SetQueueAttributes changes what it names, and an empty text takes it back", async () => {
  const url = await create("set", { VisibilityTimeout: "69" });
  const Attributes = { KmsMasterKeyId: "testKeyId", KmsDataKeyReusePeriodSeconds: "6000", DelaySeconds: "420" };
  await sqs.setQueueAttributes({ QueueUrl: url, Attributes });
  assert.deepEqual(
    await attributesOf(
      url,
      "DelaySeconds",
      "VisibilityTimeout",
      "SqsManagedSseEnabled",
      "KmsMasterKeyId",
      "KmsDataKeyReusePeriodSeconds",
    ),
    { ...Attributes, VisibilityTimeout: "69", SqsManagedSseEnabled: "false" },
  );
  await sqs.setQueueAttributes({
    QueueUrl: url,
    Attributes: { KmsMasterKeyId: "", KmsDataKeyReusePeriodSeconds: "", DelaySeconds: "" },
  });
  assert.deepEqual(await attributesOf(url, "DelaySeconds", "SqsManagedSseEnabled", "KmsMasterKeyId"), {
    DelaySeconds: "0",
    SqsManagedSseEnabled: "false",
  });
});

test("GetQueueAttributes answers nothing where nothing is asked, and refuses what it does not know", async () => {
  const QueueUrl = await create("asked");
  assert.equal((await sqs.getQueueAttributes({ QueueUrl })).Attributes, undefined);
  assert.equal(await attributesOf(QueueUrl, "RedrivePolicy"), undefined);
  await assert.rejects(sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Nonsense" as QueueAttributeName] }), {
    name: "InvalidAttributeName",
    message: "Unknown Attribute Nonsense.",
  });
});

test("What names no queue is told so", async () => {
  const missing = { name: "QueueDoesNotExist", Code: "AWS.SimpleQueueService.NonExistentQueue" };
  const QueueUrl = `${cloud.endpoint}/000000000000/missing`;
  await assert.rejects(sqs.getQueueUrl({ QueueName: "missing" }), {
    ...missing,
    message: "The specified queue does not exist.",
  });
  await assert.rejects(sqs.sendMessage({ QueueUrl, MessageBody: "x" }), missing);
  await assert.rejects(sqs.receiveMessage({ QueueUrl }), missing);
  await assert.rejects(sqs.deleteQueue({ QueueUrl }), missing);
  await assert.rejects(sqs.purgeQueue({ QueueUrl }), missing);
  await assert.rejects(sqs.listQueueTags({ QueueUrl }), missing);
  await assert.rejects(sqs.receiveMessage({ QueueUrl: `${cloud.endpoint}/nonsense` }), { name: "InvalidAddress" });
});

test("DeleteQueue takes the messages along: a queue made anew, after 60 seconds, is empty", async () => {
  const QueueUrl = await create("renewed");
  await sqs.sendMessage({ QueueUrl, MessageBody: "old" });
  await sqs.deleteQueue({ QueueUrl });
  await cloud.advance(59_000);
  await assert.rejects(create("renewed"), {
    name: "QueueDeletedRecently",
    Code: "AWS.SimpleQueueService.QueueDeletedRecently",
    message: "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
  });
  await create("another"); // other names are free
  await cloud.advance(1_000);
  await create("renewed");
  assert.equal((await sqs.receiveMessage({ QueueUrl })).Messages, undefined);
});

test("PurgeQueue empties a queue, once in 60 seconds", async () => {
  const QueueUrl = await create("purged");
  await sqs.sendMessage({ QueueUrl, MessageBody: "x" });
  await sqs.receiveMessage({ QueueUrl });
  await sqs.sendMessage({ QueueUrl, MessageBody: "y" });
  await sqs.purgeQueue({ QueueUrl });
  const counts = await attributesOf(QueueUrl, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible");
  assert.deepEqual(counts, { ApproximateNumberOfMessages: "0", ApproximateNumberOfMessagesNotVisible: "0" });
  await assert.rejects(sqs.purgeQueue({ QueueUrl }), {
    name: "PurgeQueueInProgress",
    message: "Only one PurgeQueue operation on purged is allowed every 60 seconds.",
  });
  await cloud.advance(60_000);
  await sqs.purgeQueue({ QueueUrl });
});

test("ListQueues goes by prefix, and by page where MaxResults is given", async () => {
  for (const name of ["page-1", "page-2", "page-3"]) await create(name);
  const names = (urls: string[] | undefined) => urls?.map((url) => url.split("/").at(-1));
  const all = await sqs.listQueues({ QueueNamePrefix: "page-" });
  assert.deepEqual([names(all.QueueUrls), all.NextToken], [["page-1", "page-2", "page-3"], undefined]);
  const first = await sqs.listQueues({ QueueNamePrefix: "page-", MaxResults: 2 });
  assert.deepEqual(names(first.QueueUrls), ["page-1", "page-2"]);
  const rest = await sqs.listQueues({ QueueNamePrefix: "page-", MaxResults: 2, NextToken: first.NextToken! });
  assert.deepEqual([names(rest.QueueUrls), rest.NextToken], [["page-3"], undefined]);
  assert.equal((await sqs.listQueues({ QueueNamePrefix: "none-" })).QueueUrls, undefined);
});

test("Tags are added, replaced and taken away; a queue without has none to tell", async () => {
  const QueueUrl = (await sqs.createQueue({ QueueName: "tagged", tags: { a: "1" } })).QueueUrl!;
  await sqs.tagQueue({ QueueUrl, Tags: { a: "2", b: "" } });
  assert.deepEqual((await sqs.listQueueTags({ QueueUrl })).Tags, { a: "2", b: "" });
  await sqs.untagQueue({ QueueUrl, TagKeys: ["a", "b"] });
  assert.equal((await sqs.listQueueTags({ QueueUrl })).Tags, undefined);
  await assert.rejects(sqs.tagQueue({ QueueUrl, Tags: { "aws:x": "1" } }), { Code: "InvalidParameterValue" });
});
