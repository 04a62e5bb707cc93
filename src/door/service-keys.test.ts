// The condition keys of the services, and the tags of what is asked for and of what is asked: each case is one statement and two calls,
// of which the first is allowed and the second denied.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { EventBridge } from "@aws-sdk/client-eventbridge";
import { IAM } from "@aws-sdk/client-iam";
import { Lambda } from "@aws-sdk/client-lambda";
import { S3 } from "@aws-sdk/client-s3";
import { SQS } from "@aws-sdk/client-sqs";
import { type Key, startCloud } from "../../test/cloud.ts";
import { allow, LAMBDA, policy, userWith } from "../../test/principals.ts";

const cloud = await startCloud({ bucketDefaults: "classic" });
after(() => cloud[Symbol.asyncDispose]());

const clientsOf = (as?: Key) => ({
  dynamodb: cloud.client(DynamoDB, as),
  events: cloud.client(EventBridge, as),
  iam: cloud.client(IAM, as),
  lambda: cloud.client(Lambda, as),
  s3: cloud.client(S3, as),
  sqs: cloud.client(SQS, as),
});
type Clients = ReturnType<typeof clientsOf>;

const root = clientsOf();
const user = clientsOf(await userWith(cloud, "asking"));

type Call = (by: Clients) => Promise<unknown>;

interface Case {
  readonly may: string;
  readonly when: object;
  readonly allowed: Call;
  readonly denied: Call;
}

/** Denied is who is told that a permission is missing; what else is wrong with a call came after. */
async function isDenied(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return false;
  } catch (error) {
    const { name, message } = error as Error;
    return /^AccessDenied/.test(name) && /is not authorized to perform/.test(message);
  }
}

async function decide(cases: Readonly<Record<string, Case>>): Promise<void> {
  const wrong: string[] = [];
  for (const [name, { may, when, allowed, denied }] of Object.entries(cases)) {
    const PolicyDocument = policy(allow(may.split(" "), { Condition: when }), allow("iam:PassRole"));
    await root.iam.putUserPolicy({ UserName: "asking", PolicyName: "p", PolicyDocument });
    if (await isDenied(allowed(user))) wrong.push(`${name}: denied`);
    if (!(await isDenied(denied(user)))) wrong.push(`${name}: not denied`);
  }
  assert.deepEqual(wrong, []);
}

const is = (key: string, value: string | string[]) => ({ StringEquals: { [key]: value } });
const only = (key: string, values: string[]) => ({
  "ForAllValues:StringEquals": { [key]: values },
  Null: { [key]: "false" },
});
const Role = "arn:aws:iam::000000000000:role/r";
await root.iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: LAMBDA });

const tableOf = (TableName: string, team?: string) => ({
  TableName,
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" as const }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" as const }],
  BillingMode: "PAY_PER_REQUEST" as const,
  ...(team && { Tags: [{ Key: "team", Value: team }] }),
});
const functionOf = (FunctionName: string, team: string) => ({
  FunctionName,
  Role,
  Runtime: "provided.al2023" as const,
  Handler: "h",
  Code: { ZipFile: new Uint8Array(1) },
  Tags: { team },
});
const queueOf = (team: string) => `http://localhost/000000000000/${team}`;
const tableArn = (name: string) => `arn:aws:dynamodb:us-east-1:000000000000:table/${name}`;
const ruleArn = (name: string) => `arn:aws:events:us-east-1:000000000000:rule/${name}`;
const listOf = (team: string) => [{ Key: "team", Value: team }];

