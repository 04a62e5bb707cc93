// SendMessage and SendMessageBatch.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
import { hash } from "node:crypto";
import { type Context, defineOperations, type Input, newRequestId, type Output, type Tx } from "../../kernel/mod.ts";
import { onQueue } from "./access.ts";
import { numberOf } from "./attributes.ts";
import { checkEntries, Results } from "./batches.ts";
import { errors } from "./errors.ts";
import { deduplicated, deduplicationIdOf, nextOfQueue, remember, sequenceNumber } from "./fifo.ts";
import { digest, isText, lengthOf, type StoredAttributes, soundAttributes } from "./message-attributes.ts";
import { openQueue, type Queue } from "./queue-row.ts";
import { removeExpired } from "./retention.ts";
import { nextSequence } from "./tables.ts";
import { waitingOf } from "./waiting.ts";

type Entry = NonNullable<Input<"sqs", "SendMessageBatch">["Entries"]>[number];
type Message = Omit<Entry, "Id">;
type Result = NonNullable<Output<"sqs", "SendMessageBatch">["Successful"]>[number];
type Sent = Omit<Result, "Id">;

export const sending = defineOperations("sqs", {
  SendMessage: {
    access: (ctx, input) => onQueue(ctx, "SendMessage", input),
    async handle(ctx, input) {
      const sound = checkMessage(input);
      const { now } = ctx;
      const { sweeps } = waitingOf(ctx);
      const { queue, sent } = await ctx.write(async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        if (sweeps.isDue(queue, now)) await removeExpired(tx, queue, now);
        const most = numberOf(queue.attributes, "MaximumMessageSize");
        if (sound.bytes > most) throw errors.tooLong(most);
        return { queue, sent: await send(ctx, tx, queue, sound) };
      });
      sweeps.done(queue, now);
      waitingOf(ctx).wake(queue.number);
      return sent;
    },
  },

  SendMessageBatch: {
    access: (ctx, input) => onQueue(ctx, "SendMessage", input),
    async handle(ctx, input) {
      const entries = checkEntries(input.Entries, "SendMessageBatchRequestEntry");
      const bytes = entries.reduce((sum, entry) => sum + bytesOf(entry), 0);
      const { now } = ctx;
      const { sweeps } = waitingOf(ctx);
      if (bytes > MOST_BATCH_BYTES) throw errors.batchTooLong(MOST_BATCH_BYTES, bytes);
      const { queue, results } = await ctx.write(async (tx) => {
        const queue = await openQueue(tx, ctx, input.QueueUrl);
        const most = numberOf(queue.attributes, "MaximumMessageSize");
        checkFifoEntries(queue, entries);
        if (sweeps.isDue(queue, now)) await removeExpired(tx, queue, now);
        const results = new Results<Result>();
        for (const entry of entries)
          await results.add(entry.Id, async () => {
            const sound = checkMessage(entry);
            if (sound.bytes > most) throw errors.entryTooLong(most);
            return { Id: entry.Id, ...(await send(ctx, tx, queue, sound)) };
          });
        return { queue, results };
      });
      sweeps.done(queue, now);
      if (results.successful.length > 0) waitingOf(ctx).wake(queue.number);
      return results.output();
    },
  },
});

const MOST_BATCH_BYTES = 1_048_576;
const MAX_DELAY_S = 900;

interface Sound {
  readonly message: Message;
  readonly body: string;
  readonly attributes: StoredAttributes;
  readonly traceHeader: string | undefined;
  readonly bytes: number;
}

/** What can be said without the queue. */
function checkMessage(message: Message): Sound {
  const { MessageBody: body, DelaySeconds } = message;
  if (!body) throw errors.missing("MessageBody");
  if (!isText(body)) throw errors.contents();
  if (DelaySeconds !== undefined && !(DelaySeconds >= 0 && DelaySeconds <= MAX_DELAY_S))
    throw errors.parameter("DelaySeconds", DelaySeconds, "DelaySeconds must be >= 0 and <= 900.");
  for (const name of ["MessageGroupId", "MessageDeduplicationId"] as const) checkId(name, message[name]);
  const attributes = soundAttributes(message.MessageAttributes ?? {});
  return {
    message,
    body,
    attributes,
    traceHeader: traceHeaderOf(message),
    bytes: Buffer.byteLength(body) + lengthOf(attributes),
  };
}

