// Files: where bytes lie, and how they come there. No row is known here.
// A bucket has a root (its directory, where an object is the plain file of its key) and a home on the same file system (what is being written, and
// the bytes of what no path can hold: odd keys, older versions, parts). Nothing is ever written through a symbolic link below the root.
import { createHash } from "node:crypto";
import { type BigIntStats, lstatSync, type Stats } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import { newHex } from "../../kernel/mod.ts";
import { fitsPath, STAGE_NAME } from "./keys.ts";

export interface Place {
  readonly root: string;
  readonly home: string;
}

/** What tells the bytes of a file from others, without reading them. A rename, link or chmod leaves it. */
export const fingerprintOf = (stat: BigIntStats): string => `${stat.ino}:${stat.size}:${stat.mtimeNs}`;

/**
 * Whether a file has the bytes of a row. A file in the side folder is written by nobody but us, so its size is enough: a workspace that was copied, or
 * restored, has other inodes.
 */
export const holdsBytesOf = (row: { side: string | null; fingerprint: string }, stat: BigIntStats): boolean =>
  row.side === null ? fingerprintOf(stat) === row.fingerprint : String(stat.size) === row.fingerprint.split(":")[1];

/** Size and time of a fingerprint: what a copy that keeps times has in common with its original. */
export const sizeAndTimeOf = (fingerprint: string): string => fingerprint.slice(fingerprint.indexOf(":") + 1);

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
  if (isOwnDirectory(root, parent)) return true;
  // The deepest directory that exists must be ours before anything is made below it.
  let existing = dirname(parent);
  while (existing.length > root.length && !entryAt(existing)) existing = dirname(existing);
  // A root that is missing is not made: see placeOf.
  if (existing.length <= root.length) await fs.stat(root);
  else if (!isOwnDirectory(root, existing)) return false;
  try {
    await fs.mkdir(parent, { recursive: true });
  } catch (error) {
    if (is(error, "ENOTDIR", "EEXIST", "ELOOP", "ENAMETOOLONG")) return false;
    throw error;
  }
  return isOwnDirectory(root, parent);
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
  if (key.includes("/") && !isOwnDirectory(root, dirname(path))) return undefined;
  return fingerprintAt(path);
}

/** Whether a directory below the root is there and reached through no symbolic link. The root itself is real: openPlace saw to it. */
function isOwnDirectory(root: string, path: string): boolean {
  for (let at = path.indexOf("/", root.length + 1); ; at = path.indexOf("/", at + 1)) {
    if (!isDirectory(at < 0 ? path : path.slice(0, at))) return false;
    if (at < 0) return true;
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

export const isDirectory = (path: string): boolean => entryAt(path)?.isDirectory() ?? false;

/** Of whatever is there: links are not followed. */
function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (is(error, "ENOTDIR", "ELOOP", "EACCES", "ENAMETOOLONG")) return undefined;
    throw error;
  }
}

/** It may be gone already: somebody else's `rm` is as good as ours. */
export const discard = (path: string): Promise<void> => fs.rm(path, { force: true });

/** Whether a file operation failed for one of these reasons. */
export const is = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && "code" in error && codes.includes(error.code as string);
