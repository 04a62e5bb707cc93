// What a template says of pipes, made on a real cloud, changed, and gone again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pipes } from "@aws-sdk/client-pipes";
import { SQS } from "@aws-sdk/client-sqs";
import { deploy } from "../src/template/deploy.ts";
import { plan } from "../src/template/plan.ts";
import { startCloud } from "./cloud.ts";

const TEMPLATE = `
Resources:
  In: { Type: AWS::SQS::Queue }
  Out: { Type: AWS::SQS::Queue }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Statement: [{ Effect: Allow, Action: sts:AssumeRole, Principal: { Service: pipes.amazonaws.com } }] }
      Policies: [{ PolicyName: p, PolicyDocument: { Statement: [{ Effect: Allow, Action: "sqs:*", Resource: [!GetAtt In.Arn, !GetAtt Out.Arn] }] } }]
  Between:
    Type: AWS::Pipes::Pipe
    Properties:
      Source: !GetAtt In.Arn
      Target: !GetAtt Out.Arn
      RoleArn: !GetAtt Role.Arn
      TargetParameters: { InputTemplate: "first <$.body>" }
      Tags: { a: b }
`;

test("A pipe is made, carries, is changed and removed", async () => {
  await using cloud = await startCloud();
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
  const pipes = cloud.client(Pipes);
  const sqs = cloud.client(SQS);
  await make(TEMPLATE);
  const { Pipes: [pipe] = [] } = await pipes.listPipes({});
  assert.deepEqual(
    [pipe!.CurrentState, (await pipes.describePipe({ Name: pipe!.Name })).Tags],
    ["RUNNING", { a: "b" }],
  );
  const [, , , , , into] = pipe!.Source!.split(":");
  const [, , , , , out] = pipe!.Target!.split(":");
  const carried = async (text: string) => {
    await sqs.sendMessage({ QueueUrl: `${cloud.endpoint}/000000000000/${into}`, MessageBody: text });
    await cloud.settle();
    const { Messages } = await sqs.receiveMessage({ QueueUrl: `${cloud.endpoint}/000000000000/${out}` });
    return Messages?.[0]?.Body;
  };
  assert.equal(await carried("a"), "first a");
  await make(TEMPLATE.replace("first", "second").replace("a: b", "c: d"));
  assert.equal(await carried("b"), "second b");
  assert.deepEqual((await pipes.describePipe({ Name: pipe!.Name })).Tags, { c: "d" });
  await make(TEMPLATE.slice(0, TEMPLATE.indexOf("  Between:")));
  assert.deepEqual((await pipes.listPipes({})).Pipes, []);
});
