// The condition keys that policies ask for, as they are written: what GetContextKeysFor... answers.
import { readPolicy } from "./document.ts";
import { variablesOf } from "./pattern.ts";

/** Keys of conditions and variables, each once and as it was first written: `aws:PrincipalTag/team`. */
export function contextKeysOf(documents: readonly string[]): string[] {
  const found = new Map<string, string>();
  for (const key of documents.flatMap(keysOf)) if (!found.has(key.toLowerCase())) found.set(key.toLowerCase(), key);
  return [...found.values()];
}

const keysOf = (document: string): string[] =>
  readPolicy(document).statements.flatMap(({ resource, conditions }) => {
    const patterns = (resource?.any ?? []).filter(({ kind }) => kind === "variable").map(({ text }) => text);
    const values = conditions.filter(({ variables }) => variables).flatMap((condition) => condition.values);
    return [...conditions.map(({ key }) => key), ...[...patterns, ...values].flatMap(variablesOf)];
  });
