// Words of an expression.
import { errors } from "../errors.ts";

export interface Token {
  readonly kind: "name" | "alias" | "value" | "number" | "symbol" | "end";
  readonly text: string;
  /** Of the first character, and after the last. */
  readonly start: number;
  readonly end: number;
}

// Names start with a letter; #aliases and :values may go on with anything of a word.
const WORD = /\s*(?:([A-Za-z][A-Za-z0-9_]*)|(#[A-Za-z0-9_]+)|(:[A-Za-z0-9_]+)|([0-9]+)|(<>|<=|>=|[=<>+\-,()[\].]))/y;
const KINDS = ["name", "alias", "value", "number", "symbol"] as const;

/** `label` is the parameter's name: `UpdateExpression`. */
export function lex(text: string, label: string): readonly Token[] {
  const tokens: Token[] = [];
  WORD.lastIndex = 0;
  const length = text.trimEnd().length;
  let at = 0;
  while (at < length) {
    WORD.lastIndex = at;
    const match = WORD.exec(text);
    if (!match) {
      const start = at + /^\s*/.exec(text.slice(at))![0].length;
      const bad: Token = { kind: "symbol", text: text[start]!, start, end: start + 1 };
      const rest = /^\S*/.exec(text.slice(start))![0].length;
      throw syntaxError(label, text, tokens.at(-1), { ...bad, end: start + Math.max(rest, 1) }, undefined, bad.text);
    }
    const kind = KINDS[match.slice(1).findIndex((group) => group !== undefined)]!;
    const word = match[0].trimStart();
    at += match[0].length;
    tokens.push({ kind, text: word, start: at - word.length, end: at });
  }
  tokens.push({ kind: "end", text: "<EOF>", start: length, end: length });
  return tokens;
}

/** `near` reaches from the word before to the word after. */
export const syntaxError = (
  label: string,
  text: string,
  before: Token | undefined,
  token: Token,
  after?: Token,
  shown = token.text,
) =>
  errors.validation(
    `Invalid ${label}: Syntax error; token: "${shown}", near: "${text.slice(before?.start ?? token.start, Math.max(token.end, after?.end ?? 0))}"`,
  );
