import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DynamoDB,
  type PutItemCommandInput,
  type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const TableName = "items";
await dynamodb.createTable({
  TableName,
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  BillingMode: "PAY_PER_REQUEST",
});
await dynamodb.createTable({
  TableName: "indexed",
  AttributeDefinitions: ["id", "g", "l", "r"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
  KeySchema: [
    { AttributeName: "id", KeyType: "HASH" },
    { AttributeName: "r", KeyType: "RANGE" },
  ],
  LocalSecondaryIndexes: [
    {
      IndexName: "local",
      KeySchema: [
        { AttributeName: "id", KeyType: "HASH" },
        { AttributeName: "l", KeyType: "RANGE" },
      ],
      Projection: { ProjectionType: "KEYS_ONLY" },
    },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: "global",
      KeySchema: [{ AttributeName: "g", KeyType: "HASH" }],
      Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["extra"] },
    },
  ],
  BillingMode: "PAY_PER_REQUEST",
});

type Item = Record<string, AttributeValue>;
const put = (Item: Item, more: Partial<PutItemCommandInput> = {}) => dynamodb.putItem({ TableName, Item, ...more });
const get = async (id: string) => (await dynamodb.getItem({ TableName, Key: { id: { S: id } } })).Item;
const update = (id: string, UpdateExpression: string, more: Partial<UpdateItemCommandInput> = {}) =>
  dynamodb.updateItem({ TableName, Key: { id: { S: id } }, UpdateExpression, ...more });

test("an item of every type comes back as it was put, numbers in normal form", async () => {
  const item: Item = {
    id: { S: "every" },
    s: { S: "\u{1F600} \u0000" },
    empty: { S: "" },
    n: { N: "+0012.50e1" },
    b: { B: Uint8Array.of(0, 255) },
    emptyB: { B: new Uint8Array(0) },
    ss: { SS: ["b", "a"] },
    ns: { NS: ["1.0", "2"] },
    bs: { BS: [Uint8Array.of(1), Uint8Array.of(2)] },
    l: { L: [{ M: { x: { B: Uint8Array.of(7) } } }, { L: [] }] },
    m: { M: { B: { S: "no binary" }, "": { NULL: true } } },
    t: { BOOL: true },
    f: { BOOL: false },
    nothing: { NULL: true },
    __proto__x: { S: "x" },
    toString: { S: "own" },
  };
  await put(item);
  assert.deepEqual(await get("every"), { ...item, n: { N: "125" }, ns: { NS: ["1", "2"] } });
});

test("GetItem answers nothing for what is not there, and only what a projection names", async () => {
  assert.equal(await get("missing"), undefined);
  await put({ id: { S: "projected" }, a: { M: { b: { L: [{ N: "1" }, { N: "2" }] }, c: { S: "c" } } }, z: { S: "z" } });
  const { Item } = await dynamodb.getItem({
    TableName,
    Key: { id: { S: "projected" } },
    ProjectionExpression: "#a.b[1], nope",
    ExpressionAttributeNames: { "#a": "a" },
  });
  assert.deepEqual(Item, { a: { M: { b: { L: [{ N: "2" }] } } } });
});

test("PutItem returns the old item where it is asked to", async () => {
  const first = await put({ id: { S: "old" }, v: { N: "1" } }, { ReturnValues: "ALL_OLD" });
  assert.equal(first.Attributes, undefined);
  const second = await put({ id: { S: "old" }, v: { N: "2" } }, { ReturnValues: "ALL_OLD" });
  assert.deepEqual(second.Attributes, { id: { S: "old" }, v: { N: "1" } });
  const third = await put({ id: { S: "old" }, v: { N: "3" } });
  assert.equal(third.Attributes, undefined);
});

test("the five ReturnValues of UpdateItem", async () => {
  const more = (ReturnValues: UpdateItemCommandInput["ReturnValues"]) => ({
    ReturnValues,
    ExpressionAttributeValues: { ":one": { N: "1" } },
  });
  await put({ id: { S: "five" }, n: { N: "1" }, other: { S: "x" } });
  const step = "SET n = n + :one";
  assert.equal((await update("five", step, more("NONE"))).Attributes, undefined);
  assert.deepEqual((await update("five", step, more("UPDATED_OLD"))).Attributes, { n: { N: "2" } });
  assert.deepEqual((await update("five", step, more("UPDATED_NEW"))).Attributes, { n: { N: "4" } });
  const whole = (n: string) => ({ id: { S: "five" }, n: { N: n }, other: { S: "x" } });
  assert.deepEqual((await update("five", step, more("ALL_OLD"))).Attributes, whole("4"));
  assert.deepEqual((await update("five", step, more("ALL_NEW"))).Attributes, whole("6"));
});

