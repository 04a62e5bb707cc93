// Reading an object's bytes so that they are those of its row, or nothing.
import { type BigIntStats, closeSync, constants, fstatSync, openSync, read, readSync } from "node:fs";
import { Readable } from "node:stream";
import { is } from "./files.ts";

/** Up to here a body is read at once: no stream, no thread. */
const SMALL = 64 * 1024;
const CHUNK = 512 * 1024;

export interface Opened {
  /** Bytes `start` to `end` (exclusive). The file is closed when they are read, or the stream is destroyed. */
  body(start: number, end: number): Readable | Uint8Array;
  close(): void;
}

/** Undefined where the file is not there, or `isSameFile` says that it is another. Never follows a link. */
export function openBytes(path: string, isSameFile: (stat: BigIntStats) => boolean): Opened | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (is(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "EISDIR")) return undefined;
    throw error;
  }
  const isSame = () => isSameFile(fstatSync(fd, { bigint: true }));
  if (!isSame()) {
    closeSync(fd);
    return undefined;
  }
  return {
    body: (start, end) =>
      end - start <= SMALL ? readAtOnce(fd, start, end, isSame) : openStream(fd, start, end, isSame),
    close: () => closeSync(fd),
  };
}

/** The file was written to while it was read. The caller looks again. */
export class ChangedWhileRead extends Error {}

function readAtOnce(fd: number, start: number, end: number, isSame: () => boolean): Uint8Array {
  try {
    const bytes = Buffer.allocUnsafe(end - start);
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(fd, bytes, at, bytes.length - at, start + at);
      if (count === 0) throw new ChangedWhileRead();
      at += count;
    }
    if (!isSame()) throw new ChangedWhileRead();
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/** The last chunk is held back until the file is known to be still the same: else the answer breaks off, short of its Content-Length. */
function openStream(fd: number, start: number, end: number, isSame: () => boolean): Readable {
  let at = start;
  // A descriptor is closed only when nothing reads from it: its number may be another file's by then.
  let closing: (() => void) | undefined;
  let reading = false;
  return new Readable({
    highWaterMark: 2 * CHUNK,
    read() {
      const bytes = Buffer.allocUnsafe(Math.min(CHUNK, end - at));
      reading = true;
      read(fd, bytes, 0, bytes.length, at, (error, count) => {
        reading = false;
        if (closing) return closing();
        if (error) return this.destroy(error);
        at += count;
        if (count === 0 || (at === end && !isSame()))
          return this.destroy(new ChangedWhileRead("the file changed while it was read"));
        this.push(count === bytes.length ? bytes : bytes.subarray(0, count));
        if (at === end) this.push(null);
      });
    },
    destroy(error, done) {
      closing = () => {
        closeSync(fd);
        done(error);
      };
      if (!reading) closing();
    },
  });
}
