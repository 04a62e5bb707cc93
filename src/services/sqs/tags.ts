// TagQueue, UntagQueue, ListQueueTags.
import { type Arn, type Context, defineOperations, requestTagKeys, requestTags, type Tags } from "../../kernel/mod.ts";
import { onQueue, queueOfArn } from "./access.ts";
import { errors } from "./errors.ts";
import { findQueue, openQueue } from "./queue-row.ts";

export const tags = defineOperations("sqs", {
  TagQueue: {
    access: (ctx, input) => onQueue(ctx, "TagQueue", input, requestTags(input.Tags)),
    async handle(ctx, input) {
      const given = input.Tags ?? {};
      checkTags(given);
      await change(ctx, input.QueueUrl, (before) => ({ ...before, ...given }));
      return {};
    },
  },

  UntagQueue: {
    access: (ctx, input) => onQueue(ctx, "UntagQueue", input, requestTagKeys(input.TagKeys)),
    async handle(ctx, input) {
      const gone = new Set(input.TagKeys);
      await change(ctx, input.QueueUrl, (before) =>
        Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(key))),
      );
      return {};
    },
  },

  ListQueueTags: {
    access: (ctx, input) => onQueue(ctx, "ListQueueTags", input),
    async handle(ctx, input) {
      const { tags } = await ctx.read((tx) => openQueue(tx, ctx, input.QueueUrl));
      return Object.keys(tags).length === 0 ? {} : { Tags: { ...tags } };
    },
  },
});

/** For the door. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Tags | undefined> {
  const ref = queueOfArn(resource);
  return ref && (await ctx.read((tx) => findQueue(tx, ref)))?.tags;
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
const MOST_TAGS = 50;
const MAX_KEY = 128;
const MAX_VALUE = 256;
const TEXT = /^[\p{L}\p{N}\p{Z}+\-=._:/@]*$/u;

export function checkTags(given: Tags): void {
  if (Object.keys(given).length > MOST_TAGS) throw tooMany();
  for (const [key, value] of Object.entries(given)) {
    if (key === "" || key.length > MAX_KEY || !TEXT.test(key) || key.toLowerCase().startsWith("aws:"))
      throw errors.invalidValue(`Tag key '${key}' is invalid.`);
    if (value.length > MAX_VALUE || !TEXT.test(value)) throw errors.invalidValue(`Tag value '${value}' is invalid.`);
  }
}

const tooMany = () => errors.invalidValue(`Too many tags. A queue can have at most ${MOST_TAGS} tags.`);

async function change(ctx: Context, url: string | undefined, to: (before: Tags) => Tags): Promise<void> {
  await ctx.write(async (tx) => {
    const queue = await openQueue(tx, ctx, url);
    const after = to(queue.tags);
    if (Object.keys(after).length > MOST_TAGS) throw tooMany();
    await tx.run("UPDATE sqs_queue SET tags = :tags WHERE number = :number", {
      number: queue.number,
      tags: JSON.stringify(after),
    });
  });
}
