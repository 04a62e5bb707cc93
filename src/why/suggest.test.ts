// The least privilege that a list of calls needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../kernel/journal.ts";
import { MAX_POLICY_CHARACTERS, suggest } from "./suggest.ts";

const ALICE = "arn:aws:iam::000000000000:user/team/alice";
const KEY = "arn:aws:s3:::photos";

const call = (action: string, resource: string, more: Record<string, unknown> = {}): Entry => ({
  at: 1_000,
  level: "debug",
  id: "x",
  from: "s3",
  text: `${action} allowed`,
  fields: { action, subject: resource, allowed: true, by: "identity-based policy", principal: ALICE, ...more },
});
const ROLE = {
  principal: "arn:aws:sts::000000000000:assumed-role/worker/one",
  holder: "arn:aws:iam::000000000000:role/service/worker",
};

const suggested = (entries: readonly Entry[], more: Partial<Parameters<typeof suggest>[1]> = {}) =>
  suggest(entries, { principal: "alice", since: 0, denied: false, ...more });

/** `action resource` of each pair in the suggestion. */
const pairs = (entries: readonly Entry[], more: Partial<Parameters<typeof suggest>[1]> = {}) =>
  suggested(entries, more).policies.flatMap(({ Statement }) =>
    Statement.flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) => [Resource].flat().map((resource) => `${action} ${resource}`)),
    ),
  );
const keys = (count: number, folder: string) =>
  Array.from({ length: count }, (_, at) => call("s3:GetObject", `${KEY}/${folder}${at}.jpg`));

test("actions on the same resources are one statement, each action and resource once, in order", () => {
  const { policies } = suggested([
    call("s3:PutObject", `${KEY}/b`),
    call("s3:GetObject", `${KEY}/b`),
    call("s3:GetObject", `${KEY}/a`),
    call("s3:PutObject", `${KEY}/a`),
    call("s3:GetObject", `${KEY}/a`),
    call("s3:ListBucket", KEY),
  ]);
  const Statement = [
    { Effect: "Allow", Action: ["s3:GetObject", "s3:PutObject"], Resource: [`${KEY}/a`, `${KEY}/b`] },
    { Effect: "Allow", Action: "s3:ListBucket", Resource: KEY },
  ];
  assert.deepEqual(policies, [{ Version: "2012-10-17", Statement }]);
});

const collapses: readonly (readonly [what: string, entries: readonly Entry[], expected: readonly string[]])[] = [
  ["a few keys stay exact", keys(5, "cats/").slice(0, 2), [`${KEY}/cats/0.jpg`, `${KEY}/cats/1.jpg`]],
  ["many keys of a folder are a pattern", [...keys(6, "cats/"), ...keys(1, "")], [`${KEY}/0.jpg`, `${KEY}/cats/*`]],
  ["many keys of the bucket itself are all of it", keys(6, ""), [`${KEY}/*`]],
  ["many folders are one pattern", Array.from({ length: 6 }, (_, at) => keys(6, `${at}/`)).flat(), [`${KEY}/*`]],
  [
    "many folders of a few keys are one pattern",
    Array.from({ length: 11 }, (_, at) => keys(2, `all/${at}/`)).flat(),
    [`${KEY}/all/*`],
  ],
  ["whoever lists all may list all", [call("s3:GetObject", "*"), ...keys(2, "")], ["*"]],
  ["a name is no pattern", [call("s3:GetObject", `${KEY}/a*?\${b}`)], [`${KEY}/a\${*}\${?}\${$}{b}`]],
];
for (const [what, entries, expected] of collapses)
  test(what, () =>
    assert.deepEqual(
      pairs(entries),
      expected.map((resource) => `s3:GetObject ${resource}`),
    ),
  );

test("what was denied is left out and counted, or taken in", () => {
  const entries = [call("s3:GetObject", `${KEY}/a`), call("s3:PutObject", `${KEY}/a`, { allowed: false })];
  assert.deepEqual(pairs(entries), [`s3:GetObject ${KEY}/a`]);
  assert.equal(suggested(entries).leftOut, 1);
  assert.deepEqual(pairs(entries, { denied: true }), [`s3:GetObject ${KEY}/a`, `s3:PutObject ${KEY}/a`]);
});

test("only what was asked since is suggested", () => {
  const early = { ...call("s3:GetObject", `${KEY}/a`), at: 1 };
  assert.deepEqual(pairs([early, call("s3:PutObject", `${KEY}/a`)], { since: 1_000 }), [`s3:PutObject ${KEY}/a`]);
});

for (const principal of [ROLE.principal, ROLE.holder, "worker", "one", "worker/one"])
  test(`a role's calls are found by ${principal}`, () => {
    const { holders, calls } = suggested([call("s3:GetObject", `${KEY}/a`, ROLE), call("s3:PutObject", KEY)], {
      principal,
    });
    assert.deepEqual([holders, calls], [[ROLE.holder], 1]);
  });

test("a name that two have is answered with both, and no policy", () => {
  const other = { principal: "arn:aws:iam::111111111111:user/alice" };
  const { holders, policies } = suggested([call("s3:GetObject", KEY), call("s3:GetObject", KEY, other)]);
  assert.deepEqual([holders, policies], [[ALICE, other.principal], []]);
});

test("what is too long for one policy is several, each of which fits, and nothing is lost", () => {
  const queues = Array.from({ length: 300 }, (_, at) => `arn:aws:sqs:us-east-1:000000000000:a-queue-with-a-name-${at}`);
  const entries = queues.flatMap((queue) => [call("sqs:SendMessage", queue), call("sqs:ReceiveMessage", queue)]);
  const { policies } = suggested(entries);
  assert.ok(policies.length > 1);
  for (const policy of policies) assert.ok(JSON.stringify(policy).length <= MAX_POLICY_CHARACTERS);
  assert.deepEqual(
    pairs(entries).sort(),
    queues.flatMap((queue) => [`sqs:ReceiveMessage ${queue}`, `sqs:SendMessage ${queue}`]).sort(),
  );
});
