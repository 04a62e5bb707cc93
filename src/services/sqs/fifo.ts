// What only FIFO queues have: a count of their own, and five minutes in which nothing is sent twice.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html
import { createHash } from "node:crypto";
import type { Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { Queue } from "./queue-row.ts";
import { firstSequence } from "./tables.ts";

const INTERVAL_MS = 300_000;

/** Given, or the body's SHA-256 where the queue deduplicates by content. */
export function deduplicationIdOf(queue: Queue, { id, body }: { id: string | undefined; body: string }): string {
  if (id !== undefined) return id;
  if (queue.attributes.ContentBasedDeduplication === "true") return createHash("sha256").update(body).digest("hex");
  throw errors.invalidValue(
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
  );
}

/** The queue's next: its row is changed, so two senders take turns, and their order is that of their commits. */
export async function nextOfQueue(tx: Tx, { number }: Queue, now: number): Promise<number> {
  const row = await tx.one<{ last_sequence: number }>(
    `UPDATE sqs_queue SET last_sequence = CASE WHEN last_sequence + 1 > :first THEN last_sequence + 1 ELSE :first END
     WHERE number = :number RETURNING last_sequence`,
    { number, first: firstSequence(now) },
  );
  return row!.last_sequence;
}

/** 20 digits, as AWS's. */
export const sequenceNumber = (sequence: number): string => `1${String(sequence).padStart(19, "0")}`;

interface Sent {
  readonly messageId: string;
  readonly sequence: number;
}

/** The message of that id which was sent in the last five minutes, whether or not it is still there. */
export async function deduplicated(
  tx: Tx,
  queue: Queue,
  { id, groupId, now }: { id: string; groupId: string; now: number },
): Promise<Sent | undefined> {
  await tx.run("DELETE FROM sqs_deduplication WHERE queue_number = :number AND until_ms <= :now", {
    number: queue.number,
    now,
  });
  const row = await tx.one<{ message_id: string; sequence: number }>(
    `SELECT message_id, sequence FROM sqs_deduplication
     WHERE queue_number = :number AND deduplication_id = :id AND (scope = '' OR scope = :scope)`,
    { number: queue.number, id, scope: scopeOf(queue, groupId) },
  );
  return row && { messageId: row.message_id, sequence: row.sequence };
}

export async function remember(
  tx: Tx,
  queue: Queue,
  { id, groupId, messageId, sequence, now }: Sent & { id: string; groupId: string; now: number },
): Promise<void> {
  await tx.run(
    `INSERT INTO sqs_deduplication (queue_number, scope, deduplication_id, message_id, sequence, until_ms)
     VALUES (:number, :scope, :id, :message_id, :sequence, :until_ms)`,
    {
      number: queue.number,
      scope: scopeOf(queue, groupId),
      id,
      message_id: messageId,
      sequence,
      until_ms: now + INTERVAL_MS,
    },
  );
}

/** '' is the whole queue. What was sent then also counts after the scope became the message group (recorded). */
const scopeOf = ({ attributes }: Queue, groupId: string): string =>
  attributes.DeduplicationScope === "messageGroup" ? groupId : "";
