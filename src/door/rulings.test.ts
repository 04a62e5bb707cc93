import assert from "node:assert/strict";
import { test } from "node:test";
import type { Question } from "../kernel/policy/evaluate.ts";
import { policySet } from "../kernel/policy/policy-set.ts";
import { rule } from "./rulings.ts";

const setOf = (effect: "Allow" | "Deny") =>
  policySet("identity-based policy", [
    { name: "p", document: JSON.stringify({ Statement: { Effect: effect, Action: "s3:Get*", Resource: "*" } }) },
  ]);
const ask: Question = {
  caller: { kind: "user", account: "000000000000", arn: "arn:aws:iam::000000000000:user/u", id: "AIDAU" },
  action: "s3:GetObject",
  resource: "arn:aws:s3:::photos/one",
  keys: new Map(),
  identityPolicies: setOf("Allow"),
  sameAccount: true,
};

test("a decision is kept for as long as all that it was made of is the same", () => {
  const first = rule(ask);
  assert.equal(first.decision.allowed, true);
  assert.equal(rule({ ...ask, caller: { ...ask.caller } }), first);
  const others: Partial<Question>[] = [
    { action: "s3:GetObjectAcl" },
    { resource: "arn:aws:s3:::photos/two" },
    { identityPolicies: setOf("Deny") },
    { boundary: setOf("Deny") },
    { sessionPolicies: setOf("Deny") },
    { resourcePolicy: setOf("Deny") },
    { controls: [setOf("Deny")] },
    { trust: true },
    { sameAccount: false },
    { caller: { ...ask.caller, arn: "arn:aws:iam::000000000000:user/other" } },
    { caller: { ...ask.caller, id: "AIDAOTHER" } },
    { caller: { ...ask.caller, canonicalId: "f".repeat(64) } },
  ];
  for (const other of others) {
    rule(ask);
    const ruling = rule({ ...ask, ...other });
    assert.notEqual(ruling, first, Object.keys(other).join());
    assert.equal(ruling.decision.question.resource, other.resource ?? ask.resource);
  }
  for (const set of ["boundary", "sessionPolicies", "resourcePolicy", "identityPolicies"] as const)
    assert.equal(rule({ ...ask, [set]: setOf("Deny") }).decision.allowed, false, set);
});

test("of one principal the decisions made last are kept", () => {
  const identityPolicies = setOf("Allow");
  const of = (i: number) => rule({ ...ask, identityPolicies, resource: `arn:aws:s3:::photos/${i}` });
  const [first, last] = [of(0), Array.from({ length: 1000 }, (_, i) => of(i + 1)).at(-1)];
  assert.equal(of(1000), last);
  assert.notEqual(of(0), first);
});
