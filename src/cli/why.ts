// The chain from a file to a row: what caused what, what was decided, and how long it took.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";

interface Entry {
  readonly at: number;
  readonly level: string;
  readonly id: string;
  readonly cause?: string;
  readonly from: string;
  readonly text: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export const command: Command = {
  summary: "explains a request, a file or an S3 key: the chain of everything it caused, with decisions and times",
  usage: `REQUEST-ID | FILE | KEY ${remoteUsage}`,
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options: remoteOptions, allowPositionals: true });
    const [query] = positionals;
    if (!query) throw new UserError("say what to explain: a request id, a file or an S3 key");
    const endpoint = endpointOf(values.endpoint, environment);
    const entries = (await chain(endpoint, query, environment)) ?? (await chain(endpoint, resolve(query), environment));
    if (!entries) throw new UserError(`nothing is recorded of ${query}`);
    for (const line of tree(entries)) print(line);
  },
};

async function chain(
  endpoint: string,
  query: string,
  environment: Parameters<typeof ask>[2],
): Promise<Entry[] | undefined> {
  const path = `/_aws-like/why?id=${encodeURIComponent(query)}`;
  const { entries } = await ask<{ entries: Entry[] }>(endpoint, path, environment);
  return entries.length > 0 ? entries : undefined;
}

/** What was caused is indented below its cause; times are ms since the first line. */
export function tree(entries: readonly Entry[]): string[] {
  const first = entries[0]!.at;
  const ids = [...new Set(entries.map((entry) => entry.id))];
  const causeOf = new Map(entries.filter((e) => e.cause).map((e) => [e.id, e.cause!]));
  const lines: string[] = [`${new Date(first).toISOString()}  ${entries[0]!.text}`];
  const shown = new Set<string>();
  const show = (id: string, depth: number) => {
    if (shown.has(id)) return;
    shown.add(id);
    for (const entry of entries) if (entry.id === id) lines.push(line(entry, first, depth));
    for (const child of ids) if (causeOf.get(child) === id) show(child, depth + 1);
  };
  for (const id of ids) if (!causeOf.has(id) || !ids.includes(causeOf.get(id)!)) show(id, 0);
  return lines;
}

function line({ at, level, from, text, fields, id }: Entry, first: number, depth: number): string {
  const { tookMs, principal, decision, message } = fields ?? {};
  const notes = [
    tookMs !== undefined && `${tookMs} ms`,
    principal !== undefined && `as ${String(principal)}`,
    decision !== undefined && String(decision),
    message !== undefined && String(message),
  ].filter(Boolean);
  const loud = level === "error" || level === "warn" ? `${level.toUpperCase()} ` : "";
  const note = notes.length > 0 ? `  (${notes.join(", ")})` : "";
  return `${`+${at - first}`.padStart(7)} ms  ${"  ".repeat(depth)}${from.padEnd(9)} ${loud}${text}${note}  ${id}`;
}
