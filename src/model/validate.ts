// The model's own constraints on an input, as AWS's sentences about it. Compiled once an operation; what has no constraint
// below it is not looked at.
import type { Constraints, List, MapShape, Member, Model, Shape, Simple, Structure, Union } from "./model.ts";
import { compilePattern } from "./pattern.ts";

/** AWS names no more than these. */
const MAX_VIOLATIONS = 10;
/** A refusal does not send a whole body back. */
const MAX_SHOWN_CHARS = 16 * 1024;
/** A longer string is not held against a pattern: what it may cost is not known. Its length is wrong nearly everywhere. */
const MAX_PATTERN_CHARS = 64 * 1024;

/**
 * `Value 'x' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3`; [] where all is well.
 * In model order, at most ten. Paths are Coral's: `keySchema.1.member.attributeName`; values Java's: `[a, b]`, `{k=v}`.
 */
export function validate(model: Model, operation: string, input: unknown): string[] {
  const check = checkers(model).structure(model.operations[operation]!.input);
  if (!check) return [];
  const found: Found = { path: [], sentences: [] };
  check(input, found);
  return found.sentences;
}

/** `2 validation errors detected: Value ...; Value ...` */
export function sentence(violations: readonly string[]): string {
  const { length } = violations;
  return `${length} validation error${length === 1 ? "" : "s"} detected: ${violations.join("; ")}`;
}

interface Found {
  /** Grows and shrinks on the way: a path is put together only where something is wrong. */
  readonly path: string[];
  readonly sentences: string[];
}

type Check = (value: unknown, found: Found) => void;

/** One constraint of a simple value, a list's or a map's length. */
interface Rule {
  readonly text: string;
  holds(value: unknown): boolean;
}

interface Checkers {
  /** Undefined: nothing below it is constrained. */
  structure(name: string): Check | undefined;
}

const known = new WeakMap<Model, Checkers>();

function checkers(model: Model): Checkers {
  let made = known.get(model);
  if (!made) {
    made = compile(model);
    known.set(model, made);
  }
  return made;
}

