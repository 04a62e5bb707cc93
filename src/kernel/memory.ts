// What a service has read of its own tables and need not read again before it writes: who a key is, what a principal may do. On one store
// of one process that is exact: a write forgets, before it is answered. Where other processes write too, nothing is remembered.
// Whoever waits for a change of what lies on a shelf (a poller for a stream's next record) hears of it at the same moment.
import type { Tx } from "../store/store.ts";

const changed = new WeakMap<Tx, Set<string>>();

/** What lies on the shelf is forgotten when this transaction is committed, before it is answered: for who changes rows and has no context. */
export function forgetWith(tx: Tx, shelf: string): void {
  const shelves = changed.get(tx);
  if (shelves) shelves.add(shelf);
  else changed.set(tx, new Set([shelf]));
}

const NONE: ReadonlySet<string> = new Set();
export const shelvesOf = (tx: Tx): ReadonlySet<string> => changed.get(tx) ?? NONE;

/** Resolves at the next change; forget it when it is no longer waited for. */
export interface Change extends Disposable {
  readonly promise: Promise<void>;
}

/** Entries of one shelf; beyond that the oldest go. */
const LIMIT = 10_000;

export class Memory {
  readonly #on: boolean;
  readonly #shelves = new Map<string, Map<string, unknown>>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor({ shared }: { shared: boolean }) {
    this.#on = !shared;
  }

  recall<T>(name: string, key: string, load: () => Promise<T>): T | Promise<T> {
    if (!this.#on) return load();
    const shelf = this.#shelves.get(name) ?? new Map<string, unknown>();
    this.#shelves.set(name, shelf);
    if (shelf.has(key)) return shelf.get(key) as T;
    return this.#load(name, { shelf, key, load });
  }

  forget(name: string): void {
    this.#shelves.delete(name);
    const waiting = this.#waiting.get(name);
    if (!waiting) return;
    this.#waiting.delete(name);
    for (const changed of waiting) changed();
  }

  /** Ask before you look whether there is something, or a change in between is missed. */
  change(name: string): Change {
    const { promise, resolve } = Promise.withResolvers<void>();
    const all = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, all.add(resolve));
    return {
      promise,
      [Symbol.dispose]: () => {
        all.delete(resolve);
        if (all.size === 0 && this.#waiting.get(name) === all) this.#waiting.delete(name);
      },
    };
  }

  async #load<T>(
    name: string,
    { shelf, key, load }: { shelf: Map<string, unknown>; key: string; load: () => Promise<T> },
  ): Promise<T> {
    const found = await load();
    // Read before a write that has forgotten meanwhile: it may be old, and is nobody's but the asker's.
    if (this.#shelves.get(name) === shelf) {
      shelf.set(key, found);
      if (shelf.size > LIMIT) shelf.delete(shelf.keys().next().value!);
    }
    return found;
  }
}
