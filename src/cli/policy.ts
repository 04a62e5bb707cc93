// The least-privilege policy of what was really called, from the journal.
import { writeFileSync } from "node:fs";
import { join, parse } from "node:path";
import { parseArgs } from "node:util";
import { named } from "../why/names.ts";
import type { Suggestion } from "../why/suggest.ts";
import { durationMs } from "./clock.ts";
import { type Command, print, UserError } from "./command.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";

export const command: Command = {
  summary: "suggests the least-privilege policy for what a user, role or session really called",
  usage: `suggest --principal NAME [--since 10m] [--denied] [--write FILE] ${remoteUsage}`,
  details: [
    "--principal   a user's or role's name or ARN, a session's name, or root",
    "--since       how far back, on the cloud's clock: 90s, 10m, 2h, 7d; default: all that is still recorded",
    "--denied      what was denied is allowed, too",
    "--write       to this file instead of the terminal; what needs more than one policy goes to FILE-2.json, ...",
    "Many keys of a folder become a pattern; conditions are not invented. Read it before you attach it.",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        ...remoteOptions,
        principal: { type: "string" },
        since: { type: "string" },
        denied: { type: "boolean" },
        write: { type: "string" },
      },
      allowPositionals: true,
    });
    if (positionals[0] !== "suggest" || positionals.length > 1)
      throw new UserError("say: policy suggest --principal NAME");
    const { principal, since, denied, write } = values;
    if (!principal) throw new UserError("say for whom: --principal NAME, the name or ARN of a user, role or session");
    const asked = new URLSearchParams({ principal });
    if (since !== undefined) asked.set("since", String(durationMs(since)));
    if (denied) asked.set("denied", "");
    const endpoint = endpointOf(values.endpoint, environment);
    const suggestion = await ask<Suggestion>(endpoint, `/_aws-like/suggest?${asked}`, environment);
    show(suggestion, { principal, write });
  },
};

function show(suggestion: Suggestion, { principal, write }: { principal: string; write: string | undefined }): void {
  const { holders, policies, calls, leftOut } = suggestion;
  if (holders.length > 1) throw new UserError(`${principal} is more than one: say which of ${holders.join(", ")}`);
  const denied = leftOut === 0 ? "" : `; ${leftOut} denied left out (--denied takes them in)`;
  if (policies.length === 0) throw new UserError(`nothing is recorded that ${principal} was allowed${denied}`);
  const files = policies.map((_, at) => fileOf(write ?? "policy.json", at));
  for (const [at, policy] of policies.entries()) {
    const text = JSON.stringify(policy, null, 2);
    if (write === undefined) print(text);
    else writeFileSync(files[at]!, `${text}\n`);
  }
  // What is no policy goes to stderr: stdout may be a file.
  say(
    `of ${calls} decisions about ${holders[0]}${denied}${write === undefined ? "" : `, written to ${files.join(", ")}`}`,
  );
  for (const line of attaching(holders[0]!, files)) say(line);
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** policy.json, policy-2.json, ... */
function fileOf(path: string, at: number): string {
  if (at === 0) return path;
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}-${at + 1}${ext}`);
}

function attaching(holder: string, files: readonly string[]): string[] {
  const { kind, account, name } = named(holder);
  if (kind !== "user" && kind !== "role") return [];
  return files.flatMap((file, at) => {
    const policy = `${name}-least${at === 0 ? "" : `-${at + 1}`}`;
    return [
      `aws iam create-policy --policy-name ${policy} --policy-document file://${file}`,
      `aws iam attach-${kind}-policy --${kind}-name ${name} --policy-arn arn:aws:iam::${account}:policy/${policy}`,
    ];
  });
}
