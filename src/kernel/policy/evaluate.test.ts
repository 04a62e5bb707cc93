// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written so
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Caller, denial, evaluate, type Question } from "./evaluate.ts";
import { type PolicyText, policySet } from "./policy-set.ts";

const ACCOUNT = "111111111111";
const ALICE: Caller = { kind: "user", account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:user/alice`, id: "AIDAALICE" };
const SESSION: Caller = {
  kind: "session",
  account: ACCOUNT,
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/reader/one`,
  roleArn: `arn:aws:iam::${ACCOUNT}:role/reader`,
  id: "AROAREADER:one",
};
const ROOT: Caller = { kind: "root", account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root` };
const S3: Caller = { kind: "service", account: ACCOUNT, service: "s3.amazonaws.com" };
const NOBODY: Caller = { kind: "anonymous" };
const OBJECT = "arn:aws:s3:::photos/cats/one.jpg";

type Json = Record<string, unknown>;
const policy = (...statements: Json[]): PolicyText => ({
  name: "p",
  document: JSON.stringify({ Version: "2012-10-17", Statement: statements }),
});
const allow = (more: Json = {}): Json => ({ Effect: "Allow", Action: "s3:GetObject", Resource: "*", ...more });
const deny = (more: Json = {}): Json => allow({ ...more, Effect: "Deny" });
interface Asked
  extends Partial<Omit<Question, "identityPolicies" | "resourcePolicy" | "sessionPolicies" | "boundary" | "controls">> {
  values?: Record<string, string | string[]>;
  identityPolicies?: PolicyText[];
  resourcePolicy?: PolicyText;
  sessionPolicies?: PolicyText[];
  boundary?: PolicyText;
}
const ask = (more: Asked = {}) => {
  const { values = {}, identityPolicies = [], resourcePolicy, sessionPolicies, boundary, ...rest } = more;
  const keys = new Map(Object.entries(values).map(([name, value]) => [name.toLowerCase(), [value].flat()]));
  const resourceKind = rest.trust ? "role trust policy" : "resource-based policy";
  return evaluate({
    caller: ALICE,
    action: "s3:GetObject",
    resource: OBJECT,
    keys,
    identityPolicies: policySet("identity-based policy", identityPolicies),
    sameAccount: true,
    ...(resourcePolicy && { resourcePolicy: policySet(resourceKind, [resourcePolicy]) }),
    ...(sessionPolicies && { sessionPolicies: policySet("session policy", sessionPolicies) }),
    ...(boundary && { boundary: policySet("permissions boundary", [boundary]) }),
    ...rest,
  });
};
const can = (statement: Json, more: Asked = {}) => ask({ identityPolicies: [policy(statement)], ...more }).allowed;

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
  ];
  const values = { "aws:username": "cats", evil: "*" };
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
  });

  test("a variable's value holds no wildcards, and Version 2008-10-17 no variables", () => {
    assert.equal(can(allow({ Resource: "arn:aws:s3:::${v}" }), { values: { v: "*" } }), false);
    const old = { name: "p", document: JSON.stringify({ Statement: [allow({ Resource: "arn:aws:s3:::${v}/*" })] }) };
    assert.equal(ask({ identityPolicies: [old], values: { v: "photos" } }).allowed, false);
  });

  test("a hostile pattern costs no exponential time", () => {
    assert.equal(can(allow({ Resource: `${"*a".repeat(50)}b` }), { resource: "a".repeat(5000) }), false);
  });
});

describe("conditions", () => {
  const values = {
    "aws:SourceIp": "10.1.2.3",
    "aws:username": "alice",
    "aws:CurrentTime": "2026-11-22T12:00:00Z",
    "aws:EpochTime": "1795348800",
    "aws:SecureTransport": "false",
    "aws:SourceArn": "arn:aws:sns:us-east-1:111111111111:topic:x",
    "aws:TagKeys": ["a", "b"],
    "s3:max-keys": "10",
    six: "2001:db8::1",
    mapped: "::ffff:10.1.2.3",
    none: [],
  };
  const cases: [string, string, unknown, boolean][] = [
    ["StringEquals", "aws:username", "alice", true],
    ["stringequals", "AWS:UserName", "alice", true],
    ["StringEquals", "aws:username", "Alice", false],
    ["StringEquals", "aws:username", ["bob", "alice"], true],
    ["StringEquals", "missing", "x", false],
    ["StringEquals", "aws:username", "${aws:username}", true],
    ["StringEquals", "aws:username", "a*", false],
    ["StringEqualsIfExists", "missing", "x", true],
    ["StringEqualsIfExists", "aws:username", "bob", false],
    ["StringNotEquals", "aws:username", "bob", true],
    ["StringNotEquals", "aws:username", ["bob", "alice"], false],
    ["StringNotEquals", "missing", "x", true],
    ["StringNotEquals", "aws:username", "${missing}", false],
    ["StringEqualsIgnoreCase", "aws:username", "ALICE", true],
    ["StringNotEqualsIgnoreCase", "aws:username", "ALICE", false],
    ["StringLike", "aws:username", "a*e", true],
    ["StringLike", "aws:username", "?lice", true],
    ["StringLike", "aws:username", "A*", false],
    ["StringNotLike", "aws:username", "a*", false],
    ["NumericEquals", "s3:max-keys", "10.0", true],
    ["NumericNotEquals", "s3:max-keys", "10", false],
    ["NumericLessThan", "s3:max-keys", "10", false],
    ["NumericLessThanEquals", "s3:max-keys", 10, true],
    ["NumericGreaterThan", "s3:max-keys", "9", true],
    ["NumericGreaterThanEquals", "s3:max-keys", "11", false],
    ["NumericEquals", "aws:username", "10", false],
    ["DateLessThan", "aws:CurrentTime", "2026-11-22T12:00:01Z", true],
    ["DateGreaterThan", "aws:CurrentTime", "2026-11-22T12:00:00Z", false],
    ["DateGreaterThanEquals", "aws:EpochTime", "2026-11-22T12:00:00Z", true],
    ["DateEquals", "aws:CurrentTime", "1795348800", true],
    ["DateNotEquals", "aws:CurrentTime", "2026-11-22T12:00:00Z", false],
    ["Bool", "aws:SecureTransport", "false", true],
    ["Bool", "aws:SecureTransport", false, true],
    ["Bool", "aws:SecureTransport", "true", false],
    ["Bool", "missing", "false", false],
    ["BinaryEquals", "aws:username", "alice", true],
    ["IpAddress", "aws:SourceIp", "10.1.0.0/16", true],
    ["IpAddress", "aws:SourceIp", "10.1.2.3", true],
    ["IpAddress", "aws:SourceIp", ["192.168.0.0/16", "10.2.0.0/16"], false],
    ["IpAddress", "mapped", "10.0.0.0/8", true],
    ["IpAddress", "six", "2001:db8::/32", true],
    ["IpAddress", "six", "10.0.0.0/8", false],
    ["IpAddress", "aws:SourceIp", "10.0.0.0/99", false],
    ["IpAddress", "aws:SourceIp", "nonsense", false],
    ["NotIpAddress", "aws:SourceIp", "10.1.0.0/16", false],
    ["NotIpAddress", "missing", "10.1.0.0/16", true],
    ["ArnLike", "aws:SourceArn", "arn:aws:sns:*:111111111111:topic:*", true],
    ["ArnEquals", "aws:SourceArn", "arn:aws:sns:*:*:topic*", true],
    ["ArnLike", "aws:SourceArn", "arn:aws:*", false],
    ["ArnNotLike", "aws:SourceArn", "arn:aws:sqs:*:*:*", true],
    ["ArnNotEquals", "aws:SourceArn", "arn:aws:sns:us-east-1:111111111111:topic:x", false],
    ["ArnLike", "aws:username", "*", false],
    ["Null", "missing", "true", true],
    ["Null", "missing", "false", false],
    ["Null", "aws:username", "false", true],
    ["Null", "none", true, true],
    ["ForAllValues:StringEquals", "aws:TagKeys", ["a", "b", "c"], true],
    ["ForAllValues:StringEquals", "aws:TagKeys", ["a"], false],
    ["ForAllValues:StringEquals", "missing", ["a"], true],
    ["ForAllValues:StringNotEquals", "aws:TagKeys", ["c"], true],
    ["ForAllValues:StringNotEquals", "aws:TagKeys", ["a"], false],
    ["ForAnyValue:StringEquals", "aws:TagKeys", ["b", "x"], true],
    ["ForAnyValue:StringEquals", "aws:TagKeys", ["x"], false],
    ["ForAnyValue:StringEquals", "missing", ["a"], false],
    ["ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], true],
    ["ForAnyValue:StringNotEquals", "aws:TagKeys", ["a", "b"], false],
    ["ForAnyValue:StringNotEquals", "missing", ["a"], false],
    ["ForAllValues:StringLikeIfExists", "aws:TagKeys", ["?"], true],
  ];
  for (const [operator, key, wanted, expected] of cases)
    test(`${operator} ${key} ${JSON.stringify(wanted)} ${expected ? "holds" : "does not hold"}`, () =>
      assert.equal(can(allow({ Condition: { [operator]: { [key]: wanted } } }), { values }), expected));

  test("all operators and all keys must hold", () => {
    const both = (user: string, keys: string) =>
      can(allow({ Condition: { StringEquals: { "aws:username": user }, NumericEquals: { "s3:max-keys": keys } } }), {
        values,
      });
    assert.deepEqual([both("alice", "10"), both("alice", "9"), both("bob", "10")], [true, false, false]);
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
    ["all but another", { NotPrincipal: { AWS: "222222222222" } }, ALICE, true],
    ["all but the user", { NotPrincipal: { AWS: ALICE.arn } }, ALICE, false],
  ];
  for (const [name, principal, caller, expected] of cases)
    test(`${name}: ${expected ? "allowed" : "not allowed"}`, () =>
      assert.equal(ask({ caller, resourcePolicy: policy(allow(principal)) }).allowed, expected));
});

describe("the decision", () => {
  const mine = policy(allow());
  const forMe = policy(allow({ Principal: { AWS: ALICE.arn } }));
  const forUs = policy(allow({ Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` } }));
  const forRole = policy(allow({ Principal: { AWS: SESSION.roleArn } }));
  const forSession = policy(allow({ Principal: { AWS: SESSION.arn } }));
  const no = policy(deny());
  const noneAtAll = policy(deny({ Principal: "*" }));
  const other = policy(allow({ Action: "s3:PutObject" }));
  const apart = { sameAccount: false };
  const cases: [string, Asked, boolean, string][] = [
    ["nothing says Allow", {}, false, "identity-based policy"],
    ["the identity's policy allows", { identityPolicies: [mine] }, true, "identity-based policy"],
    ["one of several allows", { identityPolicies: [other, mine] }, true, "identity-based policy"],
    ["another denies", { identityPolicies: [mine, no] }, false, "identity-based policy"],
    ["the resource's denies", { identityPolicies: [mine], resourcePolicy: noneAtAll }, false, "resource-based policy"],
    ["the resource's allows the user", { resourcePolicy: forMe }, true, "resource-based policy"],
    ["the resource's allows the account", { resourcePolicy: forUs }, false, "identity-based policy"],
    ["both allow", { identityPolicies: [mine], resourcePolicy: forUs }, true, "identity-based policy"],
    ["apart, only the identity's allows", { ...apart, identityPolicies: [mine] }, false, "resource-based policy"],
    ["apart, only the resource's allows", { ...apart, resourcePolicy: forMe }, false, "identity-based policy"],
    ["apart, both allow", { ...apart, identityPolicies: [mine], resourcePolicy: forUs }, true, "identity-based policy"],
    ["a boundary does not allow", { identityPolicies: [mine], boundary: other }, false, "permissions boundary"],
    ["a boundary denies", { identityPolicies: [mine], boundary: no }, false, "permissions boundary"],
    ["a boundary alone allows", { boundary: mine }, false, "identity-based policy"],
    [
      "a boundary does not limit a grant to the user",
      { boundary: other, resourcePolicy: forMe },
      true,
      "resource-based policy",
    ],
    [
      "a session policy does not allow",
      { identityPolicies: [mine], sessionPolicies: [other] },
      false,
      "session policy",
    ],
    [
      "a session policy allows too",
      { identityPolicies: [mine], sessionPolicies: [mine] },
      true,
      "identity-based policy",
    ],
    [
      "a session policy limits a grant to the role",
      { caller: SESSION, sessionPolicies: [other], resourcePolicy: forRole },
      false,
      "session policy",
    ],
    [
      "but not one to the session",
      { caller: SESSION, sessionPolicies: [other], resourcePolicy: forSession },
      true,
      "resource-based policy",
    ],
    ["root", { caller: ROOT }, true, "root"],
    ["root, denied by the resource's", { caller: ROOT, resourcePolicy: noneAtAll }, false, "resource-based policy"],
    ["root, apart", { ...apart, caller: ROOT }, false, "resource-based policy"],
    ["root, apart, allowed by the resource's", { ...apart, caller: ROOT, resourcePolicy: forUs }, true, "root"],
    ["nobody", { caller: NOBODY }, false, "resource-based policy"],
    ["a service without a policy that names it", { caller: S3, resourcePolicy: forMe }, false, "resource-based policy"],
    ["a trust policy is missing", { trust: true, identityPolicies: [mine] }, false, "role trust policy"],
    ["a trust policy names the user", { trust: true, resourcePolicy: forMe }, true, "role trust policy"],
    ["a trust policy names the account", { trust: true, resourcePolicy: forUs }, false, "identity-based policy"],
    [
      "a trust policy names the account, and the identity may",
      { trust: true, resourcePolicy: forUs, identityPolicies: [mine] },
      true,
      "identity-based policy",
    ],
  ];
  for (const [name, question, allowed, by] of cases)
    test(`${name}: ${allowed ? "allowed" : "denied"} by ${by}`, () => {
      const decision = ask(question);
      assert.deepEqual([decision.allowed, decision.by], [allowed, by]);
    });

  test("a policy that cannot be read denies", () => {
    for (const document of [
      "{",
      '{"Statement":[{"Effect":"Maybe","Action":"*"}]}',
      '{"Statement":[{"Effect":"Allow","Action":"*","Condition":{"X":{}}}]}',
    ]) {
      const decision = ask({ identityPolicies: [mine, { name: "broken", document }] });
      assert.deepEqual([decision.allowed, decision.explicit], [false, true], document);
    }
  });

  test("the trace says of each statement that names the action whether it applied, and what kept it from it", () => {
    const { trace, line } = ask({
      identityPolicies: [
        policy(
          allow({ Sid: "Elsewhere", Resource: "arn:aws:s3:::other/*" }),
          allow({ Sid: "AtNight", Condition: { StringEquals: { "aws:SourceArn": "x" } } }),
          allow({ Action: "s3:PutObject" }),
          allow(),
        ),
      ],
    });
    assert.deepEqual(
      trace.map(({ statement, applies, missed }) => [statement, applies, missed]),
      [
        ["Elsewhere", false, "resource"],
        ["AtNight", false, "StringEquals aws:SourceArn"],
        ["4", true, undefined],
      ],
    );
    assert.equal(line?.statement, "4");
  });

  test("a denial is told in AWS's sentence", () => {
    const about = { who: ALICE.arn!, action: "s3:GetObject", resource: OBJECT, quoted: true };
    assert.equal(
      denial(ask(), about),
      `User: ${ALICE.arn} is not authorized to perform: s3:GetObject on resource: "${OBJECT}" because no identity-based policy allows the s3:GetObject action`,
    );
    assert.equal(
      denial(ask({ resourcePolicy: noneAtAll }), { ...about, quoted: false }),
      `User: ${ALICE.arn} is not authorized to perform: s3:GetObject on resource: ${OBJECT} with an explicit deny in a resource-based policy`,
    );
    assert.match(denial(ask({ identityPolicies: [no] }), about), / with an explicit deny in an identity-based policy$/);
    assert.match(denial(ask({ trust: true }), about), / because no role trust policy allows the s3:GetObject action$/);
  });
});

