// Condition operators, each made into one test when the policy is read.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// Several operators and keys: all must hold. Several values: one must (for the negated operators: none may).
// A key that is not in the request: the operator does not hold, a negated one does, ...IfExists and ForAllValues do.
import { BlockList, isIP } from "node:net";
import { compile, type Keyed, matches, type Pattern, substitute } from "./pattern.ts";

export interface Condition {
  readonly operator: Operator;
  /** As written. */
  readonly key: string;
  /** As the request's keys are called: in lower case. */
  readonly name: string;
  readonly values: readonly string[];
  /** It looks at more keys than its own. */
  readonly variables: boolean;
  readonly test: Test;
}

export interface Operator {
  /** As written: `ForAllValues:StringLikeIfExists`. */
  readonly text: string;
  readonly name: string;
  readonly ifExists: boolean;
  readonly set?: "all" | "any";
}

/** Whether a value of the request is one of those that the policy names; undefined: a variable has no value. */
type Test = (have: string, keyed: Keyed) => boolean | undefined;
/** The test for all values of a policy at once. */
type Maker = (wanted: readonly string[]) => Test;

interface Rule {
  readonly make: Maker;
  /** Where variables stand in the values: AWS knows them in strings and ARNs only. */
  readonly makeVariable?: Maker;
  readonly negated?: true;
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

/** `variables`: the policy knows them. */
export function compileCondition(
  operator: Operator,
  { key, values, variables }: { key: string; values: readonly string[]; variables: boolean },
): Condition {
  const rule = RULES[operator.name];
  const make = variables && values.some((value) => value.includes("${")) ? rule?.makeVariable : undefined;
  const test = (make ?? rule?.make ?? never)(values);
  return { operator, key, name: fold(key), values, variables: make !== undefined, test };
}

export function holds({ operator, name, values, test }: Condition, keyed: Keyed): boolean {
  const { ifExists, set } = operator;
  const have = keyed.keys.get(name) ?? [];
  if (operator.name === "Null") return values.some((want) => (fold(want) === "true") === (have.length === 0));
  const negated = RULES[operator.name]!.negated === true;
  // To a set, a value that is empty is none.
  if (have.length === 0 || (set && have.every((value) => value === "")))
    return ifExists || set === "all" || (negated && set !== "any");
  const every = set === "all" || (!set && negated);
  for (const value of have) {
    const found = test(value, keyed);
    // A variable without a value makes the condition one that does not hold, whatever the operator.
    if (found === undefined) return false;
    if ((found !== negated) !== every) return !every;
  }
  return every;
}

const fold = (text: string) => text.toLowerCase();
const never: Maker = () => () => false;

/** Exactly one of them. `as` makes the same what counts as the same. */
const exactly =
  (as: (text: string) => string): Maker =>
  (wanted) => {
    const all = new Set(wanted.map(as));
    return (have) => all.has(as(have));
  };

const exactlyVariable =
  (as: (text: string) => string): Maker =>
  (wanted) =>
  (have, { keys }) => {
    const all = wanted.map((want) => substitute(want, keys));
    return all.includes(undefined) ? undefined : all.some((want) => as(want!) === as(have));
  };

const anyPattern = (found: readonly (boolean | undefined)[]): boolean | undefined =>
  found.includes(undefined) ? undefined : found.includes(true);

const like =
  ({ variables }: { variables: boolean }): Maker =>
  (wanted) => {
    const patterns = wanted.map((want) => compile(want, { variables }));
    return (have, keyed) => anyPattern(patterns.map((pattern) => matches(pattern, have, keyed)));
  };

/** Each of the six parts by itself: a star does not reach over a colon, but in the last part. */
const arnLike =
  ({ variables }: { variables: boolean }): Maker =>
  (wanted) => {
    const all = wanted.map((want) => arnParts(want)?.map((part) => compile(part, { variables })));
    return (have, keyed) => {
      const parts = arnParts(have);
      return anyPattern(all.map((patterns) => allParts(patterns, { parts, keyed })));
    };
  };

function allParts(
  patterns: readonly Pattern[] | undefined,
  { parts, keyed }: { parts: readonly string[] | undefined; keyed: Keyed },
): boolean | undefined {
  if (!patterns || !parts) return false;
  const found = patterns.map((pattern, i) => matches(pattern, parts[i]!, keyed));
  return found.includes(undefined) ? undefined : !found.includes(false);
}

function arnParts(arn: string): string[] | undefined {
  // A variable's own colon, as in ${aws:username}, separates nothing.
  const parts = arn.split(/:(?![^{}]*\})/);
  return parts.length < 6 ? undefined : [...parts.slice(0, 5), parts.slice(5).join(":")];
}

