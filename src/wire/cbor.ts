// CBOR (RFC 8949), as far as Smithy's rpcv2Cbor uses it: tag 1 is a time, indefinite lengths occur, other tags are passed over.
import { AwsError } from "../kernel/error.ts";
import type { Convert, Leaves } from "./tree.ts";

const MAX_DEPTH = 128;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const BREAK = Symbol("break");

const malformed = (why: string): AwsError => new AwsError("SerializationException", 400, why);

/** Maps become plain objects, byte strings Uint8Array, tag 1 a Date. */
export function decodeCbor(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const value = item(0);
  if (at !== bytes.byteLength) throw malformed("bytes after the end of the CBOR value");
  return value;

  function take(count: number): number {
    const from = at;
    if (from + count > bytes.byteLength) throw malformed("unexpected end of CBOR");
    at += count;
    return from;
  }

  /** Undefined: an indefinite length. */
  function argument(info: number): number | undefined {
    if (info < 24) return info;
    if (info === 24) return view.getUint8(take(1));
    if (info === 25) return view.getUint16(take(2));
    if (info === 26) return view.getUint32(take(4));
    if (info === 27) return Number(view.getBigUint64(take(8)));
    if (info === 31) return undefined;
    throw malformed(`CBOR additional information ${info}`);
  }

  /** BREAK where the end of an indefinite list or map may stand, and nowhere else. */
  function item(depth: number, mayEnd = false): unknown {
    if (depth > MAX_DEPTH) throw malformed("CBOR nested too deeply");
    const head = view.getUint8(take(1));
    const major = head >> 5;
    const info = head & 31;
    if (major === 7) {
      if (info === 31 && !mayEnd) throw malformed("unexpected CBOR break");
      return simple(info);
    }
    const length = argument(info);
    switch (major) {
      case 0:
        return length;
      case 1:
        return -1 - (length ?? 0);
      case 2:
        return chunks(length, 2);
      case 3: {
        const text = chunks(length, 3);
        try {
          return utf8.decode(text);
        } catch (error) {
          throw malformed(String(error));
        }
      }
      case 4:
        return list(length, depth);
      case 5:
        return map(length, depth);
      default:
        return tagged(length, item(depth + 1));
    }
  }

  function chunks(length: number | undefined, major: number): Uint8Array {
    if (length !== undefined) {
      const from = take(length);
      return bytes.slice(from, from + length);
    }
    const parts: Uint8Array[] = [];
    for (;;) {
      const head = view.getUint8(take(1));
      if (head === 0xff) return new Uint8Array(Buffer.concat(parts));
      const size = head >> 5 === major ? argument(head & 31) : undefined;
      if (size === undefined) throw malformed("CBOR chunk of another type");
      const from = take(size);
      parts.push(bytes.subarray(from, from + size));
    }
  }

  function list(length: number | undefined, depth: number): unknown[] {
    const out: unknown[] = [];
    for (let i = 0; length === undefined || i < length; i++) {
      const value = item(depth + 1, length === undefined);
      if (value === BREAK) break;
      out.push(value);
    }
    return out;
  }

  function map(length: number | undefined, depth: number): object {
    const out: [string, unknown][] = [];
    for (let i = 0; length === undefined || i < length; i++) {
      const key = item(depth + 1, length === undefined);
      if (key === BREAK) break;
      if (typeof key !== "string") throw malformed("a CBOR map's key is no text");
      out.push([key, item(depth + 1)]);
    }
    return Object.fromEntries(out);
  }

  function simple(info: number): unknown {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
      case 23:
        return null;
      case 25:
        return half(view.getUint16(take(2)));
      case 26:
        return view.getFloat32(take(4));
      case 27:
        return view.getFloat64(take(8));
      case 31:
        return BREAK;
      default:
        throw malformed(`CBOR simple value ${info}`);
    }
  }
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * 2 ** (exponent - 25) * (fraction + 1024);
}

