// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables are written so
// What is true of any policies; and the decision beside a model of it that is slow and plain: no index, no memory, nothing compiled.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contextKeysOf } from "./context-keys.ts";
import {
  ALICE,
  type Asked,
  allow,
  ask,
  can,
  deny,
  FRED,
  type Json,
  NOBODY,
  policy,
  question,
  ROOT,
  S3,
  SESSION,
} from "./decisions.fixture.ts";
import { type Caller, evaluate } from "./evaluate.ts";
import { type Remedy, smallestPolicy } from "./missing.ts";
import { selection } from "./policy-set.ts";

const RUNS = { numRuns: 300 };

const ACTIONS = ["s3:GetObject", "s3:Get*", "s3:*", "S3:getobject", "sqs:*", "*", "s3:PutObject"];
const RESOURCES = [
  "*",
  "arn:aws:s3:::photos/cats/one.jpg",
  "arn:aws:s3:::photos/*",
  "arn:aws:s3:::x",
  "arn:aws:s3:::${team}/*",
];
const WHO = [
  "*",
  { AWS: ALICE.arn },
  { AWS: SESSION.roleArn },
  { AWS: SESSION.arn },
  { AWS: ALICE.account },
  { Service: "s3.amazonaws.com" },
  { AWS: [FRED.arn, "222222222222"] },
];
const VALUES = { team: "photos", user: "alice", tags: ["a", "b"] };
const CONDITIONS = [
  {},
  { StringEquals: { user: "alice" } },
  { StringNotEquals: { user: ["alice", "bob"] } },
  { StringLikeIfExists: { missing: "x*" } },
  { "ForAnyValue:StringEquals": { tags: ["b", "c"] } },
  { "ForAllValues:StringEquals": { tags: ["b", "c"] } },
  { Null: { missing: "true" }, StringLike: { team: "ph*" } },
];

const arbitrary = (more: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc
    .record({
      Effect: fc.constantFrom("Allow", "Allow", "Deny"),
      action: fc.constantFrom("Action", "NotAction"),
      actions: fc.array(fc.constantFrom(...ACTIONS), { minLength: 1, maxLength: 3 }),
      resource: fc.constantFrom("Resource", "Resource", "NotResource"),
      resources: fc.array(fc.constantFrom(...RESOURCES), { minLength: 1, maxLength: 2 }),
      Condition: fc.constantFrom(...CONDITIONS),
      ...more,
    })
    .map(
      ({ action, actions, resource, resources, ...rest }): Json => ({
        ...rest,
        [action]: actions,
        [resource]: resources,
      }),
    );
const listOf = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 4 });
const statement = arbitrary();
const named = arbitrary({ Principal: fc.constantFrom(...WHO) });
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });

/** Statements of each kind of policy. */
interface World {
  caller: Caller;
  sameAccount: boolean;
  identity: Json[];
  resource: Json[] | undefined;
  boundary: Json[] | undefined;
  session: Json[] | undefined;
  controls: Json[][] | undefined;
}
const world: fc.Arbitrary<World> = fc.record({
  caller: fc.constantFrom(ALICE, SESSION, FRED, ROOT, S3, NOBODY),
  sameAccount: fc.boolean(),
  identity: listOf(statement),
  resource: maybe(listOf(named)),
  boundary: maybe(listOf(statement)),
  session: maybe(listOf(statement)),
  controls: maybe(fc.array(listOf(statement), { minLength: 1, maxLength: 2 })),
});

const askedOf = ({ caller, sameAccount, identity, resource, boundary, session, controls }: World): Asked => ({
  caller,
  sameAccount,
  values: VALUES,
  // Each statement a policy of its own, so that sets of many are asked too.
  identityPolicies: identity.map((one) => policy(one)),
  resourcePolicy: resource && policy(...resource),
  boundary: boundary && policy(...boundary),
  sessionPolicies: session?.map((one) => policy(one)),
  controls: controls?.map((level) => level.map((one) => policy(one))),
});
const allowed = (of: World): boolean => ask(askedOf(of)).allowed;

