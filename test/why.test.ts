// `aws-like why` and `aws-like policy suggest`, as a person uses them: a call, its explanation, the suggestion, and the call again.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from "@aws-sdk/client-dynamodb";
import {
  AddUserToGroupCommand,
  AttachUserPolicyCommand,
  CreateGroupCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  IAMClient,
  PutGroupPolicyCommand,
  PutRolePolicyCommand,
  PutUserPermissionsBoundaryCommand,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import {
  AttachPolicyCommand,
  CreatePolicyCommand as CreateScpCommand,
  DetachPolicyCommand,
  OrganizationsClient,
  UpdatePolicyCommand,
} from "@aws-sdk/client-organizations";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CreateQueueCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import type { Explanation } from "../src/why/explain.ts";
import { run } from "./bin.ts";
import { type Key, startCloud, type TestCloud } from "./cloud.ts";
import { ACCOUNT, arnOf, startCloudWithRole } from "./lambda.ts";
import { accountOf, organized } from "./organizations.ts";
import { allow, policy, trust, userWith } from "./principals.ts";

const OBJECT = { Bucket: "photos", Key: "cats/one.jpg" };
const ARN = "arn:aws:s3:::photos/cats/one.jpg";
const THEIRS: Key = { accessKeyId: "111111111111", secretAccessKey: "test" };

async function withBucket(cloud: TestCloud): Promise<void> {
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "photos" }));
  await s3.send(new PutObjectCommand({ ...OBJECT, Body: "meow" }));
}
const get = (cloud: TestCloud, as?: Key) => cloud.client(S3Client, as).send(new GetObjectCommand(OBJECT));

/** The explanation of one call, allowed or not, by its request id. */
async function explanation(
  cloud: TestCloud,
  sent: Promise<{ $metadata: { requestId?: string } }>,
): Promise<Explanation> {
  const { $metadata } = await sent.catch((error) => error as { $metadata: { requestId?: string } });
  const { explanations } = await cloud.aws.why({ names: [$metadata.requestId!] });
  assert.equal(explanations.length, 1);
  return explanations[0]!;
}

/** The text at `logs/policies/NAME.json:LINE`. */
function lineAt(cloud: TestCloud, where: string): string {
  const [path, line] = where.split(":");
  return readFileSync(join(cloud.aws.config.dir, path!), "utf8").split("\n")[Number(line) - 1]!;
}

