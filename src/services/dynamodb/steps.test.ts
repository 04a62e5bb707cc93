// What takes long is done in steps: rows of a table that goes, entries of an index that comes. Nobody waits for it, and nothing is missed.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type AttributeValue, DynamoDB } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";
import { select } from "../../../test/sql.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);

const create = (TableName: string) =>
  dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });

async function fill(TableName: string, count: number, more: Record<string, AttributeValue> = {}): Promise<void> {
  const ids = Array.from({ length: count }, (_, id) => ({ id: { N: `${id}` } }));
  for (let at = 0; at < count; at += 25)
    await dynamodb.batchWriteItem({
      RequestItems: {
        [TableName]: ids.slice(at, at + 25).map((key) => ({ PutRequest: { Item: { ...key, ...more } } })),
      },
    });
}

const rows = async (): Promise<number> =>
  Number((await select(cloud, "SELECT COUNT(*) AS count FROM dynamodb_item"))[0]?.count);

test("a large table is gone at once, its rows soon after, and its name is free meanwhile", async () => {
  const before = await rows();
  await create("large");
  await fill("large", 2100);
  await dynamodb.deleteTable({ TableName: "large" });
  await assert.rejects(dynamodb.describeTable({ TableName: "large" }), { name: "ResourceNotFoundException" });
  await create("large");
  await fill("large", 3);
  await cloud.settle();
  assert.equal((await dynamodb.scan({ TableName: "large" })).Count, 3);
  assert.equal(await rows(), before + 3);
  // One of exactly so many rows as a step takes.
  await create("thousand");
  await fill("thousand", 1000);
  await dynamodb.deleteTable({ TableName: "thousand" });
  await cloud.settle();
  assert.equal(await rows(), before + 3);
});

test("what is written while an index is filled is in it, and what is deleted is not", async () => {
  const TableName = "filled";
  await create(TableName);
  // A step is 1 MB of items: here nine of them.
  await fill(TableName, 30, { text: { S: "x".repeat(300_000) }, color: { S: "red" } });
  await dynamodb.updateTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "color", AttributeType: "S" }],
    GlobalSecondaryIndexUpdates: [
      {
        Create: {
          IndexName: "by-color",
          KeySchema: [
            { AttributeName: "color", KeyType: "HASH" },
            { AttributeName: "id", KeyType: "RANGE" },
          ],
          Projection: { ProjectionType: "KEYS_ONLY" },
        },
      },
    ],
  });
  const Key = (id: number) => ({ id: { N: `${id}` } });
  const blue = { ":c": { S: "blue" } };
  await Promise.all([
    ...[0, 1, 2, 3, 4].map((id) => dynamodb.deleteItem({ TableName, Key: Key(id) })),
    ...[5, 6, 7, 8, 9].map((id) =>
      dynamodb.updateItem({
        TableName,
        Key: Key(id),
        UpdateExpression: "SET color = :c",
        ExpressionAttributeValues: blue,
      }),
    ),
    ...[10, 11, 12].map((id) => dynamodb.updateItem({ TableName, Key: Key(id), UpdateExpression: "REMOVE color" })),
    ...[100, 101].map((id) => dynamodb.putItem({ TableName, Item: { ...Key(id), color: { S: "blue" } } })),
  ]);
  await cloud.settle();
  const ids = async (color: string) => {
    const { Items } = await dynamodb.query({
      TableName,
      IndexName: "by-color",
      KeyConditionExpression: "color = :c",
      ExpressionAttributeValues: { ":c": { S: color } },
    });
    return Items!.map(({ id }) => Number(id!.N));
  };
  assert.deepEqual(await ids("blue"), [5, 6, 7, 8, 9, 100, 101]);
  assert.deepEqual(
    await ids("red"),
    Array.from({ length: 17 }, (_, i) => 13 + i),
  );
});
