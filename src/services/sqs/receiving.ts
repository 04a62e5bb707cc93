// ReceiveMessage: short and long polls.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
import { type Context, defineOperations, type Input, type Output, type Tx } from "../../kernel/mod.ts";
import { onQueue } from "./access.ts";
import { numberOf } from "./attributes.ts";
import { claim } from "./claim.ts";
import type { Crowd } from "./crowd.ts";
import { disorderOf } from "./disorder.ts";
import { errors } from "./errors.ts";
import { sequenceNumber } from "./fifo.ts";
import { digest, type StoredAttributes, selected, toOutput } from "./message-attributes.ts";
import { openQueue, type Queue } from "./queue-row.ts";
import { receiptHandle } from "./receipts.ts";
import { rememberAttempt, takenBefore } from "./receive-attempts.ts";
import { anyExpired, oldestSequence, removeExpired } from "./retention.ts";
import { md5 } from "./sending.ts";
import type { MessageRow } from "./tables.ts";
import { MOST_MESSAGES } from "./take.ts";
import { nextVisible, waitingOf } from "./waiting.ts";

export const MAX_VISIBILITY_S = 43_200;
const MAX_WAIT_S = 20;

export const receiving = defineOperations("sqs", {
  ReceiveMessage: {
    access: (ctx, input) => onQueue(ctx, "ReceiveMessage", input),
    async handle(ctx, input) {
      const asked = check(input);
      const found = await openQueue(ctx.singly, ctx, input.QueueUrl);
      const waitS = input.WaitTimeSeconds ?? numberOf(found.attributes, "ReceiveMessageWaitTimeSeconds");
      if (input.ReceiveRequestAttemptId !== undefined && !found.fifo)
        throw errors.notOfThisType("ReceiveRequestAttemptId", input.ReceiveRequestAttemptId);
      const rows = await receive(ctx, { url: input.QueueUrl, queue: found, input, waitMs: waitS * 1000 });
      return rows.length === 0 ? {} : { Messages: rows.map((row) => toMessage(row, asked)) };
    },
  },
});

interface Asked {
  readonly system: readonly string[];
  readonly attributes: readonly string[];
}

function check(input: Input<"sqs", "ReceiveMessage">): Asked {
  const { MaxNumberOfMessages: most, VisibilityTimeout: visibility, WaitTimeSeconds: wait } = input;
  const attempt = input.ReceiveRequestAttemptId;
  if (most !== undefined && !(most >= 1 && most <= MOST_MESSAGES))
    throw errors.parameter("MaxNumberOfMessages", most, "Must be between 1 and 10, if provided.");
  if (visibility !== undefined && !(visibility >= 0 && visibility <= MAX_VISIBILITY_S))
    throw errors.parameter("VisibilityTimeout", visibility, "Must be >= 0 and <= 43200, if provided.");
  if (wait !== undefined && !(wait >= 0 && wait <= MAX_WAIT_S))
    throw errors.parameter("WaitTimeSeconds", wait, "Must be >= 0 and <= 20, if provided.");
  if (attempt !== undefined && !/^[\x21-\x7e]{1,128}$/.test(attempt))
    throw errors.parameter(
      "ReceiveRequestAttemptId",
      attempt,
      "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
    );
  const system: readonly string[] = [...(input.AttributeNames ?? []), ...(input.MessageSystemAttributeNames ?? [])];
  for (const name of system) if (name !== "All" && !Object.hasOwn(SYSTEM, name)) throw errors.unknownAttribute(name);
  return { system, attributes: input.MessageAttributeNames ?? [] };
}

interface Poll {
  readonly url: string | undefined;
  readonly queue: Queue;
  readonly input: Input<"sqs", "ReceiveMessage">;
  /** A short poll is answered at once. */
  readonly waitMs: number;
}

async function receive(ctx: Context, poll: Poll): Promise<readonly MessageRow[]> {
  const { queue, waitMs } = poll;
  const waiting = waitingOf(ctx);
  const until = ctx.now + waitMs;
  for (;;) {
    using arrival = waiting.arrival(queue.number);
    await sweep(ctx, queue);
    // A retry gets what is in flight.
    const worth = poll.input.ReceiveRequestAttemptId !== undefined || (await anyVisible(ctx.singly, queue, ctx.now));
    const crowd = worth ? await waiting.crowds.of(ctx, queue) : undefined;
    if (crowd && crowd.room <= 0 && waitMs === 0 && !queue.fifo) throw errors.inFlight();
    if (crowd && crowd.room > 0) {
      const { taken, moved } = await attempt(ctx, poll, crowd);
      for (const target of moved) waiting.wake(target);
      if (taken.length > 0) return taken;
      if (moved.size > 0) continue; // dead letters only: what is behind them may be alive
    }
    if (ctx.now >= until || ctx.signal.aborted || waiting.ended) return [];
    const next = await nextVisible(ctx.singly, queue, ctx.now);
    await waiting.until(ctx, arrival, Math.min(next ?? until, until));
  }
}

