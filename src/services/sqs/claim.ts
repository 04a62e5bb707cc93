// How a receiver takes messages; and what was received too often leaves for the dead-letter queue, in the same transaction.
import { newToken, type Tx } from "../../kernel/mod.ts";
import { queueArn, queueOfArn } from "./access.ts";
import { nextOfQueue } from "./fifo.ts";
import { findQueue, type Queue } from "./queue-row.ts";
import { redriveOf } from "./redrive.ts";
import type { MessageRow } from "./tables.ts";
import { take, type Wanted } from "./take.ts";

/** A receive that finds only dead letters looks on, but not through a whole queue of them. */
const MOST_ROUNDS = 10;

interface Claimed {
  readonly taken: readonly MessageRow[];
  /** Numbers of the queues that got dead letters: their receivers are to be woken. */
  readonly moved: ReadonlySet<number>;
}

export async function claim(tx: Tx, queue: Queue, of: Omit<Wanted, "receipt">): Promise<Claimed> {
  const wanted: Wanted = { ...of, receipt: newToken(32) };
  const redrive = redriveOf(queue.attributes);
  // Where the target was deleted, messages stay.
  const target = redrive && (await findQueue(tx, queueOfArn(redrive.deadLetterTargetArn)!));
  const taken: MessageRow[] = [];
  const moved = new Set<number>();
  for (let round = 0; round < MOST_ROUNDS && taken.length < wanted.most; round++) {
    const rows = await take(tx, queue, { ...wanted, most: wanted.most - taken.length });
    const isDead = (row: MessageRow) => target !== undefined && row.receives > redrive!.maxReceiveCount;
    taken.push(...rows.filter((row) => !isDead(row)));
    const dead = rows.filter(isDead);
    for (const row of dead) await move(tx, row, { from: queue, to: target!, now: wanted.now });
    if (dead.length === 0) break;
    moved.add(target!.number);
  }
  return { taken, moved };
}

/** The receive that found it dead does not count. A standard queue's message stays as old as it is; a FIFO queue's begins anew. */
async function move(
  tx: Tx,
  { queue_number, sequence, message_id, sent_ms }: MessageRow,
  { from, to, now }: { from: Queue; to: Queue; now: number },
): Promise<void> {
  await tx.run(
    `UPDATE sqs_message SET queue_number = :to, sequence = :new_sequence, sent_ms = :sent_ms, source_arn = :source_arn,
       visible_ms = :now, receives = receives - 1, receipt = NULL
     WHERE queue_number = :queue_number AND sequence = :sequence AND message_id = :message_id`,
    {
      to: to.number,
      new_sequence: to.fifo ? await nextOfQueue(tx, to, now) : sequence,
      sent_ms: to.fifo ? now : sent_ms,
      source_arn: queueArn(from),
      now,
      queue_number,
      sequence,
      message_id,
    },
  );
}