test("a denied call: who asked, each statement that names the action with its line, and the smallest policy, which allows it", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const put = `{ "Version": "2012-10-17",
  "Statement": [
    { "Sid": "Dogs", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::photos/dogs/*" },
    { "Sid": "Lists", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*" },
    { "Sid": "Inside", "Effect": "Allow", "Action": "s3:*", "Resource": "*",
      "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } } ] }`;
  const alice = await userWith(cloud, "alice", { may: put });
  const denied = await explanation(cloud, get(cloud, alice));
  assert.equal(denied.call, "s3 GetObject");
  assert.equal(denied.outcome, "AccessDenied 403");
  assert.equal(denied.who, "user alice of account 000000000000");
  assert.deepEqual([denied.principal, denied.key], ["arn:aws:iam::000000000000:user/alice", alice.accessKeyId]);
  const [decision] = denied.decisions;
  assert.deepEqual([decision!.action, decision!.resource, decision!.allowed], ["s3:GetObject", ARN, false]);
  assert.equal(decision!.because, "no identity-based policy allows it");
  assert.deepEqual(
    decision!.statements.map(({ statement, missed, wanted, actual }) => [statement, missed, wanted, actual]),
    [
      ["Dogs", "resource", ["arn:aws:s3:::photos/dogs/*"], [ARN]],
      ["Inside", "IpAddress aws:SourceIp", ["10.0.0.0/8"], ["127.0.0.1"]],
    ],
  );
  assert.match(lineAt(cloud, decision!.statements[0]!.where!), /^ +\{ "Sid": "Dogs"/);
  assert.match(lineAt(cloud, decision!.statements[1]!.where!), /^ +\{ "Sid": "Inside"/);

  const [remedy, ...more] = decision!.remedies;
  assert.deepEqual(more, []);
  assert.match(
    remedy!.commands[0]!,
    /^aws iam put-user-policy --user-name alice --policy-name allow-s3-GetObject-\w+ /,
  );
  const PolicyDocument = JSON.stringify(remedy!.policy);
  const iam = cloud.client(IAMClient);
  await iam.send(new PutUserPolicyCommand({ UserName: "alice", PolicyName: "suggested", PolicyDocument }));
  const allowed = await explanation(cloud, get(cloud, alice));
  assert.equal(allowed.outcome, "ok");
  assert.equal(allowed.decisions[0]!.because, "identity-based policy suggested, statement 1, allows it");
  assert.deepEqual(allowed.decisions[0]!.remedies, []);
  const [decisive, ...others] = allowed.decisions[0]!.statements;
  assert.deepEqual([decisive!.decides, others], [true, []]);
  assert.match(lineAt(cloud, decisive!.where!), /^ +\{$/, "what was put in one line is laid out");

  // The policy as it was asked, whatever has become of it.
  await iam.send(
    new PutUserPolicyCommand({ UserName: "alice", PolicyName: "p", PolicyDocument: policy(allow("s3:Nothing")) }),
  );
  const { explanations } = await cloud.aws.why({ names: [denied.id] });
  assert.deepEqual(explanations, [denied]);
});

test("an explicit deny, a boundary, a session policy, another account and root are each explained as what they are", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const iam = cloud.client(IAMClient);
  const deny = { Effect: "Deny", Action: "s3:GetObject", Resource: ARN, Sid: "Never" };
  const bob = await userWith(cloud, "bob", { may: policy(allow("s3:*"), deny) });
  const [byDeny] = (await explanation(cloud, get(cloud, bob))).decisions;
  assert.equal(byDeny!.because, "identity-based policy p, statement Never, denies it");
  assert.match(byDeny!.remedies[0]!.say, /^statement Never of identity-based policy p says Deny/);
  assert.equal(byDeny!.remedies[0]!.policy, undefined);

  const root = `arn:aws:iam::000000000000:root`;
  await iam.send(new CreateRoleCommand({ RoleName: "reader", AssumeRolePolicyDocument: trust({ AWS: root }) }));
  const PolicyDocument = policy(allow("s3:GetObject"));
  await iam.send(new PutRolePolicyCommand({ RoleName: "reader", PolicyName: "read", PolicyDocument }));
  const carol = await userWith(cloud, "carol", { may: policy(allow("sts:AssumeRole")) });
  const { Credentials } = await cloud.client(STSClient, carol).send(
    new AssumeRoleCommand({
      RoleArn: "arn:aws:iam::000000000000:role/reader",
      RoleSessionName: "one",
      Policy: policy(allow("s3:ListBucket")),
    }),
  );
  const session = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  const limited = await explanation(cloud, get(cloud, session));
  assert.equal(limited.who, "session one of role reader of account 000000000000");
  assert.equal(limited.decisions[0]!.because, "no session policy allows it");
  assert.deepEqual(
    limited.decisions[0]!.statements.map(({ kind, applies }) => [kind, applies]),
    [["identity-based policy", true]],
  );
  assert.match(limited.decisions[0]!.remedies[0]!.say, /take a new session/);
  await cloud.advance(3_600_000);
  const expired = await explanation(cloud, get(cloud, session));
  assert.match(expired.notes[0]!, /^the session of key ASIA\w+ has ended, by the clock of aws-like/);

  const dave = await userWith(cloud, "dave", { by: THEIRS });
  const [across] = (await explanation(cloud, get(cloud, dave))).decisions;
  const [first, second, ...none] = across!.remedies;
  assert.deepEqual(none, [], "both sides must allow");
  const byBucket = [first!, second!].find(({ say }) => say.includes("who is of another account"))!;
  const byUser = [first!, second!].find((one) => one !== byBucket)!;
  assert.equal(byBucket.commands[0], "aws s3api put-bucket-policy --bucket photos --policy file://policy.json");
  await cloud
    .client(S3Client)
    .send(new PutBucketPolicyCommand({ Bucket: "photos", Policy: JSON.stringify(byBucket.policy) }));
  const put = { UserName: "dave", PolicyName: "p", PolicyDocument: JSON.stringify(byUser.policy) };
  await cloud.client(IAMClient, THEIRS).send(new PutUserPolicyCommand(put));
  await get(cloud, dave);

  const byRoot = await explanation(cloud, get(cloud));
  assert.equal(byRoot.who, "root of account 000000000000");
  assert.match(byRoot.decisions[0]!.because, /^root of the account needs no policy/);
  const asked = await explanation(cloud, cloud.client(STSClient, carol).send(new GetCallerIdentityCommand({})));
  assert.deepEqual([asked.decisions, asked.notes], [[], ["it needs no permission: whoever is authenticated may"]]);
});

test("what a group gives, what a boundary limits and what an organization forbids is explained as theirs", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const iam = cloud.client(IAMClient);
  const alice = await userWith(cloud, "alice");
  await iam.send(new CreateGroupCommand({ GroupName: "Readers" }));
  await iam.send(new AddUserToGroupCommand({ GroupName: "Readers", UserName: "alice" }));
  const PolicyDocument = policy(allow("s3:GetObject"));
  await iam.send(new PutGroupPolicyCommand({ GroupName: "Readers", PolicyName: "read", PolicyDocument }));
  const [byGroup] = (await explanation(cloud, get(cloud, alice))).decisions;
  assert.equal(byGroup!.because, "identity-based policy read of group Readers, statement 1, allows it");

  const made = await iam.send(new CreatePolicyCommand({ PolicyName: "edge", PolicyDocument: policy(allow("sqs:*")) }));
  const PermissionsBoundary = made.Policy!.Arn!;
  await iam.send(new PutUserPermissionsBoundaryCommand({ UserName: "alice", PermissionsBoundary }));
  const [bounded] = (await explanation(cloud, get(cloud, alice))).decisions;
  assert.equal(bounded!.because, "no permissions boundary allows it");
  assert.match(
    bounded!.remedies[0]!.say,
    /^the permissions boundary of user alice, arn:aws:iam::000000000000:policy\/edge, /,
  );
  assert.match(bounded!.remedies[0]!.commands[0]!, /^aws iam create-policy-version --policy-arn \S+:policy\/edge /);

  const client = cloud.client(OrganizationsClient);
  const { root } = await organized(client);
  const account = await accountOf(cloud, client, "labs");
  const member = { accessKeyId: account, secretAccessKey: "test" };
  const Content = policy({ Effect: "Deny", Action: "s3:*", Resource: "*", Sid: "NoBuckets" });
  const Type = "SERVICE_CONTROL_POLICY";
  const scp = await client.send(new CreateScpCommand({ Name: "no-s3", Type, Description: "", Content }));
  await client.send(new AttachPolicyCommand({ PolicyId: scp.Policy!.PolicySummary!.Id!, TargetId: account }));
  const create = () => cloud.client(S3Client, member).send(new CreateBucketCommand({ Bucket: "theirs" }));
  const forbidden = await explanation(cloud, create());
  assert.equal(forbidden.who, `root of account ${account}`);
  assert.match(forbidden.decisions[0]!.because, /^service control policy .*, statement NoBuckets, denies it$/);
  const denying = forbidden.decisions[0]!.statements.find(({ decides }) => decides);
  assert.match(lineAt(cloud, denying!.where!), /^ {4}\{$/);

  await client.send(new DetachPolicyCommand({ PolicyId: scp.Policy!.PolicySummary!.Id!, TargetId: account }));
  const narrow = { PolicyId: scp.Policy!.PolicySummary!.Id!, Content: policy(allow("sqs:*")) };
  await client.send(new UpdatePolicyCommand(narrow));
  await client.send(new AttachPolicyCommand({ PolicyId: narrow.PolicyId, TargetId: root }));
  await client.send(new DetachPolicyCommand({ PolicyId: "p-FullAWSAccess", TargetId: root }));
  const [unmentioned] = (await explanation(cloud, create())).decisions;
  assert.equal(unmentioned!.because, "no service control policy allows it");
  assert.match(
    unmentioned!.remedies[0]!.say,
    /a service control policy must allow it, and at one of them none does \(there: .+\)$/,
  );
});

test("who was not even known is told what is wrong with his credentials", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const alice = await userWith(cloud, "alice", { may: policy(allow("*")) });
  const list = (key: Key) =>
    cloud.client(DynamoDBClient, key).send(new GetItemCommand({ TableName: "t", Key: { a: { S: "1" } } }));
  const cases: readonly (readonly [key: Key, service: "s3" | "dynamodb", note: RegExp])[] = [
    [{ ...alice, accessKeyId: "AKIAAAAAAAAAAAAAAAAA" }, "s3", /has the key AKIAAAAAAAAAAAAAAAAA: it was never made/],
    [
      { ...alice, accessKeyId: "AKIAAAAAAAAAAAAAAAAA" },
      "dynamodb",
      /has the key AKIAAAAAAAAAAAAAAAAA: it was never made/,
    ],
    [{ ...alice, secretAccessKey: "wrong" }, "s3", /most likely the client's secret is not this key's/],
    [{ ...alice, secretAccessKey: "test" }, "dynamodb", /is "test", which is the root key's/],
    [{ ...alice, secretAccessKey: `${alice.secretAccessKey}\n` }, "dynamodb", /has a line end at its end/],
    [{ ...alice, sessionToken: "x" } as Key, "s3", /a long-term key came with a token/],
    [{ ...alice, sessionToken: "x" } as Key, "dynamodb", /a long-term key came with a token/],
  ];
  for (const [key, service, note] of cases) {
    const { who, notes, decisions } = await explanation(cloud, service === "s3" ? get(cloud, key) : list(key));
    assert.deepEqual([who, decisions], ["unknown", []]);
    assert.match(notes.join("\n"), note);
  }
  const skewed = cloud.client(DynamoDBClient, alice);
  skewed.config.systemClockOffset = -3_600_000;
  const { notes } = await explanation(
    cloud,
    skewed.send(new GetItemCommand({ TableName: "t", Key: { a: { S: "1" } } })),
  );
  assert.match(notes.join("\n"), /more than 15 minutes away from this machine's time: the client's clock is wrong/);
  const version2 = `AWSAccessKeyId=${alice.accessKeyId}&Signature=wrong&Expires=9999999999`;
  const url = await fetch(`${cloud.endpoint}/photos/x?${version2}`);
  const { explanations: ofUrl } = await cloud.aws.why({ names: [url.headers.get("x-amz-request-id")!] });
  assert.match(
    ofUrl[0]!.notes[0]!,
    new RegExp(`^the key ${alice.accessKeyId} is known, and the signature was not made`),
  );
  assert.equal((await fetch(`${cloud.endpoint}/photos/x`)).status, 403);
  const { explanations } = await cloud.aws.why({ denied: true });
  assert.match(explanations[0]!.who, /^nobody/);
});

test("a file whose function may not be invoked: why FILE shows the denial, and the permission that mends it", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("sink", "echo 1");
  await withBucket(cloud);
  const configuration = { LambdaFunctionArn: arnOf("sink"), Events: ["s3:ObjectCreated:*" as const] };
  await cloud.client(S3Client).send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: "photos",
      NotificationConfiguration: { LambdaFunctionConfigurations: [configuration] },
      SkipDestinationValidation: true,
    }),
  );
  await cloud.client(S3Client).send(new PutObjectCommand({ ...OBJECT, Key: "cats/two.jpg", Body: "meow" }));
  await cloud.settle();
  const { entries, explanations } = await cloud.aws.why({ names: ["cats/two.jpg"] });
  assert.ok(entries.some(({ text }) => /^delivery 1 to .*:function:sink failed: /.test(text)));
  const [denied] = explanations;
  assert.equal(denied!.who, "s3.amazonaws.com");
  const [{ because, remedies }] = denied!.decisions as [Explanation["decisions"][number]];
  assert.equal(because, "no resource-based policy allows it");
  assert.deepEqual(remedies[0]!.commands, [
    `aws lambda add-permission --function-name sink --statement-id allow --action lambda:InvokeFunction --principal s3.amazonaws.com --source-arn arn:aws:s3:::photos --source-account ${ACCOUNT}`,
  ]);
  const { stdout } = await run(["why", "cats/two.jpg", "--endpoint", cloud.endpoint]);
  assert.match(stdout, /ObjectCreated:Put photos\/cats\/two\.jpg/);
  assert.match(stdout, /DENIED {5}no resource-based policy allows it/);
});

