// CreateQueue, GetQueueUrl, ListQueues, the attributes, DeleteQueue, PurgeQueue.
import { type Context, defineOperations, type Input, requestTags, type Tx } from "../../kernel/mod.ts";
import { onQueue, type QueueRef, queueArn, queueOfArn, queueUrl } from "./access.ts";
import { type Attributes, changed, differing, effective, isSettable } from "./attributes.ts";
import { errors } from "./errors.ts";
import { changing } from "./policies.ts";
import { findQueue, insertQueue, listQueues, newNumber, openQueue, type Queue } from "./queue-row.ts";
import { parseRedrive } from "./redrive.ts";
import { oldestSequence } from "./retention.ts";
import { checkTags } from "./tags.ts";

const MOST_QUEUES_LISTED = 1000;
const PURGE_EVERY_MS = 60_000;

export const queues = defineOperations("sqs", {
  CreateQueue: {
    // Whoever makes a tagged queue tags it.
    access: (ctx, { QueueName, tags = {} }) =>
      ["CreateQueue", ...(Object.keys(tags).length > 0 ? ["TagQueue"] : [])].map((action) => ({
        action: `sqs:${action}`,
        resource: queueArn(named(ctx, QueueName)),
        conditions: requestTags(tags),
      })),
    async handle(ctx, input) {
      const ref = named(ctx, input.QueueName);
      const given = input.Attributes ?? {};
      checkName(ref.name, given);
      checkTags(input.tags ?? {});
      // Of a new queue: "false" is no more known than on a standard one (recorded).
      const fifo: Attributes = ref.name.endsWith(".fifo") ? { FifoQueue: "true" } : {};
      const wanted = changed(fifo, given);
      const made = await changing(ctx, async (tx) => {
        const attributes = await withRedrive(tx, ref, wanted);
        const queue = await findQueue(tx, ref);
        if (!queue) {
          await insertQueue(tx, ref, { number: newNumber(), attributes, tags: input.tags ?? {}, now: ctx.now });
          return true;
        }
        const different = differing(queue.attributes, { ...given, ...pick(attributes, "RedrivePolicy", given) });
        if (different !== undefined) throw errors.queueExists(different);
        return false;
      });
      if (made) ctx.log.info(`queue ${ref.name} created`, { subject: queueArn(ref) });
      return { QueueUrl: queueUrl(ctx, ref) };
    },
  },

  GetQueueUrl: {
    access: (ctx, input) => ({
      action: "sqs:GetQueueUrl",
      resource: queueArn(named(ctx, input.QueueName, input.QueueOwnerAWSAccountId)),
    }),
    async handle(ctx, input) {
      const ref = named(ctx, input.QueueName, input.QueueOwnerAWSAccountId);
      if (!(await ctx.read((tx) => findQueue(tx, ref)))) throw errors.noQueue();
      return { QueueUrl: queueUrl(ctx, ref) };
    },
  },

  ListQueues: {
    access: (ctx) => ({ action: "sqs:ListQueues", resource: queueArn({ ...ctx, name: "*" }) }),
    async handle(ctx, { QueueNamePrefix: prefix = "", MaxResults, NextToken }) {
      if (MaxResults !== undefined && !(MaxResults >= 1 && MaxResults <= MOST_QUEUES_LISTED))
        throw errors.parameter("MaxResults", MaxResults, "MaxResults must be an integer between 1 and 1000.");
      const limit = MaxResults ?? MOST_QUEUES_LISTED;
      const after = NextToken === undefined ? "" : Buffer.from(NextToken, "base64").toString();
      const { account, region } = ctx;
      const found = await ctx.read((tx) => listQueues(tx, { account, region, prefix, after, limit: limit + 1 }));
      const page = found.slice(0, limit);
      // Without MaxResults there is no second page.
      const more = MaxResults !== undefined && found.length > limit;
      return {
        ...(page.length > 0 && { QueueUrls: page.map((queue) => queueUrl(ctx, queue)) }),
        ...(more && { NextToken: Buffer.from(page.at(-1)!.name).toString("base64") }),
      };
    },
  },

  GetQueueAttributes: {
    access: (ctx, input) => onQueue(ctx, "GetQueueAttributes", input),
    async handle(ctx, input) {
      const names: readonly string[] = input.AttributeNames ?? [];
      for (const name of names)
        if (name !== "All" && !isSettable(name) && !DERIVED.includes(name)) throw errors.unknownAttribute(name);
      const all = names.includes("All");
      const attributes = await ctx.read(async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        const counted = all || names.some((name) => Object.hasOwn(NO_MESSAGES, name));
        return {
          ...effective(queue.attributes),
          ...(counted && (await countMessages(tx, queue, ctx.now))),
          QueueArn: queueArn(queue),
          CreatedTimestamp: seconds(queue.createdMs),
          LastModifiedTimestamp: seconds(queue.modifiedMs),
        };
      });
      const asked = Object.entries(attributes).filter(([name]) => all || names.includes(name));
      return asked.length === 0 ? {} : { Attributes: Object.fromEntries(asked) };
    },
  },

  SetQueueAttributes: {
    access: (ctx, input) => onQueue(ctx, "SetQueueAttributes", input),
    async handle(ctx, input) {
      await changing(ctx, async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        const attributes = await withRedrive(tx, queue, changed(queue.attributes, input.Attributes ?? {}));
        await saveAttributes(tx, queue, attributes, ctx.now);
      });
      return {};
    },
  },

  DeleteQueue: {
    access: (ctx, input) => onQueue(ctx, "DeleteQueue", input),
    async handle(ctx, input) {
      const queue = await changing(ctx, async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        const { number } = queue;
        await tx.run("DELETE FROM sqs_message WHERE queue_number = :number", { number });
        await tx.run("DELETE FROM sqs_deduplication WHERE queue_number = :number", { number });
        await tx.run("DELETE FROM sqs_queue WHERE number = :number", { number });
        return queue;
      });
      ctx.log.info(`queue ${queue.name} deleted`, { subject: queueArn(queue) });
      return {};
    },
  },

  PurgeQueue: {
    access: (ctx, input) => onQueue(ctx, "PurgeQueue", input),
    async handle(ctx, input) {
      await ctx.write(async (tx) => {
        const { name, number, purgedMs } = await openQueue(tx, ctx, input.QueueUrl);
        if (ctx.now < purgedMs + PURGE_EVERY_MS) throw errors.purgedRecently(name);
        await tx.run("DELETE FROM sqs_message WHERE queue_number = :number", { number });
        await tx.run("UPDATE sqs_queue SET purged_ms = :now WHERE number = :number", { number, now: ctx.now });
      });
      return {};
    },
  },

  ListDeadLetterSourceQueues: {
    access: (ctx, input) => onQueue(ctx, "ListDeadLetterSourceQueues", input),
    async handle(ctx, input) {
      for (const parameter of ["MaxResults", "NextToken"] as const)
        if (input[parameter] !== undefined) throw errors.notImplemented(parameter);
      const sources = await ctx.read(async (tx) => {
        const target = await openQueue(tx, ctx, input.QueueUrl);
        const { account, region } = target;
        const all = await listQueues(tx, { account, region, prefix: "", after: "", limit: Number.MAX_SAFE_INTEGER });
        const targets = JSON.stringify(queueArn(target));
        return all.filter(({ attributes }) => attributes.RedrivePolicy?.includes(targets));
      });
      return { queueUrls: sources.map((queue) => queueUrl(ctx, queue)) };
    },
  },
});

