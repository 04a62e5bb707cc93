import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type CreateTableCommandInput, DynamoDB } from "@aws-sdk/client-dynamodb";
import { ROOT, startCloud } from "../../../test/cloud.ts";
import { select } from "../../../test/sql.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);

const simple = (name: string, more: Partial<CreateTableCommandInput> = {}): CreateTableCommandInput => ({
  TableName: name,
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  BillingMode: "PAY_PER_REQUEST",
  ...more,
});
const composite = (name: string, more: Partial<CreateTableCommandInput> = {}): CreateTableCommandInput => ({
  TableName: name,
  AttributeDefinitions: [
    { AttributeName: "id", AttributeType: "S" },
    { AttributeName: "n", AttributeType: "N" },
  ],
  KeySchema: [
    { AttributeName: "id", KeyType: "HASH" },
    { AttributeName: "n", KeyType: "RANGE" },
  ],
  BillingMode: "PAY_PER_REQUEST",
  ...more,
});

test("CreateTable and DescribeTable answer as AWS was recorded to", async () => {
  const created = await dynamodb.createTable(
    simple("crud", {
      BillingMode: "PROVISIONED",
      ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 5 },
    }),
  );
  const { CreationDateTime, TableId, ...rest } = created.TableDescription!;
  assert.ok(CreationDateTime instanceof Date);
  assert.match(TableId!, /^[0-9a-f-]{36}$/);
  const arn = "arn:aws:dynamodb:us-east-1:000000000000:table/crud";
  const common = {
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    DeletionProtectionEnabled: false,
    ItemCount: 0,
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    ProvisionedThroughput: { NumberOfDecreasesToday: 0, ReadCapacityUnits: 5, WriteCapacityUnits: 5 },
    TableArn: arn,
    TableName: "crud",
    TableSizeBytes: 0,
    TableStatus: "ACTIVE",
  };
  // The table is there at once; CreateTable's own answer never says so.
  assert.deepEqual(rest, { ...common, TableStatus: "CREATING" });

  const { Table } = await dynamodb.describeTable({ TableName: arn });
  assert.deepEqual(Table, {
    ...common,
    CreationDateTime,
    TableId,
    WarmThroughput: { ReadUnitsPerSecond: 5, Status: "ACTIVE", WriteUnitsPerSecond: 5 },
  });

  const { TableDescription } = await dynamodb.deleteTable({ TableName: "crud" });
  assert.deepEqual(TableDescription, {
    DeletionProtectionEnabled: false,
    ItemCount: 0,
    ProvisionedThroughput: { NumberOfDecreasesToday: 0, ReadCapacityUnits: 5, WriteCapacityUnits: 5 },
    TableArn: arn,
    TableId,
    TableName: "crud",
    TableSizeBytes: 0,
    TableStatus: "DELETING",
  });
  await assert.rejects(dynamodb.describeTable({ TableName: "crud" }), {
    name: "ResourceNotFoundException",
    message: "Requested resource not found: Table: crud not found",
  });
});

test("a table that pays per request says so, and what it can take", async () => {
  await dynamodb.createTable(simple("on-demand"));
  const { Table } = await dynamodb.describeTable({ TableName: "on-demand" });
  assert.equal(Table?.BillingModeSummary?.BillingMode, "PAY_PER_REQUEST");
  assert.ok(Table?.BillingModeSummary?.LastUpdateToPayPerRequestDateTime instanceof Date);
  assert.deepEqual(Table?.WarmThroughput, { ReadUnitsPerSecond: 12000, Status: "ACTIVE", WriteUnitsPerSecond: 4000 });
});

const PROJECT_ALL = { Projection: { ProjectionType: "ALL" } } as const;
const INVALID = "One or more parameter values were invalid: ";

