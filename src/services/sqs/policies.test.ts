import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
const stranger = cloud.client(SQS, { accessKeyId: "222222222222", secretAccessKey: "test" });

const ARN = "arn:aws:sqs:us-east-1:000000000000:";
const create = async (QueueName: string): Promise<string> => (await sqs.createQueue({ QueueName })).QueueUrl!;
const allow = (QueueUrl: string, queue: string, principal: object, more: object = {}) =>
  sqs.setQueueAttributes({
    QueueUrl,
    Attributes: {
      Policy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          { Effect: "Allow", Principal: principal, Action: "sqs:SendMessage", Resource: `${ARN}${queue}`, ...more },
        ],
      }),
    },
  });

test("Another account may send when the queue's policy lets it, and do nothing else", async () => {
  const QueueUrl = await create("shared");
  const denied = { name: "AccessDenied", Code: "AccessDenied" };
  await assert.rejects(stranger.sendMessage({ QueueUrl, MessageBody: "x" }), denied);
  await allow(QueueUrl, "shared", { AWS: "222222222222" });
  await stranger.sendMessage({ QueueUrl, MessageBody: "x" });
  await assert.rejects(stranger.receiveMessage({ QueueUrl }), denied);
  const { Messages } = await sqs.receiveMessage({ QueueUrl, MessageSystemAttributeNames: ["SenderId"] });
  assert.deepEqual(Messages![0]!.Attributes, { SenderId: "222222222222" });
});

test("AddPermission and RemovePermission change the policy a statement at a time", async () => {
  const QueueUrl = await create("permitted");
  const policy = async () =>
    JSON.parse(
      (await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Policy"] })).Attributes?.Policy ?? "null",
    ) as unknown;
  const one = { QueueUrl, Label: "one", AWSAccountIds: ["222222222222"], Actions: ["ReceiveMessage"] };
  await sqs.addPermission(one);
  const statement = {
    Sid: "one",
    Effect: "Allow",
    Principal: { AWS: "arn:aws:iam::222222222222:root" },
    Action: "SQS:ReceiveMessage",
    Resource: `${ARN}permitted`,
  };
  assert.deepEqual(await policy(), {
    Version: "2008-10-17",
    Id: `${ARN}permitted/SQSDefaultPolicy`,
    Statement: [statement],
  });
  assert.deepEqual((await stranger.receiveMessage({ QueueUrl })).Messages, undefined);
  await assert.rejects(sqs.addPermission(one), {
    Code: "InvalidParameterValue",
    message: "Value one for parameter Label is invalid. Reason: Already exists.",
  });
  await sqs.removePermission({ QueueUrl, Label: "one" });
  assert.equal(await policy(), null);
  await assert.rejects(stranger.receiveMessage({ QueueUrl }), { name: "AccessDenied" });
  await assert.rejects(sqs.removePermission({ QueueUrl, Label: "one" }), { Code: "InvalidParameterValue" });
});

test("AddPermission takes seven actions at most", async () => {
  const QueueUrl = await create("many");
  const Actions = Array<string>(8).fill("SendMessage");
  await assert.rejects(sqs.addPermission({ QueueUrl, Label: "l", AWSAccountIds: ["222222222222"], Actions }), {
    name: "OverLimit",
    message: "8 Actions were found, maximum allowed is 7.",
  });
});
