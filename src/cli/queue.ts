// What is in a queue, without receiving it.
import { parseArgs } from "node:util";
import type { Peek, Peeked } from "../services/sqs/peek.ts";
import { type Command, print, UserError } from "./command.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";
import { accessOf } from "./signed.ts";
import { Output } from "./table/output.ts";

const options = {
  ...remoteOptions,
  most: { type: "string" },
  account: { type: "string" },
  json: { type: "boolean" },
} as const;

const MOST_SHOWN = 1000;
const SHOWN = 20;
const BODY_LENGTH = 60;

export const command: Command = {
  summary: "shows what is in an SQS queue, without receiving it",
  usage: `QUEUE [--most ${SHOWN}] [--account ID] [--json] ${remoteUsage}`,
  details: [
    "QUEUE is a name, an ARN or a URL. The first messages, in the order in which they can be received; nothing about them changes.",
    "",
    "--most     so many messages",
    "--account  whose queue, where only a name is said",
    "--json     a line of JSON each, with the whole body and all attributes",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [queue, ...more] = positionals;
    if (queue === undefined || more.length > 0) throw new UserError("say one queue: its name, its ARN or its URL");
    const most = Number(values.most ?? SHOWN);
    if (!(Number.isInteger(most) && most >= 1 && most <= MOST_SHOWN))
      throw new UserError(`--most is a whole number from 1 to ${MOST_SHOWN}`);
    const endpoint = endpointOf(values.endpoint, environment);
    const { region } = accessOf(endpoint, environment);
    const asked = { queue, most, region, ...(values.account !== undefined && { account: values.account }) };
    const { arn, counts, messages, now } = await ask<Peek>(endpoint, "/_aws-like/queue", environment, asked);
    if (values.json) {
      for (const message of messages) print(JSON.stringify(message));
      return;
    }
    print(`${arn}: ${counts.visible} to receive, ${counts.inFlight} in flight, ${counts.delayed} delayed`);
    const output = new Output("text");
    for (const message of messages) output.row(row(message, now));
    output.end();
    const total = counts.visible + counts.inFlight + counts.delayed;
    if (total > messages.length) print(`and ${total - messages.length} more; --most N shows more`);
  },
};

const row = (message: Peeked, now: number) => ({
  id: message.id,
  age: span(now - message.sentMs),
  "visible in": message.visibleMs <= now ? "now" : span(message.visibleMs - now),
  receives: message.receives,
  group: message.group ?? "",
  body: message.body.length > BODY_LENGTH ? `${message.body.slice(0, BODY_LENGTH - 3)}...` : message.body,
  attributes: Object.entries(message.attributes)
    .map(([name, { StringValue }]) => `${name}=${StringValue ?? "(binary)"}`)
    .join(" "),
});

/** Two units at most: `3d4h`, `12m5s`, `0.4s`. */
function span(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
  const seconds = Math.floor(ms / 1000);
  const parts: string[] = [];
  let left = seconds;
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    left %= size;
    if (count > 0 || parts.length > 0) parts.push(count > 0 ? `${count}${unit}` : "");
    if (parts.length === 2) break;
  }
  return parts.join("");
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;
