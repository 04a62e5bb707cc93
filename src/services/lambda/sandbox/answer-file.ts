// The file that a bash handler wrote its answer into. The function may have put anything in its place, so nothing but a plain file is read.
import { constants } from "node:fs";
import { open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { LARGEST_PAYLOAD } from "./runtime-api.ts";

/** Only the bash bootstrap makes one. Undefined: there is none, or none that may be read. */
export async function takeAnswerFile(outDir: string, requestId: string): Promise<Buffer | "too large" | undefined> {
  const path = join(outDir, requestId);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (!file) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return undefined;
    if (stat.size > LARGEST_PAYLOAD) return "too large";
    const bytes = await file.readFile();
    return bytes.subarray(0, bytes.length - trailingNewlines(bytes));
  } finally {
    await file.close();
    // Never recursively: the function may still run, and put a link in the place of a directory while that is emptied, by us, as root.
    await unlink(path).catch(() => undefined); // A directory goes with its environment.
  }
}

/** Left out, as `$(handler)` leaves them out in the bootstrap of AWS's tutorial. */
function trailingNewlines(bytes: Buffer): number {
  let count = 0;
  while (bytes[bytes.length - 1 - count] === 10) count++;
  return count;
}
