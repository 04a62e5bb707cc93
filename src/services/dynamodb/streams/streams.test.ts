import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB, type StreamViewType } from "@aws-sdk/client-dynamodb";
import { DynamoDBStreams, type ShardIteratorType } from "@aws-sdk/client-dynamodb-streams";
import { startCloud } from "../../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const streams = cloud.client(DynamoDBStreams);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function makeTable(TableName: string, StreamViewType?: StreamViewType) {
  const { TableDescription } = await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
    ...(StreamViewType && { StreamSpecification: { StreamEnabled: true, StreamViewType } }),
  });
  return TableDescription!;
}
const put = (TableName: string, id: string, more: object = {}) =>
  dynamodb.putItem({ TableName, Item: { id: { S: id }, ...more } });
const shardsOf = async (StreamArn: string) => (await streams.describeStream({ StreamArn })).StreamDescription!.Shards!;
async function iterator(
  StreamArn: string,
  type: ShardIteratorType,
  more: { ShardId?: string; SequenceNumber?: string } = {},
) {
  const ShardId = more.ShardId ?? (await shardsOf(StreamArn)).at(-1)!.ShardId;
  return (await streams.getShardIterator({ StreamArn, ShardIteratorType: type, ...more, ShardId })).ShardIterator!;
}
const read = async (StreamArn: string, type: ShardIteratorType = "TRIM_HORIZON") =>
  (await streams.getRecords({ ShardIterator: await iterator(StreamArn, type) })).Records!;

