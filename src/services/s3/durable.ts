// What was answered survives power loss: bytes are on the disk before a row names them, names before the answer.
import { closeSync, constants, fsync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import type { Config } from "../../kernel/mod.ts";
import { is } from "./files.ts";

/** Each resolves when a loss of power cannot undo what was done before the call. */
export interface Disk {
  /** The bytes of an open file. */
  bytes(fd: number): Promise<void>;
  /** The bytes of a file that is closed. */
  file(path: string): Promise<void>;
  /** Names made, moved and removed in a directory. */
  names(directory: string): Promise<void>;
  /** The same of a directory that may itself have gone since, and its names with it. */
  gone(directory: string): Promise<void>;
}

export const openDisk = (durability: Config["durability"]): Disk =>
  durability === "full" ? new DurableDisk() : { bytes: nothing, file: nothing, names: nothing, gone: nothing };

const nothing = () => Promise.resolve();

// Not fdatasync: it may leave out the time of the last write, which is part of a file's fingerprint. Of a new file both take as long.
const sync = promisify(fsync);

class DurableDisk implements Disk {
  /** By directory: the sync that has yet to begin, and covers all who ask until it does. */
  readonly #next = new Map<string, Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();

  bytes(fd: number): Promise<void> {
    return sync(fd);
  }

  async file(path: string): Promise<void> {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** While one sync of a directory runs, those who come share the next: what they did may be too late for the one that runs. */
  names(directory: string): Promise<void> {
    const waiting = this.#next.get(directory);
    if (waiting) return waiting;
    const next = this.#after(directory, this.#running.get(directory));
    this.#next.set(directory, next);
    return next;
  }

  async gone(directory: string): Promise<void> {
    for (let at = directory; ; at = dirname(at))
      try {
        return await this.names(at);
      } catch (error) {
        if (!is(error, "ENOENT", "ENOTDIR", "ELOOP") || at === dirname(at)) throw error;
      }
  }

  async #after(directory: string, running: Promise<void> | undefined): Promise<void> {
    // Whoever asks in this turn of the event loop is in.
    await running?.catch(() => undefined);
    await undefined;
    const synced = syncDirectory(directory);
    this.#next.delete(directory);
    this.#running.set(directory, synced);
    try {
      await synced;
    } finally {
      if (this.#running.get(directory) === synced) this.#running.delete(directory);
    }
  }
}

async function syncDirectory(path: string): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}

/** `mkdir -p` made `first` and everything down to `last`: each has its name in the one above. */
export async function syncMade(disk: Disk, { first, last }: { first: string; last: string }): Promise<void> {
  const above = [dirname(first)];
  for (let at = last; at.length > first.length; at = dirname(at)) above.push(dirname(at));
  await Promise.all(above.map((directory) => disk.names(directory)));
}
