// `aws-like why`: of a request id, a file, a key or the last denied call to the chain it belongs to, with each decision explained.
import type { Entry, Journal } from "../kernel/journal.ts";
import { chainOf, idOf } from "./chain.ts";
import { deniedIds, type Explanation, explain, wasDenied } from "./explain.ts";
import { means } from "./names.ts";
import { askedOf } from "./record.ts";

/** What to explain: the first of these names that something is recorded of; or the last call that was denied (to a principal, a key). */
export type Question =
  | { readonly names: readonly string[] }
  | { readonly denied: true; readonly principal?: string | undefined };

export interface Why {
  /** The chain, in order of time; empty where nothing is recorded. */
  readonly entries: readonly Entry[];
  /** The call that was asked about, and every one in the chain that was denied. */
  readonly explanations: readonly Explanation[];
  /** Denied calls of the chain that are not explained: a DeleteObjects has a thousand of a kind. */
  readonly more: number;
}

const MAX_EXPLANATIONS = 20;

export async function why(journal: Journal, question: Question): Promise<Why> {
  const all = await journal.entries();
  const id = "denied" in question ? lastDenied(all, question.principal) : firstFound(question.names, all);
  if (id === undefined) return { entries: [], explanations: [], more: 0 };
  const entries = chainOf(id, all);
  // A name that is no id means a file: its chain tells the story, and only denials want explaining.
  const meant = "denied" in question || question.names.includes(id) ? [id] : [];
  const ids = [...new Set([...meant, ...deniedIds(entries)])];
  const explanations = ids
    .slice(0, MAX_EXPLANATIONS)
    .map((one) => explain(one, entries, journal.texts))
    .filter((one) => one !== undefined);
  return { entries, explanations, more: Math.max(0, ids.length - MAX_EXPLANATIONS) };
}

function firstFound(names: readonly string[], entries: readonly Entry[]): string | undefined {
  for (const name of names) {
    const id = idOf(name, entries);
    if (id !== undefined) return id;
  }
  return undefined;
}

const lastDenied = (entries: readonly Entry[], principal: string | undefined): string | undefined =>
  entries.findLast((entry) => wasDenied(entry) && (principal === undefined || isOf(principal, entry)))?.id;

function isOf(principal: string, entry: Entry): boolean {
  const asked = askedOf(entry);
  return asked ? means(principal, asked) : entry.fields?.key === principal;
}
