// What the tests of schedules share: a cloud at noon with a role and a queue, schedules for it, and what came.
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import { CreateScheduleCommand, type CreateScheduleCommandInput, SchedulerClient } from "@aws-sdk/client-scheduler";
import { CreateQueueCommand, GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startCloud, type TestCloud } from "./cloud.ts";
import { allow, policy, trust } from "./principals.ts";

export const ACCOUNT = "000000000000";
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/sched`;
export const QUEUE = `arn:aws:sqs:us-east-1:${ACCOUNT}:q`;
export const GROUP = `arn:aws:scheduler:us-east-1:${ACCOUNT}:schedule-group/default`;
export const MINUTE = 60_000;

/** A cloud whose clock stands at noon, with a role that may do all that `may` says, and a queue. */
export async function startCloudAtNoon({ may = allow("*"), dir }: { may?: object; dir?: string } = {}) {
  const cloud = await startCloud(dir === undefined ? {} : { dir });
  await cloud.aws.clock({ freeze: true });
  await cloud.advance(Date.parse("2027-01-10T12:00:00Z") - cloud.aws.now());
  await role(cloud, "sched", may);
  await cloud.client(SQSClient).send(new CreateQueueCommand({ QueueName: "q" }));
  const scheduler = cloud.client(SchedulerClient);
  return { cloud, scheduler, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() };
}

export async function role(cloud: TestCloud, RoleName: string, may: object, condition: object = {}): Promise<void> {
  const iam = cloud.client(IAMClient);
  const document = trust({ Service: "scheduler.amazonaws.com" }, condition);
  await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: document }));
  await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: "p", PolicyDocument: policy(may) }));
}

export const schedule = (
  Name: string,
  ScheduleExpression: string,
  { target, ...more }: Partial<CreateScheduleCommandInput> & { target?: object } = {},
) =>
  new CreateScheduleCommand({
    Name,
    ScheduleExpression,
    FlexibleTimeWindow: { Mode: "OFF" },
    Target: { Arn: QUEUE, RoleArn: ROLE, Input: Name, ...target },
    ...more,
  });

/** Bodies of all messages that wait in a queue, oldest first; they are taken out of sight for twelve hours. */
export async function received(cloud: TestCloud, QueueName = "q") {
  const sqs = cloud.client(SQSClient);
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
  const all = [];
  for (;;) {
    const take = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ["All"], VisibilityTimeout: 43_200 };
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(take));
    if (Messages.length === 0) return all;
    all.push(...Messages);
  }
}
export const bodies = async (cloud: TestCloud, queue?: string) =>
  (await received(cloud, queue)).map(({ Body }) => Body);
