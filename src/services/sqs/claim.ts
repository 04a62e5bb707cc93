// How a receiver takes messages: one statement, so that none is ever in two hands within its visibility. And what was received too often
// leaves for the dead-letter queue, in the same transaction.
import { newToken, type Tx } from "../../kernel/mod.ts";
import { queueArn, queueOfArn } from "./access.ts";
import { nextOfQueue } from "./fifo.ts";
import { findQueue, type Queue } from "./queue-row.ts";
import { redriveOf } from "./redrive.ts";
import { oldestSequence, removeExpired } from "./retention.ts";
import type { MessageRow } from "./tables.ts";

/** A receive that finds only dead letters looks on, but not through a whole queue of them. */
const MOST_ROUNDS = 10;

interface Claimed {
  readonly taken: readonly MessageRow[];
  /** Numbers of the queues that got dead letters: their receivers are to be woken. */
  readonly moved: ReadonlySet<number>;
}

interface Wanted {
  readonly most: number;
  readonly visibilityMs: number;
  readonly now: number;
}

export async function claim(tx: Tx, queue: Queue, wanted: Wanted): Promise<Claimed> {
  await removeExpired(tx, queue, wanted.now);
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

async function take(tx: Tx, queue: Queue, { most, visibilityMs, now }: Wanted): Promise<MessageRow[]> {
  const rows = await tx.all<MessageRow>(
    `UPDATE sqs_message SET visible_ms = :until, receives = receives + 1, received_ms = :now,
       first_received_ms = COALESCE(first_received_ms, :now), receipt = :receipt
     WHERE (queue_number, sequence, message_id) IN (${queue.fifo ? FIRST_OF_GROUPS : FIRST_VISIBLE})
     RETURNING *`,
    {
      number: queue.number,
      now,
      oldest: oldestSequence(queue, now),
      most,
      until: now + visibilityMs,
      receipt: newToken(32),
    },
  );
  return rows.sort((a, b) => a.sequence - b.sequence);
}

const FIRST_VISIBLE = `
  SELECT queue_number, sequence, message_id FROM sqs_message
  WHERE queue_number = :number AND visible_ms <= :now AND sequence >= :oldest
  ORDER BY visible_ms, sequence LIMIT :most`;

/** While a message of a group is in flight, or delayed, those behind it wait. */
const FIRST_OF_GROUPS = `
  SELECT queue_number, sequence, message_id FROM sqs_message AS candidate
  WHERE queue_number = :number AND visible_ms <= :now AND sequence >= :oldest AND NOT EXISTS (
    SELECT 1 FROM sqs_message AS earlier
    WHERE earlier.queue_number = candidate.queue_number AND earlier.group_id = candidate.group_id
      AND earlier.sequence < candidate.sequence AND earlier.visible_ms > :now)
  ORDER BY sequence LIMIT :most`;

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
