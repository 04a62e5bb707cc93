// Reads portable SQL far enough to find its named parameters; the engines bind their values by position.
import assert from "node:assert";
import type { Params, Value } from "./store.ts";

/** One statement's text, cut at its parameters: texts[0], the parameter names[slots[0]], texts[1], ... */
export interface Statement {
  readonly texts: readonly string[];
  readonly slots: readonly number[];
  /** Each once. */
  readonly names: readonly string[];
}

/** What may hold a colon or a word that means nothing: strings, quoted names, comments, `::`. */
export const QUOTED = String.raw`'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|::`;

const TOKEN = new RegExp(`${QUOTED}|:([A-Za-z_]\\w*)`, "g");

export function parseSql(sql: string): Statement {
  const texts: string[] = [];
  const slots: number[] = [];
  const names: string[] = [];
  let from = 0;
  for (const match of sql.matchAll(TOKEN)) {
    const name = match[1];
    if (name === undefined) continue;
    if (!names.includes(name)) names.push(name);
    slots.push(names.indexOf(name));
    texts.push(sql.slice(from, match.index));
    from = match.index + match[0].length;
  }
  texts.push(sql.slice(from));
  return { texts, slots, names };
}

/** The values in the order of `names`. A name without value, a value without name and a fraction are defects of the caller. */
export function bind({ names }: Statement, params: Params): Value[] {
  const values: Value[] = new Array(names.length);
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const value = params[name];
    if (value === undefined) throw new TypeError(`no value for the parameter :${name}`);
    values[i] = typeof value === "number" ? integer(name, value) : value;
  }
  const given = Object.keys(params);
  if (given.length !== names.length) {
    const unknown = given.filter((name) => !names.includes(name));
    throw new TypeError(`the statement has no parameter :${unknown.join(", :")}`);
  }
  return values;
}

/** BIGINT holds integers: a fraction would be kept by one engine and refused by the other. */
function integer(name: string, value: number): bigint {
  assert(Number.isSafeInteger(value), `the parameter :${name} is no safe integer: ${value}`);
  return BigInt(value);
}

/** BIGINT as the program sees it: a number, or a bigint where a number would round. */
export function fromBigint(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