function checkId(name: string, id: string | undefined): void {
  if (id !== undefined && !/^[\x21-\x7e]{1,128}$/.test(id))
    throw errors.parameter(
      name,
      id,
      `${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
    );
}

/** The only system attribute that a sender may set. */
function traceHeaderOf({ MessageSystemAttributes = {} }: Message): string | undefined {
  for (const [name, { DataType, StringValue }] of Object.entries(MessageSystemAttributes)) {
    if (name !== "AWSTraceHeader")
      throw errors.invalidValue(
        `Message system attribute name '${name}' is invalid. Valid names are [AWSTraceHeader].`,
      );
    if (DataType !== "String" || !StringValue)
      throw errors.invalidValue(
        `Message (system) attribute '${name}' must contain a non-empty value of type 'String'.`,
      );
  }
  return MessageSystemAttributes.AWSTraceHeader?.StringValue;
}

/** Of what may yet be unsound: names, types and values as they came. */
function bytesOf({ MessageBody = "", MessageAttributes = {} }: Entry): number {
  let bytes = Buffer.byteLength(MessageBody);
  for (const [name, { DataType = "", StringValue = "", BinaryValue }] of Object.entries(MessageAttributes))
    bytes +=
      Buffer.byteLength(name) +
      Buffer.byteLength(DataType) +
      (BinaryValue?.byteLength ?? Buffer.byteLength(StringValue));
  return bytes;
}

/** What a FIFO queue lacks fails the whole batch (recorded). */
function checkFifoEntries(queue: Queue, entries: readonly Entry[]): void {
  if (!queue.fifo) return;
  for (const entry of entries) {
    if (entry.MessageGroupId === undefined)
      throw errors.invalidValue("The request must contain the parameter MessageGroupId.");
    deduplicationIdOf(queue, { id: entry.MessageDeduplicationId, body: entry.MessageBody ?? "" });
  }
}

async function send(ctx: Context, tx: Tx, queue: Queue, sound: Sound): Promise<Sent> {
  const { message, body } = sound;
  checkForQueue(queue, message);
  const { now } = ctx;
  const deduplicationId = queue.fifo
    ? deduplicationIdOf(queue, { id: message.MessageDeduplicationId, body })
    : undefined;
  const before =
    deduplicationId === undefined
      ? undefined
      : await deduplicated(tx, queue, { id: deduplicationId, groupId: message.MessageGroupId!, now });
  const messageId = before?.messageId ?? newRequestId();
  const sequence = before?.sequence ?? (queue.fifo ? await nextOfQueue(tx, queue, now) : nextSequence(now));
  if (!before) {
    await insertMessage(tx, queue, {
      sound,
      messageId,
      sequence,
      deduplicationId,
      senderId: senderIdOf(ctx),
      trace: ctx.trace,
      now,
    });
    if (deduplicationId !== undefined)
      await remember(tx, queue, { id: deduplicationId, groupId: message.MessageGroupId!, messageId, sequence, now });
  }
  const ofAttributes = digest(sound.attributes);
  return {
    MessageId: messageId,
    MD5OfMessageBody: md5(body),
    ...(ofAttributes !== undefined && { MD5OfMessageAttributes: ofAttributes }),
    ...(sound.traceHeader !== undefined && {
      MD5OfMessageSystemAttributes: digest({
        AWSTraceHeader: { DataType: "String", StringValue: sound.traceHeader },
      })!,
    }),
    ...(queue.fifo && { SequenceNumber: sequenceNumber(sequence) }),
  };
}

function checkForQueue(queue: Queue, { DelaySeconds, MessageGroupId, MessageDeduplicationId }: Message): void {
  if (queue.fifo) {
    if (MessageGroupId === undefined) throw errors.missing("MessageGroupId");
    if (DelaySeconds) throw errors.notOfThisType("DelaySeconds", DelaySeconds);
  } else if (MessageDeduplicationId !== undefined) {
    throw errors.notOfThisType("MessageDeduplicationId", MessageDeduplicationId);
  }
}

async function insertMessage(
  tx: Tx,
  queue: Queue,
  of: {
    sound: Sound;
    messageId: string;
    sequence: number;
    deduplicationId: string | undefined;
    senderId: string;
    /** Where the sender gave none of its own: that of the request. */
    trace: string | undefined;
    now: number;
  },
): Promise<void> {
  const { sound, trace, now } = of;
  const { DelaySeconds, MessageGroupId } = sound.message;
  // Zero on a FIFO queue is the queue's own delay (recorded).
  const own = queue.fifo ? undefined : DelaySeconds;
  const delay = own ?? numberOf(queue.attributes, "DelaySeconds");
  await tx.run(
    `INSERT INTO sqs_message (queue_number, sequence, message_id, body, attributes, trace_header, sender_id,
       group_id, deduplication_id, sent_ms, visible_ms, receives)
     VALUES (:queue_number, :sequence, :message_id, :body, :attributes, :trace_header, :sender_id,
       :group_id, :deduplication_id, :now, :visible_ms, 0)`,
    {
      queue_number: queue.number,
      sequence: of.sequence,
      message_id: of.messageId,
      body: sound.body,
      attributes: JSON.stringify(sound.attributes),
      trace_header: sound.traceHeader ?? trace ?? null,
      sender_id: of.senderId,
      group_id: MessageGroupId ?? null,
      deduplication_id: of.deduplicationId ?? null,
      now,
      visible_ms: now + delay * 1000,
    },
  );
}

export const md5 = (text: string): string => hash("md5", text);

/** The unique id of a user or of a role and its session, the number of an account; the name of a service. */
function senderIdOf({ principal }: Context): string {
  if (principal.kind === "anonymous") return "anonymous";
  return principal.kind === "service" ? principal.name : principal.id;
}
