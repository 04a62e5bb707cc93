// JSON, as Coral reads it: its words for wrong types are AWS's answer.
import { AwsError } from "../kernel/error.ts";
import type { Member, Simple } from "../model/model.ts";
import { readBase64, readTimestamp, writeBase64, writeTimestamp } from "./text.ts";
import type { Convert, Leaves } from "./tree.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** An empty body is the empty object. Of two members of one name the last counts. */
export function parseJson(body: Uint8Array): unknown {
  if (body.byteLength === 0) return {};
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    // Not UTF-8 (TypeError) or not JSON: AWS says no more than the code.
    if (error instanceof SyntaxError || error instanceof TypeError) throw serialization("");
    throw error;
  }
}

export const serialization = (message: string): AwsError => new AwsError("SerializationException", 400, message);

/** awsJson names tokens (recorded: SQS, Kinesis), rest-json Java's classes (recorded: API Gateway). */
export function jsonLeaves(rest: boolean): Leaves {
  const token = rest ? javaClass : jsonToken;
  const wrong = (value: unknown, type: string): never => {
    if (Array.isArray(value)) throw serialization("Start of list found where not expected");
    if (typeof value === "object") throw serialization("Start of structure or map found where not expected");
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
