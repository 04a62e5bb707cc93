// A text as a QR code (ISO/IEC 18004), as PNG: bytes, error correction L, versions 1 to 20, mask 0. What an authenticator app scans.
import { crc32, deflateSync } from "node:zlib";

/** PNG, a module 4 pixels wide, with the quiet zone of 4 modules. Throws RangeError beyond 858 bytes. */
export function qrCode(text: string): Buffer {
  const bytes = Buffer.from(text);
  const version = VERSIONS.findIndex((_, at) => at > 0 && bytes.length <= room(at));
  if (version < 0) throw new RangeError(`${bytes.length} bytes are too many for a QR code of version 20`);
  return png(modules(version, codewords(bytes, version)));
}

/** Of error correction level L, by version: codewords of correction in a block, and how many blocks. */
const VERSIONS: readonly (readonly [correction: number, blocks: number])[] = [
  [0, 0],
  [7, 1],
  [10, 1],
  [15, 1],
  [20, 1],
  [26, 1],
  [18, 2],
  [20, 2],
  [24, 2],
  [30, 2],
  [18, 4],
  [20, 4],
  [24, 4],
  [26, 4],
  [30, 4],
  [22, 6],
  [24, 6],
  [28, 6],
  [30, 6],
  [28, 7],
  [28, 8],
];

const sizeOf = (version: number): number => 17 + 4 * version;

/** Centres of the alignment patterns, in both directions. */
function centres(version: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const last = sizeOf(version) - 7;
  const step = Math.ceil((last - 6) / (count - 1) / 2) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, at) => last - step * (count - 2 - at))];
}

/** Codewords in all: the modules that no pattern takes. */
function capacity(version: number): number {
  const aligned = centres(version).length;
  const patterns = aligned === 0 ? 0 : 25 * aligned ** 2 - 10 * aligned - 55;
  const free = (16 * version + 128) * version + 64 - patterns - (version >= 7 ? 36 : 0);
  return Math.floor(free / 8);
}

function room(version: number): number {
  const [correction, blocks] = VERSIONS[version]!;
  return capacity(version) - correction * blocks - (version < 10 ? 2 : 3);
}

/** Data and correction, interleaved block by block. */
function codewords(bytes: Buffer, version: number): number[] {
  const [correction, count] = VERSIONS[version]!;
  const whole = capacity(version) - correction * count;
  const length = bytes.length.toString(2).padStart(version < 10 ? 8 : 16, "0");
  const bits = `0100${length}${[...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("")}0000`;
  const data = bits
    .padEnd(Math.ceil(bits.length / 8) * 8, "0")
    .match(/.{8}/g)!
    .map((byte) => Number.parseInt(byte, 2));
  for (let pad = 0xec; data.length < whole; pad ^= 0xec ^ 0x11) data.push(pad);
  // The first blocks are one codeword shorter, where they do not come out even.
  const short = Math.floor(whole / count);
  const shorter = count - (whole % count);
  let from = 0;
  const blocks = Array.from({ length: count }, (_, at) => {
    const to = from + short + (at < shorter ? 0 : 1);
    const block = data.slice(from, to);
    from = to;
    return block;
  });
  const corrections = blocks.map((block) => remainder(block, correction));
  const interleaved = (of: number[][]) => {
    const longest = Math.max(...of.map(({ length }) => length));
    return Array.from({ length: longest }, (_, at) => of.flatMap((block) => block[at] ?? [])).flat();
  };
  return [...interleaved(blocks), ...interleaved(corrections)];
}

/** Reed-Solomon over GF(256), x^8 + x^4 + x^3 + x^2 + 1. */
function remainder(data: readonly number[], degree: number): number[] {
  let generator = [1];
  for (let at = 0, root = 1; at < degree; at++, root = times(root, 2))
    generator = [...generator, 0].map((factor, i) => factor ^ (i > 0 ? times(generator[i - 1]!, root) : 0));
  const left = [...data, ...new Array<number>(degree).fill(0)];
  for (let at = 0; at < data.length; at++) {
    const factor = left[at]!;
    generator.forEach((one, i) => {
      left[at + i]! ^= times(one, factor);
    });
  }
  return left.slice(data.length);
}

