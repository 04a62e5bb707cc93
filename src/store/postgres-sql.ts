// Portable SQL as PostgreSQL reads it: numbered parameters with types, and TEXT that compares byte by byte.
import { bind, fromBigint, parseSql, QUOTED, type Statement } from "./sql.ts";
import type { Params, Value } from "./store.ts";

/** What the driver is given. */
export interface Query {
  readonly text: string;
  readonly values: Value[];
  /** The server keeps the plan under it, connection by connection. */
  readonly name: string | undefined;
}

/** Statements are few and written out in the source; only those of tables made at run time could grow without end. */
const KNOWN_LIMIT = 2000;

/** Turns statements into queries, and remembers their texts. */
export class Translator {
  readonly #statements = new Map<string, Statement>();
  readonly #texts = new Map<string, { text: string; name: string | undefined }>();

  query(sql: string, params: Params = {}): Query {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = parseSql(translate(sql));
      if (this.#statements.size < KNOWN_LIMIT) this.#statements.set(sql, statement);
    }
    const values = bind(statement, params);
    const types = values.map(typeOf);
    const key = `${types.join()} ${sql}`;
    const known = this.#texts.get(key);
    if (known) return { ...known, values: values.map(encode) };
    const text = numbered(statement, types);
    const name = this.#texts.size < KNOWN_LIMIT ? `s${this.#texts.size}` : undefined;
    if (name) this.#texts.set(key, { text, name });
    return { text, name, values: values.map(encode) };
  }
}

/** Types are said because PostgreSQL cannot infer them everywhere. A null has the type that its place demands. */
function typeOf(value: Value): string {
  if (value === null) return "";
  if (typeof value === "string") return '::text COLLATE "C"';
  return typeof value === "bigint" ? "::bigint" : "::bytea";
}

const numbered = ({ texts, slots }: Statement, types: readonly string[]): string =>
  texts.map((text, i) => (i === 0 ? text : `$${slots[i - 1]! + 1}${types[slots[i - 1]!]}${text}`)).join("");

const WORD = new RegExp(`${QUOTED}|[A-Za-z_]\\w*|[;(),]`, "g");

/**
 * A column of type TEXT gets the C collation, whatever the database's own: strings are ordered by their bytes, as in SQLite. (BLOB is a domain
 * over bytea, made when the store is opened.)
 */
export function translate(sql: string): string {
  let statement = "";
  let before = "";
  return sql.replace(WORD, (token) => {
    if (/^(--|\/\*)/.test(token)) return token;
    const inTable = /^(CREATE|ALTER) TABLE /i.test(statement);
    // `name TEXT`, but not a column that is called text.
    const isType = inTable && token.toUpperCase() === "TEXT" && /^["\w]/.test(before) && before.toUpperCase() !== "AS";
    if (token === ";") statement = "";
    else if (statement.length < 20) statement += `${token} `;
    before = token;
    return isType ? `${token} COLLATE "C"` : token;
  });
}

/**
 * PostgreSQL's text holds no U+0000. It is kept as U+0001 U+0001, and U+0001 as U+0001 U+0002: the order, equality and prefixes are those of the
 * original; only `length` and `substr` see the difference.
 */
function encode(value: Value): Value {
  if (typeof value !== "string" || !(value.includes("\0") || value.includes("\u0001"))) return value;
  return value.replaceAll("\u0001", "\u0001\u0002").replaceAll("\0", "\u0001\u0001");
}

function decode(text: string): string {
  if (!text.includes("\u0001")) return text;
  return text.replaceAll("\u0001\u0001", "\0").replaceAll("\u0001\u0002", "\u0001");
}

/** https://www.postgresql.org/docs/current/catalog-pg-type.html; everything that counts is a BIGINT to the program, a truth is 0 or 1. */
const PARSERS: Readonly<Record<number, (text: string) => Value>> = {
  16: (text) => (text === "t" ? 1 : 0),
  17: (text) => Buffer.from(text.slice(2), "hex"),
  20: (text) => fromBigint(BigInt(text)),
  21: Number,
  23: Number,
  25: decode,
  700: Number,
  701: Number,
  1043: decode,
  // SUM of BIGINT is numeric, and whole.
  1700: (text) => (text.includes(".") ? Number(text) : fromBigint(BigInt(text))),
};

export const resultTypes = {
  getTypeParser: (oid: number): ((text: string) => Value) => PARSERS[oid] ?? ((text) => text),
};
