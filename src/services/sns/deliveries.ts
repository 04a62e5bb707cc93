// What is due at a topic or a subscription. A topic's work is one message for many subscriptions, so that publishing to a hundred queues writes one
// row; what fails goes on as work of its subscription alone. HTTP endpoints, which may be slow, have a work each from the start.
import {
  type Arn,
  type Context,
  isRefusal,
  type Parcel,
  type ParcelAttribute,
  parcelOf,
  type Retry,
  sendTo,
  type Tx,
  type Work,
} from "../../kernel/mod.ts";
import { asSns, isFifo, topicOfSubscription } from "./arns.ts";
import { effectivePolicy, MANAGED_RETRY } from "./delivery-policy.ts";
import { bringToHttp } from "./http-endpoint.ts";
import type { Ask } from "./invitations.ts";
import { deliverLane, giveUpLane, type Lane } from "./lanes.ts";
import { envelope, lambdaEvent, lambdaRecords, type Message, question, textFor } from "./notification.ts";
import { letter, post } from "./outbox.ts";
import { isOptedOut } from "./sms.ts";
import { deadLettersOf } from "./subscription-attributes.ts";
import { confirmedOf, findSubscription, removeSubscription, type Subscription } from "./subscription-row.ts";
import { changing, findTopic, knownTopic, type Topic } from "./topic-row.ts";

/** To a topic: these subscriptions get the message. */
export interface FanOut {
  readonly kind: "fan-out";
  readonly message: Message;
  /** What stands behind the topic's ARN. */
  readonly ids: readonly string[];
}

/** To a subscription. */
export interface Notify {
  readonly kind: "notify";
  readonly message: Message;
}

/** To a subscription: the message could not be brought to its endpoint, and goes to its dead-letter queue. */
interface Dead {
  readonly kind: "dead";
  readonly message: Message;
}

/** To a subscription: the token ends, and with it what was not confirmed. */
interface Expire {
  readonly kind: "expire";
  readonly at: number;
}

type Own = FanOut | Notify | Dead | Expire | Ask | Lane;

export async function deliver(ctx: Context, work: Work): Promise<void> {
  const own = ownOf(work);
  if (!own) return sendTo(ctx, { to: work.to, as: work.as, parcel: parcelOf(work.payload) });
  switch (own.kind) {
    case "fan-out":
      return fanOut(ctx, work.to, own);
    case "notify":
      return notify(ctx, work.to, own.message);
    case "dead":
      return bury(ctx, work.to, own.message);
    case "ask":
      return ask(ctx, work.to, own);
    case "lane":
      return deliverLane(ctx, work.to, own, (message) => notifyOrBury(ctx, work.to, message));
    case "expire":
      return expire(ctx, work.to, own);
  }
}

/** The last attempt failed, or the endpoint refused. */
export async function giveUp(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  const own = ownOf(work);
  const reason = error instanceof Error ? error.message : String(error);
  if (own?.kind === "notify") await giveUpMessage(ctx, tx, { arn: work.to, message: own.message, reason });
  else if (own?.kind === "lane") {
    const message = await giveUpLane(ctx, tx, work.to, own);
    if (message) await giveUpMessage(ctx, tx, { arn: work.to, message, reason });
  } else if (own?.kind === "dead") ctx.log.error(`a dead letter is lost: ${reason}`, { subject: work.to });
  else if (own?.kind === "ask") ctx.log.error(`${own.type} was not delivered: ${reason}`, { subject: work.to });
  else ctx.log.error(`a message for ${work.to} is lost: ${reason}`, { subject: work.to });
}

/** Only SNS itself puts these; what others put to a topic is published. */
function ownOf({ as, payload }: Work): Own | undefined {
  const { kind } = (payload ?? {}) as { kind?: string };
  const mine = as.kind === "service" && as.name === "sns.amazonaws.com" && kind !== "message" && kind !== "event";
  return mine ? (payload as Own) : undefined;
}

