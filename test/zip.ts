// Makes zips for tests: well-formed ones, and those that want to do harm.
import { crc32, deflateRawSync } from "node:zlib";

export interface Packed {
  readonly data: string | Uint8Array;
  /** st_mode. Default: a file of mode 0644. */
  readonly mode?: number;
  /** What the directory says that it inflates to. Default: the truth. */
  readonly size?: number;
}

/** `zip64`: sizes and offsets in their 64-bit form. */
export function zipOf(files: Readonly<Record<string, Packed | string>>, options: { zip64?: boolean } = {}): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [path, packed] of Object.entries(files)) {
    const file: Packed = typeof packed === "string" ? { data: packed } : packed;
    const name = Buffer.from(path);
    const data = Buffer.from(file.data as string);
    const deflated = deflateRawSync(data);
    const size = file.size ?? data.length;
    const wide = options.zip64 ? zip64Extra(size, deflated.length, offset) : Buffer.alloc(0);
    const narrow = (value: number) => (options.zip64 ? 0xffffffff : value);
    const head = record(30, [
      [4, 0x04034b50],
      [2, 20],
      [2, 0x0800],
      [2, 8],
      [4, 0],
      [4, crc32(data)],
      [4, deflated.length],
      [4, size],
      [2, name.length],
      [2, 0],
    ]);
    central.push(
      record(46, [
        [4, 0x02014b50],
        [2, 0x0314],
        [2, 20],
        [2, 0x0800],
        [2, 8],
        [4, 0],
        [4, crc32(data)],
        [4, narrow(deflated.length)],
        [4, narrow(size)],
        [2, name.length],
        [2, wide.length],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, ((file.mode ?? 0o100644) << 16) >>> 0],
        [4, narrow(offset)],
      ]),
      name,
      wide,
    );
    local.push(head, name, deflated);
    offset += head.length + name.length + deflated.length;
  }
  const directory = Buffer.concat(central);
  const count = Object.keys(files).length;
  const tail = options.zip64 ? zip64End(count, directory.length, offset) : Buffer.alloc(0);
  const end = record(22, [
    [4, 0x06054b50],
    [4, 0],
    [2, options.zip64 ? 0xffff : count],
    [2, options.zip64 ? 0xffff : count],
    [4, directory.length],
    [4, options.zip64 ? 0xffffffff : offset],
    [2, 0],
  ]);
  return Buffer.concat([...local, directory, tail, end]);
}

function record(length: number, fields: readonly (readonly [bytes: 2 | 4, value: number])[]): Buffer {
  const out = Buffer.alloc(length);
  let at = 0;
  for (const [bytes, value] of fields) at = out.writeUIntLE(value, at, bytes);
  return out;
}

function zip64Extra(size: number, packed: number, offset: number): Buffer {
  const out = Buffer.alloc(28);
  out.writeUInt16LE(1, 0);
  out.writeUInt16LE(24, 2);
  [size, packed, offset].forEach((value, i) => {
    out.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  });
  return out;
}

function zip64End(count: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(56);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  for (const at of [24, 32]) end.writeBigUInt64LE(BigInt(count), at);
  end.writeBigUInt64LE(BigInt(size), 40);
  end.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + size), 8);
  return Buffer.concat([end, locator]);
}
