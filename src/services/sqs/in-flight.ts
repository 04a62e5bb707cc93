// What a receiver does with a message in its hands: DeleteMessage, ChangeMessageVisibility, and their batches.
import { type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { onQueue } from "./access.ts";
import { checkEntries, Results } from "./batches.ts";
import { errors } from "./errors.ts";
import { openQueue, type Queue } from "./queue-row.ts";
import { parseReceiptHandle, type Receipt } from "./receipts.ts";
import { MAX_VISIBILITY_S } from "./receiving.ts";
import { waitingOf } from "./waiting.ts";

export const inFlight = defineOperations("sqs", {
  DeleteMessage: {
    access: (ctx, input) => onQueue(ctx, "DeleteMessage", input),
    async handle(ctx, input) {
      const receipt = parseReceiptHandle(input.ReceiptHandle);
      const queue = await ctx.write(async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        await remove(tx, queue, { receipt, handle: input.ReceiptHandle!, now: ctx.now });
        return queue;
      });
      followed(ctx, queue);
      return {};
    },
  },

  DeleteMessageBatch: {
    access: (ctx, input) => onQueue(ctx, "DeleteMessage", input),
    async handle(ctx, input) {
      const entries = checkEntries(input.Entries, "DeleteMessageBatchRequestEntry");
      const { queue, results } = await ctx.write(async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        const results = new Results<{ Id: string | undefined }>();
        for (const { Id, ReceiptHandle } of entries)
          await results.add(Id, async () => {
            await remove(tx, queue, {
              receipt: parseReceiptHandle(ReceiptHandle),
              handle: ReceiptHandle!,
              now: ctx.now,
            });
            return { Id };
          });
        return { queue, results };
      });
      followed(ctx, queue);
      return results.output();
    },
  },

  ChangeMessageVisibility: {
    access: (ctx, input) => onQueue(ctx, "ChangeMessageVisibility", input),
    async handle(ctx, { QueueUrl, ReceiptHandle, VisibilityTimeout }) {
      const change = toChange({ ReceiptHandle, VisibilityTimeout });
      const queue = await ctx.write(async (tx) => {
        const queue = await openQueue(tx, ctx, QueueUrl);
        await changeVisibility(tx, queue, { ...change, now: ctx.now });
        return queue;
      });
      waitingOf(ctx).wake(queue.number);
      return {};
    },
  },

  ChangeMessageVisibilityBatch: {
    access: (ctx, input) => onQueue(ctx, "ChangeMessageVisibility", input),
    async handle(ctx, input) {
      const entries = checkEntries(input.Entries, "ChangeMessageVisibilityBatchRequestEntry");
      const { queue, results } = await ctx.write(async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        const results = new Results<{ Id: string | undefined }>();
        for (const entry of entries)
          await results.add(entry.Id, async () => {
            await changeVisibility(tx, queue, { ...toChange(entry), now: ctx.now });
            return { Id: entry.Id };
          });
        return { queue, results };
      });
      waitingOf(ctx).wake(queue.number);
      return results.output();
    },
  },
});

/** A FIFO message that is gone lets the next of its group be received. */
function followed(ctx: Context, { fifo, number }: Queue): void {
  if (fifo) waitingOf(ctx).wake(number);
}

interface Held {
  readonly sequence: number;
  readonly message_id: string;
  readonly receipt: string | null;
  readonly received_ms: number;
  readonly visible_ms: number;
}

/** The message, if this receipt is its newest. */
async function holding(tx: Tx, { number }: Queue, of: Receipt): Promise<Held | undefined> {
  if (of.queueNumber !== number) return undefined;
  return tx.one<Held>(
    `SELECT sequence, message_id, receipt, received_ms, visible_ms FROM sqs_message
     WHERE queue_number = :number AND sequence = :sequence AND message_id = :message_id AND receipt = :receipt`,
    { number, sequence: of.sequence, message_id: of.messageId, receipt: of.receipt },
  );
}

/**
 * With an old handle, or of what is gone already, nothing happens and all is well. After its visibility a standard queue's handle still
 * deletes; a FIFO queue's has expired (recorded).
 */
async function remove(
  tx: Tx,
  queue: Queue,
  { receipt, handle, now }: { receipt: Receipt; handle: string; now: number },
): Promise<void> {
  if (receipt.queueNumber !== queue.number) return;
  if (queue.fifo) {
    const held = await holding(tx, queue, receipt);
    if (!held) return;
    if (held.visible_ms <= now) throw errors.parameter("ReceiptHandle", handle, "The receipt handle has expired.");
  }
  await tx.run(
    `DELETE FROM sqs_message
     WHERE queue_number = :number AND sequence = :sequence AND message_id = :message_id AND receipt = :receipt`,
    { number: queue.number, sequence: receipt.sequence, message_id: receipt.messageId, receipt: receipt.receipt },
  );
}

interface Change {
  readonly receipt: Receipt;
  readonly handle: string;
  readonly seconds: number;
}

function toChange(of: { ReceiptHandle: string | undefined; VisibilityTimeout?: number | undefined }): Change {
  const { ReceiptHandle, VisibilityTimeout: seconds } = of;
  if (seconds === undefined) throw errors.missing("VisibilityTimeout");
  if (!(seconds >= 0 && seconds <= MAX_VISIBILITY_S))
    throw errors.parameter("VisibilityTimeout", seconds, "Must be between 0 and 43200, if provided.");
  return { receipt: parseReceiptHandle(ReceiptHandle), handle: ReceiptHandle!, seconds };
}

/** Counted from now; twelve hours from the receive at most. A standard queue's message may have become visible meanwhile (recorded). */
async function changeVisibility(
  tx: Tx,
  queue: Queue,
  { receipt, handle, seconds, now }: Change & { now: number },
): Promise<void> {
  const held = await holding(tx, queue, receipt);
  if (!held || (queue.fifo && held.visible_ms <= now))
    throw errors.parameter(
      "ReceiptHandle",
      handle,
      "Message does not exist or is not available for visibility timeout change.",
    );
  if (now + seconds * 1000 > held.received_ms + MAX_VISIBILITY_S * 1000)
    throw errors.parameter(
      "VisibilityTimeout",
      seconds,
      `Total VisibilityTimeout for the message is beyond the limit [${MAX_VISIBILITY_S} seconds]`,
    );
  await tx.run(
    `UPDATE sqs_message SET visible_ms = :visible_ms
     WHERE queue_number = :number AND sequence = :sequence AND message_id = :message_id`,
    {
      number: queue.number,
      sequence: held.sequence,
      message_id: held.message_id,
      visible_ms: now + seconds * 1000,
    },
  );
}
