// AWS's decision, as a pure function with its reasons.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// A Deny anywhere wins. Every level of service control policies must allow. Within one account an Allow by the identity's policies or by the
// resource's is enough; across accounts both are needed. A boundary and session policies allow nothing: they limit - but not what a resource's
// policy in the same account grants to the very user or session. A role's trust policy must allow, whatever else does.
import { applies } from "./applies.ts";
import type { Selected } from "./document.ts";
import type { Keys } from "./pattern.ts";
import { type PolicyKind, type PolicySet, selection } from "./policy-set.ts";
import { type Caller, type Grant, STRENGTH } from "./principal.ts";
import { Trace, type TraceLine } from "./trace.ts";

export type { Caller } from "./principal.ts";
export type { TraceLine } from "./trace.ts";

export interface Question {
  readonly caller: Caller;
  readonly action: string;
  readonly resource: string;
  readonly keys: Keys;
  readonly identityPolicies: PolicySet;
  readonly resourcePolicy?: PolicySet;
  /** The resource policy is a role's trust policy or a key's: without its Allow nothing is allowed. */
  readonly trust?: boolean;
  /** Undefined: the session has none. */
  readonly sessionPolicies?: PolicySet;
  readonly boundary?: PolicySet;
  /** Service control policies, a set for each level from the organization's root to the account: each level must allow. */
  readonly controls?: readonly PolicySet[];
  /** The resource belongs to the caller's account. */
  readonly sameAccount: boolean;
}

export function evaluate(question: Question): Decision {
  return new Decision(question, decide(question));
}

export class Decision {
  readonly allowed: boolean;
  /** What decided: for a denial the kind of policy that denies or does not allow. */
  readonly by: PolicyKind | "root";
  /** A statement said Deny, or none said Allow. */
  readonly explicit: boolean;
  readonly question: Question;
  readonly #decided: Decided | undefined;
  #trace: Trace | undefined;

  constructor(question: Question, { allowed, by, decided }: Verdict) {
    this.allowed = allowed;
    this.by = by;
    this.explicit = !allowed && decided !== undefined;
    this.question = question;
    this.#decided = decided;
  }

  /** The statement that decided; it is one of the trace. */
  get line(): TraceLine | undefined {
    return this.#decided && this.#lines.decided(this.#decided);
  }

  /** Every statement that names the action. Worked out when it is looked at: a decision is made on every call, and seldom read. */
  get trace(): readonly TraceLine[] {
    return this.#lines.all();
  }

  /** Of the trace what applied: as cheap as the decision itself. */
  get applying(): readonly TraceLine[] {
    return this.#lines.applying();
  }

  get #lines(): Trace {
    this.#trace ??= new Trace(this.question);
    return this.#trace;
  }
}

/** The sets that bind this caller, in the order in which their Deny is blamed. */
export function setsOf(question: Question): PolicySet[] {
  const { identityPolicies, resourcePolicy, boundary, sessionPolicies } = question;
  const sets = [...controlsOf(question), identityPolicies, resourcePolicy, boundary, sessionPolicies];
  return sets.filter((set) => set !== undefined);
}

export interface Decided {
  readonly set: PolicySet;
  readonly selected: Selected;
}

interface Verdict {
  readonly allowed: boolean;
  readonly by: PolicyKind | "root";
  readonly decided?: Decided | undefined;
}

interface Granted extends Decided {
  readonly grant: Grant;
}

