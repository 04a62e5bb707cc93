// Mails and text messages go no further than here: rows that `aws-like outbox` shows.
import { type Context, parseArn, type Tx } from "../../kernel/mod.ts";
import { digitsOf } from "./endpoints.ts";
import { envelope, type Message, subscribeUrl, textFor, unsubscribeUrl } from "./notification.ts";
import type { Subscription } from "./subscription-row.ts";
import type { Topic } from "./topic-row.ts";

export interface Letter {
  /** Of what is sent twice there is one. */
  readonly id: string;
  readonly account: string;
  readonly region: string;
  readonly protocol: string;
  readonly recipient: string;
  readonly sender: string;
  readonly subject?: string;
  readonly body: string;
}

const DEFAULT_SUBJECT = "AWS Notification Message";
const ADDRESS = "no-reply@sns.amazonaws.com";
const SENDER_ID = "AWS.SNS.SMS.SenderID";

/** What a subscriber by mail or telephone gets of a message. */
export async function letter(ctx: Context, topic: Topic, message: Message, one: Subscription): Promise<Letter> {
  const { account, region, attributes } = topic;
  const of = { id: `${message.id} ${one.arn}`, account, region, protocol: one.protocol };
  const text = textFor(message, one.protocol);
  if (one.protocol === "sms")
    return textMessage(of, { number: one.endpoint, text: prefixed(attributes.DisplayName, text), message });
  const mail = { ...of, recipient: one.endpoint, sender: senderOf(topic), subject: message.subject ?? DEFAULT_SUBJECT };
  if (one.protocol === "email-json") return { ...mail, body: await envelope(ctx, topic, message, one) };
  return { ...mail, body: `${text}\n\n--\nTo end this subscription, visit:\n${unsubscribeUrl(ctx, one)}\n` };
}

/** A message to a telephone. */
export const textMessage = (
  of: Pick<Letter, "id" | "account" | "region">,
  { number, text, message }: { number: string; text: string; message: Message },
): Letter => ({
  ...of,
  protocol: "sms",
  recipient: digitsOf(number),
  sender: message.attributes[SENDER_ID]?.StringValue ?? "NOTICE",
  body: text,
});

/** Asks whether who has this address wants what he was subscribed to. */
export const invitation = (ctx: Context, topic: Topic, one: Subscription, id: string): Letter => ({
  ...addressed(topic, one, id),
  subject: "AWS Notification - Subscription Confirmation",
  body: `${one.endpoint} was subscribed to the topic\n${topic.arn}\n\nTo confirm the subscription, visit:\n${subscribeUrl(ctx, one)}\n\nWhoever did not ask for it need do nothing.\n`,
});

export const farewell = (ctx: Context, topic: Topic, one: Subscription, id: string): Letter => ({
  ...addressed(topic, one, id),
  subject: "AWS Notification - Unsubscribe Confirmation",
  body: `The subscription of ${one.endpoint} to the topic\n${topic.arn}\nwas ended.\n\nTo subscribe again, visit:\n${subscribeUrl(ctx, one)}\n`,
});

/** Beyond that the oldest go. */
const MOST_LETTERS = 10_000;

/** The post may bring it twice: it lies there once. */
export async function post(ctx: Context, tx: Tx, one: Letter): Promise<void> {
  const last = await tx.one<{ sequence: number | null }>("SELECT MAX(sequence) AS sequence FROM sns_outbox");
  await tx.run(
    `INSERT INTO sns_outbox (id, sequence, account, region, protocol, recipient, sender, subject, body, sent_ms)
     VALUES (:id, :sequence, :account, :region, :protocol, :recipient, :sender, :subject, :body, :now)
     ON CONFLICT (id) DO NOTHING`,
    { ...one, subject: one.subject ?? null, sequence: (last?.sequence ?? 0) + 1, now: ctx.now },
  );
  await tx.run("DELETE FROM sns_outbox WHERE sequence <= :oldest", { oldest: (last?.sequence ?? 0) - MOST_LETTERS });
}

const addressed = ({ attributes, arn }: Topic, one: Subscription, id: string) => {
  const { account, region } = parseArn(arn)!;
  return { id, account, region, protocol: one.protocol, recipient: one.endpoint, sender: senderOf({ attributes }) };
};

const senderOf = ({ attributes }: Pick<Topic, "attributes">): string =>
  `${attributes.DisplayName ?? "AWS Notifications"} <${ADDRESS}>`;

/** A topic's display name stands before its text messages. */
const prefixed = (displayName: string | undefined, text: string): string =>
  displayName === undefined ? text : `${displayName}> ${text}`;