async function fanOut(ctx: Context, topicArn: Arn, { message, ids }: FanOut): Promise<void> {
  const wanted = new Set(ids.map((id) => `${topicArn}:${id}`));
  const all = (await confirmedOf(ctx, topicArn)).filter(({ arn }) => wanted.has(arn));
  if (all.length === 0) return; // deleted meanwhile
  const topic = await knownTopic(ctx, topicArn);
  // Whoever published has his answer before a hundred queues have the message.
  await new Promise(setImmediate);
  const failed: { one: Subscription; error: unknown }[] = [];
  await Promise.all(
    all.map((one) => bring(ctx, topic, message, one).catch((error: unknown) => void failed.push({ one, error }))),
  );
  if (failed.length === 0) return;
  for (const { one, error } of failed)
    ctx.log.warn(`delivery to ${one.endpoint} failed: ${(error as Error).message}`, { subject: one.arn });
  await ctx.write(async (tx) => {
    for (const { one, error } of failed)
      if (isRefusal(error)) await giveUpMessage(ctx, tx, { arn: one.arn, message, reason: (error as Error).message });
      else {
        const payload: Notify = { kind: "notify", message };
        await ctx.put(tx, { to: one.arn, as: asSns(topicArn), payload, retry: SECOND });
      }
  });
}

/** The first attempt was made with the others. */
const SECOND: Retry = { waitsMs: MANAGED_RETRY.waitsMs.slice(1), attempts: MANAGED_RETRY.attempts - 1 };

async function notify(ctx: Context, arn: Arn, message: Message): Promise<void> {
  const topicArn = topicOfSubscription(arn)!;
  const one = (await confirmedOf(ctx, topicArn)).find((each) => each.arn === arn);
  if (one) await bring(ctx, await knownTopic(ctx, topicArn), message, one);
}

/** In a lane what is refused is buried before the next is brought: dead letters keep their order too. */
async function notifyOrBury(ctx: Context, arn: Arn, message: Message): Promise<void> {
  try {
    await notify(ctx, arn, message);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    ctx.log.warn(`delivery failed: ${(error as Error).message}`, { subject: arn });
    await bury(ctx, arn, message).catch((second: unknown) => {
      if (!isRefusal(second)) throw second;
      ctx.log.error(`a dead letter is lost: ${(second as Error).message}`, { subject: arn });
    });
  }
}

/** Throws what the endpoint answered. */
async function bring(ctx: Context, topic: Topic, message: Message, one: Subscription): Promise<void> {
  switch (one.protocol) {
    case "sqs":
      return sendTo(ctx, {
        to: one.endpoint,
        as: asSns(topic.arn),
        parcel: await queued(ctx, topic, message, one, one.endpoint),
      });
    case "lambda": {
      const event = await lambdaEvent(ctx, topic, message, one);
      return sendTo(ctx, { to: one.endpoint, as: asSns(topic.arn), parcel: { kind: "event", event } });
    }
    case "http":
    case "https":
      return notifyHttp(ctx, topic, message, one);
    default: {
      const mail = await letter(ctx, topic, message, one);
      await ctx.write(async (tx) => {
        if (one.protocol === "sms" && (await isOptedOut(tx, mail))) ctx.log.warn(`${mail.recipient} has opted out`);
        else await post(ctx, tx, mail);
      });
    }
  }
}

/** As a queue gets it: whole, or raw with its attributes. A group is a standard queue's only where the topic is standard too. */
async function queued(ctx: Context, topic: Topic, message: Message, one: Subscription, queue: Arn): Promise<Parcel> {
  const raw = isRaw(one);
  const grouped = isFifo(queue) || !topic.fifo;
  return {
    kind: "message",
    body: raw ? textFor(message, one.protocol) : await envelope(ctx, topic, message, one),
    ...(raw &&
      Object.keys(message.attributes).length > 0 && {
        attributes: message.attributes as Readonly<Record<string, ParcelAttribute>>,
      }),
    ...(grouped && message.groupId !== undefined && { groupId: message.groupId }),
    ...(isFifo(queue) && message.deduplicationId !== undefined && { deduplicationId: message.deduplicationId }),
  };
}

