import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  type AttributeValue,
  type CreateTableCommandInput,
  DynamoDB,
  TransactionCanceledException,
} from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
for (const TableName of ["one", "two"])
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });

type Item = Record<string, AttributeValue>;
const key = (id: string): Item => ({ id: { S: id } });
const put = (id: string, more: Item = {}) => ({ PutRequest: { Item: { ...key(id), ...more } } });
const get = async (TableName: string, id: string) => (await dynamodb.getItem({ TableName, Key: key(id) })).Item;

test("BatchWriteItem puts and deletes over several tables, BatchGetItem reads them", async () => {
  await dynamodb.putItem({ TableName: "one", Item: key("gone") });
  const written = await dynamodb.batchWriteItem({
    RequestItems: {
      one: [put("a", { v: { N: "1" } }), { DeleteRequest: { Key: key("gone") } }],
      "arn:aws:dynamodb:us-east-1:000000000000:table/two": [put("b")],
    },
    ReturnConsumedCapacity: "TOTAL",
  });
  assert.deepEqual(written.UnprocessedItems, {});
  assert.deepEqual(written.ConsumedCapacity, [
    { TableName: "one", CapacityUnits: 2 },
    { TableName: "two", CapacityUnits: 1 },
  ]);
  const read = await dynamodb.batchGetItem({
    RequestItems: {
      one: { Keys: [key("a"), key("gone")], ProjectionExpression: "v" },
      two: { Keys: [key("b")], ConsistentRead: true },
    },
    ReturnConsumedCapacity: "TOTAL",
  });
  assert.deepEqual(read.Responses, { one: [{ v: { N: "1" } }], two: [key("b")] });
  assert.deepEqual(read.UnprocessedKeys, {});
  assert.deepEqual(read.ConsumedCapacity, [
    { TableName: "one", CapacityUnits: 1 },
    { TableName: "two", CapacityUnits: 1 },
  ]);
});

test("one bad key fails a whole batch before anything is written", async () => {
  await assert.rejects(
    dynamodb.batchWriteItem({
      RequestItems: { one: [put("first"), { DeleteRequest: { Key: { nope: { S: "x" } } } }] },
    }),
    { name: "ValidationException", message: "The provided key element does not match the schema" },
  );
  assert.equal(await get("one", "first"), undefined);
  for (const Item of [{ id: { N: "5" } }, { other: { S: "x" } }] as Item[])
    await assert.rejects(dynamodb.batchWriteItem({ RequestItems: { one: [put("first"), { PutRequest: { Item } }] } }), {
      name: "ValidationException",
      message: "The provided key element does not match the schema",
    });
  assert.equal(await get("one", "first"), undefined);
});

test("a batch of reads does not mix the old parameters and the new, not even over several tables", async () => {
  await assert.rejects(
    dynamodb.batchGetItem({
      RequestItems: {
        one: { Keys: [key("a")], ProjectionExpression: "id" },
        two: { Keys: [key("a")], AttributesToGet: ["id"] },
      },
    }),
    {
      name: "ValidationException",
      message:
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}",
    },
  );
});

test("an empty key refuses a transaction as a whole, and is no reason to cancel it", async () => {
  const message =
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id";
  for (const action of [
    { Put: { TableName: "one", Item: key("") } },
    { Delete: { TableName: "one", Key: key("") } },
    { ConditionCheck: { TableName: "one", Key: key(""), ConditionExpression: "attribute_exists(id)" } },
  ])
    await assert.rejects(
      dynamodb.transactWriteItems({ TransactItems: [{ Put: { TableName: "one", Item: key("e") } }, action] }),
      { name: "ValidationException", message },
    );
  await assert.rejects(dynamodb.transactGetItems({ TransactItems: [{ Get: { TableName: "one", Key: key("") } }] }), {
    name: "ValidationException",
    message,
  });
});

