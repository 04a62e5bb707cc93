import assert from "node:assert/strict";
import { test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";
import { refusal } from "../../../test/principals.ts";

test("contributor insights are off, say so, and cannot be switched on", async () => {
  await using cloud = await startCloud();
  const dynamodb = cloud.client(DynamoDB);
  const TableName = "plain";
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  const { $metadata: _, ...told } = await dynamodb.describeContributorInsights({ TableName });
  assert.deepEqual(told, { TableName, ContributorInsightsStatus: "DISABLED" });
  for (const which of [{}, { TableName }])
    assert.deepEqual((await dynamodb.listContributorInsights(which)).ContributorInsightsSummaries, []);
  const refused: [() => Promise<unknown>, RegExp][] = [
    [
      () => dynamodb.describeContributorInsights({ TableName: "none" }),
      /^ResourceNotFoundException 400 .*Table: none not found$/,
    ],
    [() => dynamodb.describeContributorInsights({ TableName, IndexName: "none" }), /^ResourceNotFoundException 400 /],
    [
      () => dynamodb.updateContributorInsights({ TableName, ContributorInsightsAction: "ENABLE" }),
      /^NotImplemented 501 .*UpdateContributorInsights/,
    ],
  ];
  for (const [ask, expected] of refused) assert.match(await refusal(ask()), expected);
});
