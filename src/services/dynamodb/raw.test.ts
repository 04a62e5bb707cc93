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
