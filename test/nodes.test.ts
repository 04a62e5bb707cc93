// Two clouds on one PostgreSQL, each in a workspace of its own: they see one world, and share its work without doing any of it twice.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { Client } from "pg";
import { startPostgres } from "../tools/postgres.ts";
import { startCloud, type TestCloud } from "./cloud.ts";

const WORKS = 500;
const QUEUE = "arn:aws:sqs:us-east-1:000000000000:work";

test("two clouds on one PostgreSQL deliver each Work once", { timeout: 120_000 }, async (t) => {
  await using postgres = await startPostgres();
  if (!postgres) return t.skip("*** there is no PostgreSQL on this machine: apt-get install postgresql ***");
  const databaseUrl = await postgres.createDatabase();
  await using one = await startCloud({ databaseUrl });
  await using other = await startCloud({ databaseUrl });
  const { QueueUrl } = await one.client(SQSClient).send(new CreateQueueCommand({ QueueName: "work" }));

  await putWork(databaseUrl);
  await Promise.all([one.settle(), other.settle()]);
  // What the other one is delivering is nothing that one waits for.
  await Promise.all([one.settle(), other.settle()]);

  const bodies = (await drain(other, QueueUrl!)).map((message) => Number(message.Body)).sort((a, b) => a - b);
  assert.deepEqual(
    bodies,
    Array.from({ length: WORKS }, (_, n) => n),
  );
  const [mine, theirs] = [delivered(one), delivered(other)];
  assert.equal(mine.length + theirs.length, WORKS);
  assert.equal(new Set([...mine, ...theirs]).size, WORKS);
  t.diagnostic(`delivered by one: ${mine.length}, by the other: ${theirs.length}`);
});

test("what one cloud on a PostgreSQL writes, the other reads at once", { timeout: 60_000 }, async (t) => {
  await using postgres = await startPostgres();
  if (!postgres) return t.skip("*** there is no PostgreSQL on this machine: apt-get install postgresql ***");
  const databaseUrl = await postgres.createDatabase();
  await using one = await startCloud({ databaseUrl });
  await using other = await startCloud({ databaseUrl });
  const TableName = "shared";
  await one.client(DynamoDBClient).send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  const Item = { id: { S: "1" }, text: { S: "from one" } };
  await one.client(DynamoDBClient).send(new PutItemCommand({ TableName, Item }));
  const read = await other
    .client(DynamoDBClient)
    .send(new GetItemCommand({ TableName, Key: { id: Item.id }, ConsistentRead: true }));
  assert.deepEqual(read.Item, Item);
});

/** Rows that nobody has leased, all due, as a process leaves them that died after its commit. */
async function putWork(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const root = { kind: "root", account: "000000000000", arn: "arn:aws:iam::000000000000:root", id: "000000000000" };
  try {
    await client.query(
      `INSERT INTO aws_like.work (id, target, due_ms, account, region, principal, payload, retry, cause, attempt, created_ms, lease_until_ms)
       SELECT 'work-' || n, $1, 0, '000000000000', 'us-east-1', $2,
              '{"kind":"message","body":"' || n || '"}', '{"waitsMs":[1000],"attempts":3}', 'test', 1, 0, 0
         FROM generate_series(0, $3::int - 1) AS n`,
      [QUEUE, JSON.stringify(root), WORKS],
    );
  } finally {
    await client.end();
  }
}

async function drain(cloud: TestCloud, QueueUrl: string): Promise<Message[]> {
  const sqs = cloud.client(SQSClient);
  const all: Message[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    if (Messages.length === 0) return all;
    all.push(...Messages);
    const Entries = Messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  }
}

/** The ids of the Work that a cloud's journal says it delivered. */
const delivered = (cloud: TestCloud): string[] =>
  readFileSync(join(cloud.aws.config.dir, "logs", "journal.ndjson"), "utf8")
    .split("\n")
    .filter((line) => line.includes(`delivery 1 to ${QUEUE}`))
    .map((line) => (JSON.parse(line) as { id: string }).id);
