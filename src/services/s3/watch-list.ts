// The entries of a directory, as far as they can be the names of objects.
import { isUtf8 } from "node:buffer";
import { type Dirent, lstatSync, readdirSync, type Stats } from "node:fs";
import { shown } from "./inotify.ts";
import { temporaryDirectories } from "./watch-names.ts";
import type { Voice } from "./watch-protocol.ts";

export interface Listed {
  readonly directories: readonly string[];
  /** Whatever is no directory. */
  readonly files: readonly string[];
}

/** Empty where the directory is gone; what may not be read is said. Names that are not UTF-8 are said and left out: no key can be such a name. */
export function list(directory: string, voice: Voice): Listed {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
    // Node reads each byte that is no UTF-8 as this character. It may also be the name's own, so the bytes decide.
    if (entries.some(({ name }) => name.includes("\ufffd"))) entries = withoutForeign(directory, voice);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR")
      voice.notice(`${directory} cannot be read (${code}): nothing in it is seen`);
    return { directories: [], files: [] };
  }
  const directories: string[] = [];
  const files: string[] = [];
  for (const entry of entries)
    if (!entry.isDirectory()) files.push(entry.name);
    else if (!temporaryDirectories.has(entry.name)) directories.push(entry.name);
  return { directories, files };
}

/** Undefined where nothing is there; what may not be looked at is said. */
export function lookAt(path: string, voice: Voice): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") voice.notice(`${path} cannot be looked at: ${code}`);
    return undefined;
  }
}

/** A pipe, a socket, a device is nobody's object; a symbolic link is for whoever compares to judge. */
export const isObject = (stats: Stats | undefined): stats is Stats =>
  stats !== undefined && (stats.isFile() || stats.isSymbolicLink());

function withoutForeign(directory: string, voice: Voice): Dirent[] {
  const foreign = readdirSync(directory, { encoding: "buffer" }).filter((name) => !isUtf8(name));
  for (const name of foreign) noticeForeign(directory, shown(name), voice);
  const asRead = new Set(foreign.map((name) => name.toString("utf8")));
  return readdirSync(directory, { withFileTypes: true }).filter(({ name }) => !asRead.has(name));
}

export const noticeForeign = (directory: string, name: string, voice: Voice): void =>
  voice.notice(`${directory} holds a name that is not UTF-8, which no S3 key can be, so it is not seen: ${name}`);
