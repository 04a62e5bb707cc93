// Bytes: where they lie, how they come there, how they are read. No row is known here.
// A bucket has a root (its directory, where an object is the plain file of its key) and a home on the same file system (what is being written, and
// the bytes of what no path can hold: odd keys, older versions, parts). Nothing is ever written through a symbolic link below the root.
import { createHash } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  read as readFromDisk,
  readSync,
  realpathSync,
  write,
  writeSync,
} from "node:fs";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { newHex } from "../../kernel/mod.ts";
import { type Algorithm, type Digest, openDigest } from "./checksums.ts";
import { errors } from "./errors.ts";
import { fitsPath, STAGE_NAME } from "./keys.ts";

export interface Place {
  readonly root: string;
  readonly home: string;
}

/** What tells the bytes of a file from others, without reading them. A rename, link or chmod leaves it. */
export const fingerprintOf = (stat: BigIntStats): string => `${stat.ino}:${stat.size}:${stat.mtimeNs}`;

/** Another file, of the same size and time to the nanosecond: what `cp -a` makes of a workspace, and a snapshot that is brought back. */
export const isCopyOf = (one: string, other: string): boolean => afterInode(one) === afterInode(other);
const afterInode = (fingerprint: string): string => fingerprint.slice(fingerprint.indexOf(":"));

/** Whether a file is the one that its row describes. In the side folder, where only we write, a copy of it will do. */
export const isFileOf = (row: { fingerprint: string; side: string | null }, found: string | undefined): boolean =>
  found === row.fingerprint || (row.side !== null && found !== undefined && isCopyOf(found, row.fingerprint));

/** `directory` must exist. `system` is where homes are, unless the root is on another file system. */
export async function openPlace(directory: string, system: string, bucket: string): Promise<Place> {
  const root = await fs.realpath(directory);
  const home = join(system, bucket);
  await fs.mkdir(home, { recursive: true });
  const [there, here] = await Promise.all([fs.stat(root), fs.stat(home)]);
  const place = { root, home: there.dev === here.dev ? home : join(root, STAGE_NAME) };
  await fs.mkdir(join(place.home, "stage"), { recursive: true });
  return place;
}

/** Written completely, hashed, not yet anybody's. */
export interface Staged {
  readonly path: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly md5: string;
  readonly fingerprint: string;
  /** base64 */
  readonly digests: Readonly<Partial<Record<Algorithm, string>>>;
}

export interface StageOptions {
  readonly algorithms: readonly Algorithm[];
  /** Bytes that were announced: more or fewer is IncompleteBody. */
  readonly length?: number | undefined;
  readonly maxLength: number;
}

/** Streams with backpressure: holds one chunk, and what is gathered for one write. */
export async function stage(
  place: Place,
  body: Readable | Uint8Array | undefined,
  options: StageOptions,
): Promise<Staged> {
  const path = join(place.home, "stage", newHex(24));
  const hashes = openHashes(options.algorithms);
  const fd = openStage(place, path);
  try {
    let size = 0;
    const gather = new Gather(fd);
    const take = (chunk: Uint8Array): Promise<void> | undefined => {
      size += chunk.length;
      if (size > options.maxLength) throw errors.entityTooLarge(size, options.maxLength);
      hashes.update(chunk);
      return gather.add(chunk);
    };
    if (body instanceof Uint8Array) await take(body);
    else if (body) for await (const chunk of body) await take(chunk as Uint8Array);
    if (options.length !== undefined && size !== options.length) throw errors.incompleteBody();
    await gather.flush();
    const stat = fstatSync(fd, { bigint: true });
    return { path, size, fingerprint: fingerprintOf(stat), ...hashes.digest() };
  } catch (error) {
    await fs.rm(path, { force: true });
    // Whoever sent it went away in the middle.
    throw is(error, "ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE") ? errors.incompleteBody() : error;
  } finally {
    closeSync(fd);
  }
}

/** Bytes of another file, as a new staged file. */
export async function stageExtent(
  place: Place,
  { path, start, end }: { path: string; start: number; end: number },
  algorithms: readonly Algorithm[],
): Promise<Staged> {
  const body = Readable.from(readFile(path, start, end), { objectMode: false });
  return await stage(place, body, { algorithms, length: end - start, maxLength: Number.MAX_SAFE_INTEGER });
}

