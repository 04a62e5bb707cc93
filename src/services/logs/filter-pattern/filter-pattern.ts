// The filter-pattern language of FilterLogEvents, metric filters, subscription filters and live tail: terms, JSON, or space-delimited fields.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
import { compileFields } from "./fields.ts";
import { compileJson } from "./json.ts";
import { regexOf } from "./operand.ts";
import { PatternFault, Scanner } from "./scanner.ts";

export { PatternFault };

/** What a message that matches has to say. */
export interface Match {
  /** For TestMetricFilter: the values of the selectors and fields that the pattern names. */
  readonly extracted: Readonly<Record<string, string>>;
  /** Of `$.selector` or `$field`. */
  value(selector: string): string | undefined;
}

export type FilterPattern = (message: string) => Match | undefined;

const compiled = new Map<string, FilterPattern>();
const REMEMBERED = 1000;

/** Throws a PatternFault. The same text is compiled once. */
export function compileFilterPattern(pattern: string): FilterPattern {
  const known = compiled.get(pattern);
  if (known) return known;
  const text = pattern.trim();
  const made = text.startsWith("{")
    ? compileJson(text)
    : text.startsWith("[")
      ? compileFields(text)
      : compileTerms(text);
  if (compiled.size >= REMEMBERED) compiled.clear();
  compiled.set(pattern, made);
  return made;
}

type Test = (message: string) => boolean;

const MATCHED: Match = { extracted: {}, value: () => undefined };

/** "If you combine optional terms with others, the optional ones are ignored". Case counts. */
function compileTerms(pattern: string): FilterPattern {
  const scanner = new Scanner(pattern);
  const required: Test[] = [];
  const optional: Test[] = [];
  for (scanner.space(); !scanner.done; scanner.space()) {
    const sign = scanner.match(/[?-](?=\S)/y)?.[0];
    const test = term(scanner);
    if (sign === "?") optional.push(test);
    else required.push(sign === "-" ? (message) => !test(message) : test);
  }
  const matches: Test =
    required.length > 0 || optional.length === 0
      ? (message) => required.every((test) => test(message))
      : (message) => optional.some((test) => test(message));
  return (message) => (matches(message) ? MATCHED : undefined);
}

function term(scanner: Scanner): Test {
  const first = scanner.text[scanner.at];
  if (first === "%") {
    const regex = regexOf(scanner.quoted("%"));
    return (message) => regex.test(message);
  }
  const word = first === '"' ? scanner.quoted('"').replaceAll(/\\(.)/g, "$1") : bare(scanner);
  return (message) => message.includes(word);
}

/** "Terms that have characters other than alphanumeric or underscore must be in quotes". */
function bare(scanner: Scanner): string {
  const word = scanner.match(/\S+/y)![0];
  if (/^[\p{L}\p{N}_]+$/u.test(word)) return word;
  throw scanner.fault(`the term ${word} must be in double quotes`);
}
