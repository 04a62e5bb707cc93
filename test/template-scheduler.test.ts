// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Fn::Sub has them
// What a template says of schedules, made on a real cloud, changed, and gone again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Scheduler } from "@aws-sdk/client-scheduler";
import { deploy } from "../src/template/deploy.ts";
import { plan } from "../src/template/plan.ts";
import { bodies, MINUTE, startCloudAtNoon } from "./schedules.ts";

const TEMPLATE = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs:
    Type: AWS::Scheduler::ScheduleGroup
    Properties: { Name: jobs, Tags: [{ Key: a, Value: b }] }
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Statement: [{ Effect: Allow, Action: sts:AssumeRole, Principal: { Service: scheduler.amazonaws.com }, Condition: { StringEquals: { aws:SourceArn: !GetAtt Jobs.Arn } } }] }
      Policies: [{ PolicyName: send, PolicyDocument: { Statement: [{ Effect: Allow, Action: sqs:SendMessage, Resource: "*" }] } }]
  Nightly:
    Type: AWS::Scheduler::Schedule
    Properties:
      GroupName: !Ref Jobs
      ScheduleExpression: cron(0 8 * * ? *)
      ScheduleExpressionTimezone: Asia/Tokyo
      StartDate: "2027-01-10T13:00:00Z"
      FlexibleTimeWindow: { Mode: "OFF" }
      Target: { Arn: !Sub "arn:aws:sqs:\${AWS::Region}:\${AWS::AccountId}:q", RoleArn: !GetAtt Role.Arn, Input: from Tokyo }
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "exports.handler = async () => {}"
      Handler: index.handler
      Runtime: nodejs24.x
      EventInvokeConfig: { DestinationConfig: { OnSuccess: { Type: SQS, Destination: !Sub "arn:aws:sqs:\${AWS::Region}:\${AWS::AccountId}:q" } } }
      Events:
        Tick: { Type: ScheduleV2, Properties: { ScheduleExpression: rate(1 hour), Input: '{"tick": 1}', RetryPolicy: { MaximumRetryAttempts: 3 } } }
`;

test("Schedules, their groups, and a function's ScheduleV2 are made, run, changed and removed", async () => {
  await using it = await startCloudAtNoon();
  const { cloud } = it;
  const { aws } = cloud;
  const place = {
    account: "000000000000",
    region: "us-east-1",
    stack: "workspace",
    endpoint: cloud.endpoint,
    dir: aws.config.dir,
  };
  const make = (text: string) =>
    deploy(plan(text, { place, parameters: new Map() }), {
      call: (service, operation, input) => aws.call(service, operation, input),
      place,
    });
  const { made } = await make(TEMPLATE);
  assert.deepEqual(made.toSorted(), [
    ...["Fn", "FnEventInvokeConfig", "FnRole", "FnTick", "FnTickRole", "Jobs", "Nightly", "Role"],
  ]);
  await cloud.advance(MINUTE);
  assert.match((await bodies(cloud)).join(), /"requestPayload":\{"tick": ?1\}/, "a rate begins at once");
  const scheduler = cloud.client(Scheduler);
  const { Schedules } = await scheduler.listSchedules({ GroupName: "jobs" });
  const { Arn, Name, State } = Schedules![0]!;
  assert.deepEqual([Arn, State], [`arn:aws:scheduler:us-east-1:000000000000:schedule/jobs/${Name}`, "ENABLED"]);
  const tick = await scheduler.getSchedule({ Name: "FnTick" });
  assert.deepEqual([tick.FlexibleTimeWindow, tick.Target!.RetryPolicy!.MaximumRetryAttempts], [{ Mode: "OFF" }, 3]);

  const changed = TEMPLATE.replace("Key: a", "Key: c")
    .replace("rate(1 hour)", "rate(2 days)")
    .replace("Tokyo }", "Osaka }");
  assert.deepEqual((await make(changed)).changed.toSorted(), ["FnTick", "Jobs", "Nightly"]);
  const ResourceArn = "arn:aws:scheduler:us-east-1:000000000000:schedule-group/jobs";
  assert.deepEqual((await scheduler.listTagsForResource({ ResourceArn })).Tags, [{ Key: "c", Value: "b" }]);
  await bodies(cloud); // changed, the rate began again
  await cloud.advance(11 * 60 * MINUTE);
  assert.deepEqual(
    (await bodies(cloud)).filter((body) => body!.startsWith("from")),
    ["from Osaka"],
  );

  assert.equal((await make("Resources: { Only: { Type: AWS::SQS::Queue } }")).removed.length, 8);
  const left = [(await scheduler.listSchedules({})).Schedules, (await scheduler.listScheduleGroups({})).ScheduleGroups];
  assert.deepEqual(
    left.map((all) => all!.length),
    [0, 1],
  );
});
