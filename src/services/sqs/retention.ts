// How long messages are kept: counted from when they were sent, by the queue's present setting.
import type { Tx } from "../../kernel/mod.ts";
import { numberOf } from "./attributes.ts";
import type { Queue } from "./queue-row.ts";
import { firstSequence } from "./tables.ts";

/** What has a lesser sequence is gone, removed or not. */
export const oldestSequence = ({ attributes }: Queue, now: number): number =>
  firstSequence(now - numberOf(attributes, "MessageRetentionPeriod") * 1000);

/** A look into the index where there is nothing to remove: done with each send and receive. */
export async function removeExpired(tx: Tx, queue: Queue, now: number): Promise<void> {
  await tx.run("DELETE FROM sqs_message WHERE queue_number = :number AND sequence < :oldest", {
    number: queue.number,
    oldest: oldestSequence(queue, now),
  });
}
