import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB, type DynamoDBServiceException, paginateScan } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const DAY = 24 * 60 * 60 * 1000;

const SCHEMA = {
  AttributeDefinitions: [
    { AttributeName: "id", AttributeType: "S" as const },
    { AttributeName: "at", AttributeType: "N" as const },
    { AttributeName: "kind", AttributeType: "S" as const },
  ],
  KeySchema: [
    { AttributeName: "id", KeyType: "HASH" as const },
    { AttributeName: "at", KeyType: "RANGE" as const },
  ],
  LocalSecondaryIndexes: [
    {
      IndexName: "by-kind-within",
      KeySchema: [
        { AttributeName: "id", KeyType: "HASH" as const },
        { AttributeName: "kind", KeyType: "RANGE" as const },
      ],
      Projection: { ProjectionType: "KEYS_ONLY" as const },
    },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: "by-kind",
      KeySchema: [{ AttributeName: "kind", KeyType: "HASH" as const }],
      Projection: { ProjectionType: "INCLUDE" as const, NonKeyAttributes: ["note"] },
    },
  ],
  BillingMode: "PAY_PER_REQUEST" as const,
};
const [GLOBAL] = SCHEMA.GlobalSecondaryIndexes;

async function put(TableName: string, at: number, more: Record<string, string> = {}): Promise<void> {
  const strings = Object.fromEntries(Object.entries(more).map(([name, S]) => [name, { S }]));
  await dynamodb.putItem({ TableName, Item: { id: { S: "a" }, at: { N: String(at) }, ...strings } });
}

async function scan(TableName: string, IndexName?: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { Items = [] } of paginateScan({ client: dynamodb }, { TableName, IndexName }))
    found.push(...Items.map(({ at }) => Number(at!.N)));
  return found.toSorted((a, b) => a - b);
}

/** Four at a time. */
async function inTurn(count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += 4)
    await Promise.all(Array.from({ length: Math.min(4, count - from) }, (_, i) => work(from + i)));
}

async function backUp(TableName: string, BackupName = "nightly"): Promise<string> {
  const { BackupDetails } = await dynamodb.createBackup({ TableName, BackupName });
  await cloud.settle();
  return BackupDetails!.BackupArn!;
}

test("a backup holds the table as it was, tells of its settings, and outlives it", async () => {
  const TableName = "outlived";
  await dynamodb.createTable({
    TableName,
    ...SCHEMA,
    StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
    TableClass: "STANDARD_INFREQUENT_ACCESS",
    Tags: [{ Key: "team", Value: "x" }],
  });
  await dynamodb.updateTimeToLive({ TableName, TimeToLiveSpecification: { Enabled: true, AttributeName: "until" } });
  for (const at of [1, 2, 3]) await put(TableName, at, { kind: "k", note: "n" });
  await put(TableName, 4);
  const { BackupDetails } = await dynamodb.createBackup({ TableName, BackupName: "nightly" });
  assert.match(BackupDetails!.BackupArn!, /:table\/outlived\/backup\/\d{14}-[0-9a-f]{8}$/);
  assert.deepEqual([BackupDetails!.BackupStatus, BackupDetails!.BackupType], ["CREATING", "USER"]);
  await put(TableName, 5);
  const BackupArn = BackupDetails!.BackupArn!;
  const { Table } = await dynamodb.describeTable({ TableName });
  await dynamodb.deleteTable({ TableName });
  await cloud.settle();
  const { BackupDescription: told } = await dynamodb.describeBackup({ BackupArn });
  assert.equal(told!.BackupDetails!.BackupStatus, "AVAILABLE");
  assert.ok(told!.BackupDetails!.BackupSizeBytes! > 0);
  const { TableSizeBytes: _, ...source } = told!.SourceTableDetails!;
  assert.deepEqual(source, {
    TableName,
    TableId: Table!.TableId,
    TableArn: Table!.TableArn,
    KeySchema: SCHEMA.KeySchema,
    TableCreationDateTime: Table!.CreationDateTime,
    ProvisionedThroughput: { ReadCapacityUnits: 0, WriteCapacityUnits: 0 },
    ItemCount: 4,
    BillingMode: "PAY_PER_REQUEST",
  });
  assert.deepEqual(told!.SourceTableFeatureDetails, {
    LocalSecondaryIndexes: SCHEMA.LocalSecondaryIndexes,
    GlobalSecondaryIndexes: [{ ...GLOBAL, ProvisionedThroughput: { ReadCapacityUnits: 0, WriteCapacityUnits: 0 } }],
    StreamDescription: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
    TimeToLiveDescription: { TimeToLiveStatus: "ENABLED", AttributeName: "until" },
  });

  const { TableDescription } = await dynamodb.restoreTableFromBackup({ TargetTableName: "risen", BackupArn });
  assert.equal(TableDescription!.TableStatus, "CREATING");
  const { RestoreDateTime, ...summary } = TableDescription!.RestoreSummary!;
  assert.deepEqual(summary, { SourceBackupArn: BackupArn, SourceTableArn: Table!.TableArn, RestoreInProgress: true });
  assert.deepEqual(RestoreDateTime, BackupDetails!.BackupCreationDateTime);
  await cloud.settle();
  const risen = (await dynamodb.describeTable({ TableName: "risen" })).Table!;
  assert.equal(risen.TableStatus, "ACTIVE");
  for (const gone of ["RestoreSummary", "LatestStreamArn", "TableClassSummary"] as const)
    assert.equal(risen[gone], undefined, gone);
  assert.equal(
    (await dynamodb.describeTimeToLive({ TableName: "risen" })).TimeToLiveDescription!.TimeToLiveStatus,
    "DISABLED",
  );
  assert.deepEqual((await dynamodb.listTagsOfResource({ ResourceArn: risen.TableArn })).Tags, []);
  assert.deepEqual(await scan("risen"), [1, 2, 3, 4]);
  assert.deepEqual(await scan("risen", "by-kind"), [1, 2, 3]);
  assert.deepEqual(await scan("risen", "by-kind-within"), [1, 2, 3]);
  const { Items } = await dynamodb.scan({ TableName: "risen", IndexName: "by-kind", Limit: 1 });
  assert.equal(Items![0]!.note!.S, "n");
});

