// TagResource, UntagResource, ListTagsForResource: of topics.
import {
  type Arn,
  type Context,
  defineOperations,
  type Input,
  requestTagKeys,
  requestTags,
  type Tags,
} from "../../kernel/mod.ts";
import { soundTopicArn, topicOfSubscription } from "./arns.ts";
import { errors } from "./errors.ts";
import { changing, findTopic, saveTopic } from "./topic-row.ts";

const on = (ctx: Context, action: string, input: { readonly ResourceArn?: string | undefined }, conditions = {}) => ({
  action: `sns:${action}`,
  resource: soundTopicArn(ctx, input.ResourceArn, "ResourceArn"),
  conditions,
});

export const tags = defineOperations("sns", {
  TagResource: {
    access: (ctx, input) => on(ctx, "TagResource", input, requestTags(input.Tags)),
    async handle(ctx, input) {
      const given = soundTags(input.Tags);
      await change(ctx, input.ResourceArn!, (before) => ({ ...before, ...given }));
      return {};
    },
  },

  UntagResource: {
    access: (ctx, input) => on(ctx, "UntagResource", input, requestTagKeys(input.TagKeys)),
    async handle(ctx, input) {
      const gone = new Set(input.TagKeys);
      await change(ctx, input.ResourceArn!, (before) =>
        Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(key))),
      );
      return {};
    },
  },

  ListTagsForResource: {
    access: (ctx, input) => on(ctx, "ListTagsForResource", input),
    async handle(ctx, input) {
      const topic = await ctx.read((tx) => findTopic(tx, input.ResourceArn!));
      if (!topic) throw errors.noResource();
      return { Tags: Object.entries(topic.tags).map(([Key, Value]) => ({ Key, Value })) };
    },
  },
});

/** For the door: a subscription has its topic's. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Tags | undefined> {
  return (await ctx.read((tx) => findTopic(tx, topicOfSubscription(resource) ?? resource)))?.tags;
}

const MOST_TAGS = 50;

/** Throws where a key is there twice: the model judges their lengths. */
export function soundTags(given: Input<"sns", "TagResource">["Tags"] | undefined): Tags {
  const made: Record<string, string> = {};
  for (const { Key = "", Value = "" } of given ?? []) {
    if (Object.hasOwn(made, Key)) throw errors.parameter("Duplicated keys are not allowed.");
    if (Key.toLowerCase().startsWith("aws:")) throw errors.because("Tags", "Tag keys must not start with aws:");
    made[Key] = Value;
  }
  if (Object.keys(made).length > MOST_TAGS) throw errors.tooManyTags();
  return made;
}

async function change(ctx: Context, arn: Arn, to: (before: Tags) => Tags): Promise<void> {
  await changing(ctx, async (tx) => {
    const topic = await findTopic(tx, arn);
    if (!topic) throw errors.noResource();
    const after = to(topic.tags);
    if (Object.keys(after).length > MOST_TAGS) throw errors.tooManyTags();
    await saveTopic(tx, { ...topic, tags: after });
  });
}
