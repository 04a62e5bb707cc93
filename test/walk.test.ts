// Every handler of every service, asked by a user who may do nothing: each denies, and says which permission is missing. With exactly the
// permissions that were said to be missing it is no question of permissions any more.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CreateRoleCommand, IAMClient, PutUserPolicyCommand } from "@aws-sdk/client-iam";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { AnyService } from "../src/kernel/service.ts";
import type { Member, Model, Structure } from "../src/model/model.ts";
import { compilePattern } from "../src/model/pattern.ts";
import { services } from "../src/services.ts";
import { CLIENTS } from "../tools/clients.ts";
import { type Key, startCloud } from "./cloud.ts";
import { trust, userWith } from "./principals.ts";

const WALKER = "walker";
const WALKER_ARN = `arn:aws:iam::000000000000:user/${WALKER}`;

/** What AWS answers to anyone, and why. */
const ASKS_NOBODY: Readonly<Record<string, string>> = {
  "sts.AssumeRoleWithSAML": "the assertion is who asks",
  "sts.AssumeRoleWithWebIdentity": "the token is who asks",
  "sts.GetCallerIdentity": "no permissions are needed, and none can be taken",
  "sts.GetSessionToken": "whoever has a key may have one that ends",
  "s3.RenameObject": "only directory buckets have it, and this is none",
  "s3.DeleteObjects": "each key is asked about and answered by itself",
};

/** A HEAD's answer has no body: the permission that it wants is known from AWS's table. */
const HEADS: Readonly<Record<string, string>> = { "s3.HeadBucket": "s3:ListBucket", "s3.HeadObject": "s3:GetObject" };

const STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/walked/stream/2026-01-01T00:00:00.000";

/** What the model alone does not tell: values that belong to what is there, or have a form of their own. */
const VALUES: Readonly<Record<string, unknown>> = {
  Bucket: "walked-bucket",
  "s3.Key": "walked",
  CopySource: "walked-bucket/walked",
  ChecksumAlgorithm: undefined,
  QueueUrl: "http://localhost/000000000000/walked",
  SourceArn: "arn:aws:sqs:us-east-1:000000000000:walked",
  TableName: "walked",
  RequestItems: undefined,
  TransactItems: undefined,
  "dynamodb.ResourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/walked",
  StreamArn: STREAM,
  ResourceARN: "arn:aws:events:us-east-1:000000000000:rule/walked",
  "lambda.Arn": "arn:aws:lambda:us-east-1:000000000000:layer:walked:1",
  "lambda.Resource": "arn:aws:lambda:us-east-1:000000000000:function:walked",
  "lambda.Role": "arn:aws:iam::000000000000:role/walked",
  TaskHandle: Buffer.from(
    JSON.stringify({ taskId: "walked", sourceArn: "arn:aws:sqs:us-east-1:000000000000:walked" }),
  ).toString("base64"),
  "pipes.RoleArn": "arn:aws:iam::000000000000:role/walked",
  "pipes.Source": "arn:aws:sqs:us-east-1:000000000000:walked",
  "pipes.Target": "arn:aws:sqs:us-east-1:000000000000:walked",
  "scheduler.RoleArn": "arn:aws:iam::000000000000:role/walked",
  "scheduler.ResourceArn": "arn:aws:scheduler:us-east-1:000000000000:schedule-group/walked",
  "events.Arn": "arn:aws:sqs:us-east-1:000000000000:walked",
  EventSourceArn: "arn:aws:events:us-east-1:000000000000:event-bus/walked",
  ConnectionArn: "arn:aws:events:us-east-1:000000000000:connection/walked/1",
  "lambda.Action": "lambda:InvokeFunction",
  TopicArn: "arn:aws:sns:us-east-1:000000000000:walked",
  "sns.ResourceArn": "arn:aws:sns:us-east-1:000000000000:walked",
  SubscriptionArn: "arn:aws:sns:us-east-1:000000000000:walked:00000000-0000-0000-0000-000000000000",
  "sts.RoleArn": "arn:aws:iam::000000000000:role/assumed",
  // Not his own, which he needs to go on.
  AccountId: "999999999999",
  AccessKeyId: "AKIAWALKEDWALKEDWALK",
};
const ITEM = { id: { S: "1" } };
const ITERATOR = `${STREAM}|1|${Buffer.from('["shardId-00000000000000000000-00000000",1,1]').toString("base64")}`;
const STATEMENT = { Statement: `SELECT * FROM "walked" WHERE id = '1'` };
const INPUTS: Readonly<Record<string, object>> = {
  "dynamodb.GetItem": { TableName: "walked", Key: ITEM },
  "dynamodb.UpdateItem": { TableName: "walked", Key: ITEM },
  "dynamodb.DeleteItem": { TableName: "walked", Key: ITEM },
  "dynamodb.BatchGetItem": { RequestItems: { walked: { Keys: [ITEM] } } },
  "dynamodb.BatchWriteItem": { RequestItems: { walked: [{ PutRequest: { Item: ITEM } }] } },
  "dynamodb.TransactGetItems": { TransactItems: [{ Get: { TableName: "walked", Key: ITEM } }] },
  "dynamodb.ExecuteStatement": STATEMENT,
  "dynamodb.BatchExecuteStatement": { Statements: [STATEMENT] },
  "dynamodb.ExecuteTransaction": { TransactStatements: [STATEMENT] },
  "dynamodb.RestoreTableToPointInTime": {
    SourceTableName: "walked",
    TargetTableName: "restored",
    UseLatestRestorableTime: true,
  },
  ...Object.fromEntries(
    [
      "AssociateKmsKey",
      "DisassociateKmsKey",
      "DescribeLogStreams",
      "GetLogEvents",
      "FilterLogEvents",
      "GetLogGroupFields",
    ].map((name) => [
      `logs.${name}`,
      {
        logGroupName: "walked",
        ...(name === "GetLogEvents" && { logStreamName: "walked" }),
        ...(name === "AssociateKmsKey" && { kmsKeyId: "arn:aws:kms:us-east-1:000000000000:key/walked" }),
      },
    ]),
  ),
  "logs.StartQuery": { logGroupName: "walked", queryString: "fields @message", startTime: 1, endTime: 2 },
  "lambda.AddLayerVersionPermission": {
    LayerName: "walked",
    VersionNumber: 1,
    StatementId: "walked",
    Action: "lambda:GetLayerVersion",
    Principal: "*",
  },
  "dynamodbstreams.GetRecords": { ShardIterator: ITERATOR },
  "sns.Publish": { TopicArn: "arn:aws:sns:us-east-1:000000000000:walked", Message: "walked" },
  "dynamodb.TransactWriteItems": { TransactItems: [{ Put: { TableName: "walked", Item: ITEM } }] },
};