test("the decision is that of a slow and plain model", () =>
  fc.assert(
    fc.property(world, (of) => assert.equal(allowed(of), model(of))),
    { numRuns: 1000 },
  ));

test("a further Deny never allows, a further Allow never denies, and the order is nothing", () =>
  fc.assert(
    fc.property(world, named, (of, { Principal, ...one }) => {
      const before = allowed(of);
      const withMore = (Effect: string): World[] => {
        const more = { ...one, Effect };
        return [
          { ...of, identity: [...of.identity, more] },
          { ...of, resource: of.resource && [...of.resource, { ...more, Principal }] },
          { ...of, boundary: of.boundary && [more, ...of.boundary] },
          { ...of, session: of.session && [...of.session, more] },
          { ...of, controls: of.controls?.map((level) => [...level, more]) },
        ];
      };
      for (const denying of withMore("Deny")) if (allowed(denying)) assert.ok(before);
      if (before) for (const allowing of withMore("Allow")) assert.ok(allowed(allowing));
      const turned = {
        ...of,
        identity: of.identity.toReversed(),
        resource: of.resource?.toReversed(),
        session: of.session?.toReversed(),
        controls: of.controls?.toReversed(),
      };
      assert.equal(allowed(turned), before);
    }),
    RUNS,
  ));

test("what the smallest policy says is enough, and without any part of it nothing is allowed", () =>
  fc.assert(
    fc.property(world, (of) => {
      const about = question(askedOf(of));
      const decision = evaluate(about);
      const remedies = smallestPolicy(about, decision);
      assert.equal(remedies.length === 0, decision.allowed);
      if (remedies.some(({ change }) => change === "except")) return;
      assert.ok(allowed(apply(of, remedies)));
      for (const one of remedies)
        assert.ok(
          !allowed(
            apply(
              of,
              remedies.filter((other) => other !== one),
            ),
          ),
        );
    }),
    RUNS,
  ));

function apply(of: World, remedies: readonly Remedy[]): World {
  const after = { ...of, controls: of.controls?.map((level) => [...level]) };
  for (const remedy of remedies) {
    if (remedy.change !== "add") continue;
    const one = remedy.statement as unknown as Json;
    if (remedy.where === "identity-based policy") after.identity = [...after.identity, one];
    else if (remedy.where === "resource-based policy") after.resource = [...(after.resource ?? []), one];
    else if (remedy.where === "permissions boundary") after.boundary = [...after.boundary!, one];
    else if (remedy.where === "session policy") after.session = [...after.session!, one];
    else after.controls![remedy.level!]!.push(one);
  }
  return after;
}

test("the statement that decided says what was decided, and applies", () =>
  fc.assert(
    fc.property(world, (of) => {
      const { line, allowed: yes, trace, applying } = ask(askedOf(of));
      assert.deepEqual(
        applying,
        trace.filter(({ applies }) => applies),
      );
      if (line) assert.ok(line.applies && trace.includes(line) && line.effect === (yes ? "Allow" : "Deny"));
    }),
    RUNS,
  ));

test("keys that no statement wants for the action change nothing", () =>
  fc.assert(
    fc.property(world, (of) => {
      const about = question(askedOf(of));
      const { identityPolicies, resourcePolicy, boundary, sessionPolicies, controls = [] } = about;
      const sets = [identityPolicies, resourcePolicy, boundary, sessionPolicies, ...controls].filter(
        (set) => set !== undefined,
      );
      const wanted = new Set(sets.flatMap((set) => [...selection(set, about.action).wants]));
      const keys = new Map([...about.keys].filter(([name]) => wanted.has(name)));
      assert.equal(evaluate({ ...about, keys }).allowed, evaluate(about).allowed);
    }),
    RUNS,
  ));

