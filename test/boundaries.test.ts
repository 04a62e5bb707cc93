// What nobody may do through a service that carries events, because he may not do it himself.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { IAM } from "@aws-sdk/client-iam";
import { Pipes } from "@aws-sdk/client-pipes";
import { Scheduler } from "@aws-sdk/client-scheduler";
import { SQS } from "@aws-sdk/client-sqs";
import { busArn, eventsOf, listen, queueArn } from "./bus.ts";
import { startCloud } from "./cloud.ts";
import { allow, policy, refusal, trust, userWith } from "./principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const OTHER = { accessKeyId: "222222222222", secretAccessKey: "test" };
const ours = eventsOf(cloud);
const theirs = eventsOf(cloud, OTHER);

test("A role of another account is not handed to a service, not even by a root, and not without iam:PassRole", async () => {
  const iam = cloud.client(IAM);
  const Service = ["events.amazonaws.com", "scheduler.amazonaws.com", "pipes.amazonaws.com"];
  const { Role } = await iam.createRole({ RoleName: "carrier", AssumeRolePolicyDocument: trust({ Service }) });
  const PolicyDocument = policy(allow("*"));
  await iam.putRolePolicy({ RoleName: "carrier", PolicyName: "p", PolicyDocument });
  await cloud.client(SQS).createQueue({ QueueName: "kept" });
  const may = policy(allow(["events:*", "scheduler:*", "pipes:*"]));
  const user = await userWith(cloud, "no-roles", { may });
  const RoleArn = Role!.Arn!;
  await theirs.putRule({ Name: "r", EventPattern: '{"source":["a"]}' });
  await ours.putRule({ Name: "r", EventPattern: '{"source":["a"]}' });
  for (const key of [OTHER, user]) {
    const schedule = {
      Name: "s",
      ScheduleExpression: "rate(1 minute)",
      FlexibleTimeWindow: { Mode: "OFF" as const },
      Target: { Arn: "arn:aws:scheduler:::aws-sdk:sqs:deleteQueue", RoleArn, Input: "{}" },
    };
    const denied = [
      () => eventsOf(cloud, key).putTargets({ Rule: "r", Targets: [{ Id: "1", Arn: queueArn("kept"), RoleArn }] }),
      () => cloud.client(Scheduler, key).createSchedule(schedule),
      () =>
        cloud.client(Pipes, key).createPipe({ Name: "p", Source: queueArn("kept"), Target: queueArn("kept"), RoleArn }),
    ];
    for (const each of denied) assert.match(await refusal(each()), /^AccessDenied\w* 40[03] .*iam:PassRole.*carrier/);
  }
});

test("Another account's archive and connection are as if they were not there", async () => {
  await ours.createArchive({ ArchiveName: "mine", EventSourceArn: busArn("default") });
  const replay = {
    ReplayName: "steal",
    EventSourceArn: "arn:aws:events:us-east-1:000000000000:archive/mine",
    EventStartTime: new Date(0),
    EventEndTime: new Date(),
    Destination: { Arn: busArn("default") },
  };
  const noArchive = "ResourceNotFoundException 400 Archive mine does not exist.";
  assert.equal(await refusal(theirs.startReplay(replay)), noArchive);

  const connection = {
    Name: "c",
    AuthorizationType: "API_KEY",
    AuthParameters: { ApiKeyAuthParameters: { ApiKeyName: "k", ApiKeyValue: "secret" } },
  } as const;
  const { ConnectionArn } = await ours.createConnection(connection);
  const destination = {
    Name: "d",
    InvocationEndpoint: "http://127.0.0.1:1/",
    HttpMethod: "POST",
    ConnectionArn,
  } as const;
  assert.equal(
    await refusal(theirs.createApiDestination(destination)),
    `ResourceNotFoundException 400 Connection '${ConnectionArn}' does not exist.`,
  );
});

test("A target of a service that takes nothing is refused, whatever its name is", async () => {
  for (const service of ["constructor", "toString", "ec2"])
    assert.match(
      await refusal(
        listen(ours, { Name: "none", EventPattern: { source: ["a"] } }, `arn:aws:${service}:us-east-1:000000000000:x`),
      ),
      /^NotImplemented 501 /,
    );
});
