// Step 5: may the caller? Gathers what the decision needs and lets the policy engine decide; a denial explains itself.
import { after, firstOf } from "../kernel/after.ts";
import type { Context, Principal } from "../kernel/context.ts";
import type { AwsError } from "../kernel/error.ts";
import { type Arn, canonicalIdOf, parseArn } from "../kernel/names.ts";
import { type Caller, type Decision, denial, evaluate, type Question } from "../kernel/policy/evaluate.ts";
import type { Keys } from "../kernel/policy/pattern.ts";
import { type PolicySet, policySet, selection } from "../kernel/policy/policy-set.ts";
import type { Access, AnyService, Controls, Demand, Held, Identity } from "../kernel/service.ts";
import type { HttpRequest } from "../model/http.ts";
import { type Facts, keysOf, type Subject } from "./condition-keys.ts";
import { deniedBy, saidAction } from "./denied.ts";
import { type Ruling, rule } from "./rulings.ts";
import { authError, type Family } from "./signature.ts";
import { tell } from "./tell.ts";

export interface Asked {
  readonly family: Family;
  /** Whose operation it is. */
  readonly service: string;
  readonly demand: Demand;
  /** Undefined for a call from within. */
  readonly request?: HttpRequest | undefined;
  /** The service that asks on behalf of the principal. */
  readonly via?: string | undefined;
  /** A resource's policy may let in who signs nothing, whatever the service. */
  readonly unsigned?: true;
}

/** Waits only for what is not remembered. */
export type Authorize = (ctx: Context, asked: Asked) => void | Promise<void>;

/** What a cloud decides with. */
interface Court {
  readonly services: ReadonlyMap<string, AnyService>;
  readonly identities: readonly Identity[];
}

/** The answer throws AccessDenied, in the code and the words of the service, unless every demand is allowed. */
export function authorizer(services: ReadonlyMap<string, AnyService>, identities: readonly Identity[]): Authorize {
  const court = { services, identities };
  return (ctx, asked) => {
    const { demand, family } = asked;
    if (demand === "public" || ctx.config.relaxed) return undefined;
    const demands = Array.isArray(demand) ? (demand as readonly Access[]) : [demand as Access];
    // Whoever is authenticated may; nobody else.
    if (demands.length === 0 && ctx.principal.kind === "anonymous") throw authError(family, "unsigned");
    const from = (at: number): void | Promise<void> => {
      for (let i = at; i < demands.length; i++) {
        const asking = demandOne(ctx, court, { access: demands[i]!, asked });
        if (asking) return asking.then(() => from(i + 1));
      }
      return undefined;
    };
    return from(0);
  };
}

function demandOne(
  ctx: Context,
  court: Court,
  { access, asked }: { access: Access; asked: Asked },
): void | Promise<void> {
  const principal = access.of ?? ctx.principal;
  if (principal.kind === "anonymous" && !asked.unsigned && !TAKES_UNSIGNED.includes(asked.service))
    throw authError(asked.family, "unsigned");
  if (grantedToService(principal, access.action)) return undefined;
  return after(limitsOf(ctx, principal, court.identities), (limits) =>
    after(guardOf(ctx, court, { access, principal, gone: limits.held.gone === true }), (guard) =>
      after(decideWithGrants(ctx, court, { access, asked, principal, limits, guard }), (ruling) => {
        const { decision } = ruling;
        tell(ctx, { access, principal, ruling });
        if (!decision.allowed) throw refusal(ctx, { access, asked, decision });
      }),
    ),
  );
}

/** Where a resource's policy may let in anybody who signs nothing; elsewhere "*" is everybody who has signed. */
const TAKES_UNSIGNED = ["s3", "sns", "sqs"];

