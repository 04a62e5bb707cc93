// An explanation as a person reads it: who asked for what, what each statement said, and what would have allowed it.
import type { Explained, Explanation, Seen } from "../why/explain.ts";

/** Lines, the first one empty. */
export function explained({
  id,
  at,
  call,
  outcome,
  who,
  principal,
  key,
  decisions,
  notes,
  canonicalRequest,
}: Explanation) {
  const name = principal === undefined || principal === who ? "" : `, ${principal}`;
  return [
    "",
    `${new Date(at).toISOString()}  ${call}: ${outcome}  ${id}`,
    `  who        ${who}${name}${key === undefined ? "" : `, with the key ${key}`}`,
    ...notes.map((note) => `  because    ${note}`),
    ...(canonicalRequest === undefined
      ? []
      : ["  what should have been signed (the canonical request):", ...indented(canonicalRequest)]),
    ...decisions.flatMap(decision),
  ];
}

function decision({ action, resource, allowed, because, statements, remedy }: Explained): string[] {
  const lines = [
    `  asked      ${action} on ${resource}`,
    `  ${allowed ? "allowed" : "DENIED "}    ${because}`,
    ...statements.flatMap(statement),
  ];
  if (!allowed && statements.length === 0) lines.push(`  looked at  no statement of any policy names ${action}`);
  if (!remedy) return lines;
  lines.push(`  mend       ${remedy.say}`);
  if (remedy.policy) lines.push(...indented(JSON.stringify(remedy.policy, null, 2)));
  if (remedy.commands.length > 0)
    lines.push(
      remedy.policy ? "  with that as policy.json:" : "  with:",
      ...remedy.commands.map((one) => `    ${one}`),
    );
  return lines;
}

function statement({ kind, policy, statement, effect, applies, missed, decides, where }: Seen): string[] {
  const state = decides ? "this decided" : applies ? "applies" : `does not apply: ${missed ?? "?"}`;
  return [
    `  looked at  ${effect} in ${kind} ${policy}, statement ${statement}: ${state}`,
    ...(where === undefined ? [] : [`             ${where}`]),
  ];
}

const indented = (text: string): string[] => text.split("\n").map((line) => `    ${line}`);
