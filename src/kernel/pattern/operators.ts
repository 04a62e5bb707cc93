// One entry of a pattern's list: a value, or an object with an operator in it. Messages and their order are AWS's, as its open-source Event Ruler has them.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
import { parseCidr } from "./cidr.ts";
import { PatternFault } from "./fault.ts";
import type { Token, Tokens } from "./tokens.ts";
import { parseWildcard, TOO_COMPLEX } from "./wildcard.ts";

export type Value = string | number | boolean | null;

export type Test =
  /** True for this value alone. */
  | { readonly kind: "exact"; readonly value: Value }
  | { readonly kind: "prefix"; readonly text: string }
  | { readonly kind: "test"; readonly holds: (value: Value) => boolean }
  | { readonly kind: "exists" }
  /** True where the event has nothing at the path. */
  | { readonly kind: "absent" };

/** Reads the entry that begins with `token`. */
export function readTest(tokens: Tokens, token: Token): Test {
  switch (token) {
    case "string":
      return { kind: "exact", value: tokens.text };
    case "number":
      return { kind: "exact", value: Number(tokens.text) };
    case "true":
    case "false":
      return { kind: "exact", value: token === "true" };
    case "null":
      return { kind: "exact", value: null };
    case "{":
      return readOperator(tokens);
    default:
      throw tokens.fault("Match value must be String, number, true, false, or null");
  }
}

function readOperator(tokens: Tokens): Test {
  if (tokens.next() !== "name") throw tokens.fault("Match expression name not found");
  const name = tokens.text;
  const read = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (!read) throw tokens.fault(`Unrecognized match type ${name}`);
  return read(tokens);
}

const OPERATORS: Readonly<Record<string, (tokens: Tokens) => Test>> = {
  exactly: (tokens) => ({ kind: "exact", value: readText(tokens, "exact match pattern must be a string") }),
  prefix: (tokens) => readEnd(tokens, "prefix", { plain: (text) => ({ kind: "prefix", text }), compile: startsWith }),
  suffix: (tokens) => readEnd(tokens, "suffix", { plain: (text) => onText(endsWith(text)), compile: endsWith }),
  "equals-ignore-case": (tokens) => {
    const text = readText(tokens, "equals-ignore-case match pattern must be a string").toLowerCase();
    return onText((value) => value.toLowerCase() === text);
  },
  wildcard(tokens) {
    if (tokens.next() !== "string") throw tokens.fault("wildcard match pattern must be a string");
    const matches = compileWildcard(tokens);
    end(tokens, ONE_KEY);
    return onText(matches);
  },
  cidr(tokens) {
    // AWS's message does speak of a prefix.
    if (tokens.next() !== "string") throw tokens.fault("prefix match pattern must be a string");
    const holds = parseCidr(tokens.text);
    end(tokens, ONE_KEY);
    return onText(holds);
  },
  exists(tokens) {
    const token = tokens.next();
    if (token !== "true" && token !== "false") throw tokens.fault("exists match pattern must be either true or false.");
    end(tokens, ONE_KEY);
    return { kind: token === "true" ? "exists" : "absent" };
  },
  numeric(tokens) {
    if (tokens.next() !== "[") throw tokens.fault("Value of numeric must be an array.");
    const holds = readNumeric(tokens);
    end(tokens, TOO_MANY);
    return { kind: "test", holds: (value) => isComparable(value) && holds(scaled(value)) };
  },
  "anything-but": (tokens) => {
    const but = readAnythingBut(tokens);
    return { kind: "test", holds: (value) => !but(value) };
  },
};

const ONE_KEY = "Only one key allowed in match expression";
const TOO_MANY = "Too many elements in numeric expression";

const startsWith = (text: string) => (value: string) => value.startsWith(text);
const endsWith = (text: string) => (value: string) => value.endsWith(text);

const onText = (holds: (value: string) => boolean): Test => ({
  kind: "test",
  holds: (value) => typeof value === "string" && holds(value),
});

