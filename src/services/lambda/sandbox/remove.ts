// Removes what functions left behind, whatever they did to its modes.
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

export async function removeTree(dir: string): Promise<void> {
  try {
    await rm(dir, { recursive: true, force: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    await promisify(execFile)("chmod", ["-R", "u+rwX", "--", dir]);
    await rm(dir, { recursive: true, force: true });
  }
}