test("UpdateItem makes the item that is not there, even when it only names the key", async () => {
  await dynamodb.updateItem({ TableName, Key: { id: { S: "made" } } });
  assert.deepEqual(await get("made"), { id: { S: "made" } });
  await dynamodb.updateItem({ TableName, Key: { id: { S: "unmade" } }, AttributeUpdates: { a: { Action: "DELETE" } } });
  assert.equal(await get("unmade"), undefined);
});

test("DeleteItem deletes, tells what it deleted, and does not mind what is not there", async () => {
  await put({ id: { S: "deleted" }, v: { N: "1" } });
  const Key = { id: { S: "deleted" } };
  const { Attributes } = await dynamodb.deleteItem({ TableName, Key, ReturnValues: "ALL_OLD" });
  assert.deepEqual(Attributes, { id: { S: "deleted" }, v: { N: "1" } });
  assert.equal(await get("deleted"), undefined);
  assert.equal((await dynamodb.deleteItem({ TableName, Key, ReturnValues: "ALL_OLD" })).Attributes, undefined);
});

test("a condition that fails changes nothing, and shows the item where it is asked to", async () => {
  await put({ id: { S: "kept" }, v: { N: "1" } });
  const condition = { ConditionExpression: "attribute_not_exists(id)" };
  await assert.rejects(
    put({ id: { S: "kept" }, v: { N: "2" } }, condition),
    (error: ConditionalCheckFailedException) => {
      assert.ok(error instanceof ConditionalCheckFailedException);
      assert.equal(error.message, "The conditional request failed");
      assert.equal(error.Item, undefined);
      return true;
    },
  );
  await assert.rejects(
    put({ id: { S: "kept" } }, { ...condition, ReturnValuesOnConditionCheckFailure: "ALL_OLD" }),
    (error: ConditionalCheckFailedException) => {
      assert.deepEqual(error.Item, { id: { S: "kept" }, v: { N: "1" } });
      return true;
    },
  );
  assert.deepEqual(await get("kept"), { id: { S: "kept" }, v: { N: "1" } });
});

const INVALID = "One or more parameter values were invalid: ";
const NOT_VALID = "One or more parameter values are not valid. ";
const DETECTED = "1 validation error detected: ";

