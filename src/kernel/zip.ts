// Writes a zip of a directory or of one file: the same bytes for the same content. PKWARE's APPNOTE 6.3, without zip64.
import assert from "node:assert/strict";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { crc32, deflateRaw } from "node:zlib";

export interface Packed {
  /** Relative, with `/`. */
  readonly path: string;
  /** st_mode, kind included. */
  readonly mode: number;
  /** Of a symbolic link: its target. */
  readonly data: Uint8Array;
}

const VERSION = 20;
const MADE_ON_UNIX = 3 << 8;
const UTF8 = 0x0800;
const DEFLATED = 8;
/** 1980-01-01: times would make other bytes of the same content. */
const DATE = 0x21;
const MAX_ENTRIES = 0xffff;
const MAX_BYTES = 0xffffffff;

/** Whatever lies in the directory, or the file alone. `.git` is left out. */
export async function zipOfPath(path: string): Promise<Buffer> {
  const found = await lstat(path);
  const packed = found.isDirectory() ? await collect(path, "") : [await pack(path, basename(path), found.mode)];
  return zipOf(packed);
}

export async function zipOf(files: readonly Packed[]): Promise<Buffer> {
  assert.ok(files.length <= MAX_ENTRIES, "too many files for a zip");
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { path, mode, data } of files) {
    const name = Buffer.from(path);
    const deflated = await promisify(deflateRaw)(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(VERSION, 0);
    common.writeUInt16LE(UTF8, 2);
    common.writeUInt16LE(DEFLATED, 4);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(deflated.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    local.push(signature(0x04034b50), common, name, deflated);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    central.push(signature(0x02014b50), short(MADE_ON_UNIX | VERSION), common, rest, name);
    offset += 30 + name.length + deflated.length;
  }
  const directory = Buffer.concat(central);
  assert.ok(offset + directory.length <= MAX_BYTES, "too much for a zip");
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, signature(0x06054b50), end]);
}

async function collect(dir: string, prefix: string): Promise<Packed[]> {
  const packed: Packed[] = [];
  for (const name of (await readdir(dir)).sort()) {
    if (name === ".git") continue;
    const [path, inside] = [join(dir, name), prefix + name];
    const found = await lstat(path);
    if (found.isDirectory()) packed.push(...(await collect(path, `${inside}/`)));
    else if (found.isFile() || found.isSymbolicLink()) packed.push(await pack(path, inside, found.mode));
  }
  return packed;
}

async function pack(path: string, name: string, mode: number): Promise<Packed> {
  const link = (mode & 0o170000) === 0o120000;
  return { path: name, mode, data: link ? Buffer.from(await readlink(path)) : await readFile(path) };
}

function signature(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

function short(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(value);
  return out;
}
