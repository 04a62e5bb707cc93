// Step 5: may the caller? Gathers what the decision needs and lets the policy engine decide; a denial explains itself.
import type { Context, Principal, Provider } from "../kernel/context.ts";
import type { AwsError } from "../kernel/error.ts";
import { type Arn, parseArn } from "../kernel/names.ts";
import { type Caller, type Decision, denial, evaluate } from "../kernel/policy/evaluate.ts";
import type { Keys } from "../kernel/policy/pattern.ts";
import { type PolicySet, policySet } from "../kernel/policy/policy-set.ts";
import type { Access, AnyService, Conditions, Controls, Demand, Held, Identity } from "../kernel/service.ts";
import type { HttpRequest } from "../model/http.ts";
import { deniedBy } from "./denied.ts";
import { authError, type Family } from "./signature.ts";
import { tell } from "./tell.ts";

export interface Asked {
  readonly family: Family;
  /** Whose operation it is. */
  readonly service: string;
  readonly demand: Demand;
  /** Undefined for a call from within. */
  readonly request?: HttpRequest;
}

/** Of whom something is demanded. */
type Subject = Principal | Provider;

export type Authorize = (ctx: Context, asked: Asked) => Promise<void>;

/** The answer throws AccessDenied, in the code and the words of the service, unless every demand is allowed. */
export function authorizer(services: ReadonlyMap<string, AnyService>, identities: readonly Identity[]): Authorize {
  return async (ctx, asked) => {
    const { demand, family } = asked;
    if (demand === "public" || ctx.config.relaxed) return;
    const demands = Array.isArray(demand) ? (demand as readonly Access[]) : [demand as Access];
    // Whoever is authenticated may; nobody else.
    if (demands.length === 0 && ctx.principal.kind === "anonymous") throw authError(family, "unsigned");
    for (const access of demands) {
      const principal = access.of ?? ctx.principal;
      if (grantedToService(principal, access.action)) continue;
      const limits = await limitsOf(ctx, principal, identities);
      const decision = await decide(ctx, { access, asked, services, principal, limits });
      tell(ctx, { access, principal, decision });
      if (!decision.allowed) throw refusal(ctx, { access, asked, decision });
    }
  };
}

/** What AWS's own services ask of each other; no customer's policy is in it. */
const BETWEEN_SERVICES: Readonly<Record<string, readonly string[]>> = {
  "sts.amazonaws.com": ["iam:GetRole", "iam:GetPolicy", "iam:GetPolicyVersion"],
};
const grantedToService = (principal: Subject, action: string): boolean =>
  principal.kind === "service" && BETWEEN_SERVICES[principal.name]?.includes(action) === true;

/** Services whose resources have another name in ARNs than the service has here. */
const OWNERS: Readonly<Record<string, string>> = { "execute-api": "apigateway" };

/** The owner's root may always look at and change a bucket's policy: nobody locks himself out. */
const NEVER_LOCKED = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];

/** What is about to be made is the caller's, even where the name turns out to be another's: that is BucketAlreadyExists, no denial. */
const MAKES_ITS_RESOURCE = ["s3:CreateBucket"];

interface Case {
  readonly access: Access;
  readonly asked: Asked;
  readonly services: ReadonlyMap<string, AnyService>;
  readonly principal: Subject;
  readonly limits: Limits;
}

async function decide(ctx: Context, { access, asked, services, principal, limits }: Case): Promise<Decision> {
  const { action, resource } = access;
  const arn = parseArn(resource);
  const holder =
    arn && !MAKES_ITS_RESOURCE.includes(action) ? services.get(OWNERS[arn.service] ?? arn.service) : undefined;
  // A role's trust policy is asked about sts's actions only.
  const trust = arn?.service === "iam" && action.startsWith("sts:");
  const account = "account" in principal ? principal.account : undefined;
  const owner = (arn && (await ownerOf(ctx, { account: arn.account, resource, holder }))) ?? account;
  const sameAccount = owner === account;
  const locked = !(principal.kind === "root" && sameAccount && NEVER_LOCKED.includes(action));
  const consulted = holder?.resourcePolicy && locked && (arn?.service !== "iam" || trust);
  const document = consulted ? await holder.resourcePolicy!(ctx, resource) : undefined;
  const resourcePolicy =
    document === undefined
      ? undefined
      : policySet(trust ? "role trust policy" : "resource-based policy", [{ name: resource, document }]);
  const wanted = [limits.identityPolicies, resourcePolicy, limits.sessionPolicies, limits.boundary, limits.controls]
    .flat()
    .flatMap((set) => [...(set?.wants ?? [])]);
  const conditions = wanted.length > 0 ? await conditionsOf(ctx, { access, holder, wanted }) : {};
  let keys: Keys | undefined;
  return evaluate({
    caller: callerOf(principal),
    action,
    resource,
    // Worked out where a statement wants them: none is asked about root.
    get keys() {
      keys ??= keysOf(ctx, { principal, held: limits.held, conditions, request: asked.request, owner });
      return keys;
    },
    ...limits,
    resourcePolicy,
    trust,
    sameAccount,
  });
}

/** The service's own keys, and the tags of the resource where a policy asks for one. */
async function conditionsOf(
  ctx: Context,
  of: { access: Access; holder: AnyService | undefined; wanted: readonly string[] },
): Promise<Conditions> {
  const { access, holder, wanted } = of;
  const own = typeof access.conditions === "function" ? await access.conditions() : (access.conditions ?? {});
  if (!wanted.some((key) => key.startsWith("aws:resourcetag/"))) return own;
  const tags = Object.entries((await holder?.resourceTags?.(ctx, access.resource)) ?? {});
  return { ...own, ...Object.fromEntries(tags.map(([key, value]) => [`aws:ResourceTag/${key}`, value])) };
}

