// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub has them
// Templates: what is understood, what is refused with its line, and what is called for it on a real cloud.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { deploy, type Report } from "../src/template/deploy.ts";
import type { Call } from "../src/template/kind.ts";
import { openTemplate } from "../src/template/mod.ts";
import { TemplateError } from "../src/template/node.ts";
import { plan } from "../src/template/plan.ts";
import { startCloud, type TestCloud } from "./cloud.ts";

const EXAMPLE = join(import.meta.dirname, "../example");
const place = {
  account: "000000000000",
  region: "us-east-1",
  stack: "workspace",
  endpoint: "http://127.0.0.1:4566",
  dir: EXAMPLE,
};
const NO_PARAMETERS = new Map<string, string>();

const planned = (text: string, parameters: ReadonlyMap<string, string> = NO_PARAMETERS) =>
  Object.fromEntries(plan(text, { place, parameters }).resources.map((one) => [one.id, one]));
const orderOf = (text: string) => plan(text, { place, parameters: NO_PARAMETERS }).resources.map(({ id }) => id);

/** A template of one resource. */
const one = (type: string, properties: string) =>
  `Transform: AWS::Serverless-2016-10-31\nResources:\n  It:\n    Type: ${type}\n    Properties:\n${properties.replace(/^/gm, "      ")}\n`;

const refusal = (text: string): string => {
  try {
    plan(text, { place, parameters: NO_PARAMETERS });
  } catch (error) {
    if (error instanceof TemplateError) return `${error.line}: ${error.path}: ${error.message}`;
    throw error;
  }
  return "nothing was refused";
};

test("the example is planned with the role, permission and notification that SAM makes", async () => {
  const text = await readFile(join(EXAMPLE, "template.yaml"), "utf8");
  const { FilesRole, Files, FilesDroppedPermission, Input, Failed } = planned(text);
  assert.equal(Input!.name, "input", "a bucket that is a directory is called like it");
  assert.equal(Input!.directory, "input");
  assert.deepEqual(Input!.properties.NotificationConfiguration, {
    LambdaConfigurations: [
      { Event: "s3:ObjectCreated:*", Function: "arn:aws:lambda:us-east-1:000000000000:function:files" },
    ],
  });
  assert.deepEqual(FilesDroppedPermission!.properties, {
    Action: "lambda:InvokeFunction",
    FunctionName: "files",
    Principal: "s3.amazonaws.com",
    SourceAccount: "000000000000",
  });
  assert.deepEqual(FilesRole!.properties.ManagedPolicyArns, [
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
  ]);
  assert.equal(Files!.properties.Role, `arn:aws:iam::000000000000:role/${FilesRole!.name}`);
  assert.deepEqual(Files!.properties.DeadLetterConfig, {
    TargetArn: `arn:aws:sqs:us-east-1:000000000000:${Failed!.name}`,
  });
});

test("what is needed comes first: the bucket after the permission, that after the function, that after the role", async () => {
  const order = orderOf(await readFile(join(EXAMPLE, "template.yaml"), "utf8"));
  const chain = ["FilesRole", "Files", "FilesDroppedPermission", "Input", "UseInput"];
  assert.deepEqual(
    order.filter((id) => chain.includes(id)),
    chain,
  );
});

test("a function whose code is the workspace is given its handler's file alone", async () => {
  const { Files } = planned(await readFile(join(EXAMPLE, "template.yaml"), "utf8"));
  assert.deepEqual(Files!.properties.Code, { kind: "live", path: join(EXAMPLE, "lambda.sh") });
});

test("parameters have their defaults, and take what is given", async () => {
  const text = await readFile(join(EXAMPLE, "template.yaml"), "utf8");
  const archive = (parameters: ReadonlyMap<string, string>) =>
    (planned(text, parameters).Files!.properties.Environment as { Variables: Record<string, string> }).Variables
      .ARCHIVE_BUCKET;
  assert.equal(archive(NO_PARAMETERS), "");
  assert.equal(archive(new Map([["Archive", "yes"]])), "archive");
});

test("a template is read as JSON too", () => {
  const text = JSON.stringify({
    Resources: {
      Q: { Type: "AWS::SQS::Queue", Properties: { QueueName: "q", VisibilityTimeout: 60 } },
      R: { Type: "AWS::SQS::Queue", Properties: { QueueName: { "Fn::Sub": "${Q.QueueName}-two" } } },
    },
  });
  const { Q, R } = planned(text);
  assert.deepEqual(Q!.properties, { QueueName: "q", VisibilityTimeout: 60 });
  assert.equal(R!.name, "q-two");
});

