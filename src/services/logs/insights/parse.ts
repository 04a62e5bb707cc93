// A Logs Insights query as a list of commands. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
import { PatternFault, Scanner } from "../filter-pattern/scanner.ts";
import { AGGREGATES, FUNCTIONS } from "./functions.ts";
import type { Period } from "./time.ts";

export type Expression =
  | { readonly kind: "literal"; readonly value: string | number | boolean | Period | RegExp | undefined }
  | { readonly kind: "list"; readonly items: readonly Expression[] }
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: "operation"; readonly name: string; readonly args: readonly Expression[] };

/** With the name under which it is shown: the alias, or its own text. */
export interface Column {
  readonly name: string;
  readonly expression: Expression;
}

/** `text`: as it stands in the query. After stats it may be a column of that name. */
export interface Order {
  readonly text: string;
  readonly expression: Expression;
  readonly descending: boolean;
}

export type Command =
  | { readonly kind: "fields"; readonly columns: readonly Column[] }
  | { readonly kind: "display"; readonly columns: readonly Column[] }
  | { readonly kind: "filter"; readonly condition: Expression }
  | { readonly kind: "stats"; readonly columns: readonly Column[]; readonly by: readonly Column[] }
  | { readonly kind: "sort"; readonly by: readonly Order[] }
  | { readonly kind: "limit"; readonly count: number }
  | { readonly kind: "parse"; readonly of: Expression; readonly pattern: RegExp; readonly names: readonly string[] }
  | { readonly kind: "dedup"; readonly by: readonly Expression[] };

/** Commands of AWS's that are not done here. */
export class NotDone extends Error {}
const NOT_DONE = [
  "pattern",
  "diff",
  "unmask",
  "unnest",
  "anomaly",
  "filterIndex",
  "source",
  "lookup",
  "join",
  "append",
];

export { PatternFault };

