// What a bound update makes of an item.
import { errors } from "../errors.ts";
import { addNumbers } from "../number.ts";
import { type AttributeValue, type Item, setMembers, typeOf } from "../value.ts";
import type { Operand, Part, Path, Update } from "./ast.ts";
import { matches, valueAt } from "./evaluate.ts";

/** Every operand is read from `item` as it was. `existed`: REMOVE of a path within nothing is an error only for an item that was there. */
export function applyUpdate(update: Update, item: Item, existed: boolean): Item {
  const next = copyMap(item);
  const assigned = update.set.map(({ path, value }) => ({ path, value: evaluate(value, item) }));
  // Beyond a list's end elements are appended in the order of their indexes.
  for (const { path, value } of assigned.toSorted((a, b) => lastIndex(a.path) - lastIndex(b.path)))
    put(next, path.parts, value);
  for (const path of update.remove) remove(next, path.parts, existed);
  for (const { path, value } of update.add) {
    const old = valueAt(item, path.parts);
    put(next, path.parts, old ? sum(old, value.value) : value.value);
  }
  for (const { path, value } of update.delete) {
    const old = valueAt(item, path.parts);
    if (!old) continue;
    const rest = difference(old, value.value);
    if (rest) put(next, path.parts, rest);
    else remove(next, path.parts, existed);
  }
  if (update.remove.some(({ parts }) => typeof parts.at(-1) === "number")) closeGaps(next);
  return next;
}

const refused = {
  missing: () => errors.validation("The provided expression refers to an attribute that does not exist in the item"),
  path: () => errors.validation("The document path provided in the update expression is invalid for update"),
  type: () => errors.validation("An operand in the update expression has an incorrect data type"),
};

function evaluate(operand: Operand, item: Item): AttributeValue {
  switch (operand.kind) {
    case "value":
      return operand.value;
    case "path": {
      const value = valueAt(item, operand.parts);
      if (!value) throw refused.missing();
      return value;
    }
    case "arithmetic": {
      const left = evaluate(operand.left, item);
      const right = evaluate(operand.right, item);
      if (left.N === undefined || right.N === undefined) throw refused.type();
      return { N: addNumbers(left.N, right.N, operand.operator) };
    }
    case "call": {
      const [first, second] = operand.args;
      if (operand.name === "if_not_exists") return valueAt(item, (first as Path).parts) ?? evaluate(second!, item);
      const head = evaluate(first!, item);
      const tail = evaluate(second!, item);
      if (head.L === undefined || tail.L === undefined) throw refused.type();
      return { L: [...head.L, ...tail.L] };
    }
    case "truth":
      return { BOOL: matches(operand.condition, item) };
  }
}

function put(item: Item, parts: readonly Part[], value: AttributeValue): void {
  const last = parts.at(-1)!;
  const parent = parentOf(item, parts);
  if (typeof last === "number") {
    if (parent?.L === undefined) throw refused.path();
    parent.L[Math.min(last, parent.L.length)] = value;
  } else {
    if (parent?.M === undefined) throw refused.path();
    setMember(parent.M, last, value);
  }
}

function remove(item: Item, parts: readonly Part[], existed: boolean): void {
  const last = parts.at(-1)!;
  const parent = parentOf(item, parts);
  if (typeof last === "string" && parent?.M !== undefined) delete parent.M[last];
  else if (typeof last === "number" && parent?.L !== undefined) {
    if (last < parent.L.length) parent.L[last] = GAP;
  } else if (existed) throw refused.path();
}

/** The map or list that holds the last part; the item itself stands in as a map. */
const parentOf = (item: Item, parts: readonly Part[]): AttributeValue | undefined =>
  parts.length === 1 ? { M: item } : valueAt(item, parts.slice(0, -1));

// Marks a removed element until all are removed: indexes mean the list as it was.
const GAP = {} as AttributeValue;

function closeGaps(map: Item): void {
  for (const value of Object.values(map)) closeWithin(value);
}
function closeWithin(value: AttributeValue): void {
  if (value.M !== undefined) closeGaps(value.M);
  if (value.L === undefined) return;
  const kept = value.L.filter((element) => element !== GAP);
  if (kept.length < value.L.length) value.L.splice(0, value.L.length, ...kept);
  for (const element of kept) closeWithin(element);
}

function sum(old: AttributeValue, added: AttributeValue): AttributeValue {
  if (old.N !== undefined && added.N !== undefined) return { N: addNumbers(old.N, added.N) };
  // Only the legacy AttributeUpdates can ADD a list; it appends.
  if (old.L !== undefined && added.L !== undefined) return { L: [...old.L, ...added.L] };
  const type = typeOf(old);
  if (type !== typeOf(added) || !isSet(type)) throw refused.type();
  return setOf(type, [...new Map([...setMembers(old), ...setMembers(added)]).values()]);
}

/** undefined where nothing is left. */
function difference(old: AttributeValue, taken: AttributeValue): AttributeValue | undefined {
  const type = typeOf(old);
  if (type !== typeOf(taken) || !isSet(type)) throw refused.type();
  const away = setMembers(taken);
  const rest = [...setMembers(old)].filter(([key]) => !away.has(key)).map(([, value]) => value);
  return rest.length > 0 ? setOf(type, rest) : undefined;
}

type SetType = "SS" | "NS" | "BS";
const isSet = (type: string): type is SetType => type === "SS" || type === "NS" || type === "BS";
const setOf = (type: SetType, members: readonly (string | Uint8Array)[]): AttributeValue =>
  ({ [type]: members }) as unknown as AttributeValue;

/** An own property whatever its name: `__proto__` is an attribute like any other. */
export const setMember = (map: Item, name: string, value: AttributeValue): void => {
  Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true });
};

const lastIndex = ({ parts }: Path): number => {
  const last = parts.at(-1);
  return typeof last === "number" ? last : -1;
};

const copyMap = (map: Item): Item =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, copy(value)]));
function copy(value: AttributeValue): AttributeValue {
  if (value.M !== undefined) return { M: copyMap(value.M) };
  return value.L === undefined ? value : { L: value.L.map(copy) };
}
