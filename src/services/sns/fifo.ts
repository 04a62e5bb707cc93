// What only FIFO topics have: a count of their own, and five minutes in which nothing is published twice.
// https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html
import type { Tx } from "../../kernel/mod.ts";
import type { Topic } from "./topic-row.ts";

const INTERVAL_MS = 300_000;

interface Published {
  readonly topic: Topic;
  readonly id: string;
  readonly groupId: string;
  readonly now: number;
}

/** The topic's row is changed, so two publishers take turns, and their order is that of their commits. */
export async function nextOfTopic(tx: Tx, { arn }: Topic): Promise<number> {
  const row = await tx.one<{ last_sequence: number }>(
    "UPDATE sns_topic SET last_sequence = last_sequence + 1 WHERE arn = :arn RETURNING last_sequence",
    { arn },
  );
  return row!.last_sequence;
}

/** 20 digits, a thousand apart, as AWS's. */
export const sequenceNumber = (sequence: number): string => `1${String(sequence).padStart(16, "0")}000`;

export async function deduplicated(
  tx: Tx,
  { topic, id, groupId, now }: Published,
): Promise<{ messageId: string; sequence: number } | undefined> {
  await tx.run("DELETE FROM sns_deduplication WHERE topic = :topic AND until_ms <= :now", { topic: topic.arn, now });
  const row = await tx.one<{ message_id: string; sequence: number }>(
    `SELECT message_id, sequence FROM sns_deduplication
     WHERE topic = :topic AND deduplication_id = :id AND (scope = '' OR scope = :scope)`,
    { topic: topic.arn, id, scope: scopeOf(topic, groupId) },
  );
  return row && { messageId: row.message_id, sequence: row.sequence };
}

export async function remember(
  tx: Tx,
  { topic, id, groupId, now, messageId, sequence }: Published & { messageId: string; sequence: number },
): Promise<void> {
  await tx.run(
    `INSERT INTO sns_deduplication (topic, scope, deduplication_id, message_id, sequence, until_ms)
     VALUES (:topic, :scope, :id, :messageId, :sequence, :until)`,
    { topic: topic.arn, scope: scopeOf(topic, groupId), id, messageId, sequence, until: now + INTERVAL_MS },
  );
}

/** '' is the whole topic. */
const scopeOf = ({ attributes }: Topic, groupId: string): string =>
  attributes.FifoThroughputScope === "MessageGroup" ? groupId : "";
