// How the kinds of policies decide together, one line a case, from AWS's description of the logic:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, its pages on single and cross account requests,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html,
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ALICE,
  type Asked,
  allow,
  ask,
  deny,
  FRED,
  type Json,
  LINKED,
  NOBODY,
  policy,
  ROOT,
  ROOTS,
  S3,
  SESSION,
  TOKEN,
} from "./decisions.fixture.ts";
import type { Caller } from "./evaluate.ts";

const CALLERS: Readonly<Record<string, Caller>> = {
  user: ALICE,
  role: SESSION,
  linked: LINKED,
  federated: FRED,
  rootfed: ROOTS,
  root: ROOT,
  service: S3,
  nobody: NOBODY,
  token: TOKEN,
};

/** What a policy says about the action: it allows it, allows another one only, denies it, or allows all. */
const SAYS: Readonly<Record<string, Json>> = {
  yes: allow(),
  no: allow({ Action: "s3:PutObject" }),
  deny: deny(),
  full: allow({ Action: "*" }),
};

/** Whom a resource's policy names; `holder` is the role of a session, or the user who asked for a federated one. */
function principalOf(word: string, caller: Caller): Json {
  switch (word) {
    case "self":
      return { AWS: caller.arn };
    case "holder":
      return { AWS: caller.roleArn ?? caller.user?.arn };
    case "account":
      return { AWS: `arn:aws:iam::${caller.account}:root` };
    case "number":
      return { AWS: caller.account };
    case "service":
      return { Service: "s3.amazonaws.com" };
    case "google":
      return { Federated: "accounts.google.com" };
    case "stranger":
      return { AWS: "arn:aws:iam::333333333333:user/x" };
    case "all":
      return { AWS: "*" };
    default:
      throw new Error(`nobody is called ${word}`);
  }
}

/** `self`, `self-deny`, `account+all`: a statement for each. */
function resourcePolicyOf(words: string, caller: Caller) {
  const statements = words.split("+").map((word) => {
    const [who, effect] = word.split("-");
    const Principal = principalOf(who!, caller);
    return effect === "deny" ? deny({ Principal }) : allow({ Principal, ...(effect === "no" && SAYS.no) });
  });
  return policy(...statements);
}

const KINDS: Readonly<Record<string, string>> = {
  identity: "identity-based policy",
  resource: "resource-based policy",
  trust: "role trust policy",
  session: "session policy",
  boundary: "permissions boundary",
  control: "service control policy",
  root: "root",
};

/** caller, account, resource's policy, identity's, boundary, session's, controls, decision, by what. */
function run(line: string, more: Asked = {}): void {
  const [name, place, resource, identity, boundary, session, controls, decision, by] = line
    .trim()
    .split(/ +/) as string[];
  test(line.trim().replace(/ +/g, " "), () => {
    const caller = CALLERS[name!]!;
    const said = (word: string) => (word === "-" ? undefined : policy(SAYS[word]!));
    const {
      allowed,
      explicit,
      by: kind,
    } = ask({
      caller,
      sameAccount: place === "own",
      resourcePolicy: resource === "-" ? undefined : resourcePolicyOf(resource!, caller),
      identityPolicies: identity === "-" ? [] : identity!.split("+").map((word) => policy(SAYS[word]!)),
      boundary: said(boundary!),
      sessionPolicies: session === "-" ? undefined : session!.split("+").map((word) => policy(SAYS[word]!)),
      controls: controls === "-" ? undefined : controls!.split("+").map((word) => [policy(SAYS[word]!)]),
      ...more,
    });
    assert.equal(`${allowed ? "allow" : explicit ? "explicit" : "implicit"} ${kind}`, `${decision} ${KINDS[by!]}`);
  });
}

