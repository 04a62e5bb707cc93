// Trees compared with how they were, now and then: for file systems that report nothing, and where inotify has no watch left.
import { statSync } from "node:fs";
import { list, lookAt } from "./watch-list.ts";
import { temporary } from "./watch-names.ts";
import type { Pending } from "./watch-pending.ts";
import type { Engine, Voice } from "./watch-protocol.ts";

const DIRECTORY = "directory";

interface Polled {
  /** path -> what its inode, size and times were. */
  seen: Map<string, string>;
}

export class Poll implements Engine {
  readonly #pollMs: number;
  readonly #pending: Pending;
  readonly #voice: Voice;
  readonly #roots = new Map<string, Polled>();
  #nextPass = Infinity;

  constructor(pollMs: number, pending: Pending, voice: Voice) {
    this.#pollMs = pollMs;
    this.#pending = pending;
    this.#voice = voice;
  }

  add(root: string, hinting: boolean): void {
    if (this.#roots.has(root)) return;
    if (!statSync(root).isDirectory()) throw Object.assign(new Error(`${root} is no directory`), { code: "ENOTDIR" });
    this.expect(root);
    if (hinting) this.#compare(root, this.#roots.get(root)!);
    else this.#roots.set(root, { seen: this.#walk(root) });
  }

  expect(root: string): void {
    this.#roots.set(root, { seen: new Map() });
    this.#nextPass = Math.min(this.#nextPass, performance.now() + this.#pollMs);
  }

  remove(root: string): void {
    for (const other of this.#roots.keys())
      if (other === root || other.startsWith(`${root}/`)) this.#roots.delete(other);
    if (this.#roots.size === 0) this.#nextPass = Infinity;
  }

  look(full: boolean): void {
    if (this.#roots.size === 0 || (!full && performance.now() < this.#nextPass)) return;
    const start = performance.now();
    for (const [root, polled] of this.#roots) this.#compare(root, polled);
    // A large tree takes long to walk: most of the time we rest.
    const now = performance.now();
    this.#nextPass = now + Math.max(this.#pollMs, 10 * (now - start));
  }

  nextLook(): number {
    return this.#nextPass;
  }

  close(): void {
    this.#roots.clear();
  }

  #compare(root: string, polled: Polled): void {
    const now = this.#walk(root);
    for (const [path, was] of polled.seen) {
      const is = now.get(path);
      if (is === undefined || (is === DIRECTORY) !== (was === DIRECTORY)) this.#pending.gone(path, was === DIRECTORY);
    }
    for (const [path, is] of now) {
      if (polled.seen.get(path) === is) continue;
      if (is === DIRECTORY) this.#voice.hint({ kind: "directory", path });
      else if (temporary(path.slice(path.lastIndexOf("/") + 1)) !== "ignore") this.#pending.found(path, "scan");
    }
    polled.seen = now;
  }

  #walk(root: string): Map<string, string> {
    const seen = new Map<string, string>();
    const waiting = [root];
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      const { directories, files } = list(directory, this.#voice);
      for (const name of directories) {
        seen.set(`${directory}/${name}`, DIRECTORY);
        waiting.push(`${directory}/${name}`);
      }
      for (const name of files) {
        const path = `${directory}/${name}`;
        const stats = lookAt(path, this.#voice);
        if (stats) seen.set(path, `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`);
      }
    }
    return seen;
  }
}
