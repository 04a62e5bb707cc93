// `*` stands for any characters, or none; `\*` and `\\` for themselves.
import { PatternFault } from "./fault.ts";

// AWS refuses a wildcard by how many of its beginnings one text can match at a time, and does not say its limit. This one takes what its documentation
// shows as good (`/Users/*/dir/dir/dir/dir/dir/doc.txt`) and refuses what it shows as too complex (`*:*:*:*:*:event-bus/*`: 11).
const MOST_AT_ONCE = 10;
/** Sets of beginnings that are looked at, before a wildcard is taken for simple. */
const MOST_SETS = 2_000;

export const TOO_COMPLEX =
  "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character";

export interface Wildcard {
  readonly matches: (text: string) => boolean;
  readonly tooComplex: boolean;
}

/** Throws a PatternFault with AWS's sentence, which names the place in bytes, counted with the opening quote. */
export function parseWildcard(text: string): Wildcard {
  const pieces = split(text);
  return { matches: (value) => fits(pieces, value), tooComplex: isTooComplex(pieces) };
}

/** The texts between the asterisks. */
function split(text: string): string[] {
  const pieces = [""];
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    const next = text[i + 1];
    if (char === "*") {
      if (next === "*") throw new PatternFault(`Consecutive wildcard characters at pos ${position(text, i)}`);
      pieces.push("");
    } else if (char === "\\") {
      if (next !== "*" && next !== "\\") throw new PatternFault(`Invalid escape character at pos ${position(text, i)}`);
      pieces[pieces.length - 1] += next;
      i++;
    } else pieces[pieces.length - 1] += char;
  }
  return pieces;
}

const position = (text: string, index: number): number => 1 + Buffer.byteLength(text.slice(0, index));

/** Each piece at its first place is enough: what follows has then the most left. */
function fits([first, ...rest]: readonly string[], value: string): boolean {
  const last = rest.pop();
  if (last === undefined) return value === first;
  if (!value.startsWith(first!) || !value.endsWith(last)) return false;
  const end = value.length - last.length;
  let at = first!.length;
  for (const piece of rest) {
    const found = value.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return at <= end;
}

/** Follows all texts at once: a set holds the places of the wildcard that one text can have come to. */
function isTooComplex(pieces: readonly string[]): boolean {
  if (pieces.length < 3) return false; // one asterisk is never refused
  const chars: (string | undefined)[] = pieces.flatMap((piece, i) => (i === 0 ? [...piece] : [undefined, ...piece]));
  const alphabet = new Set(chars.filter((char) => char !== undefined));
  const seen = new Set<string>();
  const waiting: number[][] = [reached(chars, [0])];
  while (waiting.length > 0 && seen.size < MOST_SETS) {
    const places = waiting.pop()!;
    if (places.length > MOST_AT_ONCE) return true;
    const key = places.join();
    if (seen.has(key)) continue;
    seen.add(key);
    for (const char of alphabet) {
      const next = places.flatMap((at) => (chars[at] === undefined ? [at] : chars[at] === char ? [at + 1] : []));
      waiting.push(reached(chars, next));
    }
  }
  return false;
}

/** With the places behind the asterisks among them: an asterisk may stand for nothing. The place behind all is none. */
function reached(chars: readonly (string | undefined)[], places: readonly number[]): number[] {
  const all = new Set<number>();
  for (const at of places) {
    if (at >= chars.length) continue;
    all.add(at);
    if (chars[at] === undefined && at + 1 < chars.length) all.add(at + 1);
  }
  return [...all].sort((a, b) => a - b);
}
