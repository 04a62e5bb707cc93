// What a real cloud does now and then, on demand: a trainee's consumer is proven to bear it.
import { parseArgs } from "node:util";
import type { ChaosState, Knob } from "../kernel/chaos.ts";
import { durationMs } from "./clock.ts";
import { type Command, print, UserError } from "./command.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";

const options = { ...remoteOptions, seed: { type: "string" }, json: { type: "boolean" } } as const;

export const command: Command = {
  summary: "makes things go wrong as they do on AWS: duplicates, disorder, throttling, delays, failing targets",
  usage: [
    `[--seed N] [--json] ${remoteUsage}`,
    "       aws-like chaos duplicate | reorder PERCENT [QUEUE]",
    "       aws-like chaos throttle PERCENT OPERATION",
    "       aws-like chaos delay DURATION OPERATION [PERCENT]",
    "       aws-like chaos fail PERCENT TARGET-ARN",
    "       aws-like chaos clear [KIND [QUEUE | OPERATION | TARGET-ARN]]",
  ].join("\n"),
  details: [
    "duplicate  so many messages of standard queues are delivered twice: each once more, whatever becomes of the first",
    "reorder    so many receives of standard queues pass over up to ten messages, which come later",
    "throttle   so many calls are refused with the service's own throttling error: sqs:SendMessage, dynamodb:*",
    "delay      clients' calls wait so long before they are done, on the cloud's clock: 300ms, 2s",
    "fail       so many calls of services to a target fail, and are tried again: a function, a queue, a topic",
    "clear      ends it: all, of a kind, or one",
    "--seed     what is drawn; the same seed and the same calls give the same. A restart draws from the beginning",
    "--json     what is on, as JSON",
    "",
    "`*` stands for any characters. It is remembered across restarts, off by default, and told in the log and by `aws-like why`.",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const seed = values.seed === undefined ? undefined : seedOf(values.seed);
    const change = { ...toChange(positionals), ...(seed !== undefined && { seed }) };
    const asked = Object.keys(change).length > 0 ? change : undefined;
    const endpoint = endpointOf(values.endpoint, environment);
    const state = await ask<ChaosState>(endpoint, "/_aws-like/chaos", environment, asked);
    if (values.json) return print(JSON.stringify(state));
    if (state.knobs.length === 0) return print("calm: nothing goes wrong on purpose");
    for (const knob of state.knobs) print(line(knob));
    print(`seed ${state.seed}`);
  },
};

const line = ({ kind, what, percent, ms }: Knob): string =>
  [
    kind.padEnd(10),
    `${percent} %`.padStart(5),
    ms === undefined ? " ".repeat(9) : `${ms} ms`.padStart(9),
    ` ${what}`,
  ].join(" ");

function toChange([verb, first, second, third, ...more]: readonly string[]): Readonly<Record<string, unknown>> {
  const given = [first, second, third].filter((one) => one !== undefined).length;
  const takes = (least: number, most: number, say: string) => {
    if (given < least || given > most || more.length > 0) throw new UserError(`say: chaos ${say}`);
  };
  switch (verb) {
    case undefined:
      return {};
    case "duplicate":
    case "reorder":
      takes(1, 2, `${verb} PERCENT [QUEUE]`);
      return { set: { kind: verb, percent: percentOf(first!), what: second ?? "*" } };
    case "throttle":
      takes(2, 2, "throttle PERCENT OPERATION");
      return { set: { kind: verb, percent: percentOf(first!), what: second } };
    case "delay":
      takes(2, 3, "delay DURATION OPERATION [PERCENT]");
      return { set: { kind: verb, ms: durationMs(first!), what: second, percent: percentOf(third ?? "100") } };
    case "fail":
      takes(2, 2, "fail PERCENT TARGET-ARN");
      return { set: { kind: verb, percent: percentOf(first!), what: second } };
    case "clear":
      takes(0, 2, "clear [KIND [QUEUE | OPERATION | TARGET-ARN]]");
      return { clear: { kind: first, what: second } };
    default:
      throw new UserError(`there is no chaos ${verb}; say duplicate, reorder, throttle, delay, fail or clear`);
  }
}

function percentOf(text: string): number {
  const percent = Number(text.replace(/%$/, ""));
  if (!Number.isInteger(percent)) throw new UserError(`${text} is no percentage; say a whole number from 1 to 100`);
  return percent;
}

function seedOf(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new UserError(`${text} is no seed; say a whole number`);
  return Number(text);
}