export async function saveAttributes(tx: Tx, { number }: Queue, attributes: Attributes, now: number): Promise<void> {
  await tx.run("UPDATE sqs_queue SET attributes = :attributes, modified_ms = :now WHERE number = :number", {
    number,
    attributes: JSON.stringify(attributes),
    now,
  });
}

const named = (ctx: Context, name: string | undefined, account?: string): QueueRef => ({
  account: account ?? ctx.account,
  region: ctx.region,
  name: name ?? "",
});

function checkName(name: string, given: NonNullable<Input<"sqs", "CreateQueue">["Attributes"]>): void {
  if (given.FifoQueue === "true") {
    if (!/^[A-Za-z0-9_-]{1,75}\.fifo$/.test(name)) throw errors.fifoQueueName();
  } else if (!/^[A-Za-z0-9_-]{1,80}$/.test(name)) throw errors.queueName();
}

/** A new policy's target must be there: a queue of the same kind, account and region. What was set before is not looked at again. */
async function withRedrive(tx: Tx, source: QueueRef, attributes: Attributes): Promise<Attributes> {
  const text = attributes.RedrivePolicy;
  if (text === undefined) return attributes;
  const policy = parseRedrive(text);
  const kept = JSON.stringify(policy);
  if (kept === text && (await findQueue(tx, source))?.attributes.RedrivePolicy === text) return attributes;
  const wrong = (reason: string) => errors.parameter("RedrivePolicy", text, reason);
  const ref = queueOfArn(policy.deadLetterTargetArn)!;
  if (ref.account !== source.account || ref.region !== source.region)
    throw wrong("Dead-letter target owner should be same as the source.");
  const target = await findQueue(tx, ref);
  if (!target) throw wrong("Dead letter target does not exist.");
  if (target.fifo !== source.name.endsWith(".fifo"))
    throw wrong("Dead-letter queue must be same type of queue as the source.");
  return { ...attributes, RedrivePolicy: kept };
}

const pick = (from: Attributes, name: string, given: Readonly<Record<string, string>>): Attributes =>
  given[name] === undefined || from[name] === undefined ? {} : { [name]: from[name] };

const NO_MESSAGES = {
  ApproximateNumberOfMessages: "0",
  ApproximateNumberOfMessagesNotVisible: "0",
  ApproximateNumberOfMessagesDelayed: "0",
};
const DERIVED = [...Object.keys(NO_MESSAGES), "QueueArn", "CreatedTimestamp", "LastModifiedTimestamp"];

/** Exact here, where AWS's are approximate. */
async function countMessages(tx: Tx, queue: Queue, now: number): Promise<typeof NO_MESSAGES> {
  const row = await tx.one<{ visible: number; in_flight: number; delayed: number }>(
    `SELECT COUNT(CASE WHEN visible_ms <= :now THEN 1 END) AS visible,
       COUNT(CASE WHEN visible_ms > :now AND receives > 0 THEN 1 END) AS in_flight,
       COUNT(CASE WHEN visible_ms > :now AND receives = 0 THEN 1 END) AS delayed
     FROM sqs_message WHERE queue_number = :number AND sequence >= :oldest`,
    { number: queue.number, now, oldest: oldestSequence(queue, now) },
  );
  return {
    ApproximateNumberOfMessages: String(row!.visible),
    ApproximateNumberOfMessagesNotVisible: String(row!.in_flight),
    ApproximateNumberOfMessagesDelayed: String(row!.delayed),
  };
}

const seconds = (ms: number): string => String(Math.floor(ms / 1000));