test("tags that a request brings decide over what is made and tagged", async () => {
  const red = is("aws:RequestTag/team", "red");
  const keys = only("aws:TagKeys", ["team"]);
  const sqs =
    (team: string): Call =>
    ({ sqs }) =>
      sqs.createQueue({ QueueName: `q-${team}`, tags: { team } });
  const dynamodb =
    (team: string): Call =>
    ({ dynamodb }) =>
      dynamodb.createTable(tableOf(`t-${team}`, team));
  const lambda =
    (team: string): Call =>
    ({ lambda }) =>
      lambda.createFunction(functionOf(`f-${team}`, team));
  const events =
    (team: string): Call =>
    ({ events }) =>
      events.putRule({ Name: `r-${team}`, ScheduleExpression: "rate(1 day)", Tags: listOf(team) });
  const s3 =
    (team: string): Call =>
    ({ s3 }) =>
      s3.createBucket({ Bucket: `bucket-${team}`, CreateBucketConfiguration: { Tags: listOf(team) } });
  await decide({
    "sqs:CreateQueue": { may: "sqs:*", when: red, allowed: sqs("red"), denied: sqs("blue") },
    "dynamodb:CreateTable": { may: "dynamodb:*", when: red, allowed: dynamodb("red"), denied: dynamodb("blue") },
    "lambda:CreateFunction": { may: "lambda:*", when: red, allowed: lambda("red"), denied: lambda("blue") },
    "events:PutRule": { may: "events:*", when: red, allowed: events("red"), denied: events("blue") },
    "s3:CreateBucket": { may: "s3:*", when: red, allowed: s3("red"), denied: s3("blue") },
    "sqs:TagQueue": {
      may: "sqs:TagQueue",
      when: keys,
      allowed: ({ sqs }) => sqs.tagQueue({ QueueUrl: queueOf("q-red"), Tags: { team: "x" } }),
      denied: ({ sqs }) => sqs.tagQueue({ QueueUrl: queueOf("q-red"), Tags: { team: "x", other: "y" } }),
    },
    "sqs:UntagQueue": {
      may: "sqs:UntagQueue",
      when: keys,
      allowed: ({ sqs }) => sqs.untagQueue({ QueueUrl: queueOf("q-red"), TagKeys: ["team"] }),
      denied: ({ sqs }) => sqs.untagQueue({ QueueUrl: queueOf("q-red"), TagKeys: ["other"] }),
    },
    "dynamodb:TagResource": {
      may: "dynamodb:TagResource",
      when: red,
      allowed: ({ dynamodb }) => dynamodb.tagResource({ ResourceArn: tableArn("t-red"), Tags: listOf("red") }),
      denied: ({ dynamodb }) => dynamodb.tagResource({ ResourceArn: tableArn("t-red"), Tags: listOf("blue") }),
    },
    "dynamodb:UntagResource": {
      may: "dynamodb:UntagResource",
      when: keys,
      allowed: ({ dynamodb }) => dynamodb.untagResource({ ResourceArn: tableArn("t-red"), TagKeys: ["team"] }),
      denied: ({ dynamodb }) => dynamodb.untagResource({ ResourceArn: tableArn("t-red"), TagKeys: ["other"] }),
    },
    "lambda:TagResource": {
      may: "lambda:TagResource",
      when: red,
      allowed: ({ lambda }) =>
        lambda.tagResource({ Resource: "arn:aws:lambda:us-east-1:000000000000:function:f", Tags: { team: "red" } }),
      denied: ({ lambda }) =>
        lambda.tagResource({ Resource: "arn:aws:lambda:us-east-1:000000000000:function:f", Tags: { team: "blue" } }),
    },
    "events:TagResource": {
      may: "events:TagResource",
      when: red,
      allowed: ({ events }) => events.tagResource({ ResourceARN: ruleArn("r-red"), Tags: listOf("red") }),
      denied: ({ events }) => events.tagResource({ ResourceARN: ruleArn("r-red"), Tags: listOf("blue") }),
    },
    "s3:PutBucketTagging": {
      may: "s3:PutBucketTagging",
      when: red,
      allowed: ({ s3 }) => s3.putBucketTagging({ Bucket: "bucket-red", Tagging: { TagSet: listOf("red") } }),
      denied: ({ s3 }) => s3.putBucketTagging({ Bucket: "bucket-red", Tagging: { TagSet: listOf("blue") } }),
    },
  });
});

test("tags of a resource decide over what is done with it", async () => {
  const red = is("aws:ResourceTag/team", "red");
  for (const team of ["red", "blue"]) {
    await root.sqs.createQueue({ QueueName: team, tags: { team } });
    await root.dynamodb.createTable(tableOf(team.padEnd(4, "x"), team));
    await root.events.putRule({ Name: team, ScheduleExpression: "rate(1 day)", Tags: listOf(team) });
    await root.s3.createBucket({ Bucket: `${team}-one`, CreateBucketConfiguration: { Tags: listOf(team) } });
  }
  const sqs =
    (team: string): Call =>
    ({ sqs }) =>
      sqs.sendMessage({ QueueUrl: queueOf(team), MessageBody: "x" });
  const dynamodb =
    (team: string): Call =>
    ({ dynamodb }) =>
      dynamodb.scan({ TableName: team.padEnd(4, "x") });
  const events =
    (team: string): Call =>
    ({ events }) =>
      events.disableRule({ Name: team });
  const s3 =
    (team: string): Call =>
    ({ s3 }) =>
      s3.listObjectsV2({ Bucket: `${team}-one` });
  const object =
    (team: string): Call =>
    ({ s3 }) =>
      s3.putObject({ Bucket: `${team}-one`, Key: "k", Body: "x" });
  await decide({
    sqs: { may: "sqs:*", when: red, allowed: sqs("red"), denied: sqs("blue") },
    dynamodb: { may: "dynamodb:*", when: red, allowed: dynamodb("red"), denied: dynamodb("blue") },
    events: { may: "events:*", when: red, allowed: events("red"), denied: events("blue") },
    s3: { may: "s3:*", when: red, allowed: s3("red"), denied: s3("blue") },
    "s3 objects": { may: "s3:*", when: is("s3:BucketTag/team", "red"), allowed: object("red"), denied: object("blue") },
  });
});

