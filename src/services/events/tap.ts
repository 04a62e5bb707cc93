// What passes the buses of a cloud, for who watches it: `aws-like events tail`.
import { compilePattern, defineTap } from "../../kernel/mod.ts";
import type { Event } from "./event.ts";

export interface Passed {
  /** The bus's ARN. */
  readonly bus: string;
  readonly event: Event;
  /** Names of the rules that it met. */
  readonly rules: readonly string[];
}

const tap = defineTap<Passed>();

export const passed = tap.pass;

/** `bus` is a name or an ARN; `pattern` an event pattern: throws PatternFault. */
export function watchEvents(
  endpoint: string,
  { bus, pattern, signal }: { bus?: string | undefined; pattern?: string | undefined; signal: AbortSignal },
): AsyncIterable<Passed> {
  const compiled = pattern === undefined ? undefined : compilePattern(pattern);
  return tap.watch(endpoint, {
    wanted: (one) =>
      (bus === undefined || one.bus === bus || one.bus.endsWith(`:event-bus/${bus}`)) &&
      (compiled?.matches(one.event) ?? true),
    signal,
  });
}
