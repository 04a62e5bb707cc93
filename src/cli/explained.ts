// An explanation as a person reads it: who asked for what, what each statement said, and what would have allowed it.
import type { Explained, Explanation, Seen } from "../why/explain.ts";
import type { Remedy } from "../why/remedy.ts";

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

function decision(about: Explained): string[] {
  const { action, resource, allowed, because, statements, remedies } = about;
  return [
    `  asked      ${action} on ${resource}`,
    `  ${allowed ? "allowed" : "DENIED "}    ${because}`,
    ...statements.flatMap(statement),
    ...(allowed ? [] : unnamed(about)),
    ...remedies.flatMap(remedy),
  ];
}

/** Policies that were asked and have nothing to say of the action. */
function unnamed({ action, policies, statements }: Explained): string[] {
  const named = new Set(statements.map(({ kind, policy }) => `${kind} ${policy}`));
  const silent = policies.flatMap(({ kind, policies }) =>
    policies.map((policy) => `${kind} ${policy}`).filter((one) => !named.has(one)),
  );
  if (silent.length === 0 && statements.length === 0) return [`  looked at  there is no policy to ask about ${action}`];
  return silent.map((one) => `  looked at  ${one}: no statement names ${action}`);
}

function remedy({ say, policy, commands }: Remedy): string[] {
  return [
    `  mend       ${say}`,
    ...(policy ? indented(JSON.stringify(policy, null, 2)) : []),
    ...(commands.length > 0 ? [commands.join().includes("file://") ? "  with that in the file:" : "  with:"] : []),
    ...commands.map((one) => `    ${one}`),
  ];
}

function statement({ kind, policy, statement, effect, applies, decides, where, ...miss }: Seen): string[] {
  const state = decides ? "this decided" : applies ? "applies" : "does not apply";
  return [
    `  looked at  ${effect} in ${kind} ${policy}, statement ${statement}: ${state}`,
    ...(applies || miss.missed === undefined ? [] : [`             ${missed(miss)}`]),
    ...(where === undefined ? [] : [`             ${where}`]),
  ];
}

/** `StringEquals aws:SourceIp: it wants 10.0.0.1, the request has 127.0.0.1` */
const missed = ({ missed, wanted = [], actual = [] }: Pick<Seen, "missed" | "wanted" | "actual">): string =>
  `${missed}: it wants ${wanted.join(" or ")}, the request has ${actual.length === 0 ? "none" : actual.join(", ")}`;

const indented = (text: string): string[] => text.split("\n").map((line) => `    ${line}`);