test("S3's keys are what a request says of the objects and buckets that it makes, and of those that are there", async () => {
  const Bucket = "keys";
  await root.s3.createBucket({ Bucket });
  await root.s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: "Enabled" } });
  const { VersionId } = await root.s3.putObject({ Bucket, Key: "there", Body: "x", Tagging: "color=blue" });
  const other = await root.s3.putObject({ Bucket, Key: "there", Body: "x", Tagging: "color=green" });
  const put =
    (more: object): Call =>
    ({ s3 }) =>
      s3.putObject({ Bucket, Key: "k", Body: "x", ...more });
  const copy =
    (more: object): Call =>
    ({ s3 }) =>
      s3.copyObject({ Bucket, Key: "k", CopySource: "keys/there", TaggingDirective: "REPLACE", ...more });
  const get =
    (version: string | undefined): Call =>
    ({ s3 }) =>
      s3.getObject({ Bucket, Key: "there", VersionId: version });
  const list =
    (more: object): Call =>
    ({ s3 }) =>
      s3.listObjectsV2({ Bucket, ...more });
  const create =
    (name: string, more: object): Call =>
    ({ s3 }) =>
      s3.createBucket({ Bucket: name, ...more });
  const may = "s3:PutObject s3:PutObjectTagging s3:PutObjectAcl s3:GetObject s3:GetObjectVersion";
  await decide({
    acl: {
      may,
      when: is("s3:x-amz-acl", "private"),
      allowed: put({ ACL: "private" }),
      denied: put({ ACL: "bucket-owner-full-control" }),
    },
    encryption: {
      may,
      when: is("s3:x-amz-server-side-encryption", "AES256"),
      allowed: put({ ServerSideEncryption: "AES256" }),
      denied: put({}),
    },
    "storage class": {
      may,
      when: is("s3:x-amz-storage-class", "STANDARD_IA"),
      allowed: put({ StorageClass: "STANDARD_IA" }),
      denied: put({ StorageClass: "GLACIER" }),
    },
    "if-none-match": {
      may,
      when: { Null: { "s3:if-none-match": "false" } },
      allowed: put({ Key: "new", IfNoneMatch: "*" }),
      denied: put({}),
    },
    "request tags": {
      may,
      when: is("s3:RequestObjectTag/a", "1"),
      allowed: put({ Tagging: "a=1&b=2" }),
      denied: put({ Tagging: "a=2" }),
    },
    "request tag keys": {
      may,
      when: only("s3:RequestObjectTagKeys", ["a", "b"]),
      allowed: put({ Tagging: "a=1&b=2" }),
      denied: put({ Tagging: "a=1&c=2" }),
    },
    "copy source": {
      may,
      when: { StringLikeIfExists: { "s3:x-amz-copy-source": "keys/there*" } },
      allowed: copy({}),
      denied: copy({ CopySource: "keys/k" }),
    },
    "metadata directive": {
      may,
      when: { StringEqualsIfExists: { "s3:x-amz-metadata-directive": "REPLACE" } },
      allowed: copy({ MetadataDirective: "REPLACE" }),
      denied: copy({ MetadataDirective: "COPY" }),
    },
    "a version": { may, when: is("s3:VersionId", VersionId!), allowed: get(VersionId), denied: get(other.VersionId) },
    "existing tags": {
      may,
      when: is("s3:ExistingObjectTag/color", "blue"),
      allowed: get(VersionId),
      denied: get(undefined),
    },
    prefix: {
      may: "s3:ListBucket",
      when: { StringEquals: { "s3:prefix": ["", "a/"], "s3:delimiter": "/" } },
      allowed: list({ Prefix: "", Delimiter: "/" }),
      denied: list({ Delimiter: "/" }),
    },
    "max keys": {
      may: "s3:ListBucket",
      when: { NumericLessThanEquals: { "s3:max-keys": "10" } },
      allowed: list({ MaxKeys: 10 }),
      denied: list({}),
    },
    location: {
      may: "s3:CreateBucket",
      when: is("s3:LocationConstraint", "us-west-2"),
      allowed: create("made-west", { CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }),
      denied: create("made-here", {}),
    },
    "what a bucket is made with": {
      may: "s3:CreateBucket",
      when: {},
      allowed: create("made-plain", {}),
      denied: create("made-owned", { ObjectOwnership: "BucketOwnerEnforced" }),
    },
    "an ACL of its own": { may: "s3:PutObject", when: {}, allowed: put({}), denied: put({ ACL: "private" }) },
    "tags that are copied": {
      may: "s3:PutObject s3:GetObject",
      when: {},
      allowed: copy({}),
      denied: copy({ TaggingDirective: "COPY" }),
    },
  });
});

