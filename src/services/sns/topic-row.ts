// One topic in the store.
import { type Arn, type Context, parseArn, type Tags, type Tx } from "../../kernel/mod.ts";
import { isFifo, type TopicRef } from "./arns.ts";
import { errors } from "./errors.ts";
import type { Attributes } from "./topic-attributes.ts";

export interface Topic extends TopicRef {
  readonly arn: Arn;
  readonly fifo: boolean;
  readonly attributes: Attributes;
  readonly tags: Tags;
}

/** Of memory: topics and subscriptions change seldom, and are read with every message. */
export const SHELF = "sns topic";

/** A transaction that changes topics or subscriptions. */
export async function changing<T>(ctx: Context, work: (tx: Tx) => Promise<T>): Promise<T> {
  const answer = await ctx.write(work);
  ctx.forget(SHELF);
  return answer;
}

export async function findTopic(tx: Tx, arn: Arn): Promise<Topic | undefined> {
  const row = await tx.one<{ attributes: string; tags: string }>(
    "SELECT attributes, tags FROM sns_topic WHERE arn = :arn",
    { arn },
  );
  return row && toTopic(arn, row);
}

export async function openTopic(tx: Tx, arn: Arn): Promise<Topic> {
  const topic = await findTopic(tx, arn);
  if (!topic) throw errors.noTopic();
  return topic;
}

/** Remembered. */
export async function knownTopic(ctx: Context, arn: Arn): Promise<Topic> {
  const topic = await ctx.recall(SHELF, `topic ${arn}`, () => ctx.read((tx) => findTopic(tx, arn)));
  if (!topic) throw errors.noTopic();
  return topic;
}

export async function insertTopic(
  tx: Tx,
  { arn, account, region, attributes, tags }: Omit<Topic, "fifo" | "name">,
): Promise<void> {
  await tx.run(
    `INSERT INTO sns_topic (arn, account, region, attributes, tags, last_sequence)
     VALUES (:arn, :account, :region, :attributes, :tags, 0)`,
    { arn, account, region, attributes: JSON.stringify(attributes), tags: JSON.stringify(tags) },
  );
}

export async function saveTopic(tx: Tx, { arn, attributes, tags }: Topic): Promise<void> {
  await tx.run("UPDATE sns_topic SET attributes = :attributes, tags = :tags WHERE arn = :arn", {
    arn,
    attributes: JSON.stringify(attributes),
    tags: JSON.stringify(tags),
  });
}

function toTopic(arn: Arn, row: { attributes: string; tags: string }): Topic {
  const { account, region, resource: name } = parseArn(arn)!;
  return {
    arn,
    account,
    region,
    name,
    fifo: isFifo(arn),
    attributes: JSON.parse(row.attributes) as Attributes,
    tags: JSON.parse(row.tags) as Tags,
  };
}