/** Strings that satisfy most patterns, the first that does is taken. */
const ARNS = ["arn:aws:iam::000000000000:policy/walked", "arn:aws:lambda:us-east-1:000000000000:function:walked"];
const CANDIDATES = [
  "walked",
  ...ARNS,
  "000000000000",
  "a@b.example",
  "walked.example.com",
  "/walked/",
  "r-abcd",
  "o-abcdefghij",
  "p-abcdefgh",
  "ou-abcd-abcdefgh",
  "h-abcdefgh",
  "car-abcdefgh",
  "v1",
  "123456",
  "walked walked walked",
];

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const iam = cloud.client(IAMClient);
const walker = await userWith(cloud, WALKER);
const AssumeRolePolicyDocument = trust({ AWS: "000000000000" });
await iam.send(new CreateRoleCommand({ RoleName: "assumed", AssumeRolePolicyDocument }));

for (const service of services) {
  const operations = Object.keys(service.operations).filter((name) => service.operations[name]);
  if (operations.length > 0)
    test(`${service.name}: each of ${operations.length} operations is denied, and allowed with what was missing`, async () => {
      const send = await senderOf(service, walker);
      const problems: string[] = [];
      for (const operation of operations) {
        await may([]);
        if (service.name === "s3") await bucketIsThere();
        const problem = await walk(`${service.name}.${operation}`, () => send(operation));
        if (problem) problems.push(`${service.name}.${operation}: ${problem}`);
      }
      assert.deepEqual(problems, []);
    });
}

test("GetCallerIdentity tells who never may anything else", async () => {
  const send = await senderOf(services.find(({ name }) => name === "sts")!, walker);
  assert.equal((await send("GetCallerIdentity")).code, undefined);
});

interface Outcome {
  /** Undefined: it was answered with success. */
  readonly code?: string;
  readonly status?: number;
  readonly message?: string;
  readonly output?: unknown;
}

/** Permissions that one operation may ask for, one after the other. */
const MOST_PERMISSIONS = 12;

async function walk(name: string, send: () => Promise<Outcome>): Promise<string | undefined> {
  if (name in ASKS_NOBODY) {
    const outcome = await send();
    return missing(outcome) && `${ASKS_NOBODY[name]}, but: ${outcome.message}`;
  }
  if (name in HEADS) return await walkHead(name, send);
  const granted: Permission[] = [];
  for (;;) {
    const outcome = await send();
    const denied = missing(outcome);
    if (!denied)
      return granted.length > 0 ? undefined : `not denied, but ${outcome.code ?? "done"}: ${outcome.message}`;
    const [code, status] = REFUSALS[name.split(".")[0]!] ?? ["AccessDenied", 403];
    if (outcome.code !== code || outcome.status !== status)
      return `${outcome.code} ${outcome.status}, not ${code} ${status}`;
    if (granted.some((one) => one.Action === denied.Action && one.Resource === denied.Resource))
      return `denied what was granted: ${outcome.message}`;
    if (granted.length === MOST_PERMISSIONS) return `wants ever more: ${JSON.stringify(granted)}`;
    granted.push(denied);
    await may(granted);
  }
}