/** S3's ARNs name no account: the service knows whose bucket it is. Resources of AWS itself (`arn:aws:iam::aws:policy/...`) are everyone's. */
async function ownerOf(
  ctx: Context,
  of: { account: string; resource: Arn; holder: AnyService | undefined },
): Promise<string | undefined> {
  if (/^\d{12}$/.test(of.account)) return of.account;
  return await of.holder?.resourceOwner?.(ctx, of.resource);
}

/** What a principal may do at most, wherever it asks. */
interface Limits {
  readonly held: Held;
  readonly identityPolicies: PolicySet;
  readonly boundary?: PolicySet | undefined;
  readonly sessionPolicies?: PolicySet | undefined;
  readonly controls?: readonly PolicySet[] | undefined;
}

const NOTHING: Held = { policies: [] };

async function limitsOf(ctx: Context, principal: Subject, identities: readonly Identity[]): Promise<Limits> {
  let held = NOTHING;
  let controls: Controls | undefined;
  for (const identity of identities) {
    if (held === NOTHING && principal.kind !== "provider")
      held = (await identity.policies?.(ctx, principal)) ?? NOTHING;
    if ("account" in principal && principal.kind !== "service")
      controls ??= await identity.controls?.(ctx, principal.account);
  }
  return {
    held,
    ...setsOfHeld(held),
    sessionPolicies: sessionPolicies(principal),
    controls: controls && setsOfControls(controls),
  };
}

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

function sessionPolicies(principal: Subject): PolicySet | undefined {
  if (principal.kind === "federated") return setOfSession(principal.policies);
  return principal.kind === "session" && principal.policies?.length ? setOfSession(principal.policies) : undefined;
}

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
    default: {
      const { kind, account, arn, id } = principal;
      return { kind, account, arn, id };
    }
  }
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html, and the service's own. */
function keysOf(
  ctx: Context,
  of: {
    principal: Subject;
    held: Held;
    conditions: Conditions;
    request: HttpRequest | undefined;
    owner: string | undefined;
  },
): Keys {
  const { principal, held, conditions, request, owner } = of;
  const { now } = ctx;
  const keys = new Map<string, readonly string[]>();
  const set = (name: string, value: string | readonly string[] | undefined) => {
    if (value !== undefined) keys.set(name.toLowerCase(), typeof value === "string" ? [value] : value);
  };
  set("aws:currenttime", new Date(now).toISOString());
  set("aws:epochtime", String(Math.floor(now / 1000)));
  set("aws:requestedregion", ctx.region);
  set("aws:resourceaccount", owner);
  set("aws:viaawsservice", String(!request));
  if (request) {
    set("aws:sourceip", request.from);
    set("aws:useragent", request.headers["user-agent"]);
    set("aws:referer", request.headers.referer);
  }
  // What never leaves this machine is as private as with TLS: a policy that demands SecureTransport is no reason to need a certificate here.
  set("aws:securetransport", String(!request || isLoopback(request.from)));
  for (const [name, value] of principalKeys(principal)) set(name, value);
  for (const [key, value] of Object.entries(held.tags ?? {})) set(`aws:PrincipalTag/${key}`, value);
  for (const [name, value] of Object.entries(conditions)) set(name, value);
  return keys;
}

const isLoopback = (address: string): boolean => address === "::1" || /^(::ffff:)?127\./.test(address);

function principalKeys(principal: Subject): [string, string | undefined][] {
  if (principal.kind === "anonymous" || principal.kind === "provider") return [["aws:principaltype", "Anonymous"]];
  if (principal.kind === "service")
    return [
      ["aws:principalisawsservice", "true"],
      ["aws:principalservicename", principal.name],
      ["aws:sourcearn", principal.sourceArn],
      // S3's ARNs have no account: the caller's context says whose bucket it is.
      ["aws:sourceaccount", parseArn(principal.sourceArn ?? "")?.account || principal.account],
    ];
  const common: [string, string | undefined][] = [
    ["aws:principalisawsservice", "false"],
    ["aws:principalaccount", principal.account],
    ["aws:userid", principal.id],
  ];
  switch (principal.kind) {
    case "federated":
      return [...common, ["aws:principalarn", principal.arn], ["aws:principaltype", "FederatedUser"]];
    case "root":
      return [...common, ["aws:principalarn", principal.arn], ["aws:principaltype", "Account"]];
    case "user":
      return [
        ...common,
        ["aws:principalarn", principal.arn],
        ["aws:principaltype", "User"],
        ["aws:username", principal.arn.slice(principal.arn.lastIndexOf("/") + 1)],
      ];
    case "session":
      return [
        ...common,
        // The role, not the session: that is what conditions are written for.
        ["aws:principalarn", principal.roleArn],
        ["aws:principaltype", "AssumedRole"],
        ["aws:multifactorauthpresent", "false"],
        ...Object.entries(principal.tags ?? {}).map(([key, value]): [string, string] => [
          `aws:principaltag/${key}`,
          value,
        ]),
      ];
  }
}

function refusal(
  ctx: Context,
  { access, asked, decision }: { access: Access; asked: Asked; decision: Decision },
): AwsError {
  const principal = access.of ?? ctx.principal;
  if (principal.kind === "anonymous") return authError(asked.family, "unsigned");
  const who = "arn" in principal ? principal.arn : principal.name;
  const quoted = asked.family === "s3";
  return deniedBy(asked, denial(decision, { who, action: access.action, resource: access.resource, quoted }));
}
