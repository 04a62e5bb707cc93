// Who else may use a table: policies of tables, as they are put and as they decide.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { DynamoDBStreams } from "@aws-sdk/client-dynamodb-streams";
import { type Key, startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const root = cloud.client(DynamoDB);
const THEIRS: Key = { accessKeyId: "111111111111", secretAccessKey: "test" };
const arnOf = (table: string) => `arn:aws:dynamodb:us-east-1:000000000000:table/${table}`;

const definition = (TableName: string) => ({
  TableName,
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" as const }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" as const }],
  BillingMode: "PAY_PER_REQUEST" as const,
});
async function table(name: string): Promise<string> {
  await root.createTable(definition(name));
  return arnOf(name);
}
const forThem = (Action: string | string[], more: object = {}) =>
  allow(Action, { Principal: { AWS: "111111111111" }, ...more });
const item = { Key: { id: { S: "1" } } };

test("a policy is put, read back without its white space, and deleted", async () => {
  const ResourceArn = await table("kept");
  const none = `PolicyNotFoundException 400 Resource-based policy not found for the provided ResourceArn: ${ResourceArn}`;
  assert.equal(await refusal(root.getResourcePolicy({ ResourceArn })), none);
  assert.deepEqual((await root.deleteResourcePolicy({ ResourceArn })).RevisionId, undefined);
  const document = { Version: "2012-10-17", Statement: [forThem("dynamodb:GetItem")] };
  const { RevisionId } = await root.putResourcePolicy({ ResourceArn, Policy: JSON.stringify(document, null, 4) });
  assert.match(RevisionId!, /^\d{13}$/);
  const read = await root.getResourcePolicy({ ResourceArn });
  assert.deepEqual([read.Policy, read.RevisionId], [JSON.stringify(document), RevisionId]);
  const again = {
    Statement: {
      Resource: ["*"],
      Principal: { AWS: ["arn:aws:iam::111111111111:root"] },
      Action: "dynamodb:GetItem",
      Effect: "Allow",
    },
    Version: "2012-10-17",
  };
  assert.equal((await root.putResourcePolicy({ ResourceArn, Policy: JSON.stringify(again) })).RevisionId, RevisionId);
  const other = await root.putResourcePolicy({ ResourceArn, Policy: policy(forThem("dynamodb:PutItem")) });
  assert.ok(other.RevisionId! > RevisionId!);
  assert.equal((await root.deleteResourcePolicy({ ResourceArn })).RevisionId, other.RevisionId);
  assert.equal(await refusal(root.getResourcePolicy({ ResourceArn })), none);
});

test("ExpectedRevisionId is demanded of the policy that is there, NO_POLICY that there is none", async () => {
  const ResourceArn = await table("expected");
  const put = (ExpectedRevisionId: string, action = "dynamodb:GetItem") =>
    root.putResourcePolicy({ ResourceArn, Policy: policy(forThem(action)), ExpectedRevisionId });
  const missing = "PolicyNotFoundException 400 Resource-based policy not found for the provided ResourceArn:";
  assert.equal(await refusal(put("123")), `${missing} revision 123 was expected, but table expected has no policy`);
  const { RevisionId } = await put("NO_POLICY");
  assert.equal(
    await refusal(put("NO_POLICY")),
    `${missing} revision NO_POLICY was expected, but table expected has revision ${RevisionId}`,
  );
  assert.equal(
    await refusal(root.deleteResourcePolicy({ ResourceArn, ExpectedRevisionId: "123" })),
    `${missing} revision 123 was expected, but table expected has revision ${RevisionId}`,
  );
  await put(RevisionId!, "dynamodb:PutItem");
});