test("the last denied call is explained, also that of one principal", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const cli = (...args: string[]) => run(["why", ...args, "--endpoint", cloud.endpoint]);
  assert.equal((await cli("--last-denied")).stderr, "aws-like: nothing was denied\n");
  const [alice, bob] = [await userWith(cloud, "alice"), await userWith(cloud, "bob")];
  for (const key of [alice, bob]) await explanation(cloud, get(cloud, key));
  const said = (await cli("--last-denied")).stdout;
  assert.match(said, /who {8}user bob of account/);
  assert.match(
    said,
    /asked {6}s3:GetObject on arn:aws:s3:::photos\/cats\/one\.jpg\n {2}DENIED {5}no identity-based policy allows it/,
  );
  assert.match(said, /looked at {2}there is no policy to ask about s3:GetObject/);
  assert.match(said, /"Action": "s3:GetObject"/);
  const iam = cloud.client(IAMClient);
  const PolicyDocument = policy(allow("s3:GetObjects"));
  await iam.send(new PutUserPolicyCommand({ UserName: "bob", PolicyName: "typo", PolicyDocument }));
  await explanation(cloud, get(cloud, bob));
  assert.match(
    (await cli("--last-denied")).stdout,
    /looked at {2}identity-based policy typo: no statement names s3:GetObject\n/,
  );
  for (const name of ["alice", "arn:aws:iam::000000000000:user/alice"])
    assert.match((await cli("--last-denied", "--principal", name)).stdout, /who {8}user alice of/);
  assert.equal((await cli("--last-denied", "--principal", "eve")).stderr, "aws-like: nothing was denied to eve\n");
});

