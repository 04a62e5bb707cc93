// Which rows a Query reads: a key condition, from an expression or from the legacy KeyConditions, as bytes between two bounds.
import { errors } from "./errors.ts";
import type { Condition, Operand, Path } from "./expression/ast.ts";
import { notEmpty } from "./item-key.ts";
import { afterPrefix, EMPTY, joinParts, joinPrefix, keyBytes, partitionHash } from "./keys.ts";
import type { KeyAttribute, KeySchema } from "./schema.ts";
import { type AttributeValue, typeOf } from "./value.ts";

export type KeyOperator = "=" | "<" | "<=" | ">" | ">=" | "between" | "begins_with";

export interface KeyTest {
  readonly operator: KeyOperator;
  readonly values: readonly AttributeValue[];
}

/** By attribute. */
export type KeyTests = ReadonlyMap<string, KeyTest>;

/** sk in [from, to); `to` undefined: to the end of the partition. */
export interface Range {
  readonly hash: Uint8Array;
  readonly pk: Uint8Array;
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
}

/** Of a bound expression. */
export function keyTests(condition: Condition): KeyTests {
  const tests = new Map<string, KeyTest>();
  collect(condition, tests);
  return tests;
}

const refused = {
  operator: (name: string) => errors.validation(`Invalid operator used in KeyConditionExpression: ${name}`),
  condition: (why: string) => errors.validation(`Invalid condition in KeyConditionExpression: ${why}`),
};

const FLIPPED = { "=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" } as const;

function collect(condition: Condition, tests: Map<string, KeyTest>): void {
  switch (condition.kind) {
    case "and":
      collect(condition.left, tests);
      collect(condition.right, tests);
      return;
    case "or":
    case "not":
    case "in":
      throw refused.operator(condition.kind.toUpperCase());
    case "compare": {
      const { operator, left, right } = condition;
      if (operator === "<>") throw refused.operator("<>");
      const [path, value] = onePath([left, right], left.kind === "path" ? 0 : 1);
      add(tests, path, { operator: left.kind === "path" ? operator : FLIPPED[operator], values: value });
      return;
    }
    case "between": {
      const [path, values] = firstPath("BETWEEN", [condition.operand, condition.low, condition.high]);
      add(tests, path, { operator: "between", values });
      return;
    }
    case "call": {
      if (condition.name !== "begins_with") throw refused.operator(condition.name);
      const [path, values] = firstPath("begins_with", condition.args);
      if (values[0]!.S === undefined && values[0]!.B === undefined) throw noPrefix(values[0]!);
      add(tests, path, { operator: "begins_with", values });
    }
  }
}

function add(tests: Map<string, KeyTest>, { parts }: Path, test: KeyTest): void {
  if (parts.length > 1) throw errors.validation("KeyConditionExpressions cannot have conditions on nested attributes");
  const name = parts[0] as string;
  if (tests.has(name)) throw errors.validation("KeyConditionExpressions must only contain one condition per key");
  tests.set(name, test);
}

/** The path at `at`, and the values that the others must be. */
function onePath(operands: readonly Operand[], at: number): [Path, AttributeValue[]] {
  if (operands.some(({ kind }) => kind === "call"))
    throw errors.validation("KeyConditionExpressions cannot contain nested operations");
  const path = operands[at]!;
  if (path.kind !== "path") throw refused.condition("No key attribute specified");
  const values: AttributeValue[] = [];
  for (const operand of operands) {
    if (operand === path) continue;
    if (operand.kind !== "value") throw refused.condition("Multiple attribute names used in one condition");
    values.push(operand.value);
  }
  return [path, values];
}

function firstPath(operator: string, operands: readonly Operand[]): [Path, AttributeValue[]] {
  if (operands[0]!.kind === "value" && operands.some(({ kind }) => kind === "path"))
    throw refused.condition(`${operator} operator must have the key attribute as its first operand`);
  return onePath(operands, 0);
}