describe("within one account", () => {
  const lines = `
    user       own  -               -         -     -     -         implicit  identity
    user       own  -               yes       -     -     -         allow     identity
    user       own  -               no        -     -     -         implicit  identity
    user       own  -               no+yes    -     -     -         allow     identity
    user       own  -               yes+deny  -     -     -         explicit  identity
    user       own  -               deny      -     -     -         explicit  identity
    user       own  -               full      -     -     -         allow     identity
    user       own  self            -         -     -     -         allow     resource
    user       own  self            no        -     -     -         allow     resource
    user       own  self            yes       -     -     -         allow     resource
    user       own  self            deny      -     -     -         explicit  identity
    user       own  all             -         -     -     -         allow     resource
    user       own  account         -         -     -     -         implicit  identity
    user       own  number          -         -     -     -         implicit  identity
    user       own  account         yes       -     -     -         allow     identity
    user       own  number          yes       -     -     -         allow     identity
    user       own  stranger        -         -     -     -         implicit  identity
    user       own  stranger        yes       -     -     -         allow     identity
    user       own  service         -         -     -     -         implicit  identity
    user       own  self-no         -         -     -     -         implicit  identity
    user       own  self-deny       yes       -     -     -         explicit  resource
    user       own  account-deny    yes       -     -     -         explicit  resource
    user       own  all-deny        yes       -     -     -         explicit  resource
    user       own  stranger-deny   yes       -     -     -         allow     identity
    user       own  self+all-deny   yes       -     -     -         explicit  resource
    user       own  account+self    -         -     -     -         allow     resource
    role       own  -               -         -     -     -         implicit  identity
    role       own  -               yes       -     -     -         allow     identity
    role       own  -               deny      -     -     -         explicit  identity
    role       own  self            -         -     -     -         allow     resource
    role       own  holder          -         -     -     -         allow     resource
    role       own  all             -         -     -     -         allow     resource
    role       own  account         -         -     -     -         implicit  identity
    role       own  account         yes       -     -     -         allow     identity
    role       own  holder-deny     yes       -     -     -         explicit  resource
    role       own  self-deny       yes       -     -     -         explicit  resource
    role       own  account-deny    yes       -     -     -         explicit  resource
    federated  own  -               yes       -     yes   -         allow     identity
    federated  own  -               -         -     yes   -         implicit  identity
    federated  own  self            -         -     no    -         allow     resource
    federated  own  holder          -         -     yes   -         allow     resource
    federated  own  holder          -         -     no    -         implicit  session
    federated  own  all             -         -     no    -         allow     resource
    federated  own  account         -         -     yes   -         implicit  identity
    rootfed    own  -               -         -     yes   -         allow     root
    rootfed    own  -               -         -     no    -         implicit  session
    rootfed    own  -               -         -     deny  -         explicit  session
    root       own  -               -         -     -     -         allow     root
    root       own  stranger        -         -     -     -         allow     root
    root       own  account         -         -     -     -         allow     root
    root       own  account-deny    -         -     -     -         explicit  resource
    root       own  all-deny        -         -     -     -         explicit  resource
    root       own  stranger-deny   -         -     -     -         allow     root
    service    own  -               -         -     -     -         implicit  resource
    service    own  service         -         -     -     -         allow     resource
    service    own  all             -         -     -     -         allow     resource
    service    own  account         -         -     -     -         implicit  resource
    service    own  service+all-deny -        -     -     -         explicit  resource
    nobody     own  -               -         -     -     -         implicit  resource
    nobody     own  all             -         -     -     -         allow     resource
    nobody     own  stranger        -         -     -     -         implicit  resource
    nobody     own  service         -         -     -     -         implicit  resource
    nobody     own  all+all-deny    -         -     -     -         explicit  resource
    token      own  google          -         -     -     -         allow     resource
    token      own  all             -         -     -     -         allow     resource
    token      own  service         -         -     -     -         implicit  resource
  `;
  for (const line of lines.trim().split("\n")) run(line);
});

describe("with a permissions boundary: it limits what identities' policies and grants to a role give, not what names the caller itself", () => {
  const lines = `
    user       own  -               yes       yes   -     -         allow     identity
    user       own  -               yes       no    -     -         implicit  boundary
    user       own  -               yes       deny  -     -         explicit  boundary
    user       own  -               -         yes   -     -         implicit  identity
    user       own  -               -         no    -     -         implicit  identity
    user       own  -               full      full  -     -         allow     identity
    user       own  self            -         no    -     -         allow     resource
    user       own  self            yes       no    -     -         allow     resource
    user       own  self            -         deny  -     -         explicit  boundary
    user       own  all             -         no    -     -         allow     resource
    user       own  account         yes       no    -     -         implicit  boundary
    user       own  account         yes       yes   -     -         allow     identity
    role       own  -               yes       no    -     -         implicit  boundary
    role       own  self            -         no    -     -         allow     resource
    role       own  holder          -         no    -     -         implicit  boundary
    role       own  holder          -         yes   -     -         allow     resource
    role       own  holder          yes       no    -     -         implicit  boundary
    role       own  all             -         no    -     -         allow     resource
    role       own  self            -         deny  -     -         explicit  boundary
    federated  own  holder          -         no    yes   -         implicit  boundary
    federated  own  self            -         no    no    -         allow     resource
    federated  own  -               yes       yes   yes   -         allow     identity
    federated  own  -               yes       no    yes   -         implicit  boundary
    user       else self            yes       no    -     -         implicit  boundary
    user       else self            yes       yes   -     -         allow     identity
  `;
  for (const line of lines.trim().split("\n")) run(line);
});

