// With `--delays real`: tables and indexes take their time, on the clock, and what meets a change under way is refused as on AWS.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB, type UpdateTableCommandInput } from "@aws-sdk/client-dynamodb";
import { DynamoDBStreams } from "@aws-sdk/client-dynamodb-streams";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud({ delays: "real" });
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
await cloud.aws.clock({ freeze: true });

const KEY = {
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
} as const;
const SECOND = 1000;
const IN_USE = "Attempt to change a resource which is still in use: ";

const create = (TableName: string, more: object = { BillingMode: "PAY_PER_REQUEST" }) =>
  dynamodb.createTable({ TableName, ...structuredClone(KEY), ...more } as never);
const describe = async (TableName: string) => (await dynamodb.describeTable({ TableName })).Table!;
const status = async (TableName: string) => (await describe(TableName)).TableStatus;
const index = async (TableName: string) => {
  const { TableStatus, GlobalSecondaryIndexes: [first] = [] } = await describe(TableName);
  return [TableStatus, first?.IndexStatus, first?.Backfilling];
};
const inUse = (why: string) => ({ name: "ResourceInUseException", message: IN_USE + why });
const PROVISIONED = (units: number) => ({
  ProvisionedThroughput: { ReadCapacityUnits: units, WriteCapacityUnits: units },
});
const newIndex = (IndexName: string) => ({
  AttributeDefinitions: [{ AttributeName: "color", AttributeType: "S" as const }],
  GlobalSecondaryIndexUpdates: [
    {
      Create: {
        IndexName,
        KeySchema: [{ AttributeName: "color", KeyType: "HASH" as const }],
        Projection: { ProjectionType: "ALL" as const },
      },
    },
  ],
});
const query = (TableName: string) =>
  dynamodb.query({
    TableName,
    IndexName: "by-color",
    KeyConditionExpression: "color = :c",
    ExpressionAttributeValues: { ":c": { S: "red" } },
  });

test("a new table is CREATING for some seconds, and nothing else", async () => {
  const TableName = "made";
  const { TableDescription } = await create(TableName);
  assert.equal(TableDescription?.TableStatus, "CREATING");
  assert.equal(await status(TableName), "CREATING");
  assert.deepEqual((await dynamodb.listTables({})).TableNames?.includes(TableName), true);
  const busy = inUse(`Table is being created: ${TableName}`);
  await assert.rejects(create(TableName), busy);
  await assert.rejects(dynamodb.updateTable({ TableName, DeletionProtectionEnabled: true }), busy);
  await assert.rejects(dynamodb.deleteTable({ TableName }), busy);
  const missing = { name: "ResourceNotFoundException", message: "Requested resource not found" };
  await assert.rejects(dynamodb.putItem({ TableName, Item: { id: { S: "a" } } }), missing);
  await assert.rejects(dynamodb.getItem({ TableName, Key: { id: { S: "a" } } }), missing);
  await assert.rejects(dynamodb.scan({ TableName }), missing);
  await assert.rejects(dynamodb.describeTimeToLive({ TableName }), {
    name: "ValidationException",
    message: "Cannot describe time to live while table is in CREATING state: Current table state is CREATING",
  });

  await cloud.advance(6 * SECOND);
  assert.equal(await status(TableName), "ACTIVE");
  await assert.rejects(create(TableName), {
    name: "ResourceInUseException",
    message: `Table already exists: ${TableName}`,
  });
  await dynamodb.putItem({ TableName, Item: { id: { S: "a" } } });
});