const REFUSED: readonly (readonly [string, CreateTableCommandInput, string])[] = [
  [
    "without throughput",
    simple("refused", { BillingMode: "PROVISIONED" }),
    `${INVALID}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED`,
  ],
  [
    "with throughput it would not use",
    simple("refused", { ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 5 } }),
    `${INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST`,
  ],
  [
    "of a bad name",
    simple("a/b"),
    "1 validation error detected: Value 'a/b' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
  ],
  [
    "of a short, bad name",
    simple("/"),
    "2 validation errors detected: Value '/' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3; Value '/' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
  ],
  [
    "with an index of a short name",
    simple("refused", {
      GlobalSecondaryIndexes: [
        {
          IndexName: "g1",
          KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
          Projection: { ProjectionType: "ALL" },
        },
      ],
    }),
    "1 validation error detected: Value 'g1' at 'globalSecondaryIndexes.1.member.indexName' failed to satisfy constraint: Member must have length greater than or equal to 3",
  ],
  [
    "whose key is defined once and used twice",
    simple("refused", {
      KeySchema: [
        { AttributeName: "id", KeyType: "HASH" },
        { AttributeName: "id", KeyType: "RANGE" },
      ],
    }),
    "Invalid KeySchema: Some index key attribute have no definition",
  ],
  [
    "whose index has five hash attributes",
    {
      ...simple("refused"),
      AttributeDefinitions: ["id", "a", "b", "c", "d"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
      GlobalSecondaryIndexes: [
        {
          IndexName: "global",
          KeySchema: ["id", "a", "b", "c", "d"].map((AttributeName) => ({ AttributeName, KeyType: "HASH" })),
          ...{ Projection: { ProjectionType: "ALL" } },
        },
      ],
    },
    `${INVALID}The KeySchema exceeds the maximum allowed number of HASH key attributes`,
  ],
  [
    "whose index has a hash attribute after a range attribute",
    {
      ...composite("refused"),
      AttributeDefinitions: ["id", "n", "a"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
      GlobalSecondaryIndexes: [
        {
          IndexName: "global",
          KeySchema: [
            { AttributeName: "id", KeyType: "HASH" },
            { AttributeName: "n", KeyType: "RANGE" },
            { AttributeName: "a", KeyType: "HASH" },
          ],
          ...{ Projection: { ProjectionType: "ALL" } },
        },
      ],
    },
    `${INVALID}All HASH key attributes must precede RANGE key attributes in the KeySchema`,
  ],
  [
    "with on-demand limits where it is not paid per request",
    simple("refused", {
      BillingMode: "PROVISIONED",
      ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 5 },
      OnDemandThroughput: { MaxReadRequestUnits: 5 },
    }),
    `${INVALID}MaxReadRequestUnits for OnDemandThroughput cannot be specified when table BillingMode is PROVISIONED.`,
  ],
  [
    "that is less warm than any on demand",
    simple("refused", { WarmThroughput: { WriteUnitsPerSecond: 1 } }),
    `${INVALID}Requested WriteUnitsPerSecond for WarmThroughput for table is lower than initial throughput for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial`,
  ],
  [
    "with a stream of no view",
    simple("refused", { StreamSpecification: { StreamEnabled: true } }),
    `${INVALID}Table is being created with a stream enabled, UpdateViewType is required`,
  ],
  [
    "whose key is not defined",
    simple("refused", { KeySchema: [{ AttributeName: "other", KeyType: "HASH" }] }),
    `${INVALID}Some index key attributes are not defined in AttributeDefinitions. Keys: [other], AttributeDefinitions: [id]`,
  ],
  [
    "whose first key attribute is no hash",
    simple("refused", { KeySchema: [{ AttributeName: "id", KeyType: "RANGE" }] }),
    "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
  ],
  [
    "with two hash keys",
    composite("refused", {
      KeySchema: [
        { AttributeName: "id", KeyType: "HASH" },
        { AttributeName: "n", KeyType: "HASH" },
      ],
    }),
    "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
  ],
  [
    "with a definition too many",
    composite("refused", { KeySchema: [{ AttributeName: "id", KeyType: "HASH" }] }),
    `${INVALID}Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions`,
  ],
  [
    "with a local index but no range key",
    simple("refused", {
      LocalSecondaryIndexes: [
        { IndexName: "local", KeySchema: [{ AttributeName: "id", KeyType: "HASH" }], ...PROJECT_ALL },
      ],
    }),
    `${INVALID}Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex`,
  ],
  [
    "with a local index without range key",
    composite("refused", {
      LocalSecondaryIndexes: [
        { IndexName: "local", KeySchema: [{ AttributeName: "id", KeyType: "HASH" }], ...PROJECT_ALL },
      ],
    }),
    `${INVALID}Index KeySchema does not have a range key for index: local`,
  ],
  [
    "with NonKeyAttributes that are not asked for",
    simple("refused", {
      GlobalSecondaryIndexes: [
        {
          IndexName: "global",
          KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
          Projection: { ProjectionType: "ALL", NonKeyAttributes: ["a"] },
        },
      ],
    }),
    `${INVALID}ProjectionType is ALL, but NonKeyAttributes is specified`,
  ],
  [
    "with an index of no attributes",
    simple("refused", {
      GlobalSecondaryIndexes: [
        {
          IndexName: "global",
          KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
          Projection: { ProjectionType: "INCLUDE" },
        },
      ],
    }),
    `${INVALID}ProjectionType is INCLUDE, but NonKeyAttributes is not specified`,
  ],
  [
    "with two indexes of one name",
    simple("refused", {
      GlobalSecondaryIndexes: [
        { IndexName: "twice", KeySchema: [{ AttributeName: "id", KeyType: "HASH" }], ...PROJECT_ALL },
        { IndexName: "twice", KeySchema: [{ AttributeName: "id", KeyType: "HASH" }], ...PROJECT_ALL },
      ],
    }),
    `${INVALID}Duplicate index name: twice`,
  ],
];