describe("with session policies", () => {
  const lines = `
    role       own  -               yes       -     yes   -         allow     identity
    role       own  -               yes       -     no    -         implicit  session
    role       own  -               yes       -     deny  -         explicit  session
    role       own  -               yes       -     no+yes -        allow     identity
    role       own  -               yes       -     full+deny -     explicit  session
    role       own  -               -         -     yes   -         implicit  identity
    role       own  self            -         -     no    -         allow     resource
    role       own  self            -         -     deny  -         explicit  session
    role       own  holder          -         -     no    -         implicit  session
    role       own  holder          -         -     yes   -         allow     resource
    role       own  all             -         -     no    -         allow     resource
    role       own  account         yes       -     no    -         implicit  session
    role       own  -               yes       yes   yes   -         allow     identity
    role       own  -               yes       no    no    -         implicit  boundary
    role       own  -               yes       yes   no    -         implicit  session
    role       own  holder          -         yes   yes   -         allow     resource
    role       own  holder          -         yes   no    -         implicit  session
    federated  own  -               yes       -     no    -         implicit  session
    federated  own  -               deny      -     yes   -         explicit  identity
  `;
  for (const line of lines.trim().split("\n")) run(line);
});

describe("across accounts both sides must allow", () => {
  const lines = `
    user       else -               -         -     -     -         implicit  identity
    user       else -               yes       -     -     -         implicit  resource
    user       else self            -         -     -     -         implicit  identity
    user       else self            yes       -     -     -         allow     identity
    user       else account         -         -     -     -         implicit  identity
    user       else account         yes       -     -     -         allow     identity
    user       else number          yes       -     -     -         allow     identity
    user       else all             -         -     -     -         implicit  identity
    user       else all             yes       -     -     -         allow     identity
    user       else stranger        yes       -     -     -         implicit  resource
    user       else self-no         yes       -     -     -         implicit  resource
    user       else self            deny      -     -     -         explicit  identity
    user       else self-deny       yes       -     -     -         explicit  resource
    user       else account-deny    yes       -     -     -         explicit  resource
    role       else self            yes       -     -     -         allow     identity
    role       else holder          yes       -     -     -         allow     identity
    role       else holder          -         -     -     -         implicit  identity
    role       else self            -         -     -     -         implicit  identity
    role       else holder          yes       -     no    -         implicit  session
    role       else self            yes       -     no    -         implicit  session
    role       else holder          yes       no    -     -         implicit  boundary
    role       else -               yes       -     -     -         implicit  resource
    federated  else self            yes       -     yes   -         allow     identity
    federated  else holder          yes       -     yes   -         allow     identity
    federated  else self            -         -     yes   -         implicit  identity
    federated  else self            yes       -     no    -         implicit  session
    rootfed    else -               -         -     yes   -         implicit  resource
    rootfed    else self            -         -     yes   -         allow     root
    root       else -               -         -     -     -         implicit  resource
    root       else account         -         -     -     -         allow     root
    root       else self            -         -     -     -         allow     root
    root       else all             -         -     -     -         allow     root
    root       else stranger        -         -     -     -         implicit  resource
    root       else account+all-deny -        -     -     -         explicit  resource
    service    else service         -         -     -     -         allow     resource
    service    else -               -         -     -     -         implicit  resource
    nobody     else all             -         -     -     -         allow     resource
    nobody     else -               -         -     -     -         implicit  resource
  `;
  for (const line of lines.trim().split("\n")) run(line);
});

