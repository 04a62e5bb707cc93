// Keys as bytes that sort as AWS sorts: strings by UTF-8, numbers by value, binary by unsigned bytes.
import { hash } from "node:crypto";
import { numberBytes } from "./number.ts";
import type { AttributeValue } from "./value.ts";

export type KeyType = "S" | "N" | "B";

/** Of a sound value of that type. */
export function keyBytes(value: AttributeValue, type: KeyType): Uint8Array {
  if (type === "S") return Buffer.from(value.S!, "utf8");
  return type === "N" ? numberBytes(value.N!) : value.B!;
}

/** Where a partition stands in a Scan, and in which segment; recorded from AWS. 16 bytes. */
export const partitionHash = (key: Uint8Array): Uint8Array => hash("md5", Buffer.concat([SALT, key]), "buffer");
const SALT = Buffer.from("Outliers");

/** An index key of several attributes: each part ends where it says, so that the whole sorts part by part. */
export const joinParts = (parts: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(parts.flatMap((part) => [escapeZeros(part), PART_END]));

/** The beginning that all keys have whose first parts are `parts` and whose next part begins with `prefix`. */
export const joinPrefix = (parts: readonly Uint8Array[], prefix?: Uint8Array): Uint8Array =>
  Buffer.concat([joinParts(parts), prefix ? escapeZeros(prefix) : EMPTY]);

export const EMPTY: Uint8Array = new Uint8Array(0);
// 00 within a part is written 00 FF, its end 00 00: an end sorts before every longer part.
const PART_END = Uint8Array.of(0, 0);
function escapeZeros(part: Uint8Array): Uint8Array {
  if (!part.includes(0)) return part;
  return Uint8Array.from([...part].flatMap((byte) => (byte === 0 ? [0, 0xff] : [byte])));
}

/** The smallest bytes that are greater than everything that begins with `prefix`; undefined where nothing is. */
export function afterPrefix(prefix: Uint8Array): Uint8Array | undefined {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return undefined;
  const after = Uint8Array.from(prefix.subarray(0, end));
  after[end - 1]! += 1;
  return after;
}

/** Hashes [from, to) of a parallel scan's segment: the first twelve bits are divided among `total`. undefined: to the end. */
export function segmentBounds(segment: number, total: number): { from: Uint8Array; to: Uint8Array | undefined } {
  const from = Math.ceil((4096 * segment) / total);
  const to = Math.ceil((4096 * (segment + 1)) / total);
  return { from: twelveBits(from), to: to >= 4096 ? undefined : twelveBits(to) };
}
const twelveBits = (n: number): Uint8Array => Uint8Array.of(n >> 4, (n & 15) << 4);
