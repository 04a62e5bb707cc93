// Values that a statement writes out. AWS says where in them something is wrong: `under root.x[0]`.
import { AwsError } from "../../../kernel/mod.ts";
import { errors } from "../errors.ts";
import { canonicalNumber } from "../number.ts";
import { type AttributeValue, soundValue } from "../value.ts";
import type { Expr } from "./ast.ts";
import { placed } from "./lex.ts";

/** A literal lies within an attribute: with it there are 32 levels. */
const DEEPEST = 32;

export function literal(expr: Expr, path = "root", depth = 0): AttributeValue {
  if (depth >= DEEPEST) throw errors.validation(`Nesting Levels have exceeded supported limits under ${path}`);
  switch (expr.kind) {
    case "string":
      return { S: expr.text };
    case "number":
      return { N: number(expr.text, path) };
    case "boolean":
      return { BOOL: expr.value };
    case "null":
      return { NULL: true };
    case "list":
      return { L: expr.items.map((item, i) => literal(item, `${path}[${i}]`, depth + 1)) };
    case "bag":
      return bag(expr.items, path);
    case "tuple":
      return { M: tuple(expr.members, path, (value, at) => literal(value, at, depth + 1)) };
    default:
      throw errors.validation(`Unsupported data type: ${shown(expr)} under key ${path} ${placed(expr.at)}`);
  }
}

/** `{'name': value}`: names are strings, and no two the same. */
export function tuple<T>(
  members: readonly (readonly [Expr, Expr])[],
  path: string,
  read: (value: Expr, path: string) => T,
): Record<string, T> {
  const seen = new Set<string>();
  const entries = members.map(([name, value]): [string, T] => {
    if (name.kind !== "string")
      throw errors.validation(`Tuple keys must be of type String. Actual type: ${shown(name)} under ${path}`);
    if (seen.has(name.text)) throw errors.validation(`Duplicate keys in tuple. Key: ${name.text} under ${path}`);
    seen.add(name.text);
    return [name.text, read(value, `${path}.${name.text}`)];
  });
  return Object.fromEntries(entries);
}

function number(text: string, path: string): string {
  try {
    return canonicalNumber(text);
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw errors.validation(`${error.message} under ${path}`);
  }
}

function bag(items: readonly Expr[], path: string): AttributeValue {
  const [first] = items;
  if (!first) throw errors.validation("Empty bags are not supported");
  for (const [i, item] of items.entries())
    if (item.kind === "parameter")
      throw errors.validation(`Unsupported data type: ${shown(item)} under key ${path}[${i}] ${placed(item.at)}`);
  if (items.every((item) => item.kind === "string")) return soundValue({ SS: items.map(({ text }) => text) });
  if (!items.every((item) => item.kind === "number"))
    throw errors.validation("Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags");
  const numbers = items.map(({ text }) => number(text, path));
  if (new Set(numbers).size < numbers.length)
    throw errors.invalid(
      `Input collection [${items.map(({ text }) => text).join(", ")}] contains duplicates! under ${path}`,
    );
  return { NS: numbers };
}

/** As AWS's sentences name a piece of a statement. */
function shown(expr: Expr): string {
  switch (expr.kind) {
    case "call":
      return expr.name;
    case "path": {
      const [first] = expr.parts;
      return first && "name" in first ? first.name : "Path";
    }
    default:
      return expr.kind[0]!.toUpperCase() + expr.kind.slice(1);
  }
}