async function notifyHttp(ctx: Context, topic: Topic, message: Message, one: Subscription): Promise<void> {
  const { requestPolicy } = effectivePolicy(topic.attributes.DeliveryPolicy, one.attributes.DeliveryPolicy);
  const raw = isRaw(one);
  await bringToHttp(ctx, {
    url: one.endpoint,
    body: raw ? textFor(message, one.protocol) : await envelope(ctx, topic, message, one),
    contentType: requestPolicy!.headerContentType!,
    type: "Notification",
    messageId: message.id,
    topicArn: topic.arn,
    subscriptionArn: one.arn,
    raw,
  });
  ctx.log.info(`message ${message.id} delivered to ${one.endpoint}`, { subject: one.arn });
}

async function ask(ctx: Context, arn: Arn, { type, id, at }: Ask): Promise<void> {
  const found = await ctx.read(async (tx) => {
    const one = await findSubscription(tx, arn);
    const topic = one && (await findTopic(tx, one.topic));
    return topic && { one, topic };
  });
  if (!found) return;
  const { one, topic } = found;
  const body = await question(ctx, topic, { type, id, at, one });
  if (one.protocol === "sqs") {
    const ordered = isFifo(one.endpoint) ? { groupId: type, deduplicationId: one.token.slice(0, 128) } : {};
    await sendTo(ctx, { to: one.endpoint, as: asSns(topic.arn), parcel: { kind: "message", body, ...ordered } });
  } else if (one.protocol === "lambda") {
    const event = lambdaRecords(one, JSON.parse(body) as object);
    await sendTo(ctx, { to: one.endpoint, as: asSns(topic.arn), parcel: { kind: "event", event } });
  } else {
    const of = {
      url: one.endpoint,
      body,
      contentType: "text/plain; charset=UTF-8",
      type,
      messageId: id,
      topicArn: topic.arn,
    };
    await bringToHttp(ctx, type === "SubscriptionConfirmation" ? of : { ...of, subscriptionArn: arn });
  }
}

/** It goes to the dead-letter queue, as the subscription has it now; without one it is lost, loudly. */
async function giveUpMessage(
  ctx: Context,
  tx: Tx,
  { arn, message, reason }: { arn: Arn; message: Message; reason: string },
): Promise<void> {
  const one = await findSubscription(tx, arn);
  const queue = one && deadLettersOf(one);
  if (queue === undefined) {
    ctx.log.error(`message ${message.id} is lost: ${reason}; the subscription has no dead-letter queue`, {
      subject: arn,
    });
    return;
  }
  const payload: Dead = { kind: "dead", message };
  await ctx.put(tx, { to: arn, as: asSns(topicOfSubscription(arn)!), payload, retry: MANAGED_RETRY });
}

/** As the endpoint would have got it. */
async function bury(ctx: Context, arn: Arn, message: Message): Promise<void> {
  const topicArn = topicOfSubscription(arn)!;
  const one = await ctx.read((tx) => findSubscription(tx, arn));
  const queue = one && deadLettersOf(one);
  if (queue === undefined)
    return ctx.log.error(`message ${message.id} is lost: the subscription has no dead-letter queue`, { subject: arn });
  const parcel = await queued(ctx, await knownTopic(ctx, topicArn), message, one!, queue);
  await sendTo(ctx, { to: queue, as: asSns(topicArn), parcel });
}

async function expire(ctx: Context, arn: Arn, { at }: Expire): Promise<void> {
  await changing(ctx, async (tx) => {
    const one = await findSubscription(tx, arn);
    if (one && one.state !== "confirmed" && one.tokenUntilMs === at) await removeSubscription(tx, arn);
  });
}

const isRaw = ({ attributes }: Subscription): boolean => attributes.RawMessageDelivery === "true";