function compile(model: Model): Checkers {
  const checks = new Map<string, Check | undefined>();

  function structure(name: string): Check | undefined {
    if (!checks.has(name)) checks.set(name, isConstrained(model, name) ? structureCheck(name) : undefined);
    return checks.get(name);
  }

  function structureCheck(name: string): Check {
    const shape = model.shapes[name] as Structure | Union;
    const required = new Set(shape.type === "structure" ? shape.required : []);
    let members: { name: string; key: string; check: Check | undefined; required: boolean }[] | undefined;
    return (value, found) => {
      // Compiled at first use: a structure may contain itself.
      members ??= Object.entries(shape.members)
        .map(([m, member]) => ({ name: m, key: lowerFirst(m), check: checkOf(member), required: required.has(m) }))
        .filter((m) => m.check || m.required);
      for (const member of members) {
        const item = (value as Record<string, unknown>)[member.name];
        if (item === undefined || item === null) {
          if (member.required) within(found, member.key, () => tell(found, "null", "Member must not be null"));
        } else if (member.check) {
          found.path.push(member.key);
          member.check(item, found);
          found.path.pop();
        }
      }
    };
  }

  /** Lists and maps are checked as their members are: their own names say nothing. */
  function checkOf(member: Member): Check | undefined {
    if (!isConstrained(model, member.shape)) return undefined;
    const shape = model.shapes[member.shape]!;
    switch (shape.type) {
      case "structure":
      case "union":
        return structure(member.shape);
      case "list":
        return listCheck(member, shape);
      case "map":
        return mapCheck(member, shape);
      default:
        return ruled(member, rulesOf(shape));
    }
  }

  function listCheck(member: Member, shape: List): Check {
    const own = ruled(member, rulesOf(shape));
    const items = elementRules(shape.member);
    const check = items ? undefined : checkOf(shape.member);
    return (value, found) => {
      own?.(value, found);
      const list = value as unknown[];
      if (items && list.some((item) => item !== null && !items.every((rule) => rule.holds(item))))
        tellValue(found, { model, member, value, text: `Member must satisfy constraint: [${texts(items)}]` });
      if (check) for (const [i, item] of list.entries()) if (item !== null) inMember(found, String(i + 1), item, check);
    };
  }

  function mapCheck(member: Member, shape: MapShape): Check {
    const own = ruled(member, rulesOf(shape));
    const keys = elementRules(shape.key);
    const values = elementRules(shape.value);
    const check = values ? undefined : checkOf(shape.value);
    const broken = (rules: readonly Rule[] | undefined, items: readonly unknown[]) =>
      rules && items.some((item) => item !== null && !rules.every((rule) => rule.holds(item)));
    return (value, found) => {
      own?.(value, found);
      const map = value as Record<string, unknown>;
      if (broken(keys, Object.keys(map)))
        tellValue(found, { model, member, value, text: `Map keys must satisfy constraint: [${texts(keys!)}]` });
      if (values && broken(values, Object.values(map)))
        tellValue(found, { model, member, value, text: `Map value must satisfy constraint: [${texts(values)}]` });
      if (check) for (const key in map) if (map[key] !== null) inMember(found, key, map[key], check);
    };
  }

  /** Simple elements are told of together, at their list; undefined for others, and where there is no constraint. */
  function elementRules(element: Member): readonly Rule[] | undefined {
    const shape = model.shapes[element.shape]!;
    if (!isSimple(shape)) return undefined;
    const rules = rulesOf(shape);
    return rules.length > 0 ? rules : undefined;
  }

  function ruled(member: Member, rules: readonly Rule[]): Check | undefined {
    if (rules.length === 0) return undefined;
    // Alone, what it must look like comes before how long it may be (recorded: DynamoDB, EventBridge).
    const ordered = [...rules].reverse();
    return (value, found) => {
      for (const rule of ordered) if (!rule.holds(value)) tellValue(found, { model, member, value, text: rule.text });
    };
  }

  return { structure };
}

function inMember(found: Found, key: string, item: unknown, check: Check): void {
  found.path.push(key, "member");
  check(item, found);
  found.path.length -= 2;
}

function within(found: Found, key: string, then: () => void): void {
  found.path.push(key);
  then();
  found.path.pop();
}

function tell(found: Found, value: string | undefined, text: string): void {
  if (found.sentences.length >= MAX_VIOLATIONS) return;
  const shown = value === undefined ? "" : ` ${value}`;
  found.sentences.push(`Value${shown} at '${found.path.join(".")}' failed to satisfy constraint: ${text}`);
}

function tellValue(
  found: Found,
  { model, member, value, text }: { model: Model; member: Member; value: unknown; text: string },
): void {
  const secret = member.sensitive || model.shapes[member.shape]!.sensitive;
  tell(found, secret ? undefined : `'${javaString(model, member, value).slice(0, MAX_SHOWN_CHARS)}'`, text);
}

/** In the order in which a list names them: at most, at least, pattern, enum. */
function rulesOf(shape: Exclude<Shape, Structure | Union>): Rule[] {
  const rules: Rule[] = isSimple(shape) && isNumber(shape) ? rangeRules(shape) : lengthRules(shape);
  if (!isSimple(shape)) return rules;
  if (shape.pattern !== undefined) {
    const matches = compilePattern(shape.pattern);
    const tooLong = shape.max === undefined ? MAX_PATTERN_CHARS : Math.max(shape.max * 2, 1024);
    rules.push({
      text: `Member must satisfy regular expression pattern: ${shape.pattern}`,
      holds: (value) => (value as string).length > tooLong || matches(value as string),
    });
  }
  if (shape.enum) {
    const allowed = new Set(shape.enum);
    rules.push({
      text: `Member must satisfy enum value set: [${shape.enum.join(", ")}]`,
      holds: (value) => allowed.has(value as string),
    });
  }
  return rules;
}

