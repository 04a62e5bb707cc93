// `{ $.a.b[0] = "x*" && ($.n > 3 || $.gone NOT EXISTS) }`: a condition on a message that is JSON.
import type { Match } from "./filter-pattern.ts";
import { comparison } from "./operand.ts";
import { condition, Scanner } from "./scanner.ts";

type Step = string | number | typeof ANY;
const ANY = Symbol("*");

/** A property: by name, or after `[`: a place, a quoted name, or `*`. */
const STEP = /\.?\[(?:(\d+)|'([^']*)'|"([^"]*)"|(\*))\]|\.(\*)|\.([\w\-$@]+)|\.'([^']*)'|\.\["([^"]*)"\]/y;

interface Selector {
  readonly text: string;
  readonly steps: readonly Step[];
}

export function compileJson(pattern: string): (message: string) => Match | undefined {
  const scanner = new Scanner(pattern);
  scanner.need("{");
  const selectors: Selector[] = [];
  const test = condition<unknown>(scanner, () => leaf(scanner, selectors));
  scanner.need("}");
  scanner.space();
  if (!scanner.done) throw scanner.fault("nothing is expected");
  return (message) => {
    const document = parsed(message);
    if (document === undefined || !test(document)) return undefined;
    const extracted = selectors.flatMap(({ text, steps }) => {
      const value = all(document, steps)[0];
      return value === undefined ? [] : [[text, textOf(value)] as const];
    });
    return { extracted: Object.fromEntries(extracted), value: (selector) => valueAt(document, selector) };
  };
}

/** What a `$.selector` points to, as text. */
function valueAt(document: unknown, text: string): string | undefined {
  const scanner = new Scanner(text);
  const value = all(document, selectorOf(scanner).steps)[0];
  return value === undefined || value === null ? undefined : textOf(value);
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function selectorOf(scanner: Scanner): Selector {
  scanner.space();
  const start = scanner.at;
  scanner.need("$");
  const steps: Step[] = [];
  for (;;) {
    STEP.lastIndex = scanner.at;
    const found = STEP.exec(scanner.text);
    if (!found) break;
    scanner.at += found[0].length;
    const [, place, single, double, star, dotStar, name, quoted] = found;
    if (place !== undefined) steps.push(Number(place));
    else steps.push((star ?? dotStar) ? ANY : (single ?? double ?? name ?? quoted)!);
  }
  if (steps.length === 0) throw scanner.fault("a property selector is expected");
  return { text: scanner.text.slice(start, scanner.at), steps };
}

function leaf(scanner: Scanner, selectors: Selector[]): (document: unknown) => boolean {
  const selector = selectorOf(scanner);
  selectors.push(selector);
  const { steps } = selector;
  const word = scanner
    .match(/(IS\s+(TRUE|FALSE|NULL)|NOT\s+EXISTS|EXISTS)(?![\w])/iy)?.[1]
    ?.toUpperCase()
    .replaceAll(/\s+/g, " ");
  if (word !== undefined) {
    const wanted = WORDS[word]!;
    return (document) => wanted(all(document, steps));
  }
  const test = comparison(scanner);
  if (!test) throw scanner.fault("a comparison is expected");
  // An array or an object is nothing to compare with.
  return (document) =>
    all(document, steps).some(
      (value) => (typeof value === "string" || typeof value === "number" || typeof value === "boolean") && test(value),
    );
}

const WORDS: Readonly<Record<string, (values: readonly unknown[]) => boolean>> = {
  "IS TRUE": (values) => values.includes(true),
  "IS FALSE": (values) => values.includes(false),
  "IS NULL": (values) => values.includes(null),
  "NOT EXISTS": (values) => values.length === 0,
  EXISTS: (values) => values.length > 0,
};

/** All that the steps lead to: more than one only through `*`. */
function all(document: unknown, steps: readonly Step[]): readonly unknown[] {
  let found: readonly unknown[] = [document];
  for (const step of steps) found = found.flatMap((value) => next(value, step));
  return found;
}

function next(value: unknown, step: Step): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if (step === ANY) return Object.values(value);
  if (typeof step === "number") return Array.isArray(value) && step < value.length ? [value[step]] : [];
  return !Array.isArray(value) && Object.hasOwn(value, step) ? [(value as Record<string, unknown>)[step]] : [];
}

/** Undefined: no JSON object, and no array. */
function parsed(message: string): object | undefined {
  if (!/^\s*[{[]/.test(message)) return undefined;
  try {
    return JSON.parse(message) as object;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
