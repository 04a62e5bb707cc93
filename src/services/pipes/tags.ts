// TagResource, UntagResource, ListTagsForResource.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  requestTagKeys,
  requestTags,
  type Tags,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { findPipe, openPipe, type PipeRef, refOfArn, savePipe } from "./rows.ts";

const onTags = (action: string, arn: string | undefined, conditions?: Access["conditions"]): Access => ({
  action: `pipes:${action}`,
  resource: arn ?? "",
  ...(conditions && { conditions }),
});

export const tags = defineOperations("pipes", {
  TagResource: {
    access: (_, input) => onTags("TagResource", input.resourceArn, requestTags(input.tags)),
    async handle(ctx, input) {
      await change(ctx, input.resourceArn, (before) => ({ ...before, ...input.tags }));
      return {};
    },
  },

  UntagResource: {
    access: (_, input) => onTags("UntagResource", input.resourceArn, requestTagKeys(input.tagKeys)),
    async handle(ctx, input) {
      const gone = new Set(input.tagKeys);
      await change(ctx, input.resourceArn, (before) =>
        Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(key))),
      );
      return {};
    },
  },

  ListTagsForResource: {
    access: (_, input) => onTags("ListTagsForResource", input.resourceArn),
    async handle(ctx, input) {
      const row = await ctx.read((tx) => openPipe(tx, open(input.resourceArn)));
      return { tags: JSON.parse(row.tags) as Record<string, string> };
    },
  },
});

/** For the door. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Tags | undefined> {
  const ref = refOfArn(resource);
  const row = ref && (await ctx.read((tx) => findPipe(tx, ref)));
  return row && (JSON.parse(row.tags) as Tags);
}

function open(arn: string | undefined): PipeRef {
  const ref = refOfArn(arn);
  if (!ref) throw errors.validation({ name: "resourceArn", message: "resourceArn is not the ARN of a pipe." });
  return ref;
}

const MOST_TAGS = 50;

async function change(ctx: Context, arn: string | undefined, to: (before: Tags) => Tags): Promise<void> {
  const ref = open(arn);
  await ctx.write(async (tx) => {
    const row = await openPipe(tx, ref);
    const after = to(JSON.parse(row.tags) as Tags);
    if (Object.keys(after).length > MOST_TAGS)
      throw errors.validation({ name: "tags", message: `A pipe can have at most ${MOST_TAGS} tags.` });
    await savePipe(tx, { ...row, tags: JSON.stringify(after) });
  });
}
