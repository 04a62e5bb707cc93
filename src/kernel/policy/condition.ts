// Condition operators. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// Several operators and keys: all must hold. Several values: one must (for the negated operators: none may).
// A key that is not in the request: the operator does not hold, a negated one does, ...IfExists and ForAllValues do.
import { BlockList, isIP } from "node:net";
import { compile, type Keys, matches, substitute } from "./pattern.ts";

export interface Condition {
  readonly operator: Operator;
  readonly key: string;
  readonly values: readonly string[];
}

export interface Operator {
  /** As written: `ForAllValues:StringLikeIfExists`. */
  readonly text: string;
  readonly name: string;
  readonly ifExists: boolean;
  readonly set?: "all" | "any";
}

interface Scope {
  readonly keys: Keys;
  /** The policy knows variables. */
  readonly variables: boolean;
}
type Test = (have: string, want: string, scope: Scope) => boolean;

const fold = (text: string) => text.toLowerCase();
const like: Test = (have, want, { keys, variables }) => matches(compile(want, { variables }), have, keys);
const equal: Test = (have, want) => have === want;
const equalFold: Test = (have, want) => fold(have) === fold(want);

const compare =
  (read: (text: string) => number, holds: (a: number, b: number) => boolean): Test =>
  (have, want) => {
    const [a, b] = [read(have), read(want)];
    return !Number.isNaN(a) && !Number.isNaN(b) && holds(a, b);
  };
const number = (text: string) => (text.trim() === "" ? Number.NaN : Number(text));
/** ISO 8601, or seconds since the epoch. */
const date = (text: string) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text));

const ORDER = {
  Equals: (a: number, b: number) => a === b,
  LessThan: (a: number, b: number) => a < b,
  LessThanEquals: (a: number, b: number) => a <= b,
  GreaterThan: (a: number, b: number) => a > b,
  GreaterThanEquals: (a: number, b: number) => a >= b,
};

/** Each of the six parts by itself: a star does not reach over a colon, but in the last part. */
const arnLike: Test = (have, want, scope) => {
  const [a, b] = [arnParts(have), arnParts(want)];
  return a !== undefined && b !== undefined && a.every((part, i) => like(part, b[i]!, scope));
};
function arnParts(arn: string): string[] | undefined {
  // A variable's own colon, as in ${aws:username}, separates nothing.
  const parts = arn.split(/:(?![^{}]*\})/);
  return parts.length < 6 ? undefined : [...parts.slice(0, 5), parts.slice(5).join(":")];
}

const bare = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, "");
const inNetwork: Test = (have, want) => {
  const address = bare(have);
  const [network, bits] = bare(want).split("/") as [string, string?];
  const version = isIP(network);
  if (version === 0 || isIP(address) !== version) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  const prefix = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
  if (!(prefix >= 0 && prefix <= (version === 4 ? 32 : 128))) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return list.check(address, family);
};

interface Rule {
  readonly test: Test;
  readonly negated?: true;
  /** The test puts variables in by itself, so that their values hold no wildcards. */
  readonly patterns?: true;
}

const RULES: Readonly<Record<string, Rule>> = {
  StringEquals: { test: equal },
  StringNotEquals: { test: equal, negated: true },
  StringEqualsIgnoreCase: { test: equalFold },
  StringNotEqualsIgnoreCase: { test: equalFold, negated: true },
  StringLike: { test: like, patterns: true },
  StringNotLike: { test: like, negated: true, patterns: true },
  ...comparisons("Numeric", number),
  ...comparisons("Date", date),
  Bool: { test: equalFold },
  BinaryEquals: { test: equal },
  IpAddress: { test: inNetwork },
  NotIpAddress: { test: inNetwork, negated: true },
  ArnEquals: { test: arnLike, patterns: true },
  ArnLike: { test: arnLike, patterns: true },
  ArnNotEquals: { test: arnLike, negated: true, patterns: true },
  ArnNotLike: { test: arnLike, negated: true, patterns: true },
};

function comparisons(prefix: string, read: (text: string) => number): Record<string, Rule> {
  const all = Object.entries(ORDER).map(([name, holds]): [string, Rule] => [
    prefix + name,
    { test: compare(read, holds) },
  ]);
  return { ...Object.fromEntries(all), [`${prefix}NotEquals`]: { test: compare(read, ORDER.Equals), negated: true } };
}

/** The operator in its parts; undefined where AWS has none of that name. Names ignore case. */
export function readOperator(text: string): Operator | undefined {
  const found = /^(?:(ForAllValues|ForAnyValue):)?(.+?)(IfExists)?$/i.exec(text);
  const name = NAMES.get(fold(found?.[2] ?? ""));
  if (!found || !name) return undefined;
  const ifExists = found[3] !== undefined;
  if (name === "Null" && (ifExists || found[1])) return undefined;
  const set = found[1] ? (fold(found[1]) === "forallvalues" ? "all" : "any") : undefined;
  return { text, name, ifExists, set };
}
const NAMES = new Map([...Object.keys(RULES), "Null"].map((name) => [fold(name), name]));

export function holds(condition: Condition, scope: Scope): boolean {
  const { name, ifExists, set } = condition.operator;
  const have = scope.keys.get(fold(condition.key)) ?? [];
  if (name === "Null") return condition.values.some((want) => (fold(want) === "true") === (have.length === 0));
  const { test, negated = false, patterns } = RULES[name]!;
  if (have.length === 0) return ifExists || set === "all" || (negated && set !== "any");
  const texts = condition.values.map((want) => (scope.variables ? substitute(want, scope.keys) : want));
  // A variable without a value makes the condition one that does not hold, whatever the operator.
  if (texts.includes(undefined)) return false;
  const values = patterns ? condition.values : (texts as string[]);
  const one = (value: string) => values.some((want) => test(value, want, scope)) !== negated;
  return set === "all" || (!set && negated) ? have.every(one) : have.some(one);
}
