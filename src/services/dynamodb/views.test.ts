// For people: the view of a table.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type CreateTableCommandInput, DynamoDB } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";
import { onPostgres, select } from "../../../test/sql.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);

const simple = (name: string, more: Partial<CreateTableCommandInput> = {}): CreateTableCommandInput => ({
  TableName: name,
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  BillingMode: "PAY_PER_REQUEST",
  ...more,
});

test("anyone may read a table with SQL, through a view of its name", async () => {
  await dynamodb.createTable(simple("files"));
  await dynamodb.putItem({
    TableName: "files",
    Item: { id: { S: "it's" }, size: { N: "12" }, big: { N: "12345678901234567890123" }, ok: { BOOL: true } },
  });
  await dynamodb.putItem({
    TableName: "files",
    Item: {
      id: { S: "b" },
      'odd "name\'s"': { S: "x" },
      nothing: { NULL: true },
      list: { L: [{ S: "a" }] },
      SIZE: { N: "1" },
    },
  });
  const none = { size: null, big: null, ok: null, 'odd "name\'s"': null, nothing: null, list: null, SIZE_2: null };
  // A column of PostgreSQL has one type for all rows: text.
  const value = (number: number, text: string) => (onPostgres(cloud) ? text : number);
  assert.deepEqual(await select(cloud, "SELECT * FROM files ORDER BY id DESC"), [
    {
      ...none,
      id: "it's",
      size: value(12, "12"),
      big: "12345678901234567890123",
      ok: value(1, "true"),
      _item: '{"id":{"S":"it\'s"},"size":{"N":"12"},"big":{"N":"12345678901234567890123"},"ok":{"BOOL":true}}',
    },
    {
      ...none,
      id: "b",
      'odd "name\'s"': "x",
      list: '[{"S":"a"}]',
      SIZE_2: value(1, "1"),
      _item:
        '{"id":{"S":"b"},"odd \\"name\'s\\"":{"S":"x"},"nothing":{"NULL":true},"list":{"L":[{"S":"a"}]},"SIZE":{"N":"1"}}',
    },
  ]);
});

test("a view does not take the name of a table of the store, and goes with its table", async () => {
  await dynamodb.createTable(simple("dynamodb_item"));
  await dynamodb.putItem({ TableName: "dynamodb_item", Item: { id: { S: "a" } } });
  const sql = "SELECT id FROM table_dynamodb_item";
  assert.deepEqual(await select(cloud, sql), [{ id: "a" }]);
  await dynamodb.deleteTable({ TableName: "dynamodb_item" });
  await assert.rejects(select(cloud, sql), /no such table|does not exist/);
});