function end(tokens: Tokens, otherwise: string): void {
  if (tokens.next() !== "}") throw tokens.fault(otherwise);
}

function readText(tokens: Tokens, otherwise: string): string {
  if (tokens.next() !== "string") throw tokens.fault(otherwise);
  const { text } = tokens;
  end(tokens, ONE_KEY);
  return text;
}

interface End {
  plain(text: string): Test;
  compile(text: string): (value: string) => boolean;
}

/** `prefix` and `suffix`: a text, or `{"equals-ignore-case": text}`. */
function readEnd(tokens: Tokens, name: string, { plain, compile }: End): Test {
  const token = tokens.next();
  if (token === "{") {
    const title = name === "prefix" ? "Prefix" : "Suffix";
    if (tokens.next() !== "name") throw tokens.fault(`${title} expression name not found`);
    if (tokens.text !== "equals-ignore-case") throw tokens.fault(`Unsupported ${name} pattern: ${tokens.text}`);
    const holds = compile(readText(tokens, "equals-ignore-case match pattern must be a string").toLowerCase());
    end(tokens, ONE_KEY);
    return onText((value) => holds(value.toLowerCase()));
  }
  if (token !== "string") throw tokens.fault(`${name} match pattern must be a string`);
  const test = plain(tokens.text);
  end(tokens, ONE_KEY);
  return test;
}

function compileWildcard(tokens: Tokens): (value: string) => boolean {
  const { text } = tokens;
  const { matches, tooComplex } = placed(tokens, () => parseWildcard(text));
  if (tooComplex) throw new PatternFault(TOO_COMPLEX);
  return matches;
}

/** A fault that names no place gets the present one. */
function placed<T>(tokens: Tokens, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof PatternFault ? tokens.fault(error.reason) : error;
  }
}

// Numbers: -5e9 to 5e9, precise to six digits behind the point; what is beyond compares with nothing.
const FURTHEST = 5e9;
const PRECISION = 1e6;

const isComparable = (value: Value): value is number => typeof value === "number" && Math.abs(value) <= FURTHEST;
const scaled = (value: number): number => Math.round(value * PRECISION);

function numberOf(tokens: Tokens): number {
  const value = Number(tokens.text);
  if (!isComparable(value)) throw new PatternFault("Value must be between -5.0E9 and 5.0E9, inclusive");
  return scaled(value);
}

const COMPARE: Readonly<Record<string, (value: number, to: number) => boolean>> = {
  "=": (value, to) => value === to,
  "<": (value, to) => value < to,
  "<=": (value, to) => value <= to,
  ">": (value, to) => value > to,
  ">=": (value, to) => value >= to,
};

/** Behind `[`: an operator and a number; after `>` and `>=` perhaps `<` or `<=` and another. */
function readNumeric(tokens: Tokens): (value: number) => boolean {
  if (tokens.next() !== "string") throw tokens.fault(`Invalid member in numeric match: ${tokens.text}`);
  const operator = tokens.text;
  const token = tokens.next();
  const compare = Object.hasOwn(COMPARE, operator) ? COMPARE[operator] : undefined;
  if (!compare) throw tokens.fault(`Unrecognized numeric range operator: ${operator}`);
  if (token !== "number") throw tokens.fault(`Value of ${operator === "=" ? "equals" : operator} must be numeric`);
  const written = tokens.text;
  const bound = placed(tokens, () => numberOf(tokens));
  const more = tokens.next();
  if (more === "]") return (value) => compare(value, bound);
  if (operator !== ">" && operator !== ">=") throw tokens.fault(TOO_MANY);
  if (more !== "string") throw tokens.fault(`Bad value in numeric range: ${tokens.text}`);
  const second = tokens.text;
  if (second !== "<" && second !== "<=") throw tokens.fault(`Bad numeric range operator: ${second}`);
  if (tokens.next() !== "number") throw tokens.fault(`Value of ${second} must be numeric`);
  const top = placed(tokens, () => numberOf(tokens));
  const high = Number(tokens.text);
  if (tokens.next() !== "]") throw tokens.fault("Too many terms in numeric range expression");
  if (Number(written) >= high) throw tokens.fault("Bottom must be less than top");
  return (value) => compare(value, bound) && COMPARE[second]!(value, top);
}

