// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written so
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ACCOUNT,
  ALICE,
  allow,
  ask,
  can,
  deny,
  FRED,
  type Json,
  NOBODY,
  OBJECT,
  OTHER,
  policy,
  ROOT,
  S3,
  SESSION,
  TOKEN,
} from "./decisions.fixture.ts";
import type { Caller } from "./evaluate.ts";

describe("actions and resources", () => {
  const actions: [unknown, boolean][] = [
    ["s3:GetObject", true],
    ["S3:getobject", true],
    ["s3:Get*", true],
    ["s3:*Object", true],
    ["s3:GetObjec?", true],
    ["s3:GetObject?", false],
    ["*", true],
    ["s3:*", true],
    ["sqs:*", false],
    [["sqs:*", "s3:GetObject"], true],
    [[], false],
    ["S3:GET*", true],
    ["s3:get?bject", true],
    ["s3:*ect", true],
    ["s3:*etO*", true],
    ["s3:Get", false],
    ["*:GetObject", true],
    ["s?:GetObject", true],
    ["s3:PutObject", false],
    // AWS has no variables in actions.
    ["s3:${action}", false],
  ];
  for (const [action, expected] of actions)
    test(`Action ${JSON.stringify(action)} ${expected ? "covers" : "does not cover"} s3:GetObject`, () =>
      assert.equal(can(allow({ Action: action })), expected));

  const resources: [unknown, boolean][] = [
    ["*", true],
    [OBJECT, true],
    ["arn:aws:s3:::photos/*", true],
    ["arn:aws:s3:::PHOTOS/*", false],
    ["arn:aws:s3:::photos", false],
    ["arn:aws:s3:::*/one.jpg", true],
    ["arn:aws:s3:::photos/c?ts/*", true],
    ["arn:aws:*:*:*:photos/*", true],
    [["arn:aws:s3:::a", "arn:aws:s3:::photos/*.jpg"], true],
    ["arn:aws:s3:::${aws:username}/*", false],
    ["arn:aws:s3:::photos/${aws:username}/*", true],
    ["arn:aws:s3:::photos/${aws:PrincipalTag/team, 'cats'}/*", true],
    ["arn:aws:s3:::photos/${aws:PrincipalTag/none}/*", false],
    ["arn:aws:s3:::photos/${*}/*", false],
    ["arn:aws:s3:::photos/${evil}", false],
    ["arn:aws:s3:::photos/cats/one.jpg?", false],
    ["arn:aws:s3:::photos/cats/one.jpg*", true],
    ["arn:aws:s3:::photos/*/*", true],
    ["arn:aws:s3:::photos/*/*/*", false],
    ["arn:aws:s3:::photo?/cats/*", true],
    ["arn:aws:s3:::photos/Cats/*", false],
    ["arn:aws:s3*", true],
    ["arn:*", true],
    ["arn:aws:s3:::photos/${AWS:UserName}/*", true],
    ["arn:aws:s3:::photos/${ aws:username }/*", true],
    ["arn:aws:s3:::photos/${aws:username, 'dogs'}/*", true],
    ["arn:aws:s3:::photos/${aws:PrincipalTag/team, 'dogs'}/*", false],
    ["arn:aws:s3:::photos/${several, 'cats'}/*", false],
    ["arn:aws:s3:::photos/${empty, 'cats'}/*", true],
    ["arn:aws:s3:::${evil}/cats/*", false],
    ["arn:aws:s3:::photos/${$}/*", false],
    ["arn:aws:s3:::photos/${?}ats/*", false],
    [["arn:aws:s3:::${none}/*", "arn:aws:s3:::photos/*"], true],
    ["arn:aws:s3:::${constructor}/*", false],
  ];
  const values = { "aws:username": "cats", evil: "*", several: ["cats", "dogs"], empty: [] };
  for (const [resource, expected] of resources)
    test(`Resource ${JSON.stringify(resource)} ${expected ? "covers" : "does not cover"} the object`, () =>
      assert.equal(can(allow({ Resource: resource }), { values }), expected));

  test("NotAction and NotResource cover all but what they name", () => {
    const { Action, ...noAction } = allow();
    assert.equal(can({ ...noAction, NotAction: "s3:Put*" }), true);
    assert.equal(can({ ...noAction, NotAction: Action }), false);
    const { Resource, ...noResource } = allow();
    assert.equal(can({ ...noResource, NotResource: "arn:aws:s3:::other/*" }), true);
    assert.equal(can({ ...noResource, NotResource: Resource }), false);
    assert.equal(can({ ...noResource, NotResource: ["arn:aws:s3:::other/*", OBJECT] }), false);
    assert.equal(can({ ...noAction, NotAction: ["iam:*", "sqs:*"] }), true);
    assert.equal(can({ ...noAction, NotAction: "*" }), false);
  });

  test("a variable's value holds no wildcards, and Version 2008-10-17 no variables", () => {
    assert.equal(can(allow({ Resource: "arn:aws:s3:::${v}" }), { values: { v: "*" } }), false);
    const old = { name: "p", document: JSON.stringify({ Statement: [allow({ Resource: "arn:aws:s3:::${v}/*" })] }) };
    assert.equal(ask({ identityPolicies: [old], values: { v: "photos" } }).allowed, false);
  });

  test("a NotResource whose variable has no value covers nothing, in an Allow and in a Deny", () => {
    const { Resource, ...rest } = allow({ NotResource: "arn:aws:s3:::${none}/*" });
    assert.equal(can(rest), false);
    assert.equal(ask({ identityPolicies: [policy(allow(), { ...rest, Effect: "Deny" })] }).allowed, true);
    assert.equal(
      ask({ identityPolicies: [policy(allow(), { ...rest, Effect: "Deny" })], values: { none: "x" } }).allowed,
      false,
    );
  });

  test("a hostile pattern costs no exponential time", () => {
    assert.equal(can(allow({ Resource: `${"*a".repeat(50)}b` }), { resource: "a".repeat(5000) }), false);
  });
});

