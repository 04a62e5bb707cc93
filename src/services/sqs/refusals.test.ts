// The errors of SQS in both of its protocols: the code, the status and the words of each.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

// Requests here are not signed: that is the door's, and tested there.
const cloud = await startCloud({ relaxed: true });
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);

const URL_OF = (name: string) => `/000000000000/${name}`;
const QueueUrl = URL_OF("q");

before(async () => {
  await cloud.aws.clock({ freeze: true });
  await sqs.createQueue({ QueueName: "q" });
  await sqs.createQueue({ QueueName: "q.fifo", Attributes: { FifoQueue: "true" } });
  await sqs.createQueue({ QueueName: "gone" });
  await sqs.deleteQueue({ QueueUrl: URL_OF("gone") });
  await sqs.purgeQueue({ QueueUrl });
});

interface Refusal {
  readonly operation: string;
  /** As JSON has it; a form has its members. */
  readonly input: Readonly<Record<string, string | number | readonly Readonly<Record<string, string>>[]>>;
  /** Of the query protocol. */
  readonly code: string;
  /** Of JSON: the error's shape. */
  readonly type: string;
  readonly status: number;
  readonly message: string;
  /** Where the query protocol's words are others. */
  readonly formMessage?: string;
}

const SIMPLE = "AWS.SimpleQueueService.";
const entries = (count: number, Id = "") =>
  Array.from({ length: count }, (_, i) => ({ Id: Id || String(i), MessageBody: "x" }));

const refusals: readonly Refusal[] = [
  {
    operation: "SendMessage",
    input: { QueueUrl: URL_OF("none"), MessageBody: "x" },
    code: `${SIMPLE}NonExistentQueue`,
    type: "com.amazonaws.sqs#QueueDoesNotExist",
    status: 400,
    message: "The specified queue does not exist.",
    formMessage: "The specified queue does not exist for this wsdl version.",
  },
  {
    operation: "CreateQueue",
    input: { QueueName: "gone" },
    code: `${SIMPLE}QueueDeletedRecently`,
    type: "com.amazonaws.sqs#QueueDeletedRecently",
    status: 400,
    message: "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
  },
  {
    operation: "PurgeQueue",
    input: { QueueUrl },
    code: `${SIMPLE}PurgeQueueInProgress`,
    type: "com.amazonaws.sqs#PurgeQueueInProgress",
    status: 403,
    message: "Only one PurgeQueue operation on q is allowed every 60 seconds.",
  },
  {
    operation: "SendMessage",
    input: { QueueUrl },
    code: "MissingParameter",
    type: "com.amazon.coral.service#MissingRequiredParameterException",
    status: 400,
    message: "The request must contain the parameter MessageBody.",
  },
  {
    operation: "SendMessage",
    input: { QueueUrl, MessageBody: "x", DelaySeconds: 901 },
    code: "InvalidParameterValue",
    type: "com.amazon.coral.service#InvalidParameterValueException",
    status: 400,
    message: "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
  },
  {
    operation: "SendMessage",
    input: { QueueUrl, MessageBody: "\u0000" },
    code: "InvalidMessageContents",
    type: "com.amazonaws.sqs#InvalidMessageContents",
    status: 400,
    message:
      "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
  },
  {
    operation: "DeleteMessage",
    input: { QueueUrl, ReceiptHandle: "nonsense" },
    code: "ReceiptHandleIsInvalid",
    type: "com.amazonaws.sqs#ReceiptHandleIsInvalid",
    status: 404,
    message: 'The input receipt handle "nonsense" is not a valid receipt handle.',
  },
  {
    operation: "SendMessageBatch",
    input: { QueueUrl, Entries: entries(11) },
    code: `${SIMPLE}TooManyEntriesInBatchRequest`,
    type: "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
    status: 400,
    message: "Maximum number of entries per request are 10. You have sent 11.",
  },
  {
    operation: "SendMessageBatch",
    input: { QueueUrl, Entries: entries(2, "same") },
    code: `${SIMPLE}BatchEntryIdsNotDistinct`,
    type: "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
    status: 400,
    message: "Id same repeated.",
  },
  {
    operation: "SendMessageBatch",
    input: { QueueUrl, Entries: entries(1, "a.b") },
    code: `${SIMPLE}InvalidBatchEntryId`,
    type: "com.amazonaws.sqs#InvalidBatchEntryId",
    status: 400,
    message:
      "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
  },
  {
    operation: "SendMessage",
    input: { QueueUrl: "/nonsense", MessageBody: "x" },
    code: "InvalidAddress",
    type: "com.amazonaws.sqs#InvalidAddress",
    status: 404,
    message: "The address /nonsense is not valid for this endpoint.",
  },
  {
    operation: "StartMessageMoveTask",
    input: { SourceArn: "arn:aws:sqs:us-east-1:000000000000:none" },
    code: "ResourceNotFoundException",
    type: "com.amazonaws.sqs#ResourceNotFoundException",
    status: 404,
    message: "The resource that you specified for the SourceArn parameter doesn't exist.",
  },
];

for (const { operation, input, code, type, status, message, formMessage = message } of refusals)
  test(`${operation} is refused with ${code} in both protocols: ${message.slice(0, 40)}`, async () => {
    const json = await fetch(cloud.endpoint, {
      method: "POST",
      headers: {
        "x-amz-target": `AmazonSQS.${operation}`,
        "content-type": "application/x-amz-json-1.0",
        "x-amzn-query-mode": "true",
      },
      body: JSON.stringify(input),
    });
    const told = (await json.json()) as { __type: string; message?: string; Message?: string };
    assert.deepEqual([json.status, told.__type, told.message ?? told.Message], [status, type, message]);
    if (!type.startsWith("com.amazon.coral")) assert.equal(json.headers.get("x-amzn-query-error"), `${code};Sender`);

    const form = new URLSearchParams({ Version: "2012-11-05", Action: operation });
    for (const [name, value] of Object.entries(input))
      if (typeof value === "object") {
        for (const [at, entry] of value.entries())
          for (const [member, text] of Object.entries(entry))
            form.set(`${operation}RequestEntry.${at + 1}.${member}`, text);
      } else form.set(name, String(value));
    const query = await fetch(cloud.endpoint, { method: "POST", body: form });
    const xml = await query.text();
    const part = (name: string) =>
      new RegExp(`<${name}>([^<]*)</${name}>`)
        .exec(xml)?.[1]
        ?.replaceAll("&gt;", ">")
        .replaceAll("&lt;", "<")
        .replaceAll("&quot;", '"')
        .replaceAll("&apos;", "'")
        .replaceAll("&#39;", "'");
    assert.deepEqual(
      [query.status, part("Code"), part("Message"), part("Type")],
      [status, code, formMessage, "Sender"],
    );
  });
