// How much of a queue is in flight, and whose it is: the quota, and the noisy neighbours of a fair queue. Counted now and then, as AWS's is
// approximate: to count each time would cost each receive as much as there is in flight.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html and quotas-fifo.html
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
import type { Context } from "../../kernel/mod.ts";
import type { Queue } from "./queue-row.ts";

export interface Crowd {
  /** So many may still be taken. */
  readonly room: number;
  /** Message groups that hold more than their share of what is in flight; who holds least is first. */
  readonly noisy: readonly string[];
}

const MOST_IN_FLIGHT = 120_000;
/** A group is noisy with more than a tenth of what is in flight, and at least 30 messages. So there are nine at most. */
const NOISY_SHARE = 0.1;
const NOISY_MESSAGES = 30;
export const MOST_NOISY = 9;

/** What is known holds so long (on the clock), and until a tenth as much again was taken. */
const KNOWN_MS = 1_000;
const KNOWN_SHARE = 0.1;

interface Known extends Crowd {
  readonly until: number;
  readonly good: number;
  taken: number;
}

export class Crowds {
  readonly #known = new Map<number, Known>();

  async of(ctx: Context, queue: Queue): Promise<Crowd> {
    const known = this.#known.get(queue.number);
    const now = ctx.now;
    if (known && known.taken < known.good && now < known.until && known.until - now <= KNOWN_MS)
      return { room: known.room - known.taken, noisy: known.noisy };
    const counted = await count(ctx, queue, now);
    this.#known.delete(queue.number);
    this.#known.set(queue.number, counted);
    if (this.#known.size > MOST_KNOWN) this.#known.delete(this.#known.keys().next().value!);
    return counted;
  }

  took({ number }: Queue, messages: number): void {
    const known = this.#known.get(number);
    if (known) known.taken += messages;
  }
}

const MOST_KNOWN = 1_000;

async function count(ctx: Context, queue: Queue, now: number): Promise<Known> {
  const rows = await ctx.read((tx) =>
    tx.all<{ name: string | null; held: number }>(
      `SELECT group_id AS name, COUNT(*) AS held FROM sqs_message
       WHERE queue_number = :number AND visible_ms > :now AND receives > 0 GROUP BY group_id`,
      { number: queue.number, now },
    ),
  );
  const total = rows.reduce((sum, { held }) => sum + held, 0);
  const isNoisy = ({ name, held }: { name: string | null; held: number }) =>
    name !== null && held >= NOISY_MESSAGES && held > total * NOISY_SHARE;
  // A FIFO queue is fair by its order: a group in flight waits.
  const noisy = queue.fifo ? [] : rows.filter(isNoisy).sort((a, b) => a.held - b.held);
  const room = MOST_IN_FLIGHT - total;
  return {
    room,
    noisy: noisy.map(({ name }) => name!),
    until: now + KNOWN_MS,
    good: Math.min(Math.max(room, 0), Math.max(NOISY_MESSAGES, Math.floor(total * KNOWN_SHARE))),
    taken: 0,
  };
}