/** What AWS's own services ask of each other; no customer's policy is in it. */
const BETWEEN_SERVICES: Readonly<Record<string, readonly string[]>> = {
  "logs.amazonaws.com": ["cloudwatch:PutMetricData"],
  "organizations.amazonaws.com": ["iam:CreateRole", "iam:AttachRolePolicy"],
  "sts.amazonaws.com": ["iam:GetRole", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetOpenIDConnectProvider"],
};
const grantedToService = (principal: Subject, action: string): boolean =>
  principal.kind === "service" && BETWEEN_SERVICES[principal.name]?.includes(action) === true;

/** Services whose resources have another name in ARNs than the service has here. */
const OWNERS: Readonly<Record<string, string>> = { "execute-api": "apigateway", s3express: "s3" };

/** The owner's root may always look at and change a bucket's policy: nobody locks himself out. */
const NEVER_LOCKED = ["s3", "s3express"].flatMap((service) =>
  ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"].map((action) => `${service}:${action}`),
);

/** What is about to be made is the caller's, even where the name turns out to be another's: that is BucketAlreadyExists, no denial. */
const MAKES_ITS_RESOURCE = ["s3:CreateBucket", "s3express:CreateBucket"];

/** What stands around a resource. */
interface Guard {
  /** Whose service it is. */
  readonly holder: AnyService | undefined;
  /** The account that owns it; where nobody can tell, the caller's. */
  readonly owner: string | undefined;
  readonly policy: PolicySet | undefined;
  /** Its policy is a role's trust policy. */
  readonly trust: boolean;
}

function guardOf(
  ctx: Context,
  { services }: Court,
  { access, principal, gone }: { access: Access; principal: Subject; gone: boolean },
): Guard | Promise<Guard> {
  const { action, resource } = access;
  const arn = parseArn(resource);
  const holder =
    arn && !MAKES_ITS_RESOURCE.includes(action) ? services.get(OWNERS[arn.service] ?? arn.service) : undefined;
  // A role's trust policy is asked about sts's actions only, and whoever assumes anything needs one: what is no role has none.
  const inIam = arn?.service === "iam";
  const trust = action.startsWith("sts:AssumeRole") || (inIam && action.startsWith("sts:"));
  const account = "account" in principal ? principal.account : undefined;
  return after(arn && ownerOf(ctx, { account: arn.account, access, holder }), (known) => {
    const owner = known ?? account;
    const locked = !(principal.kind === "root" && owner === account && NEVER_LOCKED.includes(action));
    const consulted = locked && inIam === trust && !gone;
    return after(consulted ? holder?.resourcePolicy?.(ctx, resource, access) : undefined, (document) => ({
      holder,
      owner,
      policy: document === undefined ? undefined : resourcePolicySet(resource, { document, trust }),
      trust,
    }));
  });
}

/** S3's ARNs name no account: the service knows whose bucket it is. Resources of AWS itself (`arn:aws:iam::aws:policy/...`) are everyone's. */
const ownerOf = (
  ctx: Context,
  { account, access, holder }: { account: string; access: Access; holder: AnyService | undefined },
): string | undefined | Promise<string | undefined> =>
  /^\d{12}$/.test(account) ? account : holder?.resourceOwner?.(ctx, access.resource, access);

// A bucket's policy is asked for each of its objects, a queue's for each of its messages: the sets of those that were asked last are kept.
const MOST_SETS = 1000;
const sets = new Map<string, PolicySet>();

function resourcePolicySet(resource: Arn, { document, trust }: { document: string; trust: boolean }): PolicySet {
  // All objects of a bucket have its policy.
  const name = resource.startsWith("arn:aws:s3:::") ? resource.split("/", 1)[0]! : resource;
  const known = sets.get(name);
  if (known && known.policies[0]!.document === document) return known;
  const set = policySet(trust ? "role trust policy" : "resource-based policy", [{ name, document }]);
  sets.delete(name);
  sets.set(name, set);
  if (sets.size > MOST_SETS) sets.delete(sets.keys().next().value!);
  return set;
}

interface Case {
  readonly access: Access;
  readonly asked: Asked;
  readonly principal: Subject;
  readonly limits: Limits;
  readonly guard: Guard;
}

/** What the resource gives besides its policy is asked for where it could matter: where nothing allows, and nothing denies. */
const decideWithGrants = (ctx: Context, court: Court, of: Case): Ruling | Promise<Ruling> =>
  after(decide(ctx, court, of), (ruling) => {
    const { holder, policy } = of.guard;
    const { allowed, explicit } = ruling.decision;
    if (allowed || explicit || !holder?.grants) return ruling;
    return after(holder.grants(ctx, of.access), (grants) => {
      if (grants.length === 0) return ruling;
      const all = policySet("resource-based policy", [...(policy?.policies ?? []), ...grants]);
      return decide(ctx, court, { ...of, guard: { ...of.guard, policy: all } });
    });
  });

function decide(ctx: Context, court: Court, of: Case): Ruling | Promise<Ruling> {
  const { access, principal, limits, guard } = of;
  const { identityPolicies, sessionPolicies, boundary, controls } = limits;
  const { owner, policy: resourcePolicy, trust } = guard;
  const question: Question = {
    caller: withCanonicalId(ctx, callerOf(principal)),
    action: access.action,
    resource: access.resource,
    keys: NO_KEYS,
    identityPolicies,
    resourcePolicy,
    sessionPolicies,
    boundary,
    controls,
    trust,
    sameAccount: owner === ("account" in principal ? principal.account : undefined),
  };
  const sets = setsOf(limits, guard);
  if (!sets.some((set) => wantsKeys(set, access.action))) return rule(question);
  return after(keysOf(factsOf(ctx, court, of), sets), (keys) => ({ decision: evaluate({ ...question, keys }) }));
}

const NO_KEYS: Keys = new Map();

// Nothing is worked out where no statement that names the action has conditions or variables.
const wantsKeys = (set: PolicySet, action: string): boolean =>
  set.wants.size > 0 && selection(set, action).wants.size > 0;

const setsOf = ({ identityPolicies, sessionPolicies, boundary, controls = [] }: Limits, { policy }: Guard) =>
  [identityPolicies, sessionPolicies, boundary, policy, ...controls].filter((set) => set !== undefined);

const factsOf = (
  ctx: Context,
  { services, identities }: Court,
  { access, asked, principal, limits, guard }: Case,
): Facts => ({
  ctx,
  principal,
  held: limits.held,
  access,
  request: asked.request,
  via: asked.via,
  owner: guard.owner,
  resourceTags: () => guard.holder?.resourceTags?.(ctx, access.resource),
  organization: (account) => firstOf(identities, (one) => one.organization?.(ctx, account)),
  isService: (name) => services.has(name),
});

/** What a principal may do at most, wherever it asks. */
interface Limits {
  readonly held: Held;
  readonly identityPolicies: PolicySet;
  readonly boundary?: PolicySet | undefined;
  readonly sessionPolicies?: PolicySet | undefined;
  readonly controls?: readonly PolicySet[] | undefined;
}

const NOTHING: Held = { policies: [] };

function limitsOf(ctx: Context, principal: Subject, identities: readonly Identity[]): Limits | Promise<Limits> {
  if (principal.kind === "provider" || principal.kind === "service" || principal.kind === "anonymous") return NO_LIMITS;
  const held = firstOf(identities, (one) => one.policies?.(ctx, principal));
  const controls = isServiceLinked(principal)
    ? undefined
    : firstOf(identities, (one) => one.controls?.(ctx, principal.account));
  return after(held, (holds = NOTHING) =>
    after(controls, (levels) => ({
      held: holds,
      ...setsOfHeld(holds),
      sessionPolicies: sessionPolicies(principal),
      controls: levels && setsOfControls(levels),
    })),
  );
}

/** Its service acts through it whatever the organization says: SCPs do not bind service-linked roles. */
const isServiceLinked = (principal: Principal): boolean =>
  principal.kind === "session" && principal.roleArn.includes(":role/aws-service-role/");

/** Made once of what does not change: a principal's policies, its session's, an account's controls. */
const once = <K extends object, V>(make: (of: K) => V): ((of: K) => V) => {
  const made = new WeakMap<K, V>();
  return (of) => {
    const known = made.get(of);
    if (known !== undefined) return known;
    const value = make(of);
    made.set(of, value);
    return value;
  };
};

const setsOfHeld = once(({ policies, boundary }: Held) => ({
  identityPolicies: policySet("identity-based policy", policies),
  boundary: boundary && policySet("permissions boundary", [boundary]),
}));

const setsOfControls = once((levels: Controls) => levels.map((level) => policySet("service control policy", level)));

const setOfSession = once((policies: readonly string[]) =>
  policySet(
    "session policy",
    policies.map((document, at) => ({ name: `session policy ${at + 1}`, document })),
  ),
);

const NO_LIMITS: Limits = { held: NOTHING, ...setsOfHeld(NOTHING) };

function sessionPolicies(principal: Subject): PolicySet | undefined {
  if (principal.kind === "federated") return setOfSession(principal.policies);
  return principal.kind === "session" && principal.policies?.length ? setOfSession(principal.policies) : undefined;
}

/** The name of an account that S3's policies may use: `"CanonicalUser"`. */
const withCanonicalId = ({ config }: Context, caller: Caller): Caller =>
  caller.account === undefined || caller.kind === "service"
    ? caller
    : { ...caller, canonicalId: canonicalIdOf(caller.account, config.accounts) };

function callerOf(principal: Subject): Caller {
  switch (principal.kind) {
    case "anonymous":
      return { kind: "anonymous" };
    case "service":
      return { kind: "service", account: principal.account, service: principal.name };
    case "provider":
      return { kind: "provider", federated: principal.name };
    case "session": {
      const { kind, account, arn, id, roleArn } = principal;
      return { kind, account, arn, id, roleArn };
    }
    case "federated": {
      const { kind, account, arn, id, user } = principal;
      return { kind, account, arn, id, user };
    }
    default: {
      const { kind, account, arn, id } = principal;
      return { kind, account, arn, id };
    }
  }
}

function refusal(
  ctx: Context,
  { access, asked, decision }: { access: Access; asked: Asked; decision: Decision },
): AwsError {
  const principal = access.of ?? ctx.principal;
  if (principal.kind === "anonymous") return authError(asked.family, "unsigned");
  // Whoever has no name of AWS's is told no more than that.
  if (principal.kind === "provider") return deniedBy(asked, `Not authorized to perform ${access.action}`);
  const who = "arn" in principal ? principal.arn : principal.name;
  const action = saidAction(asked.service, access.action);
  const quoted = asked.family === "s3";
  return deniedBy(asked, denial(decision, { who, action, resource: access.resource, quoted }));
}
