import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const TableName = "sessions";
const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
await dynamodb.createTable({
  TableName,
  AttributeDefinitions: ["id", "g"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  GlobalSecondaryIndexes: [
    { IndexName: "by-g", KeySchema: [{ AttributeName: "g", KeyType: "HASH" }], Projection: { ProjectionType: "ALL" } },
  ],
  BillingMode: "PAY_PER_REQUEST",
});

const put = (id: string, inMs: number | undefined) =>
  dynamodb.putItem({
    TableName,
    Item: {
      id: { S: id },
      g: { S: "g" },
      ...(inMs !== undefined && { until: { N: `${Math.floor((cloud.aws.now() + inMs) / 1000)}` } }),
    },
  });
const ids = async (IndexName?: string) =>
  (await dynamodb.scan({ TableName, IndexName })).Items?.map(({ id }) => id?.S).sort();
const switchTo = (Enabled: boolean, AttributeName = "until") =>
  dynamodb.updateTimeToLive({ TableName, TimeToLiveSpecification: { Enabled, AttributeName } });

test("items expire when their time has come, those too that were there before, and from the indexes", async () => {
  await put("before", DAY);
  assert.deepEqual((await dynamodb.describeTimeToLive({ TableName })).TimeToLiveDescription, {
    TimeToLiveStatus: "DISABLED",
  });
  await switchTo(true);
  assert.deepEqual((await dynamodb.describeTimeToLive({ TableName })).TimeToLiveDescription, {
    TimeToLiveStatus: "ENABLED",
    AttributeName: "until",
  });
  await put("soon", DAY);
  await put("later", 3 * DAY);
  await put("prolonged", DAY);
  await put("prolonged", 4 * DAY);
  await put("never", undefined);
  await put("ancient", -6 * 365 * DAY);
  await cloud.advance(2 * DAY);
  assert.deepEqual(await ids(), ["ancient", "later", "never", "prolonged"]);
  assert.deepEqual(await ids("by-g"), ["ancient", "later", "never", "prolonged"]);
  await cloud.advance(3 * DAY);
  assert.deepEqual(await ids(), ["ancient", "never"]);
});

test("time to live is switched once, by one name, and once an hour", async () => {
  await assert.rejects(switchTo(true), { name: "ValidationException", message: "TimeToLive is already enabled" });
  await assert.rejects(switchTo(false, "other"), {
    message: "TimeToLive is active on a different AttributeName: current AttributeName is until",
  });
  await assert.rejects(switchTo(false, "other"), { message: /^TimeToLive is active on a different AttributeName/ });
  await switchTo(false);
  await assert.rejects(switchTo(false), { message: "TimeToLive is already disabled" });
  const often = {
    name: "ValidationException",
    message: "Time to live has been modified multiple times within a fixed interval",
  };
  await assert.rejects(switchTo(true), often);
  await put("stays", DAY);
  await cloud.advance(HOUR - 60_000);
  await assert.rejects(switchTo(true), often);
  await cloud.advance(2 * DAY);
  assert.ok((await ids())?.includes("stays"));
  await put("other", DAY);
  await dynamodb.updateItem({
    TableName,
    Key: { id: { S: "other" } },
    UpdateExpression: "SET goes = :later",
    ExpressionAttributeValues: { ":later": { N: `${Math.floor((cloud.aws.now() + 3 * DAY) / 1000)}` } },
  });
  await switchTo(true, "goes");
  await cloud.advance(2 * DAY);
  assert.deepEqual(await ids(), ["ancient", "never", "other", "stays"], "what the first attribute says counts no more");
  await cloud.advance(2 * DAY);
  assert.deepEqual(await ids(), ["ancient", "never", "stays"]);
});

test("a large table's items are looked at in steps, while its time to live is ENABLING; those written meanwhile count too", async () => {
  const large = "large";
  await dynamodb.createTable({
    TableName: large,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  const until = { N: `${Math.floor((cloud.aws.now() + DAY) / 1000)}` };
  const text = { S: "x".repeat(200_000) };
  const items = Array.from({ length: 24 }, (_, i) => ({ id: { S: `${i}` }, until, text }));
  for (let i = 0; i < items.length; i += 8)
    await dynamodb.batchWriteItem({
      RequestItems: { [large]: items.slice(i, i + 8).map((Item) => ({ PutRequest: { Item } })) },
    });
  await dynamodb.updateTimeToLive({
    TableName: large,
    TimeToLiveSpecification: { Enabled: true, AttributeName: "until" },
  });
  await cloud.settle();
  const { TimeToLiveDescription } = await dynamodb.describeTimeToLive({ TableName: large });
  assert.equal(TimeToLiveDescription!.TimeToLiveStatus, "ENABLED");
  await dynamodb.putItem({ TableName: large, Item: { id: { S: "later" }, until: { N: `${+until.N + 60}` } } });
  await cloud.advance(DAY + 10_000);
  assert.deepEqual(
    (await dynamodb.scan({ TableName: large })).Items!.map(({ id }) => id!.S),
    ["later"],
  );
});

test("hundreds of items that expire together go together; a table has one work row, however often its items are written", async () => {
  const at = Math.floor((cloud.aws.now() + DAY) / 1000);
  const TableName = "rewritten";
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  await dynamodb.updateTimeToLive({ TableName, TimeToLiveSpecification: { Enabled: true, AttributeName: "until" } });
  for (let batch = 0; batch < 10; batch++)
    await dynamodb.batchWriteItem({
      RequestItems: {
        [TableName]: Array.from({ length: 25 }, (_, i) => ({
          PutRequest: { Item: { id: { S: `${batch} ${i}` }, until: { N: `${at}` } } },
        })),
      },
    });
  for (let i = 0; i < 20; i++)
    await dynamodb.putItem({ TableName, Item: { id: { S: "one" }, until: { N: `${at + i}` } } });
  if (!process.env.AWS_LIKE_TEST_POSTGRES) {
    using database = new DatabaseSync(join(cloud.aws.config.dir, "db.sqlite"), { readOnly: true });
    const { count } = database
      .prepare("SELECT COUNT(*) AS count FROM work WHERE target LIKE '%table/rewritten'")
      .get() as { count: number };
    assert.equal(count, 1);
  }
  await cloud.advance(DAY + 1000);
  assert.deepEqual(
    (await dynamodb.scan({ TableName })).Items!.map(({ id }) => id!.S),
    ["one"],
  );
  await cloud.advance(30_000);
  assert.equal((await dynamodb.scan({ TableName })).Count, 0);
});
