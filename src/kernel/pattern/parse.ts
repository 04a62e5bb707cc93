// A pattern's text -> rules, of which one must hold: a rule is a set of paths with what may stand there, and `$or` makes more rules of one.
import { PatternFault } from "./fault.ts";
import { readTest, type Test } from "./operators.ts";
import { type Shown, Tokens } from "./tokens.ts";

/** One path of a rule. Keys are joined with dots, as AWS does: `{"a": {"b": ...}}` and `{"a.b": ...}` are the same. */
export interface Field {
  readonly path: string;
  /** Its first key. */
  readonly top: string;
  /** How many keys. */
  readonly depth: number;
  /** Any of them. */
  readonly tests: readonly Test[];
}

export type Rule = ReadonlyMap<string, Field>;

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html: beyond it, `$or` is refused. */
const MOST_RULES = 1000;
/** Jackson's limit. */
const DEEPEST = 1000;

/** Of field names in an object of `$or`'s list: AWS keeps them for itself. */
const RESERVED = new Set([
  ...[
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "html",
  ],
  ...["=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"],
  ...["date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"],
  ...["ip-address-in-range", "ip-address-not-in-range"],
]);

/** Throws a PatternFault. What comes after the object's end is not looked at. */
export function parseRules(text: string, shown: Shown): readonly Rule[] {
  const tokens = new Tokens(text, shown);
  if (tokens.next() !== "{") throw tokens.fault("Filter is not an object");
  return readObject(tokens, [new Map()], { path: [], inOr: false });
}

interface Where {
  readonly path: readonly string[];
  readonly inOr: boolean;
}

/** Behind `{`: what each of `rules` becomes with it. A path that is named again replaces what was said of it. */
function readObject(tokens: Tokens, rules: readonly Rule[], where: Where): readonly Rule[] {
  let all = rules;
  let any = false;
  for (let token = tokens.next(); token !== "}"; token = tokens.next()) {
    any = true;
    const name = tokens.text;
    if (name === "$or") all = readOr(tokens, all, where);
    else {
      if (where.inOr && RESERVED.has(name))
        throw tokens.fault(`${name} is Ruler reserved fieldName which cannot be used inside $or.`);
      const path = [...where.path, name];
      const value = tokens.next();
      if (path.length > DEEPEST) throw tokens.fault("Document nesting depth exceeds the maximum allowed (1000)");
      if (value === "{") all = readObject(tokens, all, { path, inOr: where.inOr });
      else if (value === "[") {
        const field = readField(tokens, path);
        all = all.map((rule) => new Map(rule).set(field.path, field));
      } else throw tokens.fault(`"${name}" must be an object or an array`);
    }
  }
  if (!any) throw tokens.fault("Empty objects are not allowed");
  return all;
}

function readField(tokens: Tokens, path: readonly string[]): Field {
  const tests: Test[] = [];
  for (let token = tokens.next(); token !== "]"; token = tokens.next()) tests.push(readTest(tokens, token));
  if (tests.length === 0) throw tokens.fault("Empty arrays are not allowed");
  return { path: path.join("."), top: path[0]!, depth: path.length, tests };
}

function readOr(tokens: Tokens, rules: readonly Rule[], { path }: Where): readonly Rule[] {
  if (tokens.next() !== "[") throw tokens.fault("It must be an Array followed with $or.");
  const all: Rule[] = [];
  let count = 0;
  for (let token = tokens.next(); token !== "]"; token = tokens.next()) {
    if (token !== "{") throw tokens.fault("Only JSON object is allowed in array of $or relationship.");
    all.push(...readObject(tokens, rules, { path, inOr: true }));
    if (all.length > MOST_RULES) throw new PatternFault("Rule is too complex - try using fewer $or combinations");
    count++;
  }
  if (count < 2) throw tokens.fault("There must have at least 2 Objects in $or relationship.");
  return all;
}
