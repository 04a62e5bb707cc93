import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { startCloud } from "../../../test/cloud.ts";
import { refusal } from "../../../test/principals.ts";
import { select } from "../../../test/sql.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
await cloud.aws.clock({ freeze: true });
const dynamodb = cloud.client(DynamoDB);
const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;

async function makeTable(TableName: string, days?: number): Promise<void> {
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [
      { AttributeName: "id", AttributeType: "S" },
      { AttributeName: "kind", AttributeType: "S" },
    ],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    GlobalSecondaryIndexes: [
      {
        IndexName: "by-kind",
        KeySchema: [{ AttributeName: "kind", KeyType: "HASH" }],
        Projection: { ProjectionType: "ALL" },
      },
    ],
    BillingMode: "PAY_PER_REQUEST",
  });
  await recover(TableName, true, days);
}

const recover = (TableName: string, PointInTimeRecoveryEnabled: boolean, RecoveryPeriodInDays?: number) =>
  dynamodb.updateContinuousBackups({
    TableName,
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled, RecoveryPeriodInDays },
  });

async function window(TableName: string) {
  const { ContinuousBackupsDescription } = await dynamodb.describeContinuousBackups({ TableName });
  return ContinuousBackupsDescription!.PointInTimeRecoveryDescription!;
}

const put = (TableName: string, id: string, kind = "k") =>
  dynamodb.putItem({ TableName, Item: { id: { S: id }, kind: { S: kind } } });

async function contents(TableName: string, IndexName?: string): Promise<Record<string, string>> {
  const { Items } = await dynamodb.scan({ TableName, IndexName });
  return Object.fromEntries(Items!.map(({ id, kind }) => [id!.S!, kind!.S!]).toSorted());
}

let restores = 0;
async function restored(SourceTableName: string, when: object): Promise<Record<string, string>> {
  const TargetTableName = `restored-${++restores}`;
  await dynamodb.restoreTableToPointInTime({ SourceTableName, TargetTableName, ...when });
  await cloud.settle();
  const found = await contents(TargetTableName);
  assert.deepEqual(await contents(TargetTableName, "by-kind"), found, "and its index");
  await dynamodb.deleteTable({ TableName: TargetTableName });
  return found;
}

test("a table comes back as it was at a second, and at the latest", async () => {
  await makeTable("table");
  await put("table", "a", "first");
  await put("table", "b");
  const first = new Date(cloud.aws.now());
  await cloud.advance(SECOND);
  await put("table", "a", "second");
  await put("table", "a", "third");
  await dynamodb.deleteItem({ TableName: "table", Key: { id: { S: "b" } } });
  const second = new Date(cloud.aws.now());
  await cloud.advance(SECOND);
  await put("table", "c");
  await dynamodb.deleteItem({ TableName: "table", Key: { id: { S: "c" } } });
  assert.deepEqual(await restored("table", { RestoreDateTime: first }), { a: "first", b: "k" });
  assert.deepEqual(await restored("table", { RestoreDateTime: second }), { a: "third" });
  assert.deepEqual(await restored("table", { UseLatestRestorableTime: true }), { a: "third" });
});

test("a table restored to any second is what a model of its history says", async () => {
  let tables = 0;
  const id = fc.constantFrom("a", "b", "c", "d", "e");
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ put: id, kind: fc.constantFrom("x", "y", "z") }) },
    { weight: 2, arbitrary: fc.record({ delete: id }) },
    { weight: 1, arbitrary: fc.record({ transact: fc.uniqueArray(id, { minLength: 1, maxLength: 3 }) }) },
    { weight: 3, arbitrary: fc.record({ wait: fc.constantFrom(SECOND, 2 * SECOND) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const TableName = `history-${++tables}`;
      await makeTable(TableName);
      let model: Record<string, string> = {};
      const history = new Map<number, Record<string, string>>();
      for (const each of steps) {
        if ("put" in each) {
          await put(TableName, each.put, each.kind);
          model = { ...model, [each.put]: each.kind };
        } else if ("delete" in each) {
          await dynamodb.deleteItem({ TableName, Key: { id: { S: each.delete } } });
          const { [each.delete]: _, ...rest } = model;
          model = rest;
        } else if ("transact" in each) {
          await dynamodb.transactWriteItems({
            TransactItems: each.transact.map((name) => ({
              Update: {
                TableName,
                Key: { id: { S: name } },
                UpdateExpression: "SET kind = :kind",
                ExpressionAttributeValues: { ":kind": { S: "t" } },
              },
            })),
          });
          model = { ...model, ...Object.fromEntries(each.transact.map((name) => [name, "t"])) };
        } else await cloud.advance(each.wait);
        history.set(cloud.aws.now(), model);
      }
      for (const [time, expected] of history)
        assert.deepEqual(
          await restored(TableName, { RestoreDateTime: new Date(time) }),
          Object.fromEntries(Object.entries(expected).toSorted()),
        );
    }),
    { numRuns: 8 },
  );
});

