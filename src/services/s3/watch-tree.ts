// Trees of directories watched by inotify. Exact, because a directory is watched first and listed then, and because it knows when
// events were lost. What the events of one `cp`, `mv`, `rsync`, `vim :w` become is decided here, in #file and #directory.
import { statSync } from "node:fs";
import { IN, type Inotify, type InotifyEvent } from "./inotify.ts";
import { isObject, list, lookAt, noticeForeign } from "./watch-list.ts";
import { temporary, temporaryDirectories } from "./watch-names.ts";
import type { Pending } from "./watch-pending.ts";
import type { Engine, Voice } from "./watch-protocol.ts";

interface Directory {
  readonly path: string;
  readonly wd: number;
  /** Undefined for a root. */
  readonly parent: Directory | undefined;
  readonly name: string;
  readonly children: Map<string, Directory>;
}

interface Parts {
  readonly inotify: Inotify;
  readonly pending: Pending;
  readonly voice: Voice;
  /** For what inotify cannot watch. */
  readonly poll: Engine;
  /** Beyond so many directories we poll, as if the kernel had none left. */
  readonly maxWatches: number;
}

const MASK =
  IN.CLOSE_WRITE | IN.MOVED_TO | IN.MOVED_FROM | IN.CREATE | IN.DELETE | IN.ONLYDIR | IN.EXCL_UNLINK | IN.MASK_ADD;
// A root may be a symbolic link, and its own removal is reported by nobody else.
const ROOT_MASK = MASK | IN.DELETE_SELF | IN.MOVE_SELF;
const BELOW_MASK = MASK | IN.DONT_FOLLOW;
const SELF = IN.IGNORED | IN.DELETE_SELF | IN.MOVE_SELF | IN.UNMOUNT;

// Events that we hold unread in memory. The kernel's own queue has 16,384.
const MOST_EVENTS = 500_000;
// Enough to read the kernel's queue to its end, and no more where somebody fills it as fast as we read.
const MOST_READS = 64;
// In a storm of events the worker's commands and what is pending have their turn too.
const LONGEST_LOOK_MS = 50;
// How often we look whether a root is still what its path leads to, and whether one that went is back.
const CHECK_MS = 1_000;
const RETURN_MS = 100;

export class Tree implements Engine {
  readonly #parts: Parts;
  readonly #roots = new Map<string, Directory>();
  readonly #missing = new Set<string>();
  // dev and ino of each root.
  readonly #identities = new Map<string, string>();
  #nextCheck = 0;
  // More than one directory for a watch: roots within roots, and bind mounts.
  #byWatch = new Map<number, Directory[]>();
  #events: InotifyEvent[] = [];
  #lost: string | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  add(root: string, hinting: boolean): void {
    if (this.#roots.has(root) || this.#missing.has(root)) return;
    this.#enter(root, hinting);
  }

  expect(root: string): void {
    this.#missing.add(root);
    this.#nextCheck = performance.now();
  }

  remove(root: string): void {
    this.#missing.delete(root);
    this.#parts.poll.remove(root);
    const directory = this.#roots.get(root);
    if (directory) this.#forget(directory);
  }

