// CreateQueue, GetQueueUrl, ListQueues, the attributes, DeleteQueue, PurgeQueue.
import { type Context, defineOperations, type Input, requestTags, type Tx } from "../../kernel/mod.ts";
import { onQueue, type QueueRef, queueArn, queueUrl } from "./access.ts";
import { type Attributes, changed, differing, effective, isSettable } from "./attributes.ts";
import { withRedrive } from "./dead-letters.ts";
import { errors } from "./errors.ts";
import { changing } from "./policies.ts";
import { pageOf } from "./queue-pages.ts";
import { countMessages, findQueue, insertQueue, listQueues, newNumber, openQueue, type Queue } from "./queue-row.ts";
import { checkTags } from "./tags.ts";

const PURGE_EVERY_MS = 60_000;
const DELETED_MS = 60_000;

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
          await checkNotDeleted(tx, ref, ctx.now);
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
      const page = pageOf({ MaxResults, NextToken });
      const { account, region } = ctx;
      const { after, limit } = page;
      const found = await ctx.read((tx) => listQueues(tx, { account, region, prefix, after, limit: limit + 1 }));
      const { urls, ...next } = page.of(ctx, found);
      return { ...(urls.length > 0 && { QueueUrls: urls }), ...next };
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
          ...(counted && (await counts(tx, queue, ctx.now))),
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
        await tx.run("DELETE FROM sqs_receive_attempt WHERE queue_number = :number", { number });
        await tx.run("DELETE FROM sqs_queue WHERE number = :number", { number });
        await rememberDeleted(tx, queue, ctx.now);
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
});

export async function saveAttributes(tx: Tx, { number }: Queue, attributes: Attributes, now: number): Promise<void> {
  await tx.run("UPDATE sqs_queue SET attributes = :attributes, modified_ms = :now WHERE number = :number", {
    number,
    attributes: JSON.stringify(attributes),
    now,
  });
}

/** Its name is free again after 60 seconds. */
async function rememberDeleted(tx: Tx, { account, region, name }: QueueRef, now: number): Promise<void> {
  await tx.run("DELETE FROM sqs_deleted_queue WHERE until_ms <= :now", { now });
  await tx.run(
    `INSERT INTO sqs_deleted_queue (account, region, name, until_ms) VALUES (:account, :region, :name, :until_ms)
     ON CONFLICT (account, region, name) DO UPDATE SET until_ms = excluded.until_ms`,
    { account, region, name, until_ms: now + DELETED_MS },
  );
}

async function checkNotDeleted(tx: Tx, { account, region, name }: QueueRef, now: number): Promise<void> {
  const deleted = await tx.one(
    `SELECT name FROM sqs_deleted_queue
     WHERE account = :account AND region = :region AND name = :name AND until_ms > :now`,
    { account, region, name, now },
  );
  if (deleted) throw errors.queueDeletedRecently();
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

const pick = (from: Attributes, name: string, given: Readonly<Record<string, string>>): Attributes =>
  given[name] === undefined || from[name] === undefined ? {} : { [name]: from[name] };

const NO_MESSAGES = {
  ApproximateNumberOfMessages: "0",
  ApproximateNumberOfMessagesNotVisible: "0",
  ApproximateNumberOfMessagesDelayed: "0",
};
const DERIVED = [...Object.keys(NO_MESSAGES), "QueueArn", "CreatedTimestamp", "LastModifiedTimestamp"];

async function counts(tx: Tx, queue: Queue, now: number): Promise<typeof NO_MESSAGES> {
  const { visible, inFlight, delayed } = await countMessages(tx, queue, now);
  return {
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesNotVisible: String(inFlight),
    ApproximateNumberOfMessagesDelayed: String(delayed),
  };
}

const seconds = (ms: number): string => String(Math.floor(ms / 1000));
