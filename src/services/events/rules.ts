// PutRule, DescribeRule, ListRules, DeleteRule, EnableRule, DisableRule.
import {
  type Conditions,
  type Context,
  defineOperations,
  type Input,
  type Output,
  parsedJson,
  parseSchedule,
  requestTags,
  type Tags,
} from "../../kernel/mod.ts";
import { onAll, onRule, passRole } from "./access.ts";
import { type Bus, busOf, DEFAULT_BUS, openBus, rulesChanged } from "./bus-rows.ts";
import { errors } from "./errors.ts";
import { plan } from "./firing.ts";
import { cursorOf, paged } from "./pages.ts";
import { compiled } from "./patterns.ts";
import {
  busOfRule,
  countRules,
  findRule,
  listRules,
  listTargets,
  openRule,
  type Rule,
  type RuleRef,
  type RuleState,
  refOf,
  removeRule,
  ruleArn,
  saveRule,
} from "./rows.ts";
import { tagged } from "./tags.ts";

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html: a quota that AWS raises when asked. Here the bus's tag is asked. */
const MOST_RULES = 300;
const QUOTA_TAG = "aws-like:rules";

export const rules = defineOperations("events", {
  PutRule: {
    access: (ctx, input) => [
      ...["PutRule", ...(input.Tags?.length ? ["TagResource"] : [])].map((action) =>
        onRule(ctx, action, refOf(ctx, input.EventBusName, input.Name), {
          ...requestTags(input.Tags),
          ...patternKeys(input.EventPattern),
        }),
      ),
      ...passRole(input.RoleArn),
    ],
    async handle(ctx, input) {
      const ref = refOf(ctx, input.EventBusName, input.Name);
      const given = check(ref, input);
      await ctx.write(async (tx) => {
        const bus = await openBus(tx, busOfRule(ref));
        const before = await findRule(tx, ref);
        if (before?.managed_by != null) throw errors.managed(ref.name);
        if (!before && (await countRules(tx, bus)) >= quotaOf(bus)) throw errors.limit();
        const rule: Rule = {
          ...ref,
          ...given,
          managed_by: null,
          created_by: before?.created_by ?? ctx.account,
          // "If you are updating an existing rule, any tags you specify in the PutRule operation are ignored."
          tags: before?.tags ?? JSON.stringify(tagged({}, input.Tags ?? [])),
          next_ms: null,
        };
        // What was planned stays so, where nothing of it changed: to put the same rule again puts nothing off.
        const same = before?.schedule === rule.schedule && before.state === rule.state;
        await saveRule(tx, same ? { ...rule, next_ms: before.next_ms } : await plan(ctx, tx, rule));
        await rulesChanged(ctx, tx, bus);
      });
      return { RuleArn: ruleArn(ref) };
    },
  },

  DescribeRule: {
    access: (ctx, input) => onRule(ctx, "DescribeRule", refOf(ctx, input.EventBusName, input.Name)),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.EventBusName, input.Name);
      const rule = await ctx.read(async (tx) => {
        await openBus(tx, busOfRule(ref));
        return openRule(tx, ref);
      });
      return { ...toOutput(rule), CreatedBy: rule.created_by };
    },
  },

  ListRules: {
    access: (ctx) => onAll(ctx, "ListRules", "rule"),
    async handle(ctx, input) {
      const bus = busOf(ctx, input.EventBusName);
      const { items, more } = await paged(input, (page) =>
        ctx.read(async (tx) => {
          await openBus(tx, bus);
          return listRules(tx, bus, { prefix: input.NamePrefix ?? "", ...page });
        }),
      );
      return { Rules: items.map(toOutput), ...(more && { NextToken: cursorOf(items.at(-1)!.name) }) };
    },
  },

  DeleteRule: {
    access: (ctx, input) => onRule(ctx, "DeleteRule", refOf(ctx, input.EventBusName, input.Name)),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.EventBusName, input.Name);
      await ctx.write(async (tx) => {
        const bus = await openBus(tx, busOfRule(ref));
        const rule = await findRule(tx, ref);
        if (rule?.managed_by != null && !input.Force) throw errors.managed(ref.name);
        if ((await listTargets(tx, ref, { after: "", limit: 1 })).length > 0)
          throw errors.validation("Rule can't be deleted since it has targets.");
        await removeRule(tx, ref);
        await rulesChanged(ctx, tx, bus);
      });
      return {};
    },
  },

  EnableRule: {
    access: (ctx, input) => onRule(ctx, "EnableRule", refOf(ctx, input.EventBusName, input.Name)),
    async handle(ctx, input) {
      await turn(ctx, refOf(ctx, input.EventBusName, input.Name), "ENABLED");
      return {};
    },
  },

  DisableRule: {
    access: (ctx, input) => onRule(ctx, "DisableRule", refOf(ctx, input.EventBusName, input.Name)),
    async handle(ctx, input) {
      await turn(ctx, refOf(ctx, input.EventBusName, input.Name), "DISABLED");
      return {};
    },
  },
});

