// What a decision was made of: every statement that names the action, and what kept it from applying.
import { type Miss, missOf } from "./applies.ts";
import type { Policy, Statement } from "./document.ts";
import { type Decided, type Question, setsOf } from "./evaluate.ts";
import { child, lineAt, scan } from "./json.ts";
import { namesAction, type PolicyKind, type PolicySet, type PolicyText } from "./policy-set.ts";

export interface TraceLine extends Partial<Miss> {
  readonly kind: PolicyKind;
  readonly policy: string;
  /** Its Sid, or its place from 1 on. */
  readonly statement: string;
  readonly effect: "Allow" | "Deny";
  readonly applies: boolean;
  /** The line on which the statement begins in the policy's text, from 1 on. Worked out when it is looked at; undefined in what is no JSON. */
  readonly at: number | undefined;
  /** The policy's text, for whoever shows it. */
  readonly document: string;
}

/** An Allow of a policy that names the caller's account only does apply: it lets the account decide. */
export function traceOf(question: Question): TraceLine[] {
  const name = question.action.toLowerCase();
  return setsOf(question).flatMap(({ kind, policies }) =>
    policies.flatMap((text) =>
      text.policy.statements
        .filter((statement) => namesAction(statement, name))
        .map((statement) => line({ kind, text, statement, miss: missOf(statement, question) })),
    ),
  );
}

export function lineOf(question: Question, { set, statement }: Decided): TraceLine {
  const text = holderOf(set, statement);
  return line({ kind: set.kind, text, statement, miss: missOf(statement, question) });
}

const holderOf = ({ policies }: PolicySet, statement: Statement) =>
  policies.find(({ policy }) => policy.statements.includes(statement))!;

interface Parts {
  readonly kind: PolicyKind;
  readonly text: PolicyText & { readonly policy: Policy };
  readonly statement: Statement;
  readonly miss: Miss | undefined;
}

function line({ kind, text, statement, miss }: Parts): TraceLine {
  const { name, document, policy } = text;
  return {
    kind,
    policy: name,
    statement: statement.name,
    effect: statement.effect,
    applies: miss === undefined,
    ...miss,
    get at() {
      return linesOf(policy, document)[statement.place];
    },
    document,
  };
}

const lines = new WeakMap<Policy, readonly number[]>();

function linesOf(policy: Policy, document: string): readonly number[] {
  const known = lines.get(policy);
  if (known) return known;
  const statements = child(scan(document), "Statement");
  const found = (statements?.items ?? (statements ? [statements] : [])).map(({ start }) => lineAt(document, start));
  lines.set(policy, found);
  return found;
}
