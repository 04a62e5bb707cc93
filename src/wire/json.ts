// JSON, as Coral reads it: its words for wrong types are AWS's answer.
import { AwsError } from "../kernel/error.ts";
import type { Member, Simple } from "../model/model.ts";
import { readBase64, readTimestamp, writeBase64, writeTimestamp } from "./text.ts";
import { type Convert, type Leaves, MAX_DEPTH } from "./tree.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * An empty body is the empty object. Refused, as AWS refuses them: what is not UTF-8 or not JSON, two members of one name,
 * half a surrogate pair. AWS says no more than the code.
 */
export function parseJson(body: Uint8Array): unknown {
  if (body.byteLength === 0) return {};
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(body);
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) throw serialization("");
    throw error;
  }
  if (membersIn(text) !== membersOf(value)) throw serialization("");
  if (HALF_PAIR.test(text) && !isWellFormed(value)) throw serialization("");
  return value;
}

/** Only an escape can bring half a pair: the bytes were UTF-8. */
const HALF_PAIR = /\\u[dD][89a-fA-F]/;

function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isWellFormed(item));
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/** How many strings of sound JSON are followed by a colon: JSON.parse alone does not tell of the members it dropped. */
function membersIn(text: string): number {
  let members = 0;
  let at = text.indexOf('"');
  while (at !== -1) {
    let end = at + 1;
    for (let code = text.charCodeAt(end); code !== QUOTE; code = text.charCodeAt(++end)) if (code === BACKSLASH) end++;
    end++;
    while (text.charCodeAt(end) <= SPACE) end++;
    if (text.charCodeAt(end) === COLON) members++;
    at = text.indexOf('"', end);
  }
  return members;
}

/** Also the guard for all who walk the tree after it. */
function membersOf(value: unknown, depth = 0): number {
  if (typeof value !== "object" || value === null) return 0;
  if (depth > MAX_DEPTH) throw serialization("");
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object") members += membersOf(item, depth + 1);
    return members;
  }
  const fields = value as Record<string, unknown>;
  for (const key in fields) {
    members++;
    const item = fields[key];
    if (typeof item === "object") members += membersOf(item, depth + 1);
  }
  return members;
}

export const serialization = (message: string): AwsError => new AwsError("SerializationException", 400, message);

/** awsJson names tokens (seen: SQS, DynamoDB), rest-json Java's classes (recorded: API Gateway). */
export function jsonLeaves({ rest, terse = false }: { rest: boolean; terse?: boolean }): Leaves {
  const token = rest ? javaClass : jsonToken;
  const wrong = (value: unknown, type: string): never => {
    if (Array.isArray(value)) throw serialization("Start of list found where not expected");
    if (typeof value === "object") throw serialization("Start of structure or map found where not expected");
    if (terse) throw serialization(`${token(value)} cannot be converted to ${type}`);
    const article = rest || /^[AEIO]/.test(type) ? "an" : "a";
    throw serialization(`${token(value)} can not be converted to ${article} ${type}`);
  };
  return {
    jsonNames: rest,
    read: (shape, member) => leafReader(shape, member, wrong),
    write: leafWriter,
    refuse(value, wanted) {
      if (Array.isArray(value)) throw serialization("Start of list found where not expected");
      if (typeof value === "object") throw serialization("Start of structure or map found where not expected");
      throw serialization(wanted === "structure" ? "Expected null" : `Expected ${wanted} or null`);
    },
  };
}

function leafReader(shape: Simple, member: Member, wrong: (value: unknown, type: string) => never): Convert {
  switch (shape.type) {
    case "string":
      return (value) => (typeof value === "string" ? value : wrong(value, "String"));
    case "boolean":
      return (value) => (typeof value === "boolean" ? value : wrong(value, "Boolean"));
    case "integer":
    case "long": {
      const type = shape.type === "integer" ? "Integer" : "Long";
      // Coral's TruncatingBigNumber: a fraction is cut off.
      return (value) => (typeof value === "number" ? Math.trunc(value) : wrong(value, type));
    }
    case "float":
    case "double": {
      const type = shape.type === "float" ? "Float" : "Double";
      return (value) =>
        typeof value === "number"
          ? value
          : value === "NaN" || value === "Infinity" || value === "-Infinity"
            ? Number(value)
            : wrong(value, type);
    }
    case "timestamp": {
      const format = member.timestampFormat ?? shape.timestampFormat ?? "epoch-seconds";
      return (value) => {
        if (typeof value === "number" && Math.abs(value) <= 8.64e12) return new Date(Math.round(value * 1000));
        const date = typeof value === "string" && format !== "epoch-seconds" ? readTimestamp(value, format) : undefined;
        if (date) return date;
        if (typeof value === "object") return wrong(value, "Date");
        throw serialization(`${jsonToken(value)} can not be converted to milliseconds since epoch`);
      };
    }
    case "blob":
      return (value) => {
        if (typeof value !== "string") return wrong(value, "Blob");
        const bytes = readBase64(value);
        if (bytes) return bytes;
        const why =
          value.length % 4
            ? `Base64 encoded length is expected a multiple of 4 bytes but found: ${value.length}`
            : "Invalid Base64 character";
        throw serialization(`'${value.slice(0, 128)}' can not be converted to a Blob: ${why}`);
      };
    case "document":
      return (value) => value;
  }
}

const identity: Convert = (value) => value;

function leafWriter(shape: Simple, member: Member): Convert {
  switch (shape.type) {
    case "timestamp": {
      const format = member.timestampFormat ?? shape.timestampFormat ?? "epoch-seconds";
      return format === "epoch-seconds"
        ? (value) => (value as Date).getTime() / 1000
        : (value) => writeTimestamp(value as Date, format);
    }
    case "blob":
      return (value) => writeBase64(value as Uint8Array);
    case "float":
    case "double":
      return (value) => (Number.isFinite(value) ? value : String(value));
    default:
      return identity;
  }
}

function jsonToken(value: unknown): string {
  if (typeof value === "string") return "STRING_VALUE";
  if (typeof value === "number") return Number.isInteger(value) ? "NUMBER_VALUE" : "DECIMAL_VALUE";
  return value === true ? "TRUE_VALUE" : "FALSE_VALUE";
}

function javaClass(value: unknown): string {
  if (typeof value === "string") return "class java.lang.String";
  if (typeof value === "number") return "class com.amazon.coral.value.json.numbers.TruncatingBigNumber";
  return "class java.lang.Boolean";
}
