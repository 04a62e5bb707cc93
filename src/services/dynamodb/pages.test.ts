import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);

test("a page counts items as they are stored: names as a byte, the sort key once for each piece of 3 KB", async () => {
  const TableName = "pieces";
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [
      { AttributeName: "owner", AttributeType: "S" },
      { AttributeName: "number", AttributeType: "S" },
    ],
    KeySchema: [
      { AttributeName: "owner", KeyType: "HASH" },
      { AttributeName: "number", KeyType: "RANGE" },
    ],
    BillingMode: "PAY_PER_REQUEST",
  });
  const text = { S: "x".repeat(5000) };
  for (let at = 0; at < 225; at += 25)
    await dynamodb.batchWriteItem({
      RequestItems: {
        [TableName]: Array.from({ length: 25 }, (_, i) => ({
          PutRequest: { Item: { owner: { S: "o" }, number: { S: `${100 + at + i}` }, text } },
        })),
      },
    });
  // Two bytes, two for the owner, 5001 for the text, and twice 18 and the sort key's three: 5047 for an item, 207.8 of them in 1 MB.
  const page = await dynamodb.query({
    TableName,
    KeyConditionExpression: "#o = :o",
    ExpressionAttributeNames: { "#o": "owner" },
    ExpressionAttributeValues: { ":o": { S: "o" } },
    ReturnConsumedCapacity: "TOTAL",
  });
  assert.equal(page.Count, 208);
  // What it costs is counted by the items' documented size.
  assert.equal(page.ConsumedCapacity?.CapacityUnits, Math.ceil((208 * (6 + 9 + 5004)) / 4096) / 2);
});

test("a page ends with the item that takes it over 1 MB", async () => {
  await dynamodb.createTable({
    TableName: "large",
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  for (let i = 0; i < 7; i++)
    await dynamodb.putItem({ TableName: "large", Item: { id: { S: `${i}` }, x: { S: "x".repeat(300_000) } } });
  const first = await dynamodb.scan({ TableName: "large" });
  assert.equal(first.Count, 4);
  const second = await dynamodb.scan({ TableName: "large", ExclusiveStartKey: first.LastEvaluatedKey });
  assert.deepEqual([second.Count, second.LastEvaluatedKey], [3, undefined]);
});
