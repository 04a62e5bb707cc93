// `= 4*`, `!= "a b"`, `> 1000`, `= %regex%`: what a field is compared with.
import type { Scanner } from "./scanner.ts";
import { PatternFault } from "./scanner.ts";

export type Test = (value: string | number | boolean) => boolean;

const OPERATORS = ["!=", "<=", ">=", "=", "<", ">"] as const;
type Operator = (typeof OPERATORS)[number];

/** Undefined: there is no comparison here. */
export function comparison(scanner: Scanner): Test | undefined {
  const operator = OPERATORS.find((one) => scanner.take(one));
  if (operator === undefined) return undefined;
  scanner.space();
  const first = scanner.text[scanner.at];
  if (first === "%") {
    const regex = regexOf(scanner.quoted("%"));
    return equality(operator, (value) => regex.test(String(value)), scanner);
  }
  if (first === '"') {
    const like = wildcard(scanner.quoted('"'));
    return equality(operator, (value) => typeof value === "string" && like(value), scanner);
  }
  const bare = scanner.match(/[^\s&|()[\]{},"%]+/y)?.[0];
  if (bare === undefined) throw scanner.fault("a value is expected");
  return against(operator, bare, scanner);
}

function equality(operator: Operator, test: Test, scanner: Scanner): Test {
  if (operator === "=") return test;
  if (operator === "!=") return (value) => !test(value);
  throw scanner.fault(`${operator} takes a number`);
}

const ORDER: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

function against(operator: Operator, bare: string, scanner: Scanner): Test {
  const number = numberOf(bare);
  const order = ORDER[operator];
  if (order) {
    if (number === undefined) throw scanner.fault(`${operator} takes a number`);
    return (value) => {
      const given = typeof value === "boolean" ? undefined : numberOf(value);
      return given !== undefined && order(given, number);
    };
  }
  const like = wildcard(bare);
  const test: Test = (value) =>
    number !== undefined && typeof value === "number" ? value === number : like(String(value));
  return equality(operator, test, scanner);
}

/** Undefined: no number. */
export function numberOf(value: string | number): number | undefined {
  if (typeof value === "number") return value;
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value) ? Number(value) : undefined;
}

/** `*` stands for any characters, `\` takes what follows as it is. */
function wildcard(pattern: string): (value: string) => boolean {
  const source = [...pattern.matchAll(/\\(.)|([\s\S])/g)]
    .map(([, escaped, plain]) =>
      plain === "*" ? "[\\s\\S]*" : (escaped ?? plain!).replace(/[.*+?^${}()|[\]\\/-]/, "\\$&"),
    )
    .join("");
  const regex = new RegExp(`^${source}$`);
  return (value) => regex.test(value);
}

/** AWS takes a part of what a RegExp is: no look-around, no references. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html */
export function regexOf(source: string): RegExp {
  if (/\(\?|\\[1-9]/.test(source))
    throw new PatternFault(`the regular expression ${source} uses what is not supported`);
  try {
    return new RegExp(source.replaceAll("\\%", "%"));
  } catch (error) {
    throw new PatternFault(`${source} is no regular expression: ${(error as Error).message}`);
  }
}