test("a restore has the indexes, the billing and the throughput that it is asked for, and no others", async () => {
  const TableName = "overridden";
  await dynamodb.createTable({ TableName, ...SCHEMA });
  await put(TableName, 1, { kind: "k", note: "n" });
  const BackupArn = await backUp(TableName);
  let count = 0;
  const restore = async (more: object) => {
    const TargetTableName = `overridden-${++count}`;
    await dynamodb.restoreTableFromBackup({ TargetTableName, BackupArn, ...more });
    await cloud.settle();
    return (await dynamodb.describeTable({ TableName: TargetTableName })).Table!;
  };
  const bare = await restore({ GlobalSecondaryIndexOverride: [], LocalSecondaryIndexOverride: [] });
  assert.deepEqual([bare.GlobalSecondaryIndexes, bare.LocalSecondaryIndexes], [undefined, undefined]);
  assert.deepEqual(
    bare.AttributeDefinitions!.map(({ AttributeName }) => AttributeName),
    ["at", "id"],
  );
  const throughput = { ReadCapacityUnits: 5, WriteCapacityUnits: 6 };
  const renamed = { ...GLOBAL, IndexName: "renamed", ProvisionedThroughput: throughput };
  const provisioned = await restore({
    BillingModeOverride: "PROVISIONED",
    ProvisionedThroughputOverride: throughput,
    GlobalSecondaryIndexOverride: [renamed],
  });
  assert.equal(provisioned.ProvisionedThroughput!.WriteCapacityUnits, 6);
  assert.equal(provisioned.GlobalSecondaryIndexes![0]!.IndexName, "renamed");
  assert.equal(provisioned.GlobalSecondaryIndexes![0]!.ProvisionedThroughput!.ReadCapacityUnits, 5);
  assert.deepEqual(await scan(provisioned.TableName!, "renamed"), [1]);
  const limited = await restore({ OnDemandThroughputOverride: { MaxReadRequestUnits: 7 } });
  assert.deepEqual(limited.OnDemandThroughput, { MaxReadRequestUnits: 7 });

  const refused: [object, RegExp][] = [
    [
      { ProvisionedThroughputOverride: throughput },
      /^ValidationException 400 Invalid Request: Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED$/,
    ],
    [
      { BillingModeOverride: "PROVISIONED" },
      /: Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED$/,
    ],
    [
      { BillingModeOverride: "PAY_PER_REQUEST", ProvisionedThroughputOverride: throughput },
      /: Cannot override ProvisionedThroughput if BillingMode is overridden to PAY_PER_REQUEST$/,
    ],
    [
      { BillingModeOverride: "PROVISIONED", ProvisionedThroughputOverride: throughput },
      /: Must specify provisioned throughput for index by-kind$/,
    ],
    [
      { OnDemandThroughputOverride: { MaxWriteRequestUnits: 0 } },
      /: Requested MaxWriteRequestUnits for OnDemandThroughput is outside of valid range$/,
    ],
    [
      { GlobalSecondaryIndexOverride: [{ ...GLOBAL, Projection: { ProjectionType: "ALL" } }] },
      /: Index by-kind does not match a secondary index that existed in the source table and cannot be created during the restore operation$/,
    ],
    [{ GlobalSecondaryIndexOverride: [renamed] }, /overridden to PAY_PER_REQUEST for index renamed$/],
    [{ TargetTableName: TableName }, /^TableAlreadyExistsException 400 Table already exists: overridden$/],
    [{ BackupArn: `${BackupArn}0` }, /^BackupNotFoundException 400 Backup not found: arn:/],
    [{ BackupArn: BackupArn.replace(/\/backup.*/, "") }, /^ValidationException 400 Invalid Backup ARN$/],
    [{ BackupArn: BackupArn.replace("us-east-1", "eu-west-1") }, /^BackupNotFoundException/],
  ];
  for (const [more, expected] of refused)
    assert.match(
      await refusal(dynamodb.restoreTableFromBackup({ TargetTableName: "overridden-not", BackupArn, ...more })),
      expected,
    );
  assert.match(await refusal(dynamodb.describeTable({ TableName: "overridden-not" })), /^ResourceNotFoundException/);
});

