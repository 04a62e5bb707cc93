// Whom a statement names. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
import type { Element, PrincipalPattern, Statement } from "./document.ts";

/** The names under which a policy may know the caller. */
export interface Caller {
  readonly kind: "root" | "user" | "session" | "federated" | "provider" | "service" | "anonymous";
  readonly account?: string;
  /** A user's, or that of a role session or a federated user. */
  readonly arn?: string;
  readonly roleArn?: string;
  /** AIDA..., AROA...:session */
  readonly id?: string;
  /** Of a federated user: who asked for the token, a user or root. */
  readonly user?: { readonly arn: string; readonly id: string };
  /** lambda.amazonaws.com */
  readonly service?: string;
  readonly canonicalId?: string;
  /** An identity provider's ARN or name: whose token or assertion it is. */
  readonly federated?: string;
}

/**
 * How a statement names the caller. `self`: the very user or session, or everyone. `wide`: its role or its user, or a service. `account`: its
 * account only, which lets the account's own policies decide.
 */
export type Grant = "self" | "wide" | "account";
export const STRENGTH: Readonly<Record<Grant, number>> = { account: 1, wide: 2, self: 3 };

/** undefined: not at all. `bounded`: the caller has a permissions boundary. */
export function grantOf(
  { principal, effect }: Statement,
  { caller, bounded }: { caller: Caller; bounded: boolean },
): Grant | undefined {
  if (!principal) return "wide";
  if (!principal.not) return strongest(principal, caller);
  const exempt = effect === "Deny" ? isExempt(principal, { caller, bounded }) : strongest(principal, caller);
  return exempt ? undefined : "wide";
}

function strongest(principal: Element<PrincipalPattern>, caller: Caller): Grant | undefined {
  let best: Grant | undefined;
  for (const pattern of principal.any) {
    const grant = names(pattern, caller);
    if (grant && (!best || STRENGTH[grant] > STRENGTH[best])) best = grant;
  }
  return best;
}

function names({ type, value }: PrincipalPattern, caller: Caller): Grant | undefined {
  if (type === "Service") return caller.service !== undefined && value === caller.service ? "wide" : undefined;
  if (type === "Federated") return caller.federated !== undefined && value === caller.federated ? "wide" : undefined;
  if (type === "CanonicalUser") return isAccount({ type, value }, caller) ? "account" : undefined;
  // Everyone is whoever makes the request: the session, not its role. So no limit of the role's binds it.
  if (value === "*") return "self";
  if (caller.kind === "anonymous" || caller.kind === "service" || caller.kind === "provider") return undefined;
  if (isAccount({ type, value }, caller)) return "account";
  if (value === caller.arn || value === caller.id) return "self";
  return isRole(value, caller) || value === caller.user?.arn || value === caller.user?.id ? "wide" : undefined;
}

const isAccount = ({ type, value }: PrincipalPattern, { account, canonicalId }: Caller): boolean =>
  type === "CanonicalUser"
    ? canonicalId !== undefined && value === canonicalId
    : account !== undefined && (value === account || value === `arn:aws:iam::${account}:root`);

/** By its ARN or its unique id: AROA... */
const isRole = (value: string, { roleArn, id }: Caller): boolean =>
  roleArn !== undefined && (value === roleArn || id?.startsWith(`${value}:`) === true);

/**
 * Deny with NotPrincipal looks at the caller's account, its role and itself: each must be in the list. Whoever has a permissions boundary is
 * always denied. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
 */
function isExempt({ any }: Element<PrincipalPattern>, { caller, bounded }: { caller: Caller; bounded: boolean }) {
  if (caller.account === undefined || caller.kind === "service") return any.some((one) => names(one, caller));
  const listed = (is: (one: PrincipalPattern) => boolean) =>
    any.some((one) => (one.type === "AWS" && one.value === "*") || is(one));
  const itself = ({ value }: PrincipalPattern) => value === caller.arn || value === caller.id;
  return (
    !bounded &&
    listed((one) => isAccount(one, caller)) &&
    (caller.kind === "root" || listed(itself)) &&
    (caller.kind !== "session" || listed(({ value }) => isRole(value, caller)))
  );
}
