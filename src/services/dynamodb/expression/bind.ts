// Gives an expression its names and values, and refuses what AWS refuses before it looks at any item.
import { errors } from "../errors.ts";
import { type AttributeValue, compare, type Item, TYPE_WORDS, type TypeName, typeOf } from "../value.ts";
import {
  type Call,
  type Condition,
  type Operand,
  type Part,
  type Path,
  pathText,
  type Update,
  type Value,
} from "./ast.ts";
import { isReserved } from "./reserved.ts";

/** ExpressionAttributeNames and -Values of a request, shared by all its expressions. */
export interface Bindings {
  readonly names: Readonly<Record<string, string>>;
  readonly values: Item;
  readonly usedNames: Set<string>;
  readonly usedValues: Set<string>;
}

export const bindCondition = (condition: Condition, label: string, bindings: Bindings): Condition =>
  new Binder(label, bindings).condition(condition);

export function bindProjection(paths: readonly Path[], label: string, bindings: Bindings): readonly Path[] {
  const binder = new Binder(label, bindings);
  const bound = paths.map((path) => binder.path(path));
  binder.distinct(bound);
  return bound;
}

export function bindUpdate(update: Update, label: string, bindings: Bindings): Update {
  const binder = new Binder(label, bindings);
  const bound: Update = {
    set: update.set.map(({ path, value }) => ({ path: binder.path(path), value: binder.operand(value, "update") })),
    remove: update.remove.map((path) => binder.path(path)),
    add: update.add.map(({ path, value }) => ({ path: binder.path(path), value: binder.value(value) })),
    delete: update.delete.map(({ path, value }) => ({ path: binder.path(path), value: binder.value(value) })),
  };
  for (const { value } of bound.add) binder.sectionType("ADD", value.value, ["N", "SS", "NS", "BS"]);
  for (const { value } of bound.delete) binder.sectionType("DELETE", value.value, ["SS", "NS", "BS"]);
  binder.distinct(updatedPaths(bound));
  return bound;
}

/** Every path that an update touches. */
export const updatedPaths = (update: Update): readonly Path[] => [
  ...update.set.map(({ path }) => path),
  ...update.remove,
  ...update.add.map(({ path }) => path),
  ...update.delete.map(({ path }) => path),
];

type Place = "condition" | "operand" | "update";

const CONDITION_FUNCTIONS: Readonly<Record<string, number>> = {
  attribute_exists: 1,
  attribute_not_exists: 1,
  attribute_type: 2,
  begins_with: 2,
  contains: 2,
  size: 1,
};
const UPDATE_FUNCTIONS: Readonly<Record<string, number>> = { if_not_exists: 2, list_append: 2 };
/** Functions whose first operand must be a path. */
const PATH_FIRST: ReadonlySet<string> = new Set(["attribute_exists", "attribute_not_exists", "if_not_exists"]);
/** What a literal operand may be. */
const LITERAL_TYPES: Readonly<Record<string, readonly TypeName[]>> = {
  "<": ["S", "N", "B"],
  "<=": ["S", "N", "B"],
  ">": ["S", "N", "B"],
  ">=": ["S", "N", "B"],
  between: ["S", "N", "B"],
  begins_with: ["S", "B"],
  size: ["S", "B", "SS", "NS", "BS", "L", "M"],
  "+": ["N"],
  "-": ["N"],
};
const TYPE_NAMES: ReadonlySet<string> = new Set(["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"]);

class Binder {
  readonly #label: string;
  readonly #bindings: Bindings;

  constructor(label: string, bindings: Bindings) {
    this.#label = label;
    this.#bindings = bindings;
  }

  condition(node: Condition): Condition {
    switch (node.kind) {
      case "and":
      case "or":
        return { kind: node.kind, left: this.condition(node.left), right: this.condition(node.right) };
      case "not":
        return { kind: "not", condition: this.condition(node.condition) };
      case "compare": {
        const bound = { ...node, left: this.operand(node.left), right: this.operand(node.right) };
        this.#literals(node.operator, [bound.left, bound.right]);
        this.#distinctOperands(node.operator, [bound.left, bound.right]);
        return bound;
      }
      case "between": {
        const [operand, low, high] = [this.operand(node.operand), this.operand(node.low), this.operand(node.high)];
        this.#literals("between", [operand, low, high]);
        if (low.kind === "value" && high.kind === "value") this.#bounds(low.value, high.value);
        return { kind: "between", operand, low, high };
      }
      case "in":
        return { kind: "in", operand: this.operand(node.operand), list: node.list.map((o) => this.operand(o)) };
      case "call":
        return this.#call(node, "condition");
    }
  }

  operand(node: Operand, place: Place = "operand"): Operand {
    switch (node.kind) {
      case "path":
        return this.path(node);
      case "value":
        return this.value(node);
      case "call":
        return this.#call(node, place);
      case "arithmetic": {
        const bound = { ...node, left: this.operand(node.left, place), right: this.operand(node.right, place) };
        this.#literals(node.operator, [bound.left, bound.right]);
        return bound;
      }
      case "truth":
        return { kind: "truth", condition: this.condition(node.condition) };
    }
  }

