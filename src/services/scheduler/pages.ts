// MaxResults and NextToken. A token holds the names that the next page comes after.
import { pageOf } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

const MOST = 100;

export const cutTo = <T>(most: number | undefined, read: (limit: number) => Promise<T[]>) => pageOf(most ?? MOST, read);

/** A name holds no slash. */
export const cursorOf = (...names: readonly string[]): string => Buffer.from(names.join("/")).toString("base64url");

export function readCursor(token: string | undefined): string[] {
  if (token === undefined) return [];
  const text = Buffer.from(token, "base64url").toString();
  if (!/^[0-9a-zA-Z_./-]+$/.test(text)) throw errors.nextToken();
  return text.split("/");
}
