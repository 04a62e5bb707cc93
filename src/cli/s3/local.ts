// A directory as a list of files in the order of S3's keys, so that it can be compared with a bucket's page by page.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

export interface LocalFile {
  /** Below the root, `/` between segments. */
  readonly path: string;
  readonly size: number;
  /** ms since the epoch, with fractions. */
  readonly modifiedMs: number;
}

/**
 * Symbolic links are followed, as by `aws s3 sync`; one that leads back into itself is not. `wanted` says of a directory or a file whether it is looked
 * at. What cannot be an object is told to `onSkip`.
 */
export async function* filesOf(root: string, onSkip: (path: string, why: string) => void): AsyncGenerator<LocalFile> {
  yield* below(root, "", [], onSkip);
}

async function* below(
  root: string,
  prefix: string,
  above: readonly string[],
  onSkip: (path: string, why: string) => void,
): AsyncGenerator<LocalFile> {
  const directory = join(root, prefix);
  const { dev, ino } = await stat(directory);
  const identity = `${dev}:${ino}`;
  if (above.includes(identity)) return onSkip(prefix, "a symbolic link leads back to a directory above it");
  const names: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true }).catch((error: Error) => {
    onSkip(prefix, error.message);
    return [];
  })) {
    if (entry.name.includes("\uFFFD")) onSkip(`${prefix}${entry.name}`, "its name is not UTF-8");
    else if (entry.isSymbolicLink())
      names.push((await isDirectory(join(directory, entry.name))) ? `${entry.name}/` : entry.name);
    else names.push(entry.isDirectory() ? `${entry.name}/` : entry.name);
  }
  // With its slash a directory stands where its files' keys do: `a-b` is before `a/b`.
  for (const name of names.sort(byBytes)) {
    const path = `${prefix}${name}`;
    if (name.endsWith("/")) {
      yield* below(root, path, [...above, identity], onSkip);
      continue;
    }
    try {
      const found = await stat(join(root, path));
      if (found.isFile()) yield { path, size: found.size, modifiedMs: found.mtimeMs };
      else onSkip(path, "it is no plain file");
    } catch (error) {
      onSkip(path, (error as Error).message);
    }
  }
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false, // a dangling link is said to be one when it is its turn
  );

export const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