test("a repeated transaction answers the collections that it touched", async () => {
  await dynamodb.createTable({
    TableName: "collections",
    AttributeDefinitions: ["id", "at", "by"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
    KeySchema: [
      { AttributeName: "id", KeyType: "HASH" },
      { AttributeName: "at", KeyType: "RANGE" },
    ],
    LocalSecondaryIndexes: [
      {
        IndexName: "by-by",
        KeySchema: [
          { AttributeName: "id", KeyType: "HASH" },
          { AttributeName: "by", KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "ALL" },
      },
    ],
    BillingMode: "PAY_PER_REQUEST",
  });
  const write = () =>
    dynamodb.transactWriteItems({
      ClientRequestToken: "collections",
      ReturnItemCollectionMetrics: "SIZE",
      TransactItems: [{ Put: { TableName: "collections", Item: { ...key("c"), at: { S: "1" } } } }],
    });
  const once = (await write()).ItemCollectionMetrics;
  assert.deepEqual(once, { collections: [{ ItemCollectionKey: key("c"), SizeEstimateRangeGB: [0, 1] }] });
  assert.deepEqual((await write()).ItemCollectionMetrics, once);
});

test("a batch does not name an item twice, nor too many", async () => {
  await assert.rejects(dynamodb.batchWriteItem({ RequestItems: { one: [put("x"), put("x")] } }), {
    message: "Provided list of item keys contains duplicates",
  });
  await assert.rejects(dynamodb.batchGetItem({ RequestItems: { one: { Keys: [key("x"), key("x")] } } }), {
    message: "Provided list of item keys contains duplicates",
  });
  const many = (n: number) => Array.from({ length: n }, (_, i) => put(`${i}`));
  await assert.rejects(dynamodb.batchWriteItem({ RequestItems: { one: many(13), two: many(13) } }), {
    message: "Too many items requested for the BatchWriteItem call",
  });
  await assert.rejects(dynamodb.batchWriteItem({ RequestItems: { nowhere: [put("x")] } }), {
    name: "ResourceNotFoundException",
  });
});

test("BatchGetItem answers 16 MB and leaves the other keys unprocessed", async () => {
  // It is so warm that it has forty partitions: none is asked for more than 1 MB.
  const large = await largeItems("warm", 45, { WarmThroughput: { WriteUnitsPerSecond: 40_000 } });
  assert.deepEqual(await large.read(), large.ids.slice(0, 42));
});

test("BatchGetItem answers some 1 MB of a partition, and leaves its other keys unprocessed", async () => {
  const one = await largeItems("one-partition", 6, {
    BillingMode: "PROVISIONED",
    ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 5 },
  });
  assert.deepEqual(await one.read(), one.ids.slice(0, 3));
  // On demand it has four from the start.
  const four = await largeItems("four-partitions", 30, {});
  assert.equal((await four.read()).length, 12);
});

/** Items of 400 KB; `read` gives the ids of those that a batch answers, once it is seen that the others are the unprocessed ones. */
async function largeItems(TableName: string, count: number, more: Partial<CreateTableCommandInput>) {
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
    ...more,
  });
  const ids = Array.from({ length: count }, (_, i) => `large${i}`);
  for (const id of ids) await dynamodb.putItem({ TableName, Item: { ...key(id), x: { S: "x".repeat(400_000) } } });
  const read = async () => {
    const { Responses, UnprocessedKeys } = await dynamodb.batchGetItem({
      RequestItems: { [TableName]: { Keys: ids.map(key) } },
    });
    const answered = Responses![TableName]!.map(({ id }) => id!.S!);
    const others = ids.filter((id) => !answered.includes(id));
    assert.deepEqual(UnprocessedKeys?.[TableName]?.Keys, others.map(key));
    return answered;
  };
  return { ids, read };
}

