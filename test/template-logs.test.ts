// What a template says of log groups, made on a real cloud, changed, and gone again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DescribeLogGroupsCommand, ListTagsLogGroupCommand } from "@aws-sdk/client-cloudwatch-logs";
import { deploy } from "../src/template/deploy.ts";
import { plan } from "../src/template/plan.ts";
import { startLogs } from "./logs.ts";

const template = (properties: string) => `
Resources:
  App:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: /app, ${properties} }
Outputs:
  Arn: { Value: !GetAtt App.Arn }
`;

test("A log group is made with its retention and tags, changed, and removed when the template forgets it", async () => {
  await using cloud = await startLogs();
  const { aws, logs } = cloud;
  const { endpoint } = cloud;
  const place = { account: "000000000000", region: "us-east-1", stack: "w", endpoint, dir: aws.config.dir };
  const make = (text: string) =>
    deploy(plan(text, { place, parameters: new Map() }), {
      call: (service, operation, input) => aws.call(service, operation, input),
      place,
    });
  const found = async () => {
    const { logGroups } = await logs.send(new DescribeLogGroupsCommand({}));
    return logGroups!.map(({ logGroupName, retentionInDays, kmsKeyId }) => [logGroupName, retentionInDays, kmsKeyId]);
  };
  await make(template("RetentionInDays: 7, Tags: [{ Key: a, Value: b }, { Key: c, Value: d }]"));
  assert.deepEqual(await found(), [["/app", 7, undefined]]);
  await make(template("KmsKeyId: k, Tags: [{ Key: a, Value: e }]"));
  assert.deepEqual(await found(), [["/app", undefined, "k"]]);
  assert.deepEqual((await logs.send(new ListTagsLogGroupCommand({ logGroupName: "/app" }))).tags, { a: "e" });
  await make(template("RetentionInDays: 1"));
  assert.deepEqual(await found(), [["/app", 1, undefined]]);
  await make("Resources: { Q: { Type: AWS::SQS::Queue } }");
  assert.deepEqual(await found(), []);
});
