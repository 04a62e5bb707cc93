import assert from "node:assert/strict";
import { test } from "node:test";
import { topLevelNames } from "./access.ts";

test("the attributes that an expression names, as dynamodb:Attributes has them", () => {
  const names = { "#a": "first", "#b": "within" };
  const expressions: readonly (readonly [string, readonly string[]])[] = [
    ["a = :v AND begins_with(#a.#b[0].c, :w)", ["a", "first"]],
    ["SET x.y = if_not_exists(z, :v) REMOVE q[1]", ["x", "z", "q"]],
    ["a, b.c, #b", ["a", "b", "within"]],
    ["not ((size(k) between :a and :b) or k in (:c))", ["k", "k"]],
    ["a = %", []],
  ];
  for (const [text, expected] of expressions) assert.deepEqual(topLevelNames(text, names), expected, text);
});