test("functions of templates give what CloudFormation gives", () => {
  const value = (expression: string) =>
    planned(`
Parameters: { Stage: { Type: String, Default: dev }, Names: { Type: CommaDelimitedList, Default: "a, b" } }
Conditions:
  IsDev: !Equals [!Ref Stage, dev]
  Other: !Not [{ Condition: IsDev }]
  Both: !And [!Condition IsDev, !Or [!Condition Other, !Condition IsDev]]
Resources:
  B: { Type: AWS::S3::Bucket, Properties: { BucketName: photos } }
  Q: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: ${expression} } }`).Q!.properties.RedrivePolicy;
  assert.equal(value("!Ref Stage"), "dev");
  assert.equal(value("!Ref B"), "photos");
  assert.equal(value("!GetAtt B.Arn"), "arn:aws:s3:::photos");
  assert.equal(
    value('!Sub "${B}/${B.Arn}/${AWS::Region}/${!Literal}"'),
    "photos/arn:aws:s3:::photos/us-east-1/${Literal}",
  );
  assert.equal(value('!Sub ["${x}-${Stage}", { x: !Ref B }]'), "photos-dev");
  assert.equal(value('!Join ["-", [a, !Ref Stage, !Ref "AWS::AccountId"]]'), "a-dev-000000000000");
  assert.equal(value('!Select [1, !Split [",", "a,b,c"]]'), "b");
  assert.equal(value("!Select [1, !Ref Names]"), "b");
  assert.equal(value("!If [IsDev, yes, no]"), "yes");
  assert.equal(value("!If [Other, yes, no]"), "no");
  assert.equal(value("!If [Both, yes, no]"), "yes");
  assert.equal(value("!If [Other, yes, !Ref AWS::NoValue]"), undefined);
});

test("a resource whose condition does not hold is not made", () => {
  const text = `
Parameters: { Stage: { Type: String, Default: dev } }
Conditions: { IsProd: !Equals [!Ref Stage, prod] }
Resources:
  A: { Type: AWS::SQS::Queue }
  B: { Type: AWS::SQS::Queue, Condition: IsProd }`;
  assert.deepEqual(Object.keys(planned(text)), ["A"]);
  assert.deepEqual(Object.keys(planned(text, new Map([["Stage", "prod"]]))), ["A", "B"]);
});

test("Globals are merged into each function: maps join, what the function says wins", () => {
  const { It } = planned(
    `Globals:\n  Function: { Runtime: nodejs22.x, Timeout: 5, Environment: { Variables: { A: "1", B: "1" } } }\n${one(
      "AWS::Serverless::Function",
      "Handler: index.handler\nInlineCode: exports.handler = () => 1\nTimeout: 9\nEnvironment: { Variables: { B: 2 } }",
    )}`,
  );
  const { Runtime, Timeout, Environment } = It!.properties;
  assert.deepEqual([Runtime, Timeout, Environment], ["nodejs22.x", 9, { Variables: { A: "1", B: "2" } }]);
});

test("a Schedule is a rule, and a permission for it", () => {
  const { ItTick, ItTickPermission } = planned(
    one(
      "AWS::Serverless::Function",
      `Runtime: python3.13\nHandler: index.handler\nInlineCode: "def handler(e, c): pass"
Events: { Tick: { Type: Schedule, Properties: { Schedule: rate(5 minutes), Input: '{"a":1}', Enabled: false } } }`,
    ),
  );
  const { State, ScheduleExpression, Targets } = ItTick!.properties;
  assert.deepEqual([State, ScheduleExpression], ["DISABLED", "rate(5 minutes)"]);
  const [target] = Targets as { Id: string; Input: string }[];
  assert.deepEqual([target!.Id, target!.Input], ["ItTickLambdaTarget", '{"a":1}']);
  assert.equal(ItTickPermission!.properties.SourceArn, `arn:aws:events:us-east-1:000000000000:rule/${ItTick!.name}`);
});

