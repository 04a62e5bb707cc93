// UpdateTable: what it takes together, what it refuses, and what a table can take afterwards. Sentences as seen on AWS, 2026-10.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type CreateTableCommandInput, DynamoDB, type UpdateTableCommandInput } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
await cloud.aws.clock({ freeze: true });

const INVALID = "One or more parameter values were invalid: ";
const HOUR = 60 * 60 * 1000;
type Update = Partial<UpdateTableCommandInput>;

let made = 0;
const units = (read: number, write = read) => ({
  ProvisionedThroughput: { ReadCapacityUnits: read, WriteCapacityUnits: write },
});
const byColor = (IndexName: string) => ({
  IndexName,
  KeySchema: [{ AttributeName: "color", KeyType: "HASH" as const }],
  Projection: { ProjectionType: "ALL" as const },
});
const color = { AttributeName: "color", AttributeType: "S" as const };
const creates = (IndexName: string, more: object = {}): Update => ({
  AttributeDefinitions: [color],
  GlobalSecondaryIndexUpdates: [{ Create: { ...byColor(IndexName), ...more } }],
});
const updates = (IndexName: string, more: object = {}): Update => ({
  GlobalSecondaryIndexUpdates: [{ Update: { IndexName, ...more } }],
});

async function newTable(more: Partial<CreateTableCommandInput> = {}): Promise<string> {
  const TableName = `table-${made++}`;
  const AttributeDefinitions = [{ AttributeName: "id", AttributeType: "S" as const }];
  if (more.GlobalSecondaryIndexes) AttributeDefinitions.push(color);
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions,
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
    ...more,
  });
  return TableName;
}
const provisioned = (read = 10, more: Partial<CreateTableCommandInput> = {}) =>
  newTable({ BillingMode: "PROVISIONED", ...units(read), ...more });
const update = (TableName: string, change: Update) => dynamodb.updateTable({ TableName, ...change });
const describe = async (TableName: string) => (await dynamodb.describeTable({ TableName })).Table!;
const refuses = (TableName: string, change: Update, message: string, name = "ValidationException") =>
  assert.rejects(update(TableName, change), { name, message });

const TOGETHER: readonly (readonly [string, Update, string])[] = [
  [
    "nothing",
    {},
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required",
  ],
  [
    "an empty list and something else",
    { GlobalSecondaryIndexUpdates: [], DeletionProtectionEnabled: true },
    `${INVALID}List of GlobalSecondaryIndexUpdates is empty`,
  ],
  [
    "encryption and protection",
    { SSESpecification: { Enabled: true }, DeletionProtectionEnabled: true },
    `${INVALID}Server-Side Encryption modification must be the only operation in the request`,
  ],
  [
    "class and protection",
    { TableClass: "STANDARD", DeletionProtectionEnabled: true },
    `${INVALID}TableClass modification must be the only operation in the request`,
  ],
  [
    "protection and warmth",
    { DeletionProtectionEnabled: true, WarmThroughput: { ReadUnitsPerSecond: 13_000 } },
    `${INVALID}DeletionProtection modification must be the only operation in the request`,
  ],
  [
    "warmth and a stream",
    {
      WarmThroughput: { ReadUnitsPerSecond: 13_000 },
      StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
    },
    `${INVALID}WarmThroughput must be the only operation in the request`,
  ],
  [
    "warmth and a new index",
    { WarmThroughput: { ReadUnitsPerSecond: 13_000 }, ...creates("by-color") },
    `${INVALID}Create global secondary index cannot be specified when updating WarmThroughput`,
  ],
  [
    "on-demand limits and a stream",
    {
      OnDemandThroughput: { MaxReadRequestUnits: 5 },
      StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
    },
    `${INVALID}OnDemandThroughput can only be combined with BillingMode in an UpdateTable request`,
  ],
  [
    "a stream and throughput",
    { StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" }, ...units(1) },
    `${INVALID}You cannot modify stream status while updating table IOPS`,
  ],
  [
    "a new index and throughput",
    { ...creates("by-color"), ...units(1) },
    `${INVALID}You cannot create or delete index while updating table IOPS`,
  ],
  [
    "a new index and a stream",
    { ...creates("by-color"), StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" } },
    `${INVALID}You cannot create or delete index while changing stream status`,
  ],
  [
    "PROVISIONED without throughput",
    { BillingMode: "PROVISIONED" },
    `${INVALID}ProvisionedThroughput must be specified when BillingMode is PROVISIONED`,
  ],
  [
    "an empty update of an index",
    { GlobalSecondaryIndexUpdates: [{}] },
    `${INVALID}One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null`,
  ],
  [
    "two actions in one update of an index",
    { GlobalSecondaryIndexUpdates: [{ Update: { IndexName: "abc" }, Delete: { IndexName: "abc" } }] },
    `${INVALID}Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object`,
  ],
  [
    "two updates of one index",
    { GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: "abc" } }, { Create: byColor("abc") }] },
    `${INVALID}Only one global secondary index update per index is allowed simultaneously. Index: abc`,
  ],
  [
    "an index without definitions",
    { GlobalSecondaryIndexUpdates: creates("abc").GlobalSecondaryIndexUpdates! },
    `${INVALID}AttributeDefinitions is not specified for index: abc`,
  ],
  [
    "throughput where it is paid per request",
    units(1),
    `${INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST`,
  ],
  [
    "an index with throughput where it is paid per request",
    creates("abc", units(1)),
    `${INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: abc when BillingMode is PAY_PER_REQUEST`,
  ],
  [
    "a limit of nothing",
    { OnDemandThroughput: { MaxWriteRequestUnits: 0 } },
    `${INVALID}Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range`,
  ],
  [
    "less warmth",
    { WarmThroughput: { ReadUnitsPerSecond: 11_999 } },
    `${INVALID}Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, decreasing WarmThroughput is not supported`,
  ],
  [
    "the encryption that it has",
    { SSESpecification: { Enabled: false } },
    `${INVALID}Table is already encrypted by default`,
  ],
];

