// A directory as a zip: modes and symbolic links kept, times not, so that the same files are the same bytes. PKWARE's APPNOTE 6.3.
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";

export interface Entry {
  /** Relative, with `/`. */
  readonly path: string;
  readonly data: Buffer;
  /** st_mode. */
  readonly mode: number;
}

const LINK = 0o120000;
const FILE = 0o100000;

/** Every file below, in the order of their names; without `.git`. */
export async function entriesOf(dir: string, within = ""): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const name of (await readdir(join(dir, within))).sort()) {
    if (name === ".git") continue;
    const path = within ? `${within}/${name}` : name;
    const stat = await lstat(join(dir, path));
    if (stat.isDirectory()) entries.push(...(await entriesOf(dir, path)));
    else if (stat.isSymbolicLink())
      entries.push({ path, data: Buffer.from(await readlink(join(dir, path))), mode: LINK | 0o777 });
    else if (stat.isFile())
      entries.push({ path, data: await readFile(join(dir, path)), mode: FILE | (stat.mode & 0o111 ? 0o755 : 0o644) });
  }
  return entries;
}

/** 1980-01-01, the first day that a zip knows. */
const DATE = 0x21;
const UTF8 = 0x0800;
const UNIX = 0x0314;
const VERSION = 20;
const DEFLATED = 8;

/** Below 4 GB and 65,536 files, which is far beyond what Lambda takes. */
export function zip(entries: readonly Entry[]): Buffer<ArrayBuffer> {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { path, data, mode } of entries) {
    const name = Buffer.from(path);
    const packed = deflateRawSync(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(VERSION, 0);
    common.writeUInt16LE(UTF8, 2);
    common.writeUInt16LE(DEFLATED, 4);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const more = Buffer.alloc(14);
    more.writeUInt32LE((mode << 16) >>> 0, 6);
    more.writeUInt32LE(offset, 10);
    const own = [word(0x04034b50), common, name, packed];
    central.push(word(0x02014b50), half(UNIX), common, more, name);
    local.push(...own);
    offset += own.reduce((sum, part) => sum + part.length, 0);
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, word(0x06054b50), end]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function half(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