test("a wildcard pattern answers as the regular expression it stands for", () => {
  const letters = fc.array(fc.constantFrom("a", "b", "*", "?"), { maxLength: 8 }).map((all) => all.join(""));
  const subject = fc.array(fc.constantFrom("a", "b"), { maxLength: 8 }).map((all) => all.join(""));
  fc.assert(
    fc.property(letters, subject, (pattern, text) =>
      assert.equal(can(allow({ Resource: pattern }), { resource: text }), expression(pattern, "").test(text)),
    ),
    RUNS,
  );
});

test("the keys that documents ask for are told once, as they are written first", () => {
  const Condition = {
    StringEquals: { "aws:RequestTag/Team": "${aws:PrincipalTag/Team, 'x'}", "AWS:requesttag/team": "${*}" },
  };
  const documents = [allow({ Resource: "arn:aws:s3:::${aws:username}/*" }), deny({ Condition })].map(
    (one) => policy(one).document,
  );
  assert.deepEqual(contextKeysOf(documents), ["aws:username", "aws:RequestTag/Team", "aws:PrincipalTag/Team"]);
  assert.deepEqual(contextKeysOf([documents[0]!.replace("2012-10-17", "2008-10-17")]), []);
});

// The model. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html

const expression = (pattern: string, flags: string) =>
  new RegExp(
    `^${pattern
      .replace(/[.+^$()|[\]\\{}]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    flags,
  );

function model({ caller, sameAccount, identity, resource = [], boundary, session, controls = [] }: World): boolean {
  const { kind } = caller;
  const outside = kind === "service" || kind === "anonymous";
  const levels = outside ? [] : controls;
  const says = (statements: Json[], effect: string) =>
    statements.some((one) => one.Effect === effect && applies(one, caller));
  const named = (who: string[]) =>
    resource.some(
      (one) => one.Effect === "Allow" && applies(one, caller) && principals(one).some((name) => who.includes(name)),
    );
  const all = [...levels.flat(), ...identity, ...resource, ...(boundary ?? []), ...(session ?? [])];
  if (says(all, "Deny")) return false;
  if (outside) return says(resource, "Allow");
  if (!levels.every((level) => says(level, "Allow"))) return false;
  if (kind === "root") return sameAccount || says(resource, "Allow");
  const limited = says(boundary ?? [allow()], "Allow") && says(session ?? [allow()], "Allow");
  if (!sameAccount) return says(resource, "Allow") && says(identity, "Allow") && limited;
  if (named(["*", caller.arn!])) return true;
  return (says(identity, "Allow") || named([caller.roleArn!, caller.user?.arn ?? "-"])) && limited;
}

const listed = (value: unknown): string[] => [value].flat() as string[];
const principals = ({ Principal }: Json): string[] =>
  Principal === "*" ? ["*"] : Object.values(Principal as Json).flatMap(listed);

function applies(one: Json, caller: Caller): boolean {
  const action = listed(one.Action ?? one.NotAction).some((text) => expression(text, "i").test("s3:GetObject"));
  if (action !== (one.Action !== undefined)) return false;
  const resource = listed(one.Resource ?? one.NotResource).some((text) =>
    expression(text.replace("${team}", "photos"), "").test("arn:aws:s3:::photos/cats/one.jpg"),
  );
  if (resource !== (one.Resource !== undefined)) return false;
  if (one.Principal !== undefined && !principals(one).some((name) => isNamed(name, caller))) return false;
  return Object.keys((one.Condition ?? {}) as Json).every((operator) => HOLDS[operator]);
}

function isNamed(name: string, { kind, account, arn, roleArn, user, service }: Caller): boolean {
  if (name === "*") return true;
  if (kind === "service") return name === service;
  return kind !== "anonymous" && [account, arn, roleArn, user?.arn].includes(name);
}

/** What the operators of CONDITIONS say of VALUES, worked out by hand. */
const HOLDS: Readonly<Record<string, boolean>> = {
  StringEquals: true,
  StringNotEquals: false,
  StringLikeIfExists: true,
  "ForAnyValue:StringEquals": true,
  "ForAllValues:StringEquals": false,
  Null: true,
  StringLike: true,
};