test("a stream tells of every change, with sizes and images as AWS counts and shows them", async () => {
  const { LatestStreamArn: arn, ...made } = await makeTable("told", "NEW_AND_OLD_IMAGES");
  assert.deepEqual(made.StreamSpecification, { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" });
  assert.match(made.LatestStreamLabel!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);
  assert.equal(arn, `${made.TableArn}/stream/${made.LatestStreamLabel}`);
  await put("told", "Fred");
  await dynamodb.batchWriteItem({ RequestItems: { told: [{ PutRequest: { Item: { id: { S: "NewKey" } } } }] } });
  const attr = (text: string) => ({ attr1: { S: text } });
  await dynamodb.transactWriteItems({
    TransactItems: [
      { Put: { TableName: "told", Item: { id: { S: "NewKey" }, ...attr("value1"), attr2: { S: "value2" } } } },
    ],
  });
  await dynamodb.updateItem({
    TableName: "told",
    Key: { id: { S: "NonExistentKey" } },
    UpdateExpression: "SET attr1 = :v",
    ExpressionAttributeValues: { ":v": { S: "value1" } },
  });
  await dynamodb.deleteItem({ TableName: "told", Key: { id: { S: "NewKey" } } });
  const records = await read(arn!);
  assert.deepEqual(
    records.map(({ eventName, dynamodb }) => [eventName, dynamodb!.Keys!.id!.S, dynamodb!.SizeBytes]),
    [
      ["INSERT", "Fred", 12],
      ["INSERT", "NewKey", 16],
      ["MODIFY", "NewKey", 46],
      ["INSERT", "NonExistentKey", 43],
      ["REMOVE", "NewKey", 38],
    ],
  );
  const { eventID, dynamodb: modified, ...rest } = records[2]!;
  assert.match(eventID!, /^[0-9a-f]{32}$/);
  assert.deepEqual(rest, {
    eventName: "MODIFY",
    eventVersion: "1.1",
    eventSource: "aws:dynamodb",
    awsRegion: "us-east-1",
  });
  const { SequenceNumber, ApproximateCreationDateTime, ...told } = modified!;
  assert.match(SequenceNumber!, /^\d{21}$/);
  assert.equal(ApproximateCreationDateTime!.getTime() % 1000, 0);
  assert.ok(Math.abs(ApproximateCreationDateTime!.getTime() - cloud.aws.now()) < MINUTE);
  assert.deepEqual(told, {
    Keys: { id: { S: "NewKey" } },
    OldImage: { id: { S: "NewKey" } },
    NewImage: { id: { S: "NewKey" }, ...attr("value1"), attr2: { S: "value2" } },
    SizeBytes: 46,
    StreamViewType: "NEW_AND_OLD_IMAGES",
  });
  assert.deepEqual(
    records.map(({ dynamodb }) => [!!dynamodb!.OldImage, !!dynamodb!.NewImage]),
    [
      [false, true],
      [false, true],
      [true, true],
      [false, true],
      [true, false],
    ],
  );
  const numbers = records.map(({ dynamodb }) => BigInt(dynamodb!.SequenceNumber!));
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  assert.ok(numbers[0]! > BigInt((await shardsOf(arn!))[0]!.SequenceNumberRange!.StartingSequenceNumber!));
  assert.deepEqual(await read(arn!), records, "read again, each is what it was");
});

test("PartiQL's writes are told like any other", async () => {
  const { LatestStreamArn: arn } = await makeTable("spoken", "KEYS_ONLY");
  for (const Statement of [
    `INSERT INTO "spoken" VALUE {'id': 'a'}`,
    `UPDATE "spoken" SET n = 1 WHERE id = 'a'`,
    `UPDATE "spoken" SET n = 1 WHERE id = 'a'`,
    `DELETE FROM "spoken" WHERE id = 'a'`,
  ])
    await dynamodb.executeStatement({ Statement });
  await dynamodb.executeTransaction({ TransactStatements: [{ Statement: `INSERT INTO "spoken" VALUE {'id': 'b'}` }] });
  await dynamodb.batchExecuteStatement({ Statements: [{ Statement: `DELETE FROM "spoken" WHERE id = 'b'` }] });
  assert.deepEqual(
    (await read(arn!)).map(({ eventName }) => eventName),
    ["INSERT", "MODIFY", "REMOVE", "INSERT", "REMOVE"],
  );
});

test("each view shows what it says", async () => {
  const images: Record<StreamViewType, string[]> = {
    KEYS_ONLY: [],
    NEW_IMAGE: ["NewImage"],
    OLD_IMAGE: ["OldImage"],
    NEW_AND_OLD_IMAGES: ["NewImage", "OldImage"],
  };
  for (const [view, shown] of Object.entries(images)) {
    const { LatestStreamArn: arn } = await makeTable(`view-${view}`, view as StreamViewType);
    await put(`view-${view}`, "a", { b: { B: Buffer.from([0, 1]) }, n: { NS: ["1", "2"] } });
    await put(`view-${view}`, "a", { b: { B: Buffer.from([2]) } });
    const { dynamodb: told } = (await read(arn!))[1]!;
    assert.deepEqual(
      Object.keys(told!)
        .filter((name) => name.endsWith("Image"))
        .sort(),
      shown,
    );
    if (told!.NewImage) assert.deepEqual([...told!.NewImage.b!.B!], [2]);
    if (told!.OldImage) assert.deepEqual(told!.OldImage.n, { NS: ["1", "2"] });
  }
});

test("what changes nothing, and what failed, is not told", async () => {
  const { LatestStreamArn: arn } = await makeTable("quiet", "KEYS_ONLY");
  await put("quiet", "a", { m: { M: { x: { N: "1" }, y: { SS: ["p", "q"] } } } });
  await put("quiet", "a", { m: { M: { y: { SS: ["q", "p"] }, x: { N: "1.0" } } } });
  const Key = { id: { S: "a" } };
  await dynamodb.updateItem({ TableName: "quiet", Key, UpdateExpression: "REMOVE nothing" });
  await dynamodb.deleteItem({ TableName: "quiet", Key: { id: { S: "missing" } } });
  await assert.rejects(
    dynamodb.putItem({ TableName: "quiet", Item: Key, ConditionExpression: "attribute_not_exists(id)" }),
  );
  await assert.rejects(
    dynamodb.transactWriteItems({
      TransactItems: [
        { Put: { TableName: "quiet", Item: { id: { S: "b" } } } },
        { ConditionCheck: { TableName: "quiet", Key, ConditionExpression: "attribute_not_exists(id)" } },
      ],
    }),
  );
  assert.equal((await read(arn!)).length, 1);
});

test("the four iterators start where they say", async () => {
  const { LatestStreamArn: arn } = await makeTable("started", "KEYS_ONLY");
  for (const id of ["a", "b", "c"]) await put("started", id);
  const latest = await iterator(arn!, "LATEST");
  const all = await read(arn!);
  const SequenceNumber = all[1]!.dynamodb!.SequenceNumber!;
  const ids = async (ShardIterator: string, Limit?: number) => {
    const { Records, NextShardIterator } = await streams.getRecords({ ShardIterator, Limit });
    return { ids: Records!.map(({ dynamodb }) => dynamodb!.Keys!.id!.S).join(""), next: NextShardIterator! };
  };
  assert.equal((await ids(await iterator(arn!, "AT_SEQUENCE_NUMBER", { SequenceNumber }))).ids, "bc");
  assert.equal((await ids(await iterator(arn!, "AFTER_SEQUENCE_NUMBER", { SequenceNumber }))).ids, "c");
  assert.equal((await ids(latest)).ids, "");
  await put("started", "d");
  assert.equal((await ids(latest)).ids, "d");
  const first = await ids(await iterator(arn!, "TRIM_HORIZON"), 2);
  assert.equal(first.ids, "ab");
  const second = await ids(first.next, 2);
  assert.equal(second.ids, "cd");
  assert.equal((await ids(second.next)).ids, "");
  assert.ok(first.next.startsWith(`${arn}|1|`));
});

test("what is no stream, shard, number or iterator is refused in AWS's ways", async () => {
  const { LatestStreamArn: StreamArn, TableArn } = await makeTable("refusing", "KEYS_ONLY");
  const [shard] = await shardsOf(StreamArn!);
  const { ShardId } = shard!;
  const at = { StreamArn, ShardId, ShardIteratorType: "LATEST" as ShardIteratorType };
  const nobody = `${TableArn}/stream/2020-01-01T00:00:00.000`;
  const nowhere = "shardId-00000000000000000000-00000000";
  const { StartingSequenceNumber: SequenceNumber } = shard!.SequenceNumberRange!;
  const ShardIterator = await iterator(StreamArn!, "LATEST");
  const cases: readonly [() => Promise<unknown>, RegExp][] = [
    [() => streams.describeStream({ StreamArn: "x".repeat(40) }), /^ValidationException 400 Invalid StreamArn$/],
    [
      () => streams.describeStream({ StreamArn: nobody }),
      /^ResourceNotFoundException 400 Requested resource not found: Stream: arn:.* not found$/,
    ],
    [() => streams.getShardIterator({ ...at, StreamArn: nobody }), /^ResourceNotFoundException/],
    [
      () => streams.getShardIterator({ ...at, ShardId: nowhere }),
      /^ResourceNotFoundException 400 Requested resource not found: Shard: /,
    ],
    [() => streams.getShardIterator({ ...at, SequenceNumber }), /^ValidationException/],
    [() => streams.getShardIterator({ ...at, ShardIteratorType: "AT_SEQUENCE_NUMBER" }), /^ValidationException/],
    [
      () =>
        streams.getShardIterator({ ...at, ShardIteratorType: "AT_SEQUENCE_NUMBER", SequenceNumber: "9".repeat(21) }),
      /^ValidationException 400 Invalid SequenceNumber/,
    ],
    [
      () =>
        streams.getShardIterator({
          ...at,
          ShardIteratorType: "AT_SEQUENCE_NUMBER",
          SequenceNumber: `1${"9".repeat(15).padStart(20, "0")}`,
        }),
      /^ValidationException 400 Invalid SequenceNumber/,
    ],
    [
      () => streams.getShardIterator({ ...at, ShardIteratorType: "bulle" as ShardIteratorType }),
      /^ValidationException 400 1 validation error detected/,
    ],
    [() => streams.getRecords({ ShardIterator: "gagaga" }), /^ValidationException 400 Invalid ShardIterator$/],
    [
      () => streams.getRecords({ ShardIterator: `${StreamArn}|1|e30=` }),
      /^ValidationException 400 Invalid ShardIterator$/,
    ],
    [() => streams.getRecords({ ShardIterator, Limit: 1001 }), /less than or equal to 1000$/],
    [() => streams.describeStream({ StreamArn, Limit: 101 }), /less than or equal to 100$/],
    [() => streams.listStreams({ Limit: 101 }), /less than or equal to 100$/],
    [() => streams.listStreams({ ExclusiveStartStreamArn: "x".repeat(40) }), /^ValidationException/],
  ];
  for (const [sent, expected] of cases) assert.match(await refusal(sent()), expected);
  await cloud.advance(15 * MINUTE - 5000);
  await streams.getRecords({ ShardIterator });
  await cloud.advance(10_000);
  assert.match(await refusal(streams.getRecords({ ShardIterator })), /^ExpiredIteratorException 400 /);
  const none = await streams.describeStream({ StreamArn, ExclusiveStartShardId: ShardId });
  assert.deepEqual(none.StreamDescription!.Shards, []);
});

test("a stream is switched on and off by UpdateTable, in AWS's words; what was can be read for a day", async () => {
  const TableName = "switched";
  await makeTable(TableName);
  const change = (StreamEnabled: boolean, StreamViewType?: StreamViewType) =>
    dynamodb.updateTable({ TableName, StreamSpecification: { StreamEnabled, StreamViewType } });
  const described = async () => (await dynamodb.describeTable({ TableName })).Table!;
  assert.equal((await described()).LatestStreamArn, undefined);
  assert.match(
    await refusal(change(false)),
    /^ValidationException 400 Table has no stream to disable: TableName: switched$/,
  );
  assert.match(await refusal(change(true)), /invalid: If stream is being enabled then UpdateViewType is required$/);
  const { TableDescription } = await change(true, "NEW_IMAGE");
  const first = TableDescription!.LatestStreamArn!;
  assert.deepEqual(TableDescription!.StreamSpecification, { StreamEnabled: true, StreamViewType: "NEW_IMAGE" });
  for (const view of ["NEW_IMAGE", "KEYS_ONLY"] as const)
    assert.match(
      await refusal(change(true, view)),
      /^ValidationException 400 Table already has an enabled stream: TableName: switched$/,
    );
  assert.match(
    await refusal(change(false, "KEYS_ONLY")),
    /invalid: If stream is being disabled, then UpdateViewType must not be specified$/,
  );
  await put(TableName, "a");
  await change(false);
  await put(TableName, "b");
  assert.equal((await described()).StreamSpecification, undefined);
  assert.equal((await described()).LatestStreamArn, first);
  await change(true, "KEYS_ONLY");
  const second = (await described()).LatestStreamArn!;
  assert.notEqual(second, first);
  await put(TableName, "c");
  assert.deepEqual(
    (await read(first)).map(({ dynamodb }) => dynamodb!.Keys!.id!.S),
    ["a"],
  );
  assert.deepEqual(
    (await read(second)).map(({ dynamodb }) => dynamodb!.Keys!.id!.S),
    ["c"],
  );
  const old = (await streams.describeStream({ StreamArn: first })).StreamDescription!;
  assert.deepEqual([old.StreamStatus, old.StreamViewType, old.TableName], ["DISABLED", "NEW_IMAGE", TableName]);
  assert.ok(old.Shards![0]!.SequenceNumberRange!.EndingSequenceNumber);
  const end = await streams.getRecords({ ShardIterator: await iterator(first, "TRIM_HORIZON") });
  assert.equal(end.NextShardIterator, undefined, "there is nothing beyond the end");
  const arns = async () => (await streams.listStreams({ TableName })).Streams!.map(({ StreamArn }) => StreamArn);
  assert.deepEqual(await arns(), [first, second]);
  await cloud.advance(24 * HOUR);
  assert.deepEqual(await arns(), [second]);
  assert.match(await refusal(streams.describeStream({ StreamArn: first })), /^ResourceNotFoundException/);
});

test("a deleted table's stream can be read for a day, also beside that of a new table of its name", async () => {
  const { LatestStreamArn: first } = await makeTable("reborn", "KEYS_ONLY");
  await put("reborn", "a");
  await dynamodb.deleteTable({ TableName: "reborn" });
  const { LatestStreamArn: second } = await makeTable("reborn", "KEYS_ONLY");
  assert.notEqual(first, second);
  assert.equal((await read(first!)).length, 1, "the table's end is no change of items");
  assert.equal((await streams.describeStream({ StreamArn: first })).StreamDescription!.StreamStatus, "DISABLED");
  const found: (string | undefined)[] = [];
  for (let from: string | undefined; ; ) {
    const page = await streams.listStreams({ Limit: 1, ExclusiveStartStreamArn: from });
    found.push(...page.Streams!.map(({ StreamArn }) => StreamArn));
    from = page.LastEvaluatedStreamArn;
    if (!from) break;
  }
  assert.ok(found.includes(first) && found.includes(second));
  assert.deepEqual(found, found.toSorted());
});

test("an item whose time has come is removed by the service itself", async () => {
  const { LatestStreamArn: arn } = await makeTable("mortal", "OLD_IMAGE");
  await dynamodb.updateTimeToLive({
    TableName: "mortal",
    TimeToLiveSpecification: { Enabled: true, AttributeName: "until" },
  });
  await put("mortal", "a", { until: { N: String(Math.floor(cloud.aws.now() / 1000) + 60) } });
  await cloud.advance(2 * MINUTE);
  const [, removed] = await read(arn!);
  assert.equal(removed!.eventName, "REMOVE");
  assert.deepEqual(removed!.userIdentity, { PrincipalId: "dynamodb.amazonaws.com", Type: "Service" });
  assert.equal(removed!.dynamodb!.OldImage!.id!.S, "a");
});

test("reading a stream is an action of dynamodb on the stream's ARN", async () => {
  const { LatestStreamArn: arn } = await makeTable("guarded", "KEYS_ONLY");
  const mine = await userWith(cloud, "reader", {
    may: policy(
      allow(["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"], { Resource: arn }),
      allow("dynamodb:ListStreams", { Resource: arn!.replace(/[^/]+$/, "*") }),
    ),
  });
  const reader = cloud.client(DynamoDBStreams, mine);
  const [shard] = (await reader.describeStream({ StreamArn: arn })).StreamDescription!.Shards!;
  const at = { StreamArn: arn, ShardId: shard!.ShardId, ShardIteratorType: "LATEST" as const };
  await reader.getRecords({ ShardIterator: (await reader.getShardIterator(at)).ShardIterator });
  assert.equal((await reader.listStreams({ TableName: "guarded" })).Streams!.length, 1);
  const { LatestStreamArn: other } = await makeTable("guarded-2", "KEYS_ONLY");
  const ShardIterator = await iterator(other!, "LATEST");
  for (const ask of [
    () => reader.describeStream({ StreamArn: other }),
    () => reader.getRecords({ ShardIterator }),
    () => reader.listStreams({}),
  ])
    assert.match(await refusal(ask()), /^AccessDeniedException 400 User: .* is not authorized to perform: dynamodb:/);
});