test("UpdateTable refuses what does not go together", async (t) => {
  const TableName = await newTable();
  for (const [what, change, message] of TOGETHER) await t.test(what, () => refuses(TableName, change, message));
  const { TableStatus, DeletionProtectionEnabled, GlobalSecondaryIndexes } = await describe(TableName);
  assert.deepEqual([TableStatus, DeletionProtectionEnabled, GlobalSecondaryIndexes], ["ACTIVE", false, undefined]);
  await refuses(
    TableName,
    {
      GlobalSecondaryIndexUpdates: [{ Create: byColor("one") }, { Create: byColor("two") }],
      AttributeDefinitions: [color],
    },
    "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    "LimitExceededException",
  );
  await refuses(
    TableName,
    updates("ghost", { OnDemandThroughput: { MaxReadRequestUnits: 1 } }),
    `Requested resource not found: Index ghost for table ${TableName}`,
    "ResourceNotFoundException",
  );
});

test("a table and its indexes become PROVISIONED together, and keep no limits", async () => {
  const TableName = await newTable({
    GlobalSecondaryIndexes: [{ ...byColor("by-color"), OnDemandThroughput: { MaxReadRequestUnits: 7 } }],
    OnDemandThroughput: { MaxReadRequestUnits: 9 },
  });
  const provision = { BillingMode: "PROVISIONED" as const, ...units(5) };
  await refuses(TableName, provision, `${INVALID}ProvisionedThroughput must be specified for index: by-color`);
  await refuses(
    TableName,
    updates("by-color", units(1)),
    `${INVALID}The only Updates for index: by-color when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput`,
  );
  const { TableDescription } = await update(TableName, { ...provision, ...updates("by-color", units(3)) });
  assert.deepEqual(
    [TableDescription?.TableStatus, TableDescription?.ProvisionedThroughput?.ReadCapacityUnits],
    ["UPDATING", 5],
  );
  let table = await describe(TableName);
  let [index] = table.GlobalSecondaryIndexes!;
  assert.deepEqual([table.BillingModeSummary?.BillingMode, table.OnDemandThroughput], ["PROVISIONED", undefined]);
  assert.deepEqual([index?.ProvisionedThroughput?.ReadCapacityUnits, index?.OnDemandThroughput], [3, undefined]);
  assert.deepEqual(
    [table.WarmThroughput?.ReadUnitsPerSecond, index?.WarmThroughput?.ReadUnitsPerSecond],
    [12_000, 12_000],
  );
  await refuses(
    TableName,
    { OnDemandThroughput: { MaxReadRequestUnits: 1 } },
    `${INVALID}MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED`,
  );
  await refuses(
    TableName,
    creates("more"),
    `${INVALID}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: more`,
  );
  await refuses(
    TableName,
    updates("by-color", units(3)),
    "The provisioned throughput for the index by-color will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for index by-color: 3. Requested ReadCapacityUnits: 3. Current WriteCapacityUnits provisioned for index by-color: 3. Requested WriteCapacityUnits: 3. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
  );
  const { BillingModeSummary: first } = table;

  await cloud.advance(1000);
  await update(TableName, { BillingMode: "PAY_PER_REQUEST" });
  table = await describe(TableName);
  [index] = table.GlobalSecondaryIndexes!;
  assert.equal(index?.ProvisionedThroughput?.ReadCapacityUnits, 0);
  assert.notDeepEqual(
    table.BillingModeSummary?.LastUpdateToPayPerRequestDateTime,
    first?.LastUpdateToPayPerRequestDateTime,
  );
  // Said again, it is no error, and changes nothing.
  const again = await update(TableName, { BillingMode: "PAY_PER_REQUEST" });
  assert.equal(again.TableDescription?.TableStatus, "UPDATING");
  assert.deepEqual(await describe(TableName), table);
});

