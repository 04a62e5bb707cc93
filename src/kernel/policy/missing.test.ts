import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ACCOUNT,
  ALICE,
  type Asked,
  allow,
  deny,
  NOBODY,
  OBJECT,
  policy,
  question,
  ROOT,
  S3,
  SESSION,
  TOKEN,
} from "./decisions.fixture.ts";
import { evaluate } from "./evaluate.ts";
import { type Remedy, smallestPolicy } from "./missing.ts";

const remedies = (asked: Asked): Remedy[] => {
  const about = question(asked);
  return smallestPolicy(about, evaluate(about));
};
const told = (asked: Asked) =>
  remedies(asked).map((one) =>
    one.change === "add"
      ? [one.where, one.statement]
      : [one.where, `${one.line.policy} ${one.line.statement} line ${one.line.at}`],
  );

const small = { Effect: "Allow", Action: "s3:GetObject", Resource: OBJECT };
const mine = policy(allow());
const other = policy(allow({ Action: "s3:PutObject" }));

test("what was allowed misses nothing", () => assert.deepEqual(remedies({ identityPolicies: [mine] }), []));

test("a user misses the statement for this action on this resource", () =>
  assert.deepEqual(told({}), [["identity-based policy", small]]));

test("every limit that does not allow is named, and the level of a control policy", () => {
  const asked = { boundary: other, sessionPolicies: [other], controls: [[mine], [other]] };
  assert.deepEqual(
    told(asked).map(([where]) => where),
    ["service control policy", "identity-based policy", "permissions boundary", "session policy"],
  );
  const [first] = remedies(asked);
  assert.deepEqual(first, { change: "add", where: "service control policy", level: 1, statement: small });
});

test("a Deny must go before anything helps, wherever it stands", () => {
  const no = { name: "no", document: policy(allow({ Action: "x:y" }), deny({ Sid: "Never" })).document };
  assert.deepEqual(told({ identityPolicies: [mine, no] }), [["identity-based policy", "no Never line 1"]]);
  assert.deepEqual(told({ identityPolicies: [no] }), [
    ["identity-based policy", "no Never line 1"],
    ["identity-based policy", small],
  ]);
});

test("across accounts the resource's policy must name the caller: a session by its role", () => {
  assert.deepEqual(told({ sameAccount: false, caller: SESSION, identityPolicies: [mine] }), [
    [
      "resource-based policy",
      { Effect: "Allow", Principal: { AWS: SESSION.roleArn }, Action: "s3:GetObject", Resource: OBJECT },
    ],
  ]);
  assert.deepEqual(
    told({ sameAccount: false }).map(([where]) => where),
    ["resource-based policy", "identity-based policy"],
  );
  assert.deepEqual(
    told({ sameAccount: false, caller: ROOT }).map(([where]) => where),
    ["resource-based policy"],
  );
});

test("a trust policy has no resource, and what it grants to a user of its account is enough", () => {
  const asked = { trust: true, action: "sts:AssumeRole", resource: `arn:aws:iam::${ACCOUNT}:role/r` };
  assert.deepEqual(told(asked), [
    ["role trust policy", { Effect: "Allow", Principal: { AWS: ALICE.arn }, Action: "sts:AssumeRole" }],
  ]);
});

test("a service is trusted for the resource that it acts for, a token for what its provider says, and nobody for all", () => {
  const values = { "aws:SourceArn": "arn:aws:s3:::b", "aws:SourceAccount": ACCOUNT };
  const statement = { Effect: "Allow", Action: "s3:GetObject", Resource: OBJECT };
  assert.deepEqual(told({ caller: S3, values }), [
    [
      "resource-based policy",
      {
        ...statement,
        Principal: { Service: "s3.amazonaws.com" },
        Condition: { ArnLike: { "aws:SourceArn": "arn:aws:s3:::b" }, StringEquals: { "aws:SourceAccount": ACCOUNT } },
      },
    ],
  ]);
  assert.deepEqual(told({ caller: S3 }), [
    ["resource-based policy", { ...statement, Principal: { Service: "s3.amazonaws.com" } }],
  ]);
  assert.deepEqual(told({ caller: TOKEN, trust: true, values: { "accounts.google.com:aud": "me", "x:y": "z" } }), [
    [
      "role trust policy",
      {
        Effect: "Allow",
        Action: "s3:GetObject",
        Principal: { Federated: "accounts.google.com" },
        Condition: { StringEquals: { "accounts.google.com:aud": "me" } },
      },
    ],
  ]);
  assert.deepEqual(told({ caller: NOBODY }), [["resource-based policy", { ...statement, Principal: "*" }]]);
});
