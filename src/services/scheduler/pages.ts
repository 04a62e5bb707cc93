// MaxResults and NextToken. A token holds the names that the next page comes after.
import { errors } from "./errors.ts";

const MOST = 100;

/** `read` is asked for one more than is answered, to know whether there is more. */
export async function cutTo<T>(
  most: number = MOST,
  read: (limit: number) => Promise<T[]>,
): Promise<{ items: T[]; more: boolean }> {
  const found = await read(most + 1);
  return { items: found.slice(0, most), more: found.length > most };
}

/** A name holds no slash. */
export const cursorOf = (...names: readonly string[]): string => Buffer.from(names.join("/")).toString("base64url");

export function readCursor(token: string | undefined): string[] {
  if (token === undefined) return [];
  const text = Buffer.from(token, "base64url").toString();
  if (!/^[0-9a-zA-Z_./-]+$/.test(text)) throw errors.nextToken();
  return text.split("/");
}
