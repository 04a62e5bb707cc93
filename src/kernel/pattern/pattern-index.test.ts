// The index, a loop over the patterns, and a slow obvious reading of the rules answer alike.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compilePattern, type Pattern } from "./pattern.ts";
import { PatternIndex } from "./pattern-index.ts";

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

// Few keys and values, so that events and patterns meet; keys with dots, so that one path has several places.
const key = fc.constantFrom("a", "b", "c", "a.b");
const value = fc.constantFrom("x", "y", "xy", 1, 2, true, null);
const { event } = fc.letrec<{ event: Json; object: Json }>((tie) => ({
  object: fc.dictionary(key, tie("event"), { maxKeys: 3 }),
  event: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    value,
    fc.array(tie("event"), { maxLength: 3 }),
    fc.dictionary(key, tie("event"), { maxKeys: 3 }),
  ),
}));
const events = fc.dictionary(key, event, { maxKeys: 3 });

const entry = fc.oneof(
  { weight: 6, arbitrary: value },
  fc.constantFrom<Json>(
    { prefix: "x" },
    { prefix: "" },
    { prefix: "xy" },
    { suffix: "y" },
    { exists: true },
    { exists: false },
    { "anything-but": "x" },
    { numeric: [">", 1] },
    { "anything-but": { prefix: "x" } },
  ),
);
const field = fc.array(entry, { minLength: 1, maxLength: 2 });
const { object } = fc.letrec<{ object: Json }>((tie) => ({
  object: fc.dictionary(key, fc.oneof({ maxDepth: 3 }, field, tie("object")), { minKeys: 1, maxKeys: 3 }),
}));
const withOr = fc
  .tuple(object, fc.option(fc.array(object, { minLength: 2, maxLength: 3 })))
  .map(([all, or]) => (or ? { ...(all as object), $or: or } : all));
const patterns = fc.array(withOr, { minLength: 1, maxLength: 8 });

test("The index, the loop and the model find the same patterns", () => {
  fc.assert(
    fc.property(patterns, events, fc.nat(7), (all, given, gone) => {
      const compiled = all.map((pattern) => compilePattern(JSON.stringify(pattern)));
      const index = new PatternIndex<number>();
      for (const [i, pattern] of compiled.entries()) index.add(pattern, i);
      const loop = compiled.flatMap((pattern, i) => (pattern.matches(given) ? [i] : []));
      assert.deepEqual(
        compiled.flatMap((pattern, i) => (obviously(pattern, given) ? [i] : [])),
        loop,
      );
      assert.deepEqual(index.matching(given), loop);
      index.remove(gone);
      assert.deepEqual(
        index.matching(given),
        loop.filter((i) => i !== gone),
      );
    }),
    { numRuns: 1000 },
  );
});

interface Place {
  readonly path: string;
  readonly value: Json;
  /** Of each array on the way: which, and the element. */
  readonly steps: ReadonlyMap<Json[], number>;
}

function placesOf(json: Json, path: string, steps: ReadonlyMap<Json[], number>): Place[] {
  if (Array.isArray(json))
    return json.flatMap((element, i) => {
      const inside = typeof element === "object" && element !== null;
      return placesOf(element, path, inside ? new Map(steps).set(json, i) : steps);
    });
  if (typeof json === "object" && json !== null)
    return Object.entries(json).flatMap(([name, member]) => placesOf(member, path ? `${path}.${name}` : name, steps));
  return [{ path, value: json, steps }];
}

/** Tries every combination of places. */
function obviously(pattern: Pattern, given: Json): boolean {
  const places = placesOf(given, "", new Map());
  return pattern.rules.some((rule) => {
    let chosen: ReadonlyMap<Json[], number>[] = [new Map()];
    for (const { path, tests } of rule.values()) {
      const there = places.filter((place) => place.path === path);
      const fitting = there.filter(({ value: at }) =>
        tests.some(
          (one) =>
            (one.kind === "exact" && one.value === at) ||
            one.kind === "exists" ||
            (one.kind === "prefix" && String(at).startsWith(one.text) && typeof at === "string") ||
            (one.kind === "test" && one.holds(at as string | number | boolean | null)),
        ),
      );
      if (there.length === 0 && tests.some(({ kind }) => kind === "absent")) continue;
      chosen = chosen.flatMap((steps) =>
        fitting
          .filter((place) => [...place.steps].every(([array, i]) => !steps.has(array) || steps.get(array) === i))
          .map((place) => new Map([...steps, ...place.steps])),
      );
    }
    return chosen.length > 0;
  });
}

test("A value with several patterns is found once, in the order in which it was added", () => {
  const index = new PatternIndex<string>();
  const add = (pattern: object, name: string) => index.add(compilePattern(JSON.stringify(pattern)), name);
  add({ a: [{ prefix: "x" }] }, "first");
  add({ a: ["xy"] }, "second");
  add({ b: [1] }, "first");
  add({ $or: [{ a: ["xy"] }, { b: [1] }] }, "third");
  add({ c: [{ exists: false }] }, "fourth");
  assert.deepEqual(index.matching({ a: "xy", b: 1 }), ["first", "second", "third", "fourth"]);
  assert.deepEqual(index.matching({ b: 1, c: 1 }), ["first", "third"]);
  index.remove("first");
  index.remove("never added");
  assert.deepEqual(index.matching({ a: "xy", b: 1 }), ["second", "third", "fourth"]);
  assert.deepEqual(index.matching("no object"), []);
});