const ordered =
  (read: (text: string) => number, holds: (have: number, want: number) => boolean): Maker =>
  (wanted) => {
    const all = wanted.map(read).filter((want) => !Number.isNaN(want));
    return (have) => {
      const value = read(have);
      return !Number.isNaN(value) && all.some((want) => holds(value, want));
    };
  };

const number = (text: string) => (/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN);

// https://www.w3.org/TR/NOTE-datetime; what names no zone is UTC. Five digits and more are seconds since the epoch, four a year.
const W3C = /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?$/i;
function date(text: string): number {
  if (/^-?\d{5,}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const found = W3C.exec(text);
  return found ? Date.parse(found[3] && !found[6] ? `${text}Z` : text) : Number.NaN;
}

const bare = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, "");
const familyOf = (address: string) => FAMILIES[isIP(address)];
const FAMILIES: Readonly<Record<number, "ipv4" | "ipv6">> = { 4: "ipv4", 6: "ipv6" };

/** A list for each family: to a BlockList, ::/0 holds IPv4 addresses too. */
const inNetworks: Maker = (wanted) => {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const want of wanted) {
    const [network, bits] = bare(want).split("/") as [string, string?];
    const family = familyOf(network);
    const longest = family === "ipv4" ? 32 : 128;
    if (!family || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= longest))) continue;
    lists[family].addSubnet(network, Number(bits ?? longest), family);
  }
  return (have) => {
    const address = bare(have);
    const family = familyOf(address);
    return family !== undefined && lists[family].check(address, family);
  };
};

const as = (text: string) => text;
const bytes = (base64: string) => Buffer.from(base64, "base64").toString("hex");
const strings = { make: exactly(as), makeVariable: exactlyVariable(as) };
const folded = { make: exactly(fold), makeVariable: exactlyVariable(fold) };
const stringsLike = { make: like({ variables: false }), makeVariable: like({ variables: true }) };
const arns = { make: arnLike({ variables: false }), makeVariable: arnLike({ variables: true }) };
const negated = true;

const RULES: Readonly<Record<string, Rule>> = {
  StringEquals: strings,
  StringNotEquals: { ...strings, negated },
  StringEqualsIgnoreCase: folded,
  StringNotEqualsIgnoreCase: { ...folded, negated },
  StringLike: stringsLike,
  StringNotLike: { ...stringsLike, negated },
  ...comparisons("Numeric", number),
  ...comparisons("Date", date),
  Bool: { make: exactly(fold) },
  BinaryEquals: { make: exactly(bytes) },
  IpAddress: { make: inNetworks },
  NotIpAddress: { make: inNetworks, negated },
  ArnEquals: arns,
  ArnLike: arns,
  ArnNotEquals: { ...arns, negated },
  ArnNotLike: { ...arns, negated },
};

function comparisons(prefix: string, read: (text: string) => number): Record<string, Rule> {
  return {
    [`${prefix}Equals`]: { make: ordered(read, (have, want) => have === want) },
    [`${prefix}NotEquals`]: { make: ordered(read, (have, want) => have === want), negated },
    [`${prefix}LessThan`]: { make: ordered(read, (have, want) => have < want) },
    [`${prefix}LessThanEquals`]: { make: ordered(read, (have, want) => have <= want) },
    [`${prefix}GreaterThan`]: { make: ordered(read, (have, want) => have > want) },
    [`${prefix}GreaterThanEquals`]: { make: ordered(read, (have, want) => have >= want) },
  };
}

const NAMES = new Map([...Object.keys(RULES), "Null"].map((name) => [fold(name), name]));
