// What is said before is what is done then: random policies of a user (with a boundary) and of a role's session (with a session policy), random
// calls, and for each the answer of the simulation beside the answer of the API.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import {
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  DeletePolicyVersionCommand,
  DeleteUserPermissionsBoundaryCommand,
  IAMClient,
  PutRolePolicyCommand,
  PutUserPermissionsBoundaryCommand,
  PutUserPolicyCommand,
  SimulateCustomPolicyCommand,
  SimulatePrincipalPolicyCommand,
  TagUserCommand,
} from "@aws-sdk/client-iam";
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { type Key, startCloud } from "./cloud.ts";
import { policy, trust, userWith } from "./principals.ts";
import { random } from "./random.ts";

const ROUNDS = 20;
const next = random(Number(process.env.SIMULATED_SEED ?? 20261122));
const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
const chance = (of: number): boolean => next() < of;
const some = <T>(of: readonly T[]): T[] => Array.from({ length: 1 + Math.floor(next() * 3) }, () => pick(of));

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const iam = cloud.client(IAMClient);
const ACCOUNT = "000000000000";
const NAMES = ["one", "two"];
for (const name of NAMES) {
  await cloud.client(S3Client).send(new CreateBucketCommand({ Bucket: `bucket-${name}` }));
  await cloud.client(SQSClient).send(new CreateQueueCommand({ QueueName: name }));
  await cloud.client(DynamoDBClient).send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    }),
  );
}

interface Call {
  readonly action: string;
  readonly resource: string;
  /** The keys of its own. */
  readonly keys: Readonly<Record<string, string>>;
  send(as: Clients): Promise<unknown>;
}

const clientsOf = (as: Key) => ({
  s3: cloud.client(S3Client, as),
  sqs: cloud.client(SQSClient, as),
  dynamodb: cloud.client(DynamoDBClient, as),
});
type Clients = ReturnType<typeof clientsOf>;

const callsOn = (name: string): Call[] => {
  const QueueUrl = `http://localhost/${ACCOUNT}/${name}`;
  const queue = `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`;
  const table = `arn:aws:dynamodb:us-east-1:${ACCOUNT}:table/${name}`;
  const Bucket = `bucket-${name}`;
  const Item = { id: { S: name } };
  return [
    ...["a/", "b/"].map((Prefix) => ({
      action: "s3:ListBucket",
      resource: `arn:aws:s3:::${Bucket}`,
      keys: { "s3:prefix": Prefix },
      send: ({ s3 }: Clients) => s3.send(new ListObjectsV2Command({ Bucket, Prefix })),
    })),
    {
      action: "s3:PutObject",
      resource: `arn:aws:s3:::${Bucket}/a/k`,
      keys: { "s3:x-amz-storage-class": "STANDARD_IA" },
      send: ({ s3 }) => s3.send(new PutObjectCommand({ Bucket, Key: "a/k", Body: "x", StorageClass: "STANDARD_IA" })),
    },
    {
      action: "sqs:SendMessage",
      resource: queue,
      keys: {},
      send: ({ sqs }) => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" })),
    },
    {
      action: "sqs:GetQueueAttributes",
      resource: queue,
      keys: {},
      send: ({ sqs }) => sqs.send(new GetQueueAttributesCommand({ QueueUrl })),
    },
    {
      action: "dynamodb:GetItem",
      resource: table,
      keys: { "dynamodb:LeadingKeys": name },
      send: ({ dynamodb }) => dynamodb.send(new GetItemCommand({ TableName: name, Key: Item })),
    },
    {
      action: "dynamodb:PutItem",
      resource: table,
      keys: { "dynamodb:LeadingKeys": name },
      send: ({ dynamodb }) => dynamodb.send(new PutItemCommand({ TableName: name, Item })),
    },
  ];
};
const CALLS = NAMES.flatMap(callsOn);