describe("principals of a resource policy", () => {
  const cases: [string, Json, Caller, boolean][] = [
    ["everyone", { Principal: "*" }, NOBODY, true],
    ["everyone, as AWS", { Principal: { AWS: "*" } }, NOBODY, true],
    ["everyone, for a service", { Principal: "*" }, S3, true],
    ["the user", { Principal: { AWS: ALICE.arn } }, ALICE, true],
    ["the user by id", { Principal: { AWS: "AIDAALICE" } }, ALICE, true],
    ["another user", { Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/bob` } }, ALICE, false],
    ["a user, for nobody", { Principal: { AWS: ALICE.arn } }, NOBODY, false],
    ["the role", { Principal: { AWS: SESSION.roleArn } }, SESSION, true],
    ["the session", { Principal: { AWS: SESSION.arn } }, SESSION, true],
    ["another session", { Principal: { AWS: `${SESSION.arn}x` } }, SESSION, false],
    ["one of several", { Principal: { AWS: ["222222222222", ALICE.arn] } }, ALICE, true],
    // The account lets its own policies decide; alone it allows none of its users.
    ["the account", { Principal: { AWS: ACCOUNT } }, ALICE, false],
    ["the service", { Principal: { Service: "s3.amazonaws.com" } }, S3, true],
    ["another service", { Principal: { Service: ["sns.amazonaws.com"] } }, S3, false],
    ["a service, for a user", { Principal: { Service: "s3.amazonaws.com" } }, ALICE, false],
    ["an identity provider", { Principal: { Federated: "idp" } }, { ...SESSION, federated: "idp" }, true],
    ["a user of another account, for the account", { Principal: { AWS: OTHER } }, ALICE, false],
    ["another's user id", { Principal: { AWS: "AIDABOB" } }, ALICE, false],
    ["the user in other letters", { Principal: { AWS: ALICE.arn!.replace("alice", "Alice") } }, ALICE, false],
    ["a pattern of users", { Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/*` } }, ALICE, false],
    ["the user as a service", { Principal: { Service: ALICE.arn } }, ALICE, false],
    ["the role by id", { Principal: { AWS: "AROAREADER" } }, SESSION, true],
    ["the session by id", { Principal: { AWS: "AROAREADER:one" } }, SESSION, true],
    ["another role by id", { Principal: { AWS: "AROAREAD" } }, SESSION, false],
    ["a pattern of sessions", { Principal: { AWS: `arn:aws:sts::${ACCOUNT}:assumed-role/reader/*` } }, SESSION, false],
    ["the federated user", { Principal: { AWS: FRED.arn } }, FRED, true],
    ["who asked for the federated user", { Principal: { AWS: ALICE.arn } }, FRED, true],
    ["who asked for the federated user, by id", { Principal: { AWS: "AIDAALICE" } }, FRED, true],
    ["a federated user of another name", { Principal: { AWS: `${FRED.arn}y` } }, FRED, false],
    [
      "the canonical id of the account, for its root",
      { Principal: { CanonicalUser: "c1" } },
      { ...ROOT, canonicalId: "c1" },
      true,
    ],
    [
      "the canonical id of the account, for its user",
      { Principal: { CanonicalUser: "c1" } },
      { ...ALICE, canonicalId: "c1" },
      false,
    ],
    ["another canonical id", { Principal: { CanonicalUser: "c2" } }, { ...NOBODY, canonicalId: "c1" }, false],
    ["everyone, for a token", { Principal: "*" }, TOKEN, true],
    ["the token's provider", { Principal: { Federated: "accounts.google.com" } }, TOKEN, true],
    ["another provider", { Principal: { Federated: "www.amazon.com" } }, TOKEN, false],
    ["every provider", { Principal: { Federated: "*" } }, TOKEN, false],
    ["every service", { Principal: { Service: "*" } }, S3, false],
    ["the service's account", { Principal: { AWS: ACCOUNT } }, S3, false],
    ["of several kinds one", { Principal: { AWS: OTHER, Service: "s3.amazonaws.com" } }, S3, true],
    ["all but another", { NotPrincipal: { AWS: "222222222222" } }, ALICE, true],
    ["all but the user", { NotPrincipal: { AWS: ALICE.arn } }, ALICE, false],
  ];
  for (const [name, principal, caller, expected] of cases)
    test(`${name}: ${expected ? "allowed" : "not allowed"}`, () =>
      assert.equal(ask({ caller, resourcePolicy: policy(allow(principal)) }).allowed, expected));
});

