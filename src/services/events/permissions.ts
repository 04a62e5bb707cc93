// PutPermission, RemovePermission: the policy of a bus, whole or a statement at a time.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
import { defineOperations, type Input, resourcePolicyFault } from "../../kernel/mod.ts";
import { onBus } from "./access.ts";
import { type BusRef, busArn, busOf, openBus, saveBus } from "./bus-rows.ts";
import { errors } from "./errors.ts";

const LONGEST_POLICY = 10_240;

type Given = Input<"events", "PutPermission">;
interface Policy {
  readonly Version: string;
  readonly Statement: readonly { readonly Sid?: string }[];
}

export const permissions = defineOperations("events", {
  PutPermission: {
    access: (ctx, input) => onBus("PutPermission", busOf(ctx, input.EventBusName)),
    async handle(ctx, input) {
      const ref = busOf(ctx, input.EventBusName);
      const whole = input.Policy === undefined ? undefined : checked(input.Policy);
      const one = whole === undefined ? statementOf(ref, input) : undefined;
      await ctx.write(async (tx) => {
        const bus = await openBus(tx, ref);
        const policy = whole ?? JSON.stringify(withStatement(bus.policy, one!));
        if (policy.length > LONGEST_POLICY) throw errors.policyTooLong();
        await saveBus(tx, { ...bus, policy }, ctx.now);
      });
      return {};
    },
  },

  RemovePermission: {
    access: (ctx, input) => onBus("RemovePermission", busOf(ctx, input.EventBusName)),
    async handle(ctx, input) {
      const ref = busOf(ctx, input.EventBusName);
      await ctx.write(async (tx) => {
        const bus = await openBus(tx, ref);
        const policy = input.RemoveAllPermissions ? null : without(bus.policy, input.StatementId);
        await saveBus(tx, { ...bus, policy }, ctx.now);
      });
      return {};
    },
  },
});

function checked(text: string): string {
  const fault = resourcePolicyFault(text);
  if (fault !== undefined) throw errors.parameter("Policy", fault);
  return text;
}

function statementOf(ref: BusRef, { Action, Principal, StatementId, Condition }: Given) {
  const given = { Action, Principal, StatementId };
  const missing = Object.entries(given).find(([, value]) => value === undefined)?.[0];
  if (missing !== undefined) throw errors.parameter(missing, `${missing} is a required argument.`);
  if (Principal !== "*" && !/^\d{12}$/.test(Principal!))
    throw errors.parameter("Principal", "Principal must be an AWS account ID or *.");
  return {
    Sid: StatementId!,
    Effect: "Allow",
    Principal: Principal === "*" ? "*" : { AWS: `arn:aws:iam::${Principal}:root` },
    Action,
    Resource: busArn(ref),
    ...(Condition && { Condition: { [Condition.Type!]: { [Condition.Key!]: Condition.Value! } } }),
  };
}

const parsed = (policy: string | null): Policy => {
  const document = policy === null ? {} : (JSON.parse(policy) as Partial<Policy>);
  const { Version = "2012-10-17", Statement = [] } = document;
  return { Version, Statement: Array.isArray(Statement) ? Statement : [Statement] };
};

function withStatement(policy: string | null, statement: { Sid: string }): Policy {
  const { Version, Statement } = parsed(policy);
  return { Version, Statement: [...Statement.filter(({ Sid }) => Sid !== statement.Sid), statement] };
}

/** Null: no statement is left. */
function without(policy: string | null, sid: string | undefined): string | null {
  const { Version, Statement } = parsed(policy);
  const left = Statement.filter(({ Sid }) => Sid !== sid);
  if (left.length === Statement.length) throw errors.noStatement();
  return left.length === 0 ? null : JSON.stringify({ Version, Statement: left });
}
