// A copy of a plain file in the side folder, where the bucket keeps versions: what overwrites the file in place, from outside, leaves the copy. It becomes
// the version's bytes when that is succeeded.
import type { Context } from "../../kernel/mod.ts";
import { copyToSide, is, type Place } from "./files.ts";

/** Its name. Null: there is no room for it, which is said, or the file has just gone. */
export async function guardOf(ctx: Context, place: Place, path: string): Promise<string | null> {
  try {
    return await copyToSide(path, place);
  } catch (error) {
    if (isFull(error)) ctx.log.error(`${path} is not kept when it is overwritten: ${(error as Error).message}`);
    else if (!is(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
    return null;
  }
}

/** The disk, or what this user may have of it. */
export const isFull = (error: unknown): boolean => is(error, "ENOSPC", "EDQUOT", "EFBIG");
