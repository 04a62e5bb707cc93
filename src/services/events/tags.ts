// Tags of rules and buses: 50 at most. https://docs.aws.amazon.com/general/latest/gr/aws_tagging.html
import {
  type Access,
  type Conditions,
  type Context,
  defineOperations,
  type Input,
  requestTagKeys,
  requestTags,
  type Tags,
  type Tx,
} from "../../kernel/mod.ts";
import { accountOf, onRule } from "./access.ts";
import { busOfArn, openBus, saveBus } from "./bus-rows.ts";
import { errors } from "./errors.ts";
import { openRule, refOfArn, saveRule } from "./rows.ts";

const MOST_TAGS = 50;

type TagList = NonNullable<Input<"events", "TagResource">["Tags"]>;

export const tags = defineOperations("events", {
  TagResource: {
    access: (ctx, input) => onTagged(ctx, "TagResource", input.ResourceARN, requestTags(input.Tags)),
    async handle(ctx, input) {
      await retag(ctx, input.ResourceARN, (before) => tagged(before, input.Tags ?? []));
      return {};
    },
  },

  UntagResource: {
    access: (ctx, input) => onTagged(ctx, "UntagResource", input.ResourceARN, requestTagKeys(input.TagKeys)),
    async handle(ctx, input) {
      const gone = new Set(input.TagKeys);
      await retag(ctx, input.ResourceARN, (before) =>
        Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(key))),
      );
      return {};
    },
  },

  ListTagsForResource: {
    access: (ctx, input) => onTagged(ctx, "ListTagsForResource", input.ResourceARN),
    async handle(ctx, input) {
      const { tags: text } = await ctx.read((tx) => open(tx, input.ResourceARN));
      return { Tags: Object.entries(JSON.parse(text) as Tags).map(([Key, Value]) => ({ Key, Value })) };
    },
  },
});

export function tagged(before: Tags, given: TagList): Tags {
  const after = { ...before, ...Object.fromEntries(given.map(({ Key = "", Value = "" }) => [Key, Value])) };
  if (Object.keys(after).length > MOST_TAGS) throw errors.limit();
  return after;
}

function onTagged(ctx: Context, action: string, arn: string | undefined, conditions: Conditions = {}): Access {
  const rule = refOfArn(arn ?? "");
  if (rule) return onRule(ctx, action, rule, conditions);
  const resource = arn ?? "";
  return {
    action: `events:${action}`,
    resource,
    conditions: { "events:creatorAccount": accountOf(arn), ...conditions },
  };
}

/** The rule or the bus, and how its tags are written. */
async function open(
  tx: Tx,
  arn: string | undefined,
): Promise<{ tags: string; save(ctx: Context, tags: string): Promise<void> }> {
  const ref = refOfArn(arn ?? "");
  if (ref) {
    const rule = await openRule(tx, ref);
    return { tags: rule.tags, save: (_, text) => saveRule(tx, { ...rule, tags: text }) };
  }
  const busRef = busOfArn(arn ?? "");
  if (!busRef) throw errors.parameter("ResourceARN", "Provided Arn is not in correct format.");
  const bus = await openBus(tx, busRef);
  return { tags: bus.tags, save: (ctx, text) => saveBus(tx, { ...bus, tags: text }, ctx.now) };
}

async function retag(ctx: Context, arn: string | undefined, to: (before: Tags) => Tags): Promise<void> {
  const rule = refOfArn(arn ?? "");
  await ctx.write(async (tx) => {
    if (rule && (await openRule(tx, rule)).managed_by !== null) throw errors.managed(rule.name);
    const found = await open(tx, arn);
    await found.save(ctx, JSON.stringify(to(JSON.parse(found.tags) as Tags)));
  });
}
