// The decision as callers meet it: who may do what with whose bucket, table and function.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import {
  AttachUserPolicyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import { CreateFunctionCommand, GetFunctionCommand, InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { type Key, startCloud, type TestCloud } from "../../test/cloud.ts";
import { allow, LAMBDA, policy, refusal, trust, userWith } from "../../test/principals.ts";

const THEIRS: Key = { accessKeyId: "111111111111", secretAccessKey: "test" };
const OBJECT = { Bucket: "photos", Key: "cats/one.jpg" };
const OBJECT_ARN = "arn:aws:s3:::photos/cats/one.jpg";

async function withBucket(cloud: TestCloud, ...statements: object[]): Promise<void> {
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "photos" }));
  await s3.send(new PutObjectCommand({ ...OBJECT, Body: "meow" }));
  if (statements.length > 0) await putPolicy(cloud, ...statements);
}
const putPolicy = (cloud: TestCloud, ...statements: object[]) =>
  cloud.client(S3Client).send(new PutBucketPolicyCommand({ Bucket: "photos", Policy: policy(...statements) }));
const onBucket = (Action: string, more: object) =>
  allow(Action, { Resource: ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"], ...more });
const get = (cloud: TestCloud, as?: Key) => cloud.client(S3Client, as).send(new GetObjectCommand(OBJECT));

test("a bucket is its account's, and another's root is nobody there until the bucket's policy says otherwise", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  await get(cloud);
  assert.equal(
    await refusal(get(cloud, THEIRS)),
    `AccessDenied 403 User: arn:aws:iam::111111111111:root is not authorized to perform: s3:GetObject on resource: "${OBJECT_ARN}" because no resource-based policy allows the s3:GetObject action`,
  );
  await putPolicy(cloud, onBucket("s3:GetObject", { Principal: { AWS: "111111111111" } }));
  await get(cloud, THEIRS);
  const { Buckets } = await cloud.client(S3Client, THEIRS).send(new ListBucketsCommand({}));
  assert.deepEqual(Buckets, []);
});

test("across accounts the bucket's policy and the user's must both allow", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud, onBucket("s3:GetObject", { Principal: { AWS: "111111111111" } }));
  const bob = await userWith(cloud, "bob", { by: THEIRS });
  assert.match(await refusal(get(cloud, bob)), /because no identity-based policy allows the s3:GetObject action$/);
  const put = new PutUserPolicyCommand({ UserName: "bob", PolicyName: "p", PolicyDocument: policy(allow("s3:*")) });
  await cloud.client(IAMClient, THEIRS).send(put);
  await get(cloud, bob);
});

test("anyone may read what a policy makes public, and is told nothing else", async () => {
  await using cloud = await startCloud({ bucketDefaults: "classic" });
  await withBucket(cloud);
  const url = `${cloud.endpoint}/photos/cats/one.jpg`;
  const before = await fetch(url);
  assert.equal(before.status, 403);
  assert.match(await before.text(), /<Code>AccessDenied<\/Code><Message>Access Denied<\/Message>/);
  await putPolicy(cloud, onBucket("s3:GetObject", { Principal: "*" }));
  assert.equal(await (await fetch(url)).text(), "meow");
  assert.equal((await fetch(url, { method: "PUT", body: "x" })).status, 403);
});

test("what is open to everyone must still be asked for with a signature, but for buckets and queues", async () => {
  await using cloud = await startCloud();
  const trusting = trust({ AWS: "*" });
  await cloud.client(IAMClient).send(new CreateRoleCommand({ RoleName: "open", AssumeRolePolicyDocument: trusting }));
  const Attributes = { Policy: policy(allow("sqs:SendMessage", { Principal: "*" })) };
  await cloud.client(SQSClient).send(new CreateQueueCommand({ QueueName: "open", Attributes }));
  const post = async (path: string, body: string) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await fetch(`${cloud.endpoint}${path}`, { method: "POST", headers, body });
    return `${answer.status} ${await answer.text()}`;
  };
  const role = "RoleArn=arn:aws:iam::000000000000:role/open&RoleSessionName=one";
  assert.match(
    await post("/", `Action=AssumeRole&Version=2011-06-15&${role}`),
    /^403 .*<Code>MissingAuthenticationToken</s,
  );
  assert.match(await post("/000000000000/open", "Action=SendMessage&Version=2012-11-05&MessageBody=hello"), /^200 /);
});

