// What a bound condition says of an item.
import { type AttributeValue, base64, compare, equal, type Item, member, setMembers, typeOf } from "../value.ts";
import type { Call, Condition, Operand, Part } from "./ast.ts";

export function matches(condition: Condition, item: Item): boolean {
  switch (condition.kind) {
    case "and":
      return matches(condition.left, item) && matches(condition.right, item);
    case "or":
      return matches(condition.left, item) || matches(condition.right, item);
    case "not":
      return !matches(condition.condition, item);
    case "compare":
      return compares(condition.operator, operandOf(condition.left, item), operandOf(condition.right, item));
    case "between": {
      const value = operandOf(condition.operand, item);
      const low = operandOf(condition.low, item);
      const high = operandOf(condition.high, item);
      return compares(">=", value, low) && compares("<=", value, high);
    }
    case "in": {
      const value = operandOf(condition.operand, item);
      return condition.list.some((candidate) => compares("=", value, operandOf(candidate, item)));
    }
    case "call":
      return holds(condition, item);
  }
}

/** What stands at a path, or undefined. */
export function valueAt(item: Item, parts: readonly Part[]): AttributeValue | undefined {
  let value: AttributeValue | undefined = member(item, parts[0] as string);
  for (let i = 1; i < parts.length && value !== undefined; i++) {
    const part = parts[i]!;
    if (typeof part === "number") value = value.L?.[part];
    else value = value.M === undefined ? undefined : member(value.M, part);
  }
  return value;
}

/** Values, paths and size(); the functions of updates are apply's. */
export function operandOf(operand: Operand, item: Item): AttributeValue | undefined {
  if (operand.kind === "value") return operand.value;
  if (operand.kind === "path") return valueAt(item, operand.parts);
  if (operand.kind === "truth") return { BOOL: matches(operand.condition, item) };
  if (operand.kind === "call" && operand.name === "size") {
    const value = operandOf(operand.args[0]!, item);
    const size = value && sizeOf(value);
    return size === undefined ? undefined : { N: String(size) };
  }
  return undefined;
}

/** A missing operand equals nothing, and differs from everything. */
export function compares(
  operator: string,
  left: AttributeValue | undefined,
  right: AttributeValue | undefined,
): boolean {
  if (!left || !right) return operator === "<>";
  if (operator === "=") return equal(left, right);
  if (operator === "<>") return !equal(left, right);
  const order = compare(left, right);
  if (order === undefined) return false;
  if (operator === "<") return order < 0;
  if (operator === "<=") return order <= 0;
  return operator === ">" ? order > 0 : order >= 0;
}

function holds({ name, args }: Call, item: Item): boolean {
  const value = operandOf(args[0]!, item);
  if (name === "attribute_exists") return value !== undefined;
  if (name === "attribute_not_exists") return value === undefined;
  const other = operandOf(args[1]!, item);
  if (!value || !other) return false;
  if (name === "attribute_type") return typeOf(value) === other.S;
  return name === "begins_with" ? beginsWith(value, other) : contains(value, other);
}

export function beginsWith(value: AttributeValue, prefix: AttributeValue): boolean {
  if (value.S !== undefined && prefix.S !== undefined) return value.S.startsWith(prefix.S);
  if (value.B === undefined || prefix.B === undefined) return false;
  return Buffer.compare(value.B.subarray(0, prefix.B.length), prefix.B) === 0;
}

export function contains(value: AttributeValue, part: AttributeValue): boolean {
  if (value.L !== undefined) return value.L.some((element) => equal(element, part));
  if (part.S !== undefined) return value.S?.includes(part.S) ?? value.SS?.includes(part.S) ?? false;
  if (part.N !== undefined) return value.NS?.includes(part.N) ?? false;
  if (part.B === undefined) return false;
  if (value.B !== undefined) return Buffer.from(value.B).includes(part.B);
  return value.BS !== undefined && setMembers(value).has(base64(part.B));
}

function sizeOf(value: AttributeValue): number | undefined {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  if (value.M !== undefined) return Object.keys(value.M).length;
  return (value.B ?? value.SS ?? value.NS ?? value.BS ?? value.L)?.length;
}