const ACTIONS = [
  ...new Set(CALLS.map(({ action }) => action)),
  "*",
  "s3:*",
  "SQS:Send*",
  "dynamodb:?etItem",
  "dynamodb:*Item",
];
const RESOURCES = [
  ...CALLS.map(({ resource }) => resource),
  "*",
  "arn:aws:s3:::bucket-*",
  "arn:aws:s3:::*/a/*",
  "arn:aws:sqs:*:*:*two",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the policy
  "arn:aws:dynamodb:*:*:table/${aws:PrincipalTag/team}",
];
const CONDITIONS: readonly object[] = [
  { StringEquals: { "aws:username": "simulated" } },
  { StringNotEquals: { "aws:username": "simulated" } },
  { Null: { "aws:username": "true" } },
  { StringLike: { "s3:prefix": "a*" } },
  { StringLikeIfExists: { "s3:prefix": "a*" } },
  { StringNotLike: { "s3:prefix": ["a*", "c*"] } },
  { "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["one"] } },
  { "ForAnyValue:StringEquals": { "dynamodb:LeadingKeys": ["one"] } },
  { StringEqualsIgnoreCase: { "aws:PrincipalTag/Team": "TWO" } },
  { IpAddress: { "aws:SourceIp": "127.0.0.0/8" } },
  { NotIpAddress: { "aws:SourceIp": "127.0.0.0/8" } },
  { Bool: { "aws:SecureTransport": "true" }, StringEquals: { "aws:RequestedRegion": "us-east-1" } },
  { Bool: { "aws:MultiFactorAuthPresent": "false" } },
  { BoolIfExists: { "aws:MultiFactorAuthPresent": "true" } },
  { ArnLike: { "aws:PrincipalArn": "arn:aws:iam::*:user/*" } },
  { StringEquals: { "s3:x-amz-storage-class": "STANDARD_IA" } },
];

const statement = (): object => ({
  Effect: chance(0.75) ? "Allow" : "Deny",
  [chance(0.9) ? "Action" : "NotAction"]: some(ACTIONS),
  [chance(0.9) ? "Resource" : "NotResource"]: some(RESOURCES),
  ...(chance(0.4) && { Condition: pick(CONDITIONS) }),
});
const EVERYTHING = { Effect: "Allow", Action: "*", Resource: "*" };
const anyPolicy = (): string =>
  policy(...Array.from({ length: 1 + Math.floor(next() * 4) }, statement), ...(chance(0.5) ? [EVERYTHING] : []));

/** Whose policies are simulated: the user's or the role's, and a session's own. */
interface Asking {
  readonly PolicySourceArn: string;
  readonly session?: string | undefined;
  /** Keys of the principal that the simulation cannot know. */
  readonly keys: Readonly<Record<string, string>>;
}

const NETWORK = { "aws:SourceIp": "127.0.0.1", "aws:SecureTransport": "true", "aws:RequestedRegion": "us-east-1" };

async function simulated({ PolicySourceArn, session, keys }: Asking, call: Call): Promise<boolean> {
  const asked = {
    ActionNames: [call.action],
    ResourceArns: [call.resource],
    ContextEntries: Object.entries({ ...NETWORK, ...keys, ...call.keys }).map(([ContextKeyName, value]) => ({
      ContextKeyName,
      ContextKeyType: "string" as const,
      ContextKeyValues: [value],
    })),
  };
  const held = await iam.send(new SimulatePrincipalPolicyCommand({ ...asked, PolicySourceArn }));
  if (held.EvaluationResults![0]!.EvalDecision !== "allowed") return false;
  if (session === undefined) return true;
  const limited = { ...asked, PolicyInputList: [session], CallerArn: PolicySourceArn };
  const { EvaluationResults } = await iam.send(new SimulateCustomPolicyCommand(limited));
  return EvaluationResults![0]!.EvalDecision === "allowed";
}

async function enforced(as: Clients, call: Call): Promise<boolean> {
  try {
    await call.send(as);
    return true;
  } catch (error) {
    const { name, message } = error as Error;
    assert.match(`${name}: ${message}`, /^AccessDenied\w*: .* is not authorized to perform: /);
    return false;
  }
}

async function compare(asking: Asking, as: Clients, held: object): Promise<number> {
  let allowed = 0;
  for (const call of CALLS) {
    const said = await simulated(asking, call);
    const done = await enforced(as, call);
    if (done) allowed++;
    assert.equal(
      done,
      said,
      `${call.action} on ${call.resource} by ${JSON.stringify({ ...asking, ...held }, null, 1)}`,
    );
  }
  return allowed;
}

/** A property that never, or always, allows would tell nothing. */
const telling = (allowed: number): void => {
  const share = allowed / (ROUNDS * CALLS.length);
  assert.ok(share > 0.1 && share < 0.9, `allowed: ${share}`);
};

test("a user may what his policies and his boundary are said to allow", async () => {
  const as = clientsOf(await userWith(cloud, "simulated"));
  await iam.send(new TagUserCommand({ UserName: "simulated", Tags: [{ Key: "team", Value: "two" }] }));
  const created = await iam.send(new CreatePolicyCommand({ PolicyName: "boundary", PolicyDocument: anyPolicy() }));
  const PermissionsBoundary = created.Policy!.Arn!;
  const asking = { PolicySourceArn: `arn:aws:iam::${ACCOUNT}:user/simulated`, keys: {} };
  let allowed = 0;
  let version: string | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    const identity = anyPolicy();
    const PolicyDocument = identity;
    await iam.send(new PutUserPolicyCommand({ UserName: "simulated", PolicyName: "p", PolicyDocument }));
    const boundary = chance(0.4) ? anyPolicy() : undefined;
    if (boundary === undefined) {
      if (round > 0) await iam.send(new DeleteUserPermissionsBoundaryCommand({ UserName: "simulated" }));
    } else {
      const changed = { PolicyArn: PermissionsBoundary, PolicyDocument: boundary, SetAsDefault: true };
      const { PolicyVersion } = await iam.send(new CreatePolicyVersionCommand(changed));
      if (version !== undefined)
        await iam.send(new DeletePolicyVersionCommand({ PolicyArn: PermissionsBoundary, VersionId: version }));
      version = PolicyVersion!.VersionId!;
      await iam.send(new PutUserPermissionsBoundaryCommand({ UserName: "simulated", PermissionsBoundary }));
    }
    allowed += await compare(asking, as, { identity, boundary });
  }
  telling(allowed);
});

test("a role's session may what the role and the session's own policy are said to allow", async () => {
  const AssumeRolePolicyDocument = trust({ AWS: ACCOUNT });
  await iam.send(new CreateRoleCommand({ RoleName: "simulated", AssumeRolePolicyDocument }));
  const assuming = await userWith(cloud, "assuming", {
    may: policy({ Effect: "Allow", Action: "sts:AssumeRole", Resource: "*" }),
  });
  const RoleArn = `arn:aws:iam::${ACCOUNT}:role/simulated`;
  const keys = { "aws:MultiFactorAuthPresent": "false" };
  let allowed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const identity = anyPolicy();
    const PolicyDocument = identity;
    await iam.send(new PutRolePolicyCommand({ RoleName: "simulated", PolicyName: "p", PolicyDocument }));
    const session = chance(0.5) ? anyPolicy() : undefined;
    const assume = new AssumeRoleCommand({ RoleArn, RoleSessionName: "s1", ...(session && { Policy: session }) });
    const { Credentials } = await cloud.client(STSClient, assuming).send(assume);
    const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!;
    const as = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! };
    allowed += await compare({ PolicySourceArn: RoleArn, session, keys }, clientsOf(as), { identity });
  }
  telling(allowed);
});
