// Accounts and regions: who they are, and that none sees anything of another.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
} from "@aws-sdk/client-dynamodb";
import { DescribeRuleCommand, EventBridgeClient, ListRulesCommand, PutRuleCommand } from "@aws-sdk/client-eventbridge";
import {
  CreateRoleCommand,
  GetRoleCommand,
  GetUserCommand,
  IAMClient,
  ListRolesCommand,
  ListUsersCommand,
} from "@aws-sdk/client-iam";
import { CreateFunctionCommand, GetFunctionCommand, LambdaClient, ListFunctionsCommand } from "@aws-sdk/client-lambda";
import { CreateOrganizationCommand, OrganizationsClient } from "@aws-sdk/client-organizations";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { start } from "../src/aws.ts";
import { readOptions } from "../src/cli/up-options.ts";
import { type Account, openTo } from "../src/config.ts";
import { type ClientConfig, type Key, startCloud, type TestCloud } from "./cloud.ts";
import { bash } from "./lambda.ts";
import { allow, LAMBDA, policy, refusal, userWith } from "./principals.ts";

const DEV: Account = {
  id: "111111111111",
  name: "dev",
  email: "dev@corp.example",
  canonicalId: "d".repeat(64),
  accessKeyId: "devroot",
  secretAccessKey: "dev-secret",
};