export function parseQuery(text: string): Command[] {
  const scanner = new Scanner(text.replaceAll(/^\s*#.*$/gm, (comment) => " ".repeat(comment.length)));
  const commands: Command[] = [];
  do {
    scanner.space();
    if (scanner.done) break;
    commands.push(command(scanner));
  } while (scanner.take("|"));
  scanner.space();
  if (!scanner.done) throw scanner.fault(`unexpected symbol found ${scanner.text[scanner.at]}`);
  return commands;
}

function command(scanner: Scanner): Command {
  const name = scanner.match(/[a-zA-Z]+/y)?.[0] ?? "";
  switch (name.toLowerCase()) {
    case "fields":
      return { kind: "fields", columns: list(scanner, column) };
    case "display":
      return { kind: "display", columns: list(scanner, column) };
    case "filter":
    case "where":
      return { kind: "filter", condition: expression(scanner) };
    case "stats": {
      const columns = list(scanner, column);
      return { kind: "stats", columns, by: word(scanner, "by") ? list(scanner, column) : [] };
    }
    case "sort":
    case "order": {
      if (name.toLowerCase() === "order" && !word(scanner, "by")) throw scanner.fault("by is expected");
      return { kind: "sort", by: list(scanner, order) };
    }
    case "limit":
    case "head": {
      const count = scanner.match(/\d+/y)?.[0];
      if (count === undefined) throw scanner.fault("a number is expected");
      return { kind: "limit", count: Number(count) };
    }
    case "parse":
      return parseCommand(scanner);
    case "dedup":
      return { kind: "dedup", by: list(scanner, expression) };
  }
  const known = NOT_DONE.find((one) => one.toLowerCase() === name.toLowerCase());
  if (known) throw new NotDone(known);
  throw scanner.fault(`unexpected symbol found ${name || scanner.text[scanner.at]}`);
}

function list<T>(scanner: Scanner, item: (scanner: Scanner) => T): T[] {
  const items = [item(scanner)];
  while (scanner.take(",")) items.push(item(scanner));
  return items;
}

/** A keyword, in any case. */
function word(scanner: Scanner, keyword: string): boolean {
  return scanner.match(new RegExp(`${keyword}(?![\\w@.])`, "iy")) !== undefined;
}

function column(scanner: Scanner): Column {
  scanner.space();
  const start = scanner.at;
  const found = expression(scanner);
  const text = scanner.text.slice(start, scanner.at).trim();
  if (word(scanner, "as")) return { name: fieldName(scanner), expression: found };
  return { name: found.kind === "field" ? found.name : text, expression: found };
}

function order(scanner: Scanner): Order {
  scanner.space();
  const start = scanner.at;
  const found = expression(scanner);
  const text = scanner.text.slice(start, scanner.at).trim();
  const descending = word(scanner, "desc");
  if (!descending) word(scanner, "asc");
  return { text, expression: found, descending };
}

function fieldName(scanner: Scanner): string {
  scanner.space();
  if (scanner.text[scanner.at] === "`") return scanner.quoted("`");
  const name = scanner.match(/[@\w][\w@.-]*/y)?.[0];
  if (name === undefined) throw scanner.fault("a field is expected");
  return name;
}

/** `parse FIELD "glob * *" as a, b`, or `parse FIELD /(?<a>...)/`. Without a field: the message. */
function parseCommand(scanner: Scanner): Command {
  scanner.space();
  const first = scanner.text[scanner.at];
  const of: Expression =
    first === '"' || first === "'" || first === "/" ? { kind: "field", name: "@message" } : primary(scanner);
  scanner.space();
  const quote = scanner.text[scanner.at];
  if (quote === "/") {
    const pattern = regex(scanner);
    const names = [...pattern.source.matchAll(/\(\?<([^>=!]+)>/g)].map(([, name]) => name!);
    if (names.length === 0) throw scanner.fault("a named group is expected");
    return { kind: "parse", of, pattern, names };
  }
  if (quote !== '"' && quote !== "'") throw scanner.fault("a pattern is expected");
  const glob = unescaped(scanner.quoted(quote));
  if (!word(scanner, "as")) throw scanner.fault("as is expected");
  const names = list(scanner, fieldName);
  const parts = glob.split("*");
  if (names.length !== parts.length - 1)
    throw scanner.fault(`the pattern has ${parts.length - 1} wildcards for ${names.length} fields`);
  const quoted = parts.map((part) => part.replace(/[.+?^${}()|[\]\\/-]/g, "\\$&"));
  // The last wildcard takes the rest, where nothing follows it.
  const body = quoted.reduce(
    (all, part, i) => `${all}${i === quoted.length - 1 && part === "" ? "([^]*)" : "([^]*?)"}${part}`,
  );
  return { kind: "parse", of, pattern: new RegExp(body), names };
}

function regex(scanner: Scanner): RegExp {
  const source = scanner.quoted("/");
  const insensitive = source.startsWith("(?i)");
  try {
    return new RegExp(insensitive ? source.slice(4) : source, insensitive ? "i" : "");
  } catch (error) {
    throw scanner.fault(`${source} is no regular expression: ${(error as Error).message}`);
  }
}

const unescaped = (text: string): string => text.replaceAll(/\\(["'\\/])/g, "$1");

// From what binds least to what binds most.

const expression = (scanner: Scanner): Expression => either(scanner);

function either(scanner: Scanner): Expression {
  let left = both(scanner);
  while (word(scanner, "or") || scanner.take("||")) left = operation("or", left, both(scanner));
  return left;
}

function both(scanner: Scanner): Expression {
  let left = negated(scanner);
  while (word(scanner, "and") || scanner.take("&&")) left = operation("and", left, negated(scanner));
  return left;
}

function negated(scanner: Scanner): Expression {
  if (word(scanner, "not") || scanner.match(/!(?!=)/y)) return operation("not", negated(scanner));
  return compared(scanner);
}

const operation = (name: string, ...args: Expression[]): Expression => ({ kind: "operation", name, args });

function compared(scanner: Scanner): Expression {
  const left = sum(scanner);
  const negative = scanner.match(/not(?=\s+(like|in)\b)/iy) !== undefined;
  const wrap = (found: Expression): Expression => (negative ? operation("not", found) : found);
  if (word(scanner, "in")) return wrap(operation("in", left, listLiteral(scanner)));
  if (word(scanner, "like")) return wrap(operation("like", left, operand(scanner)));
  if (scanner.take("=~")) return operation("like", left, operand(scanner));
  const name = scanner.match(/!=|<=|>=|==?|<|>/y)?.[0];
  if (name === undefined) return left;
  return operation(name === "==" ? "=" : name, left, sum(scanner));
}

/** Of `like`: a regular expression may stand there. */
function operand(scanner: Scanner): Expression {
  scanner.space();
  return scanner.text[scanner.at] === "/" ? { kind: "literal", value: regex(scanner) } : sum(scanner);
}

function listLiteral(scanner: Scanner): Expression {
  scanner.need("[");
  const items = scanner.take("]") ? [] : list(scanner, expression);
  if (items.length > 0) scanner.need("]");
  return { kind: "list", items };
}

function sum(scanner: Scanner): Expression {
  let left = product(scanner);
  for (let name = scanner.match(/[+-]/y)?.[0]; name !== undefined; name = scanner.match(/[+-]/y)?.[0])
    left = operation(name, left, product(scanner));
  return left;
}

function product(scanner: Scanner): Expression {
  let left = power(scanner);
  for (let name = scanner.match(/[*/%]/y)?.[0]; name !== undefined; name = scanner.match(/[*/%]/y)?.[0])
    left = operation(name, left, power(scanner));
  return left;
}

function power(scanner: Scanner): Expression {
  const left = unary(scanner);
  return scanner.take("^") ? operation("^", left, power(scanner)) : left;
}

function unary(scanner: Scanner): Expression {
  if (scanner.take("-")) return operation("-", { kind: "literal", value: 0 }, unary(scanner));
  return primary(scanner);
}

const PERIOD =
  /(\d+)\s*(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|months?|mon|mo|m|hours?|hrs?|hr|h|days?|d|weeks?|w|quarters?|qtrs?|q|years?|yrs?|yr|y)(?!\w)/iy;

function primary(scanner: Scanner): Expression {
  scanner.space();
  const quote = scanner.text[scanner.at];
  if (quote === '"' || quote === "'") return { kind: "literal", value: unescaped(scanner.quoted(quote)) };
  if (scanner.take("(")) {
    const inner = expression(scanner);
    scanner.need(")");
    return inner;
  }
  if (quote === "[") return listLiteral(scanner);
  const period = scanner.match(PERIOD);
  if (period) return { kind: "literal", value: { count: Number(period[1]), unit: period[2]!.toLowerCase() } };
  const number = scanner.match(/\d+(\.\d+)?([eE][+-]?\d+)?(?![\w@])/y)?.[0];
  if (number !== undefined) return { kind: "literal", value: Number(number) };
  if (quote === "*") throw scanner.fault("unexpected symbol found *");
  const called = scanner.match(/([a-zA-Z_]\w*)\s*\(/y)?.[1];
  if (called !== undefined) return call(scanner, called);
  if (quote === "`") return { kind: "field", name: scanner.quoted("`") };
  const name = scanner.match(/[@$a-zA-Z_][\w@$]*(\.[\w@$]+|\[\d+\])*/y)?.[0];
  if (name === undefined) throw scanner.fault(`unexpected symbol found ${quote ?? "<EOF>"}`);
  if (/^(true|false)$/i.test(name)) return { kind: "literal", value: name.toLowerCase() === "true" };
  return /^null$/i.test(name) ? { kind: "literal", value: undefined } : { kind: "field", name };
}

function call(scanner: Scanner, given: string): Expression {
  const name = [...FUNCTIONS, ...AGGREGATES].find((one) => one.toLowerCase() === given.toLowerCase());
  if (name === undefined) throw scanner.fault(`unknown function ${given}`);
  if (scanner.take("*")) {
    scanner.need(")");
    return { kind: "call", name, args: [] };
  }
  if (scanner.take(")")) return { kind: "call", name, args: [] };
  const args = list(scanner, expression);
  scanner.need(")");
  return { kind: "call", name, args };
}