test("a Deny in the bucket's policy binds root too, but the policy itself can always be changed", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud, onBucket("s3:*", { Principal: "*", Effect: "Deny" }));
  assert.equal(
    await refusal(get(cloud)),
    `AccessDenied 403 User: arn:aws:iam::000000000000:root is not authorized to perform: s3:GetObject on resource: "${OBJECT_ARN}" with an explicit deny in a resource-based policy`,
  );
  await cloud.client(S3Client).send(new DeleteBucketPolicyCommand({ Bucket: "photos" }));
  await get(cloud);
});

test("a user of the account may do what the bucket's policy says alone", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud, onBucket("s3:GetObject", { Principal: { AWS: "arn:aws:iam::000000000000:user/alice" } }));
  const alice = await userWith(cloud, "alice");
  await get(cloud, alice);
  await assert.rejects(get(cloud, await userWith(cloud, "bob")));
  // The name of the account lets its own policies decide.
  await putPolicy(cloud, onBucket("s3:GetObject", { Principal: { AWS: "000000000000" } }));
  await assert.rejects(get(cloud, alice));
});

test("conditions see the caller, the request and the service's own keys", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const alice = await userWith(cloud, "alice");
  const when = async (Action: string, Condition: object) =>
    await cloud.client(IAMClient).send(
      new PutUserPolicyCommand({
        UserName: "alice",
        PolicyName: "p",
        PolicyDocument: policy(allow(Action, { Condition })),
      }),
    );
  const holding: object[] = [
    { IpAddress: { "aws:SourceIp": "127.0.0.0/8" } },
    { Bool: { "aws:SecureTransport": "true" } },
    { StringEquals: { "aws:username": "alice", "aws:PrincipalType": "User", "aws:PrincipalAccount": "000000000000" } },
    { ArnLike: { "aws:PrincipalArn": "arn:aws:iam::*:user/al*" } },
    { StringEquals: { "aws:RequestedRegion": "us-east-1", "aws:ResourceAccount": "000000000000" } },
    { StringLike: { "aws:UserAgent": "aws-sdk-js/*" } },
    { DateGreaterThan: { "aws:CurrentTime": "2020-01-01T00:00:00Z" } },
    { NumericGreaterThan: { "aws:EpochTime": "1500000000" } },
    { Bool: { "aws:ViaAWSService": "false", "aws:PrincipalIsAWSService": "false" } },
    { StringLike: { "aws:userid": "AIDA*" } },
  ];
  for (const condition of holding) {
    await when("s3:GetObject", condition);
    await get(cloud, alice);
  }
  await when("s3:GetObject", { DateGreaterThan: { "aws:CurrentTime": "2100-01-01T00:00:00Z" } });
  await assert.rejects(get(cloud, alice));
  await cloud.advance(75 * 366 * 24 * 3600_000);
  await get(cloud, alice);
  await when("s3:ListBucket", { StringLike: { "s3:prefix": "cats/*" } });
  const list = (Prefix: string) =>
    cloud.client(S3Client, alice).send(new ListObjectsV2Command({ Bucket: "photos", Prefix }));
  await list("cats/");
  await assert.rejects(list("dogs/"));
});

test("DeleteObjects deletes from where its caller is: conditions on the address hold for each object", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const on = (network: string) => ({ Condition: { IpAddress: { "aws:SourceIp": network } } });
  const near = await userWith(cloud, "near", { may: policy(allow("s3:*", on("127.0.0.0/8"))) });
  const barred = await userWith(cloud, "barred", {
    may: policy(allow("s3:*"), allow("s3:DeleteObject", { Effect: "Deny", ...on("127.0.0.0/8") })),
  });
  const remove = async (as: Key) => {
    const asked = new DeleteObjectsCommand({ Bucket: "photos", Delete: { Objects: [{ Key: OBJECT.Key }] } });
    const { Errors = [] } = await cloud.client(S3Client, as).send(asked);
    return Errors.map(({ Code }) => Code);
  };
  assert.deepEqual(await remove(barred), ["AccessDenied"]);
  assert.deepEqual(await remove(near), []);
});

test("whoever may not tag objects does not make tagged ones, in no way", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const may = policy(allow("s3:*"), allow("s3:PutObjectTagging", { Effect: "Deny" }));
  const s3 = cloud.client(S3Client, await userWith(cloud, "tagless", { may }));
  const tagged = { Bucket: "photos", Key: "tagged", Tagging: "a=b" };
  const copied = { ...tagged, CopySource: `photos/${OBJECT.Key}`, TaggingDirective: "REPLACE" } as const;
  for (const send of [
    () => s3.send(new PutObjectCommand({ ...tagged, Body: "x" })),
    () => s3.send(new CopyObjectCommand(copied)),
    () => s3.send(new CreateMultipartUploadCommand(tagged)),
  ])
    assert.match(await refusal(send()), /^AccessDenied 403 .* s3:PutObjectTagging /);
});