test("backups are listed from the oldest on: by table, type, and time, a page at a time; a deleted one is gone", async () => {
  const TableName = "listed";
  await dynamodb.createTable({ TableName, ...SCHEMA });
  const arns: string[] = [];
  for (const name of ["one", "one", "two"]) {
    arns.push(await backUp(TableName, name));
    await cloud.advance(1000);
  }
  const list = async (more: object = {}) => {
    const { BackupSummaries, LastEvaluatedBackupArn } = await dynamodb.listBackups({ TableName, ...more });
    return { arns: BackupSummaries!.map(({ BackupArn }) => BackupArn), last: LastEvaluatedBackupArn };
  };
  assert.deepEqual(await list(), { arns, last: undefined });
  const first = await list({ Limit: 2 });
  assert.deepEqual(first, { arns: arns.slice(0, 2), last: arns[1] });
  assert.deepEqual(await list({ ExclusiveStartBackupArn: first.last }), { arns: arns.slice(2), last: undefined });
  const { BackupSummaries } = await dynamodb.listBackups({ TableName, Limit: 1 });
  const [{ BackupCreationDateTime: time, ...summary } = {}] = BackupSummaries!;
  assert.deepEqual(
    [summary.BackupName, summary.BackupStatus, summary.BackupType, summary.TableName],
    ["one", "AVAILABLE", "USER", TableName],
  );
  assert.equal((await list({ TimeRangeLowerBound: time })).arns.length, 3, "from its time on");
  assert.deepEqual((await list({ TimeRangeUpperBound: time })).arns, [], "and before it");
  assert.deepEqual((await list({ BackupType: "SYSTEM" })).arns, []);
  assert.deepEqual((await list({ TableName: "nothing" })).arns, []);
  assert.match(
    await refusal(list({ TimeRangeLowerBound: new Date(2000), TimeRangeUpperBound: new Date(1000) })),
    /^ValidationException 400 .*Time range lower bound must be less than or equal to upper bound$/,
  );
  const { BackupDescription } = await dynamodb.deleteBackup({ BackupArn: arns[1] });
  assert.equal(BackupDescription!.BackupDetails!.BackupStatus, "DELETED");
  for (const gone of [
    () => dynamodb.describeBackup({ BackupArn: arns[1] }),
    () => dynamodb.deleteBackup({ BackupArn: arns[1] }),
  ])
    assert.match(await refusal(gone()), /^BackupNotFoundException 400 Backup not found: arn:aws:dynamodb:/);
  assert.deepEqual((await list()).arns, [arns[0], arns[2]]);
  assert.match(
    await refusal(dynamodb.createBackup({ TableName: "nothing", BackupName: "one" })),
    /^TableNotFoundException 400 Table not found: nothing$/,
  );
});

