// A snapshot is a folder with copies of the workspace's state, taken while the cloud is closed for a moment: `cp -a` could have made it.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Config } from "./config.ts";
import { AwsError } from "./kernel/error.ts";
import { destroyStore } from "./store/open.ts";

/** The state besides mapped bucket directories (`input`). */
const STATE = ["db.sqlite", "db.sqlite-wal", "db.sqlite-shm", ".aws-like", "buckets"] as const;

/** `mapped`: directories of buckets, relative to the workspace, that lie outside `buckets/`. */
export async function saveSnapshot(config: Config, name: string, mapped: readonly string[]): Promise<void> {
  const to = folderOf(config, name);
  const partial = `${to}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await writeFile(join(partial, "mapped.json"), JSON.stringify(mapped));
  for (const part of [...STATE, ...mapped]) await copy(join(config.dir, part), join(partial, part));
  await rm(to, { recursive: true, force: true });
  await rename(partial, to);
}

export async function restoreSnapshot(config: Config, name: string): Promise<void> {
  const from = folderOf(config, name);
  if (!existsSync(from)) throw new AwsError("NotFound", 404, `there is no snapshot ${name}`);
  const mapped = JSON.parse(await readFile(join(from, "mapped.json"), "utf8")) as string[];
  // Copied beside what is there before that goes: a full disk must not cost both.
  const staged = join(config.dir, ".aws-like-restoring");
  await rm(staged, { recursive: true, force: true });
  try {
    for (const part of [...STATE, ...mapped]) await copy(join(from, part), join(staged, part));
    for (const part of [...STATE, ...mapped]) {
      await rm(join(config.dir, part), { recursive: true, force: true });
      if (existsSync(join(staged, part))) await move(join(staged, part), join(config.dir, part));
    }
  } finally {
    await rm(staged, { recursive: true, force: true });
  }
}

export async function listSnapshots(config: Config): Promise<{ name: string; savedAt: string }[]> {
  const dir = join(config.dir, "snapshots");
  const names = existsSync(dir) ? await readdir(dir) : [];
  const whole = names.filter((name) => !name.endsWith(".partial")).sort();
  return await Promise.all(
    whole.map(async (name) => ({ name, savedAt: (await stat(join(dir, name))).mtime.toISOString() })),
  );
}

/** All state is gone; the files in mapped directories stay, and are found again as new objects. */
export async function resetWorkspace(config: Config): Promise<void> {
  await destroyStore(config.databaseUrl, config.dir);
  for (const part of [".aws-like", "buckets"]) await rm(join(config.dir, part), { recursive: true, force: true });
}

function folderOf(config: Config, name: string): string {
  if (config.databaseUrl.startsWith("postgres"))
    throw new AwsError("NotImplemented", 501, "snapshots hold SQLite's file; with PostgreSQL use pg_dump and cp");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name) || name.endsWith(".partial"))
    throw new AwsError("BadRequest", 400, "a snapshot's name is 1 to 64 letters, digits, '.', '_' or '-'");
  return join(config.dir, "snapshots", name);
}

async function move(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rename(from, to);
}

/** Keeps times to the nanosecond, which is how a restored file is known to be the one that the database describes. */
async function copy(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  await mkdir(dirname(to), { recursive: true });
  await promisify(execFile)("cp", ["-a", "--reflink=auto", "-T", "--", from, to]);
}