/** Whole files, one after the other, as a new staged file: their hashes are known already. One alone is not copied. */
export async function stageJoined(
  place: Place,
  paths: readonly string[],
): Promise<{ path: string; size: number; fingerprint: string }> {
  const path = join(place.home, "stage", newHex(24));
  try {
    if (paths.length === 1) await fs.link(paths[0]!, path);
    else {
      await fs.copyFile(paths[0]!, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      const file = await fs.open(path, "a");
      try {
        for (const part of paths.slice(1))
          for await (const chunk of readFile(part, 0, Number.MAX_SAFE_INTEGER)) await file.write(chunk);
      } finally {
        await file.close();
      }
    }
    const stat = await fs.stat(path, { bigint: true });
    return { path, size: Number(stat.size), fingerprint: fingerprintOf(stat) };
  } catch (error) {
    await fs.rm(path, { force: true });
    throw error;
  }
}

async function* readFile(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  const file = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let at = start; at < end; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, end - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

const CHUNK = 256 * 1024;

/** Small chunks wait for each other: one write for 256 KiB. A write that ends the file at once is not worth a thread. */
class Gather {
  readonly #fd: number;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #written = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  add(chunk: Uint8Array): Promise<void> | undefined {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    return this.#length >= CHUNK ? this.flush() : undefined;
  }

  async flush(): Promise<void> {
    const [chunks, length] = [this.#chunks, this.#length];
    this.#chunks = [];
    this.#length = 0;
    if (this.#written === 0 && length < CHUNK) {
      for (const chunk of chunks) for (let at = 0; at < chunk.length; ) at += writeSync(this.#fd, chunk, at);
      return;
    }
    this.#written += length;
    await writeAll(this.#fd, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  }
}

function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (at: number): void => {
      write(fd, bytes, at, bytes.length - at, null, (error, written) => {
        if (error) reject(error);
        else if (at + written < bytes.length) next(at + written);
        else resolve();
      });
    };
    next(0);
  });
}

interface Hashes {
  update(bytes: Uint8Array): void;
  digest(): Pick<Staged, "md5" | "digests">;
}

function openHashes(algorithms: readonly Algorithm[]): Hashes {
  const md5 = createHash("md5");
  const digests = new Map<Algorithm, Digest>(algorithms.map((name) => [name, openDigest(name)]));
  return {
    update(bytes) {
      md5.update(bytes);
      for (const digest of digests.values()) digest.update(bytes);
    },
    digest: () => ({
      md5: md5.digest("hex"),
      digests: Object.fromEntries([...digests].map(([name, digest]) => [name, digest.digest()])),
    }),
  };
}

function openStage(place: Place, path: string): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  try {
    return openSync(path, flags, 0o644);
  } catch (error) {
    // Somebody cleared the home: it is ours to make again.
    if (!is(error, "ENOENT")) throw error;
    mkdirSync(join(place.home, "stage"), { recursive: true });
    return openSync(path, flags, 0o644);
  }
}

/** Hashes a file that may be written to meanwhile: undefined where it was, or is no plain file. */
export async function hashFile(
  path: string,
  algorithms: readonly Algorithm[],
): Promise<Omit<Staged, "path"> | undefined> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (is(error, "ENOENT", "ENOTDIR", "ELOOP", "EACCES", "ENXIO")) return undefined;
    throw error;
  }
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) return undefined;
    const hashes = openHashes(algorithms);
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Number(before.size) + 1));
    let size = 0;
    for (let count = -1; count !== 0; size += count) {
      // A small file is in memory: reading it takes less than asking a thread to.
      count = before.size < SMALL ? readSync(fd, buffer, 0, buffer.length, size) : await readChunk(fd, buffer, size);
      hashes.update(buffer.subarray(0, count));
    }
    const fingerprint = fingerprintOf(fstatSync(fd, { bigint: true }));
    if (fingerprint !== fingerprintOf(before) || BigInt(size) !== before.size) return undefined;
    return { fingerprint, size, ...hashes.digest() };
  } finally {
    closeSync(fd);
  }
}

const SMALL = 64 * 1024;

const readChunk = (fd: number, buffer: Uint8Array, at: number): Promise<number> =>
  new Promise((resolve, reject) => {
    readFromDisk(fd, buffer, 0, buffer.length, at, (error, count) => (error ? reject(error) : resolve(count)));
  });

/** A file of a row: the plain one of its key, or one in the side folder. */
export const pathOf = (place: Place, key: string, side: string | null): string =>
  side === null ? `${place.root}/${key}` : sidePath(place, side);

/** 256 folders, so that none gets too large. */
const sidePath = (place: Place, side: string): string => join(place.home, "side", side.slice(0, 2), side);

export const newSide = (): string => newHex(32);

/** The name that a version gets when it is succeeded. It follows from the row, so that it is found again after a crash before the commit. */
export const asideOf = (key: string, rank: number): string =>
  createHash("sha256").update(`${rank}/${key}`).digest("hex").slice(0, 32);

