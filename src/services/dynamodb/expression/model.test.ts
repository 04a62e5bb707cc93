// Conditions against an obvious model: written out with as few parentheses as the grammar allows, they mean what they were made of.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Item } from "../value.ts";
import { bindCondition } from "./bind.ts";
import { compileCondition } from "./compile.ts";
import { matches } from "./evaluate.ts";

type Model =
  | { readonly leaf: "eq" | "ge" | "between" | "in" | "exists"; readonly name: string; readonly n: number }
  | { readonly and: readonly [Model, Model] }
  | { readonly or: readonly [Model, Model] }
  | { readonly not: Model };

const NAMES = ["p", "q", "r_1"];
const { model } = fc.letrec<{ model: Model }>((tie) => ({
  model: fc.oneof(
    { maxDepth: 5 },
    fc.record({
      leaf: fc.constantFrom("eq" as const, "ge" as const, "between" as const, "in" as const, "exists" as const),
      name: fc.constantFrom(...NAMES),
      n: fc.integer({ min: 0, max: 3 }),
    }),
    fc.record({ and: fc.tuple(tie("model"), tie("model")) }),
    fc.record({ or: fc.tuple(tie("model"), tie("model")) }),
    fc.record({ not: tie("model") }),
  ),
}));

function holds(node: Model, item: ReadonlyMap<string, number>): boolean {
  if ("and" in node) return holds(node.and[0], item) && holds(node.and[1], item);
  if ("or" in node) return holds(node.or[0], item) || holds(node.or[1], item);
  if ("not" in node) return !holds(node.not, item);
  const value = item.get(node.name);
  if (value === undefined) return false;
  switch (node.leaf) {
    case "eq":
      return value === node.n;
    case "ge":
      return value >= node.n;
    case "between":
      return value >= node.n && value <= 3;
    case "in":
      return value === node.n || value === 0;
    case "exists":
      return true;
  }
}

/** Binding strength: OR 0, AND 1, NOT 2, a leaf 3. */
function text(node: Model, atLeast = 0): string {
  if ("or" in node) return wrapped(`${text(node.or[0])} or ${text(node.or[1], 1)}`, 0, atLeast);
  if ("and" in node) return wrapped(`${text(node.and[0], 1)} AND ${text(node.and[1], 2)}`, 1, atLeast);
  if ("not" in node) return wrapped(`NOT ${text(node.not, 2)}`, 2, atLeast);
  switch (node.leaf) {
    case "eq":
      return `${node.name} = :v${node.n}`;
    case "ge":
      return `:v${node.n}<=${node.name}`;
    case "between":
      return `${node.name} between :v${node.n} and :v3`;
    case "in":
      return `${node.name} IN(:v${node.n},:v0)`;
    case "exists":
      return `attribute_exists( ${node.name} )`;
  }
}
const wrapped = (inner: string, strength: number, atLeast: number): string =>
  strength < atLeast ? `(${inner})` : inner;

const values: Item = Object.fromEntries([0, 1, 2, 3].map((n) => [`:v${n}`, { N: `${n}` }]));

test("conditions mean what they say, whatever their shape", () => {
  fc.assert(
    fc.property(model, fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 3 })), (node, numbers) => {
      const bindings = { names: {}, values, usedNames: new Set<string>(), usedValues: new Set<string>() };
      const condition = bindCondition(compileCondition(text(node), "FilterExpression"), "FilterExpression", bindings);
      const item: Item = Object.fromEntries(Object.entries(numbers).map(([name, n]) => [name, { N: `${n}` }]));
      assert.equal(matches(condition, item), holds(node, new Map(Object.entries(numbers))), text(node));
    }),
    { numRuns: 500 },
  );
});