test("policies are templates of SAM, statements, or names of managed policies", () => {
  const { ItRole } = planned(
    one(
      "AWS::Serverless::Function",
      `Runtime: python3.13\nHandler: index.handler\nInlineCode: "def handler(e, c): pass"
Policies:
  - AmazonS3ReadOnlyAccess
  - S3ReadPolicy: { BucketName: photos }
  - Statement: [{ Effect: Allow, Action: "sns:Publish", Resource: "*" }]
  - SQSSendMessagePolicy: { QueueName: q }`,
    ),
  );
  assert.equal((ItRole!.properties.ManagedPolicyArns as string[])[1], "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
  const policies = ItRole!.properties.Policies as {
    PolicyName: string;
    PolicyDocument: { Statement: { Action: string | string[]; Resource: unknown }[] };
  }[];
  assert.deepEqual(
    policies.map(({ PolicyName }) => PolicyName),
    ["ItRolePolicy1", "ItRolePolicy2", "ItRolePolicy3"],
  );
  assert.deepEqual(policies[0]!.PolicyDocument.Statement[0]!.Resource, [
    "arn:aws:s3:::photos",
    "arn:aws:s3:::photos/*",
  ]);
  assert.equal(policies[1]!.PolicyDocument.Statement[0]!.Action, "sns:Publish");
  assert.deepEqual(policies[2]!.PolicyDocument.Statement[0]!.Resource, ["arn:aws:sqs:us-east-1:000000000000:q"]);
});

/** What is refused -> the line and the sentence. */
const refusals: readonly (readonly [what: string, text: string, sentence: RegExp])[] = [
  [
    "a property that is not known",
    one("AWS::SQS::Queue", "DelaySeconds: 1\nFoo: 2"),
    /^7: Resources\.It\.Properties\.Foo: aws-like does not understand this property$/,
  ],
  [
    "a property within a property",
    one("AWS::S3::Bucket", "VersioningConfiguration:\n  Status: Enabled\n  Foo: 1"),
    /^8: Resources\.It\.Properties\.VersioningConfiguration\.Foo: aws-like does not/,
  ],
  [
    "a property of a SAM function",
    one("AWS::Serverless::Function", "CodeUri: .\nAutoPublishAlias: live"),
    /^7: .*\.AutoPublishAlias: aws-like does not understand this property/,
  ],
  [
    "a type of resource",
    one("AWS::EC2::Instance", "A: 1"),
    /^3: Resources\.It: aws-like does not understand the type AWS::EC2::Instance$/,
  ],
  ["a type of SAM", one("AWS::Serverless::Api", "A: 1"), /does not understand the type AWS::Serverless::Api$/],
  [
    "a section",
    "Resources: { A: { Type: AWS::SQS::Queue } }\nMappings: {}\n",
    /^2: Mappings: aws-like does not understand this section$/,
  ],
  [
    "an attribute of a resource",
    "Resources:\n  A:\n    Type: AWS::SQS::Queue\n    CreationPolicy: {}\n",
    /^4: Resources\.A\.CreationPolicy: aws-like does not understand this attribute$/,
  ],
  [
    "a function",
    one("AWS::SQS::Queue", "QueueName: !Base64 x"),
    /^6: : aws-like does not understand the function !Base64$/,
  ],
  [
    "a function in its long form",
    one("AWS::SQS::Queue", 'QueueName: { "Fn::ImportValue": x }'),
    /^6: .*does not understand the function Fn::ImportValue$/,
  ],
  [
    "a transform",
    "Transform: AWS::Include\nResources: { A: { Type: AWS::SQS::Queue } }",
    /^1: Transform: aws-like understands no transform but/,
  ],
  [
    "a type of event",
    one(
      "AWS::Serverless::Function",
      "InlineCode: x\nRuntime: nodejs22.x\nHandler: a.b\nEvents: { E: { Type: Api, Properties: {} } }",
    ),
    /^9: .*Events\.E\.Type: aws-like does not understand this type of event$/,
  ],
  [
    "a policy template",
    one(
      "AWS::Serverless::Function",
      "InlineCode: x\nRuntime: nodejs22.x\nPolicies: [{ KMSDecryptPolicy: { KeyId: a } }]",
    ),
    /KMSDecryptPolicy: aws-like does not understand this policy$/,
  ],
  [
    "a pseudo parameter",
    one("AWS::SQS::Queue", "QueueName: !Ref AWS::NotificationARNs"),
    /does not understand Ref AWS::NotificationARNs/,
  ],
  [
    "an attribute of GetAtt",
    one("AWS::SQS::Queue", "QueueName: !GetAtt It.Foo"),
    /attribute Foo of AWS::SQS::Queue|depends on itself/,
  ],
  [
    "a Ref to nothing",
    one("AWS::SQS::Queue", "DelaySeconds: 1\nQueueName: !Ref Nope"),
    /^7: .*QueueName: there is no resource or parameter Nope$/,
  ],
  [
    "a DependsOn nothing",
    "Resources: { A: { Type: AWS::SQS::Queue, DependsOn: B } }",
    /DependsOn: there is no resource B$/,
  ],
  ["a number that is none", one("AWS::SQS::Queue", "DelaySeconds: soon"), /^6: .*DelaySeconds: "soon" is no number$/],
  ["a list where a text belongs", one("AWS::SQS::Queue", "QueueName: [a]"), /QueueName: here belongs a text$/],
  ["a missing property", one("AWS::Lambda::Permission", "Action: a\nPrincipal: b"), /FunctionName is missing$/],
  ["YAML that is none", "Resources:\n  A: [\n", /^\d+: : /],
  [
    "the same key twice",
    "Resources:\n  A: { Type: AWS::SQS::Queue }\n  A: { Type: AWS::SQS::Queue }\n",
    /^3: : Map keys must be unique$/,
  ],
  ["an alias", one("AWS::SQS::Queue", "QueueName: &a x\nTags: *a"), /CloudFormation does not support YAML's aliases/],
  ["no resources", "Description: nothing\n", /a template has at least one resource$/],
  [
    "SAM without its transform",
    "Resources: { A: { Type: AWS::Serverless::SimpleTable } }",
    /needs Transform: AWS::Serverless-2016-10-31$/,
  ],
  [
    "code that is not there",
    one("AWS::Serverless::Function", "Runtime: provided.al2023\nHandler: nope.handler\nCodeUri: ./"),
    /^8: .*Code: there is no nope\.sh in .*example: Handler is nope\.handler$/,
  ],
  [
    "a directory outside of the workspace",
    "Resources: { A: { Type: AWS::S3::Bucket, Metadata: { AwsLike: { Directory: ../x } } } }",
    /\.\.\/x is no directory within the workspace$/,
  ],
  [
    "a bucket of an event that is not in the template",
    one(
      "AWS::Serverless::Function",
      "InlineCode: x\nRuntime: nodejs22.x\nEvents: { E: { Type: S3, Properties: { Bucket: photos, Events: x } } }",
    ),
    /must be !Ref of a bucket in this template$/,
  ],
];

for (const [what, text, sentence] of refusals)
  test(`a template is refused for ${what}, with the line`, () => {
    assert.match(refusal(text), sentence);
  });

test("a circle is told in CloudFormation's words: a bucket that its own function's role needs", () => {
  const text = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Photos: { Type: AWS::S3::Bucket }
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: x
      Runtime: nodejs22.x
      Handler: index.handler
      Policies: [S3ReadPolicy: { BucketName: !Ref Photos }]
      Events: { E: { Type: S3, Properties: { Bucket: !Ref Photos, Events: "s3:ObjectCreated:*" } } }
  After: { Type: AWS::SQS::Queue, DependsOn: Photos }`;
  assert.match(refusal(text), /Circular dependency between resources: \[Photos, Fn, FnRole, FnEPermission\]$/);
});

test("a parameter's value is checked", () => {
  const text =
    "Parameters: { P: { Type: String, AllowedValues: [a, b] } }\nResources: { A: { Type: AWS::SQS::Queue } }";
  assert.match(refusal(text), /^1: Parameters\.P: it has no Default: say --parameter P=VALUE$/);
  assert.throws(() => planned(text, new Map([["P", "c"]])), /P is "c": allowed are a, b/);
  assert.throws(() => planned(text, new Map([["Q", "c"]])), /there is no parameter Q/);
});

/** A cloud with a workspace of its own, and what was called. */
async function world() {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-template-"));
  const cloud = await startCloud({ dir });
  const calls: string[] = [];
  const call: Call = (service, operation, input) => {
    calls.push(operation);
    return cloud.aws.call(service, operation, input);
  };
  return {
    cloud,
    dir,
    /** Deploys, and tells which operations that change anything were called. */
    async deploy(text: string): Promise<{ report: Report; changes: string[] }> {
      calls.length = 0;
      const here = { ...place, dir, endpoint: cloud.endpoint };
      const report = await deploy(plan(text, { place: here, parameters: NO_PARAMETERS }), { call, place: here });
      return { report, changes: calls.filter((name) => !/^(Get|Head|List|Describe|Scan)/.test(name)) };
    },
    async [Symbol.asyncDispose]() {
      await cloud[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const PIPELINE = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Input:
    Type: AWS::S3::Bucket
    Metadata: { AwsLike: { Directory: ./input } }
  Rows:
    Type: AWS::Serverless::SimpleTable
    Properties: { TableName: rows }
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: fn
      Runtime: provided.al2023
      Handler: lambda.handler
      CodeUri: .
      Environment: { Variables: { TABLE: !Ref Rows } }
      Policies: [DynamoDBWritePolicy: { TableName: !Ref Rows }]
      Events: { Dropped: { Type: S3, Properties: { Bucket: !Ref Input, Events: "s3:ObjectCreated:*", Filter: { S3Key: { Rules: [{ Name: suffix, Value: .txt }] } } } } }
`;

test("a template is made, and made again changes nothing", async () => {
  await using it = await world();
  await writeFile(join(it.dir, "lambda.sh"), "handler() { echo '{}'; }\n");
  const { report } = await it.deploy(PIPELINE);
  assert.deepEqual(report.made, ["Rows", "FnRole", "Fn", "FnDroppedPermission", "Input"]);
  const { aws } = it.cloud;
  const { TagSet } = await aws.call("s3", "GetBucketTagging", { Bucket: "input" });
  assert.deepEqual(TagSet, [{ Key: "aws-like:directory", Value: "input" }]);
  const notification = await aws.call("s3", "GetBucketNotificationConfiguration", { Bucket: "input" });
  assert.match(notification.LambdaFunctionConfigurations![0]!.LambdaFunctionArn!, /:function:fn$/);

  const again = await it.deploy(PIPELINE);
  assert.deepEqual(again.changes, []);
  assert.deepEqual(again.report, { made: [], changed: [], removed: [], kept: [] });
});

test("what differs is updated, and only that", async () => {
  await using it = await world();
  await writeFile(join(it.dir, "lambda.sh"), "handler() { echo '{}'; }\n");
  await it.deploy(PIPELINE);
  const { report, changes } = await it.deploy(
    PIPELINE.replace("FunctionName: fn", "FunctionName: fn\n      Timeout: 7"),
  );
  assert.deepEqual(report.changed, ["Fn"]);
  assert.deepEqual(changes, ["UpdateFunctionConfiguration", "UpdateFunctionCode", "TagResource"]);
  const { Timeout } = await it.cloud.aws.call("lambda", "GetFunctionConfiguration", { FunctionName: "fn" });
  assert.equal(Timeout, 7);
});

const EVERYTHING = `
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: nodejs22.x, Handler: index.handler }
Resources:
  Q: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 60, RedrivePolicy: { deadLetterTargetArn: !GetAtt D.Arn, maxReceiveCount: 3 }, Tags: [{Key: a, Value: b}] } }
  D: { Type: AWS::SQS::Queue }
  QP:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Q]
      PolicyDocument: { Version: "2012-10-17", Statement: [{ Effect: Allow, Principal: { Service: s3.amazonaws.com }, Action: "sqs:SendMessage", Resource: !GetAtt Q.Arn }] }
  B:
    Type: AWS::S3::Bucket
    DependsOn: QP
    Properties:
      BucketName: photos
      NotificationConfiguration: { QueueConfigurations: [{ Event: "s3:ObjectCreated:*", Queue: !GetAtt Q.Arn }] }
      VersioningConfiguration: { Status: Enabled }
  Tick:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "exports.handler = async (e) => { console.log(JSON.stringify(e)); }"
      EventInvokeConfig: { MaximumRetryAttempts: 1, DestinationConfig: { OnSuccess: { Type: SQS, Destination: !GetAtt D.Arn } } }
      Events:
        Every: { Type: Schedule, Properties: { Schedule: rate(5 minutes), Input: '{"tick":1}' } }
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{ AttributeName: a, AttributeType: S }, { AttributeName: b, AttributeType: N }]
      KeySchema: [{ AttributeName: a, KeyType: HASH }]
      BillingMode: PAY_PER_REQUEST
      GlobalSecondaryIndexes: [{ IndexName: byB, KeySchema: [{ AttributeName: b, KeyType: HASH }], Projection: { ProjectionType: ALL } }]
      TimeToLiveSpecification: { AttributeName: ttl, Enabled: true }
      StreamSpecification: { StreamViewType: KEYS_ONLY }
      Tags: [{ Key: x, Value: "y" }]
`;

test("every type of resource is made, changed and removed", async () => {
  await using it = await world();
  const { aws } = it.cloud;
  const first = await it.deploy(EVERYTHING);
  assert.deepEqual(first.report.made.toSorted(), [
    ...["B", "D", "Q", "QP", "T", "Tick", "TickEventInvokeConfig", "TickEvery", "TickEveryPermission", "TickRole"],
  ]);
  assert.deepEqual((await it.deploy(EVERYTHING)).changes, []);
  await it.cloud.advance(61 * 60_000); // a time to live is changed once an hour
  const { QueueUrls } = await aws.call("sqs", "ListQueues", { QueueNamePrefix: "workspace-D-" });
  const { Messages } = await aws.call("sqs", "ReceiveMessage", { QueueUrl: QueueUrls![0]! });
  assert.match(
    Messages![0]!.Body!,
    /"requestPayload":\{"tick":1\}/,
    "the schedule ran the function, and its success was told",
  );

  const changed = EVERYTHING.replace("VisibilityTimeout: 60, ", "")
    .replace(", Tags: [{Key: a, Value: b}]", "")
    .replace("rate(5 minutes)", "rate(1 hour)")
    .replace("MaximumRetryAttempts: 1", "MaximumRetryAttempts: 0")
    .replace("byB", "byC")
    .replace("KEYS_ONLY", "NEW_IMAGE")
    .replace("Enabled: true", "Enabled: false")
    .replace("Status: Enabled", "Status: Suspended");
  const { report } = await it.deploy(changed);
  assert.deepEqual(report.changed.toSorted(), ["B", "Q", "T", "TickEventInvokeConfig", "TickEvery"]);
  const name = (await aws.call("dynamodb", "ListTables", {})).TableNames![0]!;
  const { Table } = await aws.call("dynamodb", "DescribeTable", { TableName: name });
  assert.deepEqual(
    Table!.GlobalSecondaryIndexes!.map(({ IndexName }) => IndexName),
    ["byC"],
  );
  assert.equal(Table!.StreamSpecification!.StreamViewType, "NEW_IMAGE");
  const url = (await aws.call("sqs", "ListQueues", { QueueNamePrefix: "workspace-Q-" })).QueueUrls![0]!;
  const attributes = await aws.call("sqs", "GetQueueAttributes", { QueueUrl: url, AttributeNames: ["All"] });
  assert.equal(attributes.Attributes!.VisibilityTimeout, "30", "what is no longer said is the default again");
  assert.match(attributes.Attributes!.Policy!, /s3\.amazonaws\.com/);
  assert.deepEqual((await aws.call("sqs", "ListQueueTags", { QueueUrl: url })).Tags ?? {}, {});
  const { Rules } = await aws.call("events", "ListRules", {});
  assert.equal(Rules![0]!.ScheduleExpression, "rate(1 hour)");

  const last = await it.deploy("Resources: { Only: { Type: AWS::SQS::Queue } }");
  assert.equal(last.report.removed.length, 10);
  assert.deepEqual((await aws.call("lambda", "ListFunctions", {})).Functions, []);
  assert.deepEqual((await aws.call("iam", "ListRoles", {})).Roles, []);
  assert.deepEqual((await aws.call("events", "ListRules", {})).Rules, []);
  assert.deepEqual((await aws.call("s3", "ListBuckets", {})).Buckets, []);
  assert.equal((await aws.call("sqs", "ListQueues", {})).QueueUrls!.length, 1);
});

test("a table's billing, class, protection and encryption change one after the other, its indexes with it", async () => {
  await using it = await world();
  const table = (properties: string) => `
Resources:
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: table
      AttributeDefinitions: [{ AttributeName: a, AttributeType: S }]
      KeySchema: [{ AttributeName: a, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - { IndexName: byA, KeySchema: [{ AttributeName: a, KeyType: HASH }], Projection: { ProjectionType: ALL }, ${properties.includes("PROVISIONED") ? "ProvisionedThroughput: { ReadCapacityUnits: 3, WriteCapacityUnits: 4 }" : ""} }
      ${properties}
`;
  const { aws } = it.cloud;
  const described = async () => (await aws.call("dynamodb", "DescribeTable", { TableName: "table" })).Table!;
  await it.deploy(table("BillingMode: PAY_PER_REQUEST\n      OnDemandThroughput: { MaxReadRequestUnits: 10 }"));
  assert.deepEqual((await described()).OnDemandThroughput, { MaxReadRequestUnits: 10 });
  await it.deploy(table("BillingMode: PAY_PER_REQUEST"));
  assert.equal((await described()).OnDemandThroughput, undefined);

  const provisioned = table(`BillingMode: PROVISIONED
      ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 2 }
      DeletionProtectionEnabled: true
      TableClass: STANDARD_INFREQUENT_ACCESS
      SSESpecification: { SSEEnabled: true }`);
  await it.deploy(provisioned);
  const now = await described();
  assert.equal(now.BillingModeSummary?.BillingMode, "PROVISIONED");
  assert.equal(now.ProvisionedThroughput?.WriteCapacityUnits, 2);
  assert.equal(now.GlobalSecondaryIndexes?.[0]?.ProvisionedThroughput?.WriteCapacityUnits, 4);
  assert.equal(now.DeletionProtectionEnabled, true);
  assert.equal(now.TableClassSummary?.TableClass, "STANDARD_INFREQUENT_ACCESS");
  assert.equal(now.SSEDescription?.Status, "ENABLED");
  await it.deploy(provisioned.replace("ReadCapacityUnits: 3", "ReadCapacityUnits: 9"));
  assert.equal((await described()).GlobalSecondaryIndexes?.[0]?.ProvisionedThroughput?.ReadCapacityUnits, 9);
});

test("a stream's ARN is known to who needs it, also a new stream's", async () => {
  await using it = await world();
  const template = `
Resources:
  Reader:
    Type: AWS::IAM::Role
    Properties:
      RoleName: reader
      AssumeRolePolicyDocument: { Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: "sts:AssumeRole" }] }
      Policies:
        - PolicyName: stream
          PolicyDocument: { Statement: [{ Effect: Allow, Action: "dynamodb:GetRecords", Resource: [!GetAtt T.StreamArn, !Sub "\${T.StreamArn}/*"] }] }
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{ AttributeName: a, AttributeType: S }]
      KeySchema: [{ AttributeName: a, KeyType: HASH }]
      BillingMode: PAY_PER_REQUEST
      StreamSpecification: { StreamViewType: KEYS_ONLY }
Outputs:
  Stream: { Value: !GetAtt T.StreamArn }
`;
  const { aws } = it.cloud;
  const seen = async () => {
    const [TableName] = (await aws.call("dynamodb", "ListTables", {})).TableNames!;
    const arn = (await aws.call("dynamodb", "DescribeTable", { TableName: TableName! })).Table!.LatestStreamArn!;
    const { PolicyDocument } = await aws.call("iam", "GetRolePolicy", { RoleName: "reader", PolicyName: "stream" });
    assert.deepEqual(JSON.parse(decodeURIComponent(PolicyDocument!)).Statement[0].Resource, [arn, `${arn}/*`]);
    return arn;
  };
  await it.deploy(template);
  const first = await seen();
  assert.deepEqual((await it.deploy(template)).changes, []);
  const { report } = await it.deploy(template.replace("KEYS_ONLY", "NEW_IMAGE"));
  assert.deepEqual(report.changed, ["T", "Reader"]);
  assert.notEqual(await seen(), first);
  await assert.rejects(
    it.deploy(
      template.replace("StreamSpecification: { StreamViewType: KEYS_ONLY }", "DeletionProtectionEnabled: false"),
    ),
    /has no StreamArn/,
  );
});

test("a bucket's access block, ownership and encryption are put, changed and taken away", async () => {
  await using it = await world();
  const bucket = (properties: string) =>
    `Resources: { B: { Type: AWS::S3::Bucket, Properties: { BucketName: photos, ${properties} } } }`;
  const { aws } = it.cloud;
  const Bucket = "photos";
  await it.deploy(
    bucket(`PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: false },
      OwnershipControls: { Rules: [{ ObjectOwnership: ObjectWriter }] },
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: AES256 }, BucketKeyEnabled: true }] }`),
  );
  const { PublicAccessBlockConfiguration } = await aws.call("s3", "GetPublicAccessBlock", { Bucket });
  assert.equal(PublicAccessBlockConfiguration!.BlockPublicAcls, true);
  assert.equal(PublicAccessBlockConfiguration!.BlockPublicPolicy, false);
  const { OwnershipControls } = await aws.call("s3", "GetBucketOwnershipControls", { Bucket });
  assert.deepEqual(OwnershipControls, { Rules: [{ ObjectOwnership: "ObjectWriter" }] });
  const encryption = await aws.call("s3", "GetBucketEncryption", { Bucket });
  assert.equal(encryption.ServerSideEncryptionConfiguration!.Rules![0]!.BucketKeyEnabled, true);
  await it.deploy(bucket("OwnershipControls: { Rules: [{ ObjectOwnership: BucketOwnerPreferred }] }"));
  await assert.rejects(aws.call("s3", "GetPublicAccessBlock", { Bucket }), {
    code: "NoSuchPublicAccessBlockConfiguration",
  });
  const changed = await aws.call("s3", "GetBucketOwnershipControls", { Bucket });
  assert.deepEqual(changed.OwnershipControls, { Rules: [{ ObjectOwnership: "BucketOwnerPreferred" }] });
});

test("what somebody deleted is made again", async () => {
  await using it = await world();
  await writeFile(join(it.dir, "lambda.sh"), "handler() { echo '{}'; }\n");
  await it.deploy(PIPELINE);
  await it.cloud.aws.call("lambda", "DeleteFunction", { FunctionName: "fn" });
  const { report } = await it.deploy(PIPELINE);
  assert.deepEqual(report.made, ["Fn", "FnDroppedPermission"], "the function's policy went with it");
});

test("what the template forgot is removed, but a table with items and a bucket with objects stay", async () => {
  await using it = await world();
  const table = (name: string) =>
    `  ${name}: { Type: AWS::Serverless::SimpleTable, Properties: { TableName: ${name} } }\n`;
  const bucket = (name: string) =>
    `  ${name}: { Type: AWS::S3::Bucket, Properties: { BucketName: bucket-${name.toLowerCase()} } }\n`;
  const head = "Transform: AWS::Serverless-2016-10-31\nResources:\n";
  const keep = table("Stays");
  await it.deploy(head + keep + table("Empty") + table("Full") + bucket("None") + bucket("Some"));
  const { aws } = it.cloud;
  await aws.call("dynamodb", "PutItem", { TableName: "Full", Item: { id: { S: "1" } } });
  await aws.call("s3", "PutObject", { Bucket: "bucket-some", Key: "a", Body: Readable.from("a") });
  const { report } = await it.deploy(head + keep);
  assert.deepEqual(report.removed, ["None (bucket-none)", "Empty (Empty)"]);
  assert.deepEqual(report.kept, ["Some (bucket-some)", "Full (Full)"]);
  assert.deepEqual((await aws.call("dynamodb", "ListTables", {})).TableNames, ["Full", "Stays"]);
});

test("a logical id may change while the thing stays", async () => {
  await using it = await world();
  const text = (id: string) => `Resources: { ${id}: { Type: AWS::S3::Bucket, Properties: { BucketName: photos } } }`;
  await it.deploy(text("One"));
  assert.deepEqual((await it.deploy(text("Two"))).changes, []);
});

test("a key cannot change under a table's items", async () => {
  await using it = await world();
  const text = (key: string) =>
    `Transform: AWS::Serverless-2016-10-31\nResources:\n  T:\n    Type: AWS::Serverless::SimpleTable\n    Properties: { TableName: keyed, PrimaryKey: { Name: ${key}, Type: String } }`;
  await it.deploy(text("a"));
  assert.deepEqual((await it.deploy(text("b"))).changes, ["DeleteTable", "CreateTable"], "an empty one is made anew");
  await it.cloud.aws.call("dynamodb", "PutItem", { TableName: "keyed", Item: { b: { S: "1" } } });
  await assert.rejects(it.deploy(text("c")), /KeySchema cannot change while keyed holds something/);
});

test("what a service refuses is told with the resource's line; what came before it is written down", async () => {
  await using it = await world();
  const text = `Resources:
  A: { Type: AWS::S3::Bucket, Properties: { BucketName: photos } }
  B:
    Type: AWS::S3::Bucket
    Properties: { BucketName: Not_A_Bucket }`;
  await assert.rejects(it.deploy(text), (error: TemplateError) => {
    assert.equal(error.line, 3);
    assert.match(error.message, /^AWS::S3::Bucket: InvalidBucketName: /);
    return true;
  });
  assert.deepEqual((await it.deploy(text.slice(0, text.indexOf("  B:")))).changes, []);
});

/** The template as `up` has it: a file, and what was said. */
async function opened(it: { cloud: TestCloud; dir: string }) {
  const said: string[] = [];
  const file = join(it.dir, "template.yaml");
  const template = await openTemplate(it.cloud.aws, {
    file,
    parameters: NO_PARAMETERS,
    say: (level, text) => said.push(`${level} ${text}`),
  });
  const heard = async (pattern: RegExp) => {
    for (const end = performance.now() + 5_000; performance.now() < end; await new Promise((r) => setTimeout(r, 20)))
      if (said.some((line) => pattern.test(line))) return;
    assert.fail(`${pattern} was not said, but: ${said.join("\n")}`);
  };
  return { template, file, said, heard };
}

const BUCKETS = (...names: string[]) =>
  `Resources:\n${names.map((name) => `  ${name}: { Type: AWS::S3::Bucket, Properties: { BucketName: bucket-${name.toLowerCase()} } }`).join("\n")}\n`;

test("a template that changes is deployed; a broken one keeps the world and says where it is broken", async () => {
  await using it = await world();
  const { template, file, heard } = await opened(it);
  await using _ = template;
  await writeFile(file, BUCKETS("A"));
  await template.deploy();
  await writeFile(file, BUCKETS("A", "B"));
  await heard(/info 2 resources: made B/);
  await writeFile(file, BUCKETS("A", "B").replace("BucketName: bucket-b", "Nope: 1"));
  await heard(
    /error template\.yaml:3: Resources\.B\.Properties\.Nope: aws-like does not understand this property; what was made stays/,
  );
  const { Buckets } = await it.cloud.aws.call("s3", "ListBuckets", {});
  assert.deepEqual(
    Buckets!.map(({ Name }) => Name),
    ["bucket-a", "bucket-b"],
  );
  await writeFile(file, BUCKETS("A"));
  await heard(/removed B \(bucket-b\)/);
});

test("a template that failed is tried again when it is saved again", async () => {
  await using it = await world();
  const { template, file, heard } = await opened(it);
  await using _ = template;
  await writeFile(file, BUCKETS("A"));
  await template.deploy();
  const text = one("AWS::Serverless::Function", "Runtime: provided.al2023\nHandler: late.handler\nCodeUri: .");
  await writeFile(file, text);
  await heard(/there is no late\.sh/);
  await writeFile(join(it.dir, "late.sh"), "handler() { echo '{}'; }\n");
  await writeFile(file, text);
  await heard(/made ItRole, It|made It, ItRole/);
});

test("without a template nothing is made; one that appears later is", async () => {
  await using it = await world();
  const { template, file, heard } = await opened(it);
  await using _ = template;
  await template.deploy();
  await heard(/there is no .*template\.yaml: nothing is made/);
  await writeFile(file, BUCKETS("A"));
  await heard(/made A/);
});

test("a reset makes again what the template says", async () => {
  await using it = await world();
  const { template, file } = await opened(it);
  await using _ = template;
  await writeFile(file, BUCKETS("A"));
  await template.deploy();
  await it.cloud.aws.call("s3", "CreateBucket", { Bucket: "by-hand" });
  await it.cloud.aws.reset();
  const { Buckets } = await it.cloud.aws.call("s3", "ListBuckets", {});
  assert.deepEqual(
    Buckets!.map(({ Name }) => Name),
    ["bucket-a"],
  );
});

test("inline code of a template runs", async () => {
  await using it = await world();
  await mkdir(join(it.dir, "input"), { recursive: true });
  await it.deploy(
    one(
      "AWS::Serverless::Function",
      "FunctionName: inline\nRuntime: nodejs22.x\nHandler: index.handler\nInlineCode: |\n  exports.handler = async () => ({ answer: 42 });",
    ),
  );
  const { Payload } = await it.cloud.aws.call("lambda", "Invoke", { FunctionName: "inline" });
  assert.deepEqual(JSON.parse(Buffer.from(Payload!).toString()), { answer: 42 });
  assert.ok(existsSync(join(it.dir, ".aws-like", "template", "It", "index.js")));
});
