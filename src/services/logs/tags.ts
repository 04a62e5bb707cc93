// Tags of log groups: TagResource and its like, and the older TagLogGroup.
import { type Arn, type Context, defineOperations, requestTagKeys, requestTags, type Tags } from "../../kernel/mod.ts";
import { onGroup } from "./access.ts";
import { errors } from "./errors.ts";
import { type GroupRef, knownGroup, openGroup, refOf, refOfArn, saveGroup } from "./rows.ts";

/** "TagResource, UntagResource and ListTagsForResource" ask for the ARN without what follows the name. */
const onArn = (action: string, arn: string | undefined, conditions = {}) => ({
  action: `logs:${action}`,
  resource: (arn ?? "").replace(/:\*$/, ""),
  conditions,
});

export const tags = defineOperations("logs", {
  TagResource: {
    access: (_, input) => onArn("TagResource", input.resourceArn, requestTags(input.tags)),
    async handle(ctx, input) {
      await change(ctx, open(input.resourceArn), (before) => ({ ...before, ...input.tags }));
      return {};
    },
  },

  UntagResource: {
    access: (_, input) => onArn("UntagResource", input.resourceArn, requestTagKeys(input.tagKeys)),
    async handle(ctx, input) {
      await change(ctx, open(input.resourceArn), without(input.tagKeys));
      return {};
    },
  },

  ListTagsForResource: {
    access: (_, input) => onArn("ListTagsForResource", input.resourceArn),
    handle: async (ctx, input) => ({ tags: await tagsOf(ctx, open(input.resourceArn)) }),
  },

  TagLogGroup: {
    access: (ctx, input) => onGroup(refOf(ctx, input.logGroupName), "TagLogGroup", requestTags(input.tags)),
    async handle(ctx, input) {
      await change(ctx, refOf(ctx, input.logGroupName), (before) => ({ ...before, ...input.tags }));
      return {};
    },
  },

  UntagLogGroup: {
    access: (ctx, input) => onGroup(refOf(ctx, input.logGroupName), "UntagLogGroup", requestTagKeys(input.tags)),
    async handle(ctx, input) {
      await change(ctx, refOf(ctx, input.logGroupName), without(input.tags));
      return {};
    },
  },

  ListTagsLogGroup: {
    access: (ctx, input) => onGroup(refOf(ctx, input.logGroupName), "ListTagsLogGroup"),
    handle: async (ctx, input) => ({ tags: await tagsOf(ctx, refOf(ctx, input.logGroupName)) }),
  },
});

/** For the door. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Tags | undefined> {
  const ref = refOfArn(resource);
  const row = ref && (await knownGroup(ctx, ref));
  return row && (JSON.parse(row.tags) as Tags);
}

function open(arn: string | undefined): GroupRef {
  const ref = refOfArn(arn ?? "");
  if (!ref) throw errors.noResource();
  return ref;
}

const without =
  (keys: readonly string[] = []) =>
  (before: Tags): Tags =>
    Object.fromEntries(Object.entries(before).filter(([key]) => !keys.includes(key)));

const tagsOf = async (ctx: Context, ref: GroupRef) =>
  JSON.parse((await openGroup(ctx.singly, ref)).tags) as Record<string, string>;

const MOST_TAGS = 50;

async function change(ctx: Context, ref: GroupRef, to: (before: Tags) => Tags): Promise<void> {
  await ctx.write(async (tx) => {
    const row = await openGroup(tx, ref);
    const after = to(JSON.parse(row.tags) as Tags);
    if (Object.keys(after).length > MOST_TAGS)
      throw errors.parameter(`A log group can have at most ${MOST_TAGS} tags.`);
    await saveGroup(tx, { ...row, tags: JSON.stringify(after) });
  });
}
