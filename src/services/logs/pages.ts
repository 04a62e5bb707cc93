// limit and nextToken. A token holds the name that the next page comes after.
import { errors } from "./errors.ts";

export const cursorOf = (...names: readonly string[]): string =>
  Buffer.from(JSON.stringify(names)).toString("base64url");

export function readCursor(token: string | undefined, length = 1): string[] {
  if (token === undefined) return Array.from({ length }, () => "");
  try {
    const names: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (Array.isArray(names) && names.length === length && names.every((name) => typeof name === "string"))
      return names;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw errors.nextToken();
}

/** Sorts beyond every name that begins with `prefix`. */
export const beyond = (prefix: string): string => `${prefix}\u{10ffff}`;

/** Of one more than is answered. */
export function cut<T>(found: readonly T[], limit: number, nameOf: (last: T) => readonly string[]) {
  const items = found.slice(0, limit);
  return { items, ...(found.length > limit && { nextToken: cursorOf(...nameOf(items.at(-1)!)) }) };
}