test("recovery reaches back to when it was switched on, and as far as its period", async () => {
  await makeTable("window", 2);
  const since = new Date(cloud.aws.now());
  assert.deepEqual(await window("window"), {
    PointInTimeRecoveryStatus: "ENABLED",
    RecoveryPeriodInDays: 2,
    EarliestRestorableDateTime: since,
    LatestRestorableDateTime: since,
  });
  await put("window", "a");
  await cloud.advance(3 * DAY);
  await put("window", "a", "late");
  const now = cloud.aws.now();
  const { EarliestRestorableDateTime } = await window("window");
  assert.deepEqual(EarliestRestorableDateTime, new Date(now - 2 * DAY));
  const to = (RestoreDateTime: Date) =>
    refusal(
      dynamodb.restoreTableToPointInTime({ SourceTableName: "window", TargetTableName: "window-2", RestoreDateTime }),
    );
  for (const time of [since, new Date(now + SECOND)])
    assert.match(
      await to(time),
      /^InvalidRestoreTimeException 400 RestoreDateTime '.*Z' must be within EarliestRestorableDateTime '.*' and LatestRestorableDateTime '/,
    );
  assert.deepEqual(await restored("window", { RestoreDateTime: EarliestRestorableDateTime }), { a: "k" });
  await recover("window", true, 35);
  assert.deepEqual(
    (await window("window")).EarliestRestorableDateTime,
    EarliestRestorableDateTime,
    "what is gone is gone",
  );
  await recover("window", true, 1);
  assert.deepEqual((await window("window")).EarliestRestorableDateTime, new Date(now - DAY));
  await recover("window", false);
  assert.deepEqual(await window("window"), { PointInTimeRecoveryStatus: "DISABLED" });
  await recover("window", true);
  assert.deepEqual((await window("window")).EarliestRestorableDateTime, new Date(now));
  await cloud.settle();
});

test("a clock that is set back changes nothing of what was", async () => {
  await makeTable("backwards");
  await put("backwards", "a", "first");
  const first = new Date(cloud.aws.now());
  await cloud.advance(10 * SECOND);
  await put("backwards", "a", "second");
  await cloud.aws.clock({ freeze: first.getTime() + 5 * SECOND });
  await put("backwards", "a", "third");
  assert.deepEqual(await restored("backwards", { RestoreDateTime: first }), { a: "first" });
  await cloud.advance(10 * SECOND);
  assert.deepEqual(await restored("backwards", { UseLatestRestorableTime: true }), { a: "third" });
});

test("recovery is not switched off while a table is restored from it", async () => {
  await makeTable("source");
  await put("source", "a");
  // A restore of a large table has begun, and is not done.
  await select(
    cloud,
    `INSERT INTO dynamodb_copy (number, source, history, at_ms, position, items, bytes)
     SELECT 999999, 0, number, 0, hash, 0, 0 FROM dynamodb_history WHERE number = (SELECT MAX(number) FROM dynamodb_history)`,
  );
  assert.equal(
    await refusal(recover("source", false)),
    "ContinuousBackupsUnavailableException 400 Table is being restored to a point in time, please retry later: source",
  );
  await select(cloud, "DELETE FROM dynamodb_copy WHERE number = 999999");
  await recover("source", false);
});

test("a restore to a point in time is refused in AWS's words", async () => {
  await makeTable("refusing");
  await dynamodb.createTable({
    TableName: "plain",
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  const SourceTableArn = (await dynamodb.describeTable({ TableName: "refusing" })).Table!.TableArn!;
  const RestoreDateTime = new Date(cloud.aws.now());
  const cases: [object, RegExp][] = [
    [
      { SourceTableName: "refusing" },
      /: Either one of RestoreDateTime or UseLatestRestorableTime must be specified, but not both$/,
    ],
    [
      { SourceTableName: "refusing", RestoreDateTime, UseLatestRestorableTime: true },
      /: Both RestoreDateTime and UseLatestRestorableTime cannot be set/,
    ],
    [
      { SourceTableName: "refusing", SourceTableArn, RestoreDateTime },
      /^ValidationException 400 Must provide exactly one of: sourceTableArn, sourceTableName$/,
    ],
    [{ SourceTableName: "none", RestoreDateTime }, /^TableNotFoundException 400 Table not found: none$/],
    [
      { SourceTableName: "plain", RestoreDateTime },
      /^PointInTimeRecoveryUnavailableException 400 Point in time recovery is not enabled for table 'plain'$/,
    ],
    [
      { SourceTableArn, RestoreDateTime, TargetTableName: "plain" },
      /^TableAlreadyExistsException 400 Table already exists: plain$/,
    ],
  ];
  for (const [more, expected] of cases)
    assert.match(
      await refusal(dynamodb.restoreTableToPointInTime({ TargetTableName: "refusing-2", ...more })),
      expected,
    );
  assert.match(
    await refusal(recover("refusing", false, 3)),
    /^ValidationException 400 Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time recovery\.$/,
  );
  assert.match(await refusal(recover("refusing", true, 36)), /less than or equal to 35$/);
  assert.match(await refusal(recover("none", true)), /^TableNotFoundException 400 Table not found: none$/);
});
