// PutTargets, RemoveTargets, ListTargetsByRule, ListRuleNamesByTarget.
import { defineOperations, type Input, parseArn } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cursorOf, paged } from "./pages.ts";
import { listTargets, openRule, refOf } from "./rows.ts";
import { onDefaultBus, onOwnRule, onRule } from "./rules.ts";

export type Target = NonNullable<Input<"events", "PutTargets">["Targets"]>[number];

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const MOST_TARGETS = 5;

export const targets = defineOperations("events", {
  PutTargets: {
    access: (ctx, input) =>
      onOwnRule(ctx, "PutTargets", input.Rule, {
        "events:TargetArn": (input.Targets ?? []).map(({ Arn = "" }) => Arn),
      }),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      const given = input.Targets ?? [];
      for (const target of given) check(target);
      const ref = refOf(ctx, input.Rule);
      await ctx.write(async (tx) => {
        await openRule(tx, ref);
        for (const target of given)
          await tx.run(
            `INSERT INTO events_target (account, region, rule_name, target_id, arn, definition)
             VALUES (:account, :region, :name, :id, :arn, :definition)
             ON CONFLICT (account, region, rule_name, target_id)
             DO UPDATE SET arn = excluded.arn, definition = excluded.definition`,
            { ...ref, id: target.Id!, arn: target.Arn!, definition: JSON.stringify(target) },
          );
        if ((await listTargets(tx, ref)).length > MOST_TARGETS) throw errors.limit();
      });
      return { FailedEntryCount: 0, FailedEntries: [] };
    },
  },

  RemoveTargets: {
    access: (ctx, input) => onOwnRule(ctx, "RemoveTargets", input.Rule),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      const ref = refOf(ctx, input.Rule);
      await ctx.write(async (tx) => {
        await openRule(tx, ref);
        for (const id of input.Ids ?? [])
          await tx.run(
            `DELETE FROM events_target
             WHERE account = :account AND region = :region AND rule_name = :name AND target_id = :id`,
            { ...ref, id },
          );
      });
      return { FailedEntryCount: 0, FailedEntries: [] };
    },
  },

  ListTargetsByRule: {
    access: (ctx, input) => onOwnRule(ctx, "ListTargetsByRule", input.Rule),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      const ref = refOf(ctx, input.Rule);
      const { items, more } = await paged(input, (page) =>
        ctx.read(async (tx) => {
          await openRule(tx, ref);
          return listTargets(tx, ref, page);
        }),
      );
      return {
        Targets: items.map(({ definition }) => JSON.parse(definition) as Target),
        ...(more && { NextToken: cursorOf(items.at(-1)!.target_id) }),
      };
    },
  },

  ListRuleNamesByTarget: {
    access: (ctx) => onRule(ctx, "ListRuleNamesByTarget", "*"),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      const { account, region } = ctx;
      const { items, more } = await paged(input, (page) =>
        ctx.read((tx) =>
          tx.all<{ rule_name: string }>(
            `SELECT DISTINCT rule_name FROM events_target
             WHERE account = :account AND region = :region AND arn = :arn AND rule_name > :after
             ORDER BY rule_name LIMIT :limit`,
            { account, region, arn: input.TargetArn!, ...page },
          ),
        ),
      );
      const RuleNames = items.map(({ rule_name }) => rule_name);
      return { RuleNames, ...(more && { NextToken: cursorOf(RuleNames.at(-1)!) }) };
    },
  },
});

/** What a target may have here; the rest of AWS's members would have no effect. */
const MEMBERS = ["Id", "Arn", "Input", "SqsParameters", "RetryPolicy", "DeadLetterConfig"];
const SERVICES = ["lambda", "sqs"];

function check(target: Target): void {
  const { Id, Arn, Input: input } = target;
  const arn = parseArn(Arn ?? "");
  if (!arn) throw errors.validation(`Parameter ${Arn} is not valid. Reason: Provided Arn is not in correct format.`);
  if (!SERVICES.includes(arn.service)) throw errors.notImplemented(`A target of ${arn.service}`);
  for (const [member, value] of Object.entries(target))
    if (value !== undefined && !MEMBERS.includes(member)) throw errors.notImplemented(`Targets.${member}`);
  if (input !== undefined && !isJson(input))
    throw errors.validation(`JSON syntax error in input for target ${Id} : ${input}`);
  const fifo = arn.service === "sqs" && arn.resource.endsWith(".fifo");
  if (fifo && !target.SqsParameters?.MessageGroupId)
    throw errors.validation(`Parameter(s) SqsParameters must be specified for target: ${Id}.`);
  const dead = target.DeadLetterConfig?.Arn;
  if (dead !== undefined && parseArn(dead)?.service !== "sqs")
    throw errors.validation(`Parameter ${dead} is not valid. Reason: Provided Arn is not in correct format.`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
}
