// `[ip, user, ..., status = 4*, bytes > 1000]`: a condition on the fields of a message, which spaces divide.
import type { Match } from "./filter-pattern.ts";
import { comparison } from "./operand.ts";
import { condition, Scanner } from "./scanner.ts";

interface Field {
  readonly name: string;
  readonly test: ((value: string) => boolean) | undefined;
}

const REST = "...";

export function compileFields(pattern: string): (message: string) => Match | undefined {
  const scanner = new Scanner(pattern);
  scanner.need("[");
  const fields: (Field | typeof REST)[] = [];
  if (!scanner.take("]")) {
    do fields.push(scanner.take(REST) ? REST : field(scanner));
    while (scanner.take(","));
    scanner.need("]");
  }
  scanner.space();
  if (!scanner.done) throw scanner.fault("nothing is expected");
  if (fields.filter((one) => one === REST).length > 1) throw scanner.fault('"..." may stand once');
  return (message) => (fields.length === 0 ? NOTHING : matched(fields, split(message)));
}

const NOTHING: Match = { extracted: {}, value: () => undefined };

/** `name`, `name = value && name != other`, or a condition in parentheses. A field may have no name. */
function field(scanner: Scanner): Field {
  scanner.space();
  if (/[,\]]/.test(scanner.text[scanner.at] ?? "")) return { name: "", test: undefined };
  const names = new Set<string>();
  let compared = false;
  const test = condition<string>(scanner, () => {
    const name = scanner.match(/[\w\-.@]+/y)?.[0];
    if (name === undefined) throw scanner.fault("a field's name is expected");
    names.add(name);
    const one = comparison(scanner);
    compared ||= one !== undefined;
    return (value) => one === undefined || one(value);
  });
  if (names.size > 1) throw scanner.fault("one field has one name");
  return { name: [...names][0]!, test: compared ? test : undefined };
}

function matched(fields: readonly (Field | typeof REST)[], words: readonly string[]): Match | undefined {
  const rest = fields.indexOf(REST);
  const more = words.length - (fields.length - 1);
  if (rest < 0 ? words.length !== fields.length : more < 0) return undefined;
  const spread = fields.flatMap((one): Field[] =>
    one === REST ? Array.from({ length: more }, () => ({ name: "", test: undefined })) : [one],
  );
  if (!spread.every(({ test }, i) => test === undefined || test(words[i]!))) return undefined;
  const extracted = Object.fromEntries(spread.map(({ name }, i) => [`$${name === "" ? i + 1 : name}`, words[i]!]));
  return { extracted, value: (selector) => extracted[selector] };
}

/** Brackets and quotes hold a field together, and are no part of it. */
const split = (message: string): string[] =>
  [...message.trim().matchAll(/\[([^\]]*)\]|"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, bracketed, quoted, bare]) => bracketed ?? quoted ?? bare!,
  );
