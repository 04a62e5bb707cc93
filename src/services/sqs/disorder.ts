// What standard queues may do and seldom do: deliver a message twice, and out of order. Only where chaos is on.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html
import type { Context, Tx } from "../../kernel/mod.ts";
import { queueArn } from "./access.ts";
import type { Queue } from "./queue-row.ts";
import { type MessageRow, nextSequence } from "./tables.ts";

interface Disorder {
  /** So many messages are passed over. */
  readonly skip: number;
  /** Makes a second one of those that are to come twice: to be received at once, with a handle of its own, whatever becomes of the first. */
  copy(tx: Tx, taken: readonly MessageRow[]): Promise<void>;
  /** After the commit. True where there is something new to receive. */
  tell(taken: readonly MessageRow[]): boolean;
}

const MOST_SKIPPED = 10;

/** For a receive of up to `most` messages. */
export function disorderOf(ctx: Context, queue: Queue, most: number): Disorder {
  if (!ctx.chaos.on || queue.fifo) return ORDER;
  const arn = queueArn(queue);
  const reordered = ctx.chaos.strikes("reorder", arn);
  const skip = reordered ? 1 + Math.floor(reordered.draw * MOST_SKIPPED) : 0;
  const doubled = Array.from({ length: most }, () => ctx.chaos.strikes("duplicate", arn) !== undefined);
  // Once: else a hundred percent would never end.
  const twice = (taken: readonly MessageRow[]) => taken.filter(({ copied }, i) => doubled[i] && copied === 0);
  const now = ctx.now;
  return {
    skip,
    async copy(tx, taken) {
      for (const row of twice(taken)) await copy(tx, row, now);
    },
    tell(taken) {
      const again = twice(taken);
      if (skip > 0 && taken.length > 0) ctx.chaos.tell(ctx, `passed over up to ${skip} messages`, arn);
      for (const { message_id } of again) ctx.chaos.tell(ctx, `message ${message_id} will come twice`, arn);
      return again.length > 0;
    },
  };
}

const ORDER: Disorder = { skip: 0, copy: () => Promise.resolve(), tell: () => false };

async function copy(tx: Tx, { queue_number, sequence, message_id }: MessageRow, now: number): Promise<void> {
  const others = `queue_number, message_id, body, attributes, trace_header, sender_id, group_id, source_arn, sent_ms`;
  const of = { queue_number, sequence, message_id };
  await tx.run(
    `INSERT INTO sqs_message (sequence, ${others}, visible_ms, receives, first_received_ms, received_ms, copied)
     SELECT :copy, ${others}, :now, receives - 1, first_received_ms, received_ms, 1 FROM sqs_message
     WHERE queue_number = :queue_number AND sequence = :sequence AND message_id = :message_id`,
    { ...of, copy: nextSequence(now), now },
  );
  await tx.run(
    `UPDATE sqs_message SET copied = 1
     WHERE queue_number = :queue_number AND sequence = :sequence AND message_id = :message_id`,
    of,
  );
}