test("TransactWriteItems does all of it", async () => {
  await dynamodb.putItem({ TableName: "two", Item: { ...key("t-update"), n: { N: "1" } } });
  await dynamodb.putItem({ TableName: "one", Item: key("t-delete") });
  const { ConsumedCapacity } = await dynamodb.transactWriteItems({
    TransactItems: [
      { Put: { TableName: "one", Item: key("t-put") } },
      { Delete: { TableName: "one", Key: key("t-delete") } },
      {
        Update: {
          TableName: "two",
          Key: key("t-update"),
          UpdateExpression: "ADD n :n",
          ExpressionAttributeValues: { ":n": { N: "2" } },
        },
      },
      { ConditionCheck: { TableName: "one", Key: key("t-none"), ConditionExpression: "attribute_not_exists(id)" } },
    ],
    ReturnConsumedCapacity: "TOTAL",
  });
  assert.deepEqual(await get("one", "t-put"), key("t-put"));
  assert.equal(await get("one", "t-delete"), undefined);
  assert.equal((await get("two", "t-update"))?.n?.N, "3");
  assert.equal(await get("one", "t-none"), undefined);
  assert.deepEqual(ConsumedCapacity, [
    { TableName: "one", CapacityUnits: 6, WriteCapacityUnits: 6 },
    { TableName: "two", CapacityUnits: 2, WriteCapacityUnits: 2 },
  ]);
});

test("TransactWriteItems does nothing of what cannot all be done, and says why", async () => {
  await dynamodb.putItem({ TableName: "one", Item: { ...key("there"), v: { N: "1" } } });
  const condition = { ConditionExpression: "attribute_not_exists(id)" };
  await assert.rejects(
    dynamodb.transactWriteItems({
      TransactItems: [
        { Put: { TableName: "one", Item: key("never") } },
        { Put: { TableName: "one", Item: key("there"), ...condition, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } },
        { ConditionCheck: { TableName: "one", Key: key("nothing"), ConditionExpression: "attribute_exists(id)" } },
      ],
    }),
    (error: TransactionCanceledException) => {
      assert.ok(error instanceof TransactionCanceledException);
      assert.equal(
        error.message,
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, ConditionalCheckFailed]",
      );
      assert.deepEqual(error.CancellationReasons, [
        { Code: "None" },
        {
          Code: "ConditionalCheckFailed",
          Message: "The conditional request failed",
          Item: { ...key("there"), v: { N: "1" } },
        },
        { Code: "ConditionalCheckFailed", Message: "The conditional request failed" },
      ]);
      return true;
    },
  );
  assert.equal(await get("one", "never"), undefined);
});

test("a transaction is cancelled for the one action that is not valid, and refused as a whole for what is", async () => {
  await assert.rejects(
    dynamodb.transactWriteItems({
      TransactItems: [
        { Put: { TableName: "one", Item: key("not-written") } },
        { Put: { TableName: "one", Item: { id: { N: "1" } } } },
      ],
    }),
    (error: TransactionCanceledException) => {
      assert.deepEqual(error.CancellationReasons, [
        { Code: "None" },
        {
          Code: "ValidationError",
          Message: "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N",
        },
      ]);
      return true;
    },
  );
  assert.equal(await get("one", "not-written"), undefined);
  await assert.rejects(
    dynamodb.transactWriteItems({
      TransactItems: [
        { Put: { TableName: "one", Item: key("same") } },
        { Delete: { TableName: "one", Key: key("same") } },
      ],
    }),
    { name: "ValidationException", message: "Transaction request cannot include multiple operations on one item" },
  );
  await assert.rejects(
    dynamodb.transactWriteItems({ TransactItems: [{ Put: { TableName: "nowhere", Item: key("x") } }] }),
    { name: "ResourceNotFoundException", message: "Requested resource not found" },
  );
});

