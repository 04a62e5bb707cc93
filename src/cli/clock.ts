import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

export const command: Command = {
  summary: "shows the cloud's clock, moves it forward, stops it, lets it run",
  usage: `[advance 7d | freeze [ISO-TIME] | resume] ${remoteUsage}`,
  details: [
    "advance   moves the clock: 90s, 15m, 2h, 7d, 1w, or several (1d12h). What becomes due on the way",
    "          (schedules, retries, visibility, TTL) happens in its order before the command returns.",
    "freeze    stops it, now or at a time; resume lets it run on from there.",
    "Signatures and the time limits of functions stay on real time.",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options: remoteOptions, allowPositionals: true });
    const change = toChange(positionals);
    const endpoint = endpointOf(values.endpoint, environment);
    const { now } = await ask<{ now: string }>(endpoint, "/_aws-like/clock", environment, change);
    print(now);
  },
};

function toChange([verb, value]: readonly string[]): unknown {
  if (verb === undefined || verb === "now") return undefined;
  if (verb === "advance" && value !== undefined) return { advance: durationMs(value) };
  if (verb === "freeze") return { freeze: value ?? true };
  if (verb === "resume") return { resume: true };
  throw new UserError("say: clock, clock advance 7d, clock freeze [ISO-TIME] or clock resume");
}

/** `1d12h`, `90s`: ms. */
export function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text)
    throw new UserError(`${text} is no duration; say 90s, 15m, 2h, 7d or 1d12h`);
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit!]!, 0);
}
