// Patterns of policies: `*`, `?` and variables like ${aws:username}, read once and matched often.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html

/** The request's condition keys by lower-case name. A key with no values is a key that is not there. */
export type Keys = ReadonlyMap<string, readonly string[]>;

/** Whoever asks may work the keys out at the first look: a pattern without variables never looks. */
export interface Keyed {
  readonly keys: Keys;
}

// Wildcards are kept apart from the same characters in a variable's value: that value may not widen a pattern. These are no characters.
const ANY = "\uFDD0";
const ONE = "\uFDD1";

export interface Pattern {
  /** As written. */
  readonly text: string;
  /** `variable`: to be resolved with the keys of each request. */
  readonly kind: "all" | "literal" | "prefix" | "glob" | "variable";
  /** What is compared: the literal, the prefix, or the glob. */
  readonly value: string;
}

/** `variables` is false for Version 2008-10-17, where ${...} means itself. */
export function compile(text: string, { variables }: { variables: boolean }): Pattern {
  if (variables && text.includes("${")) return { text, kind: "variable", value: text };
  if (text === "*") return { text, kind: "all", value: text };
  const value = wildcards(text);
  const first = value.search(/[\uFDD0\uFDD1]/);
  if (first < 0) return { text, kind: "literal", value };
  if (first === value.length - 1 && value.endsWith(ANY)) return { text, kind: "prefix", value: value.slice(0, -1) };
  return { text, kind: "glob", value };
}

/** undefined: a variable has no value, so that what it stands in says nothing. */
export function matches(pattern: Pattern, subject: string, keyed: Keyed): boolean | undefined {
  switch (pattern.kind) {
    case "all":
      return true;
    case "literal":
      return pattern.value === subject;
    case "prefix":
      return startsWith(subject, pattern.value);
    case "glob":
      return glob(pattern.value, subject);
    case "variable": {
      const resolved = resolve(pattern.text, keyed.keys, wildcards);
      return resolved === undefined ? undefined : glob(resolved, subject);
    }
  }
}

/** The last character tells most of what does not begin so, and costs a tenth. */
const startsWith = (subject: string, prefix: string): boolean =>
  subject.charCodeAt(prefix.length - 1) === prefix.charCodeAt(prefix.length - 1) && subject.startsWith(prefix);

/** The text with its variables put in, wildcards left as they are; undefined where a variable has no single value. */
export const substitute = (text: string, keys: Keys): string | undefined => resolve(text, keys, (literal) => literal);

const VARIABLE = /\$\{([^}]*)\}/g;
const ITSELF: ReadonlySet<string> = new Set(["*", "?", "$"]);

/** The keys that a text's variables stand for, as written: `aws:PrincipalTag/team`. */
export const variablesOf = (text: string): string[] =>
  [...text.matchAll(VARIABLE)].map(([, inner]) => nameOf(inner!)).filter((name) => !ITSELF.has(name));

const wildcards = (text: string): string => text.replaceAll("*", ANY).replaceAll("?", ONE);

function resolve(text: string, keys: Keys, literal: (text: string) => string): string | undefined {
  let out = "";
  let from = 0;
  for (const found of text.matchAll(VARIABLE)) {
    const value = variable(found[1]!, keys);
    if (value === undefined || value.includes(ANY) || value.includes(ONE)) return undefined;
    out += literal(text.slice(from, found.index)) + value;
    from = found.index + found[0].length;
  }
  return out + literal(text.slice(from));
}

/** Before the comma of `aws:PrincipalTag/team, 'none'`. */
const nameOf = (inner: string): string => inner.split(",", 1)[0]!.trim();

/** A key of several values is no variable; a default stands for a key that is not there. */
function variable(inner: string, keys: Keys): string | undefined {
  if (ITSELF.has(inner)) return inner;
  const name = nameOf(inner);
  const values = keys.get(name.toLowerCase()) ?? [];
  if (values.length > 0) return values.length === 1 ? values[0] : undefined;
  return /,\s*'(.*)'\s*$/.exec(inner)?.[1];
}

/** Never exponential: on a mismatch it takes up again after the last star. */
function glob(want: string, have: string): boolean {
  let star = -1;
  let mark = 0;
  let p = 0;
  let s = 0;
  while (s < have.length) {
    if (want[p] === ANY) {
      star = p++;
      mark = s;
    } else if (p < want.length && (want[p] === ONE || want[p] === have[s])) {
      p++;
      s++;
    } else if (star >= 0) {
      p = star + 1;
      s = ++mark;
    } else return false;
  }
  while (want[p] === ANY) p++;
  return p === want.length;
}
