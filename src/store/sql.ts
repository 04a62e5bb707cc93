// Reads portable SQL far enough to find its named parameters, so that both engines bind the same names by position.
import assert from "node:assert";
import type { Params, Value } from "./store.ts";

/** One statement's text, cut at its parameters: `texts[0] :names[0] texts[1] ...`; a name that is used twice is there twice. */
export interface Statement {
  readonly texts: readonly string[];
  readonly names: readonly string[];
  /** How many different names. */
  readonly distinct: number;
}

/** What may hold a colon or a word and is no parameter: strings, quoted names, comments, `::`. */
export const QUOTED = String.raw`'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|::`;

const TOKEN = new RegExp(`${QUOTED}|:([A-Za-z_]\\w*)`, "g");

export function parseSql(sql: string): Statement {
  const texts: string[] = [];
  const names: string[] = [];
  let from = 0;
  for (const match of sql.matchAll(TOKEN)) {
    if (match[1] === undefined) continue;
    texts.push(sql.slice(from, match.index));
    names.push(match[1]);
    from = match.index + match[0].length;
  }
  texts.push(sql.slice(from));
  return { texts, names, distinct: new Set(names).size };
}

/** The values in the order of `names`. A name without value, a value without name and a fraction are defects of the caller. */
export function bind(statement: Statement, params: Params): Value[] {
  const { names } = statement;
  const values: Value[] = new Array(names.length);
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const value = params[name];
    if (value === undefined) throw new TypeError(`no value for the parameter :${name}`);
    values[i] = typeof value === "number" ? integer(name, value) : value;
  }
  const given = Object.keys(params).length;
  if (given !== statement.distinct) {
    const unknown = Object.keys(params).filter((name) => !names.includes(name));
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
