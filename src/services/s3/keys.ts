// Keys: as text that sorts in the store as S3 sorts, and as paths below the bucket's directory.
import { temporary, temporaryDirectories } from "./watch-names.ts";

/** Bytes. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
export const MAX_KEY = 1024;

/**
 * PostgreSQL's TEXT cannot hold U+0000. U+0000 becomes U+0001 U+0001 and U+0001 becomes U+0001 U+0002: the order of keys and "starts with" stay
 * what they were, and all other keys are stored as they are.
 */
export const storedKey = (key: string): string =>
  key.includes("\0") || key.includes("\x01") ? key.replaceAll("\x01", "\x01\x02").replaceAll("\0", "\x01\x01") : key;

export const keyOf = (stored: string): string =>
  stored.includes("\x01") ? stored.replaceAll("\x01\x01", "\0").replaceAll("\x01\x02", "\x01") : stored;

/** Greater than every stored key: 1024 bytes are 256 code points of four. */
const LAST = "\u{10FFFF}".repeat(MAX_KEY + 1);

/** The least text greater than all that start with `prefix`, by UTF-8 bytes = by code points. */
export function afterPrefix(prefix: string): string {
  const points = [...prefix];
  while (points.length > 0) {
    const last = points.pop()!.codePointAt(0)!;
    // Surrogates are no characters: the next after U+D7FF is U+E000.
    if (last < 0x10ffff) return points.join("") + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
  }
  return LAST;
}

/** The least text greater than `stored`. A stored key never ends in a lone U+0001, so appending it leaves no key between. */
export const justAfter = (stored: string): string => `${stored}\x01`;

/** Compares stored keys as the store does: by UTF-8 bytes, which JavaScript's own order is not beyond U+FFFF. */
export const compareStored = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Names of ours within a bucket's directory: staging for a directory on a file system of its own. */
export const STAGE_NAME = ".aws-like-stage";

const MAX_SEGMENT = 255;
const MAX_PATH = 4095;

/**
 * Whether the file system can hold `key` as a path below `root`, by its name alone: no empty, `.` or `..` segments, no NUL, nothing too long, and
 * neither a name of ours nor a temporary one (those are never objects when found as files).
 */
export function fitsPath(root: string, key: string): boolean {
  // What a name with bytes that are no UTF-8 looks like, is left to such names.
  if (key.includes("\0") || key.includes("\uFFFD") || !key.isWellFormed()) return false;
  if (Buffer.byteLength(root) + 1 + Buffer.byteLength(key) > MAX_PATH) return false;
  const segments = key.split("/");
  if (segments[0] === STAGE_NAME) return false;
  for (const segment of segments) {
    if (segment === "" || segment === "." || segment === "..") return false;
    if (segment.length > MAX_SEGMENT / 4 && Buffer.byteLength(segment) > MAX_SEGMENT) return false;
  }
  return !isPassing(segments);
}

/** The key of a file found at `path` (relative, `/` between segments), or undefined where it cannot be one. */
export function keyOfPath(path: string): string | undefined {
  if (path === "" || !path.isWellFormed() || path.includes("\uFFFD")) return undefined;
  if (Buffer.byteLength(path) > MAX_KEY) return undefined;
  const segments = path.split("/");
  return segments[0] === STAGE_NAME || isPassing(segments) ? undefined : path;
}

/** What downloads, editors and rsync write beside the file that they mean. */
const isPassing = (segments: readonly string[]): boolean =>
  temporary(segments.at(-1)!) === "ignore" || segments.some((segment) => temporaryDirectories.has(segment));
