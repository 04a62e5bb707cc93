// A message as subscribers get it: the envelope for queues, HTTP and mail, and a function's record.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
import type { Arn, Context } from "../../kernel/mod.ts";
import type { StoredAttributes } from "./message-attributes.ts";
import { sign } from "./signing.ts";
import type { Subscription } from "./subscription-row.ts";
import type { Topic } from "./topic-row.ts";

/** What was published, as it waits for delivery. JSON. */
export interface Message {
  readonly id: string;
  /** When it was published. ms since the epoch. */
  readonly at: number;
  readonly subject?: string;
  /** `default`, and what is for one protocol alone. */
  readonly texts: Readonly<Record<string, string>>;
  readonly attributes: StoredAttributes;
  readonly groupId?: string;
  readonly deduplicationId?: string;
  /** Of a FIFO topic. */
  readonly sequence?: string;
}

export const textFor = ({ texts }: Message, protocol: string): string => texts[protocol] ?? texts.default!;

/** The envelope, to the order of its members and its blanks. A FIFO topic's is not signed (recorded). */
export async function envelope(ctx: Context, topic: Topic, message: Message, one: Subscription): Promise<string> {
  const text = textFor(message, one.protocol);
  const attributes = Object.entries(message.attributes);
  return laidOut([
    ["Type", "Notification"],
    ["MessageId", message.id],
    ["SequenceNumber", message.sequence],
    ["TopicArn", topic.arn],
    ["Subject", message.subject],
    ["Message", text],
    ["Timestamp", timestamp(message.at)],
    ...(topic.fifo ? [] : await signatureMembers(ctx, { topic, message, text })),
    ["UnsubscribeURL", unsubscribeUrl(ctx, one)],
    [
      "MessageAttributes",
      attributes.length === 0
        ? undefined
        : Object.fromEntries(
            attributes.map(([name, { DataType, StringValue, BinaryValue }]) => [
              name,
              { Type: DataType, Value: StringValue ?? BinaryValue },
            ]),
          ),
    ],
  ]);
}

/** The event of a function. Always of signature version 1, whatever the topic says (recorded). */
export async function lambdaEvent(ctx: Context, topic: Topic, message: Message, one: Subscription) {
  const text = textFor(message, "lambda");
  const { signature, version, certificateUrl } = await signNotification(ctx, { topic, message, text, version: "1" });
  return lambdaRecords(one, {
    Type: "Notification",
    MessageId: message.id,
    TopicArn: topic.arn,
    Subject: message.subject ?? null,
    Message: text,
    Timestamp: timestamp(message.at),
    SignatureVersion: version,
    Signature: signature,
    SigningCertUrl: certificateUrl,
    UnsubscribeUrl: unsubscribeUrl(ctx, one),
    MessageAttributes: Object.fromEntries(
      Object.entries(message.attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
        name,
        { Type: DataType, Value: StringValue ?? BinaryValue },
      ]),
    ),
  });
}

/** SubscriptionConfirmation and UnsubscribeConfirmation. */
export async function question(
  ctx: Context,
  topic: Topic,
  { type, id, at, one }: { type: QuestionType; id: string; at: number; one: Subscription },
): Promise<string> {
  const text =
    type === "SubscriptionConfirmation"
      ? `You have chosen to subscribe to the topic ${topic.arn}.\nTo confirm the subscription, visit the SubscribeURL included in this message.`
      : `You have chosen to deactivate subscription ${one.arn}.\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message.`;
  const url = subscribeUrl(ctx, one);
  const said: [string, string][] = [
    ["Message", text],
    ["MessageId", id],
    ["SubscribeURL", url],
    ["Timestamp", timestamp(at)],
    ["Token", one.token],
    ["TopicArn", topic.arn],
    ["Type", type],
  ];
  const { version, signature, certificateUrl } = await sign(ctx, versionOf(topic), toSign(said));
  return laidOut([
    ["Type", type],
    ["MessageId", id],
    ["Token", one.token],
    ["TopicArn", topic.arn],
    ["Message", text],
    ["SubscribeURL", url],
    ["Timestamp", timestamp(at)],
    ["SignatureVersion", version],
    ["Signature", signature],
    ["SigningCertURL", certificateUrl],
  ]);
}

export type QuestionType = "SubscriptionConfirmation" | "UnsubscribeConfirmation";

export const subscribeUrl = ({ endpoint }: Context, { topic, token }: Subscription): string =>
  `${endpoint}/?Action=ConfirmSubscription&TopicArn=${topic}&Token=${token}`;

export const unsubscribeUrl = ({ endpoint }: Context, { arn }: { readonly arn: Arn }): string =>
  `${endpoint}/?Action=Unsubscribe&SubscriptionArn=${arn}`;

export const lambdaRecords = ({ arn }: Subscription, Sns: object) => ({
  Records: [{ EventSource: "aws:sns", EventVersion: "1.0", EventSubscriptionArn: arn, Sns }],
});

const timestamp = (at: number): string => new Date(at).toISOString();

const versionOf = ({ attributes }: Topic): "1" | "2" => (attributes.SignatureVersion === "2" ? "2" : "1");

interface Signing {
  readonly topic: Topic;
  readonly message: Message;
  readonly text: string;
  readonly version?: "1" | "2";
}

async function signatureMembers(ctx: Context, of: Signing): Promise<[string, string][]> {
  const { version, signature, certificateUrl } = await signNotification(ctx, of);
  return [
    ["SignatureVersion", version],
    ["Signature", signature],
    ["SigningCertURL", certificateUrl],
  ];
}

// One message goes to a hundred queues: it is signed once for all that get the same text.
const signed = new WeakMap<Message, Map<string, ReturnType<typeof sign>>>();

function signNotification(ctx: Context, { topic, message, text, version = versionOf(topic) }: Signing) {
  const ofMessage = signed.get(message) ?? new Map<string, ReturnType<typeof sign>>();
  signed.set(message, ofMessage);
  const key = `${version}${text}`;
  const known = ofMessage.get(key);
  if (known) return known;
  const said: [string, string][] = [
    ["Message", text],
    ["MessageId", message.id],
    ...(message.subject === undefined ? [] : [["Subject", message.subject] as [string, string]]),
    ["Timestamp", timestamp(message.at)],
    ["TopicArn", topic.arn],
    ["Type", "Notification"],
  ];
  const made = sign(ctx, version, toSign(said));
  ofMessage.set(key, made);
  return made;
}

const toSign = (said: readonly (readonly [string, string])[]): string =>
  said.map(([name, value]) => `${name}\n${value}\n`).join("");

/** JSON as SNS lays it out. What is undefined is left out. */
function laidOut(members: readonly (readonly [string, unknown])[]): string {
  const lines = members
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) => `  "${name}" : ${typeof value === "string" ? JSON.stringify(value) : nested(value as object)}`,
    );
  return `{\n${lines.join(",\n")}\n}`;
}

const nested = (value: object): string =>
  `{\n${Object.entries(value)
    .map(([name, member]) => `    ${JSON.stringify(name)} : ${JSON.stringify(member)}`)
    .join(",\n")}\n  }`;
