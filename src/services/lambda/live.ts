// Live code: a directory (or one file) of the workspace as a function's code. An edit is seen at the next invocation, without a command.
import { createHash } from "node:crypto";
import { chmod, copyFile, lstat, mkdir, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, isAbsolute, join, relative, sep } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { newHex } from "../../kernel/mod.ts";
import { errors, invalidParameter } from "./errors.ts";

export interface LiveCode {
  /** Base64 SHA-256 of names, sizes, modes and change times: another after any edit. */
  readonly sha256: string;
  /** Bytes of all files. */
  readonly size: number;
  readonly kind: "directory" | "file";
}

const MAX_ENTRIES = 20_000;
// A file that an editor replaces is missing for a moment; a file that is being written changes under our hands.
const TRIES = 5;
const RETRY_MS = 20;

/** Looks at the code, cheaply: no file is opened. Throws AWS's kind of error where the path is not to be had as code. */
export async function lookAtLive(workspace: string, path: string): Promise<LiveCode> {
  if (!isAbsolute(path)) throw invalidParameter(`The live code ${path} must be an absolute path.`);
  for (let tries = 1; ; tries++)
    try {
      return await look(workspace, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      if (tries === TRIES) throw errors.s3Failed("NoSuchKey", `The specified key does not exist. (${path})`);
      await pause(RETRY_MS);
    }
}

/** The code as it is now, and the directory to mount as /var/task. */
export async function openLive(
  workspace: string,
  lambdaDir: string,
  path: string,
): Promise<LiveCode & { dir: string }> {
  let code = await lookAtLive(workspace, path);
  if (code.kind === "directory") return { ...code, dir: path };
  for (let tries = 1; ; tries++) {
    const dir = await stageFile(lambdaDir, path, code);
    const after = await lookAtLive(workspace, path);
    if (after.sha256 === code.sha256 || tries === TRIES) return { ...code, dir };
    code = after;
    await pause(RETRY_MS);
  }
}

async function look(workspace: string, path: string): Promise<LiveCode> {
  const root = await realpath(path);
  const inside = relative(await realpath(workspace), root);
  if (inside.startsWith("..") || isAbsolute(inside))
    throw invalidParameter(`The live code ${path} must lie within the workspace ${workspace}.`);
  const found = await stat(root);
  if (!found.isDirectory() && !found.isFile())
    throw invalidParameter(`The live code ${path} is neither a directory nor a file.`);
  // Whatever is code is readable in the sandbox: everybody's keys in the database, and the buckets, must not be.
  if (isState(inside))
    throw invalidParameter(
      `The live code ${path} is aws-like's own: a function would see what is not its own. Name a file, or a directory, of yours.`,
    );
  if (inside === "")
    throw invalidParameter(
      `The live code ${path} would show the whole workspace to the function. Name the file, or a directory of its own.`,
    );

  const hash = createHash("sha256");
  let size = 0;
  let count = 0;
  const visit = async (at: string) => {
    if (++count > MAX_ENTRIES) throw invalidParameter(`The live code ${path} has more than ${MAX_ENTRIES} files.`);
    const { mode, mtimeNs, ctimeNs, ino, ...entry } = await lstat(at, { bigint: true });
    const name = relative(root, at);
    if ((mode & 0o170000n) === 0o040000n) {
      const names = (await readdir(at)).sort();
      hash.update(`${name}\0${mode}\0${names.length}\n`);
      for (const child of names) if (child !== ".git") await visit(join(at, child));
    } else {
      hash.update(`${name}\0${mode}\0${entry.size}\0${mtimeNs}\0${ctimeNs}\0${ino}\n`);
      size += Number(entry.size);
    }
  };
  await visit(root);
  return { sha256: hash.digest("base64"), size, kind: found.isDirectory() ? "directory" : "file" };
}

/** What the workspace holds that is not the user's to write. Code that stands in a template lies in .aws-like/template/. */
function isState(inside: string): boolean {
  const [first = "", second, file] = inside.split(sep);
  if (first === ".aws-like") return second !== "template" || file === undefined;
  return ["buckets", "logs", "snapshots"].includes(first) || first.startsWith("db.sqlite");
}

/** A single file gets a directory of its own: its neighbours (db.sqlite, the buckets) are not the function's to see. */
async function stageFile(lambdaDir: string, path: string, code: LiveCode): Promise<string> {
  const home = join(lambdaDir, "live", createHash("sha256").update(path).digest("hex").slice(0, 32));
  const target = join(home, Buffer.from(code.sha256, "base64").toString("hex"));
  if (await exists(target)) return target;
  const stage = join(lambdaDir, "live", `stage-${newHex(8)}`);
  await mkdir(home, { recursive: true, mode: 0o755 });
  await mkdir(stage, { mode: 0o755 });
  try {
    const copy = join(stage, basename(path));
    await copyFile(path, copy);
    // Readable for the sandbox's own user, whoever owns the original.
    await chmod(copy, (await stat(copy)).mode & 0o111 ? 0o755 : 0o644);
    await rename(stage, target);
  } catch (error) {
    await rm(stage, { recursive: true, force: true });
    // Another invocation staged the same version first, or the file is gone for the moment: the look after this one says which.
    if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
  await forgetOlder(home, target);
  return target;
}

// The version before may still be mounted in a sandbox that is answering: it goes at the next edit.
async function forgetOlder(home: string, current: string): Promise<void> {
  const versions: { path: string; at: number }[] = [];
  for (const name of await readdir(home)) {
    const path = join(home, name);
    if (path !== current) versions.push({ path, at: (await stat(path)).ctimeMs });
  }
  versions.sort((a, b) => b.at - a.at);
  for (const version of versions.slice(1)) await rm(version.path, { recursive: true, force: true });
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return false;
  }
}
