// The queue's policy: set as an attribute, or a statement at a time by AddPermission and RemovePermission.
import { type Arn, type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { onQueue, queueArn, queueOfArn } from "./access.ts";
import { errors } from "./errors.ts";
import { findQueue, openQueue, type Queue } from "./queue-row.ts";
import { saveAttributes } from "./queues.ts";

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
}

interface Policy {
  readonly Version?: string;
  readonly Id?: string;
  readonly Statement: Statement | readonly Statement[];
}

export const policies = defineOperations("sqs", {
  AddPermission: {
    access: (ctx, input) => onQueue(ctx, "AddPermission", input),
    async handle(ctx, input) {
      const { Label = "", AWSAccountIds = [], Actions = [] } = input;
      if (!/^[A-Za-z0-9_-]{1,80}$/.test(Label))
        throw errors.parameter(
          "Label",
          Label,
          "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        );
      for (const account of AWSAccountIds)
        if (!/^\d{12}$/.test(account))
          throw errors.parameter("PrincipalId", `[${AWSAccountIds.join(", ")}]`, "Unable to verify.");
      if (Actions.length > MOST_ACTIONS) throw errors.actions(Actions.length, MOST_ACTIONS);
      for (const action of Actions)
        if (!SHARED_ACTIONS.includes(action))
          throw errors.parameter(
            "ActionName",
            `SQS:${action}`,
            "Please refer to the appropriate WSDL for a list of valid actions.",
          );
      await changing(ctx, async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        const policy = policyOf(queue);
        const before = statementsOf(policy);
        if (before.some(({ Sid }) => Sid === Label)) throw errors.parameter("Label", Label, "Already exists.");
        const statement = {
          Sid: Label,
          Effect: "Allow",
          Principal: { AWS: single(AWSAccountIds.map((account) => `arn:aws:iam::${account}:root`)) },
          Action: single(Actions.map((action) => `SQS:${action}`)),
          Resource: queueArn(queue),
        };
        const Policy = JSON.stringify({
          ...(policy ?? { Version: "2008-10-17", Id: `${queueArn(queue)}/SQSDefaultPolicy` }),
          Statement: [...before, statement],
        });
        await saveAttributes(tx, queue, { ...queue.attributes, Policy }, ctx.now);
      });
      return {};
    },
  },

  RemovePermission: {
    access: (ctx, input) => onQueue(ctx, "RemovePermission", input),
    async handle(ctx, input) {
      await changing(ctx, async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        const policy = policyOf(queue);
        const before = statementsOf(policy);
        const Statement = before.filter(({ Sid }) => Sid !== input.Label);
        if (Statement.length === before.length) throw errors.parameter("Label", input.Label, "can't find label.");
        // The last statement takes the policy with it.
        const { Policy: _, ...others } = queue.attributes;
        const attributes =
          Statement.length === 0 ? others : { ...others, Policy: JSON.stringify({ ...policy, Statement }) };
        await saveAttributes(tx, queue, attributes, ctx.now);
      });
      return {};
    },
  },
});

/** Of memory: policies change seldom, messages always. */
const SHELF = "sqs policy";

/** For the door. */
export function resourcePolicy(ctx: Context, resource: Arn): string | undefined | Promise<string | undefined> {
  return ctx.recall(SHELF, resource, async () => {
    const ref = queueOfArn(resource);
    const queue = ref && (await ctx.read((tx) => findQueue(tx, ref)));
    return queue?.attributes.Policy;
  });
}

/** A transaction that makes queues, changes their attributes or takes them away. */
export async function changing<T>(ctx: Context, work: (tx: Tx) => Promise<T>): Promise<T> {
  const answer = await ctx.write(work);
  ctx.forget(SHELF);
  return answer;
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html
const SHARED_ACTIONS = [
  "*",
  "ChangeMessageVisibility",
  "DeleteMessage",
  "GetQueueAttributes",
  "GetQueueUrl",
  "ListDeadLetterSourceQueues",
  "PurgeQueue",
  "ReceiveMessage",
  "SendMessage",
];

const MOST_ACTIONS = 7;

const policyOf = ({ attributes }: Queue): Policy | undefined =>
  attributes.Policy === undefined ? undefined : (JSON.parse(attributes.Policy) as Policy);

const statementsOf = (policy: Policy | undefined): readonly Statement[] =>
  policy === undefined ? [] : [policy.Statement].flat();

const single = <T>(values: readonly T[]): T | readonly T[] => (values.length === 1 ? values[0]! : values);
