// Attributes that are known only when the thing is there: a stream's ARN says when the stream was made. The plan holds a mark in their place.
// Whoever needs one is made after the thing, for it depends on it, and by then the mark is what it stands for.
import type { Call } from "./kind.ts";
import { kinds } from "./kinds.ts";
import { TemplateError } from "./node.ts";

export interface Late {
  readonly type: string;
  /** The physical name. */
  readonly name: string;
  readonly attribute: string;
}

export const markOf = ({ type, name, attribute }: Late): string => `{{aws-like ${type} ${name} ${attribute}}}`;
const MARK = /\{\{aws-like (\S+) (\S+) (\w+)\}\}/g;

/** The same value with what its marks stand for, within longer texts too. Throws TemplateError where the thing has no such attribute. */
export async function known<T>(value: T, call: Call, { line, path }: { line: number; path: string }): Promise<T> {
  const text = JSON.stringify(value);
  const marks = new Map(
    [...(text?.matchAll(MARK) ?? [])].map(([mark, type, name, attribute]) => [
      mark,
      { type: type!, name: name!, attribute: attribute! },
    ]),
  );
  if (marks.size === 0) return value;
  const values = new Map<string, string>();
  for (const [mark, late] of marks) {
    const found = await kinds[late.type]?.later?.[late.attribute]?.(call, late.name);
    if (found === undefined) throw new TemplateError(line, path, `${late.name} has no ${late.attribute}`);
    values.set(mark, found);
  }
  return JSON.parse(text.replace(MARK, (mark) => JSON.stringify(values.get(mark)).slice(1, -1))) as T;
}
