// The parameters that expressions replaced, as expressions: Expected, AttributeUpdates, KeyConditions, QueryFilter, ScanFilter, AttributesToGet.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
import type { Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { Comparator, Condition, Operand, Path, Update } from "./expression/ast.ts";
import type { KeyOperator, KeyTest, KeyTests } from "./key-condition.ts";
import { ANY_DEPTH, type AttributeValue, compare, soundValue, typeOf } from "./value.ts";

type Filter = NonNullable<Input<"dynamodb", "Scan">["ScanFilter"]>;
type Expected = NonNullable<Input<"dynamodb", "PutItem">["Expected"]>;
type AttributeUpdates = NonNullable<Input<"dynamodb", "UpdateItem">["AttributeUpdates"]>;
type Conditional = Input<"dynamodb", "PutItem">["ConditionalOperator"];
type Operator = NonNullable<Filter[string]["ComparisonOperator"]>;

export function filterCondition(filter: Filter | undefined, conditional: Conditional): Condition | undefined {
  needsList(filter, conditional);
  if (!filter) return undefined;
  return joined(
    Object.entries(filter).map(([name, { ComparisonOperator, AttributeValueList }]) =>
      tested(name, ComparisonOperator, AttributeValueList ?? []),
    ),
    conditional,
  );
}

export function expectedCondition(expected: Expected | undefined, conditional: Conditional): Condition | undefined {
  needsList(expected, conditional);
  if (!expected) return undefined;
  const conditions = Object.entries(expected).map(([name, test]) => {
    const { Value, Exists, ComparisonOperator, AttributeValueList } = test;
    if (ComparisonOperator !== undefined) {
      if (Exists !== undefined)
        throw errors.invalid(`Exists and ComparisonOperator cannot be used together for Attribute: ${name}`);
      if (Value !== undefined && AttributeValueList !== undefined)
        throw errors.invalid(`Value and AttributeValueList cannot be used together for Attribute: ${name}`);
      return tested(name, ComparisonOperator, AttributeValueList ?? (Value ? [Value] : []));
    }
    if (AttributeValueList !== undefined)
      throw errors.invalid(`AttributeValueList can only be used with a ComparisonOperator for Attribute: ${name}`);
    if (Exists === false) {
      if (Value !== undefined)
        throw errors.invalid(`Value cannot be used when Exists is set to false for Attribute: ${name}`);
      return call("attribute_not_exists", [pathOf(name)]);
    }
    if (Value === undefined)
      throw errors.invalid(
        Exists
          ? `Value must be provided when Exists is set to true for Attribute: ${name}`
          : `Value must be provided when Exists is null for Attribute: ${name}`,
      );
    return compared("=", name, soundValue(Value, ANY_DEPTH));
  });
  return joined(conditions, conditional);
}

/** ADD to a list appends, which no expression's ADD can. */
export function attributeUpdates(updates: AttributeUpdates): Update {
  const update = { set: [] as Update["set"][number][], remove: [] as Path[], add: [] as Update["add"][number][] };
  const deletes: Update["delete"][number][] = [];
  for (const [name, { Action = "PUT", Value }] of Object.entries(updates)) {
    const path = pathOf(name);
    const value = Value && literal(soundValue(Value));
    if (Action === "DELETE" && !value) update.remove.push(path);
    else if (!value) throw errors.invalid(`Only DELETE action is allowed when no attribute value is specified`);
    else if (Action === "PUT") update.set.push({ path, value });
    else {
      const type = typeOf(value.value);
      const allowed = Action === "ADD" ? ["N", "SS", "NS", "BS", "L"] : ["SS", "NS", "BS"];
      if (!allowed.includes(type))
        throw errors.invalid(
          Action === "ADD"
            ? `ADD action is not supported for the type ${type}`
            : `DELETE action with value is not supported for the type ${type}`,
        );
      (Action === "ADD" ? update.add : deletes).push({ path, value });
    }
  }
  return { ...update, delete: deletes };
}

const KEY_OPERATORS: Partial<Record<Operator, KeyOperator>> = {
  EQ: "=",
  LT: "<",
  LE: "<=",
  GT: ">",
  GE: ">=",
  BETWEEN: "between",
  BEGINS_WITH: "begins_with",
};

export function keyConditionTests(conditions: Filter): KeyTests {
  const tests = new Map<string, KeyTest>();
  if (Object.keys(conditions).length === 0) throw errors.validation("Conditions can be of length 1 or 2 only");
  for (const [name, { ComparisonOperator, AttributeValueList }] of Object.entries(conditions)) {
    const values = operands(ComparisonOperator, AttributeValueList ?? []);
    const operator = KEY_OPERATORS[ComparisonOperator!];
    if (!operator) throw errors.validation("Attempted conditional constraint is not an indexable operation");
    tests.set(name, { operator, values });
  }
  return tests;
}

export function attributesToGet(names: readonly string[]): readonly Path[] {
  if (new Set(names).size < names.length) {
    const twice = names.find((name, i) => names.indexOf(name) < i);
    throw errors.invalid(`Duplicate value in attribute name: ${twice}`);
  }
  return names.map(pathOf);
}

function needsList(list: object | undefined, conditional: Conditional): void {
  if (conditional === undefined) return;
  if (!list || Object.keys(list).length === 0)
    throw errors.validation("ConditionalOperator cannot be used without Filter or Expected");
  if (Object.keys(list).length < 2)
    throw errors.validation("ConditionalOperator can only be used when Filter or Expected has two or more elements");
}

function joined(conditions: readonly Condition[], conditional: Conditional): Condition | undefined {
  const kind = conditional === "OR" ? "or" : "and";
  const [first, ...rest] = conditions;
  return first && rest.reduce<Condition>((left, right) => ({ kind, left, right }), first);
}

const COMPARATORS: Partial<Record<Operator, Comparator>> = { EQ: "=", NE: "<>", LT: "<", LE: "<=", GT: ">", GE: ">=" };

function tested(name: string, operator: Operator | undefined, list: readonly AttributeValue[]): Condition {
  const values = operands(operator, list);
  const path = pathOf(name);
  const comparator = COMPARATORS[operator!];
  if (comparator) return compared(comparator, name, values[0]!);
  switch (operator!) {
    case "NULL":
      return call("attribute_not_exists", [path]);
    case "NOT_NULL":
      return call("attribute_exists", [path]);
    case "IN":
      return { kind: "in", operand: path, list: values.map(literal) };
    case "BETWEEN":
      return { kind: "between", operand: path, low: literal(values[0]!), high: literal(values[1]!) };
    case "BEGINS_WITH":
      return call("begins_with", [path, literal(values[0]!)]);
    case "CONTAINS":
      return call("contains", [path, literal(values[0]!)]);
    default:
      return { kind: "not", condition: call("contains", [path, literal(values[0]!)]) };
  }
}

/** How many values an operator takes, and of which types. */
const OPERANDS: Readonly<Record<Operator, { count: number | "some"; types?: readonly string[] }>> = {
  EQ: { count: 1 },
  NE: { count: 1 },
  LT: { count: 1, types: ["S", "N", "B"] },
  LE: { count: 1, types: ["S", "N", "B"] },
  GT: { count: 1, types: ["S", "N", "B"] },
  GE: { count: 1, types: ["S", "N", "B"] },
  BETWEEN: { count: 2, types: ["S", "N", "B"] },
  BEGINS_WITH: { count: 1, types: ["S", "B"] },
  CONTAINS: { count: 1, types: ["S", "N", "B", "BOOL", "NULL"] },
  NOT_CONTAINS: { count: 1, types: ["S", "N", "B", "BOOL", "NULL"] },
  IN: { count: "some", types: ["S", "N", "B"] },
  NULL: { count: 0 },
  NOT_NULL: { count: 0 },
};

function operands(operator: Operator | undefined, list: readonly AttributeValue[]): readonly AttributeValue[] {
  if (operator === undefined) throw errors.invalid("ComparisonOperator must be specified");
  const { count, types } = OPERANDS[operator];
  if (count === "some" ? list.length === 0 : list.length !== count)
    throw errors.invalid(`Invalid number of argument(s) for the ${operator} ComparisonOperator`);
  const values = list.map((value) => soundValue(value, ANY_DEPTH));
  for (const value of values)
    if (types && !types.includes(typeOf(value)))
      throw errors.invalid(`ComparisonOperator ${operator} is not valid for ${typeOf(value)} AttributeValue type`);
  if (operator === "BETWEEN") {
    const order = compare(values[0]!, values[1]!);
    if (order === undefined)
      throw errors.invalid("AttributeValues inside AttributeValueList must all be of the same type");
    if (order > 0)
      throw errors.validation(
        "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
      );
  }
  return values;
}

const pathOf = (name: string): Path => ({ kind: "path", parts: [name] });
const literal = (value: AttributeValue) => ({ kind: "value", name: "", value }) as const;
const call = (name: string, args: readonly Operand[]): Condition => ({ kind: "call", name, args });
const compared = (operator: Comparator, name: string, value: AttributeValue): Condition => ({
  kind: "compare",
  operator,
  left: pathOf(name),
  right: literal(value),
});
