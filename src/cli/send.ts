// A message to a queue, a topic or an event bus, through AWS's own API: here, or at AWS.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";
import { endpointOf, remoteOptions, remoteUsage } from "./remote.ts";
import { type Call, callAws } from "./send/call.ts";
import { type Access, accessOf } from "./signed.ts";

const options = {
  ...remoteOptions,
  attribute: { type: "string", multiple: true },
  group: { type: "string" },
  deduplication: { type: "string" },
  delay: { type: "string" },
  subject: { type: "string" },
  source: { type: "string" },
  "detail-type": { type: "string" },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];

export const command: Command = {
  summary: "sends a message to a queue, a topic or an event bus",
  usage: [
    `QUEUE | topic/TOPIC | bus/BUS | ARN [BODY] ${remoteUsage}`,
    "       [--attribute NAME=VALUE]... [--group ID] [--deduplication ID] [--delay SECONDS] [--subject TEXT]",
    "       [--source NAME] [--detail-type TEXT]",
  ].join("\n"),
  details: [
    "BODY is the message, of a bus the event's detail (JSON); without it, or with -, what stands in standard input.",
    "QUEUE is a name, an ARN or a URL. It is sent with the credentials and the region of the environment, and prints the message's id.",
    "",
    "--attribute      a message attribute of type String; of a queue or a topic",
    "--group          the message group; needed for FIFO",
    "--deduplication  the deduplication id, where content is not enough",
    "--delay          of a queue: seconds before it can be received",
    "--subject        of a topic",
    "--source         of a bus; default: aws-like.send",
    "--detail-type    of a bus; default: Message",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [target, given, ...more] = positionals;
    if (target === undefined || more.length > 0) throw new UserError("say where to, and the message in quotes");
    const access = accessOf(endpointOf(values.endpoint, environment), environment);
    const kind = kindOf(target);
    refuseForeign(kind, values);
    const body = given === undefined || given === "-" ? readFileSync(0, "utf8").replace(/\n$/, "") : given;
    if (body === "") throw new UserError("the message is empty");
    print(await SEND[kind](access, { target, body, values }));
  },
};

type Kind = "queue" | "topic" | "bus";

function kindOf(target: string): Kind {
  if (target.startsWith("topic/") || target.startsWith("arn:aws:sns:")) return "topic";
  if (target.startsWith("bus/") || /^arn:aws:events:.*:event-bus\//.test(target)) return "bus";
  if (target.startsWith("arn:") && !target.startsWith("arn:aws:sqs:"))
    throw new UserError(`${target} is no queue, topic or event bus`);
  return "queue";
}

const TAKES: Readonly<Record<Kind, readonly (keyof Values)[]>> = {
  queue: ["endpoint", "attribute", "group", "deduplication", "delay"],
  topic: ["endpoint", "attribute", "group", "deduplication", "subject"],
  bus: ["endpoint", "source", "detail-type"],
};

function refuseForeign(kind: Kind, values: Values): void {
  const other = (Object.keys(values) as (keyof Values)[]).find((name) => !TAKES[kind].includes(name));
  if (other !== undefined) throw new UserError(`a ${kind} takes no --${other}`);
}

interface Sending {
  readonly target: string;
  readonly body: string;
  readonly values: Values;
}

const SEND: Readonly<Record<Kind, (access: Access, of: Sending) => Promise<string>>> = {
  async queue(access, { target, body, values }) {
    const QueueUrl = await urlOf(access, target);
    const delay = values.delay === undefined ? undefined : Number(values.delay);
    if (delay !== undefined && !Number.isInteger(delay)) throw new UserError("--delay is a whole number of seconds");
    const { MessageId } = await json<{ MessageId: string }>(access, {
      service: "sqs",
      operation: "SendMessage",
      input: {
        QueueUrl,
        MessageBody: body,
        ...(values.attribute && { MessageAttributes: Object.fromEntries(attributesOf(values.attribute)) }),
        MessageGroupId: values.group,
        MessageDeduplicationId: values.deduplication,
        DelaySeconds: delay,
      },
    });
    return MessageId;
  },

  async topic(access, { target, body, values }) {
    const form: Record<string, string | undefined> = {
      TopicArn: target.startsWith("arn:") ? target : await arnOf(access, "sns", target.slice("topic/".length)),
      Message: body,
      Subject: values.subject,
      MessageGroupId: values.group,
      MessageDeduplicationId: values.deduplication,
    };
    for (const [at, [name, { DataType, StringValue }]] of attributesOf(values.attribute ?? []).entries()) {
      const entry = `MessageAttributes.entry.${at + 1}`;
      form[`${entry}.Name`] = name;
      form[`${entry}.Value.DataType`] = DataType;
      form[`${entry}.Value.StringValue`] = StringValue;
    }
    const xml = await callAws(access, { service: "sns", operation: "Publish", form });
    return /<MessageId>([^<]+)</.exec(xml)?.[1] ?? "";
  },

  async bus(access, { target, body, values }) {
    const entry = {
      EventBusName: target.startsWith("arn:") ? target : target.slice("bus/".length),
      Source: values.source ?? "aws-like.send",
      DetailType: values["detail-type"] ?? "Message",
      Detail: body,
    };
    const { Entries } = await json<{ Entries: { EventId?: string; ErrorCode?: string; ErrorMessage?: string }[] }>(
      access,
      { service: "events", operation: "PutEvents", input: { Entries: [entry] } },
    );
    const [put] = Entries;
    if (put?.ErrorCode !== undefined) throw new UserError(`${put.ErrorCode}: ${put.ErrorMessage}`);
    return put?.EventId ?? "";
  },
};

async function urlOf(access: Access, queue: string): Promise<string> {
  if (/^https?:/.test(queue)) return queue;
  const [, , , , account, name] = queue.startsWith("arn:") ? queue.split(":") : [];
  const input = { QueueName: name ?? queue, QueueOwnerAWSAccountId: account };
  const { QueueUrl } = await json<{ QueueUrl: string }>(access, { service: "sqs", operation: "GetQueueUrl", input });
  return QueueUrl;
}

/** A name's, in the caller's own account. */
async function arnOf(access: Access, service: string, name: string): Promise<string> {
  const xml = await callAws(access, { service: "sts", operation: "GetCallerIdentity", form: {} });
  return `arn:aws:${service}:${access.region}:${/<Account>(\d+)</.exec(xml)?.[1]}:${name}`;
}

const json = async <T>(access: Access, call: Call): Promise<T> => JSON.parse(await callAws(access, call)) as T;

function attributesOf(given: readonly string[]): [string, { DataType: "String"; StringValue: string }][] {
  return given.map((text) => {
    const at = text.indexOf("=");
    if (at < 1) throw new UserError(`${text} is no attribute; say NAME=VALUE`);
    return [text.slice(0, at), { DataType: "String", StringValue: text.slice(at + 1) }];
  });
}
