// Buses, rules and queues for tests about events: what an event met, and what came of it.
import { EventBridge, type PutRuleCommandInput, type Target } from "@aws-sdk/client-eventbridge";
import { IAM } from "@aws-sdk/client-iam";
import { type Message, SQS } from "@aws-sdk/client-sqs";
import type { Key, TestCloud } from "./cloud.ts";
import { policy, trust } from "./principals.ts";

export const queueArn = (name: string): string => `arn:aws:sqs:us-east-1:000000000000:${name}`;
export const ruleArn = (name: string): string => `arn:aws:events:us-east-1:000000000000:rule/${name}`;
export const busArn = (name: string): string => `arn:aws:events:us-east-1:000000000000:event-bus/${name}`;

/** A queue that lets EventBridge send, and what came to it since it was asked last, once all is settled. */
export async function sink(cloud: TestCloud, QueueName: string, Attributes: Record<string, string> = {}) {
  const sqs = cloud.client(SQS);
  const Policy = policy({
    Effect: "Allow",
    Principal: { Service: "events.amazonaws.com" },
    Action: "sqs:SendMessage",
    Resource: queueArn(QueueName),
  });
  const { QueueUrl } = await sqs.createQueue({ QueueName, Attributes: { Policy, ...Attributes } });
  return async (): Promise<Message[]> => {
    await cloud.settle();
    const all: Message[] = [];
    for (;;) {
      const asked = { AttributeNames: ["All" as const], MessageAttributeNames: ["All"], MaxNumberOfMessages: 10 };
      const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, ...asked });
      if (Messages.length === 0) return all;
      for (const { ReceiptHandle } of Messages) await sqs.deleteMessage({ QueueUrl, ReceiptHandle });
      all.push(...Messages);
    }
  };
}

/** A rule with targets that have only an ARN, or are said in full. */
export async function listen(
  events: EventBridge,
  { Name, EventPattern, ...rest }: Omit<PutRuleCommandInput, "EventPattern"> & { EventPattern: object },
  ...targets: (string | Partial<Target>)[]
): Promise<void> {
  await events.putRule({ Name, EventPattern: JSON.stringify(EventPattern), ...rest });
  if (targets.length === 0) return;
  const Targets = targets.map((target, at) => ({
    Id: `t${at}`,
    ...(typeof target === "string" ? { Arn: target } : { Arn: "", ...target }),
  }));
  await events.putTargets({ Rule: Name, EventBusName: rest.EventBusName, Targets });
}

/** A role that EventBridge may take, and what it may do. Its ARN. */
export async function roleFor(cloud: TestCloud, RoleName: string, ...statements: object[]): Promise<string> {
  const iam = cloud.client(IAM);
  const AssumeRolePolicyDocument = trust({ Service: "events.amazonaws.com" });
  const { Role } = await iam.createRole({ RoleName, AssumeRolePolicyDocument });
  if (statements.length > 0)
    await iam.putRolePolicy({ RoleName, PolicyName: "p", PolicyDocument: policy(...statements) });
  return Role!.Arn!;
}

export const eventsOf = (cloud: TestCloud, as?: Key): EventBridge => cloud.client(EventBridge, as);

export const entry = (detail: object | string = {}, more: object = {}) => ({
  Source: "app",
  DetailType: "t",
  Detail: typeof detail === "string" ? detail : JSON.stringify(detail),
  ...more,
});
