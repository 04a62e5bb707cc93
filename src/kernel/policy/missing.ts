// What would have to change for a request to be allowed: the smallest statements, and where they must stand.
import { allowOf, controlsOf, type Decision, hasAccount, type Question } from "./evaluate.ts";
import type { PolicyKind } from "./policy-set.ts";
import type { Grant } from "./principal.ts";
import type { TraceLine } from "./trace.ts";

export type Remedy =
  /** A policy of this kind must say so. `level`: of service control policies, from the organization's root (0) to the account. */
  | { readonly change: "add"; readonly where: PolicyKind; readonly level?: number; readonly statement: SmallStatement }
  /** This statement denies: it must go, or make an exception. */
  | { readonly change: "except"; readonly where: PolicyKind; readonly line: TraceLine };

export interface SmallStatement {
  readonly Effect: "Allow";
  readonly Principal?: "*" | Readonly<Record<string, string>>;
  readonly Action: string;
  /** Not in a trust policy. */
  readonly Resource?: string;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** All of it is needed; nothing where the request was allowed. */
export function smallestPolicy(question: Question, decision: Decision): Remedy[] {
  if (decision.allowed) return [];
  const denying = decision.trace.filter(({ effect, applies }) => effect === "Deny" && applies);
  return [...denying.map((line): Remedy => ({ change: "except", where: line.kind, line })), ...additions(question)];
}

function additions(question: Question): Remedy[] {
  const { caller, action, resource, sameAccount, resourcePolicy, boundary, sessionPolicies } = question;
  const statement: SmallStatement = { Effect: "Allow", Action: action, Resource: resource };
  const add = (where: PolicyKind, level?: number): Remedy[] => [
    { change: "add", where, statement, ...(level !== undefined && { level }) },
  ];
  const found = controlsOf(question).flatMap((set, level) => (allowOf(question, set) ? [] : add(set.kind, level)));
  let grant: Grant | undefined = resourcePolicy && allowOf(question, resourcePolicy)?.grant;
  if (!grant && (question.trust || !sameAccount || !hasAccount(caller))) {
    found.push(ofResource(question));
    grant = caller.kind === "session" ? "wide" : "self";
  }
  if (!hasAccount(caller) || caller.kind === "root" || (sameAccount && grant === "self")) return found;
  const asRoot = caller.user?.arn === `arn:aws:iam::${caller.account}:root`;
  const { identityPolicies } = question;
  if (!(sameAccount && grant === "wide") && !asRoot && !allowOf(question, identityPolicies))
    found.push(...add(identityPolicies.kind));
  for (const limit of [boundary, sessionPolicies])
    if (limit && !allowOf(question, limit)) found.push(...add(limit.kind));
  return found;
}

function ofResource(question: Question): Remedy {
  const { action, resource, resourcePolicy, trust } = question;
  const where = resourcePolicy?.kind ?? (trust ? "role trust policy" : "resource-based policy");
  const Condition = conditionsOf(question);
  const statement: SmallStatement = {
    Effect: "Allow",
    Principal: principalOf(question),
    Action: action,
    ...(where !== "role trust policy" && { Resource: resource }),
    ...(Condition && { Condition }),
  };
  return { change: "add", where, statement };
}

function principalOf({ caller }: Question): "*" | Record<string, string> {
  if (caller.kind === "service") return { Service: caller.service! };
  if (caller.kind === "provider") return { Federated: caller.federated! };
  return caller.kind === "anonymous" ? "*" : { AWS: caller.roleArn ?? caller.arn! };
}

/** A service is trusted for the resource that it acts for only, an identity provider for the one it speaks of. */
function conditionsOf({ caller, keys }: Question): SmallStatement["Condition"] | undefined {
  const only = (name: string) => keys.get(name)?.[0];
  if (caller.kind === "service") {
    const [arn, account] = [only("aws:sourcearn"), only("aws:sourceaccount")];
    if (arn === undefined) return undefined;
    return {
      ArnLike: { "aws:SourceArn": arn },
      ...(account !== undefined && { StringEquals: { "aws:SourceAccount": account } }),
    };
  }
  if (caller.kind !== "provider") return undefined;
  const claims = [...keys].filter(([name, [value]]) => /:(aud|sub)$/.test(name) && value !== undefined);
  return claims.length === 0
    ? undefined
    : { StringEquals: Object.fromEntries(claims.map(([name, [value]]) => [name, value!])) };
}
