// What SNS would have sent to people: mails and text messages.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { OutboxRow } from "../services/sns/outbox-query.ts";
import { type Command, print } from "./command.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";

const LOOK_MS = 500;

export const command: Command = {
  summary: "shows the mails and text messages that SNS would have sent",
  usage: `[--follow] [--json] | --stop NUMBER ${remoteUsage}`,
  details: [
    "Nothing leaves this machine. The links in the mails work: follow one to confirm a subscription, or to end it.",
    "--follow   goes on as they come, until it is interrupted",
    "--json     a line each, as JSON",
    "--stop     answers for a telephone that it wants no more messages; opt-in-phone-number takes it back",
  ].join("\n"),
  async run(args, environment) {
    const options = {
      ...remoteOptions,
      follow: { type: "boolean", short: "f" },
      json: { type: "boolean" },
      stop: { type: "string" },
    } as const;
    const { values } = parseArgs({ args: [...args], options });
    const endpoint = endpointOf(values.endpoint, environment);
    if (values.stop !== undefined) {
      await ask(endpoint, "/_aws-like/outbox", environment, { stop: values.stop });
      return print(`${values.stop} gets no text messages any more`);
    }
    for (let after = 0; ; ) {
      const { letters } = await ask<{ letters: OutboxRow[] }>(
        endpoint,
        `/_aws-like/outbox?after=${after}`,
        environment,
      );
      for (const letter of letters) print(values.json ? JSON.stringify(letter) : shown(letter));
      after = letters.at(-1)?.sequence ?? after;
      if (letters.length > 0) continue;
      if (!values.follow) return;
      await sleep(LOOK_MS);
    }
  },
};

const shown = ({ sent_ms, protocol, sender, recipient, subject, body }: OutboxRow): string =>
  [
    `${new Date(sent_ms).toISOString()}  ${protocol}`,
    `From: ${sender}`,
    `To: ${recipient}`,
    ...(subject === null ? [] : [`Subject: ${subject}`]),
    "",
    ...body
      .trimEnd()
      .split("\n")
      .map((line) => (line === "" ? "" : `  ${line}`)),
    "",
  ].join("\n");
