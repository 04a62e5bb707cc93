// Files: where bytes lie, and how they come there. No row is known here.
// A bucket has a root (its directory, where an object is the plain file of its key) and a home on the same file system (what is being written, and
// the bytes of what no path can hold: odd keys, older versions, parts). Nothing is ever written through a symbolic link below the root.
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
  type Stats,
} from "node:fs";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { newHex } from "../../kernel/mod.ts";
import { type Disk, syncMade } from "./durable.ts";
import { fitsPath, STAGE_NAME } from "./keys.ts";
import { copySparse, hasHoles } from "./sparse.ts";

export interface Place {
  readonly root: string;
  readonly home: string;
  readonly disk: Disk;
  /** Of a file that is new in the home, the sync of its bytes brings its name along. */
  readonly ordered: boolean;
}

/**
 * They write names in the order in which they were made, in one journal with what the sync of a file writes: the name that a new file has cannot be
 * missing then. Elsewhere its directory is synced as well. By statfs(2)'s f_type; ext2 has that of ext4, whose driver syncs the parent where there is
 * no journal.
 */
const ORDERED = { ext4: 0xef53, xfs: 0x58465342, btrfs: 0x9123683e } as const;

/** Of what is staged, under the usual umask. */
const NEW_MODE = 0o644;

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
export async function openPlace(
  directory: string,
  { system, bucket, disk }: { system: string; bucket: string; disk: Disk },
): Promise<Place> {
  const root = await fs.realpath(directory);
  const home = join(system, bucket);
  await makeDirectory(disk, home);
  const [there, here] = await Promise.all([fs.stat(root), fs.stat(home)]);
  const place = { root, home: there.dev === here.dev ? home : join(root, STAGE_NAME), disk };
  await makeDirectory(disk, join(place.home, "stage"));
  const { type } = await fs.statfs(place.home);
  return { ...place, ordered: Object.values(ORDERED).some((magic) => magic === type) };
}

/** With its parents; their names are on the disk when it resolves. */
export async function makeDirectory(disk: Disk, path: string): Promise<void> {
  const first = await fs.mkdir(path, { recursive: true });
  if (first !== undefined) await syncMade(disk, { first, last: path });
}

/** Bytes on their way in. */
export const stagePath = (place: Place, name: string): string => join(place.home, "stage", name);

/** A file of a row: the plain one of its key, or one in the side folder. */
export const pathOf = (place: Place, key: string, side: string | null): string =>
  side === null ? `${place.root}/${key}` : sidePath(place, side);

/** 256 folders, so that none gets too large. */
const sidePath = (place: Place, side: string): string => join(place.home, "side", side.slice(0, 2), side);

export const newSide = (): string => newHex(32);

/** Where a row's bytes will be, decided before the row is written. Members are the row's columns. */
export interface Seat {
  /** Null: the plain file. It follows the row: `takeSeat`. */
  readonly side: string | null;
  /** The plain file's bytes until then, in the stage. */
  readonly staged: string | null;
  /** The fingerprint of the file that stands there until then. */
  readonly supersedes: string | null;
}

/**
 * A seat for staged bytes: the plain file of `key` where a path can hold it, else a name in the side folder, where they are at once. Makes the
 * directories. The caller holds the key's lock.
 */
export async function findSeat(place: Place, key: string, staged: string): Promise<Seat> {
  if (fitsPath(place.root, key)) {
    const there = await roomFor(place, key);
    if (there?.mode !== undefined) chmodSync(staged, there.mode);
    if (there) return { side: null, staged: basename(staged), supersedes: there.supersedes };
  }
  const side = newSide();
  await moveToSide(staged, place, side);
  return { side, staged: null, supersedes: null };
}

/** The row is there, its plain file follows. False where something has come in its way since. */
export async function takeSeat(place: Place, key: string, staged: string): Promise<boolean> {
  const path = `${place.root}/${key}`;
  const from = stagePath(place, staged);
  if (key.includes("/") && !(await hasOwnParent(place, dirname(path)))) return false;
  try {
    renameSync(from, path);
    return true;
  } catch (error) {
    if (is(error, "ENAMETOOLONG", "ENOTDIR")) return false;
    if (!is(error, "EISDIR", "ENOTEMPTY", "EEXIST")) throw error;
  }
  if (!(await givesWay(path))) return false;
  renameSync(from, path);
  return true;
}

/** Whether the row's bytes are still in the stage: the process died, or failed, before they took their seat. */
export const isSeatOpen = (
  place: Place,
  row: { staged: string | null; supersedes: string | null },
  found: string | undefined,
): boolean => row.staged !== null && (row.supersedes ?? undefined) === found && isFile(stagePath(place, row.staged));

