// Step 5: may the caller? Gathers what the decision needs and lets the policy engine decide; a denial explains itself.
import type { Context, Principal } from "../kernel/context.ts";
import type { AwsError } from "../kernel/error.ts";
import { type Arn, parseArn } from "../kernel/names.ts";
import { type Caller, type Decision, denial, evaluate, type PolicyText } from "../kernel/policy/evaluate.ts";
import type { Keys } from "../kernel/policy/pattern.ts";
import type { Access, AnyService, Demand, Identity } from "../kernel/service.ts";
import type { HttpRequest } from "../model/http.ts";
import { deniedBy } from "./denied.ts";
import { authError, type Family } from "./signature.ts";

export interface Asked {
  readonly family: Family;
  /** Whose operation it is. */
  readonly service: string;
  readonly demand: Demand;
  /** Undefined for a call from within. */
  readonly request?: HttpRequest;
}

export type Authorize = (ctx: Context, asked: Asked) => Promise<void>;

/** The answer throws AccessDenied, in the code and the words of the service, unless every demand is allowed. */
export function authorizer(services: ReadonlyMap<string, AnyService>, identities: readonly Identity[]): Authorize {
  return async (ctx, asked) => {
    const { demand, family } = asked;
    if (demand === "public" || ctx.config.relaxed) return;
    const demands = Array.isArray(demand) ? (demand as readonly Access[]) : [demand as Access];
    // Whoever is authenticated may; nobody else.
    if (demands.length === 0 && ctx.principal.kind === "anonymous") throw authError(family, "unsigned");
    let identityPolicies: readonly PolicyText[] | undefined;
    for (const access of demands) {
      if (grantedToService(ctx.principal, access.action)) continue;
      identityPolicies ??= await policiesOf(ctx, identities);
      const decision = await decide(ctx, { access, asked, services, identityPolicies });
      tell(ctx, access, decision);
      if (!decision.allowed) throw refusal(ctx, { access, asked, decision });
    }
  };
}

/** What AWS's own services ask of each other; no customer's policy is in it. */
const BETWEEN_SERVICES: Readonly<Record<string, readonly string[]>> = {
  "sts.amazonaws.com": ["iam:GetRole", "iam:GetPolicy", "iam:GetPolicyVersion"],
};
const grantedToService = (principal: Principal, action: string): boolean =>
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
  readonly identityPolicies: readonly PolicyText[];
}

async function decide(ctx: Context, { access, asked, services, identityPolicies }: Case): Promise<Decision> {
  const { principal } = ctx;
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
  let keys: Keys | undefined;
  return evaluate({
    caller: callerOf(principal),
    action,
    resource,
    // Worked out where a statement wants them: none is asked about root.
    get keys() {
      keys ??= keysOf(ctx, { access, request: asked.request, owner });
      return keys;
    },
    identityPolicies,
    resourcePolicy: document === undefined ? undefined : { name: resource, document },
    trust,
    sessionPolicies: sessionPolicies(principal),
    sameAccount,
  });
}

/** S3's ARNs name no account: the service knows whose bucket it is. Resources of AWS itself (`arn:aws:iam::aws:policy/...`) are everyone's. */
async function ownerOf(
  ctx: Context,
  of: { account: string; resource: Arn; holder: AnyService | undefined },
): Promise<string | undefined> {
  if (/^\d{12}$/.test(of.account)) return of.account;
  return await of.holder?.resourceOwner?.(ctx, of.resource);
}

async function policiesOf(ctx: Context, identities: readonly Identity[]): Promise<readonly PolicyText[]> {
  const { kind } = ctx.principal;
  if (kind !== "user" && kind !== "session") return [];
  for (const identity of identities) {
    const policies = await identity.policies?.(ctx, ctx.principal);
    if (policies) return policies;
  }
  return [];
}

function sessionPolicies(principal: Principal): readonly PolicyText[] | undefined {
  if (principal.kind !== "session" || !principal.policies?.length) return undefined;
  return principal.policies.map((document, at) => ({ name: `session policy ${at + 1}`, document }));
}

function callerOf(principal: Principal): Caller {
  switch (principal.kind) {
    case "anonymous":
      return { kind: "anonymous" };
    case "service":
      return { kind: "service", account: principal.account, service: principal.name };
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
  { access, request, owner }: { access: Access; request: HttpRequest | undefined; owner: string | undefined },
): Keys {
  const { principal, now } = ctx;
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
  for (const [name, value] of Object.entries(access.conditions ?? {})) set(name, value);
  return keys;
}

const isLoopback = (address: string): boolean => address === "::1" || /^(::ffff:)?127\./.test(address);

function principalKeys(principal: Principal): [string, string | undefined][] {
  if (principal.kind === "anonymous") return [["aws:principaltype", "Anonymous"]];
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

/** What `why` prints. Root's own calls are every second line of a journal, and say nothing. */
function tell(ctx: Context, access: Access, decision: Decision): void {
  if (decision.allowed && decision.by === "root") return;
  const { allowed, by, explicit, line, trace } = decision;
  ctx.log.debug(`${access.action} ${allowed ? "allowed" : "denied"}`, {
    subject: access.resource,
    decision: line ? `${line.kind} ${line.policy}, statement ${line.statement}` : `no ${by} allows it`,
    ...(allowed ? {} : { explicit, trace }),
  });
}

function refusal(
  ctx: Context,
  { access, asked, decision }: { access: Access; asked: Asked; decision: Decision },
): AwsError {
  const { principal } = ctx;
  if (principal.kind === "anonymous") return authError(asked.family, "unsigned");
  const who = principal.kind === "service" ? principal.name : principal.arn;
  const quoted = asked.family === "s3";
  return deniedBy(asked, denial(decision, { who, action: access.action, resource: access.resource, quoted }));
}
