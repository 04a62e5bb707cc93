// CRC-32C and CRC-64/NVME, which zlib has not, and the arithmetic that joins the CRCs of parts to the CRC of the whole.
// Reflected CRCs, eight bytes a step (Kounavis and Berry, "A Systematic Approach to Building High Performance, Software-Based CRC Generators").
import { crc32 as zlibCrc32 } from "node:zlib";

/** A running CRC: `update` takes what `update` gave, or 0n / 0 at first. Values are as AWS writes them, big-endian. */
export interface Crc {
  readonly bits: 32 | 64;
  update(bytes: Uint8Array, state: bigint): bigint;
  /** The CRC of two pieces one after the other, from theirs and the second's length in bytes. */
  join(first: bigint, second: bigint, secondLength: number): bigint;
}

// Reflected polynomials: https://reveng.sourceforge.io/crc-catalogue/all.htm (CRC-32/ISO-HDLC, CRC-32/ISCSI, CRC-64/NVME).
const POLYNOMIAL_32 = 0xedb88320n;
const POLYNOMIAL_32C = 0x82f63b78n;
const POLYNOMIAL_64 = 0x9a6c9329ac4bc9b5n;

export const crc32: Crc = {
  bits: 32,
  update: (bytes, state) => BigInt(zlibCrc32(bytes, Number(state))),
  join: joiner(POLYNOMIAL_32, 32),
};

export const crc32c: Crc = {
  bits: 32,
  update: (bytes, state) => BigInt(update32(tables32c(), bytes, Number(state))),
  join: joiner(POLYNOMIAL_32C, 32),
};

export const crc64nvme: Crc = {
  bits: 64,
  update: (bytes, state) => update64(tables64(), bytes, state),
  join: joiner(POLYNOMIAL_64, 64),
};

// Table k at 256 * k gives the CRC of one byte followed by k zero bytes.
const tables32c = once(() => tables(POLYNOMIAL_32C).low);
const tables64 = once(() => tables(POLYNOMIAL_64));

interface Tables {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

function tables(polynomial: bigint): Tables {
  const low = new Int32Array(8 * 256);
  const high = new Int32Array(8 * 256);
  const polyLow = Number(BigInt.asIntN(32, polynomial));
  const polyHigh = Number(BigInt.asIntN(32, polynomial >> 32n));
  for (let byte = 0; byte < 256; byte++) {
    let l = byte;
    let h = 0;
    for (let bit = 0; bit < 8; bit++) {
      const odd = -(l & 1);
      l = ((l >>> 1) | (h << 31)) ^ (odd & polyLow);
      h = (h >>> 1) ^ (odd & polyHigh);
    }
    low[byte] = l;
    high[byte] = h;
  }
  for (let at = 256; at < 8 * 256; at++) {
    const l = low[at - 256]!;
    const h = high[at - 256]!;
    low[at] = ((l >>> 8) | (h << 24)) ^ low[l & 255]!;
    high[at] = (h >>> 8) ^ high[l & 255]!;
  }
  return { low, high };
}

function update32(table: Int32Array, bytes: Uint8Array, state: number): number {
  let crc = ~state;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    const a = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      table[1792 + (a & 255)]! ^
      table[1536 + ((a >>> 8) & 255)]! ^
      table[1280 + ((a >>> 16) & 255)]! ^
      table[1024 + (a >>> 24)]! ^
      table[768 + bytes[at + 4]!]! ^
      table[512 + bytes[at + 5]!]! ^
      table[256 + bytes[at + 6]!]! ^
      table[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}

function update64({ low, high }: Tables, bytes: Uint8Array, state: bigint): bigint {
  let l = ~Number(BigInt.asIntN(32, state));
  let h = ~Number(BigInt.asIntN(32, state >> 32n));
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    const a = l ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    const b = h ^ (bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24));
    const i7 = 1792 + (a & 255);
    const i6 = 1536 + ((a >>> 8) & 255);
    const i5 = 1280 + ((a >>> 16) & 255);
    const i4 = 1024 + (a >>> 24);
    const i3 = 768 + (b & 255);
    const i2 = 512 + ((b >>> 8) & 255);
    const i1 = 256 + ((b >>> 16) & 255);
    const i0 = b >>> 24;
    l = low[i7]! ^ low[i6]! ^ low[i5]! ^ low[i4]! ^ low[i3]! ^ low[i2]! ^ low[i1]! ^ low[i0]!;
    h = high[i7]! ^ high[i6]! ^ high[i5]! ^ high[i4]! ^ high[i3]! ^ high[i2]! ^ high[i1]! ^ high[i0]!;
  }
  for (; at < bytes.length; at++) {
    const i = (l ^ bytes[at]!) & 255;
    l = ((l >>> 8) | (h << 24)) ^ low[i]!;
    h = (h >>> 8) ^ high[i]!;
  }
  return (BigInt(~h >>> 0) << 32n) | BigInt(~l >>> 0);
}

// Appending n bytes multiplies a CRC by x^(8n) modulo the polynomial; the complements at both ends cancel out.
function joiner(polynomial: bigint, bits: number): Crc["join"] {
  const one = 1n << BigInt(bits - 1);
  const multiply = (a: bigint, b: bigint): bigint => {
    let product = 0n;
    for (let bit = one; bit !== 0n; bit >>= 1n) {
      if (a & bit) product ^= b;
      b = b & 1n ? (b >> 1n) ^ polynomial : b >> 1n;
    }
    return product;
  };
  // squares[k] = x^(8 * 2^k)
  const squares = [one >> 8n];
  const powers = new Map<number, bigint>();
  const power = (length: number): bigint => {
    let result = one;
    for (let k = 0, rest = length; rest > 0; k++, rest = Math.floor(rest / 2)) {
      squares[k] ??= multiply(squares[k - 1]!, squares[k - 1]!);
      if (rest % 2 === 1) result = multiply(result, squares[k]!);
    }
    return result;
  };
  return (first, second, secondLength) => {
    // Parts are mostly of one length: what it needs is worked out once.
    let factor = powers.get(secondLength);
    if (factor === undefined) {
      if (powers.size >= 64) powers.clear();
      factor = power(secondLength);
      powers.set(secondLength, factor);
    }
    return multiply(factor, first) ^ second;
  };
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
