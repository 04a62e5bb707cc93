// What the SDK would not send.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { crc32 } from "node:zlib";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud({ relaxed: true });
after(() => cloud[Symbol.asyncDispose]());

async function call(operation: string, body: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(cloud.endpoint, {
    method: "POST",
    headers: { "x-amz-target": `DynamoDB_20120810.${operation}`, "content-type": "application/x-amz-json-1.0" },
    body,
  });
  const text = await answer.text();
  assert.equal(answer.headers.get("x-amz-crc32"), String(crc32(text)));
  return { status: answer.status, text };
}

await cloud.aws.call("dynamodb", "CreateTable", {
  TableName: "raw",
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  BillingMode: "PAY_PER_REQUEST",
});

test("attributes may be named as what objects inherit", async () => {
  const item = '{"id":{"S":"a"},"__proto__":{"S":"p"},"constructor":{"M":{"__proto__":{"N":"1"}}}}';
  await call("PutItem", `{"TableName":"raw","Item":${item}}`);
  const got = await call("GetItem", '{"TableName":"raw","Key":{"id":{"S":"a"}}}');
  assert.equal(got.text, `{"Item":${item}}`);
  const updated = await call(
    "UpdateItem",
    '{"TableName":"raw","Key":{"id":{"S":"a"}},"UpdateExpression":"SET #p = :v","ExpressionAttributeNames":{"#p":"__proto__"},"ExpressionAttributeValues":{":v":{"N":"3"}},"ReturnValues":"UPDATED_NEW"}',
  );
  assert.equal(updated.text, '{"Attributes":{"__proto__":{"N":"3"}}}');
});

const EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
const REFUSED: readonly (readonly [string, string])[] = [
  [
    '{"S":"a","N":"1"}',
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
  ],
  ["{}", EMPTY],
  ['{"X":"a"}', EMPTY],
  ["null", EMPTY],
  ['{"L":[null]}', EMPTY],
  ['{"SS":["a",null]}', EMPTY],
  ['{"NS":[null]}', EMPTY],
  ['{"M":{"a":{}}}', EMPTY],
];

for (const [value, message] of REFUSED)
  test(`the value ${value} is refused`, async () => {
    const { status, text } = await call("PutItem", `{"TableName":"raw","Item":{"id":{"S":"b"},"x":${value}}}`);
    assert.equal(status, 400);
    assert.equal(JSON.parse(text).message, message);
  });

test("expressions as deep as they are long are refused", async () => {
  for (const expression of ["(".repeat(4000), `${"not ".repeat(1000)}id = id`, `a${"[0]".repeat(1300)} = id`]) {
    const { status, text } = await call(
      "PutItem",
      JSON.stringify({ TableName: "raw", Item: { id: { S: "b" } }, ConditionExpression: expression }),
    );
    assert.equal(status, 400);
    assert.match(text, /ValidationException/);
  }
});

test("an item goes out as the text that it is stored as, and to a caller from within as its values", async () => {
  await call(
    "PutItem",
    '{"TableName":"raw","Item":{"id":{"S":"ä\\u0000"},"n":{"N":"1.50"},"b":{"B":"AQI="},"l":{"L":[{"BS":["AQ=="]}]}}}',
  );
  const item = '{"id":{"S":"ä\\u0000"},"n":{"N":"1.5"},"b":{"B":"AQI="},"l":{"L":[{"BS":["AQ=="]}]}}';
  const got = await call(
    "GetItem",
    '{"TableName":"raw","Key":{"id":{"S":"ä\\u0000"}},"ReturnConsumedCapacity":"TOTAL"}',
  );
  assert.equal(got.text, `{"Item":${item},"ConsumedCapacity":{"TableName":"raw","CapacityUnits":0.5}}`);
  const Key = { id: { S: "ä\u0000" } };
  const { Item } = await cloud.aws.call("dynamodb", "GetItem", { TableName: "raw", Key });
  const values = { ...Key, n: { N: "1.5" }, b: { B: Buffer.from([1, 2]) }, l: { L: [{ BS: [Buffer.from([1])] }] } };
  assert.deepEqual(Item, values);
  const query = {
    TableName: "raw",
    KeyConditionExpression: "id = :id",
    ExpressionAttributeValues: { ":id": Key.id },
  };
  assert.deepEqual((await cloud.aws.call("dynamodb", "Query", query)).Items, [values]);
  assert.equal((await call("Query", JSON.stringify(query))).text, `{"Items":[${item}],"Count":1,"ScannedCount":1}`);
});

test("what a table was is forgotten when it is changed, deleted and made again", async () => {
  const get = (key: string) => call("GetItem", `{"TableName":"brief","Key":{"${key}":{"S":"a"}}}`);
  const create = (key: string) =>
    cloud.aws.call("dynamodb", "CreateTable", {
      TableName: "brief",
      AttributeDefinitions: [{ AttributeName: key, AttributeType: "S" }],
      KeySchema: [{ AttributeName: key, KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
    });
  assert.match((await get("id")).text, /ResourceNotFoundException/);
  await create("id");
  await call("PutItem", '{"TableName":"brief","Item":{"id":{"S":"a"}}}');
  assert.equal((await get("id")).text, '{"Item":{"id":{"S":"a"}}}');
  const scan = () => call("Scan", '{"TableName":"brief","IndexName":"by-n"}');
  assert.match((await scan()).text, /does not have the specified index/);
  await cloud.aws.call("dynamodb", "UpdateTable", {
    TableName: "brief",
    AttributeDefinitions: [{ AttributeName: "n", AttributeType: "S" }],
    GlobalSecondaryIndexUpdates: [
      {
        Create: {
          IndexName: "by-n",
          KeySchema: [{ AttributeName: "n", KeyType: "HASH" }],
          Projection: { ProjectionType: "ALL" },
        },
      },
    ],
  });
  assert.equal((await scan()).text, '{"Items":[],"Count":0,"ScannedCount":0}');
  await cloud.aws.call("dynamodb", "DeleteTable", { TableName: "brief" });
  assert.match((await get("id")).text, /ResourceNotFoundException/);
  await create("other");
  assert.match((await get("id")).text, /does not match the schema/);
  assert.equal((await get("other")).text, "{}");
});