test("ARNs and policies that will not do are refused in DynamoDB's words", async () => {
  const ResourceArn = await table("refusing");
  const invalid = "ValidationException 400 One or more parameter values were invalid: ";
  const arns: readonly (readonly [string, string])[] = [
    ["refusing", `${invalid}ARNs must start with 'arn:': refusing`],
    [`${ResourceArn}/backup/01`, `${invalid}Provided Arn is not a DynamoDB resource arn: ${ResourceArn}/backup/01`],
    [
      `${ResourceArn}/index/i`,
      `${invalid}Invalid resource arn provided, only table or stream is accepted. Provided resource arn: ${ResourceArn}/index/i`,
    ],
    [
      ResourceArn.replace("us-east-1", "eu-west-1"),
      `${invalid}Invalid resource Arn: ${ResourceArn.replace("us-east-1", "eu-west-1")}`,
    ],
    [
      ResourceArn.replace("000000000000", "111111111111"),
      "ValidationException 400 This action is only supported by accounts that match the resource owner’s account.",
    ],
    [arnOf("missing"), "ResourceNotFoundException 400 Requested resource not found: Table: missing not found"],
    [
      `${ResourceArn}/stream/2026-01-01T00:00:00.000`,
      "ResourceNotFoundException 400 Requested resource not found: Stream: 2026-01-01T00:00:00.000 not found for Table: refusing",
    ],
  ];
  for (const [arn, expected] of arns)
    assert.equal(await refusal(root.getResourcePolicy({ ResourceArn: arn })), expected, arn);

  const { Resource: _, ...everywhere } = forThem("dynamodb:GetItem") as { Resource: string };
  const policies: readonly (readonly [string, string])[] = [
    ["{not json", `${invalid}Invalid policy document: This policy contains invalid Json`],
    [policy(), `${invalid}Invalid policy document: Could not parse the policy: Statement is empty!`],
    [policy(everywhere), `${invalid}Invalid policy document: Missing required field Resource`],
    [policy(allow("dynamodb:GetItem")), `${invalid}Invalid policy document: Missing required field Principal`],
    [
      policy(forThem(["dynamodb:GetRecords", "dynamodb:GetItem", "s3:GetObject"])),
      `${invalid}Invalid policy document: The following action names are invalid: "dynamodb:GetRecords", "s3:GetObject"`,
    ],
    [
      policy(forThem("dynamodb:*", { Sid: "a" }), forThem("dynamodb:*", { Sid: "a" })),
      `${invalid}Invalid policy document: The Statement Ids in the policy are not unique`,
    ],
    [policy(forThem("dynamodb:*")) + " ".repeat(20_480), `${invalid}Maximum policy size of 20480 bytes exceeded`],
    [
      policy(allow("dynamodb:GetItem", { Principal: { AWS: "*" } })),
      "ValidationException 400 Resource-based policy grants unbounded access in one or more elements. Please revise the policy to ensure least-privilege form of access",
    ],
  ];
  for (const [Policy, expected] of policies) {
    assert.equal(await refusal(root.putResourcePolicy({ ResourceArn, Policy })), expected, Policy.slice(0, 200));
    assert.equal(await refusal(root.createTable({ ...definition("unmade"), ResourcePolicy: Policy })), expected);
  }
});

test("a policy that its maker could not change any more wants to be confirmed, and then holds", async () => {
  const ResourceArn = await table("locked");
  const me = cloud.client(DynamoDB, await userWith(cloud, "me", { may: policy(allow("dynamodb:*")) }));
  const denied = (more: object) =>
    policy(allow("dynamodb:PutResourcePolicy", { Effect: "Deny", Principal: "*", ...more }));
  const locking = denied({ Condition: { ArnLike: { "aws:PrincipalArn": "arn:aws:iam::*:user/me" } } });
  const refused =
    "AccessDeniedException 400 The new resource policy will not allow you to update the resource policy in the future.";
  for (const Policy of [locking, denied({})])
    assert.equal(await refusal(me.putResourcePolicy({ ResourceArn, Policy })), refused);
  await root.putResourcePolicy({ ResourceArn, Policy: locking });
  const Policy = denied({ Principal: { AWS: "111111111111" } });
  assert.match(
    await refusal(me.putResourcePolicy({ ResourceArn, Policy })),
    /with an explicit deny in a resource-based policy$/,
  );
  await root.putResourcePolicy({ ResourceArn, Policy });
  await me.putResourcePolicy({ ResourceArn, Policy: locking, ConfirmRemoveSelfResourceAccess: true });
  await me.deleteResourcePolicy({ ResourceArn });
});

test("another account's root may what the table's policy says, and its users where their own policies say so too", async () => {
  const TableName = await table("shared");
  const them = cloud.client(DynamoDB, THEIRS);
  const read = (as: DynamoDB) => as.getItem({ TableName, ...item });
  assert.match(
    await refusal(read(them)),
    /^AccessDeniedException 400 .* because no resource-based policy allows the dynamodb:GetItem action$/,
  );
  await root.putResourcePolicy({ ResourceArn: TableName, Policy: policy(forThem("dynamodb:GetItem")) });
  await read(them);
  await assert.rejects(them.putItem({ TableName, Item: item.Key }), { name: "AccessDeniedException" });
  const bob = cloud.client(DynamoDB, await userWith(cloud, "bob", { by: THEIRS }));
  assert.match(await refusal(read(bob)), /because no identity-based policy allows/);
  const may = policy(allow("dynamodb:GetItem", { Resource: TableName }));
  await read(cloud.client(DynamoDB, await userWith(cloud, "eve", { by: THEIRS, may })));
  await root.deleteResourcePolicy({ ResourceArn: TableName });
  await assert.rejects(read(them), { name: "AccessDeniedException" });
});

