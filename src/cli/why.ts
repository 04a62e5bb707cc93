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
    for (const name of namesOf(query)) {
      const { entries } = await ask<{ entries: Entry[] }>(
        endpoint,
        `/_aws-like/why?id=${encodeURIComponent(name)}`,
        environment,
      );
      if (entries.length === 0) continue;
      for (const line of tree(entries)) print(line);
      return;
    }
    throw new UserError(`nothing is recorded of ${query}`);
  },
};

/** What the journal may call it: as it was said, then the ends of the file's path, longest first: `input/cat.jpg`, `cat.jpg`. */
function namesOf(query: string): string[] {
  const parts = resolve(query).split("/");
  return [query, ...parts.map((_, at) => parts.slice(at).join("/")).filter((end) => end !== "" && end !== query)];
}

/** What was caused is indented below its cause, where it happened in time; times are ms since the first line. */
export function tree(entries: readonly Entry[]): string[] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) groups.set(entry.id, [...(groups.get(entry.id) ?? []), entry]);
  const children = new Map<string, string[]>();
  const roots: string[] = [];
  for (const [id, group] of groups) {
    const cause = group.find((entry) => entry.cause !== undefined && groups.has(entry.cause))?.cause;
    if (cause === undefined || cause === id) roots.push(id);
    else children.set(cause, [...(children.get(cause) ?? []), id]);
  }
  const began = Math.min(...entries.map(({ at }) => at));
  const lines: string[] = [];
  const shown = new Set<string>();
  const show = (id: string, depth: number) => {
    if (shown.has(id)) return;
    shown.add(id);
    const [head, ...rest] = groups.get(id)!;
    lines.push(`${line(head!, began, depth)}  ${id}`);
    const later = [
      ...rest.map((entry) => ({ at: entry.at, show: () => void lines.push(line(entry, began, depth)) })),
      ...(children.get(id) ?? []).map((child) => ({
        at: groups.get(child)![0]!.at,
        show: () => show(child, depth + 1),
      })),
    ];
    for (const one of later.sort((x, y) => x.at - y.at)) one.show();
  };
  for (const id of roots) show(id, 0);
  return [`${new Date(began).toISOString()}  ${groups.get(roots[0] ?? "")?.[0]?.text ?? ""}`, ...lines];
}

function line({ at, level, from, text, fields }: Entry, began: number, depth: number): string {
  const { tookMs, principal, decision, message } = fields ?? {};
  const notes = [
    tookMs !== undefined && `${tookMs} ms`,
    principal !== undefined && `as ${String(principal)}`,
    decision !== undefined && String(decision),
    message !== undefined && String(message),
  ].filter(Boolean);
  const loud = level === "error" || level === "warn" ? `${level.toUpperCase()} ` : "";
  const note = notes.length > 0 ? `  (${notes.join(", ")})` : "";
  return `${`+${at - began}`.padStart(7)} ms  ${"  ".repeat(depth)}${from.padEnd(9)} ${loud}${text.trimEnd()}${note}`;
}