for (const [what, input, message] of REFUSED)
  test(`CreateTable refuses a table ${what}`, async () => {
    await assert.rejects(dynamodb.createTable(input), { name: "ValidationException", message });
    await assert.rejects(dynamodb.describeTable({ TableName: "refused" }), { name: "ResourceNotFoundException" });
  });

test("a table's name is taken once", async () => {
  await dynamodb.createTable(simple("taken"));
  await assert.rejects(dynamodb.createTable(simple("taken")), {
    name: "ResourceInUseException",
    message: "Table already exists: taken",
  });
});

test("ListTables pages by name", async () => {
  await using own = await startCloud();
  const client = own.client(DynamoDB);
  assert.deepEqual((await client.listTables({})).TableNames, []);
  for (const name of ["ccc", "aaa", "bbb"]) await client.createTable(simple(name));
  const first = await client.listTables({ Limit: 2 });
  assert.deepEqual([first.TableNames, first.LastEvaluatedTableName], [["aaa", "bbb"], "bbb"]);
  const second = await client.listTables({ Limit: 2, ExclusiveStartTableName: "bbb" });
  assert.deepEqual([second.TableNames, second.LastEvaluatedTableName], [["ccc"], undefined]);
});

test("an account has 2,500 tables in a region at most", async () => {
  await select(
    cloud,
    `INSERT INTO dynamodb_table (account, region, name, table_id, number, version, created_ms, definition)
     WITH RECURSIVE counted (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < 2500)
     SELECT '000000000000', 'us-west-1', 'table-' || i, 'id-' || i, -i, 1, 0, '{}' FROM counted`,
  );
  const west = new DynamoDB({ endpoint: cloud.endpoint, region: "us-west-1", credentials: ROOT, maxAttempts: 1 });
  try {
    await assert.rejects(west.createTable(simple("one-more")), {
      name: "LimitExceededException",
      message: "Subscriber limit exceeded: There is a limit of 2500 tables per subscriber",
    });
  } finally {
    west.destroy();
  }
  await dynamodb.createTable(simple("elsewhere"));
});

test("regions have tables of their own", async () => {
  await dynamodb.createTable(simple("regional"));
  const elsewhere = new DynamoDB({ endpoint: cloud.endpoint, region: "eu-west-1", credentials: ROOT, maxAttempts: 1 });
  try {
    await assert.rejects(elsewhere.describeTable({ TableName: "regional" }), { name: "ResourceNotFoundException" });
    await elsewhere.createTable(simple("regional"));
  } finally {
    elsewhere.destroy();
  }
});

test("a protected table is not deleted", async () => {
  await dynamodb.createTable(simple("protected", { DeletionProtectionEnabled: true }));
  await assert.rejects(dynamodb.deleteTable({ TableName: "protected" }), {
    name: "ValidationException",
    message:
      "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
  });
  await dynamodb.updateTable({ TableName: "protected", DeletionProtectionEnabled: false });
  await dynamodb.deleteTable({ TableName: "protected" });
});

test("a new table under an old name has none of its items", async () => {
  await dynamodb.createTable(simple("again"));
  await dynamodb.putItem({ TableName: "again", Item: { id: { S: "a" } } });
  await dynamodb.deleteTable({ TableName: "again" });
  await dynamodb.createTable(simple("again"));
  assert.equal((await dynamodb.scan({ TableName: "again" })).Count, 0);
});