async function attempt(
  ctx: Context,
  { url, queue: found, input }: Poll,
  { noisy, room }: Crowd,
): ReturnType<typeof claim> {
  const most = Math.min(input.MaxNumberOfMessages ?? 1, room);
  const id = input.ReceiveRequestAttemptId;
  const now = ctx.now;
  const { crowds } = waitingOf(ctx);
  // Drawn before: a transaction may run twice.
  const disorder = disorderOf(ctx, found, most);
  const { queue, ...claimed } = await ctx.write(async (tx) => {
    // What the queue is told now counts, not what it was told when the poll began.
    const queue = await openQueue(tx, ctx, url);
    const visibilityMs = (input.VisibilityTimeout ?? numberOf(queue.attributes, "VisibilityTimeout")) * 1000;
    const again = id === undefined ? undefined : await takenBefore(tx, queue, { id, visibilityMs, now });
    if (again) return { queue, taken: again, moved: NONE };
    const claimed = await claim(tx, queue, { most, visibilityMs, now, noisy, skip: disorder.skip });
    await disorder.copy(tx, claimed.taken);
    if (id !== undefined) await rememberAttempt(tx, queue, { id, now, rows: claimed.taken });
    return { queue, ...claimed };
  });
  if (disorder.tell(claimed.taken)) waitingOf(ctx).wake(queue.number);
  crowds.took(queue, claimed.taken.length);
  return claimed;
}

/** Also where nothing else is there to be received: or each look would pass over all that is expired. */
async function sweep(ctx: Context, queue: Queue): Promise<void> {
  const { sweeps } = waitingOf(ctx);
  const { now } = ctx;
  if (!sweeps.isDue(queue, now)) return;
  if (await anyExpired(ctx.singly, queue, now)) await ctx.write((tx) => removeExpired(tx, queue, now));
  sweeps.done(queue, now);
}

const NONE: ReadonlySet<number> = new Set();

/** Reading costs no commit. On a FIFO queue there may yet be none to take. */
async function anyVisible(tx: Pick<Tx, "one">, queue: Queue, now: number): Promise<boolean> {
  const row = await tx.one(
    `SELECT sequence FROM sqs_message
     WHERE queue_number = :number AND visible_ms <= :now AND sequence >= :oldest ORDER BY visible_ms, sequence LIMIT 1`,
    { number: queue.number, now, oldest: oldestSequence(queue, now) },
  );
  return row !== undefined;
}

const time = (ms: number | null): string | undefined => (ms === null ? undefined : String(ms));

/** Attributes of a message that SQS itself gives it; undefined: this message has none of that name. */
const SYSTEM: Readonly<Record<string, (row: MessageRow) => string | undefined>> = {
  SenderId: (row) => row.sender_id,
  SentTimestamp: (row) => time(row.sent_ms),
  ApproximateReceiveCount: (row) => String(row.receives),
  ApproximateFirstReceiveTimestamp: (row) => time(row.first_received_ms),
  // Only FIFO queues have a deduplication id, and with it a sequence that is told.
  SequenceNumber: (row) => (row.deduplication_id === null ? undefined : sequenceNumber(row.sequence)),
  MessageDeduplicationId: (row) => row.deduplication_id ?? undefined,
  MessageGroupId: (row) => row.group_id ?? undefined,
  AWSTraceHeader: (row) => row.trace_header ?? undefined,
  DeadLetterQueueSourceArn: (row) => row.source_arn ?? undefined,
};

type Message = NonNullable<Output<"sqs", "ReceiveMessage">["Messages"]>[number];

function toMessage(row: MessageRow, asked: Asked): Message {
  const all = asked.system.includes("All");
  const system = Object.entries(SYSTEM).flatMap(([name, read]) => {
    const value = all || asked.system.includes(name) ? read(row) : undefined;
    return value === undefined ? [] : [[name, value]];
  });
  const attributes = selected(JSON.parse(row.attributes) as StoredAttributes, asked.attributes);
  const ofAttributes = digest(attributes);
  return {
    MessageId: row.message_id,
    ReceiptHandle: receiptHandle(row),
    MD5OfBody: md5(row.body),
    Body: row.body,
    ...(system.length > 0 && { Attributes: Object.fromEntries(system) }),
    // Of those that are told.
    ...(ofAttributes !== undefined && {
      MD5OfMessageAttributes: ofAttributes,
      MessageAttributes: toOutput(attributes),
    }),
  };
}
