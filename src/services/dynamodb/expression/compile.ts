// An expression's text is parsed once and remembered: the same few texts come again and again with other values.
import type { Condition, Path, Update } from "./ast.ts";
import { parseCondition, parseProjection, parseUpdate } from "./parse.ts";

const MOST_REMEMBERED = 1000;

export const compileCondition = (text: string, label: string): Condition => conditions(text, label);
export const compileProjection = (text: string, label: string): readonly Path[] => projections(text, label);
export const compileUpdate = (text: string, label: string): Update => updates(text, label);

const conditions = remembering(parseCondition);
const projections = remembering(parseProjection);
const updates = remembering(parseUpdate);

/** The texts used longest ago are forgotten. A failure is not remembered: its sentence names the parameter. */
export function remembering<T>(parse: (text: string, label: string) => T): (text: string, label: string) => T {
  const known = new Map<string, T>();
  return (text, label) => {
    const parsed = known.get(text) ?? parse(text, label);
    known.delete(text);
    known.set(text, parsed);
    if (known.size > MOST_REMEMBERED) known.delete(known.keys().next().value!);
    return parsed;
  };
}
