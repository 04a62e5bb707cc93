// PutTargets, RemoveTargets, ListTargetsByRule, ListRuleNamesByTarget.
import { defineOperations } from "../../kernel/mod.ts";
import { onAll, onRule, passRole } from "./access.ts";
import { busOf, openBus, rulesChanged } from "./bus-rows.ts";
import { errors } from "./errors.ts";
import { cursorOf, paged } from "./pages.ts";
import { busOfRule, listTargets, openRule, putTarget, refOf, removeTarget, ruleNamesOf } from "./rows.ts";
import { checkTarget, type Target } from "./target-checks.ts";

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const MOST_TARGETS = 5;

export const targets = defineOperations("events", {
  PutTargets: {
    access: (ctx, input) => [
      onRule(ctx, "PutTargets", refOf(ctx, input.EventBusName, input.Rule), {
        "events:TargetArn": (input.Targets ?? []).map(({ Arn = "" }) => Arn),
      }),
      ...[...new Set(input.Targets?.map(({ RoleArn }) => RoleArn))].flatMap(passRole),
    ],
    async handle(ctx, input) {
      const ref = refOf(ctx, input.EventBusName, input.Rule);
      const given = input.Targets ?? [];
      for (const target of given) checkTarget(ref, target);
      await ctx.write(async (tx) => {
        await openBus(tx, busOfRule(ref));
        if ((await openRule(tx, ref)).managed_by !== null) throw errors.managed(ref.name);
        for (const target of given)
          await putTarget(tx, ref, { id: target.Id!, arn: target.Arn!, definition: JSON.stringify(target) });
        if ((await listTargets(tx, ref)).length > MOST_TARGETS) throw errors.limit();
        await rulesChanged(ctx, tx, busOfRule(ref));
      });
      return { FailedEntryCount: 0, FailedEntries: [] };
    },
  },

  RemoveTargets: {
    access: (ctx, input) => onRule(ctx, "RemoveTargets", refOf(ctx, input.EventBusName, input.Rule)),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.EventBusName, input.Rule);
      await ctx.write(async (tx) => {
        await openBus(tx, busOfRule(ref));
        const rule = await openRule(tx, ref);
        if (rule.managed_by !== null && !input.Force) throw errors.managed(ref.name);
        for (const id of input.Ids ?? []) await removeTarget(tx, ref, id);
        await rulesChanged(ctx, tx, busOfRule(ref));
      });
      return { FailedEntryCount: 0, FailedEntries: [] };
    },
  },

  ListTargetsByRule: {
    access: (ctx, input) => onRule(ctx, "ListTargetsByRule", refOf(ctx, input.EventBusName, input.Rule)),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.EventBusName, input.Rule);
      const { items, more } = await paged(input, (page) =>
        ctx.read(async (tx) => {
          await openBus(tx, busOfRule(ref));
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
    access: (ctx) => onAll(ctx, "ListRuleNamesByTarget", "rule"),
    async handle(ctx, input) {
      const bus = busOf(ctx, input.EventBusName);
      const { items, more } = await paged(input, (page) =>
        ctx.read(async (tx) => {
          await openBus(tx, bus);
          return ruleNamesOf(tx, bus, { arn: input.TargetArn!, ...page });
        }),
      );
      const RuleNames = items.map(({ rule_name }) => rule_name);
      return { RuleNames, ...(more && { NextToken: cursorOf(RuleNames.at(-1)!) }) };
    },
  },
});