test("on-demand limits are set one by one, and -1 takes one away", async () => {
  const TableName = await newTable();
  const limits = async (OnDemandThroughput: object) => {
    await update(TableName, { OnDemandThroughput });
    return (await describe(TableName)).OnDemandThroughput;
  };
  assert.deepEqual(await limits({ MaxReadRequestUnits: 1000, MaxWriteRequestUnits: 500 }), {
    MaxReadRequestUnits: 1000,
    MaxWriteRequestUnits: 500,
  });
  assert.deepEqual(await limits({ MaxReadRequestUnits: 2000 }), {
    MaxReadRequestUnits: 2000,
    MaxWriteRequestUnits: 500,
  });
  assert.deepEqual(await limits({ MaxReadRequestUnits: -1 }), { MaxWriteRequestUnits: 500 });
  assert.equal(await limits({ MaxWriteRequestUnits: -1 }), undefined);
});

test("throughput is decreased four times a day, then once an hour; a table and its index count apart", async () => {
  const TableName = await provisioned(10, { GlobalSecondaryIndexes: [{ ...byColor("by-color"), ...units(10) }] });
  await cloud.aws.clock({ advance: 24 * HOUR - ((await now()) % (24 * HOUR)) + HOUR });
  for (const read of [9, 8, 7, 6]) await update(TableName, units(read, 20 - read));
  const { ProvisionedThroughput } = await describe(TableName);
  assert.equal(ProvisionedThroughput?.NumberOfDecreasesToday, 4);
  const last = ProvisionedThroughput.LastDecreaseDateTime!;
  const limited = (at: Date) => ({
    name: "LimitExceededException",
    message: `Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. After the first 4 decreases, each subsequent decrease in the same UTC day can be performed at most once every 3600 seconds. Number of decreases today: 4. Last decrease at ${words(at)}. Next decrease can be made at ${words(new Date(at.getTime() + HOUR))}`,
  });
  await assert.rejects(update(TableName, { ...units(5), ...updates("by-color", units(9)) }), limited(last));
  await update(TableName, updates("by-color", units(9)));
  await update(TableName, units(6, 30));
  const table = await describe(TableName);
  assert.equal(table.GlobalSecondaryIndexes?.[0]?.ProvisionedThroughput?.NumberOfDecreasesToday, 1);
  // Warm is what it once could take.
  assert.deepEqual(table.WarmThroughput, { ReadUnitsPerSecond: 10, WriteUnitsPerSecond: 30, Status: "ACTIVE" });
  await cloud.advance(HOUR);
  await update(TableName, units(5, 30));
  await assert.rejects(update(TableName, units(4, 30)), /Number of decreases today: 5/);
  await cloud.advance(24 * HOUR);
  assert.equal((await describe(TableName)).ProvisionedThroughput?.NumberOfDecreasesToday, 0);
  await update(TableName, units(4, 30));
});

const now = async (): Promise<number> => (await describe(await newTable())).CreationDateTime!.getTime();
const words = (at: Date): string =>
  at.toLocaleString("en-US", { dateStyle: "full", timeStyle: "full", timeZone: "UTC" }).replaceAll("\u202f", " ");

