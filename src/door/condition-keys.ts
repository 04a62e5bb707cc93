// The condition keys of a request: only those that a policy asks for are worked out. Which are there for whom is AWS's word; policies that test
// with Null and ...IfExists rely on it. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html

import { after } from "../kernel/after.ts";
import type { Context, Principal, Provider, SessionFacts } from "../kernel/context.ts";
import { parseArn } from "../kernel/names.ts";
import type { Keys } from "../kernel/policy/pattern.ts";
import { type PolicySet, selection } from "../kernel/policy/policy-set.ts";
import type { Access, Conditions, Held, Organization, Tags } from "../kernel/service.ts";
import type { HttpRequest } from "../model/http.ts";

/** Of whom something is demanded. */
export type Subject = Principal | Provider;

type Later<T> = T | Promise<T>;

export interface Facts {
  readonly ctx: Context;
  readonly principal: Subject;
  readonly held: Held;
  readonly access: Access;
  /** Undefined for a call from within. */
  readonly request?: HttpRequest | undefined;
  /** The service that asks on behalf of the principal. */
  readonly via?: string | undefined;
  /** The account whose resource it is. */
  readonly owner: string | undefined;
  resourceTags(): Later<Tags | undefined>;
  organization(account: string): Later<Organization | undefined>;
  /** A service's name begins its own keys: s3:prefix is in no request to another. */
  isService(name: string): boolean;
}

export function keysOf(facts: Facts, sets: readonly PolicySet[]): Later<Keys> {
  const wanted = new Set<string>();
  for (const set of sets) for (const key of selection(set, facts.access.action).wants) wanted.add(key);
  const keys = new Map<string, readonly string[]>();
  const put = (name: string, value: string | readonly string[] | undefined) => {
    if (value !== undefined) keys.set(name.toLowerCase(), typeof value === "string" ? [value] : value);
  };
  // What is there already may say of the request what its principal does not yet: MFA that is given with AssumeRole.
  const needs = {
    own: typeof facts.access.conditions === "object",
    resourceTags: false,
    organizations: new Set<Organizational>(),
  };
  for (const key of wanted) {
    const read = saidBy(facts.access, key) ? undefined : GLOBAL.get(key);
    const organizational = ORGANIZATIONAL.get(key);
    if (read) put(key, read(facts));
    else if (organizational) needs.organizations.add(organizational);
    else if (RESOURCE_TAG.test(key)) needs.resourceTags = true;
    else if (!key.startsWith("aws:principaltag/")) needs.own ||= mayBeOwn(key, facts);
  }
  for (const [key, value] of Object.entries(principalTags(facts))) put(`aws:PrincipalTag/${key}`, value);
  for (const [name, values] of Object.entries(sessionOf(facts.principal)?.claims ?? {})) put(name, values);
  return after(needs.own ? ownKeys(facts, wanted) : undefined, (own) => {
    for (const [name, value] of Object.entries(own ?? {})) put(name, value);
    return after(needs.resourceTags ? facts.resourceTags() : undefined, (tags) => {
      for (const [key, value] of Object.entries(tags ?? {}))
        for (const prefix of RESOURCE_TAGS) put(`${prefix}${key}`, value);
      return after(organizationKeys(facts, [...needs.organizations]), (found) => {
        for (const [name, value] of found) put(name, value);
        return keys;
      });
    });
  });
}

const RESOURCE_TAGS = ["aws:ResourceTag/", "iam:ResourceTag/"];
const RESOURCE_TAG = /^(?:aws|iam):resourcetag\//;

/** What a request says of itself comes before what its credentials say: a multi-factor code that is given with it, who vouches for its token. */
const saidBy = ({ conditions }: Access, key: string): boolean =>
  SAYABLE.has(key) &&
  typeof conditions === "object" &&
  Object.keys(conditions).some((name) => name.toLowerCase() === key);
const SAYABLE = new Set(["aws:multifactorauthpresent", "aws:multifactorauthage", "aws:federatedprovider"]);

const ownKeys = ({ access: { conditions } }: Facts, wanted: ReadonlySet<string>): Later<Conditions | undefined> =>
  typeof conditions === "function" ? conditions(wanted) : conditions;

function mayBeOwn(key: string, { access, isService }: Facts): boolean {
  const prefix = key.slice(0, key.indexOf(":"));
  return access.action.startsWith(`${prefix}:`) || !isService(prefix);
}

type Value = string | readonly string[] | undefined;

const account = (principal: Subject): string | undefined =>
  "account" in principal && principal.kind !== "service" ? principal.account : undefined;

const sessionOf = (principal: Subject): SessionFacts | undefined =>
  "session" in principal ? principal.session : undefined;

/** Credentials that end: keys of their session are in the request. */
const isTemporary = (principal: Subject): boolean =>
  principal.kind === "session" || principal.kind === "federated" || sessionOf(principal) !== undefined;

const sourceAccount = (principal: Subject): string | undefined =>
  // S3's ARNs have no account: the caller's context says whose bucket it is.
  principal.kind === "service" ? parseArn(principal.sourceArn ?? "")?.account || principal.account : undefined;