/** Every hash attribute by `=`; range attributes from the left, by `=` but the last. */
export function rangeOf(key: KeySchema, tests: KeyTests): Range {
  if (key.hash.length === 1 && key.range.length <= 1 && tests.size > 2)
    throw errors.validation("Conditions can be of length 1 or 2 only");
  for (const attribute of key.hash) {
    const test = tests.get(attribute.name);
    if (!test) throw errors.validation(`Query condition missed key schema element: ${attribute.name}`);
    if (test.operator !== "=") throw errors.validation("Query key condition not supported");
    sound(attribute, test);
  }
  const rest = [...tests].filter(([name]) => !key.hash.some((attribute) => attribute.name === name));
  if (key.range.length > 1) noGaps(key, tests);
  const used = key.range.slice(0, rest.length);
  for (const attribute of used)
    if (!tests.has(attribute.name))
      throw errors.validation(`Query condition missed key schema element: ${attribute.name}`);
  if (used.length < rest.length) throw errors.validation("Query key condition not supported");
  for (const attribute of used) sound(attribute, tests.get(attribute.name)!);
  const pk = hashBytes(key, tests);
  return { hash: partitionHash(pk), pk, ...bounds(key, used, tests) };
}

/** Of several range attributes, all before the last one that is tested are tested for equality. */
function noGaps({ range }: KeySchema, tests: KeyTests): void {
  const last = range.findLastIndex(({ name }) => tests.has(name));
  const missed = range.slice(0, Math.max(last, 0)).filter(({ name }) => tests.get(name)?.operator !== "=");
  if (missed.length > 0)
    throw errors.validation(
      `RANGE key attributes ${missed.map(({ name }) => name).join(", ")} must have equality conditions specified in the query because a condition is present on key attribute ${range[last]!.name}`,
    );
}

function hashBytes(key: KeySchema, tests: KeyTests): Uint8Array {
  const parts = key.hash.map(({ name, type }) => keyBytes(tests.get(name)!.values[0]!, type));
  return parts.length === 1 ? parts[0]! : joinParts(parts);
}

function sound(attribute: KeyAttribute, { operator, values }: KeyTest): void {
  for (const value of values) {
    if (value[attribute.type] === undefined)
      throw errors.invalid("Condition parameter type does not match schema type");
    if (operator !== "begins_with" && operator !== "between") notEmpty(attribute.name, value);
  }
  if (operator === "begins_with" && attribute.type === "N") throw noPrefix(values[0]!);
}

const noPrefix = (value: AttributeValue) =>
  errors.validation(
    `Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: ${typeOf(value)}`,
  );

type Bounds = Pick<Range, "from" | "to">;

function bounds(key: KeySchema, used: readonly KeyAttribute[], tests: KeyTests): Bounds {
  const last = used.at(-1);
  const parts = used.slice(0, -1).map(({ name, type }) => keyBytes(tests.get(name)!.values[0]!, type));
  if (!last) return { from: EMPTY, to: undefined };
  const { operator, values } = tests.get(last.name)!;
  const [first, second] = values.map((value) => keyBytes(value, last.type));
  // A key of several attributes goes on after its last tested one; a key of one ends there.
  const several = key.range.length > 1;
  const at = (bytes: Uint8Array) => (several ? joinParts([...parts, bytes]) : bytes);
  const after = (bytes: Uint8Array) => (several ? afterPrefix(at(bytes)) : Buffer.concat([bytes, Uint8Array.of(0)]));
  const start = several ? joinParts(parts) : EMPTY;
  const end = several && parts.length > 0 ? afterPrefix(start) : undefined;
  switch (operator) {
    case "=":
      return { from: at(first!), to: after(first!) };
    case "<":
      return { from: start, to: at(first!) };
    case "<=":
      return { from: start, to: after(first!) };
    case ">":
      return { from: after(first!)!, to: end };
    case ">=":
      return { from: at(first!), to: end };
    case "between":
      return { from: at(first!), to: after(second!) };
    case "begins_with": {
      const prefix = several ? joinPrefix(parts, first!) : first!;
      return { from: prefix, to: afterPrefix(prefix) };
    }
  }
}