type Given = Pick<Rule, "schedule" | "pattern" | "state" | "description" | "role_arn">;

/** AWS's order: something to wait for; what it waits for; its state. */
function check(ref: RuleRef, input: Input<"events", "PutRule">): Given {
  const { ScheduleExpression, EventPattern, State: state = "ENABLED" } = input;
  const schedule = ScheduleExpression || null;
  const pattern = EventPattern || null;
  if (schedule === null && pattern === null)
    throw errors.validation("Parameter(s) EventPattern or ScheduleExpression must be specified.");
  if (schedule !== null && ref.bus !== DEFAULT_BUS)
    throw errors.validation("ScheduleExpression is supported only on the default event bus.");
  if (schedule !== null && !parseSchedule(schedule)) throw errors.parameter("ScheduleExpression");
  if (pattern !== null) compiled(pattern);
  if (state !== "ENABLED" && state !== "DISABLED") throw errors.notImplemented(`State ${state}`);
  return { schedule, pattern, state, description: input.Description ?? null, role_arn: input.RoleArn || null };
}

function quotaOf({ tags }: Bus): number {
  const said = Number((JSON.parse(tags) as Tags)[QUOTA_TAG]);
  return said > 0 ? said : MOST_RULES;
}

const KEYS: Readonly<Record<string, string>> = { source: "events:source", "detail-type": "events:detail-type" };

/** What the pattern asks for by name, for policies that say which events may be listened to. */
function patternKeys(text: string | undefined): Conditions {
  // What is no JSON is refused by the handler, in AWS's words.
  const pattern = parsedJson(text ?? "{}") as Record<string, unknown> | null | undefined;
  const named = Object.entries(KEYS).flatMap(([member, key]) => {
    const values = Array.isArray(pattern?.[member]) ? (pattern[member] as unknown[]) : [];
    const texts = values.filter((value) => typeof value === "string");
    return texts.length > 0 ? [[key, texts] as const] : [];
  });
  return Object.fromEntries(named);
}

async function turn(ctx: Context, ref: RuleRef, state: RuleState): Promise<void> {
  await ctx.write(async (tx) => {
    const bus = await openBus(tx, busOfRule(ref));
    const rule = await openRule(tx, ref);
    if (rule.managed_by !== null) throw errors.managed(ref.name);
    if (rule.state === state) return;
    await saveRule(tx, await plan(ctx, tx, { ...rule, state }));
    await rulesChanged(ctx, tx, bus);
  });
}

function toOutput(rule: Rule): NonNullable<Output<"events", "ListRules">["Rules"]>[number] {
  return {
    Name: rule.name,
    Arn: ruleArn(rule),
    State: rule.state,
    ...(rule.description !== null && { Description: rule.description }),
    ...(rule.schedule !== null && { ScheduleExpression: rule.schedule }),
    ...(rule.pattern !== null && { EventPattern: rule.pattern }),
    ...(rule.role_arn !== null && { RoleArn: rule.role_arn }),
    ...(rule.managed_by !== null && { ManagedBy: rule.managed_by }),
    EventBusName: rule.bus,
  };
}
