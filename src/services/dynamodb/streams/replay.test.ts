import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type AttributeValue, DynamoDB } from "@aws-sdk/client-dynamodb";
import { type _Record, DynamoDBStreams, type GetRecordsOutput } from "@aws-sdk/client-dynamodb-streams";
import { startCloud } from "../../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const streams = cloud.client(DynamoDBStreams);
const TableName = "ledger";
const WRITERS = 10;
const WRITES = 8;

type Item = Record<string, AttributeValue>;

test("who follows a stream while many write sees each change once, in its order, and ends with what the table holds", async () => {
  const { TableDescription } = await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
    StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
  });
  const StreamArn = TableDescription!.LatestStreamArn!;
  const { StreamDescription } = await streams.describeStream({ StreamArn });
  const { ShardId } = StreamDescription!.Shards![0]!;
  const start = await streams.getShardIterator({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" });

  const writers = Array.from({ length: WRITERS }, (_, who) => write(who));
  const written = Promise.all(writers);
  let writing = true;
  const done = written.then(() => (writing = false));
  const seen: _Record[] = [];
  for (let ShardIterator: string | undefined = start.ShardIterator; ; ) {
    // Known before the page is read: what was written until then must be on it.
    const last: boolean = !writing;
    const page: GetRecordsOutput = await streams.getRecords({ ShardIterator, Limit: 7 });
    seen.push(...page.Records!);
    ShardIterator = page.NextShardIterator;
    if (last && page.Records!.length === 0) break;
  }
  await done;

  const numbers = seen.map(({ dynamodb }) => dynamodb!.SequenceNumber!);
  assert.deepEqual(numbers, [...new Set(numbers)].toSorted());
  const replayed = new Map<string, Item>();
  for (const { eventName, dynamodb: told } of seen) {
    const id = told!.Keys!.id!.N!;
    assert.deepEqual(told!.OldImage, replayed.get(id), "each change goes on from the one before");
    assert.equal(eventName, told!.OldImage ? (told!.NewImage ? "MODIFY" : "REMOVE") : "INSERT");
    if (told!.NewImage) replayed.set(id, told!.NewImage as Item);
    else replayed.delete(id);
  }
  const { Items } = await dynamodb.scan({ TableName });
  assert.deepEqual(Object.fromEntries(replayed), Object.fromEntries(Items!.map((item) => [item.id!.N!, item])));
});

/** Of five items, in every way there is; a conflict is a refusal, and tells nothing. */
async function write(who: number): Promise<void> {
  const Key = (n: number) => ({ id: { N: `${n % 5}` } });
  const add = (n: number) => ({
    TableName,
    Key: Key(n),
    UpdateExpression: "ADD n :one SET who = :who",
    ExpressionAttributeValues: { ":one": { N: "1" }, ":who": { N: `${who}` } },
  });
  for (let i = 0; i < WRITES; i++) {
    const n = who * 7 + i;
    const ways = [
      () => dynamodb.updateItem(add(n)),
      () => dynamodb.putItem({ TableName, Item: { ...Key(n), put: { N: `${who}` }, at: { N: `${i}` } } }),
      () => dynamodb.deleteItem({ TableName, Key: Key(n) }),
      () =>
        dynamodb.transactWriteItems({
          TransactItems: [{ Update: add(n) }, { Delete: { TableName, Key: Key(n + 1) } }, { Update: add(n + 2) }],
        }),
      () =>
        dynamodb.batchWriteItem({
          RequestItems: {
            [TableName]: [
              { PutRequest: { Item: { ...Key(n), b: { N: `${i}` } } } },
              { DeleteRequest: { Key: Key(n + 3) } },
            ],
          },
        }),
    ];
    await ways[n % ways.length]!().catch((error: Error) => {
      assert.match(error.name, /^Transaction(Canceled|Conflict)Exception$/);
    });
  }
}
