// What passes the event buses of a running cloud, as it passes.
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";
import type { Passed } from "../services/events/tap.ts";
import { type Command, print, UserError } from "./command.ts";
import { endpointOf, openAnswer, remoteOptions, remoteUsage } from "./remote.ts";

export const command: Command = {
  summary: "shows what passes the event buses, as it passes, and which rules it meets",
  usage: `tail [--bus BUS] [--pattern JSON] [--json] ${remoteUsage}`,
  details: [
    "--bus      name or ARN of a bus. Default: all, of all accounts and regions",
    '--pattern  an event pattern: \'{"source":["aws.s3"]}\'',
    "--json     the whole event, one a line, with the bus and the names of the rules",
  ].join("\n"),
  async run(args, environment) {
    const options = {
      ...remoteOptions,
      bus: { type: "string" },
      pattern: { type: "string" },
      json: { type: "boolean" },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (positionals[0] !== "tail" || positionals.length > 1)
      throw new UserError("say: aws-like events tail [--bus BUS] [--pattern JSON]");
    const { bus, pattern } = values;
    const asked = new URLSearchParams({ ...(bus !== undefined && { bus }), ...(pattern !== undefined && { pattern }) });
    const endpoint = endpointOf(values.endpoint, environment);
    const answer = await openAnswer(endpoint, `/_aws-like/events?${asked}`, environment);
    for await (const line of createInterface({ input: Readable.fromWeb(answer.body!) })) {
      const one = JSON.parse(line) as Passed | { watching: true };
      if ("watching" in one) process.stderr.write(`watching ${endpoint}; Ctrl-C ends it\n`);
      else print(values.json ? line : shown(one));
    }
  },
};

/** `2026-11-22T10:00:30Z  default  aws.s3 "Object Created" -> rule-one, rule-two  {detail}` */
function shown({ bus, event, rules }: Passed): string {
  const name = bus.slice(bus.indexOf(":event-bus/") + ":event-bus/".length);
  const met = rules.length > 0 ? rules.join(", ") : "no rule";
  return `${event.time}  ${name}  ${event.source} "${event["detail-type"]}" -> ${met}  ${JSON.stringify(event.detail)}`;
}
