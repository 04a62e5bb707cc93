// What a directory holds. A plain directory has no quota: it is looked at after each invocation instead.
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Of a directory with more entries the rest is not counted: an invocation must not wait for it. */
const MOST_ENTRIES = 10_000;

/** Bytes on disk, up to `limit`: above it, counting ends. What cannot be read counts nothing. */
export async function diskUse(dir: string, limit: number): Promise<number> {
  let bytes = 0;
  let entries = 0;
  const dirs = [dir];
  for (const current of dirs)
    for (const entry of await readdir(current, { withFileTypes: true }).catch(() => [])) {
      if (++entries > MOST_ENTRIES || bytes > limit) return bytes;
      const path = join(current, entry.name);
      if (entry.isDirectory()) dirs.push(path);
      else if (entry.isFile())
        bytes += await lstat(path).then(
          (stat) => stat.blocks * 512,
          () => 0,
        );
    }
  return bytes;
}