test("a deleted table is DELETING for some seconds, and nobody finds its items", async () => {
  const TableName = "going";
  await create(TableName);
  await cloud.advance(6 * SECOND);
  await dynamodb.updateTable({
    TableName,
    StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
  });
  await cloud.advance(5 * SECOND);
  await dynamodb.updateTimeToLive({ TableName, TimeToLiveSpecification: { Enabled: true, AttributeName: "ttl" } });
  const ttl = { N: `${Math.ceil((await describe(TableName)).CreationDateTime!.getTime() / SECOND) + 13}` };
  await dynamodb.putItem({ TableName, Item: { id: { S: "a" }, ttl } });
  const { LatestStreamArn: StreamArn } = await describe(TableName);
  await dynamodb.deleteTable({ TableName });
  // The item's time comes while its table goes.
  await cloud.advance(3 * SECOND);
  const streams = cloud.client(DynamoDBStreams);
  const { StreamDescription } = await streams.describeStream({ StreamArn });
  assert.deepEqual([StreamDescription?.StreamStatus, StreamDescription?.Shards?.length], ["DISABLED", 1]);
  const [shard] = StreamDescription!.Shards!;
  const { ShardIterator } = await streams.getShardIterator({
    StreamArn,
    ShardId: shard!.ShardId,
    ShardIteratorType: "TRIM_HORIZON",
  });
  const { Records, NextShardIterator } = await streams.getRecords({ ShardIterator });
  assert.deepEqual(
    Records?.map(({ eventName }) => eventName),
    ["INSERT"],
  );
  assert.equal(NextShardIterator, undefined);
  assert.equal(await status(TableName), "DELETING");
  await assert.rejects(dynamodb.scan({ TableName }), { name: "ResourceNotFoundException" });
  const busy = inUse(`Table is being deleted: ${TableName}`);
  await assert.rejects(dynamodb.deleteTable({ TableName }), busy);
  await assert.rejects(dynamodb.updateTable({ TableName, DeletionProtectionEnabled: true }), busy);
  await assert.rejects(create(TableName), { message: `Table already exists: ${TableName}` });

  await cloud.advance(5 * SECOND);
  await assert.rejects(describe(TableName), { name: "ResourceNotFoundException" });
  await create(TableName);
  await cloud.advance(6 * SECOND);
  assert.equal((await dynamodb.scan({ TableName })).Count, 0);
});

test("a new index finds resources, is filled, and can then be read; writes meanwhile are in it", async () => {
  const TableName = "indexed";
  await create(TableName);
  await cloud.advance(6 * SECOND);
  await dynamodb.putItem({ TableName, Item: { id: { S: "before" }, color: { S: "red" } } });
  await dynamodb.updateTable({ TableName, ...newIndex("by-color") });
  assert.deepEqual(await index(TableName), ["UPDATING", "CREATING", false]);
  const where = `Table: ${TableName} Index: by-color`;
  const change = (GlobalSecondaryIndexUpdates: UpdateTableCommandInput["GlobalSecondaryIndexUpdates"]) =>
    dynamodb.updateTable({ TableName, GlobalSecondaryIndexUpdates });
  const remove = () => change([{ Delete: { IndexName: "by-color" } }]);
  await assert.rejects(
    remove(),
    inUse(
      `Index creation is in resource allocation phase. Retry deletion during backfilling phase or when the index is active.  ${where}`,
    ),
  );
  await assert.rejects(
    change([{ Update: { IndexName: "by-color", OnDemandThroughput: { MaxReadRequestUnits: 5 } } }]),
    inUse(`Index is being created but is not backfilling yet.  ${where}`),
  );
  const one = {
    name: "LimitExceededException",
    message: "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
  };
  await assert.rejects(dynamodb.updateTable({ TableName, ...newIndex("another") }), one);
  await assert.rejects(
    dynamodb.updateTable({ TableName, StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" } }),
    inUse(`Can't change stream status when an index is being created. Table: ${TableName} Indexes: [by-color]`),
  );
  await assert.rejects(
    dynamodb.updateTable({ TableName, OnDemandThroughput: { MaxReadRequestUnits: 5 } }),
    inUse("OnDemandThroughput cannot be updated while index creation is in progress for indexes: [by-color]"),
  );

  await cloud.advance(30 * SECOND);
  assert.deepEqual(await index(TableName), ["ACTIVE", "CREATING", true]);
  await dynamodb.putItem({ TableName, Item: { id: { S: "meanwhile" }, color: { S: "red" } } });
  const filling = { message: "Cannot read from backfilling global secondary index: by-color" };
  await assert.rejects(query(TableName), filling);
  await assert.rejects(
    dynamodb.executeStatement({ Statement: `SELECT * FROM "${TableName}"."by-color" WHERE color = 'red'` }),
    filling,
  );
  await assert.rejects(dynamodb.updateTable({ TableName, ...newIndex("another") }), one);
  await assert.rejects(
    dynamodb.deleteTable({ TableName }),
    inUse("Cannot delete table while indexes are being created, updated, or deleted."),
  );

  await cloud.advance(480 * SECOND);
  assert.deepEqual(await index(TableName), ["ACTIVE", "ACTIVE", undefined]);
  assert.equal((await query(TableName)).Count, 2);

  await remove();
  assert.deepEqual(await index(TableName), ["UPDATING", "DELETING", undefined]);
  await assert.rejects(query(TableName), { message: "The table does not have the specified index: by-color" });
  await assert.rejects(remove(), inUse(`Index is being deleted.  ${where}`));
  await cloud.advance(5 * SECOND);
  assert.deepEqual(await index(TableName), ["ACTIVE", undefined, undefined]);
});

test("an index that is being filled may be deleted", async () => {
  const TableName = "changed-mind";
  await create(TableName);
  await cloud.advance(6 * SECOND);
  await dynamodb.updateTable({ TableName, ...newIndex("by-color") });
  await cloud.advance(30 * SECOND);
  await dynamodb.updateTable({ TableName, GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: "by-color" } }] });
  await cloud.advance(500 * SECOND);
  assert.deepEqual(await index(TableName), ["ACTIVE", undefined, undefined]);
});

