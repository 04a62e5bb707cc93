// What passes the buses of a cloud, for who watches it: `aws-like events tail`. Nothing is kept for who comes later.
import { compilePattern } from "../../kernel/mod.ts";
import type { Event } from "./event.ts";

export interface Passed {
  /** The bus's ARN. */
  readonly bus: string;
  readonly event: Event;
  /** Names of the rules that it met. */
  readonly rules: readonly string[];
}

type Watcher = (one: Passed) => void;
const watchers = new Map<string, Set<Watcher>>();

/** `endpoint` says which cloud of this process. */
export function passed(endpoint: string, one: Passed): void {
  for (const watch of watchers.get(endpoint) ?? []) watch(one);
}

/** Who reads too slowly loses the oldest. */
const MOST_WAITING = 1000;

/** From now on, until `signal` aborts. `bus` is a name or an ARN; `pattern` an event pattern: throws PatternFault. */
export function watchEvents(
  endpoint: string,
  { bus, pattern, signal }: { bus?: string | undefined; pattern?: string | undefined; signal: AbortSignal },
): AsyncIterable<Passed> {
  const wanted = pattern === undefined ? undefined : compilePattern(pattern);
  const waiting: Passed[] = [];
  let wake: (() => void) | undefined;
  const all = watchers.get(endpoint) ?? new Set<Watcher>();
  watchers.set(endpoint, all);
  const watch: Watcher = (one) => {
    if (bus !== undefined && one.bus !== bus && !one.bus.endsWith(`:event-bus/${bus}`)) return;
    if (wanted && !wanted.matches(one.event)) return;
    waiting.push(one);
    if (waiting.length > MOST_WAITING) waiting.shift();
    wake?.();
  };
  all.add(watch);
  signal.addEventListener("abort", () => wake?.());
  return (async function* () {
    try {
      while (!signal.aborted) {
        const next = waiting.shift();
        if (next) yield next;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      all.delete(watch);
      if (all.size === 0) watchers.delete(endpoint);
    }
  })();
}
