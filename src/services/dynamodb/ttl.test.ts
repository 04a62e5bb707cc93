import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const TableName = "sessions";
const DAY = 24 * 60 * 60 * 1000;
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

test("time to live is switched once, by one name", async () => {
  await assert.rejects(switchTo(true), { name: "ValidationException", message: "TimeToLive is already enabled" });
  await assert.rejects(switchTo(false, "other"), {
    message: "TimeToLive is active on a different AttributeName: current AttributeName is until",
  });
  await switchTo(false);
  await assert.rejects(switchTo(false), { message: "TimeToLive is already disabled" });
  await put("stays", DAY);
  await cloud.advance(2 * DAY);
  assert.ok((await ids())?.includes("stays"));
});
