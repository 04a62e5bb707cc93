// Simple values as text: in headers, labels, queries, forms and XML.
import type { Member, Simple } from "../model/model.ts";

export type TimestampFormat = "date-time" | "http-date" | "epoch-seconds";

/** What the text is not: the caller says it in the protocol's words. */
export class Unreadable extends Error {
  readonly text: string;
  readonly type: Simple["type"];

  constructor(text: string, type: Simple["type"]) {
    super(`'${text}' is not a ${type}`);
    this.text = text;
    this.type = type;
  }
}

export interface TextCodec {
  read(text: string): unknown;
  write(value: unknown): string;
}

const INTEGER = /^[+-]?\d{1,19}$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$/;
const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/i;
const SPECIAL = /^(NaN|-?Infinity)$/;

/** `format` is the place's default; the member's and the shape's own come first. `millis`: as S3 writes times. */
export function textCodec(
  shape: Simple,
  member: Member,
  place: { format: TimestampFormat; millis?: boolean },
): TextCodec {
  const fail = (text: string): never => {
    throw new Unreadable(text, shape.type);
  };
  switch (shape.type) {
    case "boolean":
      return {
        read: (text) => {
          const lower = text.trim().toLowerCase();
          return lower === "true" ? true : lower === "false" ? false : fail(text);
        },
        write: String,
      };
    case "integer":
    case "long":
      return { read: (text) => (INTEGER.test(text.trim()) ? Number(text) : fail(text)), write: String };
    case "float":
    case "double":
      return {
        read: (text) => (DECIMAL.test(text.trim()) || SPECIAL.test(text.trim()) ? Number(text) : fail(text)),
        write: String,
      };
    case "timestamp": {
      const format = member.timestampFormat ?? shape.timestampFormat ?? place.format;
      return {
        read: (text) => readTimestamp(text.trim(), format) ?? fail(text),
        write: (value) => writeTimestamp(value as Date, format, place.millis),
      };
    }
    case "blob":
      return { read: (text) => readBase64(text) ?? fail(text), write: (value) => writeBase64(value as Uint8Array) };
    case "document":
      return { read: (text) => JSON.parse(text), write: (value) => JSON.stringify(value) };
    default:
      return { read: (text) => text, write: String };
  }
}

const EPOCH = /^-?\d{1,13}(\.\d{1,9})?$/;
/** IMF-fixdate and RFC 850's; GMT where no zone is said. */
const HTTP_DATE = /^[A-Za-z]{3,9},? \d{1,2}[ -][A-Za-z]{3}[ -]\d{2,4} \d\d:\d\d:\d\d( (?:GMT|UTC|[+-]\d{4}))?$/;
const ASCTIME = /^[A-Za-z]{3} [A-Za-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/;

/** Clients differ from the model here (S3's Expires, ISO times in headers): whatever is a time is read as one. */
export function readTimestamp(text: string, format: TimestampFormat): Date | undefined {
  if (EPOCH.test(text)) return format === "http-date" ? undefined : valid(new Date(Number(text) * 1000));
  const iso = ISO.exec(text);
  // Without a zone it is UTC; JavaScript would take the machine's.
  if (iso) return valid(new Date(iso[1] && !iso[4] ? `${text}Z` : text));
  if (ASCTIME.test(text)) return valid(new Date(`${text} GMT`));
  const http = HTTP_DATE.exec(text);
  return http ? valid(new Date(http[1] ? text : `${text} GMT`)) : undefined;
}

function valid(date: Date): Date | undefined {
  return Number.isNaN(date.getTime()) ? undefined : date;
}

export function writeTimestamp(date: Date, format: TimestampFormat, millis = false): string {
  if (format === "http-date") return date.toUTCString();
  if (format === "epoch-seconds") return String(date.getTime() / 1000);
  return millis ? date.toISOString() : date.toISOString().replace(".000Z", "Z");
}

/** Undefined where it is not strictly base64: Buffer passes over what it does not know, so the length tells. */
export function readBase64(text: string): Uint8Array | undefined {
  const { length } = text;
  if (length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== (length / 4) * 3 - padding) return undefined;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function writeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
