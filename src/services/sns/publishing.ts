// Publish and PublishBatch: what is answered is durable, with all its deliveries.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
import { createHash } from "node:crypto";
import {
  type Access,
  AwsError,
  type Context,
  defineOperations,
  type Input,
  newRequestId,
  type Output,
  type Tx,
} from "../../kernel/mod.ts";
import { asSns, onTopic, soundTopicArn, topicOfArn } from "./arns.ts";
import { checkEntries } from "./batches.ts";
import type { FanOut, Notify } from "./deliveries.ts";
import { effectivePolicy, retryOf } from "./delivery-policy.ts";
import { isPhoneNumber } from "./endpoints.ts";
import { errors } from "./errors.ts";
import { deduplicated, nextOfTopic, remember, sequenceNumber } from "./fifo.ts";
import { passes } from "./filters.ts";
import { queueUp } from "./lanes.ts";
import { lengthOf, soundAttributes } from "./message-attributes.ts";
import { type Message, textFor } from "./notification.ts";
import { post, textMessage } from "./outbox.ts";
import { isOptedOut, settingsOf } from "./sms.ts";
import { confirmedOf, type Subscription } from "./subscription-row.ts";
import { knownTopic, type Topic } from "./topic-row.ts";

type Given = Omit<NonNullable<Input<"sns", "PublishBatch">["PublishBatchRequestEntries"]>[number], "Id">;
type Result = NonNullable<Output<"sns", "PublishBatch">["Successful"]>[number];
type Failure = NonNullable<Output<"sns", "PublishBatch">["Failed"]>[number];
type Sent = Omit<Result, "Id">;

export const publishing = defineOperations("sns", {
  Publish: {
    access: (ctx, input) => onDestination(ctx, input),
    async handle(ctx, input) {
      if (input.PhoneNumber !== undefined) return publishToPhone(ctx, input);
      const topic = await knownTopic(ctx, destinationOf(ctx, input));
      if (lengthOfMessage(input) > MOST_BYTES) throw errors.parameter("Message too long");
      checkForTopic(topic, input);
      const [sent] = await publishAll(ctx, topic, [soundMessage(ctx, topic, input)]);
      return sent!;
    },
  },

  PublishBatch: {
    access: (ctx, input) => onTopic(ctx, "Publish", input),
    async handle(ctx, input) {
      const topic = await knownTopic(ctx, soundTopicArn(ctx, input.TopicArn));
      const entries = checkEntries(input.PublishBatchRequestEntries);
      if (entries.reduce((sum, entry) => sum + lengthOfMessage(entry), 0) > MOST_BYTES) throw errors.batchTooLong();
      // What a FIFO topic lacks, a wrong structure or attribute fails the whole batch (recorded); what is wrong with a text fails its entry.
      for (const entry of entries) {
        checkForTopic(topic, entry);
        soundAttributes(entry.MessageAttributes ?? {});
        if (entry.Message) textsOf(entry);
      }
      const sound: { Id: string; message: Message }[] = [];
      const Failed: Failure[] = [];
      for (const entry of entries)
        try {
          sound.push({ Id: entry.Id!, message: soundMessage(ctx, topic, entry) });
        } catch (error) {
          if (!(error instanceof AwsError)) throw error;
          Failed.push({ Id: entry.Id, Code: error.code, Message: error.message, SenderFault: true });
        }
      const sent = await publishAll(
        ctx,
        topic,
        sound.map(({ message }) => message),
      );
      return { Successful: sent.map((one, at) => ({ Id: sound[at]!.Id, ...one })), Failed };
    },
  },
});

/** https://docs.aws.amazon.com/general/latest/gr/sns.html: with the attributes; a batch together. */
const MOST_BYTES = 262_144;
const MOST_TEXT_BYTES = 1600;
const MAX_SUBJECT = 100;
/** Subscriptions of one work: what is brought to them together. */
const MOST_TOGETHER = 100;

type Destination = Pick<Input<"sns", "Publish">, "TopicArn" | "TargetArn" | "PhoneNumber">;

function onDestination(ctx: Context, input: Destination): Access {
  const { PhoneNumber } = input;
  // A telephone is no resource of anyone's: policies speak of it as `*`.
  return { action: "sns:Publish", resource: PhoneNumber ?? destinationOf(ctx, input) };
}

