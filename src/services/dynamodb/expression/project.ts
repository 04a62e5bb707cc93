// What remains of an item when only some paths are asked for.
import { type AttributeValue, type Item, member } from "../value.ts";
import type { Part, Path } from "./ast.ts";

/** Lists keep the asked elements only, in their order; what is not there leaves no trace. */
export const project = (item: Item, paths: readonly Path[]): Item => pickMap(item, treeOf(paths));

/** The whole of a value, or branches of it. */
type Tree = Map<Part, Tree | "whole">;

function treeOf(paths: readonly Path[]): Tree {
  const root: Tree = new Map();
  for (const { parts } of paths) {
    let tree = root;
    for (const [i, part] of parts.entries()) {
      if (i === parts.length - 1) tree.set(part, "whole");
      else {
        const next = tree.get(part) ?? new Map();
        if (next === "whole") break;
        tree.set(part, next);
        tree = next;
      }
    }
  }
  return root;
}

function pickMap(map: Item, tree: Tree): Item {
  const picked: [string, AttributeValue][] = [];
  for (const [part, branch] of tree) {
    const value = typeof part === "string" ? pick(member(map, part), branch) : undefined;
    if (value) picked.push([part as string, value]);
  }
  return Object.fromEntries(picked);
}

function pick(value: AttributeValue | undefined, branch: Tree | "whole"): AttributeValue | undefined {
  if (branch === "whole" || value === undefined) return value;
  if (value.M !== undefined) {
    const map = pickMap(value.M, branch);
    return Object.keys(map).length > 0 ? { M: map } : undefined;
  }
  if (value.L === undefined) return undefined;
  const list = [...branch.keys()]
    .filter((part) => typeof part === "number")
    .sort((a, b) => a - b)
    .map((index) => pick(value.L![index], branch.get(index)!))
    .filter((element) => element !== undefined);
  return list.length > 0 ? { L: list } : undefined;
}