function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ (product >> 7 ? 0x11d : 0);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** Rows of modules: true is dark. */
function modules(version: number, words: readonly number[]): boolean[][] {
  const size = sizeOf(version);
  const grid = Array.from({ length: size }, () => new Array<boolean | undefined>(size).fill(undefined));
  const set = (row: number, column: number, dark: boolean) => {
    if (row >= 0 && column >= 0 && row < size && column < size) grid[row]![column] = dark;
  };
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [row, column] of [
    [3, 3],
    [3, size - 4],
    [size - 4, 3],
  ] as const)
    square(4, (dy, dx, ring) => set(row + dy, column + dx, ring !== 2 && ring !== 4));
  const all = centres(version);
  for (const row of all)
    for (const column of all)
      if (!inCorner(row, column, size)) square(2, (dy, dx, ring) => set(row + dy, column + dx, ring !== 1));
  drawFormat(size, set);
  if (version >= 7) drawVersion(version, size, set);
  fill(grid, words);
  return grid.map((row) => row.map((dark) => dark === true));
}

const inCorner = (row: number, column: number, size: number): boolean =>
  (row === 6 && (column === 6 || column === size - 7)) || (row === size - 7 && column === 6);

function square(radius: number, draw: (dy: number, dx: number, ring: number) => void): void {
  for (let dy = -radius; dy <= radius; dy++)
    for (let dx = -radius; dx <= radius; dx++) draw(dy, dx, Math.max(Math.abs(dy), Math.abs(dx)));
}

type Set = (row: number, column: number, dark: boolean) => void;

/** Level L, mask 0, twice. */
function drawFormat(size: number, set: Set): void {
  const data = 0b01 << 3;
  const bits = ((data << 10) | division(data << 10, 0x537, 10)) ^ 0x5412;
  const bit = (at: number) => ((bits >> at) & 1) === 1;
  for (let at = 0; at < 15; at++) {
    set(at < 6 ? at : at < 8 ? at + 1 : size - 15 + at, 8, bit(at));
    set(8, at < 8 ? size - 1 - at : at === 8 ? 7 : 14 - at, bit(at));
  }
  set(size - 8, 8, true);
}

function drawVersion(version: number, size: number, set: Set): void {
  const bits = (version << 12) | division(version << 12, 0x1f25, 12);
  for (let at = 0; at < 18; at++) {
    const [long, across] = [size - 11 + (at % 3), Math.floor(at / 3)];
    set(long, across, ((bits >> at) & 1) === 1);
    set(across, long, ((bits >> at) & 1) === 1);
  }
}

/** The remainder of a division of polynomials over GF(2). */
function division(value: number, by: number, degree: number): number {
  let left = value;
  for (let bit = 31 - Math.clz32(left); left !== 0 && bit >= degree; bit = 31 - Math.clz32(left))
    left ^= by << (bit - degree);
  return left;
}

/** In pairs of columns from the right, upwards and downwards in turn, around what is set; mask 0 inverts every other module. */
function fill(grid: (boolean | undefined)[][], words: readonly number[]): void {
  const size = grid.length;
  let next = 0;
  for (let right = size - 1, up = true; right > 0; right -= right === 8 ? 3 : 2, up = !up)
    for (let step = 0; step < size; step++) {
      const row = up ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (grid[row]![column] !== undefined) continue;
        const dark = (((words[next >> 3] ?? 0) >> (7 - (next & 7))) & 1) === 1;
        next++;
        grid[row]![column] = dark !== ((row + column) % 2 === 0);
      }
    }
}

const SCALE = 4;
const QUIET = 4;

/** One bit a pixel, gray. */
function png(rows: readonly (readonly boolean[])[]): Buffer {
  const width = (rows.length + 2 * QUIET) * SCALE;
  const line = (row: readonly boolean[] | undefined) => {
    const bytes = Buffer.alloc(1 + Math.ceil(width / 8));
    for (let x = 0; x < width; x++) if (!row?.[Math.floor(x / SCALE) - QUIET]) bytes[1 + (x >> 3)]! |= 0x80 >> (x & 7);
    return bytes;
  };
  const lines = Array.from({ length: width }, (_, y) => line(rows[Math.floor(y / SCALE) - QUIET]));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(width, 4);
  header[8] = 1;
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.concat(lines))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}
