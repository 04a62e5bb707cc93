// AWS's decision, as a pure function with its reasons.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// A Deny anywhere wins. Within one account an Allow by the identity's policies or by the resource's is enough; across accounts both are
// needed. A boundary and session policies allow nothing: they limit. A role's trust policy must allow, whatever else does.
import { holds } from "./condition.ts";
import type { Element, PrincipalPattern, Statement } from "./document.ts";
import { type Keys, matches } from "./pattern.ts";
import type { PolicyKind, PolicySet } from "./policy-set.ts";

/** The names under which a policy may know the caller. */
export interface Caller {
  readonly kind: "root" | "user" | "session" | "federated" | "provider" | "service" | "anonymous";
  readonly account?: string;
  /** A user's, or that of a role session or a federated user. */
  readonly arn?: string;
  readonly roleArn?: string;
  /** AIDA..., AROA...:session */
  readonly id?: string;
  /** lambda.amazonaws.com */
  readonly service?: string;
  readonly canonicalId?: string;
  /** An identity provider's ARN or name: whose token or assertion it is. */
  readonly federated?: string;
}

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

/** One statement that names the action: whether it applied, and if not, what kept it from it. */
export interface TraceLine {
  readonly kind: PolicyKind;
  readonly policy: string;
  readonly statement: string;
  readonly effect: "Allow" | "Deny";
  readonly applies: boolean;
  /** `resource`, `principal`, or the condition as `StringEquals aws:SourceArn`. */
  readonly missed?: string;
  /** Where the statement begins in the policy's text, from 1 on. */
  readonly at?: number;
  /** The policy's text, for whoever shows it. */
  readonly document: string;
}

export interface Decision {
  readonly allowed: boolean;
  /** What decided: for a denial the kind of policy that denies or does not allow. */
  readonly by: PolicyKind | "root" | "none";
  /** A statement said Deny, or none said Allow. */
  readonly explicit: boolean;
  /** The statement that decided. */
  readonly line?: TraceLine;
  readonly trace: readonly TraceLine[];
}

export function evaluate(question: Question): Decision {
  const { caller, sameAccount } = question;
  const trace: TraceLine[] = [];
  const look = (set: PolicySet) => verdict(question, set, trace);
  const resourceKind = question.trust ? "role trust policy" : "resource-based policy";
  const resource: Verdict = question.resourcePolicy ? look(question.resourcePolicy) : {};
  const identity = look(question.identityPolicies);
  const boundary = question.boundary && look(question.boundary);
  const session = question.sessionPolicies && look(question.sessionPolicies);
  const controls = question.controls?.map(look);

  const controlled = controls?.find(({ deny }) => deny)?.deny;
  const deny = controlled ?? identity.deny ?? resource.deny ?? boundary?.deny ?? session?.deny;
  if (deny) return { allowed: false, by: deny.kind, explicit: true, line: deny, trace };
  const allow = (by: Decision["by"], line?: TraceLine): Decision => ({
    allowed: true,
    by,
    explicit: false,
    line,
    trace,
  });
  const refuse = (by: PolicyKind): Decision => ({ allowed: false, by, explicit: false, trace });

  if (caller.kind === "anonymous" || caller.kind === "service")
    return resource.allow ? allow(resourceKind, resource.allow) : refuse(resourceKind);
  if (caller.kind === "provider") return resource.allow ? allow(resourceKind, resource.allow) : refuse(resourceKind);
  if (controls?.some(({ allow }) => !allow)) return refuse("service control policy");
  if (question.trust && !resource.allow) return refuse(resourceKind);
  if (!sameAccount && !resource.allow && (caller.kind === "root" || identity.allow)) return refuse(resourceKind);
  if (caller.kind === "root") return allow("root", resource.allow);
  // What names the very user or session is allowed whatever the limits do not mention.
  if (sameAccount && resource.grant === "self") return allow(resourceKind, resource.allow);
  const granted = identity.allow ?? (sameAccount && resource.grant === "wide" ? resource.allow : undefined);
  if (!granted) return refuse("identity-based policy");
  if (boundary && !boundary.allow) return refuse("permissions boundary");
  if (session && !session.allow) return refuse("session policy");
  return allow(granted.kind, granted);
}