test("a transaction carries 4 MB at most", async () => {
  const large = (i: number) => ({
    Put: { TableName: "one", Item: { ...key(`mb${i}`), x: { S: "x".repeat(400_000) } } },
  });
  await assert.rejects(dynamodb.transactWriteItems({ TransactItems: Array.from({ length: 11 }, (_, i) => large(i)) }), {
    name: "ValidationException",
  });
  assert.equal(await get("one", "mb0"), undefined);
  const parameter = { S: "x".repeat(400_000) };
  const statements = Array.from({ length: 11 }, (_, i) => ({
    Statement: `INSERT INTO one VALUE {'id': 'mb${i}', 'x': ?}`,
    Parameters: [parameter],
  }));
  await assert.rejects(dynamodb.executeTransaction({ TransactStatements: statements }), {
    name: "ValidationException",
    message: "Aggregate size of all items in the transaction exceeds the limit of 4 MB",
  });
  assert.equal(await get("one", "mb0"), undefined);
  const Gets = Array.from({ length: 11 }, (_, i) => ({ Get: { TableName: "warm", Key: key(`large${i}`) } }));
  await assert.rejects(dynamodb.transactGetItems({ TransactItems: Gets }), { name: "ValidationException" });
  assert.equal((await dynamodb.transactGetItems({ TransactItems: Gets.slice(0, 10) })).Responses?.length, 10);
});

test("a client request token makes a transaction happen once in ten minutes", async () => {
  const input = (n: string) => ({
    ClientRequestToken: "token-1",
    TransactItems: [
      {
        Update: {
          TableName: "one",
          Key: key("once"),
          UpdateExpression: "ADD n :n",
          ExpressionAttributeValues: { ":n": { N: n } },
        },
      },
    ],
  });
  await dynamodb.transactWriteItems(input("1"));
  await dynamodb.transactWriteItems(input("1"));
  assert.equal((await get("one", "once"))?.n?.N, "1");
  await assert.rejects(dynamodb.transactWriteItems(input("2")), { name: "IdempotentParameterMismatchException" });
  await cloud.advance(11 * 60 * 1000);
  await dynamodb.transactWriteItems(input("1"));
  assert.equal((await get("one", "once"))?.n?.N, "2");
});

test("TransactGetItems reads several tables at one moment", async () => {
  await dynamodb.putItem({ TableName: "one", Item: { ...key("seen"), v: { S: "x" } } });
  const { Responses } = await dynamodb.transactGetItems({
    TransactItems: [
      { Get: { TableName: "one", Key: key("seen"), ProjectionExpression: "v" } },
      { Get: { TableName: "two", Key: key("unseen") } },
    ],
  });
  assert.deepEqual(Responses, [{ Item: { v: { S: "x" } } }, {}]);
});

test("a bank loses no cent to transfers that compete", async () => {
  const accounts = ["anna", "bert", "cleo"];
  for (const id of accounts) await dynamodb.putItem({ TableName: "one", Item: { ...key(id), cents: { N: "100" } } });
  const transfer = (from: string, to: string, cents: number) =>
    dynamodb
      .transactWriteItems({
        TransactItems: [
          {
            Update: {
              TableName: "one",
              Key: key(from),
              UpdateExpression: "SET cents = cents - :c",
              ConditionExpression: "cents >= :c",
              ExpressionAttributeValues: { ":c": { N: `${cents}` } },
            },
          },
          {
            Update: {
              TableName: "one",
              Key: key(to),
              UpdateExpression: "ADD cents :c",
              ExpressionAttributeValues: { ":c": { N: `${cents}` } },
            },
          },
        ],
      })
      .catch((error: Error) => assert.equal(error.name, "TransactionCanceledException"));
  const transfers = Array.from({ length: 60 }, (_, i) => ({
    from: i % 3,
    to: (i + 1 + (i % 2)) % 3,
    cents: (i % 7) * 11 + 1,
  }));
  await Promise.all(transfers.map(({ from, to, cents }) => transfer(accounts[from]!, accounts[to]!, cents)));
  const cents = await Promise.all(accounts.map(async (id) => Number((await get("one", id))?.cents?.N)));
  assert.equal(
    cents.reduce((sum, n) => sum + n),
    300,
  );
  assert.ok(cents.every((n) => n >= 0));
});