function principalTags({ principal, held }: Facts): Tags {
  const own = "tags" in principal ? principal.tags : undefined;
  return held.tags && own ? { ...held.tags, ...own } : (own ?? held.tags ?? {});
}

const TYPES: Readonly<Record<Subject["kind"], string | undefined>> = {
  root: "Account",
  user: "User",
  session: "AssumedRole",
  federated: "FederatedUser",
  anonymous: "Anonymous",
  provider: "Anonymous",
  service: undefined,
};

/** Services without regions: their requests are made in us-east-1, wherever they were signed for. */
const WITHOUT_REGIONS = ["iam", "organizations"];

const isLoopback = (address: string): boolean => address === "::1" || /^(::ffff:)?127\./.test(address);

const isoSeconds = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

const GLOBAL = new Map<string, (of: Facts) => Value>(
  Object.entries({
    // Of the principal.
    PrincipalArn: ({ principal }) =>
      // The role, not the session: that is what conditions are written for.
      principal.kind === "session" ? principal.roleArn : "arn" in principal ? principal.arn : undefined,
    PrincipalAccount: ({ principal }) => (principal.kind === "anonymous" ? "anonymous" : account(principal)),
    PrincipalType: ({ principal }) => TYPES[principal.kind],
    PrincipalIsAWSService: ({ principal }) =>
      principal.kind === "anonymous" || principal.kind === "provider"
        ? undefined
        : String(principal.kind === "service"),
    PrincipalServiceName: ({ principal }) => (principal.kind === "service" ? principal.name : undefined),
    PrincipalServiceNamesList: ({ principal }) => (principal.kind === "service" ? [principal.name] : undefined),
    userid: ({ principal }) =>
      principal.kind === "anonymous" ? "anonymous" : "id" in principal ? principal.id : undefined,
    username: ({ principal }) =>
      principal.kind === "user" ? principal.arn.slice(principal.arn.lastIndexOf("/") + 1) : undefined,
    // Of its session. Long-term keys have none of these: MultiFactorAuthPresent is not even false.
    TokenIssueTime: ({ principal }) => {
      const issued = sessionOf(principal)?.issuedAt;
      return issued === undefined ? undefined : isoSeconds(issued);
    },
    MultiFactorAuthPresent: ({ principal }) =>
      isTemporary(principal) ? String(sessionOf(principal)?.mfaAt !== undefined) : undefined,
    MultiFactorAuthAge: ({ ctx, principal }) => {
      const at = sessionOf(principal)?.mfaAt;
      return at === undefined ? undefined : String(Math.floor((ctx.now - at) / 1000));
    },
    SourceIdentity: ({ principal }) => sessionOf(principal)?.sourceIdentity,
    FederatedProvider: ({ principal }) => sessionOf(principal)?.provider,
    // Of the network. A call from within comes from nowhere.
    SourceIp: ({ request }) => request?.from.replace(/^::ffff:(?=\d+\.)/i, ""),
    UserAgent: ({ request }) => request?.headers["user-agent"],
    Referer: ({ request }) => request?.headers.referer,
    // What never leaves this machine is as private as with TLS: a policy that demands SecureTransport is no reason to need a certificate here.
    SecureTransport: ({ request }) => String(!request || isLoopback(request.from)),
    // Of the resource.
    ResourceAccount: ({ owner }) => owner,
    // Of the request.
    CurrentTime: ({ ctx }) => isoSeconds(ctx.now),
    EpochTime: ({ ctx }) => String(Math.floor(ctx.now / 1000)),
    RequestedRegion: ({ ctx, access: { action } }) =>
      WITHOUT_REGIONS.includes(action.slice(0, action.indexOf(":"))) ? "us-east-1" : ctx.region,
    ViaAWSService: ({ via }) => String(via !== undefined),
    SourceArn: ({ principal }) => (principal.kind === "service" ? principal.sourceArn : undefined),
    SourceAccount: ({ principal }) => sourceAccount(principal),
  } satisfies Record<string, (of: Facts) => Value>).map(([name, read]) => [`aws:${name.toLowerCase()}`, read]),
);

/** Whose organization is asked for: `Principal` for aws:PrincipalOrgID and aws:PrincipalOrgPaths. */
type Organizational = "Principal" | "Resource" | "Source";
const WHOSE: Readonly<Record<Organizational, (of: Facts) => string | undefined>> = {
  Principal: ({ principal }) => account(principal),
  Resource: ({ owner }) => owner,
  Source: ({ principal }) => sourceAccount(principal),
};
const ORGANIZATIONAL = new Map<string, Organizational>(
  (["Principal", "Resource", "Source"] as const).flatMap((of) => [
    [`aws:${of}OrgID`.toLowerCase(), of],
    [`aws:${of}OrgPaths`.toLowerCase(), of],
  ]),
);

function organizationKeys(facts: Facts, wanted: readonly Organizational[]): Later<[string, Value][]> {
  const [first, ...rest] = wanted;
  if (!first) return [];
  const whose = WHOSE[first](facts);
  return after(whose === undefined ? undefined : facts.organization(whose), (found) =>
    after(organizationKeys(facts, rest), (others) =>
      found ? [[`aws:${first}OrgID`, found.id], [`aws:${first}OrgPaths`, found.paths], ...others] : others,
    ),
  );
}
