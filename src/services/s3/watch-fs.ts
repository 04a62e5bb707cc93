// Node's own fs.watch, where inotify cannot be spoken to. It fires when a file is created and on each write, never at the end, and
// loses events without a word: so a file must rest for the settle time, nobody may have it open, and all is compared now and then.
import { existsSync, type FSWatcher, readdirSync, readFileSync, readlinkSync, watch } from "node:fs";
import type { Writers } from "./inotify.ts";
import { list, lookAt } from "./watch-list.ts";
import { temporary, temporaryDirectories } from "./watch-names.ts";
import type { Pending } from "./watch-pending.ts";
import type { Engine, Voice } from "./watch-protocol.ts";

interface Options {
  readonly pending: Pending;
  readonly voice: Voice;
  readonly rescanMs: number;
  /** Called when something may have happened. */
  readonly wake: () => void;
}

interface Watched {
  readonly watcher: FSWatcher;
  readonly directories: Set<string>;
}

export class FsWatch implements Engine {
  readonly #options: Options;
  readonly #roots = new Map<string, Watched>();
  readonly #missing = new Set<string>();
  #nextRescan = Infinity;

  constructor(options: Options) {
    this.#options = options;
  }

  add(root: string, hinting: boolean): void {
    if (this.#roots.has(root)) return;
    this.#missing.delete(root);
    const { voice, wake } = this.#options;
    const watcher = watch(root, { recursive: true }, (_type, name) => {
      if (name !== null) this.#changed(root, `${root}/${name}`);
      wake();
    });
    watcher.on("error", (error) => {
      voice.notice(
        `watching ${root} failed (${error.message}): it is compared every ${this.#options.rescanMs} ms only`,
      );
    });
    const watched: Watched = { watcher, directories: new Set() };
    this.#roots.set(root, watched);
    this.#enter(watched, root, hinting);
    this.#nextRescan = Math.min(this.#nextRescan, performance.now() + this.#options.rescanMs);
  }

  expect(root: string): void {
    this.#missing.add(root);
    this.#nextRescan = Math.min(this.#nextRescan, performance.now() + this.#options.rescanMs);
  }

  remove(root: string): void {
    this.#missing.delete(root);
    this.#roots.get(root)?.watcher.close();
    this.#roots.delete(root);
  }

  look(): void {
    if (performance.now() < this.#nextRescan) return;
    for (const root of [...this.#missing]) if (existsSync(root)) this.add(root, true);
    for (const root of this.#roots.keys())
      this.#options.voice.hint({ kind: "rescan", root, reason: "fs.watch loses events without saying so" });
    this.#nextRescan = performance.now() + this.#options.rescanMs;
  }

  nextLook(): number {
    return this.#nextRescan;
  }

  close(): void {
    for (const { watcher } of this.#roots.values()) watcher.close();
    this.#roots.clear();
  }

  #changed(root: string, path: string): void {
    const watched = this.#roots.get(root);
    if (!watched) return;
    const { pending, voice } = this.#options;
    const below = path.slice(root.length + 1).split("/");
    if (below.slice(0, -1).some((name) => temporaryDirectories.has(name))) return;
    const stats = lookAt(path, voice);
    if (!stats) pending.gone(path, watched.directories.delete(path));
    else if (!stats.isDirectory()) {
      if (temporary(below.at(-1)!) !== "ignore") pending.found(path, "scan");
    } else if (!watched.directories.has(path) && !temporaryDirectories.has(below.at(-1)!)) {
      voice.hint({ kind: "directory", path });
      this.#enter(watched, path, true);
    }
  }

  #enter(watched: Watched, path: string, hinting: boolean): void {
    const { pending, voice } = this.#options;
    watched.directories.add(path);
    const { directories, files } = list(path, voice);
    if (hinting) for (const name of files) if (temporary(name) !== "ignore") pending.found(`${path}/${name}`, "scan");
    for (const name of directories) {
      if (hinting) voice.hint({ kind: "directory", path: `${path}/${name}` });
      this.#enter(watched, `${path}/${name}`, hinting);
    }
  }
}

// One walk through /proc takes tens of milliseconds: its answer is good for all files that are judged meanwhile.
const LONGEST_PROC_MS = 100;

/**
 * Who writes, from /proc/<pid>/fd: without special rights only this user's processes. Not to know is `unknown`.
 * Files are judged a settle time after they were found, so that an answer of that age still knows who had them open then.
 */
export function procWriters(settleMs: number): (path: string) => Writers {
  const validMs = Math.min(settleMs, LONGEST_PROC_MS);
  let written = new Set<string>();
  let until = -1;
  return (path) => {
    if (performance.now() > until) {
      until = performance.now() + validMs;
      written = openForWriting();
    }
    return written.has(path) ? "some" : "unknown";
  };
}

function openForWriting(): Set<string> {
  const paths = new Set<string>();
  for (const pid of entries("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of entries(`/proc/${pid}/fd`)) {
      try {
        const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
        if (!path.startsWith("/") || path.startsWith("/dev/") || paths.has(path)) continue;
        const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
        if (Number.parseInt(flags, 8) & 3) paths.add(path);
      } catch {
        // Closed, or ended, while we looked.
      }
    }
  }
  return paths;
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // ended while we looked, or another user's
  }
}
