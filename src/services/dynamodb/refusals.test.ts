// Sentences that were measured on AWS, of requests that an SDK or a careful reader would not send.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud({ relaxed: true });
after(() => cloud[Symbol.asyncDispose]());

async function call(operation: string, input: object): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(cloud.endpoint, {
    method: "POST",
    headers: { "x-amz-target": `DynamoDB_20120810.${operation}`, "content-type": "application/x-amz-json-1.0" },
    body: JSON.stringify(input),
  });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

before(async () => {
  await cloud.aws.call("dynamodb", "CreateTable", {
    TableName: "refused",
    AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  const Item = { pk: { S: "k1" }, a: { S: "x" }, b: { S: "y" } };
  await cloud.aws.call("dynamodb", "PutItem", { TableName: "refused", Item });
});

const TableName = "refused";
const Key = { pk: { S: "k1" } };
const equals = (S: string) => ({ ComparisonOperator: "EQ", AttributeValueList: [{ S }] });
const of = (n: number) => "a".padEnd(n, "z");
const TOO_LONG = "Expression size has exceeded the maximum allowed size;";
const MIXED = "Can not use both expression and non-expression parameters in the same request: ";
const ALONE = "ConditionalOperator cannot be used without Filter or Expected";
const TWICE = "Provided list of item keys contains duplicates";
const bound = { ExpressionAttributeValues: { ":v": { S: "x" } } };

const REFUSED: readonly (readonly [what: string, operation: string, input: object, message: string])[] = [
  [
    "a name's reference is too long, whatever else is wrong with it",
    "GetItem",
    { Key, ProjectionExpression: "#a", ExpressionAttributeNames: { [`#${of(255)}-x`]: "foo" } },
    "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; size of key: 258",
  ],
  [
    "a value's reference is too long",
    "Scan",
    { FilterExpression: "foo = :v", ExpressionAttributeValues: { [`:${of(255)}`]: { S: "x" } } },
    "ExpressionAttributeValues contains invalid key: The expression attribute map contains a key that is too long;",
  ],
  [
    "a name stands for nothing",
    "GetItem",
    { Key, ProjectionExpression: "#a", ExpressionAttributeNames: { "#a": "" } },
    "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a",
  ],
  [
    "a projection is too long",
    "GetItem",
    { Key, ProjectionExpression: of(4097) },
    `Invalid ProjectionExpression: ${TOO_LONG}`,
  ],
  [
    "a filter is too long",
    "Scan",
    { FilterExpression: `${of(4092)} = :v`, ...bound },
    `Invalid FilterExpression: ${TOO_LONG} expression size: 4097`,
  ],
  [
    "a list index is beyond all lists",
    "GetItem",
    { Key, ProjectionExpression: "l[2147483648]" },
    "Invalid ProjectionExpression: List index is not within the allowable range; index: [2147483648]",
  ],
  ["an operator joins nothing", "Scan", { ConditionalOperator: "OR" }, ALONE],
  ["an operator joins an empty filter", "Scan", { ConditionalOperator: "AND", ScanFilter: {} }, ALONE],
  ["an operator joins nothing, and no key is said", "Query", { ConditionalOperator: "AND" }, ALONE],
  [
    "old and new parameters are mixed in a Query",
    "Query",
    {
      KeyConditions: { pk: equals("k1") },
      QueryFilter: { a: equals("x") },
      ConditionalOperator: "AND",
      KeyConditionExpression: "pk = :p",
      FilterExpression: "a = :v",
      ProjectionExpression: "b",
      ExpressionAttributeValues: { ":p": { S: "k1" }, ":v": { S: "x" } },
    },
    `${MIXED}Non-expression parameters: {QueryFilter, ConditionalOperator, KeyConditions} Expression parameters: {ProjectionExpression, FilterExpression, KeyConditionExpression}`,
  ],
  ["a Query has no condition", "Query", { KeyConditions: {} }, "Conditions can be of length 1 or 2 only"],
  [
    "a Query has three",
    "Query",
    { KeyConditions: { pk: equals("k1"), a: equals("x"), b: equals("x") } },
    "Conditions can be of length 1 or 2 only",
  ],
  [
    "a value of the starting key is none",
    "Scan",
    { ExclusiveStartKey: { pk: { N: "x" } } },
    "The provided starting key is invalid: The parameter cannot be converted to a numeric value: x",
  ],
  [
    "a batch reads a key twice, of a table that is not there",
    "BatchGetItem",
    { TableName: undefined, RequestItems: { nowhere: { Keys: [Key, Key] } } },
    TWICE,
  ],
];

for (const [what, operation, input, message] of REFUSED)
  test(`${operation} says so where ${what}`, async () => {
    const { status, answer } = await call(operation, { TableName, ...input });
    assert.equal(status, 400);
    assert.equal(answer.message, message);
  });

test("KeyConditions go with a filter and a projection that are expressions", async () => {
  const query = { TableName, KeyConditions: { pk: equals("k1") }, ...bound };
  const { answer } = await call("Query", { ...query, FilterExpression: "a = :v", ProjectionExpression: "b" });
  assert.deepEqual(answer, { Items: [{ b: { S: "y" } }], Count: 1, ScannedCount: 1 });
});

test("a value is as deep as it likes where it is only compared with, and 32 levels where it is stored", async () => {
  let deep: object = { S: "leaf" };
  for (let i = 0; i < 32; i++) deep = { M: { a: deep } };
  const values = { ExpressionAttributeValues: { ":d": deep } };
  const compared = { TableName, Key, ConditionExpression: "attribute_exists(pk) OR a = :d", ...values };
  assert.equal((await call("UpdateItem", compared)).status, 200);
  const expected = { TableName, Key, Expected: { a: { Value: deep } } };
  assert.match(`${(await call("UpdateItem", expected)).answer.__type}`, /ConditionalCheckFailedException$/);
  for (const update of [
    { UpdateExpression: "SET deep = if_not_exists(deep, :d)", ...values },
    { AttributeUpdates: { deep: { Action: "PUT", Value: deep } } },
  ])
    assert.match(`${(await call("UpdateItem", { TableName, Key, ...update })).answer.message}`, /^Nesting Levels/);
});
