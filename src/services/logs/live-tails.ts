// Who follows a group right now, in this process: StartLiveTail's sessions hear of each batch after its commit.
import type { Config, Context } from "../../kernel/mod.ts";
import type { LogEvent } from "./files.ts";
import type { GroupRow } from "./rows.ts";

export interface Told {
  readonly group: GroupRow;
  readonly stream: string;
  readonly events: readonly LogEvent[];
  readonly ingestedMs: number;
}

type Listener = (told: Told) => void;

const listeners = new WeakMap<Config, Set<Listener>>();

export function told({ config }: Context, what: Told): void {
  for (const listener of listeners.get(config) ?? []) listener(what);
}

export function listen({ config }: Context, listener: Listener): Disposable {
  const all = listeners.get(config) ?? new Set();
  listeners.set(config, all.add(listener));
  return { [Symbol.dispose]: () => void all.delete(listener) };
}