  look(full: boolean): void {
    this.#read();
    const until = performance.now() + LONGEST_LOOK_MS;
    do {
      const events = this.#events;
      this.#events = [];
      for (const event of events) this.#happened(event);
      this.#read();
    } while (this.#events.length > 0 && performance.now() < until);
    if (this.#lost !== undefined) this.#recover(this.#lost);
    if (full || performance.now() >= this.#nextCheck) this.#checkRoots();
  }

  nextLook(): number {
    return this.#lost !== undefined || this.#events.length > 0 ? performance.now() : this.#nextCheck;
  }

  close(): void {
    this.#byWatch.clear(); // the kernel forgets the watches with the descriptor
  }

  #read(): void {
    for (let times = 0; times < MOST_READS; times++) {
      const events = this.#parts.inotify.read();
      if (events.length === 0) return;
      if (this.#events.length < MOST_EVENTS) for (const event of events) this.#events.push(event);
      else this.#lost = `more than ${MOST_EVENTS} events waited to be looked at`;
    }
  }

  #happened(event: InotifyEvent): void {
    if (event.mask & IN.Q_OVERFLOW) {
      this.#lost = "inotify's queue overflowed (sysctl fs.inotify.max_queued_events)";
      return;
    }
    const directories = this.#byWatch.get(event.wd);
    if (directories) for (const directory of [...directories]) this.#happenedIn(directory, event);
  }

  #happenedIn(directory: Directory, event: InotifyEvent): void {
    if (event.mask & SELF) this.#self(directory, event.mask);
    else if (event.foreign) noticeForeign(directory.path, event.name, this.#parts.voice);
    else if (event.mask & IN.ISDIR) this.#directory(directory, event);
    else this.#file(directory, event);
  }

  #file(directory: Directory, { mask, name }: InotifyEvent): void {
    const { pending } = this.#parts;
    const path = `${directory.path}/${name}`;
    const verdict = temporary(name);
    if (mask & (IN.DELETE | IN.MOVED_FROM)) pending.gone(path, false);
    else if (verdict === "ignore") return;
    // A new name may be all that is ever reported: of link(2), symlink(2), mknod(2), or O_TMPFILE's linkat(2).
    else if (mask & IN.CREATE) pending.found(path, "create");
    else if (verdict === "hold") pending.held(path);
    else this.#ended(path, (mask & IN.MOVED_TO) !== 0);
  }

  /** A file was closed, or moved here under its final name. */
  #ended(path: string, moved: boolean): void {
    const { inotify, pending, voice } = this.#parts;
    const stats = lookAt(path, voice);
    if (!isObject(stats)) return;
    // Moved here while it is still written: the writer's close will be reported under this name.
    if (moved && stats.isFile() && inotify.writers(path) === "some") pending.found(path, "create");
    else pending.finished(path);
  }