describe("a Deny for all but some", () => {
  const root = `arn:aws:iam::${ACCOUNT}:root`;
  const cases: [string, string[], Caller, boolean][] = [
    ["the user and its account", [ALICE.arn!, root], ALICE, true],
    ["the user and its account's number", [ALICE.arn!, ACCOUNT], ALICE, true],
    ["the user by id, and its account", ["AIDAALICE", root], ALICE, true],
    ["the user without its account", [ALICE.arn!], ALICE, false],
    ["the account only", [root], ALICE, false],
    ["the account only, for its root", [root], ROOT, true],
    ["another user and the account", [`arn:aws:iam::${ACCOUNT}:user/bob`, root], ALICE, false],
    ["another account", [OTHER], ALICE, false],
    ["the session, its role and its account", [SESSION.arn!, SESSION.roleArn!, root], SESSION, true],
    ["the session and its account", [SESSION.arn!, root], SESSION, false],
    ["the role and its account", [SESSION.roleArn!, root], SESSION, false],
    ["the federated user and its account", [FRED.arn!, root], FRED, true],
    ["who asked for the federated user", [ALICE.arn!, root], FRED, false],
    ["everyone", ["*"], ALICE, true],
  ];
  const decide = (listed: string[], more: object) =>
    ask({
      identityPolicies: [policy(allow())],
      resourcePolicy: policy(deny({ NotPrincipal: { AWS: listed } })),
      ...more,
    });
  for (const [name, listed, caller, expected] of cases)
    test(`${name}: ${expected ? "is not denied" : "is denied"}`, () =>
      assert.equal(decide(listed, { caller }).allowed, expected));

  test("whoever has a permissions boundary is always denied", () => {
    const { allowed, by } = decide([ALICE.arn!, root], { boundary: policy(allow({ Action: "*" })) });
    assert.deepEqual([allowed, by], [false, "resource-based policy"]);
  });

  test("a service is let through by its name, nobody never", () => {
    const resourcePolicy = policy(allow({ Principal: "*" }), deny({ NotPrincipal: { Service: "s3.amazonaws.com" } }));
    assert.equal(ask({ caller: S3, resourcePolicy }).allowed, true);
    assert.equal(ask({ caller: NOBODY, resourcePolicy }).allowed, false);
    assert.equal(ask({ caller: { ...S3, service: "sns.amazonaws.com" }, resourcePolicy }).allowed, false);
  });
});