function tagged(tag: number | undefined, value: unknown): unknown {
  if (tag === 1 && typeof value === "number") return new Date(Math.round(value * 1000));
  return value;
}

/** undefined members are left out. */
export function encodeCbor(value: unknown): Uint8Array {
  let out = Buffer.allocUnsafe(512);
  let at = 0;
  write(value);
  return new Uint8Array(out.buffer, out.byteOffset, at);

  function room(count: number): void {
    if (at + count <= out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(out.length * 2, at + count));
    out.copy(larger, 0, 0, at);
    out = larger;
  }

  function head(major: number, argument: number): void {
    room(9);
    const first = major << 5;
    if (argument < 24) out[at++] = first | argument;
    else if (argument < 2 ** 8) {
      out[at++] = first | 24;
      out[at++] = argument;
    } else if (argument < 2 ** 16) {
      out[at++] = first | 25;
      at = out.writeUInt16BE(argument, at);
    } else if (argument < 2 ** 32) {
      out[at++] = first | 26;
      at = out.writeUInt32BE(argument, at);
    } else {
      out[at++] = first | 27;
      at = out.writeBigUInt64BE(BigInt(argument), at);
    }
  }

  function double(number: number): void {
    room(9);
    out[at++] = 0xfb;
    at = out.writeDoubleBE(number, at);
  }

  function bytes(major: number, content: Uint8Array): void {
    head(major, content.byteLength);
    room(content.byteLength);
    out.set(content, at);
    at += content.byteLength;
  }

  function write(item: unknown): void {
    if (typeof item === "string") bytes(3, Buffer.from(item, "utf8"));
    else if (typeof item === "number") number(item);
    else if (typeof item === "boolean") byte(item ? 0xf5 : 0xf4);
    else if (item === null || item === undefined) byte(0xf6);
    else if (item instanceof Date) {
      head(6, 1);
      double(item.getTime() / 1000);
    } else if (item instanceof Uint8Array) bytes(2, item);
    else if (Array.isArray(item)) {
      head(4, item.length);
      for (const element of item) write(element);
    } else {
      const entries = Object.entries(item).filter(([, v]) => v !== undefined);
      head(5, entries.length);
      for (const [key, element] of entries) {
        bytes(3, Buffer.from(key, "utf8"));
        write(element);
      }
    }
  }

  function number(item: number): void {
    if (!Number.isSafeInteger(item) || Object.is(item, -0)) double(item);
    else if (item < 0) head(1, -1 - item);
    else head(0, item);
  }

  function byte(content: number): void {
    room(1);
    out[at++] = content;
  }
}

const TYPES = {
  string: ["String", (v: unknown) => typeof v === "string"],
  boolean: ["Boolean", (v: unknown) => typeof v === "boolean"],
  integer: ["Integer", (v: unknown) => typeof v === "number"],
  long: ["Long", (v: unknown) => typeof v === "number"],
  float: ["Float", (v: unknown) => typeof v === "number"],
  double: ["Double", (v: unknown) => typeof v === "number"],
  timestamp: ["Timestamp", (v: unknown) => v instanceof Date],
  blob: ["Blob", (v: unknown) => v instanceof Uint8Array],
  document: ["Document", () => true],
} as const;

const identity: Convert = (value) => value;

/** The decoder gave the right types already, or the input is wrong. */
export const cborLeaves: Leaves = {
  jsonNames: false,
  read(shape) {
    const [name, fits] = TYPES[shape.type];
    return (value) => {
      // A time without its tag is still a number of seconds.
      if (shape.type === "timestamp" && typeof value === "number") return new Date(Math.round(value * 1000));
      if (!fits(value)) throw malformed(`Value can not be converted to a ${name}`);
      return value;
    };
  },
  write: () => identity,
  refuse(_value, wanted) {
    throw malformed(`Expected ${wanted} or null`);
  },
};
