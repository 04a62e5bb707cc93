// What SDKs of before 2023 send: forms, answered in XML.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

// Forms here are not signed: that is the door's, and tested there.
const cloud = await startCloud({ relaxed: true });
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);

async function post(path: string, form: Record<string, string>): Promise<{ status: number; xml: string }> {
  const body = new URLSearchParams({ Version: "2012-11-05", ...form });
  const answer = await fetch(`${cloud.endpoint}${path}`, { method: "POST", body });
  return { status: answer.status, xml: await answer.text() };
}

const postJson = (operation: string, input: object): Promise<Response> =>
  fetch(cloud.endpoint, {
    method: "POST",
    headers: { "x-amz-target": `AmazonSQS.${operation}`, "content-type": "application/x-amz-json-1.0" },
    body: JSON.stringify(input),
  });

test("A form to a queue's URL sends, receives and deletes", async () => {
  const QueueUrl = (await sqs.createQueue({ QueueName: "old" })).QueueUrl!;
  const path = new URL(QueueUrl).pathname;
  const sent = await post(path, {
    Action: "SendMessage",
    MessageBody: "a <b> & c",
    "MessageAttribute.1.Name": "n",
    "MessageAttribute.1.Value.DataType": "Number",
    "MessageAttribute.1.Value.StringValue": "1",
  });
  assert.match(sent.xml, /<MD5OfMessageBody>6d641a791ab9cbbe67bd5288905538b1</);
  const { xml } = await post("/", {
    Action: "ReceiveMessage",
    QueueUrl,
    "AttributeName.1": "ApproximateReceiveCount",
    "MessageAttributeName.1": "All",
  });
  assert.match(xml, /<Body>a &lt;b&gt; &amp; c<\/Body>/);
  assert.match(xml, /<Attribute><Name>ApproximateReceiveCount<\/Name><Value>1<\/Value><\/Attribute>/);
  assert.match(xml, /<MessageAttribute><Name>n<\/Name><Value>.*<StringValue>1<\/StringValue>.*<\/MessageAttribute>/);
  const ReceiptHandle = /<ReceiptHandle>(.*)<\/ReceiptHandle>/.exec(xml)![1]!;
  assert.equal((await post(path, { Action: "DeleteMessage", ReceiptHandle })).status, 200);
});

test("Errors have the codes and words of the query protocol", async () => {
  const missing = await post("/000000000000/missing", { Action: "ReceiveMessage" });
  assert.equal(missing.status, 400);
  assert.match(missing.xml, /<Code>AWS.SimpleQueueService.NonExistentQueue<\/Code>/);
  assert.match(missing.xml, /<Message>The specified queue does not exist for this wsdl version.<\/Message>/);
  assert.match(missing.xml, /<Detail\/>/);
  const empty = await post("/000000000000/missing", { Action: "SendMessage" });
  assert.match(
    empty.xml,
    /<Code>MissingParameter<\/Code><Message>The request must contain the parameter MessageBody.</,
  );
});

test("In JSON, errors that the model lacks have their own names, and the old code in a header", async () => {
  const QueueUrl = (await sqs.createQueue({ QueueName: "new" })).QueueUrl!;
  const answer = await postJson("ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 11 });
  assert.equal(answer.status, 400);
  assert.equal(answer.headers.get("x-amzn-query-error"), "InvalidParameterValue;Sender");
  const { __type } = (await answer.json()) as { __type: string };
  assert.equal(__type, "com.amazon.coral.service#InvalidParameterValueException");
});

test("Nulls within lists and maps are as if they were not there; names of Object are no attributes", async () => {
  const QueueUrl = (await sqs.createQueue({ QueueName: "nulls" })).QueueUrl!;
  const told = async (operation: string, input: object) => {
    const answer = await postJson(operation, { QueueUrl, ...input });
    return [answer.status, ((await answer.json()) as { __type?: string }).__type?.split("#")[1]];
  };
  assert.deepEqual(await told("SendMessageBatch", { Entries: [null] }), [400, "EmptyBatchRequest"]);
  assert.deepEqual(await told("SendMessage", { MessageBody: "x", MessageAttributes: { a: null } }), [200, undefined]);
  assert.deepEqual(await told("ReceiveMessage", { MessageAttributeNames: [null] }), [200, undefined]);
  const attributes = JSON.parse('{"constructor":"x"}') as object;
  assert.deepEqual(await told("SetQueueAttributes", { Attributes: attributes }), [400, "InvalidAttributeName"]);
  assert.deepEqual(await told("ReceiveMessage", { AttributeNames: ["toString"] }), [400, "InvalidAttributeName"]);
});