test("a policy comes with its table and goes with it, and its Deny binds root", async () => {
  const TableName = "born";
  const Policy = policy(allow("dynamodb:PutItem", { Principal: "*", Effect: "Deny" }));
  const maker = await userWith(cloud, "maker", { may: policy(allow("dynamodb:CreateTable")) });
  assert.match(
    await refusal(cloud.client(DynamoDB, maker).createTable({ ...definition(TableName), ResourcePolicy: Policy })),
    /dynamodb:PutResourcePolicy/,
  );
  await root.createTable({ ...definition(TableName), ResourcePolicy: Policy });
  const put = () => root.putItem({ TableName, Item: item.Key });
  assert.match(await refusal(put()), /with an explicit deny in a resource-based policy$/);
  await root.deleteTable({ TableName });
  await root.createTable(definition(TableName));
  await put();
});

test("a user of the account may what the table's policy says of it alone, on indexes where they are named", async () => {
  const TableName = "indexed";
  await root.createTable({
    ...definition(TableName),
    GlobalSecondaryIndexes: [
      {
        IndexName: "by-id",
        KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
        Projection: { ProjectionType: "ALL" },
      },
    ],
  });
  const user = cloud.client(DynamoDB, await userWith(cloud, "named"));
  const statement = (Resource: string) =>
    allow("dynamodb:Query", { Resource, Principal: { AWS: "arn:aws:iam::000000000000:user/named" } });
  const query = () =>
    user.query({
      TableName,
      IndexName: "by-id",
      KeyConditionExpression: "id = :i",
      ExpressionAttributeValues: { ":i": { S: "1" } },
    });
  await root.putResourcePolicy({ ResourceArn: arnOf(TableName), Policy: policy(statement(arnOf(TableName))) });
  await assert.rejects(query(), { name: "AccessDeniedException" });
  const Policy = policy(statement(`${arnOf(TableName)}/index/*`));
  await root.putResourcePolicy({ ResourceArn: arnOf(TableName), Policy });
  await query();
});

test("a stream has a policy of its own, with its own actions: another account then reads it, and not the table", async () => {
  const { TableDescription } = await root.createTable({
    ...definition("streaming"),
    StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
  });
  const StreamArn = TableDescription!.LatestStreamArn!;
  const theirs = cloud.client(DynamoDBStreams, THEIRS);
  assert.match(await refusal(theirs.describeStream({ StreamArn })), /^AccessDeniedException/);
  const put = (Action: string | string[], ExpectedRevisionId?: string) =>
    root.putResourcePolicy({ ResourceArn: StreamArn, Policy: policy(forThem(Action)), ExpectedRevisionId });
  assert.match(
    await refusal(put(["dynamodb:GetRecords", "dynamodb:GetItem"])),
    /The following action names are invalid: "dynamodb:GetItem"$/,
  );
  assert.match(await refusal(put("dynamodb:GetRecords", "5")), /but stream \S+ of table streaming has no policy$/);
  await put(["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]);
  const { StreamDescription } = await theirs.describeStream({ StreamArn });
  const { ShardIterator } = await theirs.getShardIterator({
    StreamArn,
    ShardId: StreamDescription!.Shards![0]!.ShardId,
    ShardIteratorType: "TRIM_HORIZON",
  });
  await root.putItem({ TableName: "streaming", Item: { id: { S: "1" } } });
  assert.equal((await theirs.getRecords({ ShardIterator })).Records!.length, 1);
  const tableOfStream = cloud.client(DynamoDB, THEIRS).getItem({ TableName: arnOf("streaming"), ...item });
  assert.match(await refusal(tableOfStream), /^AccessDeniedException/);
  await root.deleteTable({ TableName: "streaming" });
  await root.deleteResourcePolicy({ ResourceArn: StreamArn });
  assert.match(
    await refusal(theirs.getRecords({ ShardIterator })),
    /^AccessDeniedException/,
    "also when the table is gone",
  );
});
