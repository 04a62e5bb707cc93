// Callers, policies and questions for the tests of decisions.
import { type Caller, type Decision, evaluate, type Question } from "./evaluate.ts";
import { type PolicyText, policySet } from "./policy-set.ts";

export const ACCOUNT = "111111111111";
export const OTHER = "222222222222";
export const OBJECT = "arn:aws:s3:::photos/cats/one.jpg";

export const ALICE: Caller = {
  kind: "user",
  account: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:user/alice`,
  id: "AIDAALICE",
};
export const SESSION: Caller = {
  kind: "session",
  account: ACCOUNT,
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/reader/one`,
  roleArn: `arn:aws:iam::${ACCOUNT}:role/reader`,
  id: "AROAREADER:one",
};
/** A session of a service-linked role. */
export const LINKED: Caller = {
  ...SESSION,
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/AWSServiceRoleForX/one`,
  roleArn: `arn:aws:iam::${ACCOUNT}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX`,
};
/** What GetFederationToken gave to Alice, for Fred. */
export const FRED: Caller = {
  kind: "federated",
  account: ACCOUNT,
  arn: `arn:aws:sts::${ACCOUNT}:federated-user/fred`,
  id: `${ACCOUNT}:fred`,
  user: { arn: ALICE.arn!, id: ALICE.id! },
};
export const ROOT: Caller = { kind: "root", account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root`, id: ACCOUNT };
export const ROOTS: Caller = { ...FRED, user: { arn: ROOT.arn!, id: ACCOUNT } };
export const S3: Caller = { kind: "service", account: ACCOUNT, service: "s3.amazonaws.com" };
export const NOBODY: Caller = { kind: "anonymous" };
export const TOKEN: Caller = { kind: "provider", federated: "accounts.google.com" };

export type Json = Record<string, unknown>;

export const policy = (...statements: Json[]): PolicyText => ({
  name: "p",
  document: JSON.stringify({ Version: "2012-10-17", Statement: statements }),
});
export const allow = (more: Json = {}): Json => ({ Effect: "Allow", Action: "s3:GetObject", Resource: "*", ...more });
export const deny = (more: Json = {}): Json => allow({ ...more, Effect: "Deny" });

type Sets = "identityPolicies" | "resourcePolicy" | "sessionPolicies" | "boundary" | "controls";

export interface Asked extends Partial<Omit<Question, Sets>> {
  values?: Record<string, string | string[]>;
  identityPolicies?: PolicyText[];
  resourcePolicy?: PolicyText | undefined;
  sessionPolicies?: PolicyText[] | undefined;
  boundary?: PolicyText | undefined;
  /** A list for each level. */
  controls?: PolicyText[][] | undefined;
}

export function question(more: Asked = {}): Question {
  const { values = {}, identityPolicies = [], resourcePolicy, sessionPolicies, boundary, controls, ...rest } = more;
  return {
    caller: ALICE,
    action: "s3:GetObject",
    resource: OBJECT,
    keys: new Map(Object.entries(values).map(([name, value]) => [name.toLowerCase(), [value].flat()])),
    identityPolicies: policySet("identity-based policy", identityPolicies),
    sameAccount: true,
    ...(resourcePolicy && {
      resourcePolicy: policySet(rest.trust ? "role trust policy" : "resource-based policy", [resourcePolicy]),
    }),
    ...(sessionPolicies && { sessionPolicies: policySet("session policy", sessionPolicies) }),
    ...(boundary && { boundary: policySet("permissions boundary", [boundary]) }),
    ...(controls && { controls: controls.map((level) => policySet("service control policy", level)) }),
    ...rest,
  };
}

export const ask = (more: Asked = {}): Decision => evaluate(question(more));
/** Whether a user with this one statement may. */
export const can = (statement: Json, more: Asked = {}): boolean =>
  ask({ identityPolicies: [policy(statement)], ...more }).allowed;
