// PutRule, DescribeRule, ListRules, DeleteRule, EnableRule, DisableRule, and the tags of rules.
import {
  type Access,
  type Arn,
  type Conditions,
  type Context,
  defineOperations,
  type Input,
  type Output,
  parseArn,
  parseSchedule,
  requestTagKeys,
  requestTags,
  type Tags,
  type Tx,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { plan } from "./firing.ts";
import { cursorOf, paged } from "./pages.ts";
import {
  findRule,
  listRules,
  listTargets,
  openRule,
  type Rule,
  type RuleRef,
  refOf,
  removeRule,
  ruleArn,
  saveRule,
} from "./rows.ts";

export const onRule = (ctx: Context, action: string, name: string | undefined, conditions?: Conditions): Access => ({
  action: `events:${action}`,
  resource: ruleArn(refOf(ctx, name)),
  ...(conditions && { conditions }),
});

/** For what is done to a rule that is there: events:creatorAccount says whose it is. No rule here is of a service's making (events:ManagedBy). */
export const onOwnRule = (ctx: Context, action: string, name: string | undefined, conditions?: Conditions): Access =>
  onRule(ctx, action, name, { "events:creatorAccount": ctx.account, ...conditions });

const onTags = (action: string, arn: string | undefined, conditions?: Conditions): Access => ({
  action: `events:${action}`,
  resource: arn ?? "",
  conditions: { "events:creatorAccount": parseArn(arn ?? "")?.account ?? "", ...conditions },
});

export const rules = defineOperations("events", {
  PutRule: {
    access: (ctx, input) =>
      ["PutRule", ...(input.Tags?.length ? ["TagResource"] : [])].map((action) =>
        onOwnRule(ctx, action, input.Name, requestTags(input.Tags)),
      ),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.Name);
      onDefaultBus(ctx, input.EventBusName);
      const { schedule, state } = check(input);
      await ctx.write(async (tx) => {
        const before = await findRule(tx, ref);
        const rule: Rule = {
          ...ref,
          schedule,
          state,
          description: input.Description ?? null,
          // "If you are updating an existing rule, any tags you specify in the PutRule operation are ignored."
          tags: before?.tags ?? JSON.stringify(tagged({}, input.Tags ?? [])),
          next_ms: null,
        };
        // What was planned stays so, where nothing of it changed: to put the same rule again puts nothing off.
        const same = before?.schedule === schedule && before.state === state;
        await saveRule(tx, same ? { ...rule, next_ms: before.next_ms } : await plan(ctx, tx, rule));
      });
      return { RuleArn: ruleArn(ref) };
    },
  },

  DescribeRule: {
    access: (ctx, input) => onOwnRule(ctx, "DescribeRule", input.Name),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      const rule = await ctx.read((tx) => openRule(tx, refOf(ctx, input.Name)));
      return { ...toOutput(rule), CreatedBy: rule.account };
    },
  },

  ListRules: {
    access: (ctx) => onRule(ctx, "ListRules", "*"),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      const { account, region } = ctx;
      const { items, more } = await paged(input, (page) =>
        ctx.read((tx) => listRules(tx, { account, region, prefix: input.NamePrefix ?? "", ...page })),
      );
      return { Rules: items.map(toOutput), ...(more && { NextToken: cursorOf(items.at(-1)!.name) }) };
    },
  },

  DeleteRule: {
    access: (ctx, input) => onOwnRule(ctx, "DeleteRule", input.Name),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      const ref = refOf(ctx, input.Name);
      await ctx.write(async (tx) => {
        if ((await listTargets(tx, ref, { after: "", limit: 1 })).length > 0)
          throw errors.validation("Rule can't be deleted since it has targets.");
        await removeRule(tx, ref);
      });
      return {};
    },
  },

  EnableRule: {
    access: (ctx, input) => onOwnRule(ctx, "EnableRule", input.Name),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      await turn(ctx, refOf(ctx, input.Name), "ENABLED");
      return {};
    },
  },

  DisableRule: {
    access: (ctx, input) => onOwnRule(ctx, "DisableRule", input.Name),
    async handle(ctx, input) {
      onDefaultBus(ctx, input.EventBusName);
      await turn(ctx, refOf(ctx, input.Name), "DISABLED");
      return {};
    },
  },

  TagResource: {
    access: (_ctx, input) => onTags("TagResource", input.ResourceARN, requestTags(input.Tags)),
    async handle(ctx, input) {
      const given = input.Tags ?? [];
      await retag(ctx, input.ResourceARN, (before) => tagged(before, given));
      return {};
    },
  },

  UntagResource: {
    access: (_ctx, input) => onTags("UntagResource", input.ResourceARN, requestTagKeys(input.TagKeys)),
    async handle(ctx, input) {
      const gone = new Set(input.TagKeys);
      await retag(ctx, input.ResourceARN, (before) =>
        Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(key))),
      );
      return {};
    },
  },

  ListTagsForResource: {
    access: (_ctx, input) => onTags("ListTagsForResource", input.ResourceARN),
    async handle(ctx, input) {
      const rule = await ctx.read((tx) => taggedRule(tx, input.ResourceARN));
      const tags = JSON.parse(rule.tags) as Tags;
      return { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
    },
  },
});

