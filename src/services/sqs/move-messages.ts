// Messages that a move task takes out of a dead-letter queue: new ones, with an id and an age of their own, where they arrive.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
import { type Arn, newRequestId, type Tx } from "../../kernel/mod.ts";
import { queueOfArn } from "./access.ts";
import { numberOf } from "./attributes.ts";
import { nextOfQueue } from "./fifo.ts";
import { findQueue, type Queue } from "./queue-row.ts";
import { oldestSequence } from "./retention.ts";
import { nextSequence } from "./tables.ts";

/** As a task tells it (recorded). */
export const NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue";

interface Moved {
  readonly moved: number;
  /** Numbers of the queues that got some. */
  readonly targets: ReadonlySet<number>;
  /** Why it went no further. */
  readonly failure?: string;
}

interface Row {
  readonly sequence: number;
  readonly message_id: string;
  readonly source_arn: string | null;
}

/** `destination` null: to the queue that each came from. What is in flight stays. */
export async function moveBack(
  tx: Tx,
  source: Queue,
  { destination, most, now }: { destination: Arn | null; most: number; now: number },
): Promise<Moved> {
  const rows = await tx.all<Row>(
    `SELECT sequence, message_id, source_arn FROM sqs_message
     WHERE queue_number = :number AND visible_ms <= :now AND sequence >= :oldest
     ORDER BY ${source.fifo ? "sequence" : "visible_ms, sequence"} LIMIT :most`,
    { number: source.number, now, oldest: oldestSequence(source, now), most },
  );
  const queues = new Map<Arn, Queue | undefined>();
  const targets = new Set<number>();
  let moved = 0;
  for (const row of rows) {
    const arn = destination ?? row.source_arn;
    if (arn === null) return { moved, targets, failure: "CouldNotDetermineMessageSource" };
    if (!queues.has(arn)) queues.set(arn, await findQueue(tx, queueOfArn(arn)!));
    const to = queues.get(arn);
    if (!to) return { moved, targets, failure: NO_QUEUE };
    await move(tx, row, { from: source, to, now });
    targets.add(to.number);
    moved++;
  }
  return { moved, targets };
}

async function move(
  tx: Tx,
  { sequence, message_id }: Row,
  { from, to, now }: { from: Queue; to: Queue; now: number },
): Promise<void> {
  await tx.run(
    `UPDATE sqs_message SET queue_number = :to, sequence = :new_sequence, message_id = :new_id, sent_ms = :now,
       visible_ms = :visible_ms, receives = 0, first_received_ms = NULL, received_ms = NULL, receipt = NULL,
       source_arn = NULL, copied = 0
     WHERE queue_number = :from AND sequence = :sequence AND message_id = :message_id`,
    {
      to: to.number,
      new_sequence: to.fifo ? await nextOfQueue(tx, to, now) : nextSequence(now),
      new_id: newRequestId(),
      now,
      visible_ms: now + numberOf(to.attributes, "DelaySeconds") * 1000,
      from: from.number,
      sequence,
      message_id,
    },
  );
}
