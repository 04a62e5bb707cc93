// Words of a PartiQL statement. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
import { errors } from "../errors.ts";

export interface Token {
  readonly kind: "name" | "quoted" | "string" | "number" | "symbol" | "end";
  /** Of strings and quoted names what stands between the quotes, doubled ones undone. */
  readonly text: string;
  readonly at: Place;
}

/** Counted from 1; `length` as it is written. */
export interface Place {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** As AWS's sentences end: `at 1:8:16`. */
export const placed = ({ line, column, length }: Place): string => `at ${line}:${column}:${length}`;

/** AWS says nothing more of what cannot be cut into words, nor of a number that no 32-bit exponent can write. */
export const malformed = (detail = "") =>
  errors.validation(`Statement wasn't well formed, can't be processed: ${detail}`);

const SPACE = /(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/y;
const WORD =
  /([A-Za-z_$][A-Za-z0-9_$]*)|"((?:[^"]|"")*)"|'((?:[^']|'')*)'|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(<<|>>|<>|<=|>=|!=|\|\||[=<>+\-*/%()[\]{},:.;?])/y;
const KINDS = ["name", "quoted", "string", "number", "symbol"] as const;

export function lex(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const placeOf = places(text);
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    at += SPACE.exec(text)?.[0].length ?? 0;
    if (at >= text.length) break;
    WORD.lastIndex = at;
    const match = WORD.exec(text);
    if (!match || text.startsWith("/*", at)) throw malformed();
    const group = match.slice(1).findIndex((found) => found !== undefined);
    const kind = KINDS[group]!;
    const word = match[group + 1]!;
    if (kind === "number") writable(word);
    tokens.push({ kind, text: undoubled(kind, word), at: placeOf(at, match[0].length) });
    at += match[0].length;
  }
  tokens.push({ kind: "end", text: "", at: placeOf(text.length, 0) });
  return tokens;
}

const undoubled = (kind: Token["kind"], word: string): string =>
  kind === "string" ? word.replaceAll("''", "'") : kind === "quoted" ? word.replaceAll('""', '"') : word;

/** Asked for places in their order. */
function places(text: string): (start: number, length: number) => Place {
  let line = 1;
  let lineStart = 0;
  return (start, length) => {
    for (let end = text.indexOf("\n", lineStart); end >= 0 && end < start; end = text.indexOf("\n", lineStart)) {
      line++;
      lineStart = end + 1;
    }
    return { line, column: start - lineStart + 1, length };
  };
}

const LARGEST_INTEGER = 2 ** 31 - 1;

/** The digits after the point less the exponent must be an integer of 32 bits, and so must the exponent. */
function writable(number: string): void {
  const [mantissa, exponent = "0"] = number.toLowerCase().split("e");
  const scale = (mantissa!.split(".")[1]?.length ?? 0) - Number(exponent);
  if (Math.abs(Number(exponent)) > LARGEST_INTEGER || Math.abs(scale) > LARGEST_INTEGER) throw malformed();
}