/** By name or ARN. There is no other bus yet. */
export function onDefaultBus(ctx: Context, nameOrArn = "default"): void {
  const own = `arn:aws:events:${ctx.region}:${ctx.account}:event-bus/`;
  const name = nameOrArn.startsWith(own) ? nameOrArn.slice(own.length) : nameOrArn;
  if (name !== "default") throw errors.noBus(name);
}

function check(input: Input<"events", "PutRule">): Pick<Rule, "schedule" | "state"> {
  if (input.EventPattern) throw errors.notImplemented("EventPattern");
  if (input.RoleArn) throw errors.notImplemented("RoleArn");
  const { ScheduleExpression: schedule, State: state = "ENABLED" } = input;
  if (!schedule) throw errors.validation("Parameter(s) EventPattern or ScheduleExpression must be specified.");
  if (!parseSchedule(schedule)) throw errors.validation("Parameter ScheduleExpression is not valid.");
  if (state !== "ENABLED" && state !== "DISABLED") throw errors.notImplemented(`State ${state}`);
  return { schedule, state };
}

async function turn(ctx: Context, ref: RuleRef, state: Rule["state"]): Promise<void> {
  await ctx.write(async (tx) => {
    const rule = await openRule(tx, ref);
    if (rule.state !== state) await saveRule(tx, await plan(ctx, tx, { ...rule, state }));
  });
}

function toOutput(rule: Rule): NonNullable<Output<"events", "ListRules">["Rules"]>[number] {
  return {
    Name: rule.name,
    Arn: ruleArn(rule),
    State: rule.state,
    ...(rule.description !== null && { Description: rule.description }),
    ScheduleExpression: rule.schedule,
    EventBusName: "default",
  };
}

// https://docs.aws.amazon.com/general/latest/gr/aws_tagging.html
const MOST_TAGS = 50;

function tagged(before: Tags, given: NonNullable<Input<"events", "TagResource">["Tags"]>): Tags {
  const after = { ...before, ...Object.fromEntries(given.map(({ Key = "", Value = "" }) => [Key, Value])) };
  if (Object.keys(after).length > MOST_TAGS) throw errors.limit();
  return after;
}

async function retag(ctx: Context, arn: string | undefined, to: (before: Tags) => Tags): Promise<void> {
  await ctx.write(async (tx) => {
    const rule = await taggedRule(tx, arn);
    await saveRule(tx, { ...rule, tags: JSON.stringify(to(JSON.parse(rule.tags) as Tags)) });
  });
}

async function taggedRule(tx: Tx, arn: string | undefined): Promise<Rule> {
  const ref = refOfArn(arn ?? "");
  if (!ref)
    throw errors.validation("Parameter ResourceARN is not valid. Reason: Provided Arn is not in correct format.");
  return openRule(tx, ref);
}

function refOfArn(arn: Arn): RuleRef | undefined {
  const parts = parseArn(arn);
  const name = /^rule\/(?:default\/)?([^/]+)$/.exec(parts?.resource ?? "")?.[1];
  return parts?.service === "events" && name ? { account: parts.account, region: parts.region, name } : undefined;
}

/** For the door. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Tags | undefined> {
  const ref = refOfArn(resource);
  const rule = ref && (await ctx.read((tx) => findRule(tx, ref)));
  return rule && (JSON.parse(rule.tags) as Tags);
}
