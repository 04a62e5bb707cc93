// What is not yet certain: files that were found rather than reported as finished, and names that may come back at once.
import type { Writers } from "./inotify.ts";
import { isObject, lookAt } from "./watch-list.ts";
import type { Voice } from "./watch-protocol.ts";

interface Waiting {
  /** On performance.now(), as all times here. */
  readonly since: number;
  readonly dueAt: number;
}

interface Found extends Waiting {
  /** `create`: its directory is watched, so that its writer's close will be reported. `scan`: perhaps it was closed before. */
  readonly from: "create" | "scan";
  /** How it looked when last judged. */
  readonly seen?: string;
  readonly waitMs: number;
}

/** What went by this name: within the settle time it may be a directory, then a file. */
interface Gone extends Waiting {
  readonly file: boolean;
  readonly directory: boolean;
}

// It is being written: nobody waits for its end.
const UNFINISHED = Infinity;

// A new name, perhaps of a file that was complete before it was given (link(2), then unlink(2) of the other name), perhaps of another
// user's slow writer, and the kernel does not tell us which. So long without a change, it is rather complete than forgotten.
const DOUBT_MS = 10_000;

// Somebody writes it: the close will be reported, save for a second hard link's, so we ask now and then.
const LONGEST_WAIT_MS = 1_000;

/**
 * A found file is finished when, after the settle time, the kernel says that nobody has it open for writing; where it does not say
 * (another user's file), when size and times stay as they are for another settle time. A file that went is gone when, after the settle time, it has not come
 * back: an editor's save is no removal.
 */
export class Pending {
  readonly #settleMs: number;
  // A program that uses a temporary name renames or removes it soon after it has closed it, but on a busy machine not within the settle time.
  readonly #holdMs: number;
  readonly #writers: (path: string) => Writers;
  readonly #voice: Voice;
  // In the order of their due times: each waits equally long, and a Map keeps the order of insertion.
  readonly #found = new Map<string, Found>();
  readonly #gone = new Map<string, Gone>();
  // Being written, or not yet unchanged. In no order: few.
  readonly #again = new Map<string, Found>();
  // Judged finished in this tick.
  readonly #decided = new Set<string>();

  constructor(waits: { settleMs: number; holdMs: number }, writers: (path: string) => Writers, voice: Voice) {
    this.#settleMs = waits.settleMs;
    this.#holdMs = waits.holdMs;
    this.#writers = writers;
    this.#voice = voice;
  }

  found(path: string, from: "create" | "scan"): void {
    const earlier = this.#found.get(path) ?? this.#again.get(path);
    this.#drop(path);
    const waitMs = this.#settleMs;
    this.#found.set(path, { ...this.#waiting(), from: earlier?.from === "scan" ? "scan" : from, waitMs });
  }

  /** Closed, under a name that is hardly meant to stay. */
  held(path: string): void {
    this.#drop(path);
    const since = performance.now();
    this.#again.set(path, { from: "scan", since, dueAt: since + this.#holdMs, waitMs: this.#settleMs });
  }

  finished(path: string): void {
    this.#drop(path);
    this.#voice.hint({ kind: "finished", path });
  }

  gone(path: string, directory: boolean): void {
    this.#drop(path);
    const earlier = this.#gone.get(path);
    this.#gone.set(path, {
      ...(earlier ?? this.#waiting()),
      file: !directory || earlier?.file === true,
      directory: directory || earlier?.directory === true,
    });
  }

  /** Forgets everything about a tree that is watched no more. */
  forget(root: string): void {
    for (const paths of [this.#found, this.#gone, this.#again, this.#decided])
      for (const path of paths.keys()) if (path === root || path.startsWith(`${root}/`)) paths.delete(path);
  }

  /** Judges what is due. `look` brings the events of before now: a file that was closed this moment is hinted by them, not twice. */
  tick(look: () => void): void {
    this.#judge();
    if (this.#decided.size === 0) return;
    look();
    for (const path of this.#decided) this.#voice.hint({ kind: "finished", path });
    this.#decided.clear();
  }

  /** When `tick` is wanted next, on performance.now(). */
  nextTick(): number {
    let next = Math.min(first(this.#gone).dueAt, first(this.#found).dueAt);
    for (const { dueAt } of this.#again.values()) next = Math.min(next, dueAt);
    return next;
  }

  /** Is all judged that was pending at that time? */
  settledSince(time: number): boolean {
    if (first(this.#gone).since <= time || first(this.#found).since <= time) return false;
    for (const { since } of this.#again.values()) if (since <= time) return false;
    return true;
  }

  #waiting(): Waiting {
    const since = performance.now();
    return { since, dueAt: since + this.#settleMs };
  }

  #judge(): void {
    const now = performance.now();
    for (const [path, gone] of this.#gone) {
      if (gone.dueAt > now) break;
      this.#gone.delete(path);
      this.#judgeGone(path, gone);
    }
    for (const [path, found] of this.#found) {
      if (found.dueAt > now) break;
      this.#found.delete(path);
      this.#judgeFound(path, found);
    }
    for (const [path, found] of this.#again) {
      if (found.dueAt > now) continue;
      this.#again.delete(path);
      this.#judgeFound(path, found);
    }
  }

  #drop(path: string): void {
    this.#found.delete(path);
    this.#again.delete(path);
    this.#decided.delete(path);
  }

  #judgeGone(path: string, { file, directory }: Gone): void {
    const stats = lookAt(path, this.#voice);
    const isDirectory = stats?.isDirectory() ?? false;
    if (stats === undefined || (isDirectory ? file : directory)) this.#voice.hint({ kind: "gone", path });
    if (isDirectory && directory)
      this.#voice.hint({ kind: "rescan", root: path, reason: "the directory was replaced" });
  }

  #judgeFound(path: string, found: Found): void {
    const stats = lookAt(path, this.#voice);
    if (!isObject(stats)) return;
    const writers = stats.isSymbolicLink() ? "none" : this.#writers(path);
    const now = performance.now();
    const seen = `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    if (writers === "some") {
      const waitMs = Math.min(found.waitMs * 2, LONGEST_WAIT_MS);
      this.#again.set(path, { from: found.from, since: UNFINISHED, dueAt: now + waitMs, waitMs });
    } else if (writers === "none" || seen === found.seen) {
      this.#decided.add(path);
    } else {
      // A second link is never reported as closed, nor perhaps what was there before its directory was watched. Any other is.
      const unreported = found.from === "scan" || stats.nlink > 1;
      const since = unreported && found.seen === undefined ? found.since : UNFINISHED;
      this.#again.set(path, { ...found, since, dueAt: now + (unreported ? this.#settleMs : DOUBT_MS), seen });
    }
  }
}

// The longest waiting, whose time comes first.
function first(paths: ReadonlyMap<string, Waiting>): Waiting {
  for (const waiting of paths.values()) return waiting;
  return { since: Infinity, dueAt: Infinity };
}