/**
 * How a resource policy names the caller: `self` the very user or session, `wide` its role, everyone or a service, `account` its account
 * only - which lets the account's own policies decide.
 */
type Grant = "self" | "wide" | "account";
const STRENGTH: Record<Grant, number> = { account: 1, wide: 2, self: 3 };

interface Verdict {
  allow?: TraceLine;
  deny?: TraceLine;
  grant?: Grant;
}

function verdict(question: Question, { kind, policies }: PolicySet, trace: TraceLine[]): Verdict {
  const found: Verdict = {};
  for (const { name, document, policy } of policies) {
    if (policy.unreadable !== undefined) {
      const statement = `unreadable: ${policy.unreadable}`;
      found.deny = { kind, policy: name, statement, effect: "Deny", applies: true, document };
      trace.push(found.deny);
    }
    for (const statement of policy.statements) {
      if (!selects(statement.action, (pattern) => matches(pattern, question.action, question.keys))) continue;
      const grant = named(statement.principal, question.caller);
      const missed = miss(statement, { question, grant, variables: policy.variables });
      const { name: sid, effect } = statement;
      const line: TraceLine = { kind, policy: name, statement: sid, effect, applies: !missed, missed, document };
      trace.push(line);
      if (missed) continue;
      if (effect === "Deny") found.deny ??= line;
      else if (!found.allow || STRENGTH[grant!] > STRENGTH[found.grant!]) {
        found.allow = line;
        found.grant = grant;
      }
    }
  }
  return found;
}

const selects = <T>(element: Element<T>, matching: (one: T) => boolean): boolean =>
  element.any.some(matching) !== element.not;

/** What keeps a statement that names the action from applying; undefined where nothing does. */
function miss(
  statement: Statement,
  { question, grant, variables }: { question: Question; grant: Grant | undefined; variables: boolean },
): string | undefined {
  const { resource, conditions } = statement;
  if (!grant) return "principal";
  if (resource && !selects(resource, (pattern) => matches(pattern, question.resource, question.keys)))
    return "resource";
  const failed = conditions.find((condition) => !holds(condition, { keys: question.keys, variables }));
  return failed && `${failed.operator.text} ${failed.key}`;
}

function named(principal: Element<PrincipalPattern> | undefined, caller: Caller): Grant | undefined {
  if (!principal) return "wide";
  let best: Grant | undefined;
  for (const pattern of principal.any) {
    const grant = names(pattern, caller);
    if (grant && (!best || STRENGTH[grant] > STRENGTH[best])) best = grant;
  }
  if (principal.not) return best ? undefined : "wide";
  return best;
}

function names({ type, value }: PrincipalPattern, caller: Caller): Grant | undefined {
  if (type === "Service") return caller.service !== undefined && value === caller.service ? "wide" : undefined;
  if (type === "Federated") return caller.federated !== undefined && value === caller.federated ? "wide" : undefined;
  if (type === "CanonicalUser")
    return caller.canonicalId !== undefined && value === caller.canonicalId ? "account" : undefined;
  if (value === "*") return "wide";
  if (caller.kind === "anonymous" || caller.kind === "service") return undefined;
  if (value === caller.arn || value === caller.id) return caller.kind === "root" ? "account" : "self";
  if (caller.roleArn !== undefined && (value === caller.roleArn || value === caller.id?.split(":")[0])) return "wide";
  const account = caller.account;
  return account !== undefined && (value === account || value === `arn:aws:iam::${account}:root`)
    ? "account"
    : undefined;
}

/** AWS's sentence for a denial; its resource stands in quotes where S3 says it. */
export function denial(decision: Decision, about: { who: string; action: string; resource: string; quoted: boolean }) {
  const { who, action, resource, quoted } = about;
  const head = `User: ${who} is not authorized to perform: ${action} on resource: ${quoted ? `"${resource}"` : resource}`;
  const kind = decision.by;
  if (!decision.explicit) return `${head} because no ${kind} allows the ${action} action`;
  const article = kind === "role trust policy" ? "the" : kind === "identity-based policy" ? "an" : "a";
  return `${head} with an explicit deny in ${article} ${kind}`;
}
