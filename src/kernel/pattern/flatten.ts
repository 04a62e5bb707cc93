// An event as a list of values at paths. Arrays are not in the path: `{"a": [{"b": 1}, {"b": 2}]}` has two values at `a.b`.
import type { Value } from "./operators.ts";

/** An element of an array that a value lies in. */
export interface Within {
  readonly array: number;
  readonly index: number;
}

export interface Leaf {
  readonly value: Value;
  /** Outermost first. Elements that are plain values do not count: they lie in no object. */
  readonly within: readonly Within[];
}

export type Leaves = ReadonlyMap<string, readonly Leaf[]>;

/** Deeper values are not seen: an event cannot exhaust the stack. AWS reads none deeper. */
const DEEPEST = 1000;

const NOWHERE: readonly Within[] = [];

/** `wanted`: whether anything is asked of a path, or of one below it. Empty arrays and objects have no value: their path is absent. */
export function flatten(event: unknown, wanted: (path: string) => boolean): Leaves {
  const leaves = new Map<string, Leaf[]>();
  let arrays = 0;
  const walk = (value: unknown, path: string, within: readonly Within[], depth: number): void => {
    if (depth > DEEPEST) return;
    if (Array.isArray(value)) {
      const array = arrays++;
      for (const [index, element] of value.entries()) {
        const inside = typeof element === "object" && element !== null ? [...within, { array, index }] : within;
        walk(element, path, inside, depth + 1);
      }
    } else if (typeof value === "object" && value !== null)
      for (const [key, member] of Object.entries(value)) {
        const below = path === "" ? key : `${path}.${key}`;
        if (wanted(below)) walk(member, below, within, depth + 1);
      }
    else {
      const there = leaves.get(path);
      const leaf: Leaf = { value: value as Value, within };
      if (there) there.push(leaf);
      else leaves.set(path, [leaf]);
    }
  };
  if (typeof event === "object" && event !== null && !Array.isArray(event)) walk(event, "", NOWHERE, 0);
  return leaves;
}