const REFUSED_PUTS: readonly (readonly [string, Item, Partial<PutItemCommandInput>, string])[] = [
  ["no key", { a: { S: "a" } }, {}, `${INVALID}Missing the key id in the item`],
  ["a key of another type", { id: { N: "1" } }, {}, `${INVALID}Type mismatch for key id expected: S actual: N`],
  [
    "an empty key",
    { id: { S: "" } },
    {},
    `${NOT_VALID}The AttributeValue for a key attribute cannot contain an empty string value. Key: id`,
  ],
  [
    "a key that is too long",
    { id: { S: "x".repeat(2049) } },
    {},
    `${INVALID}Size of hashkey has exceeded the maximum size limit of2048 bytes`,
  ],
  ["an empty set", { id: { S: "a" }, s: { SS: [] } }, {}, `${DETECTED}${INVALID}An string set  may not be empty`],
  [
    "a set with duplicates",
    { id: { S: "a" }, s: { SS: ["x", "x"] } },
    {},
    `${INVALID}Input collection [x, x] contains duplicates.`,
  ],
  ["equal numbers in a set", { id: { S: "a" }, s: { NS: ["1", "1.0"] } }, {}, "Input collection contains duplicates"],
  [
    "NULL that is false",
    { id: { S: "a" }, s: { NULL: false } as never },
    {},
    `${INVALID}Null attribute value types must have the value of true`,
  ],
  ["no number", { id: { S: "a" }, n: { N: "x" } }, {}, "The parameter cannot be converted to a numeric value: x"],
  [
    "more than 400 KB",
    { id: { S: "a" }, s: { S: "x".repeat(409_600) } },
    {},
    "Item size has exceeded the maximum allowed size",
  ],
  ["other ReturnValues", { id: { S: "a" } }, { ReturnValues: "ALL_NEW" }, "ReturnValues can only be ALL_OLD or NONE"],
  [
    "names without expression",
    { id: { S: "a" } },
    { ExpressionAttributeNames: { "#a": "a" } },
    "ExpressionAttributeNames can only be specified when using expressions",
  ],
  [
    "values without expression",
    { id: { S: "a" } },
    { ExpressionAttributeValues: { ":a": { S: "a" } } },
    "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
  ],
  [
    "a value that no expression uses",
    { id: { S: "a" } },
    { ConditionExpression: "attribute_exists(id)", ExpressionAttributeValues: { ":a": { S: "a" } } },
    `${DETECTED}Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}`,
  ],
  [
    "no values",
    { id: { S: "a" } },
    { ConditionExpression: "attribute_exists(id)", ExpressionAttributeValues: {} },
    `${DETECTED}ExpressionAttributeValues must not be empty`,
  ],
  [
    "a bad name of a name",
    { id: { S: "a" } },
    { ConditionExpression: "attribute_exists(#a)", ExpressionAttributeNames: { a: "a" } },
    'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
  ],
  [
    "a bad value",
    { id: { S: "a" } },
    { ConditionExpression: "id = :a", ExpressionAttributeValues: { ":a": { N: "x" } } },
    "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :a",
  ],
  [
    "old and new parameters together",
    { id: { S: "a" } },
    { ConditionExpression: "attribute_exists(id)", Expected: { id: { Exists: false } } },
    "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}",
  ],
  [
    "a syntax error",
    { id: { S: "a" } },
    { ConditionExpression: "id = " },
    `${DETECTED}Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "="`,
  ],
];

for (const [what, item, more, message] of REFUSED_PUTS)
  test(`PutItem refuses ${what}`, async () => {
    await assert.rejects(put(item, more), { name: "ValidationException", message });
  });

test("an item is nested 32 levels deep at most, itself counted", async () => {
  const nested = (levels: number): AttributeValue => (levels === 0 ? { S: "x" } : { L: [nested(levels - 1)] });
  await put({ id: { S: "deep" }, l: nested(31) });
  await assert.rejects(
    put({ id: { S: "deeper" }, l: nested(32) }),
    /^ValidationException: Nesting Levels have exceeded/,
  );
});

test("an item may weigh 400 KB exactly", async () => {
  await put({ id: { S: "full" }, x: { S: "x".repeat(409_600 - "idfullx".length) } });
  await assert.rejects(update("full", "SET y = :y", { ExpressionAttributeValues: { ":y": { S: "" } } }), {
    message: "Item size to update has exceeded the maximum allowed size",
  });
});

test("UpdateItem does not change the key", async () => {
  await assert.rejects(update("a", "SET id = :x", { ExpressionAttributeValues: { ":x": { S: "b" } } }), {
    message: `${INVALID}Cannot update attribute id. This attribute is part of the key`,
  });
});

test("a key that does not fit the schema is refused", async () => {
  for (const Key of [{ id: { N: "1" } }, { other: { S: "a" } }, { id: { S: "a" }, more: { S: "a" } }] as Item[])
    await assert.rejects(dynamodb.getItem({ TableName, Key }), {
      name: "ValidationException",
      message: "The provided key element does not match the schema",
    });
});

test("a table that is missing is said before a key that is wrong", async () => {
  await assert.rejects(dynamodb.getItem({ TableName: "not-there", Key: {} }), {
    name: "ResourceNotFoundException",
    message: "Requested resource not found",
  });
});

