// What passes in a running cloud, for who watches it as it passes. Nothing is kept for who comes later.

export interface Tap<T> {
  /** `endpoint` says which cloud of this process. */
  pass(endpoint: string, one: T): void;
  /** From now on, until `signal` aborts: what `wanted` says yes to. */
  watch(endpoint: string, options: { wanted: (one: T) => boolean; signal: AbortSignal }): AsyncIterable<T>;
}

/** Who reads too slowly loses the oldest. */
const MOST_WAITING = 1000;

export function defineTap<T>(): Tap<T> {
  const watchers = new Map<string, Set<(one: T) => void>>();
  return {
    pass(endpoint, one) {
      for (const watch of watchers.get(endpoint) ?? []) watch(one);
    },
    watch(endpoint, { wanted, signal }) {
      const waiting: T[] = [];
      let wake: (() => void) | undefined;
      const all = watchers.get(endpoint) ?? new Set();
      watchers.set(endpoint, all);
      const watch = (one: T) => {
        if (!wanted(one)) return;
        waiting.push(one);
        if (waiting.length > MOST_WAITING) waiting.shift();
        wake?.();
      };
      all.add(watch);
      signal.addEventListener("abort", () => wake?.());
      return (async function* () {
        try {
          while (!signal.aborted) {
            if (waiting.length > 0) yield waiting.shift()!;
            else await new Promise<void>((resolve) => (wake = resolve));
          }
        } finally {
          all.delete(watch);
          if (all.size === 0 && watchers.get(endpoint) === all) watchers.delete(endpoint);
        }
      })();
    },
  };
}
