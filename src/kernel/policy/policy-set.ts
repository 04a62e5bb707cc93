// Policies of one kind that decide together, made once of what does not change and asked many times: the statements that name an action
// are looked for once for each action.
import { type Policy, readPolicy, type Selection, type Statement } from "./document.ts";
import { matches } from "./pattern.ts";

export type PolicyKind =
  | "identity-based policy"
  | "resource-based policy"
  | "role trust policy"
  | "session policy"
  | "permissions boundary"
  | "service control policy";

export interface PolicyText {
  /** For the trace: the policy's name or ARN. */
  readonly name: string;
  readonly document: string;
  /** Whose it is, where its name is no ARN: `user:alice`, `group:readers`. */
  readonly owner?: string | undefined;
}

export interface PolicySet {
  readonly kind: PolicyKind;
  readonly policies: readonly (PolicyText & { readonly policy: Policy })[];
  readonly naming: Map<string, Selection>;
  /** Of all its statements; those that name an action often want less: `selection(set, action).wants`. */
  readonly wants: ReadonlySet<string>;
}

/** Actions that a set remembers. AWS has more, but nobody here asks for so many. */
const ACTIONS_LIMIT = 1000;

export function policySet(kind: PolicyKind, texts: readonly PolicyText[]): PolicySet {
  const policies = texts.map((text) => ({ ...text, policy: readPolicy(text.document) }));
  const wants = new Set(policies.flatMap(({ policy }) => policy.statements.flatMap((statement) => statement.wants)));
  // One policy alone needs no memory of its own: its text may be another set's too.
  const naming = policies.length === 1 ? policies[0]!.policy.naming : new Map<string, Selection>();
  return { kind, policies, naming, wants };
}

/** The statements that name the action, in their order. */
export function selection({ policies, naming }: PolicySet, action: string): Selection {
  const known = naming.get(action);
  if (known) return known;
  const name = action.toLowerCase();
  const all = policies
    .flatMap(({ policy }, of) => policy.statements.map((statement) => ({ statement, of })))
    .filter(({ statement }) => namesAction(statement, name));
  const found: Selection = {
    denies: all.filter(({ statement }) => statement.effect === "Deny"),
    allows: all.filter(({ statement }) => statement.effect === "Allow"),
    all,
    wants: new Set(all.flatMap(({ statement }) => statement.wants)),
  };
  if (naming.size >= ACTIONS_LIMIT) naming.clear();
  naming.set(action, found);
  return found;
}

const NONE = { keys: new Map<string, readonly string[]>() };

/** `name` in lower case. */
const namesAction = ({ action }: Statement, name: string): boolean =>
  action.any.some((pattern) => matches(pattern, name, NONE)) !== action.not;