/** What must not be. */
function readAnythingBut(tokens: Tokens): (value: Value) => boolean {
  const token = tokens.next();
  if (token === "{") return readAnythingButThat(tokens);
  const single = token === "string" || token === "number";
  if (!single && token !== "[") throw tokens.fault(NO_ANYTHING_BUT);
  const values = single ? [anythingButValue(tokens, token)] : placed(tokens, () => readList(tokens));
  end(tokens, TOO_MANY);
  const refused = new Set<Value>(values);
  return (value) => {
    if (typeof value !== "number") return refused.has(value);
    return isComparable(value) && refused.has(scaled(value));
  };
}

const NO_ANYTHING_BUT = "Value of anything-but must be an array or single string/number value.";

const anythingButValue = (tokens: Tokens, token: "string" | "number"): Value =>
  token === "string" ? tokens.text : numberOf(tokens);

/** AWS's messages from within a list name their place twice. */
function readList(tokens: Tokens): Value[] {
  const values: Value[] = [];
  for (let token = tokens.next(); token !== "]"; token = tokens.next()) {
    if (token !== "string" && token !== "number")
      throw tokens.fault("Inside anything but list, start|null|boolean is not supported.");
    values.push(anythingButValue(tokens, token));
  }
  if (new Set(values.map((value) => typeof value)).size !== 1)
    throw new PatternFault(
      "Inside anything but list, either all values are number or string, mixed type is not supported",
    );
  return values;
}

interface But {
  readonly otherwise: string;
  compile(text: string, tokens: Tokens): (value: string) => boolean;
}

const ENDS = "prefix/suffix match pattern must be a string";

const BUTS: Readonly<Record<string, But>> = {
  prefix: { otherwise: ENDS, compile: (text, tokens) => startsWith(notEmpty(text, tokens)) },
  suffix: { otherwise: ENDS, compile: (text, tokens) => endsWith(notEmpty(text, tokens)) },
  wildcard: {
    otherwise: "wildcard match pattern must be a string",
    compile: (_text, tokens) => compileWildcard(tokens),
  },
  "equals-ignore-case": {
    otherwise: "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    compile: (text) => (value) => value.toLowerCase() === text.toLowerCase(),
  },
};

function notEmpty(text: string, tokens: Tokens): string {
  if (text === "") throw tokens.fault("Null prefix/suffix not allowed");
  return text;
}

/** `{"prefix": "a"}`, or a list of texts. */
function readAnythingButThat(tokens: Tokens): (value: Value) => boolean {
  if (tokens.next() !== "name") throw tokens.fault("Anything-But expression name not found");
  const but = Object.hasOwn(BUTS, tokens.text) ? BUTS[tokens.text] : undefined;
  if (!but) throw tokens.fault(`Unsupported anything-but pattern: ${tokens.text}`);
  const token = tokens.next();
  if (token !== "string" && token !== "number" && token !== "[") throw tokens.fault(NO_ANYTHING_BUT);
  const read = (each: Token) => {
    if (each !== "string") throw tokens.fault(but.otherwise);
    return but.compile(tokens.text, tokens);
  };
  const tests = token === "[" ? placed(tokens, () => readAll(tokens, read)) : [read(token)];
  end(tokens, TOO_MANY);
  end(tokens, TOO_MANY);
  return (value) => typeof value === "string" && tests.some((holds) => holds(value));
}

function readAll<T>(tokens: Tokens, read: (token: Token) => T): T[] {
  const all: T[] = [];
  for (let token = tokens.next(); token !== "]"; token = tokens.next()) all.push(read(token));
  return all;
}
