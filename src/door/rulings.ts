// A decision for which no policy wants to know more than who does what to which resource is the same until a policy changes, and then it is
// another set of policies: those made last are kept, and with each what the journal says of it.
import { type Caller, type Decision, evaluate, type Question } from "../kernel/policy/evaluate.ts";
import type { PolicySet } from "../kernel/policy/policy-set.ts";

export interface Ruling {
  readonly decision: Decision;
  /** Made when the journal says it first. */
  said?: Said;
}

/** The fields of an allowed request's line. */
export interface Said {
  readonly json: string;
  /** The policies that it speaks of. */
  readonly documents: ReadonlySet<string>;
}

/** Of one set of identity policies: whoever reads a bucket asks for each of its keys. */
const MOST_KEPT = 200;

const kept = new WeakMap<PolicySet, Map<string, Ruling>>();

/** `question` has no keys. */
export function rule(question: Question): Ruling {
  const { identityPolicies, action, resource } = question;
  const rulings = kept.get(identityPolicies) ?? new Map<string, Ruling>();
  const asked = `${action} ${resource}`;
  const known = rulings.get(asked);
  if (known && isSame(known.decision.question, question)) return known;
  const ruling = { decision: evaluate(question) };
  if (rulings.size === 0) kept.set(identityPolicies, rulings);
  rulings.set(asked, ruling);
  if (rulings.size > MOST_KEPT) rulings.delete(rulings.keys().next().value!);
  return ruling;
}

const isSame = (a: Question, b: Question): boolean =>
  a.resourcePolicy === b.resourcePolicy &&
  a.boundary === b.boundary &&
  a.sessionPolicies === b.sessionPolicies &&
  a.controls === b.controls &&
  a.trust === b.trust &&
  a.sameAccount === b.sameAccount &&
  isSameCaller(a.caller, b.caller);

const isSameCaller = (a: Caller, b: Caller): boolean =>
  a.kind === b.kind &&
  a.arn === b.arn &&
  a.id === b.id &&
  a.account === b.account &&
  a.roleArn === b.roleArn &&
  a.user?.arn === b.user?.arn &&
  a.user?.id === b.user?.id &&
  a.service === b.service &&
  a.federated === b.federated &&
  a.canonicalId === b.canonicalId;
