// Two clouds on one PostgreSQL read one stream: a shard is one's, until that one is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { CreatePipeCommand, PipesClient } from "@aws-sdk/client-pipes";
import { CreateQueueCommand, DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startPostgres } from "../tools/postgres.ts";
import { startCloud, type TestCloud } from "./cloud.ts";
import { ACCOUNT, createRole } from "./lambda.ts";

test("a stream that two clouds poll is read once, and by the other when one stops", { timeout: 120_000 }, async (t) => {
  await using postgres = await startPostgres();
  if (!postgres) return t.skip("*** there is no PostgreSQL on this machine: apt-get install postgresql ***");
  const databaseUrl = await postgres.createDatabase();
  await using one = await startCloud({ databaseUrl });
  const { QueueUrl } = await one
    .client(SQSClient)
    .send(new CreateQueueCommand({ QueueName: "out.fifo", Attributes: { FifoQueue: "true" } }));
  const { TableDescription } = await one.client(DynamoDBClient).send(
    new CreateTableCommand({
      TableName: "table",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
    }),
  );
  await createRole(one, "pipe", "pipes.amazonaws.com");
  await one.client(PipesClient).send(
    new CreatePipeCommand({
      Name: "p",
      RoleArn: `arn:aws:iam::${ACCOUNT}:role/pipe`,
      Source: TableDescription!.LatestStreamArn,
      SourceParameters: { DynamoDBStreamParameters: { StartingPosition: "TRIM_HORIZON", BatchSize: 3 } },
      Target: `arn:aws:sqs:us-east-1:${ACCOUNT}:out.fifo`,
      TargetParameters: {
        // No deduplication hides what comes twice.
        SqsQueueParameters: { MessageGroupId: "g", MessageDeduplicationId: "$.eventID" },
        InputTemplate: "<$.dynamodb.Keys.id.S>",
      },
    }),
  );
  const put = async (cloud: TestCloud, from: number, to: number) => {
    for (let n = from; n < to; n++)
      await cloud
        .client(DynamoDBClient)
        .send(new PutItemCommand({ TableName: "table", Item: { id: { S: String(n) } } }));
  };
  await put(one, 0, 5);
  await one.settle();
  {
    await using other = await startCloud({ databaseUrl });
    await put(other, 5, 12);
    const numbers = Array.from({ length: 20 }, (_, n) => String(n));
    assert.deepEqual(await take(other, QueueUrl!, 12), numbers.slice(0, 12));
    await one[Symbol.asyncDispose]();
    await put(other, 12, 20);
    assert.deepEqual(await take(other, QueueUrl!, 8), numbers.slice(12));
  }
});

const LIMIT_MS = 45_000;

/** What comes until there are so many, and what comes right after. Waits on real time, as the two processes do for each other. */
async function take(cloud: TestCloud, QueueUrl: string, count: number): Promise<string[]> {
  const sqs = cloud.client(SQSClient);
  const all: string[] = [];
  for (const end = performance.now() + LIMIT_MS; performance.now() < end; ) {
    const input = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(input));
    if (Messages.length === 0 && all.length >= count) break;
    for (const { Body, ReceiptHandle } of Messages) {
      all.push(Body!);
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
  return all;
}
