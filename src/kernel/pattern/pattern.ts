// EventBridge's event patterns, compiled: for rules, archives, pipes and Lambda's event source mappings. Pure.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
//
// What AWS does and its documentation does not say is as in its open-source Event Ruler (README.md there): keys with dots are paths; a path that is
// named twice counts as named last; two values in different elements of one array are no match together; `exists: false` looks at the whole event.
// README.md says first what differs.
import { PatternFault } from "./fault.ts";
import { flatten, type Leaf, type Leaves } from "./flatten.ts";
import { type Field, parseRules, type Rule } from "./parse.ts";
import type { Shown } from "./tokens.ts";

export { PatternFault } from "./fault.ts";

export class Pattern {
  /** One of them must hold. */
  readonly rules: readonly Rule[];
  readonly #prefixes: ReadonlySet<string>;

  constructor(rules: readonly Rule[]) {
    this.rules = rules;
    this.#prefixes = new Set(rules.flatMap((rule) => [...rule.keys()].flatMap(prefixesOf)));
  }

  /** `event` as JSON.parse reads it. What is no object matches nothing. */
  matches(event: unknown): boolean {
    if (typeof event !== "object" || event === null || Array.isArray(event)) return false;
    const leaves = flatten(event, (path) => this.#prefixes.has(path));
    return this.rules.some((rule) => holds(rule, leaves));
  }
}

/** Throws a PatternFault with EventBridge's sentence; its `reason` is what services put into their own. */
export function compilePattern(text: string): Pattern {
  return new Pattern(rulesOf(text, "text", "Event pattern is not valid. Reason: "));
}

/** `prefix` begins the message of a fault. */
export function rulesOf(text: string, shown: Shown, prefix: string): readonly Rule[] {
  try {
    return parseRules(text, shown);
  } catch (error) {
    if (error instanceof PatternFault) throw new PatternFault(error.reason, prefix + error.reason);
    throw error;
  }
}

/** `a.b.c` is wanted in `a`, `a.b` and `a.b.c`. */
export function prefixesOf(path: string): string[] {
  const found = [path];
  for (let dot = path.lastIndexOf("."); dot >= 0; dot = path.lastIndexOf(".", dot - 1)) {
    found.push(path.slice(0, dot));
    if (dot === 0) break;
  }
  return found;
}

/** Whether each path of a rule has a value that may stand there, all of them together in the same elements of arrays. */
export function holds(rule: Rule, leaves: Leaves): boolean {
  const chosen: (readonly Leaf[])[] = [];
  for (const field of rule.values()) {
    const there = leaves.get(field.path);
    if (!there) {
      if (!field.tests.some(({ kind }) => kind === "absent")) return false;
      continue;
    }
    const fitting = there.filter(({ value }) => passes(field, value));
    if (fitting.length === 0) return false;
    if (fitting.every(({ within }) => within.length > 0)) chosen.push(fitting);
  }
  return chosen.length < 2 || agree(chosen, 0);
}

const passes = ({ tests }: Field, value: Leaf["value"]): boolean =>
  tests.some((test) => {
    switch (test.kind) {
      case "exact":
        return test.value === value;
      case "prefix":
        return typeof value === "string" && value.startsWith(test.text);
      case "test":
        return test.holds(value);
      default:
        return test.kind === "exists";
    }
  });

/** Whether one leaf of each list can be taken so that no two are in different elements of one array. The arrays above `depth` agree already. */
function agree(lists: readonly (readonly Leaf[])[], depth: number): boolean {
  // A leaf in no further array agrees with all.
  const bound = lists.filter((leaves) => leaves.every(({ within }) => within.length > depth));
  const arrayOf = ({ within }: Leaf) => within[depth]!.array;
  const indexOf = ({ within }: Leaf) => within[depth]!.index;
  // One path in several arrays: there are keys with dots. Take its leaves from one of them.
  const mixed = bound.findIndex((leaves) => leaves.some((leaf) => arrayOf(leaf) !== arrayOf(leaves[0]!)));
  if (mixed >= 0)
    return [...Map.groupBy(bound[mixed]!, arrayOf).values()].some((part) => agree(bound.with(mixed, part), depth));
  // Lists in different arrays have nothing to agree on.
  return [...Map.groupBy(bound, (leaves) => arrayOf(leaves[0]!)).values()].every((members) => {
    const [first, ...others] = members.map((leaves) => Map.groupBy(leaves, indexOf));
    if (others.length === 0) return true;
    return [...first!].some(
      ([index, leaves]) =>
        others.every((other) => other.has(index)) &&
        agree([leaves, ...others.map((other) => other.get(index)!)], depth + 1),
    );
  });
}
