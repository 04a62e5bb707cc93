import assert from "node:assert/strict";
import { test } from "node:test";
import { SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

test("What is expired leaves the store with the next receive, also where nothing is left to receive", async () => {
  await using cloud = await startCloud();
  const sqs = cloud.client(SQS);
  const stored = () =>
    cloud.aws.read((tx) => tx.all("SELECT sequence FROM sqs_message", {})).then(({ length }) => length);
  const { QueueUrl } = await sqs.createQueue({ QueueName: "q", Attributes: { MessageRetentionPeriod: "60" } });
  for (const MessageBody of ["a", "b"]) await sqs.sendMessage({ QueueUrl, MessageBody });
  await cloud.advance(61_000);
  assert.equal(await stored(), 2);
  assert.equal((await sqs.receiveMessage({ QueueUrl })).Messages, undefined);
  assert.equal(await stored(), 0);
});
