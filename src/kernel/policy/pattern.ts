// Patterns of policies: `*`, `?` and variables like ${aws:username}.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html

/** The request's condition keys by lower-case name. A key with no values is a key that is not there. */
export type Keys = ReadonlyMap<string, readonly string[]>;

// Wildcards are kept apart from the same characters in a variable's value: that value may not widen a pattern. These are no characters.
const ANY = "\uFDD0";
const ONE = "\uFDD1";

export interface Pattern {
  /** As written. */
  readonly text: string;
  /** Undefined where it has variables. */
  readonly fixed?: string;
  readonly ignoreCase: boolean;
}

/** `variables` is false for Version 2008-10-17, where ${...} means itself. */
export function compile(text: string, { variables, ignoreCase = false }: { variables: boolean; ignoreCase?: boolean }) {
  const own = ignoreCase ? text.toLowerCase() : text;
  const pattern: Pattern = { text, ignoreCase };
  return variables && text.includes("${") ? pattern : { ...pattern, fixed: wildcards(own) };
}

export function matches(pattern: Pattern, subject: string, keys: Keys): boolean {
  const resolved = pattern.fixed ?? resolve(pattern, keys, wildcards);
  return resolved !== undefined && glob(resolved, pattern.ignoreCase ? subject.toLowerCase() : subject);
}

/** The text with its variables put in, wildcards left as they are; undefined where a variable has no single value. */
export const substitute = (text: string, keys: Keys): string | undefined =>
  text.includes("${") ? resolve({ text, ignoreCase: false }, keys, (literal) => literal) : text;

const wildcards = (text: string): string => text.replaceAll("*", ANY).replaceAll("?", ONE);

const VARIABLE = /\$\{([^}]*)\}/g;
const ITSELF: Readonly<Record<string, string>> = { "*": "*", "?": "?", $: "$" };

function resolve(pattern: Pattern, keys: Keys, literal: (text: string) => string): string | undefined {
  const { text, ignoreCase } = pattern;
  const fold = (part: string) => (ignoreCase ? part.toLowerCase() : part);
  let out = "";
  let from = 0;
  for (const found of text.matchAll(VARIABLE)) {
    const value = variable(found[1]!, keys);
    if (value === undefined || value.includes(ANY) || value.includes(ONE)) return undefined;
    out += literal(fold(text.slice(from, found.index))) + fold(value);
    from = found.index + found[0].length;
  }
  return out + literal(fold(text.slice(from)));
}

/** `aws:username`, `aws:PrincipalTag/team, 'none'`, `*`. */
function variable(inner: string, keys: Keys): string | undefined {
  const itself = ITSELF[inner];
  if (itself !== undefined) return itself;
  const comma = inner.indexOf(",");
  const values = keys.get((comma < 0 ? inner : inner.slice(0, comma)).trim().toLowerCase());
  if (values?.length === 1) return values[0];
  const fallback = comma < 0 ? undefined : /^'(.*)'$/.exec(inner.slice(comma + 1).trim());
  return values === undefined ? fallback?.[1] : undefined;
}

/** Never exponential: on a mismatch it takes up again after the last star. */
function glob(want: string, have: string): boolean {
  if (!want.includes(ANY) && !want.includes(ONE)) return want === have;
  if (want === ANY) return true;
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
