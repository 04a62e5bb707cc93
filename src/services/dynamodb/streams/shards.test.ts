import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { DynamoDBStreams, type GetRecordsOutput } from "@aws-sdk/client-dynamodb-streams";
import { startCloud } from "../../../../test/cloud.ts";
import { refusal } from "../../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const streams = cloud.client(DynamoDBStreams);
const HOUR = 3_600_000;

async function streamed(TableName: string): Promise<string> {
  const { TableDescription } = await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
    StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_IMAGE" },
  });
  return TableDescription!.LatestStreamArn!;
}
const put = (TableName: string, id: string, text = "x") =>
  dynamodb.putItem({ TableName, Item: { id: { S: id }, text: { S: text } } });
const shardsOf = async (StreamArn: string) => (await streams.describeStream({ StreamArn })).StreamDescription!.Shards!;
const first = async (StreamArn: string, ShardId: string) =>
  (await streams.getShardIterator({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" })).ShardIterator!;
const ids = (records: { dynamodb?: { Keys?: Record<string, { S?: string }> } }[]) =>
  records.map(({ dynamodb }) => dynamodb!.Keys!.id!.S);

test("a shard is closed four hours after its first record; its child goes on, and both are read in order", async () => {
  const arn = await streamed("rolled");
  await cloud.advance(10 * HOUR);
  assert.equal((await shardsOf(arn)).length, 1, "where nothing happens nothing is closed");
  await put("rolled", "a");
  const begun = await first(arn, (await shardsOf(arn))[0]!.ShardId!);
  await cloud.advance(3 * HOUR);
  await put("rolled", "b");
  assert.equal((await shardsOf(arn)).length, 1);
  await cloud.advance(HOUR);
  await put("rolled", "c");
  const [parent, child, ...more] = await shardsOf(arn);
  assert.equal(more.length, 0);
  assert.equal(child!.ParentShardId, parent!.ShardId);
  assert.ok(child!.ShardId! > parent!.ShardId!);
  for (const { ShardId } of [parent!, child!]) assert.match(ShardId!, /^shardId-\d{20}-[0-9a-f]{8}$/);
  assert.ok(parent!.SequenceNumberRange!.EndingSequenceNumber);
  assert.equal(child!.SequenceNumberRange!.EndingSequenceNumber, undefined);
  assert.match(await refusal(streams.getRecords({ ShardIterator: begun })), /^ExpiredIteratorException/);
  const old = await streams.getRecords({ ShardIterator: await first(arn, parent!.ShardId!) });
  assert.deepEqual(ids(old.Records!), ["a", "b"]);
  assert.equal(old.NextShardIterator, undefined);
  const now = await streams.getRecords({ ShardIterator: await first(arn, child!.ShardId!) });
  assert.deepEqual(ids(now.Records!), ["c"]);
  assert.ok(now.NextShardIterator);

  const children = await streams.describeStream({
    StreamArn: arn,
    ShardFilter: { Type: "CHILD_SHARDS", ShardId: parent!.ShardId },
  });
  assert.deepEqual(
    children.StreamDescription!.Shards!.map(({ ShardId }) => ShardId),
    [child!.ShardId],
  );
  const page = (await streams.describeStream({ StreamArn: arn, Limit: 1 })).StreamDescription!;
  assert.equal(page.LastEvaluatedShardId, parent!.ShardId);
  const rest = await streams.describeStream({ StreamArn: arn, ExclusiveStartShardId: page.LastEvaluatedShardId });
  assert.deepEqual(
    rest.StreamDescription!.Shards!.map(({ ShardId }) => ShardId),
    [child!.ShardId],
  );
  const numberOfA = old.Records![0]!.dynamodb!.SequenceNumber!;
  const at = { StreamArn: arn, ShardIteratorType: "AT_SEQUENCE_NUMBER" as const, SequenceNumber: numberOfA };
  assert.match(await refusal(streams.getShardIterator({ ...at, ShardId: child!.ShardId })), /^ValidationException/);
});

test("records live for a day, a closed shard a day longer than it was open", async () => {
  const arn = await streamed("trimmed");
  await put("trimmed", "a");
  await cloud.advance(2 * HOUR);
  await put("trimmed", "b");
  await cloud.advance(21.9 * HOUR);
  const [shard] = await shardsOf(arn);
  const at = { StreamArn: arn, ShardId: shard!.ShardId };
  const all = await streams.getRecords({ ShardIterator: await first(arn, shard!.ShardId!) });
  assert.deepEqual(ids(all.Records!), ["a", "b"]);
  const stale = await first(arn, shard!.ShardId!);
  await cloud.advance(0.2 * HOUR);
  assert.match(
    await refusal(streams.getRecords({ ShardIterator: stale })),
    /^TrimmedDataAccessException 400 The data you are trying to access has been trimmed$/,
  );
  const [numberOfA, numberOfB] = all.Records!.map(({ dynamodb }) => dynamodb!.SequenceNumber!);
  const from = (ShardIteratorType: "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER", SequenceNumber?: string) =>
    streams.getShardIterator({ ...at, ShardIteratorType, SequenceNumber });
  assert.match(await refusal(from("AT_SEQUENCE_NUMBER", numberOfA)), /^TrimmedDataAccessException/);
  for (const given of [
    await from("AFTER_SEQUENCE_NUMBER", numberOfA),
    await from("AT_SEQUENCE_NUMBER", numberOfB),
    { ShardIterator: await first(arn, shard!.ShardId!) },
  ])
    assert.deepEqual(ids((await streams.getRecords({ ShardIterator: given.ShardIterator })).Records!), ["b"]);
  await cloud.advance(4 * HOUR);
  const left = await shardsOf(arn);
  assert.equal(left.length, 1);
  assert.notEqual(left[0]!.ShardId, shard!.ShardId);
  assert.equal(left[0]!.ParentShardId, shard!.ShardId, "told also when it is gone");
  assert.match(
    await refusal(streams.getShardIterator({ ...at, ShardIteratorType: "LATEST" })),
    /^ResourceNotFoundException/,
  );
});

test("a page ends after 1 MB, a shard when it is full, and nothing is lost between them", async () => {
  const arn = await streamed("large");
  const large = "x".repeat(390_000);
  const written: string[] = [];
  for (let i = 0; i < 45; i += 9) {
    const batch = Array.from({ length: 9 }, (_, n) => `id-${String(i + n).padStart(3, "0")}`);
    await Promise.all(batch.map((id) => put("large", id, large)));
    written.push(...batch);
  }
  const shards = await shardsOf(arn);
  assert.equal(shards.length, 2);
  const found: (string | undefined)[] = [];
  let largest = 0;
  for (const { ShardId } of shards)
    for (let ShardIterator: string | undefined = await first(arn, ShardId!); ShardIterator; ) {
      const page: GetRecordsOutput = await streams.getRecords({ ShardIterator });
      found.push(...ids(page.Records!));
      largest = Math.max(largest, page.Records!.length);
      ShardIterator = page.Records!.length > 0 ? page.NextShardIterator : undefined;
    }
  assert.equal(largest, 2);
  assert.deepEqual(found.toSorted(), written);
});
