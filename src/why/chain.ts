// What belongs together in the journal: causes and what they caused, and what a file, a key or an ARN is recorded under.
import type { Entry } from "../kernel/journal.ts";

/** All that is recorded of `id`, of what caused it back to the first cause, and of everything these caused; in order of time. */
export function chainOf(id: string, entries: readonly Entry[]): Entry[] {
  const causeOf = new Map<string, string>();
  for (const e of entries) if (e.cause && e.cause !== e.id) causeOf.set(e.id, e.cause);
  const root = firstCause(id, causeOf);
  return entries.filter((e) => firstCause(e.id, causeOf) === root);
}

/** The newest id whose subject is, or ends in, `subject`: an S3 key, an ARN; or whose file it is, as a path in the workspace. */
export function idOf(subject: string, entries: readonly Entry[]): string | undefined {
  let id: string | undefined;
  for (const e of entries) {
    const { subject: named, path } = e.fields ?? {};
    if (typeof named === "string" && (named === subject || named.endsWith(`/${subject}`))) id = e.id;
    if (path === subject) id = e.id;
    if (e.id === subject) return subject;
  }
  return id;
}

function firstCause(id: string, causeOf: ReadonlyMap<string, string>): string {
  const seen = new Set<string>();
  let at = id;
  for (let up = causeOf.get(at); up !== undefined && !seen.has(up); up = causeOf.get(at)) {
    seen.add(at);
    at = up;
  }
  return at;
}