test("UpdateTable changes throughput and billing, and refuses what changes nothing", async () => {
  await dynamodb.createTable(
    simple("updated", {
      BillingMode: "PROVISIONED",
      ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 5 },
    }),
  );
  await assert.rejects(dynamodb.updateTable({ TableName: "updated" }), /At least one of ProvisionedThroughput/);
  const same = { ReadCapacityUnits: 5, WriteCapacityUnits: 5 };
  await assert.rejects(
    dynamodb.updateTable({ TableName: "updated", ProvisionedThroughput: same }),
    /The provisioned throughput for the table will not change/,
  );
  const grown = await dynamodb.updateTable({
    TableName: "updated",
    ProvisionedThroughput: { ReadCapacityUnits: 7, WriteCapacityUnits: 5 },
  });
  // As on AWS the answer tells of what was, and the table that it is changing.
  assert.equal(grown.TableDescription?.TableStatus, "UPDATING");
  assert.equal(grown.TableDescription?.ProvisionedThroughput?.ReadCapacityUnits, 5);
  assert.ok(grown.TableDescription?.ProvisionedThroughput?.LastIncreaseDateTime);
  const { Table } = await dynamodb.describeTable({ TableName: "updated" });
  assert.deepEqual([Table?.TableStatus, Table?.ProvisionedThroughput?.ReadCapacityUnits], ["ACTIVE", 7]);
  const free = await dynamodb.updateTable({ TableName: "updated", BillingMode: "PAY_PER_REQUEST" });
  assert.equal(free.TableDescription?.BillingModeSummary?.BillingMode, "PAY_PER_REQUEST");
  assert.equal(free.TableDescription?.ProvisionedThroughput?.ReadCapacityUnits, 0);
});

test("a new global index holds the items that were there, but not those that it cannot hold", async () => {
  await dynamodb.createTable(simple("backfilled"));
  for (const [id, color] of [
    ["a", { S: "red" }],
    ["b", { N: "1" }],
    ["c", { S: "" }],
    ["d", { S: "red" }],
  ] as const)
    await dynamodb.putItem({ TableName: "backfilled", Item: { id: { S: id }, color } });
  await dynamodb.putItem({ TableName: "backfilled", Item: { id: { S: "none" } } });
  const Create = {
    IndexName: "by-color",
    KeySchema: [{ AttributeName: "color", KeyType: "HASH" as const }],
    ...PROJECT_ALL,
  };
  const definitions = [{ AttributeName: "color", AttributeType: "S" as const }];
  const { TableDescription } = await dynamodb.updateTable({
    TableName: "backfilled",
    AttributeDefinitions: definitions,
    GlobalSecondaryIndexUpdates: [{ Create }],
  });
  const [answered] = TableDescription?.GlobalSecondaryIndexes ?? [];
  assert.deepEqual([answered?.IndexStatus, answered?.Backfilling, answered?.ItemCount], ["CREATING", false, 0]);
  const [described] = (await dynamodb.describeTable({ TableName: "backfilled" })).Table?.GlobalSecondaryIndexes ?? [];
  assert.deepEqual([described?.IndexStatus, described?.Backfilling, described?.ItemCount], ["ACTIVE", undefined, 2]);
  assert.equal(TableDescription?.AttributeDefinitions?.length, 2);
  const found = await dynamodb.query({
    TableName: "backfilled",
    IndexName: "by-color",
    KeyConditionExpression: "color = :c",
    ExpressionAttributeValues: { ":c": { S: "red" } },
  });
  assert.deepEqual(found.Items?.map(({ id }) => id?.S).sort(), ["a", "d"]);
  await assert.rejects(dynamodb.putItem({ TableName: "backfilled", Item: { id: { S: "e" }, color: { N: "1" } } }), {
    message: `${INVALID}Type mismatch for Index Key color Expected: S Actual: N IndexName: by-color`,
  });

  // What was left out may still be changed and deleted.
  await dynamodb.updateItem({
    TableName: "backfilled",
    Key: { id: { S: "b" } },
    UpdateExpression: "SET x = :x",
    ExpressionAttributeValues: { ":x": { S: "x" } },
    ReturnConsumedCapacity: "INDEXES",
  });
  await dynamodb.deleteItem({ TableName: "backfilled", Key: { id: { S: "b" } } });
  await dynamodb.putItem({ TableName: "backfilled", Item: { id: { S: "c" }, color: { S: "red" } } });
  assert.equal((await dynamodb.scan({ TableName: "backfilled", IndexName: "by-color" })).Count, 3);

  await dynamodb.updateTable({
    TableName: "backfilled",
    GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: "by-color" } }],
  });
  const { Table } = await dynamodb.describeTable({ TableName: "backfilled" });
  assert.equal(Table?.GlobalSecondaryIndexes, undefined);
  assert.equal(Table?.AttributeDefinitions?.length, 1);
  await assert.rejects(
    dynamodb.updateTable({
      TableName: "backfilled",
      GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: "by-color" } }],
    }),
    { name: "ResourceNotFoundException" },
  );
});

test("DescribeEndpoints names this cloud, DescribeLimits AWS's defaults", async () => {
  const { Endpoints } = await dynamodb.describeEndpoints({});
  assert.deepEqual(Endpoints, [{ Address: new URL(cloud.endpoint).host, CachePeriodInMinutes: 1440 }]);
  assert.equal((await dynamodb.describeLimits({})).TableMaxReadCapacityUnits, 40000);
});
