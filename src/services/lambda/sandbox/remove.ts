// Removes what functions left behind, whatever they did to its modes.
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

/** A process that is just being killed may make one more file: then again, a moment later. */
const TREE = { recursive: true, force: true, maxRetries: 5, retryDelay: 20 } as const;

export async function removeTree(dir: string): Promise<void> {
  try {
    await rm(dir, TREE);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    await promisify(execFile)("chmod", ["-R", "u+rwX", "--", dir]);
    await rm(dir, TREE);
  }
}