describe("service control policies: every level must allow, for root too, and they give nothing", () => {
  const lines = `
    user       own  -               -         -     -     full      implicit  identity
    user       own  -               yes       -     -     full      allow     identity
    user       own  -               yes       -     -     full+yes  allow     identity
    user       own  -               yes       -     -     no        implicit  control
    user       own  -               yes       -     -     full+no   implicit  control
    user       own  -               yes       -     -     no+full   implicit  control
    user       own  -               yes       -     -     full+no+full implicit control
    user       own  -               yes       -     -     full+full+full allow identity
    user       own  -               yes       -     -     deny      explicit  control
    user       own  -               yes       -     -     full+deny explicit  control
    user       own  -               deny      -     -     full+deny explicit  control
    user       own  -               yes       deny  -     no        explicit  boundary
    user       own  self            -         -     -     no        implicit  control
    user       own  self            -         -     -     full      allow     resource
    user       own  self            -         -     -     full+deny explicit  control
    user       own  -               yes       no    -     full      implicit  boundary
    user       own  -               yes       no    -     no        implicit  control
    user       else self            yes       -     -     full      allow     identity
    user       else self            yes       -     -     no        implicit  control
    user       else -               yes       -     -     no        implicit  control
    role       own  -               yes       -     yes   full      allow     identity
    role       own  -               yes       -     -     no        implicit  control
    role       own  self            -         -     -     no        implicit  control
    role       own  -               yes       -     no    no        implicit  control
    linked     own  -               yes       -     -     no        allow     identity
    linked     own  -               yes       -     -     full+deny allow     identity
    linked     own  -               -         -     -     full      implicit  identity
    federated  own  -               yes       -     yes   no        implicit  control
    federated  own  self            -         -     -     full+deny explicit  control
    rootfed    own  -               -         -     yes   no        implicit  control
    root       own  -               -         -     -     full      allow     root
    root       own  -               -         -     -     no        implicit  control
    root       own  -               -         -     -     full+deny explicit  control
    root       else account         -         -     -     no        implicit  control
    root       else account         -         -     -     full      allow     root
    service    own  service         -         -     -     no        allow     resource
    service    own  service         -         -     -     deny      allow     resource
    nobody     own  all             -         -     -     deny      allow     resource
    token      own  google          -         -     -     no        allow     resource
  `;
  for (const line of lines.trim().split("\n")) run(line);
});

describe("a role's trust policy must allow, and in its own account suffices where it names more than the account", () => {
  const lines = `
    user       own  -               yes       -     -     -         implicit  trust
    user       own  -               full      -     -     -         implicit  trust
    user       own  stranger        full      -     -     -         implicit  trust
    user       own  self            -         -     -     -         allow     trust
    user       own  self            deny      -     -     -         explicit  identity
    user       own  self            -         no    -     -         allow     trust
    user       own  account         -         -     -     -         implicit  identity
    user       own  number          -         -     -     -         implicit  identity
    user       own  account         yes       -     -     -         allow     identity
    user       own  account         yes       no    -     -         implicit  boundary
    user       own  all             -         -     -     -         allow     trust
    user       own  self-deny       full      -     -     -         explicit  trust
    user       own  self            -         -     -     no        implicit  control
    user       else self            -         -     -     -         implicit  identity
    user       else self            yes       -     -     -         allow     identity
    user       else account         yes       -     -     -         allow     identity
    user       else account         -         -     -     -         implicit  identity
    user       else -               yes       -     -     -         implicit  trust
    user       else stranger        yes       -     -     -         implicit  trust
    role       own  holder          -         -     -     -         allow     trust
    role       own  self            -         -     -     -         allow     trust
    role       own  holder          -         -     no    -         implicit  session
    role       own  account         -         -     -     -         implicit  identity
    role       own  account         yes       -     -     -         allow     identity
    role       else holder          yes       -     -     -         allow     identity
    role       else holder          -         -     -     -         implicit  identity
    root       own  -               -         -     -     -         implicit  trust
    root       own  account         -         -     -     -         allow     root
    root       else account         -         -     -     -         allow     root
    service    own  service         -         -     -     -         allow     trust
    service    own  account         -         -     -     -         implicit  trust
    service    own  -               -         -     -     -         implicit  trust
    service    own  service+all-deny -        -     -     -         explicit  trust
    token      own  google          -         -     -     -         allow     trust
    token      own  account         -         -     -     -         implicit  trust
    token      own  service         -         -     -     -         implicit  trust
    token      own  google+all-deny -         -     -     -         explicit  trust
    nobody     own  account         -         -     -     -         implicit  trust
    federated  own  account         yes       -     yes   -         allow     identity
    federated  own  account         yes       -     no    -         implicit  session
  `;
  for (const line of lines.trim().split("\n")) run(line, { trust: true });
});