test("throughput, billing, class and stream change one after the other", async () => {
  const TableName = "changing";
  await create(TableName, PROVISIONED(1));
  await cloud.advance(6 * SECOND);
  const update = (change: Partial<UpdateTableCommandInput>) => dynamodb.updateTable({ TableName, ...change });
  const iops = inUse(`Table IOPS are currently being updated. Table: ${TableName}`);
  const stream = { StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" as const } };

  await update(PROVISIONED(2));
  let table = await describe(TableName);
  assert.deepEqual([table.TableStatus, table.ProvisionedThroughput?.ReadCapacityUnits], ["UPDATING", 1]);
  await assert.rejects(update(PROVISIONED(3)), iops);
  await assert.rejects(update({ BillingMode: "PAY_PER_REQUEST" }), iops);
  await assert.rejects(
    update(stream),
    inUse(`Can't enable or disable stream while table IOPS are being updated. Table: ${TableName}`),
  );
  await assert.rejects(
    update(newIndex("by-color")),
    inUse(`Can't create or delete indexes while table IOPS are being updated. Table: ${TableName}`),
  );
  await assert.rejects(
    dynamodb.deleteTable({ TableName }),
    inUse(`Table: ${TableName} is in the process of being updated.`),
  );
  // A table that is UPDATING can be used, and protected.
  await dynamodb.putItem({ TableName, Item: { id: { S: "a" } } });
  await update({ DeletionProtectionEnabled: false });
  await cloud.advance(2 * SECOND);
  table = await describe(TableName);
  assert.deepEqual([table.TableStatus, table.ProvisionedThroughput?.ReadCapacityUnits], ["ACTIVE", 2]);

  await update({ BillingMode: "PAY_PER_REQUEST" });
  table = await describe(TableName);
  assert.deepEqual([table.TableStatus, table.BillingModeSummary], ["UPDATING", { BillingMode: "PAY_PER_REQUEST" }]);
  assert.deepEqual(table.WarmThroughput?.ReadUnitsPerSecond, 2);
  await assert.rejects(
    update({ OnDemandThroughput: { MaxReadRequestUnits: 5 } }),
    inUse("OnDemandThroughput cannot be updated while BillingMode update is in progress"),
  );
  await cloud.advance(130 * SECOND);
  table = await describe(TableName);
  assert.equal(table.TableStatus, "ACTIVE");
  assert.ok(table.BillingModeSummary?.LastUpdateToPayPerRequestDateTime);
  assert.equal(table.WarmThroughput?.ReadUnitsPerSecond, 12_000);

  await update(stream);
  const { LatestStreamLabel } = await describe(TableName);
  const which = `Table: ${TableName} Stream: ${LatestStreamLabel} Operation: ENABLE`;
  await assert.rejects(
    update({ StreamSpecification: { StreamEnabled: false } }),
    inUse(`A stream status change is currently in progress. ${which}`),
  );
  await assert.rejects(
    update({ TableClass: "STANDARD_INFREQUENT_ACCESS" }),
    inUse(`Can't update table class when stream status is being updated. ${which}`),
  );
  await assert.rejects(
    dynamodb.deleteTable({ TableName }),
    inUse("Cannot delete table while stream is being enabled/disabled."),
  );
  await cloud.advance(5 * SECOND);

  await update({ TableClass: "STANDARD_INFREQUENT_ACCESS" });
  table = await describe(TableName);
  assert.deepEqual([table.TableStatus, table.TableClassSummary], ["UPDATING", undefined]);
  await assert.rejects(
    update({ TableClass: "STANDARD" }),
    inUse(
      `Can't update table class when a table class update is in progress. Table: ${TableName} TableClassUpdateInProgress: STANDARD_INFREQUENT_ACCESS`,
    ),
  );
  await cloud.advance(5 * SECOND);
  assert.equal((await describe(TableName)).TableClassSummary?.TableClass, "STANDARD_INFREQUENT_ACCESS");
});

test("encryption and warm throughput change beside everything else, the latest warmth wins", async () => {
  const TableName = "beside";
  await create(TableName);
  await cloud.advance(6 * SECOND);
  const update = (change: Partial<UpdateTableCommandInput>) => dynamodb.updateTable({ TableName, ...change });
  await update({ SSESpecification: { Enabled: true } });
  await update({ WarmThroughput: { ReadUnitsPerSecond: 13_000 } });
  await update({ WarmThroughput: { ReadUnitsPerSecond: 14_000 } });
  let table = await describe(TableName);
  assert.deepEqual(
    [table.TableStatus, table.SSEDescription?.Status, table.WarmThroughput],
    ["ACTIVE", "UPDATING", { ReadUnitsPerSecond: 12_000, WriteUnitsPerSecond: 4_000, Status: "UPDATING" }],
  );
  await assert.rejects(
    update({ SSESpecification: { Enabled: false } }),
    inUse("Server-Side Encryption is still being updated"),
  );
  await cloud.advance(390 * SECOND);
  table = await describe(TableName);
  assert.deepEqual(
    [table.SSEDescription?.Status, table.WarmThroughput],
    ["ENABLED", { ReadUnitsPerSecond: 14_000, WriteUnitsPerSecond: 4_000, Status: "ACTIVE" }],
  );
});

test("an index that changes what it can take is UPDATING, its table is not", async () => {
  const TableName = "index-changes";
  await create(TableName, {
    ...PROVISIONED(1),
    AttributeDefinitions: [...KEY.AttributeDefinitions, ...newIndex("x").AttributeDefinitions],
    GlobalSecondaryIndexes: [{ ...newIndex("by-color").GlobalSecondaryIndexUpdates[0]!.Create, ...PROVISIONED(1) }],
  });
  assert.deepEqual(await index(TableName), ["CREATING", "CREATING", undefined]);
  await cloud.advance(16 * SECOND);
  const Update = { IndexName: "by-color", ...PROVISIONED(2) };
  const change = () => dynamodb.updateTable({ TableName, GlobalSecondaryIndexUpdates: [{ Update }] });
  await change();
  assert.deepEqual(await index(TableName), ["ACTIVE", "UPDATING", undefined]);
  await assert.rejects(change(), inUse(`Index is being updated.  Table: ${TableName} Index: by-color`));
  await cloud.advance(2 * SECOND);
  assert.deepEqual(await index(TableName), ["ACTIVE", "ACTIVE", undefined]);
  const [first] = (await describe(TableName)).GlobalSecondaryIndexes!;
  assert.equal(first?.ProvisionedThroughput?.ReadCapacityUnits, 2);
});
