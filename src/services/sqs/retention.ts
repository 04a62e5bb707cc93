// How long messages are kept: counted from when they were sent, by the queue's present setting.
import type { Tx } from "../../kernel/mod.ts";
import { numberOf } from "./attributes.ts";
import type { Queue } from "./queue-row.ts";
import { firstSequence } from "./tables.ts";

/** What has a lesser sequence is gone, removed or not. */
export const oldestSequence = ({ attributes }: Queue, now: number): number =>
  firstSequence(now - numberOf(attributes, "MessageRetentionPeriod") * 1000);

/** What is expired is not told, removed or not: so it is removed now and then, with what is sent and received. ms on the clock. */
const EVERY_MS = 10_000;

/** When each queue was swept last. */
export class Sweeps {
  readonly #last = new Map<number, number>();

  isDue({ number }: Queue, now: number): boolean {
    return now - (this.#last.get(number) ?? 0) >= EVERY_MS;
  }

  /** After the commit of a transaction that was told it is due. */
  done({ number }: Queue, now: number): void {
    if (now - (this.#last.get(number) ?? 0) < EVERY_MS) return;
    this.#last.delete(number);
    this.#last.set(number, now);
    if (this.#last.size > MOST_KNOWN) this.#last.delete(this.#last.keys().next().value!);
  }
}

/** A queue that is forgotten is swept once more: no harm. */
const MOST_KNOWN = 1_000;

export const anyExpired = async (tx: Pick<Tx, "one">, queue: Queue, now: number): Promise<boolean> =>
  (await tx.one("SELECT sequence FROM sqs_message WHERE queue_number = :number AND sequence < :oldest LIMIT 1", {
    number: queue.number,
    oldest: oldestSequence(queue, now),
  })) !== undefined;

export async function removeExpired(tx: Tx, queue: Queue, now: number): Promise<void> {
  await tx.run("DELETE FROM sqs_message WHERE queue_number = :number AND sequence < :oldest", {
    number: queue.number,
    oldest: oldestSequence(queue, now),
  });
}