function rangeRules(shape: Simple): Rule[] {
  const { min, max, type } = shape;
  const shown = (limit: number) =>
    (type === "double" || type === "float") && Number.isInteger(limit) ? `${limit}.0` : String(limit);
  return [
    ...(max === undefined ? [] : [rule(`value less than or equal to ${shown(max)}`, (v) => (v as number) <= max)]),
    ...(min === undefined ? [] : [rule(`value greater than or equal to ${shown(min)}`, (v) => (v as number) >= min)]),
  ];
}

function lengthRules({ min, max }: Constraints): Rule[] {
  return [
    ...(max === undefined ? [] : [rule(`length less than or equal to ${max}`, (v) => lengthOf(v) <= max)]),
    ...(min === undefined ? [] : [rule(`length greater than or equal to ${min}`, (v) => lengthOf(v) >= min)]),
  ];
}

function rule(text: string, holds: (value: unknown) => boolean): Rule {
  return { text: `Member must have ${text}`, holds };
}

function lengthOf(value: unknown): number {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  if (value instanceof Uint8Array) return value.byteLength;
  return Object.keys(value as object).length;
}

function texts(rules: readonly Rule[]): string {
  return rules.map((r) => r.text).join(", ");
}

function isSimple(shape: Shape): shape is Simple {
  return !["structure", "union", "list", "map"].includes(shape.type);
}

function isNumber({ type }: Simple): boolean {
  return type === "integer" || type === "long" || type === "float" || type === "double";
}

const constrained = new WeakMap<Model, Map<string, boolean>>();

/** Something that the shape refers to, near or far, has a constraint. */
function isConstrained(model: Model, name: string): boolean {
  let answers = constrained.get(model);
  if (!answers) {
    answers = new Map();
    constrained.set(model, answers);
  }
  const answer = answers.get(name);
  if (answer !== undefined) return answer;
  const seen = new Set<string>();
  const reach = (shapeName: string): boolean => {
    if (seen.has(shapeName)) return false;
    seen.add(shapeName);
    const shape = model.shapes[shapeName]!;
    if (shape.type === "blob" && shape.streaming) return false;
    switch (shape.type) {
      case "structure":
      case "union":
        return (
          (shape.type === "structure" && (shape.required?.length ?? 0) > 0) ||
          Object.values(shape.members).some((m) => reach(m.shape))
        );
      case "list":
        return shape.max !== undefined || Boolean(shape.min) || reach(shape.member.shape);
      case "map":
        return shape.max !== undefined || Boolean(shape.min) || reach(shape.key.shape) || reach(shape.value.shape);
      default:
        return rulesOf(shape).length > 0;
    }
  };
  const result = reach(name);
  answers.set(name, result);
  return result;
}

/** As Java prints it: `[a, b]`, `{k=v}`, `KeySchemaElement(attributeName=a, keyType=null)`. */
function javaString(model: Model, member: Member, value: unknown): string {
  if (value === undefined || value === null) return "null";
  const shape = model.shapes[member.shape]!;
  if (member.sensitive || shape.sensitive) return "***Sensitive Data Redacted***";
  switch (shape.type) {
    case "structure":
    case "union": {
      const members = Object.entries(shape.members).map(
        ([name, m]) => `${lowerFirst(name)}=${javaString(model, m, (value as Record<string, unknown>)[name])}`,
      );
      return `${member.shape}(${members.join(", ")})`;
    }
    case "list":
      return `[${(value as unknown[]).map((item) => javaString(model, shape.member, item)).join(", ")}]`;
    case "map":
      return `{${Object.entries(value)
        .map(([key, item]) => `${key}=${javaString(model, shape.value, item)}`)
        .join(", ")}}`;
    case "blob": {
      const length = lengthOf(value);
      return `java.nio.HeapByteBuffer[pos=0 lim=${length} cap=${length}]`;
    }
    case "double":
    case "float":
      return Number.isInteger(value) ? `${value}.0` : String(value);
    default:
      return String(value);
  }
}

function lowerFirst(name: string): string {
  return name[0]!.toLowerCase() + name.slice(1);
}