/** From the stage: a name in the side folder, on the disk when it resolves. */
export async function moveToSide(from: string, place: Place, side: string): Promise<void> {
  const path = sidePath(place, side);
  await withShard(place, path, () => fs.rename(from, path));
  await place.disk.names(dirname(path));
}

/**
 * The plain file's bytes get a second name in the side folder, before something replaces the first. Undefined: the plain file has gone. Where the
 * file system has no hard links they are copied.
 */
export async function linkToSide(from: string, place: Place): Promise<string | undefined> {
  const side = newSide();
  const path = sidePath(place, side);
  try {
    await withShard(place, path, () => fs.link(from, path));
  } catch (error) {
    if (is(error, "ENOENT")) return undefined;
    if (!is(error, ...NO_LINKS)) throw error;
    return await copyToSide(from, place);
  }
  await place.disk.names(dirname(path));
  return side;
}

/** What a file system without hard links, or a file with too many, says. */
export const NO_LINKS = ["EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"] as const;

/** Bytes of their own, which share the disk's blocks where the file system can (btrfs, XFS): writing to the one leaves the other. */
export async function copyToSide(from: string, place: Place): Promise<string> {
  const side = newSide();
  const path = sidePath(place, side);
  try {
    await withShard(place, path, () => copyFile(from, path));
    await Promise.all([place.disk.file(path), place.disk.names(dirname(path))]);
  } catch (error) {
    await discard(path);
    throw error;
  }
  return side;
}

/** Through no symbolic link. `to` must not be there. */
export async function copyFile(from: string, to: string): Promise<void> {
  const fd = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (hasHoles(stat)) await copyWithHoles(`/proc/self/fd/${fd}`, to, stat);
    else await fs.copyFile(`/proc/self/fd/${fd}`, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } finally {
    closeSync(fd);
  }
}

async function copyWithHoles(from: string, to: string, stat: BigIntStats): Promise<void> {
  try {
    await fs.copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
  } catch (error) {
    if (!is(error, "ENOTSUP", "EOPNOTSUPP", "EXDEV", "ENOSYS", "EINVAL", "ENOTTY")) throw error;
    await discard(to);
    await copySparse(from, to, stat);
  }
}

interface Room {
  /** The fingerprint of the plain file that stands there. */
  readonly supersedes: string | null;
  /** What somebody made of its permissions: they stay with the name. */
  readonly mode?: number;
}

/** Undefined where no plain file can be. */
async function roomFor(place: Place, key: string): Promise<Room | undefined> {
  const path = `${place.root}/${key}`;
  if (key.includes("/")) {
    if (!(await hasOwnParent(place, dirname(path)))) return undefined;
    // A root that is missing is not made: see placeOf.
  } else if (!isDirectory(place.root)) await fs.stat(place.root);
  const there = lookAt(path);
  if (there?.isDirectory() && !(await givesWay(path))) return undefined;
  if (!there?.isFile()) return { supersedes: null };
  const mode = Number(there.mode) & 0o777;
  return { supersedes: fingerprintOf(there), ...(mode !== NEW_MODE && { mode }) };
}

/** A directory stands where a file is to be. An empty one holds no object. */
async function givesWay(path: string): Promise<boolean> {
  try {
    await fs.rmdir(path);
    return true;
  } catch (error) {
    if (is(error, "ENOENT")) return true;
    if (is(error, "ENOTEMPTY", "EEXIST", "EISDIR", "ENOTDIR", "EBUSY", "EPERM")) return false;
    throw error;
  }
}

/** Makes the directory where it is missing. False where a file or a symbolic link stands in the way. */
async function hasOwnParent({ root, disk }: Place, parent: string): Promise<boolean> {
  if (isOwnDirectory(root, parent)) return true;
  // The deepest directory that exists must be ours before anything is made below it.
  let existing = dirname(parent);
  while (existing.length > root.length && !entryAt(existing)) existing = dirname(existing);
  // A root that is missing is not made: see placeOf.
  if (existing.length <= root.length) await fs.stat(root);
  else if (!isOwnDirectory(root, existing)) return false;
  try {
    await makeDirectory(disk, parent);
  } catch (error) {
    if (is(error, "ENOTDIR", "EEXIST", "ELOOP", "ENAMETOOLONG")) return false;
    throw error;
  }
  return isOwnDirectory(root, parent);
}

/** Works below a folder of the side folder, which is made at first use. */
async function withShard({ disk }: Place, path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!is(error, "ENOENT")) throw error;
    await makeDirectory(disk, dirname(path));
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

const isFile = (path: string): boolean => statAt(path) !== undefined;

/** Of a plain file. Takes microseconds: not worth a thread. */
export function statAt(path: string): BigIntStats | undefined {
  const stat = lookAt(path);
  return stat?.isFile() ? stat : undefined;
}

/** Links are not followed. */
function lookAt(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (is(error, "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EACCES")) return undefined;
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