describe("--accounts FILE", () => {
  const read = async (json: unknown): Promise<readonly Account[]> => {
    const dir = await mkdtemp(join(tmpdir(), "aws-like-accounts-"));
    try {
      const file = join(dir, "accounts.json");
      await writeFile(file, typeof json === "string" ? json : JSON.stringify(json));
      return readOptions(["--dir", dir, "--accounts", file], {}).config.accounts;
    } finally {
      await rm(dir, { recursive: true });
    }
  };

  test("names accounts; only id and root key must be said", async () => {
    assert.deepEqual(await read([DEV]), [DEV]);
    const bare = { id: "222222222222", accessKeyId: "222222222222", secretAccessKey: "s" };
    assert.deepEqual(await read([DEV, bare]), [DEV, bare]);
    assert.deepEqual(await read([]), []);
  });

  const other = { id: "222222222222", accessKeyId: "other", secretAccessKey: "s" };
  const refused: readonly (readonly [json: unknown, sentence: RegExp])[] = [
    ["{", /--accounts \S+accounts\.json: .*JSON/],
    [{ id: "1" }, /a JSON list of accounts is needed/],
    [["111111111111"], /account 1 is no JSON object/],
    [[{ ...DEV, id: "11111111111" }], /account 1: id is 12 digits, not "11111111111"/],
    [[{ ...DEV, id: 111111111111 }], /account 1: id is 12 digits, not 111111111111/],
    [
      [DEV, { ...other, canonicalId: "D".repeat(64) }],
      /account 2: canonicalId is 64 lower-case hexadecimal digits, not "DD/,
    ],
    [
      [{ ...DEV, canonicalId: other.id.padStart(64, "0") }],
      /account 1: canonicalId 0+2+ is that of account 222222222222/,
    ],
    [[{ ...DEV, email: "dev" }], /account 1: email is an e-mail address of 6 to 64 characters, not "dev"/],
    [[{ ...DEV, name: "" }], /account 1: name is 1 to 50 printable ASCII characters, not ""/],
    [[{ ...DEV, secretAccessKey: "" }], /account 1: secretAccessKey is 1 to 128 characters without spaces$/],
    [[{ id: DEV.id, accessKeyId: "x" }], /account 1: secretAccessKey is missing: 1 to 128 characters without spaces/],
    [[{ ...DEV, displayName: "dev" }], /account 1: there is no field displayName; there are id, name, email/],
    [[DEV, { ...other, id: DEV.id }], /account 2: id 111111111111 is that of account 1, too/],
    [[DEV, { ...other, accessKeyId: "devroot" }], /account 2: accessKeyId devroot is that of account 1, too/],
    [[DEV, { ...other, email: DEV.email }], /account 2: email dev@corp\.example is that of account 1, too/],
    [[DEV, { ...other, canonicalId: DEV.canonicalId }], /account 2: canonicalId d+ is that of account 1, too/],
    [[{ ...DEV, accessKeyId: "test" }], /account 1: accessKeyId test is the root key of the cloud's own account/],
    [
      [{ ...DEV, accessKeyId: other.id }],
      /accessKeyId 222222222222 is the root key of account 222222222222, not of 111111111111/,
    ],
    [
      [{ ...DEV, accessKeyId: "AKIAIOSFODNN7EXAMPLE" }],
      /accessKeyId AKIAIOSFODNN7EXAMPLE has the form of IAM's own keys/,
    ],
  ];
  for (const [json, sentence] of refused)
    test(`refused: ${sentence.source}`, async () => {
      await assert.rejects(read(json), (error: Error) => {
        assert.match(error.message, sentence);
        assert.ok(!error.message.includes(DEV.secretAccessKey), "a secret is not printed");
        return true;
      });
    });

  test("a library that starts with bad accounts is told, too", async () => {
    await assert.rejects(
      start({ ephemeral: true, accounts: [DEV, DEV] }),
      /account 2: id 111111111111 is that of account 1, too/,
    );
  });
});

describe("beyond loopback, what everybody knows opens nothing", () => {
  const own = { host: "0.0.0.0", rootSecretAccessKey: "mine", relaxed: false, accounts: [DEV] };
  const known = { ...DEV, secretAccessKey: "test" };
  const cases: readonly (readonly [what: string, of: Parameters<typeof openTo>[0], sentence: RegExp | undefined])[] = [
    ["secrets of one's own", own, undefined],
    [
      "the root secret, and with it that of every key of 12 digits",
      { ...own, rootSecretAccessKey: "test" },
      /set AWS_LIKE_ROOT_SECRET/,
    ],
    ["an account's secret", { ...own, accounts: [known] }, /account 111111111111 has the secret that everybody knows/],
    ["no secret at all", { ...own, relaxed: true }, /for loopback only/],
    ["IPv6, too", { ...own, host: "::", accounts: [known] }, /^:: is open to others/],
  ];
  for (const [what, of, sentence] of cases)
    test(what, () => {
      if (sentence) assert.match(openTo(of) ?? "", sentence);
      else assert.equal(openTo(of), undefined);
      for (const host of ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
        assert.equal(openTo({ ...of, host }), undefined);
    });

  test("the start is refused; with secrets of one's own it is theirs that open", async () => {
    await assert.rejects(start({ ephemeral: true, ...own, accounts: [known] }), /account 111111111111 has the secret/);
    await using cloud = await startCloud({ ...own, host: "0.0.0.0" });
    const who = (key: Key) => {
      const sts = cloud.client(STSClient, key);
      return sts.send(new GetCallerIdentityCommand({}));
    };
    for (const accessKeyId of ["test", "333333333333", "devroot"])
      assert.match(await refusal(who({ accessKeyId, secretAccessKey: "test" })), /^SignatureDoesNotMatch 403 /);
    assert.equal((await who({ accessKeyId: "333333333333", secretAccessKey: "mine" })).Account, "333333333333");
    assert.equal((await who({ accessKeyId: "devroot", secretAccessKey: "dev-secret" })).Account, DEV.id);
  });
});

test("an account of the file has its root key, its name in organizations, and its canonical id in S3", async () => {
  await using cloud = await startCloud({ accounts: [DEV] });
  const key = { accessKeyId: "devroot", secretAccessKey: "dev-secret" };
  const { Arn } = await cloud.client(STSClient, key).send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, "arn:aws:iam::111111111111:root");
  const s3 = cloud.client(S3Client, key);
  await s3.send(new CreateBucketCommand({ Bucket: "devs" }));
  const { Owner } = await s3.send(new ListBucketsCommand({}));
  assert.deepEqual(Owner, { ID: DEV.canonicalId, DisplayName: "dev" });
  const byName = (CanonicalUser: string) => {
    const Policy = policy({
      Effect: "Allow",
      Principal: { CanonicalUser },
      Action: "s3:PutObject",
      Resource: "arn:aws:s3:::devs/*",
    });
    return s3.send(new PutBucketPolicyCommand({ Bucket: "devs", Policy }));
  };
  const put = () => cloud.client(S3Client).send(new PutObjectCommand({ Bucket: "devs", Key: "k", Body: "x" }));
  await byName("e".repeat(64));
  assert.match(await refusal(put()), /^AccessDenied 403 /);
  await byName("0".repeat(64));
  await put();
  const organizations = cloud.client(OrganizationsClient, key);
  const { Organization } = await organizations.send(new CreateOrganizationCommand());
  assert.equal(Organization!.MasterAccountEmail, "dev@corp.example");
  // The key of 12 digits is the same account's, and has its secret: that which everybody knows is not enough.
  const digits = (secretAccessKey: string) =>
    cloud.client(STSClient, { accessKeyId: DEV.id, secretAccessKey }).send(new GetCallerIdentityCommand({}));
  assert.equal((await digits(DEV.secretAccessKey)).Account, DEV.id);
  assert.match(await refusal(digits("test")), /^SignatureDoesNotMatch 403 /);
});

describe("accounts and regions isolate everything", () => {
  const B: Key = { accessKeyId: "333333333333", secretAccessKey: "test" };
  const NAME = "things";

  /** One of each in account 000000000000, region us-east-1. */
  async function fill(cloud: TestCloud): Promise<{ queueUrl: string }> {
    const iam = cloud.client(IAMClient);
    await iam.send(new CreateRoleCommand({ RoleName: NAME, AssumeRolePolicyDocument: LAMBDA }));
    await userWith(cloud, NAME);
    await cloud.client(DynamoDBClient).send(
      new CreateTableCommand({
        TableName: NAME,
        BillingMode: "PAY_PER_REQUEST",
        KeySchema: [{ AttributeName: "k", KeyType: "HASH" }],
        AttributeDefinitions: [{ AttributeName: "k", AttributeType: "S" }],
      }),
    );
    const { QueueUrl } = await cloud.client(SQSClient).send(new CreateQueueCommand({ QueueName: NAME }));
    const s3 = cloud.client(S3Client);
    await s3.send(new CreateBucketCommand({ Bucket: NAME }));
    await s3.send(new PutObjectCommand({ Bucket: NAME, Key: "k", Body: "x" }));
    await cloud.client(EventBridgeClient).send(new PutRuleCommand({ Name: NAME, ScheduleExpression: "rate(1 day)" }));
    await cloud.client(LambdaClient).send(
      new CreateFunctionCommand({
        FunctionName: NAME,
        Runtime: "provided.al2023",
        Handler: "lambda.handler",
        Role: `arn:aws:iam::000000000000:role/${NAME}`,
        Code: { ZipFile: bash(":") },
      }),
    );
    return { queueUrl: QueueUrl! };
  }

  type Client = <C extends { config: { region: () => Promise<string> } }>(type: new (config: ClientConfig) => C) => C;

  /** How many there are, in what a list says. */
  const lists: readonly (readonly [
    what: string,
    count: (client: Client) => Promise<number | undefined>,
    of?: "account",
  ])[] = [
    ["tables", async (client) => (await client(DynamoDBClient).send(new ListTablesCommand({}))).TableNames!.length],
    ["queues", async (client) => (await client(SQSClient).send(new ListQueuesCommand({}))).QueueUrls?.length ?? 0],
    ["rules", async (client) => (await client(EventBridgeClient).send(new ListRulesCommand({}))).Rules!.length],
    ["functions", async (client) => (await client(LambdaClient).send(new ListFunctionsCommand({}))).Functions!.length],
    ["roles", async (client) => (await client(IAMClient).send(new ListRolesCommand({}))).Roles!.length, "account"],
    ["users", async (client) => (await client(IAMClient).send(new ListUsersCommand({}))).Users!.length, "account"],
    ["buckets", async (client) => (await client(S3Client).send(new ListBucketsCommand({}))).Buckets!.length, "account"],
  ];

  /** What is asked by its name is not there. */
  const gets: readonly (readonly [what: string, get: (client: Client) => Promise<unknown>, sentence: RegExp])[] = [
    [
      "a table",
      (client) => client(DynamoDBClient).send(new DescribeTableCommand({ TableName: NAME })),
      /^ResourceNotFoundException /,
    ],
    [
      "a queue",
      (client) => client(SQSClient).send(new GetQueueUrlCommand({ QueueName: NAME })),
      /NonExistentQueue|QueueDoesNotExist/,
    ],
    [
      "a rule",
      (client) => client(EventBridgeClient).send(new DescribeRuleCommand({ Name: NAME })),
      /^ResourceNotFoundException /,
    ],
    [
      "a function",
      (client) => client(LambdaClient).send(new GetFunctionCommand({ FunctionName: NAME })),
      /^ResourceNotFoundException /,
    ],
  ];

  const inRegion =
    (cloud: TestCloud, region: string, as?: Key): Client =>
    (type) => {
      const client = cloud.client(type, as);
      client.config.region = async () => region;
      return client;
    };

  test("another account and another region see nothing of them, and may make their own of the same name", async () => {
    await using cloud = await startCloud();
    const { queueUrl } = await fill(cloud);
    const here = inRegion(cloud, "us-east-1");
    const elsewhere = inRegion(cloud, "eu-west-1");
    const theirs = inRegion(cloud, "us-east-1", B);
    for (const [what, count, of] of lists) {
      assert.equal(await count(here), 1, what);
      assert.equal(await count(theirs), 0, `${what} of another account`);
      assert.equal(await count(elsewhere), of === "account" ? 1 : 0, `${what} of another region`);
    }
    for (const [what, get, sentence] of gets) {
      await get(here);
      assert.match(await refusal(get(theirs)), sentence, `${what} of another account`);
      assert.match(await refusal(get(elsewhere)), sentence, `${what} of another region`);
    }
    const roles = theirs(IAMClient);
    assert.match(await refusal(roles.send(new GetRoleCommand({ RoleName: NAME }))), /^NoSuchEntity/);
    assert.match(await refusal(roles.send(new GetUserCommand({ UserName: NAME }))), /^NoSuchEntity/);
    const s3 = theirs(S3Client);
    assert.match(await refusal(s3.send(new GetObjectCommand({ Bucket: NAME, Key: "k" }))), /^AccessDenied 403 /);
    assert.match(await refusal(s3.send(new HeadBucketCommand({ Bucket: NAME }))), / 403 /);
    // Bucket names are the world's.
    assert.match(await refusal(s3.send(new CreateBucketCommand({ Bucket: NAME }))), /^BucketAlreadyExists 409 /);
    // What names the other account is its own to allow.
    const arn = (resource: string) => `arn:aws:${resource}`;
    assert.match(
      await refusal(
        theirs(DynamoDBClient).send(
          new GetItemCommand({
            TableName: arn(`dynamodb:us-east-1:000000000000:table/${NAME}`),
            Key: { k: { S: "k" } },
          }),
        ),
      ),
      /^AccessDeniedException 400 /,
    );
    assert.match(
      await refusal(
        theirs(LambdaClient).send(
          new GetFunctionCommand({ FunctionName: arn(`lambda:us-east-1:000000000000:function:${NAME}`) }),
        ),
      ),
      /^AccessDeniedException 403 /,
    );
    assert.match(
      await refusal(theirs(SQSClient).send(new ReceiveMessageCommand({ QueueUrl: queueUrl }))),
      /AccessDenied/,
    );
    assert.match(
      await refusal(
        theirs(STSClient).send(
          new AssumeRoleCommand({ RoleArn: arn(`iam::000000000000:role/${NAME}`), RoleSessionName: "in" }),
        ),
      ),
      /^AccessDenied 403 /,
    );
    for (const client of [theirs, elsewhere]) {
      const { QueueUrl } = await client(SQSClient).send(new CreateQueueCommand({ QueueName: NAME }));
      assert.match(QueueUrl!, client === theirs ? /333333333333\/things$/ : /000000000000\/things$/);
      await client(EventBridgeClient).send(new PutRuleCommand({ Name: NAME, ScheduleExpression: "rate(2 days)" }));
    }
    const { ScheduleExpression } = await here(EventBridgeClient).send(new DescribeRuleCommand({ Name: NAME }));
    assert.equal(ScheduleExpression, "rate(1 day)");
  });

  test("a user's key works in its account alone", async () => {
    await using cloud = await startCloud();
    const user = await userWith(cloud, "u", { may: policy(allow("*")), by: B });
    const { Account } = await cloud.client(STSClient, user).send(new GetCallerIdentityCommand({}));
    assert.equal(Account, "333333333333");
    assert.equal((await cloud.client(IAMClient).send(new ListUsersCommand({}))).Users!.length, 0);
  });
});