function destinationOf(ctx: Context, { TopicArn, TargetArn }: Destination): string {
  if (TopicArn !== undefined) return soundTopicArn(ctx, TopicArn);
  if (TargetArn === undefined) throw errors.because("TopicArn or TargetArn", "no value for required parameter");
  if (TargetArn.split(":").length >= 6 && !topicOfArn(TargetArn))
    throw errors.because("TargetArn", "No endpoint found for the target arn specified");
  return soundTopicArn(ctx, TargetArn, "TargetArn");
}

const lengthOfMessage = ({ Message = "", MessageAttributes = {} }: Given): number =>
  Buffer.byteLength(Message) + lengthOf(MessageAttributes);

function checkForTopic(topic: Topic, { Message = "", MessageGroupId, MessageDeduplicationId }: Given): void {
  for (const [name, id] of Object.entries({ MessageGroupId, MessageDeduplicationId }))
    if (id !== undefined && !/^[\x21-\x7e]{1,128}$/.test(id))
      throw errors.because(
        name,
        `The request includes ${name} that is not valid: it can only include alphanumeric and punctuation characters. 1 to 128 in length`,
      );
  if (topic.fifo) {
    if (MessageGroupId === undefined)
      throw errors.parameter("The MessageGroupId parameter is required for FIFO topics");
    if (deduplicationIdOf(topic, { Message, MessageDeduplicationId }) === undefined)
      throw errors.parameter(
        "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
      );
  } else if (MessageDeduplicationId !== undefined)
    throw errors.because(
      "MessageDeduplicationId",
      "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
    );
}

/** Given, or the body's SHA-256. */
function deduplicationIdOf(
  { fifo, attributes }: Topic,
  { Message = "", MessageDeduplicationId: id }: Given,
): string | undefined {
  if (id !== undefined || !fifo || attributes.ContentBasedDeduplication !== "true") return id;
  return createHash("sha256").update(Message).digest("hex");
}

/** Throws AWS's sentence. */
function soundMessage(ctx: Context, topic: Topic | undefined, given: Given): Message {
  const { Message, Subject, MessageGroupId } = given;
  if (!Message) throw errors.parameter("Empty message");
  if (Subject !== undefined && (Subject === "" || Subject.length > MAX_SUBJECT || /\p{Cc}/u.test(Subject)))
    throw errors.parameter("Subject");
  const attributes = soundAttributes(given.MessageAttributes ?? {});
  const deduplicationId = topic && deduplicationIdOf(topic, given);
  return {
    id: newRequestId(),
    at: ctx.now,
    ...(Subject !== undefined && { subject: Subject }),
    texts: textsOf(given),
    attributes,
    ...(MessageGroupId !== undefined && { groupId: MessageGroupId }),
    ...(deduplicationId !== undefined && { deduplicationId }),
  };
}

/** One for each protocol where the message is so structured. What is no text is as if it were not there (recorded). */
function textsOf({ Message = "", MessageStructure }: Given): Readonly<Record<string, string>> {
  if (MessageStructure === undefined) return { default: Message };
  if (MessageStructure !== "json") throw errors.parameter("MessageStructure");
  let value: unknown;
  try {
    value = JSON.parse(Message);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw errors.parameter("Message Structure - JSON message body failed to parse");
  }
  const texts = Object.entries((value ?? {}) as Record<string, unknown>).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  if (!texts.some(([name]) => name === "default"))
    throw errors.parameter("Message Structure - No default entry in JSON message body");
  return Object.fromEntries(texts);
}

/** In one transaction, with the work of all deliveries. */
async function publishAll(ctx: Context, topic: Topic, messages: readonly Message[]): Promise<Sent[]> {
  const all = await confirmedOf(ctx, topic.arn);
  const addressed = messages.map((message) => ({ message, to: all.filter((one) => passes(one, message)) }));
  // Nobody is told: nothing need be kept.
  if (!topic.fifo && addressed.every(({ to }) => to.length === 0)) return messages.map(({ id }) => ({ MessageId: id }));
  return ctx.write(async (tx) => {
    const sent: Sent[] = [];
    for (const { message, to } of addressed)
      sent.push(
        topic.fifo
          ? await publishInOrder(ctx, tx, { topic, message, to })
          : await publish(ctx, tx, { topic, message, to }),
      );
    return sent;
  });
}

