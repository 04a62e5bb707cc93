// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub has them
// What a template says of EventBridge, made on a real cloud, changed, and gone again.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { deploy } from "../src/template/deploy.ts";
import { plan } from "../src/template/plan.ts";
import { busArn, entry, eventsOf, queueArn, ruleArn } from "./bus.ts";
import { startCloud } from "./cloud.ts";

const TEMPLATE = `
Resources:
  Orders:
    Type: AWS::Events::EventBus
    Properties: { Name: orders, Description: d, Tags: [{ Key: a, Value: b }] }
  Open:
    Type: AWS::Events::EventBusPolicy
    Properties:
      EventBusName: !Ref Orders
      StatementId: open
      Statement: { Effect: Allow, Principal: { AWS: "222222222222" }, Action: events:PutEvents, Resource: !GetAtt Orders.Arn }
  Account:
    Type: AWS::Events::EventBusPolicy
    Properties: { EventBusName: !Ref Orders, StatementId: account, Action: events:PutEvents, Principal: "333333333333" }
  Kept:
    Type: AWS::Events::Archive
    Properties: { ArchiveName: kept, SourceArn: !GetAtt Orders.Arn, EventPattern: { source: [shop] }, RetentionDays: 7 }
  Q: { Type: AWS::SQS::Queue, Properties: { QueueName: big } }
  Into:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Q]
      PolicyDocument:
        Statement: { Effect: Allow, Principal: { Service: events.amazonaws.com }, Action: sqs:SendMessage, Resource: !GetAtt Q.Arn, Condition: { ArnEquals: { aws:SourceArn: !GetAtt Big.Arn } } }
  Big:
    Type: AWS::Events::Rule
    Properties:
      Name: big
      EventBusName: !Ref Orders
      EventPattern: { source: [shop], detail: { total: [{ numeric: [">", 100] }] } }
      Targets:
        - { Id: q, Arn: !GetAtt Q.Arn, InputTransformer: { InputPathsMap: { t: $.detail.total }, InputTemplate: '{"total": <t>}' } }
        - { Id: hook, Arn: !GetAtt Hook.Arn, RoleArn: "arn:aws:iam::000000000000:role/r", HttpParameters: { HeaderParameters: { x: y } } }
  Key:
    Type: AWS::Events::Connection
    Properties: { Name: key, AuthorizationType: API_KEY, AuthParameters: { ApiKeyAuthParameters: { ApiKeyName: k, ApiKeyValue: v } } }
  Hook:
    Type: AWS::Events::ApiDestination
    Properties: { Name: hook, ConnectionArn: !GetAtt Key.Arn, InvocationEndpoint: "https://127.0.0.1:9/", HttpMethod: POST }
`;

test("A template's bus, policy statements, archive, rule, connection and API destination are made, changed and removed", async () => {
  await using cloud = await startCloud();
  const events = eventsOf(cloud);
  const place = {
    account: "000000000000",
    region: "us-east-1",
    stack: "workspace",
    endpoint: cloud.endpoint,
    dir: cloud.aws.config.dir,
  };
  const make = (text: string) =>
    deploy(plan(text, { place, parameters: new Map() }), {
      call: (service, operation, input) => cloud.aws.call(service, operation, input),
      place,
    });
  await make(TEMPLATE);
  const { Policy, Description } = await events.describeEventBus({ Name: "orders" });
  const sids = (JSON.parse(Policy!) as { Statement: { Sid: string }[] }).Statement.map(({ Sid }) => Sid);
  assert.deepEqual([sids.sort(), Description], [["account", "open"], "d"]);
  const { EventPattern, RetentionDays, EventSourceArn } = await events.describeArchive({ ArchiveName: "kept" });
  assert.deepEqual([EventPattern, RetentionDays, EventSourceArn], ['{"source":["shop"]}', 7, busArn("orders")]);
  const { ApiDestinationArn } = await events.describeApiDestination({ Name: "hook" });
  const { Targets } = await events.listTargetsByRule({ Rule: "big", EventBusName: "orders" });
  assert.deepEqual(
    Targets!.map(({ Arn }) => Arn),
    [ApiDestinationArn, queueArn("big")],
  );
  await events.putEvents({ Entries: [entry({ total: 250 }, { Source: "shop", EventBusName: "orders" })] });
  await cloud.settle();
  const { Messages } = await cloud.aws.call("sqs", "ReceiveMessage", {
    QueueUrl: `${cloud.endpoint}/000000000000/big`,
  });
  assert.deepEqual(
    Messages!.map(({ Body }) => Body),
    ['{"total": 250}'],
  );

  const changed = TEMPLATE.replace("Description: d, ", "")
    .replace("Key: a", "Key: c")
    .replace("RetentionDays: 7", "RetentionDays: 8");
  const report = await make(changed.replace("HttpMethod: POST", "HttpMethod: PUT").replace(/- \{ Id: hook.*\n/, "\n"));
  assert.deepEqual(report.changed.toSorted(), ["Big", "Hook", "Kept", "Orders"]);
  assert.equal((await events.describeEventBus({ Name: "orders" })).Description, undefined);
  assert.deepEqual((await events.listTagsForResource({ ResourceARN: busArn("orders") })).Tags, [
    { Key: "c", Value: "b" },
  ]);
  assert.equal((await events.describeArchive({ ArchiveName: "kept" })).RetentionDays, 8);
  assert.equal((await events.listTargetsByRule({ Rule: "big", EventBusName: "orders" })).Targets!.length, 1);

  await make("Resources: { Only: { Type: AWS::SQS::Queue } }");
  assert.deepEqual(
    (await events.listEventBuses({})).EventBuses!.map(({ Name }) => Name),
    ["default"],
  );
  assert.deepEqual(
    [(await events.listConnections({})).Connections, (await events.listArchives({})).Archives],
    [[], []],
  );
});

test("A function's EventBridgeRule is a rule on its bus, and a permission for it", () => {
  const place = {
    account: "000000000000",
    region: "us-east-1",
    stack: "workspace",
    endpoint: "http://127.0.0.1:1",
    dir: join(import.meta.dirname, "../example"),
  };
  const text = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: lambda.handler
      CodeUri: .
      Events:
        Placed: { Type: EventBridgeRule, Properties: { Pattern: { source: [shop] }, EventBusName: orders, RuleName: placed, InputPath: $.detail, Target: { Id: t } } }
`;
  const made = Object.fromEntries(
    plan(text, { place, parameters: new Map() }).resources.map((one) => [one.id, one.properties]),
  );
  const { EventPattern, EventBusName, Targets } = made.FnPlaced!;
  const [target] = Targets as Record<string, unknown>[];
  assert.deepEqual(
    [EventPattern, EventBusName, target!.InputPath, target!.Id],
    [{ source: ["shop"] }, "orders", "$.detail", "t"],
  );
  assert.equal(made.FnPlacedPermission!.SourceArn, ruleArn("orders/placed"));
});