test("a table or an index takes 40,000 units at most", async () => {
  const more = (what: string) =>
    `The requested ReadCapacityUnits${what}, 40001, is above the per ${what ? "index" : "table"} maximum for the account in us-east-1. Per table maximum: 40000. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.`;
  const limit = { name: "LimitExceededException" };
  await assert.rejects(provisioned(40_001), { ...limit, message: more("") });
  await assert.rejects(provisioned(1, { GlobalSecondaryIndexes: [{ ...byColor("abc"), ...units(40_001) }] }), {
    ...limit,
    message: more(" for index abc"),
  });
  await refuses(await provisioned(), units(40_001), more(""), limit.name);
  await refuses(
    await newTable(),
    { OnDemandThroughput: { MaxReadRequestUnits: 40_001 } },
    "Subscriber limit exceeded: Requested MaxReadRequestUnits for OnDemandThroughput for table exceeds TableMaxReadCapacityUnits of the account in region us-east-1",
    limit.name,
  );
});

test("a table's class changes twice in thirty days", async () => {
  const TableName = await newTable();
  await update(TableName, { TableClass: "STANDARD" });
  assert.equal((await describe(TableName)).TableClassSummary, undefined);
  await update(TableName, { TableClass: "STANDARD_INFREQUENT_ACCESS" });
  await update(TableName, { TableClass: "STANDARD" });
  const { TableClassSummary } = await describe(TableName);
  assert.equal(TableClassSummary?.TableClass, "STANDARD");
  assert.ok(TableClassSummary.LastUpdateDateTime);
  await refuses(
    TableName,
    { TableClass: "STANDARD_INFREQUENT_ACCESS" },
    "Subscriber limit exceeded: Updates to TableClass are limited to 2 times in 30 day(s).",
    "LimitExceededException",
  );
  await cloud.advance(30 * 24 * HOUR);
  await update(TableName, { TableClass: "STANDARD_INFREQUENT_ACCESS" });
});

test("encryption with a key of KMS is told again, AWS's own is not", async () => {
  const key = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555";
  const TableName = await newTable({ SSESpecification: { Enabled: true, SSEType: "KMS", KMSMasterKeyId: key } });
  const sse = async () => (await describe(TableName)).SSEDescription;
  assert.deepEqual(await sse(), { Status: "ENABLED", SSEType: "KMS", KMSMasterKeyArn: key });
  await refuses(
    TableName,
    { SSESpecification: { Enabled: true, SSEType: "KMS", KMSMasterKeyId: key } },
    `${INVALID}Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change Master Key`,
  );
  const { TableDescription } = await update(TableName, { SSESpecification: { Enabled: true } });
  assert.deepEqual(TableDescription?.SSEDescription, { Status: "UPDATING", SSEType: "KMS", KMSMasterKeyArn: key });
  assert.match((await sse())?.KMSMasterKeyArn ?? "", /^arn:aws:kms:us-east-1:000000000000:key\/[0-9a-f-]{36}$/);
  await update(TableName, { SSESpecification: { Enabled: false } });
  assert.equal(await sse(), undefined);
  for (const [given, message] of [
    [{ Enabled: false, SSEType: "KMS" }, "SSEType can not be specified if Enabled is false"],
    [{ Enabled: false, KMSMasterKeyId: key }, "KMSMasterKeyId can not be specified if Enabled is false"],
    [{ Enabled: true, SSEType: "AES256" }, "SSEType AES256 is not supported"],
    [{ Enabled: true, KMSMasterKeyId: key }, "SSEType KMS is required if KMSMasterKeyId is specified"],
  ] as const)
    await refuses(TableName, { SSESpecification: given }, INVALID + message);
});

test("a table has twenty global indexes at most", async () => {
  const TableName = await newTable({
    GlobalSecondaryIndexes: Array.from({ length: 20 }, (_, i) => byColor(`index-${i}`)),
  });
  await refuses(
    TableName,
    creates("one-more"),
    "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of 20",
    "LimitExceededException",
  );
  await assert.rejects(
    newTable({ GlobalSecondaryIndexes: Array.from({ length: 21 }, (_, i) => byColor(`index-${i}`)) }),
    {
      message: `${INVALID}GlobalSecondaryIndex count exceeds the per-table limit of 20`,
    },
  );
});

test("definitions count for a new index only: others are no matter", async () => {
  const TableName = await newTable();
  await update(TableName, {
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
    DeletionProtectionEnabled: false,
  });
  await update(TableName, {
    ...creates("by-color"),
    AttributeDefinitions: [
      color,
      { AttributeName: "id", AttributeType: "N" },
      { AttributeName: "b", AttributeType: "B" },
    ],
  });
  assert.deepEqual((await describe(TableName)).AttributeDefinitions, [
    color,
    { AttributeName: "id", AttributeType: "S" },
  ]);
});