interface Addressed {
  readonly topic: Topic;
  readonly message: Message;
  readonly to: readonly Subscription[];
}

async function publish(ctx: Context, tx: Tx, { topic, message, to }: Addressed): Promise<Sent> {
  const as = asSns(topic.arn);
  const isHttp = ({ protocol }: Subscription) => protocol === "http" || protocol === "https";
  const together = to.filter((one) => !isHttp(one)).map(({ arn }) => arn.slice(topic.arn.length + 1));
  for (let at = 0; at < together.length; at += MOST_TOGETHER) {
    const payload: FanOut = { kind: "fan-out", message, ids: together.slice(at, at + MOST_TOGETHER) };
    await ctx.put(tx, { to: topic.arn, as, payload });
  }
  for (const one of to.filter(isHttp)) {
    const policy = effectivePolicy(topic.attributes.DeliveryPolicy, one.attributes.DeliveryPolicy);
    const payload: Notify = { kind: "notify", message };
    const due = policy.throttlePolicy
      ? await slotOf(ctx, tx, one, policy.throttlePolicy.maxReceivesPerSecond)
      : ctx.now;
    await ctx.put(tx, { to: one.arn, as, payload, due, retry: retryOf(policy) });
  }
  return { MessageId: message.id };
}

/** When an endpoint that takes so many a second takes one more. ms since the epoch. */
async function slotOf(ctx: Context, tx: Tx, { arn }: Subscription, perSecond: number): Promise<number> {
  const gap = Math.ceil(1000 / perSecond);
  const row = await tx.one<{ next_slot_ms: number }>(
    `UPDATE sns_subscription SET next_slot_ms = CASE WHEN next_slot_ms > :now THEN next_slot_ms + :gap ELSE :first END
     WHERE arn = :arn RETURNING next_slot_ms`,
    { arn, now: ctx.now, gap, first: ctx.now + gap },
  );
  return row ? row.next_slot_ms - gap : ctx.now; // deleted meanwhile
}

/** What was sent in the last five minutes is answered as it was then, and not sent again. */
async function publishInOrder(ctx: Context, tx: Tx, { topic, message, to }: Addressed): Promise<Sent> {
  const of = { topic, id: message.deduplicationId!, groupId: message.groupId!, now: ctx.now };
  const before = await deduplicated(tx, of);
  if (before) return { MessageId: before.messageId, SequenceNumber: sequenceNumber(before.sequence) };
  const sequence = await nextOfTopic(tx, topic);
  await remember(tx, { ...of, messageId: message.id, sequence });
  const numbered = { ...message, sequence: sequenceNumber(sequence) };
  await queueUp(ctx, tx, { topic: topic.arn, to: to.map(({ arn }) => arn), message: numbered, sequence });
  return { MessageId: message.id, SequenceNumber: numbered.sequence };
}

async function publishToPhone(ctx: Context, input: Input<"sns", "Publish">): Promise<Sent> {
  const number = input.PhoneNumber!;
  if (input.TopicArn !== undefined || input.TargetArn !== undefined)
    throw errors.parameter("Only one of TopicArn, TargetArn or PhoneNumber may be given");
  if (!isPhoneNumber(number)) throw errors.because("PhoneNumber", `${number} is not valid to publish to`);
  const message = soundMessage(ctx, undefined, input);
  const text = textFor(message, "sms");
  if (Buffer.byteLength(text) > MOST_TEXT_BYTES) throw errors.parameter("Message too long");
  const { account, region } = ctx;
  const of = { id: message.id, account, region };
  await ctx.write(async (tx) => {
    const sender = (await settingsOf(ctx, tx)).DefaultSenderID;
    const made = textMessage(of, { number, text, message });
    const letter = sender !== undefined && made.sender === "NOTICE" ? { ...made, sender } : made;
    if (await isOptedOut(tx, letter))
      ctx.log.warn(`${letter.recipient} has opted out: message ${message.id} is not sent`);
    else await post(ctx, tx, letter);
  });
  return { MessageId: message.id };
}