  path({ parts }: Path): Path {
    return { kind: "path", parts: parts.map((part) => (typeof part === "number" ? part : this.#name(part))) };
  }

  value({ name }: Value): Value {
    const { values, usedValues } = this.#bindings;
    if (!Object.hasOwn(values, name))
      throw this.#error(`An expression attribute value used in expression is not defined; attribute value: ${name}`);
    usedValues.add(name);
    return { kind: "value", name, value: values[name]! };
  }

  sectionType(section: "ADD" | "DELETE", value: AttributeValue, allowed: readonly TypeName[]): void {
    const type = typeOf(value);
    if (!allowed.includes(type))
      throw this.#error(
        `Incorrect operand type for operator or function; operator: ${section}, operand type: ${TYPE_WORDS[type]}, typeSet: ALLOWED_FOR_${section}_OPERAND`,
      );
  }

  /** No path may be another's beginning, nor take for a list what another takes for a map. */
  distinct(paths: readonly Path[]): void {
    for (const [i, one] of paths.entries())
      for (const two of paths.slice(i + 1)) {
        const relation = relate(one.parts, two.parts);
        if (relation)
          throw this.#error(
            `Two document paths ${relation} with each other; must remove or rewrite one of these paths; path one: ${pathText(one.parts)}, path two: ${pathText(two.parts)}`,
          );
      }
  }

  #name(part: string): string {
    if (!part.startsWith("#")) {
      if (isReserved(part)) throw this.#error(`Attribute name is a reserved keyword; reserved keyword: ${part}`);
      return part;
    }
    const { names, usedNames } = this.#bindings;
    if (!Object.hasOwn(names, part))
      throw this.#error(
        `An expression attribute name used in the document path is not defined; attribute name: ${part}`,
      );
    usedNames.add(part);
    return names[part]!;
  }

  #call(node: Call, place: Place): Call {
    const { name } = node;
    const forUpdate = Object.hasOwn(UPDATE_FUNCTIONS, name);
    if (!forUpdate && !Object.hasOwn(CONDITION_FUNCTIONS, name))
      throw this.#error(`Invalid function name; function: ${name}`);
    if (forUpdate !== (place === "update"))
      throw this.#error(
        `The function is not allowed in ${place === "update" ? "an update" : "a condition"} expression; function: ${name}`,
      );
    if (place !== "update" && (name === "size") !== (place === "operand"))
      throw this.#error(`The function is not allowed to be used this way in an expression; function: ${name}`);
    const args = node.args.map((arg) => this.operand(arg, place === "update" ? "update" : "operand"));
    if (args.length !== (forUpdate ? UPDATE_FUNCTIONS : CONDITION_FUNCTIONS)[name])
      throw this.#error(
        `Incorrect number of operands for operator or function; operator or function: ${name}, number of operands: ${args.length}`,
      );
    this.#arguments(name, args);
    return { kind: "call", name, args };
  }

  #arguments(name: string, args: readonly Operand[]): void {
    const [first, second] = args;
    if (PATH_FIRST.has(name) && first!.kind !== "path")
      throw this.#error(`Operator or function requires a document path; operator or function: ${name}`);
    this.#literals(name, args);
    if (name === "attribute_type") {
      if (second?.kind !== "value" || second.value.S === undefined)
        throw this.#operandType(name, second?.kind === "value" ? typeOf(second.value) : "PATH");
      if (!TYPE_NAMES.has(second.value.S))
        throw this.#error(
          `Invalid attribute type name found; type: ${second.value.S}, valid types: {${[...TYPE_NAMES].join(",")}}`,
        );
    }
    if (name === "list_append")
      for (const arg of args) {
        if (arg.kind === "call" && arg.name === "list_append")
          throw this.#error(`The function is not allowed to be used this way in an expression; function: ${name}`);
        if (arg.kind === "value" && arg.value.L === undefined) throw this.#operandType(name, typeOf(arg.value));
      }
    if (name === "contains" || name === "begins_with") this.#distinctOperands(name, args);
  }

  #literals(operator: string, operands: readonly Operand[]): void {
    const allowed = LITERAL_TYPES[operator];
    if (!allowed) return;
    for (const operand of operands)
      if (operand.kind === "value" && !allowed.includes(typeOf(operand.value)))
        throw this.#operandType(operator === "between" ? "BETWEEN" : operator, typeOf(operand.value));
  }

  #operandType(operator: string, type: string) {
    return this.#error(
      `Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`,
    );
  }

  #distinctOperands(operator: string, [first, ...others]: readonly Operand[]): void {
    if (first?.kind !== "path") return;
    const text = pathText(first.parts);
    if (others.some((other) => other.kind === "path" && pathText(other.parts) === text))
      throw this.#error(
        `The first operand must be distinct from the remaining operands for this operator or function; operator: ${operator}, first operand: ${text}`,
      );
  }

  #bounds(low: AttributeValue, high: AttributeValue): void {
    const operands = `lower bound operand: AttributeValue: ${literalText(low)}, upper bound operand: AttributeValue: ${literalText(high)}`;
    const order = compare(low, high);
    if (order === undefined)
      throw this.#error(`The BETWEEN operator requires same data type for lower and upper bounds; ${operands}`);
    if (order > 0)
      throw this.#error(
        `The BETWEEN operator requires upper bound to be greater than or equal to lower bound; ${operands}`,
      );
  }

  /** PartiQL has no label: its statements are no parameters of a request. */
  #error(message: string) {
    return errors.validation(this.#label === "" ? message : `Invalid ${this.#label}: ${message}`);
  }
}

function relate(one: readonly Part[], two: readonly Part[]): "overlap" | "conflict" | undefined {
  const shorter = Math.min(one.length, two.length);
  for (let i = 0; i < shorter; i++) {
    if (typeof one[i] !== typeof two[i]) return "conflict";
    if (one[i] !== two[i]) return undefined;
  }
  return "overlap";
}

const literalText = (value: AttributeValue): string => {
  const type = typeOf(value);
  const text = type === "B" ? Buffer.from(value.B!).toString("base64") : value[type];
  return `{${type}:${text}}`;
};
