import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { IAM } from "@aws-sdk/client-iam";
import { type Key, startCloud } from "../../../test/cloud.ts";
import { topLevelNames } from "./access.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const root = cloud.client(DynamoDB);
const iam = cloud.client(IAM);
const arn = "arn:aws:dynamodb:us-east-1:000000000000:table/shared";
const TableName = "shared";
await root.createTable({
  TableName,
  AttributeDefinitions: ["owner", "id", "color"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
  KeySchema: [
    { AttributeName: "owner", KeyType: "HASH" },
    { AttributeName: "id", KeyType: "RANGE" },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: "by-color",
      KeySchema: [{ AttributeName: "color", KeyType: "HASH" }],
      Projection: { ProjectionType: "ALL" },
    },
  ],
  BillingMode: "PAY_PER_REQUEST",
});

/** A client of a user who may do what the statement says. */
async function userWith(UserName: string, statement: object): Promise<DynamoDB> {
  await iam.createUser({ UserName });
  const PolicyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] });
  await iam.putUserPolicy({ UserName, PolicyName: "p", PolicyDocument });
  const { AccessKey } = await iam.createAccessKey({ UserName });
  const key: Key = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  return cloud.client(DynamoDB, key);
}

const item = (owner: string, id = "1") => ({ owner: { S: owner }, id: { S: id } });
const denied = { name: "AccessDeniedException" };

test("a policy for the table does not reach its indexes, nor other operations", async () => {
  const user = await userWith("reader", { Action: ["dynamodb:GetItem", "dynamodb:Query"], Resource: arn });
  await user.getItem({ TableName, Key: item("a") });
  await user.getItem({ TableName: arn, Key: item("a") });
  const values = { ":x": { S: "a" } };
  await user.query({
    TableName,
    KeyConditionExpression: "#o = :x",
    ExpressionAttributeNames: { "#o": "owner" },
    ExpressionAttributeValues: values,
  });
  await assert.rejects(
    user.query({
      TableName,
      IndexName: "by-color",
      KeyConditionExpression: "color = :x",
      ExpressionAttributeValues: values,
    }),
    (error: Error) => {
      assert.equal(error.name, "AccessDeniedException");
      assert.match(
        error.message,
        /dynamodb:Query on resource: arn:aws:dynamodb:us-east-1:000000000000:table\/shared\/index\/by-color/,
      );
      return true;
    },
  );
  await assert.rejects(user.putItem({ TableName, Item: item("a") }), denied);
  await assert.rejects(user.scan({ TableName }), denied);
  await assert.rejects(user.getItem({ TableName: "other", Key: item("a") }), denied);
});

test("dynamodb:LeadingKeys keeps a user to the partitions that are his", async () => {
  const user = await userWith("owner", {
    Action: "dynamodb:*",
    Resource: [arn, `${arn}/index/*`],
    Condition: { "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["mine"] } },
  });
  await user.putItem({ TableName, Item: item("mine") });
  await assert.rejects(user.putItem({ TableName, Item: item("theirs") }), denied);
  await assert.rejects(user.getItem({ TableName, Key: item("theirs") }), denied);
  const query = (owner: string) =>
    user.query({
      TableName,
      KeyConditionExpression: "#o = :o AND begins_with(id, :i)",
      FilterExpression: "attribute_exists(color) OR color = :i",
      ExpressionAttributeNames: { "#o": "owner" },
      ExpressionAttributeValues: { ":o": { S: owner }, ":i": { S: "1" } },
    });
  await query("mine");
  await assert.rejects(query("theirs"), denied);
  const write = (owner: string) => ({
    RequestItems: { shared: [{ PutRequest: { Item: item("mine", "2") } }, { PutRequest: { Item: item(owner) } }] },
  });
  await user.batchWriteItem(write("mine"));
  await assert.rejects(user.batchWriteItem(write("theirs")), denied);
});

test("dynamodb:Attributes keeps a user to the attributes that are named", async () => {
  const user = await userWith("narrow", {
    Action: ["dynamodb:GetItem", "dynamodb:UpdateItem"],
    Resource: arn,
    Condition: {
      "ForAllValues:StringEquals": { "dynamodb:Attributes": ["owner", "id", "color"] },
      StringEqualsIfExists: {
        "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
        "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"],
      },
    },
  });
  const Key = item("mine");
  await user.getItem({ TableName, Key, ProjectionExpression: "color" });
  await assert.rejects(user.getItem({ TableName, Key, ProjectionExpression: "color, secret" }), denied);
  await assert.rejects(user.getItem({ TableName, Key }), denied);
  const update = (UpdateExpression: string, ReturnValues?: "ALL_NEW") =>
    user.updateItem({
      TableName,
      Key,
      UpdateExpression,
      ReturnValues,
      ExpressionAttributeValues: { ":v": { S: "v" } },
    });
  await update("SET color = :v");
  await assert.rejects(update("SET secret = :v"), denied);
  await assert.rejects(update("SET color = :v", "ALL_NEW"), denied);
});

test("a transaction asks for the permission of each of its actions", async () => {
  const user = await userWith("transacting", { Action: ["dynamodb:PutItem"], Resource: arn });
  const put = { Put: { TableName, Item: item("t") } };
  await user.transactWriteItems({ TransactItems: [put] });
  await assert.rejects(
    user.transactWriteItems({ TransactItems: [put, { Delete: { TableName, Key: item("u") } }] }),
    /dynamodb:DeleteItem/,
  );
  await assert.rejects(
    user.transactGetItems({ TransactItems: [{ Get: { TableName, Key: item("t") } }] }),
    /dynamodb:GetItem/,
  );
});

test("the attributes that an expression names, as dynamodb:Attributes has them", () => {
  const names = { "#a": "first", "#b": "within" };
  const expressions: readonly (readonly [string, readonly string[]])[] = [
    ["a = :v AND begins_with(#a.#b[0].c, :w)", ["a", "first"]],
    ["SET x.y = if_not_exists(z, :v) REMOVE q[1]", ["x", "z", "q"]],
    ["a, b.c, #b", ["a", "b", "within"]],
    ["not ((size(k) between :a and :b) or k in (:c))", ["k", "k"]],
    ["a = %", []],
  ];
  for (const [text, expected] of expressions) assert.deepEqual(topLevelNames(text, names), expected, text);
});