test("of a thousand denials of one call twenty are explained, and the others counted", async () => {
  await using cloud = await startCloud();
  await withBucket(cloud);
  const alice = await userWith(cloud, "alice");
  const Objects = Array.from({ length: 30 }, (_, at) => ({ Key: `${at}` }));
  const { Errors, $metadata } = await cloud
    .client(S3Client, alice)
    .send(new DeleteObjectsCommand({ Bucket: "photos", Delete: { Objects } }));
  assert.equal(Errors?.length, 30);
  const { explanations, more } = await cloud.aws.why({ names: [$metadata.requestId!] });
  assert.equal(explanations[0]!.call, "s3 DeleteObjects");
  assert.deepEqual([explanations.length, more], [20, 11]);
});

test("the policy suggested for what a user did lets a fresh user do the same, and nothing else", async () => {
  await using cloud = await startCloud();
  const admin = await userWith(cloud, "admin", { may: policy(allow("*")) });
  const QueueName = "jobs";
  const { QueueUrl } = await cloud.client(SQSClient).send(new CreateQueueCommand({ QueueName }));
  await cloud.client(S3Client).send(new CreateBucketCommand({ Bucket: "photos" }));
  await cloud.client(DynamoDBClient).send(
    new CreateTableCommand({
      TableName: "files",
      KeySchema: [{ AttributeName: "name", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "name", AttributeType: "S" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  const work = async (as: Key) => {
    const [s3, dynamodb, sqs] = [
      cloud.client(S3Client, as),
      cloud.client(DynamoDBClient, as),
      cloud.client(SQSClient, as),
    ];
    for (let at = 0; at < 8; at++)
      await s3.send(new PutObjectCommand({ Bucket: "photos", Key: `many/${at}`, Body: "x" }));
    await s3.send(new PutObjectCommand({ Bucket: "photos", Key: "a*b", Body: "x" }));
    await s3.send(new GetObjectCommand({ Bucket: "photos", Key: "a*b" }));
    await s3.send(new ListObjectsV2Command({ Bucket: "photos" }));
    const Objects = [{ Key: "many/0" }, { Key: "many/1" }];
    const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket: "photos", Delete: { Objects } }));
    assert.deepEqual(Errors, []);
    await dynamodb.send(new PutItemCommand({ TableName: "files", Item: { name: { S: "a" } } }));
    const names = { KeyConditionExpression: "#n = :n", ExpressionAttributeNames: { "#n": "name" } };
    await dynamodb.send(
      new QueryCommand({ TableName: "files", ...names, ExpressionAttributeValues: { ":n": { S: "a" } } }),
    );
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }));
  };
  const early = cloud.client(S3Client, admin).send(new DeleteObjectCommand({ Bucket: "photos", Key: "early" }));
  await early;
  await cloud.advance(3_600_000);
  await work(admin);
  const cli = (...args: string[]) => run(["policy", "suggest", ...args, "--endpoint", cloud.endpoint]);
  const file = join(cloud.aws.config.dir, "least.json");
  const written = await cli("--principal", "admin", "--since", "10m", "--write", file);
  assert.deepEqual([written.code, written.stdout], [0, ""], written.stderr);
  assert.match(written.stderr, /^of \d+ decisions about arn:aws:iam::000000000000:user\/admin, written to /);
  assert.match(
    written.stderr,
    /aws iam attach-user-policy --user-name admin --policy-arn arn:aws:iam::000000000000:policy\/admin-least/,
  );
  const PolicyDocument = readFileSync(file, "utf8");
  assert.ok(!existsSync(join(cloud.aws.config.dir, "least-2.json")));
  assert.equal((await cli("--principal", "admin", "--since", "10m")).stdout, PolicyDocument);
  assert.deepEqual(JSON.parse(PolicyDocument).Statement, [
    {
      Effect: "Allow",
      Action: ["dynamodb:PutItem", "dynamodb:Query"],
      Resource: "arn:aws:dynamodb:us-east-1:000000000000:table/files",
    },
    {
      Effect: "Allow",
      Action: "s3:DeleteObject",
      Resource: ["arn:aws:s3:::photos/many/0", "arn:aws:s3:::photos/many/1"],
    },
    { Effect: "Allow", Action: "s3:GetObject", Resource: `arn:aws:s3:::photos/a\${*}b` },
    { Effect: "Allow", Action: "s3:ListBucket", Resource: "arn:aws:s3:::photos" },
    {
      Effect: "Allow",
      Action: "s3:PutObject",
      Resource: [`arn:aws:s3:::photos/a\${*}b`, "arn:aws:s3:::photos/many/*"],
    },
    { Effect: "Allow", Action: "sqs:SendMessage", Resource: "arn:aws:sqs:us-east-1:000000000000:jobs" },
  ]);

  const fresh = await userWith(cloud, "fresh");
  const iam = cloud.client(IAMClient);
  const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: "least", PolicyDocument }));
  await iam.send(new AttachUserPolicyCommand({ UserName: "fresh", PolicyArn: Policy!.Arn! }));
  await work(fresh);
  const s3 = cloud.client(S3Client, fresh);
  for (const Key of ["a-b", "many/0"])
    await assert.rejects(s3.send(new GetObjectCommand({ Bucket: "photos", Key })), { name: "AccessDenied" });
  await assert.rejects(s3.send(new DeleteObjectCommand({ Bucket: "photos", Key: "early" })), { name: "AccessDenied" });

  const withDenied = JSON.parse((await cli("--principal", "fresh", "--denied")).stdout).Statement as {
    Action: string;
  }[];
  const deletes = withDenied.find(({ Action }) => Action === "s3:DeleteObject");
  assert.ok(JSON.stringify(deletes).includes("photos/early"));
  assert.match((await cli("--principal", "fresh")).stderr, /; 3 denied left out \(--denied takes them in\)/);
  assert.match((await cli("--principal", "nobody")).stderr, /nothing is recorded that nobody was allowed/);
  const root = JSON.parse((await cli("--principal", "root")).stdout) as { Statement: { Action: string | string[] }[] };
  assert.ok(root.Statement.flatMap(({ Action }) => Action).includes("s3:CreateBucket"), "what root did, too");
});
