// What a WHERE clause says of a key.
import type { Condition, Operand } from "../expression/ast.ts";
import type { KeyOperator, KeyTest } from "../key-condition.ts";
import type { KeySchema } from "../schema.ts";
import type { Item } from "../value.ts";
import { equal } from "../value.ts";

/** Of one attribute. */
export interface NamedTest extends KeyTest {
  readonly name: string;
}

/** `a AND (b AND c)` as a, b and c. */
export const conjuncts = (where: Condition | undefined): readonly Condition[] =>
  where?.kind === "and" ? [...conjuncts(where.left), ...conjuncts(where.right)] : where ? [where] : [];

export const allOf = (conditions: readonly Condition[]): Condition | undefined => {
  const [first, ...rest] = conditions;
  return first && rest.reduce<Condition>((left, right) => ({ kind: "and", left, right }), first);
};

const FLIPPED: Partial<Record<string, KeyOperator>> = { "=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

/** Alternatives that test a key attribute against values: an IN has one for each of its own; `[]`: it is no such test. */
export function keyTestsOf(node: Condition, key: KeySchema): readonly NamedTest[] {
  const of = (operand: Operand, operator: KeyOperator | undefined, values: readonly Operand[]): NamedTest[] => {
    const [name, ...deeper] = operand.kind === "path" ? operand.parts : [];
    if (!operator || typeof name !== "string" || deeper.length > 0) return [];
    const isHash = key.hash[0]!.name === name;
    if (!(isHash ? operator === "=" : key.range[0]?.name === name)) return [];
    const known = values.flatMap((value) => (value.kind === "value" ? [value.value] : []));
    return known.length === values.length ? [{ name, operator, values: known }] : [];
  };
  switch (node.kind) {
    case "compare": {
      const { left, right, operator } = node;
      if (operator === "<>") return [];
      return left.kind === "path" ? of(left, operator, [right]) : of(right, FLIPPED[operator], [left]);
    }
    case "between":
      return of(node.operand, "between", [node.low, node.high]);
    case "call":
      return node.name === "begins_with" ? of(node.args[0]!, "begins_with", node.args.slice(1)) : [];
    case "in": {
      const tests = node.list.flatMap((one) => of(node.operand, "=", [one]));
      return tests.length === node.list.length ? tests : [];
    }
    default:
      return [];
  }
}

export interface KeyOfWhere {
  /** By equality; the first value where there are several. */
  readonly key: Item;
  /** All key attributes are in it. */
  readonly whole: boolean;
  /** An attribute that two values are demanded of. */
  readonly conflict?: string;
  /** What the condition says besides. */
  readonly rest: readonly Condition[];
}

/** The one item that a condition can only mean. `lists`: `IN` a list of one value is an equality too. */
export function keyOfWhere(where: Condition | undefined, schema: KeySchema, { lists }: { lists: boolean }): KeyOfWhere {
  const key: Item = {};
  const rest: Condition[] = [];
  let conflict: string | undefined;
  for (const condition of conjuncts(where)) {
    const [test, ...more] = keyTestsOf(condition, schema);
    const equality = test?.operator === "=" && more.length === 0 && (lists || condition.kind === "compare");
    if (!equality) rest.push(condition);
    else if (!Object.hasOwn(key, test.name)) key[test.name] = test.values[0]!;
    else if (!equal(key[test.name]!, test.values[0]!)) {
      conflict ??= test.name;
      rest.push(condition);
    }
  }
  const whole = [...schema.hash, ...schema.range].every(({ name }) => Object.hasOwn(key, name));
  return { key, whole, rest, ...(conflict !== undefined && { conflict }) };
}