  #directory(parent: Directory, { mask, name }: InotifyEvent): void {
    if (temporaryDirectories.has(name)) return;
    const path = `${parent.path}/${name}`;
    if (mask & (IN.CREATE | IN.MOVED_TO)) this.#enter(path, true, parent, name);
    else if (mask & (IN.DELETE | IN.MOVED_FROM)) {
      const child = parent.children.get(name);
      if (child) this.#forget(child);
      this.#parts.poll.remove(path);
      this.#parts.pending.gone(path, true);
    }
  }

  /** Something befell a watched directory itself. Below a root its parent's event says so; here only the watch is forgotten. */
  #self(directory: Directory, mask: number): void {
    // What was mounted there is not removed, it is elsewhere: whoever compares decides.
    if (mask & IN.UNMOUNT) this.#lost = `${directory.path}: a file system was unmounted`;
    else if (directory.parent === undefined) this.#checkRoot(directory);
    else if (mask & IN.IGNORED) this.#forget(directory);
  }

  /** A root whose path leads elsewhere by now: removed, moved away, or a directory above it was. Not every way to that is reported. */
  #checkRoot(directory: Directory): void {
    const { path } = directory;
    if (identify(path) === this.#identities.get(path)) return;
    this.#forget(directory);
    this.#parts.pending.gone(path, true);
    this.expect(path);
  }

  #checkRoots(): void {
    for (const root of [...this.#roots.values()]) this.#checkRoot(root);
    for (const path of [...this.#missing]) {
      if (identify(path) === undefined) continue;
      this.#missing.delete(path);
      this.#tryEnter(path, true);
    }
    this.#nextCheck = performance.now() + (this.#missing.size > 0 ? RETURN_MS : CHECK_MS);
  }

  #tryEnter(root: string, hinting: boolean): void {
    try {
      this.#enter(root, hinting);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ENOTDIR") this.#parts.voice.notice(`${root} cannot be watched: ${code}`);
      this.#missing.add(root); // gone again: we look again
    }
  }

  /** Watches a directory and all below it. `hinting`: they are news, with everything in them. */
  #enter(path: string, hinting: boolean, parent?: Directory, name = ""): void {
    const waiting: { path: string; parent: Directory | undefined; name: string }[] = [{ path, parent, name }];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const directory = this.#watch(next.path, next.parent, next.name, hinting);
      if (!directory) continue;
      if (hinting && directory.parent) this.#parts.voice.hint({ kind: "directory", path: directory.path });
      const { directories, files } = list(directory.path, this.#parts.voice);
      for (const name of directories) waiting.push({ path: `${directory.path}/${name}`, parent: directory, name });
      if (hinting)
        for (const file of files)
          if (temporary(file) !== "ignore") this.#parts.pending.found(`${directory.path}/${file}`, "scan");
      // The kernel's queue is short: a long walk empties it on the way.
      this.#read();
    }
  }

  /** Undefined where there is nothing (more) to do: it is gone, was watched before, or is polled. Throws for a root that cannot be watched. */
  #watch(path: string, parent: Directory | undefined, name: string, hinting: boolean): Directory | undefined {
    const { inotify, poll, voice, maxWatches } = this.#parts;
    const isRoot = parent === undefined;
    let wd: number;
    try {
      if (this.#byWatch.size >= maxWatches) throw Object.assign(new Error("no watch left"), { code: "ENOSPC" });
      wd = inotify.add(path, isRoot ? ROOT_MASK : BELOW_MASK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOSPC") {
        voice.notice(
          "no inotify watch is left: further directories are polled, which is slower and cannot tell a file that is still being written. " +
            "Raise the limit: sysctl fs.inotify.max_user_watches=1048576",
        );
        poll.add(path, hinting);
      } else if (isRoot) throw error;
      else if (code !== "ENOENT" && code !== "ENOTDIR")
        voice.notice(`${path} cannot be watched (${code}): nothing in it is seen`);
      return undefined;
    }
    const known = isRoot ? this.#roots.get(path) : parent.children.get(name);
    if (known?.wd === wd) return undefined;
    if (known) this.#forget(known);
    const directory: Directory = { path, wd, parent, name, children: new Map() };
    if (isRoot) {
      this.#roots.set(path, directory);
      this.#identities.set(path, identify(path) ?? "");
    } else {
      parent.children.set(name, directory);
    }
    const sharing = this.#byWatch.get(wd);
    if (sharing) sharing.push(directory);
    else this.#byWatch.set(wd, [directory]);
    return directory;
  }

  #forget(top: Directory): void {
    if (top.parent) top.parent.children.delete(top.name);
    else this.#roots.delete(top.path);
    const waiting = [top];
    for (let directory = waiting.pop(); directory; directory = waiting.pop()) {
      waiting.push(...directory.children.values());
      const sharing = (this.#byWatch.get(directory.wd) ?? []).filter((other) => other !== directory);
      if (sharing.length > 0) this.#byWatch.set(directory.wd, sharing);
      else if (this.#byWatch.delete(directory.wd)) this.#parts.inotify.remove(directory.wd);
    }
  }

  /** Events were lost: directories may have come and gone unseen. Watches everything anew, then says what must be compared. */
  #recover(reason: string): void {
    this.#lost = undefined;
    const before = this.#byWatch;
    const roots = [...this.#roots.keys()];
    this.#byWatch = new Map();
    this.#roots.clear();
    for (const root of roots) this.#tryEnter(root, false);
    for (const wd of before.keys()) if (!this.#byWatch.has(wd)) this.#parts.inotify.remove(wd);
    for (const root of roots) this.#parts.voice.hint({ kind: "rescan", root, reason });
  }
}

/** Undefined where it leads to no directory. */
function identify(path: string): string | undefined {
  try {
    const stats = statSync(path);
    return stats.isDirectory() ? `${stats.dev} ${stats.ino}` : undefined;
  } catch {
    return undefined; // whatever keeps us from it: it is not to be watched now
  }
}
