import assert from "node:assert/strict";
import { test } from "node:test";
import { ALICE, allow, ask, deny, OBJECT, OTHER, policy } from "./decisions.fixture.ts";
import { denial } from "./evaluate.ts";

const mine = policy(allow());
const no = policy(deny());
const about = { who: ALICE.arn!, action: "s3:GetObject", resource: OBJECT, quoted: true };

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
  const elsewhere = allow({ Sid: "Elsewhere", Resource: "arn:aws:s3:::other/*" });
  const atNight = allow({ Sid: "AtNight", Condition: { StringEquals: { "aws:UserAgent": ["x", "y"] } } });
  const { trace, applying, line } = ask({
    identityPolicies: [policy(elsewhere, atNight, allow({ Action: "s3:PutObject" }), allow())],
    resourcePolicy: policy(
      allow({ Principal: { AWS: OTHER } }),
      deny({ Principal: "*", Resource: undefined, NotResource: OBJECT }),
    ),
    boundary: policy(allow({ Action: "s3:Get*", Condition: { Bool: { "x:y": "true" } } })),
    values: { "aws:useragent": "cli" },
  });
  assert.deepEqual(
    trace.map(({ kind, statement, missed, wanted, actual }) => [kind, statement, missed, wanted, actual]),
    [
      ["identity-based policy", "Elsewhere", "resource", ["arn:aws:s3:::other/*"], [OBJECT]],
      ["identity-based policy", "AtNight", "StringEquals aws:UserAgent", ["x", "y"], ["cli"]],
      ["identity-based policy", "4", undefined, undefined, undefined],
      ["resource-based policy", "1", "principal", [`AWS: ${OTHER}`], [ALICE.arn]],
      ["resource-based policy", "2", "not resource", [OBJECT], [OBJECT]],
      ["permissions boundary", "1", "Bool x:y", ["true"], []],
    ],
  );
  assert.deepEqual(
    applying.map(({ statement }) => statement),
    ["4"],
  );
  assert.equal(line, undefined);
});

test("the statement that decided is one of the trace, with its place in the text", () => {
  const document = `{
  "Version": "2012-10-17", "Id": "a \\"quoted\\" {name}",
  "Statement": [
    { "Sid": "No", "Effect": "Deny", "Action": [ ], "Resource": "*" },

    {
      "Sid": "Yes", "Effect": "Allow", "Action": "s3:*", "Resource": [ "*" ], "Condition": { }
    }
  ]
}`;
  const decision = ask({
    identityPolicies: [
      { name: "first", document: mine.document.replace("Get", "Put") },
      { name: "second", document },
    ],
  });
  const { line, trace, applying } = decision;
  assert.deepEqual([line!.policy, line!.statement, line!.at], ["second", "Yes", 6]);
  assert.ok(trace.includes(line!) && applying.includes(line!));
  assert.equal(
    ask({ identityPolicies: [{ name: "one", document: '{"Statement":{"Effect":"Deny","Action":"*"}}' }] }).line!.at,
    1,
  );
  assert.equal(ask({ identityPolicies: [{ name: "broken", document: "{" }] }).line!.at, undefined);
});

test("of two policies with the same text each has its line", () => {
  const { trace } = ask({
    identityPolicies: [
      { ...mine, name: "a" },
      { ...mine, name: "b" },
    ],
  });
  assert.deepEqual(
    trace.map((one) => one.policy),
    ["a", "b"],
  );
});

const implicit = (kind: string) => `because no ${kind} allows the s3:GetObject action`;
const none = policy(allow({ Action: "s3:PutObject" }));
const SENTENCES: [string, Parameters<typeof ask>[0], string][] = [
  ["no identity's policy allows", {}, implicit("identity-based policy")],
  ["no resource's policy allows", { identityPolicies: [mine], sameAccount: false }, implicit("resource-based policy")],
  ["no trust policy allows", { trust: true }, implicit("role trust policy")],
  ["no boundary allows", { identityPolicies: [mine], boundary: none }, implicit("permissions boundary")],
  ["no session policy allows", { identityPolicies: [mine], sessionPolicies: [none] }, implicit("session policy")],
  ["no control policy allows", { identityPolicies: [mine], controls: [[none]] }, implicit("service control policy")],
  ["an identity's policy denies", { identityPolicies: [no] }, "with an explicit deny in an identity-based policy"],
  [
    "a resource's policy denies",
    { resourcePolicy: policy(deny({ Principal: "*" })) },
    "with an explicit deny in a resource-based policy",
  ],
  [
    "a trust policy denies",
    { trust: true, resourcePolicy: policy(deny({ Principal: "*" })) },
    "with an explicit deny in the role trust policy",
  ],
  ["a boundary denies", { boundary: no }, "with an explicit deny in a permissions boundary"],
  ["a session policy denies", { sessionPolicies: [no] }, "with an explicit deny in a session policy"],
  ["a control policy denies", { controls: [[mine], [no]] }, "with an explicit deny in a service control policy"],
  [
    "a policy denies that has an ARN",
    { identityPolicies: [{ ...no, name: "arn:aws:iam::111111111111:policy/no" }] },
    "with an explicit deny in an identity-based policy: arn:aws:iam::111111111111:policy/no",
  ],
];
for (const [name, asked, sentence] of SENTENCES)
  test(`AWS's sentence where ${name}`, () => {
    const head = `User: ${ALICE.arn} is not authorized to perform: s3:GetObject on resource:`;
    assert.equal(denial(ask(asked), about), `${head} "${OBJECT}" ${sentence}`);
    assert.equal(denial(ask(asked), { ...about, quoted: false }), `${head} ${OBJECT} ${sentence}`);
  });
