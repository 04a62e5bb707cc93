// Linux's inotify, and its answer to "is anybody still writing this file?", by foreign function calls: Node has neither.
// Every call here is synchronous and short; `wait` is the one that sleeps. Facts from inotify(7), poll(2), fcntl(2).
import { isUtf8 } from "node:buffer";
import { closeSync, constants, openSync } from "node:fs";
import { endianness } from "node:os";

export const IN = {
  CLOSE_WRITE: 0x8,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  UNMOUNT: 0x2000,
  Q_OVERFLOW: 0x4000,
  IGNORED: 0x8000,
  ONLYDIR: 0x1000000,
  DONT_FOLLOW: 0x2000000,
  EXCL_UNLINK: 0x4000000,
  MASK_ADD: 0x20000000,
  ISDIR: 0x40000000,
} as const;

/** What happened in a watched directory. */
export interface InotifyEvent {
  /** The watch; -1 where events were lost. */
  readonly wd: number;
  readonly mask: number;
  /** Empty where it is about the directory itself. */
  readonly name: string;
  /** The name is not UTF-8: `name` shows it for people and opens nothing. */
  readonly foreign: boolean;
}

/** A file's writers, as the kernel sees them: `unknown` where it does not tell us (not our file, no leases here). */
export type Writers = "none" | "some" | "unknown";

export interface Inotify {
  /** Readable when there are events. The owner of this process closes both. */
  readonly fd: number;
  /** An eventfd: eight bytes written to it end a `wait`. */
  readonly wakeFd: number;
  /** The watch of a directory; the same one when it is watched already. Throws with the `code` of errno. */
  add(path: string, mask: number): number;
  remove(wd: number): void;
  /** Sleeps until there are events, until woken, or for `ms`. */
  wait(ms: number): void;
  /** All that can be read now, oldest first. */
  read(): InotifyEvent[];
  writers(path: string): Writers;
}

/** Needs Linux and koffi's prebuilt library; rejects where either is missing, or inotify has no instance left. */
export async function openInotify(): Promise<Inotify> {
  if (process.platform !== "linux") throw new Error(`there is no inotify on ${process.platform}`);
  const { default: koffi } = await import("koffi");
  const libc = koffi.load(null);
  const c = {
    inotify_init1: libc.func("int inotify_init1(int flags)"),
    inotify_add_watch: libc.func("int inotify_add_watch(int fd, const char *path, uint32_t mask)"),
    inotify_rm_watch: libc.func("int inotify_rm_watch(int fd, int wd)"),
    eventfd: libc.func("int eventfd(unsigned int initial, int flags)"),
    poll: libc.func("int poll(uint8_t *fds, unsigned long count, int timeout)"),
    read: libc.func("long read(int fd, uint8_t *into, unsigned long size)"),
    fcntl: libc.func("int fcntl(int fd, int command, ...)"),
  };
  const failure = (what: string) => {
    const number = koffi.errno();
    const code = Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`;
    return Object.assign(new Error(`${what}: ${code}`), { code });
  };

  const flags = constants.O_NONBLOCK | O_CLOEXEC;
  const fd: number = c.inotify_init1(flags);
  if (fd < 0) throw failure("inotify_init1");
  const wakeFd: number = c.eventfd(0, flags);
  if (wakeFd < 0) {
    const error = failure("eventfd");
    closeSync(fd);
    throw error;
  }

  // struct pollfd { int fd; short events, revents; }, twice. The memory is ours as long as this closure lives.
  const polled = new DataView(new ArrayBuffer(16));
  const little = endianness() === "LE";
  for (const [at, watched] of [fd, wakeFd].entries()) {
    polled.setInt32(at * 8, watched, little);
    polled.setInt16(at * 8 + 4, POLLIN, little);
  }
  const polledBytes = new Uint8Array(polled.buffer);
  const eventBytes = Buffer.alloc(256 * 1024);
  const wakeBytes = Buffer.alloc(8);

  return {
    fd,
    wakeFd,
    add(path, mask) {
      const wd: number = c.inotify_add_watch(fd, path, mask);
      if (wd < 0) throw failure(`inotify_add_watch ${path}`);
      return wd;
    },
    remove(wd) {
      // EINVAL: the kernel has removed it already, because the directory is gone.
      if (c.inotify_rm_watch(fd, wd) < 0 && koffi.errno() !== koffi.os.errno.EINVAL) throw failure("inotify_rm_watch");
    },
    wait(ms) {
      // A signal ends it early (EINTR): the caller looks, and waits again.
      c.poll(polledBytes, 2, ms);
      c.read(wakeFd, wakeBytes, wakeBytes.length);
    },
    read() {
      const size: number = c.read(fd, eventBytes, eventBytes.length);
      if (size > 0) return parse(eventBytes.subarray(0, size));
      if (size < 0 && koffi.errno() !== koffi.os.errno.EAGAIN && koffi.errno() !== koffi.os.errno.EINTR)
        throw failure("read of inotify events");
      return [];
    },
    writers(path) {
      let file: number;
      try {
        file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
      } catch {
        return "unknown"; // gone, or not ours to read: whoever asks looks at the file too
      }
      try {
        // The kernel grants a read lease only while nobody has the file open for writing: EAGAIN is the answer we ask for.
        // Whoever opens it in the microsecond that we hold the lease waits for us; SIGURG instead of SIGIO, which would end us.
        if (c.fcntl(file, F_SETSIG, "int", SIGURG) < 0) return "unknown";
        if (c.fcntl(file, F_SETLEASE, "int", F_RDLCK) < 0)
          return koffi.errno() === koffi.os.errno.EAGAIN ? "some" : "unknown";
        c.fcntl(file, F_SETLEASE, "int", F_UNLCK);
        return "none";
      } finally {
        closeSync(file);
      }
    },
  };
}

// struct inotify_event { int wd; uint32_t mask, cookie, len; char name[len]; }, the name padded with NULs.
function parse(bytes: Buffer): InotifyEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = endianness() === "LE";
  const events: InotifyEvent[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at + 12, little);
    const padded = bytes.subarray(at + HEADER, at + HEADER + length);
    const end = padded.indexOf(0);
    const name = end < 0 ? padded : padded.subarray(0, end);
    const foreign = !isUtf8(name);
    events.push({
      wd: view.getInt32(at, little),
      mask: view.getUint32(at + 4, little),
      name: foreign ? shown(name) : name.toString("utf8"),
      foreign,
    });
    at += HEADER + length;
  }
  return events;
}

/** Bytes that are no UTF-8, for people: `caf\xe9.txt`. */
export const shown = (name: Buffer): string =>
  name.toString("latin1").replace(/[^ -~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);

const HEADER = 16;
const POLLIN = 1;
// The numbers of asm-generic, which every architecture that Node runs on shares. Node's constants lack these.
const O_CLOEXEC = 0o2000000;
const F_SETSIG = 10;
const F_SETLEASE = 1024;
const F_RDLCK = 0;
const F_UNLCK = 2;
const SIGURG = 23;