async function walkHead(name: string, send: () => Promise<Outcome>): Promise<string | undefined> {
  const before = await send();
  if (before.status !== 403) return `not denied, but ${before.status}`;
  await may([{ Action: HEADS[name]!, Resource: "*" }]);
  const then = await send();
  return then.code === undefined ? undefined : `denied with ${HEADS[name]}: ${then.code}`;
}

/** A bucket that is not there is NoSuchBucket for everyone. */
async function bucketIsThere(): Promise<void> {
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "walked-bucket" }));
  await s3.send(new PutObjectCommand({ Bucket: "walked-bucket", Key: "walked", Body: "x" }));
}

const JSON_REFUSAL = ["AccessDeniedException", 400] as const;
const REFUSALS: Readonly<Record<string, readonly [code: string, status: number]>> = {
  dynamodb: JSON_REFUSAL,
  dynamodbstreams: JSON_REFUSAL,
  events: JSON_REFUSAL,
  logs: JSON_REFUSAL,
  organizations: JSON_REFUSAL,
  lambda: ["AccessDeniedException", 403],
  sns: ["AuthorizationError", 403],
  pipes: ["AccessDeniedException", 403],
  scheduler: ["AccessDeniedException", 403],
};

interface Permission {
  readonly Action: string;
  readonly Resource: string;
}

/** The permission that a denial names. */
function missing({ message = "" }: Outcome): Permission | undefined {
  const found =
    /^User: (\S+) is not authorized to perform: (\S+) on resource: "?([^"]*?)"? because no identity-based policy allows the (\S+) action$/.exec(
      message,
    );
  if (!found || found[1] !== WALKER_ARN || found[2] !== found[4]) return undefined;
  // IAM calls what is not there `user walked`.
  return { Action: found[2]!, Resource: /^(arn:|\*$)/.test(found[3]!) ? found[3]! : "*" };
}

async function may(granted: readonly Permission[]): Promise<void> {
  const Statement = granted.length > 0 ? granted : [{ Action: "none:Such", Resource: "*" }];
  const PolicyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: Statement.map((one) => ({ Effect: "Allow", ...one })),
  });
  await iam.send(new PutUserPolicyCommand({ UserName: WALKER, PolicyName: "granted", PolicyDocument }));
}

async function senderOf(service: AnyService, as: Key): Promise<(operation: string) => Promise<Outcome>> {
  // biome-ignore lint/suspicious/noExplicitAny: the clients' modules are used alike, by the names of operations
  const sdk: any = await import(`@aws-sdk/${CLIENTS[service.name as keyof typeof CLIENTS]}`);
  const Client = sdk[Object.keys(sdk).find((key) => key.endsWith("Client") && key !== "__Client")!];
  const client = cloud.client(Client, as) as { send(command: unknown): Promise<unknown> };
  const model = service.model();
  return async (operation) => {
    const name = `${service.name}.${operation}`;
    const input = INPUTS[name] ?? minimal(model, model.operations[operation]!.input);
    try {
      return { output: await client.send(new sdk[`${operation}Command`](input)) };
    } catch (error) {
      const {
        Code,
        name: code,
        message,
        $metadata,
      } = error as Error & {
        Code?: string;
        $metadata?: { httpStatusCode?: number };
      };
      assert.ok($metadata?.httpStatusCode, `${name} was not answered: ${message}`);
      return { code: Code ?? code, status: $metadata.httpStatusCode, message };
    }
  };
}

/** The least that the model lets pass. */
function minimal(model: Model, structure: string): Record<string, unknown> {
  const { members, required = [] } = model.shapes[structure] as Structure;
  const wanted = Object.entries(members).filter(
    ([name, { location }]) => required.includes(name) || location === "label",
  );
  const values = wanted.map(([name, member]) => [name, valueFor(model, member, name)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

function valueFor(model: Model, member: Member, name: string): unknown {
  for (const key of [`${model.service}.${name}`, name]) if (key in VALUES) return VALUES[key];
  const shape = model.shapes[member.shape]!;
  switch (shape.type) {
    case "structure":
      return minimal(model, member.shape);
    case "union": {
      const [first, one] = Object.entries(shape.members)[0]!;
      return { [first]: valueFor(model, one, first) };
    }
    case "list":
      return [valueFor(model, shape.member, name)];
    case "map":
      return { walked: valueFor(model, shape.value, name) };
    case "string": {
      if (shape.enum) return shape.enum[0];
      const pattern = shape.pattern === undefined ? undefined : compilePattern(shape.pattern);
      const { min = 0, max = Number.POSITIVE_INFINITY } = shape;
      const fits = (text: string) => text.length >= min && text.length <= max && (!pattern || pattern(text));
      const arn = /arn$/i.test(name) ? ARNS.find(fits) : undefined;
      return arn ?? CANDIDATES.find(fits) ?? "w".repeat(Math.max(1, min));
    }
    case "boolean":
      return false;
    case "integer":
    case "long":
    case "float":
    case "double":
      return Math.max(1, shape.min ?? 1);
    case "timestamp":
      return new Date(1_700_000_000_000);
    case "blob":
      return new TextEncoder().encode("walked");
    case "document":
      return {};
  }
}