test("whoever may not tag makes no tagged role, user, policy or function", async () => {
  await using cloud = await startCloud();
  const tagging = ["iam:TagRole", "iam:TagUser", "iam:TagPolicy", "lambda:TagResource"];
  const as = await userWith(cloud, "tagless", { may: policy(allow("*"), allow(tagging, { Effect: "Deny" })) });
  const iam = cloud.client(IAMClient, as);
  const Tags = [{ Key: "a", Value: "b" }];
  const PolicyDocument = policy(allow("s3:*"));
  const created = {
    FunctionName: "f",
    Role: "arn:aws:iam::000000000000:role/r",
    Runtime: "provided.al2023",
    Handler: "h",
    Code: { ZipFile: new Uint8Array(1) },
    Tags: { a: "b" },
  } as const;
  const sent = [
    () => iam.send(new CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument: LAMBDA, Tags })),
    () => iam.send(new CreateUserCommand({ UserName: "u", Tags })),
    () => iam.send(new CreatePolicyCommand({ PolicyName: "p", PolicyDocument, Tags })),
    () => cloud.client(LambdaClient, as).send(new CreateFunctionCommand(created)),
  ];
  for (const [at, send] of sent.entries()) assert.match(await refusal(send()), RegExp(`403 .* ${tagging[at]} `));
});

test("each family of protocols says it in its own code", async () => {
  await using cloud = await startCloud();
  const key = { TableName: "tab", Key: { id: { S: "1" } } };
  await cloud.client(DynamoDBClient).send(
    new CreateTableCommand({
      TableName: "tab",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    }),
  );
  const alice = await userWith(cloud, "alice");
  const who = (action: string, resource: string) =>
    `User: arn:aws:iam::000000000000:user/alice is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`;
  const table = "arn:aws:dynamodb:us-east-1:000000000000:table/tab";
  assert.equal(
    await refusal(cloud.client(DynamoDBClient, alice).send(new GetItemCommand(key))),
    `AccessDeniedException 400 ${who("dynamodb:GetItem", table)}`,
  );
  const lambda = "arn:aws:lambda:us-east-1:000000000000:function:f";
  assert.equal(
    await refusal(cloud.client(LambdaClient, alice).send(new GetFunctionCommand({ FunctionName: "f" }))),
    `AccessDeniedException 403 ${who("lambda:GetFunction", lambda)}`,
  );
  await assert.rejects(cloud.client(LambdaClient, alice).send(new InvokeCommand({ FunctionName: "f" })));
  // A HEAD's answer has no body: the code is all there is.
  await assert.rejects(cloud.client(S3Client, alice).send(new HeadObjectCommand(OBJECT)));

  const PolicyArn = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess";
  await cloud.client(IAMClient).send(new AttachUserPolicyCommand({ UserName: "alice", PolicyArn }));
  await cloud.client(DynamoDBClient, alice).send(new GetItemCommand(key));
  const put = new PutItemCommand({ TableName: "tab", Item: { id: { S: "1" } } });
  assert.equal(
    await refusal(cloud.client(DynamoDBClient, alice).send(put)),
    `AccessDeniedException 400 ${who("dynamodb:PutItem", table)}`,
  );
});

test("a name that another account's bucket has is taken, not denied", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const made = refusal(cloud.client(S3Client, THEIRS).send(new CreateBucketCommand({ Bucket: "photos" })));
  assert.match(await made, /^BucketAlreadyExists 409/);
});

test("a bucket that is not there is not there for anyone, whatever they may", async () => {
  await using cloud = await startCloud();
  const nobody = await userWith(cloud, "nobody");
  for (const as of [undefined, THEIRS, nobody]) {
    const read = cloud.client(S3Client, as).send(new GetObjectCommand({ Bucket: "missing", Key: "k" }));
    assert.equal(await refusal(read), "NoSuchBucket 404 The specified bucket does not exist");
  }
  assert.match(await (await fetch(`${cloud.endpoint}/missing/k`)).text(), /<Code>NoSuchBucket</);
});

test("--relaxed asks nobody", async () => {
  await using cloud = await startCloud({ relaxed: true });
  await withBucket(cloud, onBucket("s3:*", { Principal: "*", Effect: "Deny" }));
  await get(cloud, { accessKeyId: "any", secretAccessKey: "thing" });
});