test("a table with recovery leaves a backup of 35 days, which nobody can delete", async () => {
  const TableName = "lost";
  await dynamodb.createTable({ TableName, ...SCHEMA });
  await put(TableName, 1, { kind: "k" });
  const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
  await dynamodb.updateContinuousBackups({ TableName, PointInTimeRecoverySpecification });
  await put(TableName, 2, { kind: "k" });
  await dynamodb.deleteTable({ TableName });
  await cloud.settle();
  assert.deepEqual((await dynamodb.listBackups({ TableName })).BackupSummaries, []);
  const { BackupSummaries } = await dynamodb.listBackups({ TableName, BackupType: "SYSTEM" });
  const [backup] = BackupSummaries!;
  assert.equal(backup!.BackupName, "lost$DeletedTableBackup");
  assert.match(backup!.BackupArn!, /-00000000$/);
  assert.equal(backup!.BackupExpiryDateTime!.getTime() - backup!.BackupCreationDateTime!.getTime(), 35 * DAY);
  const { BackupArn } = backup!;
  assert.match(
    await refusal(dynamodb.deleteBackup({ BackupArn })),
    /^ValidationException 400 Invalid Request: User is not allowed to delete the system backup with arn arn:.*\. It will automatically expire on /,
  );
  await dynamodb.restoreTableFromBackup({ TargetTableName: TableName, BackupArn });
  await cloud.settle();
  assert.deepEqual(await scan(TableName), [1, 2]);
  assert.deepEqual(await scan(TableName, "by-kind"), [1, 2]);
  await cloud.advance(35 * DAY);
  assert.match(await refusal(dynamodb.describeBackup({ BackupArn })), /^BackupNotFoundException/);
  assert.deepEqual(await scan(TableName), [1, 2]);
});

test("a table of more than a step is backed up and restored whole; it is CREATING until it is", async () => {
  const TableName = "large";
  const { AttributeDefinitions, KeySchema, BillingMode } = SCHEMA;
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: AttributeDefinitions.slice(0, 2),
    KeySchema,
    BillingMode,
  });
  const COUNT = 2250;
  await inTurn(COUNT / 25, (page) =>
    dynamodb.batchWriteItem({
      RequestItems: {
        [TableName]: Array.from({ length: 25 }, (_, i) => ({
          PutRequest: { Item: { id: { S: `i${(page * 25 + i) % 750}` }, at: { N: String(page * 25 + i) } } },
        })),
      },
    }),
  );
  const all = Array.from({ length: COUNT }, (_, i) => i);
  const { BackupDetails } = await dynamodb.createBackup({ TableName, BackupName: "all" });
  const BackupArn = BackupDetails!.BackupArn!;
  await cloud.settle();
  const { BackupDescription } = await dynamodb.describeBackup({ BackupArn });
  assert.equal(BackupDescription!.SourceTableDetails!.ItemCount, COUNT);
  await dynamodb.restoreTableFromBackup({ TargetTableName: "large-again", BackupArn });
  const during = await Promise.allSettled([
    dynamodb.getItem({ TableName: "large-again", Key: { id: { S: "i1" }, at: { N: "1" } } }),
    dynamodb.createBackup({ TableName: "large-again", BackupName: "early" }),
    dynamodb.restoreTableFromBackup({ TargetTableName: "large-third", BackupArn }),
    dynamodb.restoreTableFromBackup({ TargetTableName: "large-again", BackupArn }),
  ]);
  // How far it was is chance; a refusal must be the right one.
  const codes = [
    /^ResourceNotFoundException$/,
    /^TableNotFoundException$/,
    /^BackupInUseException$/,
    /^Table(InUse|AlreadyExists)Exception$/,
  ];
  for (const [i, each] of during.entries())
    if (each.status === "rejected") assert.match((each.reason as DynamoDBServiceException).name, codes[i]!);
  assert.equal(during[3]!.status, "rejected");
  await cloud.settle();
  assert.deepEqual(await scan("large-again"), all);
});

test("backups are guarded by their own ARNs, and a restore asks for all that writes the new table", async () => {
  const TableName = "guarded";
  await dynamodb.createTable({ TableName, ...SCHEMA });
  const BackupArn = await backUp(TableName);
  const target = BackupArn.replace(/guarded.*/, "guarded-again");
  const half = await userWith(cloud, "half", {
    may: policy(
      allow(["dynamodb:DescribeBackup", "dynamodb:RestoreTableFromBackup"], { Resource: [BackupArn, target] }),
    ),
  });
  const whole = await userWith(cloud, "whole", {
    may: policy(
      allow("dynamodb:RestoreTableFromBackup", { Resource: [BackupArn, target] }),
      allow(
        ["BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"].map(
          (a) => `dynamodb:${a}`,
        ),
        { Resource: target },
      ),
    ),
  });
  const reader = cloud.client(DynamoDB, half);
  await reader.describeBackup({ BackupArn });
  const restore = { TargetTableName: "guarded-again", BackupArn };
  for (const ask of [() => reader.deleteBackup({ BackupArn }), () => reader.restoreTableFromBackup(restore)])
    assert.match(await refusal(ask()), /^AccessDeniedException 400 User: .* is not authorized to perform: dynamodb:/);
  await cloud.client(DynamoDB, whole).restoreTableFromBackup(restore);
});