test("DynamoDB's keys are what a request touches, and how it was asked", async () => {
  const TableName = "touched";
  await root.dynamodb.createTable(tableOf(TableName));
  const Key = { id: { S: "mine" } };
  const get =
    (more: object): Call =>
    ({ dynamodb }) =>
      dynamodb.getItem({ TableName, Key, ...more });
  const within: Call = ({ dynamodb }) =>
    dynamodb.transactWriteItems({ TransactItems: [{ Put: { TableName, Item: Key } }] });
  const alone: Call = ({ dynamodb }) => dynamodb.putItem({ TableName, Item: Key });
  const may = "dynamodb:*";
  const theirs = { Key: { id: { S: "theirs" } } };
  await decide({
    leading: { may, when: is("dynamodb:LeadingKeys", "mine"), allowed: get({}), denied: get(theirs) },
    first: { may, when: is("dynamodb:FirstPartitionKeyValues", "mine"), allowed: get({}), denied: get(theirs) },
    capacity: {
      may,
      when: is("dynamodb:ReturnConsumedCapacity", "TOTAL"),
      allowed: get({ ReturnConsumedCapacity: "TOTAL" }),
      denied: get({}),
    },
    transaction: {
      may,
      when: is("dynamodb:EnclosingOperation", "TransactWriteItems"),
      allowed: within,
      denied: alone,
    },
  });
});

test("Lambda's and EventBridge's keys are of permissions, roles and targets", async () => {
  const permit =
    (Principal: string): Call =>
    ({ lambda }) =>
      lambda.addPermission({ FunctionName: "f", StatementId: "s", Action: "lambda:InvokeFunction", Principal });
  const target =
    (name: string): Call =>
    ({ events }) =>
      events.putTargets({ Rule: "r", Targets: [{ Id: "1", Arn: `arn:aws:sqs:us-east-1:000000000000:${name}` }] });
  const describe: Call = ({ events }) => events.describeRule({ Name: "r" });
  await decide({
    principal: {
      may: "lambda:*",
      when: is("lambda:Principal", "s3.amazonaws.com"),
      allowed: permit("s3.amazonaws.com"),
      denied: permit("events.amazonaws.com"),
    },
    layers: {
      may: "lambda:*",
      when: { Null: { "lambda:Layer": "true" } },
      allowed: ({ lambda }) => lambda.updateFunctionConfiguration({ FunctionName: "f" }),
      denied: ({ lambda }) =>
        lambda.updateFunctionConfiguration({
          FunctionName: "f",
          Layers: ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"],
        }),
    },
    targets: {
      may: "events:*",
      when: { ArnLike: { "events:TargetArn": "arn:aws:sqs:*:*:good" } },
      allowed: target("good"),
      denied: target("bad"),
    },
    creator: {
      may: "events:*",
      when: is("events:creatorAccount", "000000000000"),
      allowed: describe,
      denied: ({ events }) => events.listRules({}),
    },
  });
});

test("what a service reads on behalf of its caller is read by the caller, through a service", async () => {
  await root.s3.createBucket({ Bucket: "code" });
  await root.s3.putObject({ Bucket: "code", Key: "f.zip", Body: "no zip" });
  const Code = { S3Bucket: "code", S3Key: "f.zip" };
  for (const [via, refused] of [
    ["true", /Could not unzip/],
    ["false", /Your access has been denied by S3/],
  ] as const) {
    const PolicyDocument = policy(
      allow(["lambda:*", "iam:PassRole"]),
      allow("s3:GetObject", { Condition: { Bool: { "aws:ViaAWSService": via } } }),
    );
    await root.iam.putUserPolicy({ UserName: "asking", PolicyName: "p", PolicyDocument });
    await assert.rejects(user.lambda.createFunction({ ...functionOf("f", "red"), Code }), refused);
  }
});