/**
 * Gives staged bytes their place, at once whole: as the plain file of `key` where a path can hold it, else in the side folder. Returns the name there.
 * Replaces the plain file; the caller holds the key's lock.
 */
export async function settle(place: Place, key: string, staged: string): Promise<string | null> {
  if (fitsPath(place.root, key) && (await becomesPlain(place, key, staged))) return null;
  const side = newSide();
  await moveToSide(staged, place, side);
  return side;
}

export async function moveToSide(from: string, place: Place, side: string): Promise<void> {
  const path = sidePath(place, side);
  await retryWithParent(path, () => fs.rename(from, path));
}

/** The plain file's bytes get a second name in the side folder: what comes next replaces the first. */
export async function linkToSide(from: string, place: Place, side: string): Promise<void> {
  const path = sidePath(place, side);
  try {
    await retryWithParent(path, () => fs.link(from, path));
  } catch (error) {
    // Left by a crash before the commit.
    if (!is(error, "EEXIST")) throw error;
    await fs.rm(path);
    await fs.link(from, path);
  }
}

async function becomesPlain(place: Place, key: string, staged: string): Promise<boolean> {
  const path = `${place.root}/${key}`;
  if (key.includes("/") && !(await hasOwnParent(place.root, dirname(path)))) return false;
  try {
    await fs.rename(staged, path);
    return true;
  } catch (error) {
    if (is(error, "ENAMETOOLONG", "ENOTDIR")) return false;
    if (!is(error, "EISDIR", "ENOTEMPTY", "EEXIST")) throw error;
  }
  // A directory stands there. An empty one holds no object: it gives way.
  try {
    await fs.rmdir(path);
    await fs.rename(staged, path);
    return true;
  } catch (error) {
    if (is(error, "ENOTEMPTY", "EEXIST", "EISDIR", "ENOTDIR", "EBUSY", "EPERM")) return false;
    throw error;
  }
}

/** Makes the directory where it is missing. False where a file or a symbolic link stands in the way. */
async function hasOwnParent(root: string, parent: string): Promise<boolean> {
  try {
    try {
      return (await fs.realpath(parent)) === parent;
    } catch (error) {
      if (!is(error, "ENOENT")) throw error;
    }
    // The deepest directory that exists must be ours before anything is made below it.
    let existing = dirname(parent);
    while (existing.length > root.length && !(await exists(existing))) existing = dirname(existing);
    if ((await fs.realpath(existing)) !== existing) return false;
    await fs.mkdir(parent, { recursive: true });
    return (await fs.realpath(parent)) === parent;
  } catch (error) {
    if (is(error, "ENOTDIR", "EEXIST", "ELOOP", "ENAMETOOLONG")) return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await fs.lstat(path);
    return true;
  } catch (error) {
    if (is(error, "ENOENT")) return false;
    throw error;
  }
}

async function retryWithParent(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!is(error, "ENOENT")) throw error;
    await fs.mkdir(dirname(path), { recursive: true });
    await work();
  }
}

/** The fingerprint of the plain file at `path`; undefined where there is none (a directory, a link, nothing). */
export function fingerprintAt(path: string): string | undefined {
  const stat = statAt(path);
  return stat && fingerprintOf(stat);
}

/** The fingerprint of a key's plain file, reached through no symbolic link; undefined where there is none. */
export function plainFingerprint({ root }: Place, key: string): string | undefined {
  const path = `${root}/${key}`;
  if (key.includes("/") && !isOwnDirectory(dirname(path))) return undefined;
  return fingerprintAt(path);
}

function isOwnDirectory(path: string): boolean {
  try {
    return realpathSync.native(path) === path;
  } catch (error) {
    if (is(error, "ENOENT", "ENOTDIR", "ELOOP", "EACCES", "ENAMETOOLONG")) return false;
    throw error;
  }
}

/** The plain file of a key goes, if it is still the one that is meant. */
export async function discardPlain(place: Place, key: string, fingerprint: string): Promise<void> {
  if (plainFingerprint(place, key) === fingerprint) await discard(`${place.root}/${key}`);
}

/** Of a plain file. Takes microseconds: not worth a thread. */
export function statAt(path: string): BigIntStats | undefined {
  try {
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stat?.isFile() ? stat : undefined;
  } catch (error) {
    if (is(error, "ENOTDIR", "ENAMETOOLONG", "EACCES")) return undefined;
    throw error;
  }
}

export const isDirectory = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** It may be gone already: somebody else's `rm` is as good as ours. */
export const discard = (path: string): Promise<void> => fs.rm(path, { force: true });

/** Whether a file operation failed for one of these reasons. */
export const is = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && "code" in error && codes.includes(error.code as string);
