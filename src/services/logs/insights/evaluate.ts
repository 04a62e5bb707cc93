// The value of an expression: for one event, or, in stats, for a group of them.
import type { Row } from "./fields.ts";
import {
  AGGREGATES,
  type Aggregate,
  aggregate,
  callFunction,
  isTrue,
  numberOf,
  textOf,
  type Value,
} from "./functions.ts";
import type { Expression } from "./parse.ts";
import { floor, type Period } from "./time.ts";

export interface Scope {
  readonly row: Row;
  /** In stats. */
  readonly group?: readonly Row[];
  readonly now: number;
}

export function evaluate(expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case "literal":
      return expression.value as Value;
    case "list":
      return undefined;
    case "field":
      return scope.row.get(expression.name) ?? scope.row.get(expression.name.replaceAll(/\[(\d+)\]/g, ".$1"));
    case "call":
      return call(expression, scope);
    case "operation":
      return OPERATIONS[expression.name]!(expression.args, scope);
  }
}

function call({ name, args }: Extract<Expression, { kind: "call" }>, scope: Scope): Value {
  if (name === "now") return Math.floor(scope.now / 1000);
  if (name === "bin") {
    const length = evaluate(args.at(-1)!, scope) as unknown as Period;
    const time = scope.row.get("@timestamp");
    return time === undefined ? undefined : new Date(floor(numberOf(time)!, length));
  }
  if ((AGGREGATES as readonly string[]).includes(name)) {
    const group = scope.group ?? [];
    const inner = { now: scope.now };
    return aggregate(name as Aggregate, {
      values: group.map((row) => (args[0] ? evaluate(args[0], { ...inner, row }) : undefined)),
      times: group.map((row) => numberOf(row.get("@timestamp")) ?? 0),
      parameter: args[1] && evaluate(args[1], scope),
      all: args.length === 0,
    });
  }
  return callFunction(
    name,
    args.map((one) => evaluate(one, scope)),
  );
}

type Operation = (args: readonly Expression[], scope: Scope) => Value;

const arithmetic =
  (compute: (a: number, b: number) => number): Operation =>
  (args, scope) => {
    const [a, b] = args.map((one) => numberOf(evaluate(one, scope)));
    if (a === undefined || b === undefined) return undefined;
    const result = compute(a, b);
    return Number.isFinite(result) ? result : undefined;
  };

/** Numbers as numbers, where both are; otherwise as texts. undefined: one is not there. */
export function compare(a: Value, b: Value): number | undefined {
  if (a === undefined || b === undefined) return undefined;
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x - y;
  const [s, t] = [textOf(a), textOf(b)];
  return s < t ? -1 : s > t ? 1 : 0;
}

const comparison =
  (holds: (order: number) => boolean): Operation =>
  ([a, b], scope) => {
    const order = compare(evaluate(a!, scope), evaluate(b!, scope));
    return order !== undefined && holds(order);
  };

const OPERATIONS: Readonly<Record<string, Operation>> = {
  or: ([a, b], scope) => isTrue(evaluate(a!, scope)) || isTrue(evaluate(b!, scope)),
  and: ([a, b], scope) => isTrue(evaluate(a!, scope)) && isTrue(evaluate(b!, scope)),
  not: ([a], scope) => !isTrue(evaluate(a!, scope)),
  "+": arithmetic((a, b) => a + b),
  "-": arithmetic((a, b) => a - b),
  "*": arithmetic((a, b) => a * b),
  "/": arithmetic((a, b) => a / b),
  "%": arithmetic((a, b) => a % b),
  "^": arithmetic((a, b) => a ** b),
  "=": comparison((order) => order === 0),
  "<": comparison((order) => order < 0),
  "<=": comparison((order) => order <= 0),
  ">": comparison((order) => order > 0),
  ">=": comparison((order) => order >= 0),
  /** What is not there is unlike anything. */
  "!=": ([a, b], scope) => compare(evaluate(a!, scope), evaluate(b!, scope)) !== 0,
  in([a, list], scope) {
    const value = evaluate(a!, scope);
    const items = list!.kind === "list" ? list!.items : [];
    return items.some((item) => compare(value, evaluate(item, scope)) === 0);
  },
  like([a, pattern], scope) {
    const value = evaluate(a!, scope);
    if (value === undefined) return false;
    const wanted: unknown = evaluate(pattern!, scope);
    return wanted instanceof RegExp ? wanted.test(textOf(value)) : textOf(value).includes(textOf(wanted as Value));
  },
};
