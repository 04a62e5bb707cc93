// All policies of one kind that a decision looks into, read once: whoever is decided about often keeps his set.
import { type Policy, readPolicy } from "./document.ts";

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
}

export interface PolicySet {
  readonly kind: PolicyKind;
  readonly policies: readonly (PolicyText & { readonly policy: Policy })[];
  /** Condition keys that conditions and variables ask for, in lower case: `aws:resourcetag/team`. What is not in it need not be worked out. */
  readonly wants: ReadonlySet<string>;
}

export function policySet(kind: PolicyKind, texts: readonly PolicyText[]): PolicySet {
  const policies = texts.map(({ name, document }) => ({ name, document, policy: readPolicy(document) }));
  return { kind, policies, wants: new Set(policies.flatMap(({ policy, document }) => wantsOf(policy, document))) };
}

const VARIABLE = /\$\{([^},]+)/g;

function wantsOf({ statements, variables }: Policy, document: string): string[] {
  const conditions = statements.flatMap((statement) => statement.conditions.map(({ key }) => key.toLowerCase()));
  const named = variables ? [...document.matchAll(VARIABLE)].map(([, name]) => name!.trim().toLowerCase()) : [];
  return [...conditions, ...named];
}
