// The topic's policy a statement at a time: AddPermission and RemovePermission; and what the door asks of it.
import { type Access, type Arn, type Context, defineOperations } from "../../kernel/mod.ts";
import { onTopic, soundTopicArn, topicOfSubscription } from "./arns.ts";
import { errors } from "./errors.ts";
import { findSubscription } from "./subscription-row.ts";
import { ACTIONS, defaultPolicy, type Policy, statementsOf } from "./topic-policy.ts";
import { changing, findTopic, openTopic, SHELF, saveTopic, type Topic } from "./topic-row.ts";

export const permissions = defineOperations("sns", {
  AddPermission: {
    access: (ctx, input) => onTopic(ctx, "AddPermission", input),
    async handle(ctx, input) {
      const { Label = "", AWSAccountId = [], ActionName = [] } = input;
      const arn = soundTopicArn(ctx, input.TopicArn);
      await changing(ctx, async (tx) => {
        const topic = await openTopic(tx, arn);
        const policy = policyOf(topic);
        const before = statementsOf(policy);
        if (!/^[A-Za-z0-9_-]{1,80}$/.test(Label)) throw errors.parameter("Label");
        if (before.some(({ Sid }) => Sid === Label)) throw errors.parameter("Statement already exists");
        if (AWSAccountId.length === 0 || AWSAccountId.some((account) => !/^\d{12}$/.test(account)))
          throw errors.parameter("AWSAccountId");
        if (ActionName.length === 0 || ActionName.some((action) => action !== "*" && !ACTIONS.includes(action)))
          throw errors.parameter("Policy statement action out of service scope!");
        const statement = {
          Sid: Label,
          Effect: "Allow",
          Principal: { AWS: single(AWSAccountId.map((account) => `arn:aws:iam::${account}:root`)) },
          Action: single(ActionName.map((action) => `SNS:${action}`)),
          Resource: arn,
        };
        await saveTopic(tx, withPolicy(topic, { ...policy, Statement: [...before, statement] }));
      });
      return {};
    },
  },

  RemovePermission: {
    access: (ctx, input) => onTopic(ctx, "RemovePermission", input),
    async handle(ctx, input) {
      const arn = soundTopicArn(ctx, input.TopicArn);
      await changing(ctx, async (tx) => {
        const topic = await openTopic(tx, arn);
        const policy = policyOf(topic);
        const Statement = statementsOf(policy).filter(({ Sid }) => Sid !== input.Label);
        await saveTopic(tx, withPolicy(topic, { ...policy, Statement }));
      });
      return {};
    },
  },
});

/** For the door. Whoever subscribed to another account's topic may look after the subscription: its ARN is the topic's, it is not. */
export function resourcePolicy(
  ctx: Context,
  resource: Arn,
  { action }: Access,
): string | undefined | Promise<string | undefined> {
  if (topicOfSubscription(resource) === undefined)
    return ctx.recall(SHELF, `policy ${resource}`, () =>
      ctx.read(async (tx) => (await findTopic(tx, resource))?.attributes.Policy),
    );
  return ctx.read(async (tx) => {
    const found = await findSubscription(tx, resource);
    return found && JSON.stringify(ownersPolicy(found.owner, action, resource));
  });
}

const ownersPolicy = (owner: string, action: string, resource: Arn) => ({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${owner}:root` }, Action: action, Resource: resource },
  ],
});

const policyOf = (topic: Topic): Policy => JSON.parse(topic.attributes.Policy ?? defaultPolicy(topic)) as Policy;

const withPolicy = (topic: Topic, policy: Policy): Topic => ({
  ...topic,
  attributes: { ...topic.attributes, Policy: JSON.stringify(policy) },
});

const single = <T>(values: readonly T[]): T | readonly T[] => (values.length === 1 ? values[0]! : values);