test("legacy parameters do what their expressions do", async () => {
  await put({ id: { S: "legacy" }, n: { N: "1" }, s: { SS: ["a", "b"] }, l: { L: [{ S: "x" }] } });
  const Key = { id: { S: "legacy" } };
  const { Attributes } = await dynamodb.updateItem({
    TableName,
    Key,
    AttributeUpdates: {
      n: { Action: "ADD", Value: { N: "4" } },
      s: { Action: "DELETE", Value: { SS: ["a"] } },
      l: { Action: "ADD", Value: { L: [{ S: "y" }] } },
      p: { Value: { S: "put" } },
    },
    Expected: {
      n: { ComparisonOperator: "BETWEEN", AttributeValueList: [{ N: "0" }, { N: "2" }] },
      q: { Exists: false },
    },
    ReturnValues: "ALL_NEW",
  });
  assert.deepEqual(Attributes, {
    id: { S: "legacy" },
    n: { N: "5" },
    s: { SS: ["b"] },
    l: { L: [{ S: "x" }, { S: "y" }] },
    p: { S: "put" },
  });
  await assert.rejects(
    dynamodb.deleteItem({
      TableName,
      Key,
      Expected: { n: { Value: { N: "1" } }, p: { Value: { S: "no" } } },
      ConditionalOperator: "OR",
    }),
    { name: "ConditionalCheckFailedException" },
  );
  const { Item } = await dynamodb.getItem({ TableName, Key, AttributesToGet: ["n"] });
  assert.deepEqual(Item, { n: { N: "5" } });
  await assert.rejects(dynamodb.deleteItem({ TableName, Key, ConditionalOperator: "OR" }), {
    message: "ConditionalOperator cannot be used without Filter or Expected",
  });
});

test("consumed capacity: by size, twice for consistent reads, with what each index costs", async () => {
  const item = { id: { S: "cap" }, x: { S: "x".repeat(5000) } };
  const written = await put(item, { ReturnConsumedCapacity: "TOTAL" });
  assert.deepEqual(written.ConsumedCapacity, { TableName, CapacityUnits: 5 });
  const read = { TableName, Key: { id: { S: "cap" } }, ReturnConsumedCapacity: "INDEXES" } as const;
  assert.deepEqual((await dynamodb.getItem(read)).ConsumedCapacity, {
    TableName,
    CapacityUnits: 1,
    Table: { CapacityUnits: 1 },
  });
  assert.equal((await dynamodb.getItem({ ...read, ConsistentRead: true })).ConsumedCapacity?.CapacityUnits, 2);
  const indexed = {
    TableName: "indexed",
    ReturnConsumedCapacity: "INDEXES",
    ReturnItemCollectionMetrics: "SIZE",
  } as const;
  const one = await dynamodb.putItem({
    ...indexed,
    Item: { id: { S: "a" }, r: { S: "r" }, g: { S: "g" }, l: { S: "l" } },
  });
  assert.deepEqual(one.ConsumedCapacity, {
    TableName: "indexed",
    CapacityUnits: 3,
    Table: { CapacityUnits: 1 },
    LocalSecondaryIndexes: { local: { CapacityUnits: 1 } },
    GlobalSecondaryIndexes: { global: { CapacityUnits: 1 } },
  });
  assert.deepEqual(one.ItemCollectionMetrics, { ItemCollectionKey: { id: { S: "a" } }, SizeEstimateRangeGB: [0, 1] });
  const moved = await dynamodb.putItem({ ...indexed, Item: { id: { S: "a" }, r: { S: "r" }, g: { S: "h" } } });
  assert.deepEqual(moved.ConsumedCapacity, {
    TableName: "indexed",
    CapacityUnits: 4,
    Table: { CapacityUnits: 1 },
    LocalSecondaryIndexes: { local: { CapacityUnits: 1 } },
    GlobalSecondaryIndexes: { global: { CapacityUnits: 2 } },
  });
});

test("an update that would give an index an impossible key is refused", async () => {
  const Key = { id: { S: "u" }, r: { S: "r" } };
  const set = (value: AttributeValue) =>
    dynamodb.updateItem({
      TableName: "indexed",
      Key,
      UpdateExpression: "SET g = :g",
      ExpressionAttributeValues: { ":g": value },
    });
  await assert.rejects(set({ N: "1" }), {
    message: "The update expression attempted to update the secondary index key to unsupported type",
  });
  await assert.rejects(set({ S: "" }), /cannot contain an empty string value/);
});

test("writers that compete for a counter lose no step", async () => {
  await put({ id: { S: "counter" }, n: { N: "0" } });
  await Promise.all(
    Array.from({ length: 40 }, () =>
      update("counter", "ADD n :one", { ExpressionAttributeValues: { ":one": { N: "1" } } }),
    ),
  );
  assert.deepEqual((await get("counter"))?.n, { N: "40" });
});