describe("for any policies", () => {
  const action = fc.constantFrom("s3:GetObject", "s3:*", "sqs:*", "*", "s3:PutObject");
  const resource = fc.constantFrom("*", OBJECT, "arn:aws:s3:::photos/*", "arn:aws:s3:::x");
  const effect = fc.constantFrom("Allow", "Deny");
  const statement = fc.record({ Effect: effect, Action: action, Resource: resource });
  const policies = fc.array(fc.array(statement, { minLength: 1, maxLength: 3 }), { maxLength: 3 });
  const decide = (all: Json[][]) => ask({ identityPolicies: all.map((one) => policy(...one)) }).allowed;
  const options = { numRuns: 200 };

  test("a further Deny never allows, a further Allow never denies, and the order is nothing", () => {
    fc.assert(
      fc.property(policies, statement, (all, more) => {
        const before = decide(all);
        if (decide([...all, [{ ...more, Effect: "Deny" }]])) assert.ok(before);
        if (before) assert.ok(decide([...all, [{ ...more, Effect: "Allow" }]]));
        assert.equal(decide([...all].reverse()), before);
      }),
      options,
    );
  });

  test("a wildcard pattern answers as the regular expression it stands for", () => {
    const letters = fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 8 }).map((all) => all.join(""));
    const subject = fc.array(fc.constantFrom("a", "b"), { maxLength: 8 }).map((all) => all.join(""));
    fc.assert(
      fc.property(letters, subject, (pattern, text) => {
        const expected = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`).test(text);
        assert.equal(can(allow({ Resource: pattern }), { resource: text }), expected);
      }),
      options,
    );
  });
});