function decide(question: Question): Verdict {
  const { caller, sameAccount, resourcePolicy, boundary, sessionPolicies, trust } = question;
  const denied = denyOf(question);
  if (denied) return { allowed: false, by: denied.set.kind, decided: denied };
  const byResource = resourcePolicy && allowOf(question, resourcePolicy);
  const resourceKind = resourcePolicy?.kind ?? (trust ? "role trust policy" : "resource-based policy");
  // Who belongs to no account has nothing but what the resource's policy gives.
  if (!hasAccount(caller)) return byResource ? allow(byResource) : refuse(resourceKind);
  for (const level of controlsOf(question)) if (!allowOf(question, level)) return refuse(level.kind);
  if (trust && !byResource) return refuse(resourceKind);
  if (caller.kind === "root")
    return sameAccount || byResource ? { allowed: true, by: "root", decided: byResource } : refuse(resourceKind);
  if (sameAccount && byResource?.grant === "self") return allow(byResource);
  const byIdentity = allowOf(question, question.identityPolicies);
  const asRoot = caller.user?.arn === `arn:aws:iam::${caller.account}:root`;
  if (!sameAccount && !byResource && (byIdentity || asRoot)) return refuse(resourceKind);
  const granted = byIdentity ?? (sameAccount && byResource?.grant === "wide" ? byResource : undefined);
  if (!granted && !asRoot) return refuse(question.identityPolicies.kind);
  if (boundary && !allowOf(question, boundary)) return refuse(boundary.kind);
  if (sessionPolicies && !allowOf(question, sessionPolicies)) return refuse(sessionPolicies.kind);
  return granted ? allow(granted) : { allowed: true, by: "root" };
}

const allow = (decided: Decided): Verdict => ({ allowed: true, by: decided.set.kind, decided });
const refuse = (by: PolicyKind): Verdict => ({ allowed: false, by });

export const hasAccount = ({ kind }: Caller): boolean =>
  kind !== "anonymous" && kind !== "service" && kind !== "provider";

const NO_CONTROLS: readonly PolicySet[] = [];

/** Service-linked roles are bound by none. https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html */
export const controlsOf = ({ caller, controls }: Question): readonly PolicySet[] =>
  controls && hasAccount(caller) && !caller.roleArn?.includes(":role/aws-service-role/") ? controls : NO_CONTROLS;

function denyOf(question: Question): Decided | undefined {
  for (const level of controlsOf(question)) {
    const found = denyIn(question, level);
    if (found) return found;
  }
  return (
    denyIn(question, question.identityPolicies) ??
    denyIn(question, question.resourcePolicy) ??
    denyIn(question, question.boundary) ??
    denyIn(question, question.sessionPolicies)
  );
}

function denyIn(question: Question, set: PolicySet | undefined): Decided | undefined {
  if (!set) return undefined;
  for (const selected of selection(set, question.action).denies)
    if (applies(selected.statement, question)) return { set, selected };
  return undefined;
}

/** The Allow that names the caller most closely. */
export function allowOf(question: Question, set: PolicySet): Granted | undefined {
  let best: Granted | undefined;
  for (const selected of selection(set, question.action).allows) {
    const grant = applies(selected.statement, question);
    if (!grant || (best && STRENGTH[grant] <= STRENGTH[best.grant])) continue;
    best = { set, selected, grant };
    // An identity's policy names nobody: one Allow is as good as another.
    if (grant === "self" || !selected.statement.principal) break;
  }
  return best;
}

/** Only for kinds whose policies have ARNs of their own. */
const NAMED_IN_DENIALS: readonly PolicyKind[] = [
  "identity-based policy",
  "permissions boundary",
  "session policy",
  "service control policy",
];

/**
 * AWS's sentence for a denial; its resource stands in quotes where S3 says it. An explicit Deny names its policy where that has an ARN (AWS does
 * since January 2026). https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */
export function denial(decision: Decision, about: { who: string; action: string; resource: string; quoted: boolean }) {
  const { who, action, resource, quoted } = about;
  const head = `User: ${who} is not authorized to perform: ${action} on resource: ${quoted ? `"${resource}"` : resource}`;
  const kind = decision.by as PolicyKind;
  if (!decision.explicit) return `${head} because no ${kind} allows the ${action} action`;
  const article = kind === "role trust policy" ? "the" : kind === "identity-based policy" ? "an" : "a";
  const name = decision.line?.policy ?? "";
  const named = name.startsWith("arn:") && NAMED_IN_DENIALS.includes(kind) ? `: ${name}` : "";
  return `${head} with an explicit deny in ${article} ${kind}${named}`;
}
