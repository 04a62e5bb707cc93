// The chain from a file to a row: what caused what, what was decided, and how long it took.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Entry } from "../kernel/journal.ts";
import type { Why } from "../why/why.ts";
import { type Command, print, UserError } from "./command.ts";
import { explained } from "./explained.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";

export const command: Command = {
  summary: "explains a request, a file or an S3 key: what it caused, who was allowed or denied what by which statement",
  usage: `REQUEST-ID | FILE | KEY | --last-denied [--principal NAME] ${remoteUsage}`,
  details: [
    "A request id is in every answer: x-amzn-RequestId or x-amz-request-id (aws --debug, ResponseMetadata in boto3).",
    "--last-denied   the last call that was denied; --principal: to this user, role, session, ARN or access key",
    "Policies are shown as they were when they were asked, with the line of the statement: logs/policies/ in the workspace.",
  ].join("\n"),
  async run(args, environment) {
    const options = { ...remoteOptions, "last-denied": { type: "boolean" }, principal: { type: "string" } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [query] = positionals;
    if (!query && !values["last-denied"])
      throw new UserError("say what to explain: a request id, a file, an S3 key, or --last-denied");
    if (query !== undefined && values["last-denied"]) throw new UserError("say a name or --last-denied, not both");
    if (values.principal !== undefined && query !== undefined)
      throw new UserError("--principal goes with --last-denied");
    const asked = new URLSearchParams(
      query === undefined
        ? { denied: "", ...(values.principal !== undefined && { principal: values.principal }) }
        : namesOf(query).map((name) => ["id", name]),
    );
    const endpoint = endpointOf(values.endpoint, environment);
    const { entries, explanations, more } = await ask<Why>(endpoint, `/_aws-like/why?${asked}`, environment);
    if (entries.length === 0)
      throw new UserError(query ? `nothing is recorded of ${query}` : nothingDenied(values.principal));
    const ids = new Set(entries.map(({ id }) => id));
    if (ids.size > 1 || explanations.length === 0) for (const line of tree(entries)) print(line);
    for (const one of explanations) for (const line of explained(one)) print(line);
    if (more > 0) print(`\n${more} more calls of this chain were denied; ask for one of them by its id`);
  },
};

const nothingDenied = (principal: string | undefined): string =>
  principal === undefined ? "nothing was denied" : `nothing was denied to ${principal}`;

/** What the journal may call it: as it was said, then the ends of the file's path, longest first: `input/cat.jpg`, `cat.jpg`. */
function namesOf(query: string): string[] {
  const parts = resolve(query).split("/");
  return [query, ...parts.map((_, at) => parts.slice(at).join("/")).filter((end) => end !== "" && end !== query)];
}

/** What was caused is indented below its cause, where it happened in time; times are ms since the first line. */
export function tree(entries: readonly Entry[]): string[] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries.filter(saysSomething)) groups.set(entry.id, [...(groups.get(entry.id) ?? []), entry]);
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

/** What root may needs no line. */
const saysSomething = ({ fields }: Entry): boolean => fields?.by !== "root" || fields.allowed !== true;

function line({ at, level, from, text, fields }: Entry, began: number, depth: number): string {
  const { tookMs, principal, action, decision, message } = fields ?? {};
  const notes = [
    tookMs !== undefined && `${tookMs} ms`,
    // The line of the call itself says who asked.
    principal !== undefined && action === undefined && `as ${String(principal)}`,
    decision !== undefined && String(decision),
    message !== undefined && String(message),
  ].filter(Boolean);
  const loud = level === "error" || level === "warn" ? `${level.toUpperCase()} ` : "";
  const note = notes.length > 0 ? `  (${notes.join(", ")})` : "";
  return `${`+${at - began}`.padStart(7)} ms  ${"  ".repeat(depth)}${from.padEnd(9)} ${loud}${text.trimEnd()}${note}`;
}
