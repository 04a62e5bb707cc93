// Reads a zip: the central directory, zip64, stored and deflated entries, mode bits and symbolic links. PKWARE's APPNOTE 6.3.
// Own code because the libraries at hand lose mode bits or symlinks, or stop at the first odd name; each limit here is AWS's.
import { posix } from "node:path";
import { crc32, inflateRawSync } from "node:zlib";

export interface ZipEntry {
  /** Relative, with `/`, without `..`; a directory's ends without slash. */
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink";
  /** Permission bits: 0 where the zip was made by a system without them. */
  readonly mode: number;
  /** Uncompressed, as the directory says; `read` refuses more. */
  readonly size: number;
  /** The bytes: of a symlink, its target. Throws ZipError on a wrong length or checksum. */
  read(): Uint8Array;
}

/** Not a zip, a damaged one, or one that wants to be outside its directory. */
export class ZipError extends Error {}

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const LONGEST_COMMENT = 0xffff;

/** The entries in the order of the central directory. Nothing is inflated before `read`. */
export function readZip(bytes: Uint8Array): ZipEntry[] {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const { count, offset } = findDirectory(zip);
    const entries: ZipEntry[] = [];
    for (let i = 0, at = offset; i < count; i++) {
      if (zip.readUInt32LE(at) !== CENTRAL) throw new ZipError(`no directory entry at ${at}`);
      const end = at + 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
      entries.push(readEntry(zip, at));
      at = end;
    }
    return entries;
  } catch (error) {
    if (error instanceof RangeError) throw new ZipError("the archive is cut short", { cause: error });
    throw error;
  }
}

function findDirectory(zip: Buffer): { count: number; offset: number } {
  for (let at = zip.length - 22; at >= Math.max(0, zip.length - 22 - LONGEST_COMMENT); at--) {
    if (zip.readUInt32LE(at) !== END) continue;
    if (at >= 20 && zip.readUInt32LE(at - 20) === LOCATOR64) {
      const at64 = Number(zip.readBigUInt64LE(at - 12));
      if (zip.readUInt32LE(at64) !== END64) throw new ZipError("no zip64 directory");
      return { count: Number(zip.readBigUInt64LE(at64 + 32)), offset: Number(zip.readBigUInt64LE(at64 + 48)) };
    }
    return { count: zip.readUInt16LE(at + 10), offset: zip.readUInt32LE(at + 16) };
  }
  throw new ZipError("no end of central directory");
}

function readEntry(zip: Buffer, at: number): ZipEntry {
  const madeBy = zip.readUInt8(at + 5);
  const flags = zip.readUInt16LE(at + 8);
  const method = zip.readUInt16LE(at + 10);
  const crc = zip.readUInt32LE(at + 16);
  const nameLength = zip.readUInt16LE(at + 28);
  const extra = zip.subarray(at + 46 + nameLength, at + 46 + nameLength + zip.readUInt16LE(at + 30));
  const [size, packed, offset] = widen(extra, [
    zip.readUInt32LE(at + 24),
    zip.readUInt32LE(at + 20),
    zip.readUInt32LE(at + 42),
  ]) as [number, number, number];
  const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
  // High half of the external attributes = st_mode, when made on Unix (3) or macOS (19).
  const stat = madeBy === 3 || madeBy === 19 ? zip.readUInt32LE(at + 38) >>> 16 : 0;
  const kind = (stat & 0o170000) === 0o120000 ? "symlink" : name.endsWith("/") ? "directory" : "file";
  return { path: safePath(name), kind, mode: stat & 0o777, size, read };

  function read(): Uint8Array {
    if (flags & 1) throw new ZipError(`${name} is encrypted`);
    if (offset + 30 > zip.length || zip.readUInt32LE(offset) !== LOCAL)
      throw new ZipError(`${name} has no local header`);
    const start = offset + 30 + zip.readUInt16LE(offset + 26) + zip.readUInt16LE(offset + 28);
    if (start + packed > zip.length) throw new ZipError(`${name} is cut short`);
    const data = unpack(zip.subarray(start, start + packed), method, { name, size });
    if (data.length !== size || crc32(data) !== crc) throw new ZipError(`${name} is damaged`);
    return data;
  }
}

function unpack(data: Buffer, method: number, entry: { name: string; size: number }): Uint8Array {
  if (method === 0) return data;
  if (method !== 8) throw new ZipError(`${entry.name} has compression method ${method}`);
  try {
    // maxOutputLength must be positive; the length is compared with the directory's afterwards.
    return inflateRawSync(data, { maxOutputLength: entry.size + 1 });
  } catch (error) {
    throw new ZipError(`${entry.name} does not inflate`, { cause: error });
  }
}

/** Zip64's extra field (0x0001) holds, in order, the 64-bit values of those fields that are all ones. */
function widen(extra: Buffer, values: number[]): number[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    return values.map((value) => {
      if (value !== 0xffffffff) return value;
      next += 8;
      return Number(extra.readBigUInt64LE(next - 8));
    });
  }
  return values;
}

function safePath(name: string): string {
  // Some Windows tools write backslashes; AWS takes them for slashes.
  const path = posix.normalize(name.replaceAll("\\", "/")).replace(/\/+$/, "");
  if (path.startsWith("/") || path.split("/").includes("..") || path.includes("\0"))
    throw new ZipError(`${name} leads out of the archive`);
  return path;
}
