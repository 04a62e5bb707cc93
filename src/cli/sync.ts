// A directory and a prefix of a bucket are made alike, in one direction: what is new or changed is copied, with --delete what is not there goes.
// Both are read in the order of the keys and compared as they are read, so that neither has to fit into memory.
import { rm, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { contentTypeOf } from "../services/s3/content-types.ts";
import { type Command, UserError } from "./command.ts";
import { endpointOf } from "./remote.ts";
import { type Chosen, chooser, type Filter } from "./s3/filters.ts";
import { byBytes, filesOf, type LocalFile } from "./s3/local.ts";
import { openProgress, type Progress } from "./s3/progress.ts";
import { Bucket, type Listed, S3Failure } from "./s3/remote.ts";
import { download, isSameContent, type Limit, limitOf, upload } from "./s3/transfer.ts";
import { accessOf } from "./signed.ts";

const options = {
  delete: { type: "boolean" },
  "dry-run": { type: "boolean" },
  dryrun: { type: "boolean" },
  checksum: { type: "boolean" },
  "size-only": { type: "boolean" },
  include: { type: "string", multiple: true },
  exclude: { type: "string", multiple: true },
  jobs: { type: "string" },
  quiet: { type: "boolean" },
  endpoint: { type: "string" },
} as const;

const JOBS = 8;
const MAX_JOBS = 256;

export const command: Command = {
  summary: "makes a prefix of a bucket like a directory, or a directory like a prefix",
  usage:
    "DIR s3://BUCKET[/PREFIX] | s3://BUCKET[/PREFIX] DIR [--delete] [--dry-run] [--include PATTERN]... [--exclude PATTERN]... [--checksum | --size-only] [--jobs 8] [--quiet] [--endpoint URL]",
  details: [
    "As `aws s3 sync`: a file is copied where its size differs or its time is later than the object's; a download sets the file's time.",
    "",
    "--delete     removes from the target what the source does not have",
    "--dry-run    says what would be done",
    "--include    and --exclude: shell patterns over the path below DIR or PREFIX; the last one that matches decides. What is excluded is not deleted",
    "--checksum   compares files of the same size by their bytes (the ETag), whatever their time",
    "--size-only  compares the size alone",
    "--jobs       requests at once",
    "--quiet      shows what failed only",
    "",
    "Credentials and region are those of the environment (AWS_ACCESS_KEY_ID ...). The exit code is 1 where a file could not be copied.",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals, tokens } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      tokens: true,
    });
    const filters = tokens.flatMap((token): Filter[] =>
      token.kind === "option" && (token.name === "include" || token.name === "exclude")
        ? [{ kind: token.name, pattern: token.value! }]
        : [],
    );
    const [from, to, ...more] = positionals;
    const source = from?.startsWith("s3://");
    if (from === undefined || to === undefined || more.length > 0 || source === to.startsWith("s3://"))
      throw new UserError("say a directory and s3://BUCKET/PREFIX, in the order from, to");
    if (values.checksum && values["size-only"]) throw new UserError("--checksum and --size-only exclude each other");
    const { bucket: name, prefix } = parseUri(source ? from : to);
    const jobs = numberOf(values.jobs);
    const dir = resolve(source ? to : from);
    if (!source && !(await stat(dir).catch(() => undefined))?.isDirectory())
      throw new UserError(`there is no directory ${dir}`);
    using bucket = new Bucket(
      name,
      accessOf(endpointOf(values.endpoint ?? environment.AWS_ENDPOINT_URL_S3, environment), environment),
      jobs,
    );
    using progress = openProgress();
    const failed = await sync({
      bucket,
      prefix,
      dir,
      isUpload: !source,
      isChosen: chooser(filters),
      compare: values.checksum ? "checksum" : values["size-only"] ? "size" : "time",
      deletes: values.delete ?? false,
      dry: values["dry-run"] ?? values.dryrun ?? false,
      quiet: values.quiet ?? false,
      jobs,
      progress,
    });
    if (failed > 0) throw new UserError(failed === 1 ? "one file failed" : `${failed} files failed`);
  },
};

function parseUri(uri: string): { bucket: string; prefix: string } {
  const [, bucket, rest = ""] = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri) ?? [];
  if (bucket === undefined) throw new UserError(`${uri} is not s3://BUCKET/PREFIX`);
  return { bucket, prefix: rest === "" || rest.endsWith("/") ? rest : `${rest}/` };
}

function numberOf(text: string | undefined): number {
  const value = Number(text ?? JOBS);
  if (!Number.isInteger(value) || value < 1 || value > MAX_JOBS)
    throw new UserError(`--jobs is a number from 1 to ${MAX_JOBS}, not ${text}`);
  return value;
}

interface Sync {
  readonly bucket: Bucket;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  readonly dir: string;
  readonly isUpload: boolean;
  readonly isChosen: Chosen;
  readonly compare: "time" | "size" | "checksum";
  readonly deletes: boolean;
  readonly dry: boolean;
  readonly quiet: boolean;
  readonly jobs: number;
  readonly progress: Progress;
}

/** Resolves with the number of files that failed. */
async function sync(of: Sync): Promise<number> {
  const run = new Run(of);
  try {
    for await (const pair of pairs(run, of)) await run.take(pair);
    return await run.end();
  } catch (error) {
    // The bucket is not there, or may not be listed.
    throw error instanceof S3Failure ? new UserError(error.message) : error;
  }
}

interface Pair {
  /** Below the directory and the prefix. */
  readonly path: string;
  readonly local: LocalFile | undefined;
  readonly remote: Listed | undefined;
}

/** Both lists, side by side. */
async function* pairs(run: Run, { bucket, prefix, dir, isUpload, isChosen }: Sync): AsyncGenerator<Pair> {
  const missing = !isUpload && !(await stat(dir).catch(() => undefined));
  const skip = (path: string, why: string) => (isChosen(path) ? run.fail(`skipped ${path}: ${why}`) : undefined);
  const locals = missing ? [][Symbol.iterator]() : filesOf(dir, skip);
  const remotes = bucket.list(prefix);
  let [local, remote] = [await locals.next(), await remotes.next()];
  while (!local.done || !remote.done) {
    const file: LocalFile | undefined = local.done ? undefined : local.value;
    const object: Listed | undefined = remote.done ? undefined : remote.value;
    const path = object?.key.slice(prefix.length);
    const order = file === undefined ? 1 : path === undefined ? -1 : byBytes(file.path, path);
    const pair = {
      path: order <= 0 ? file!.path : path!,
      local: order <= 0 ? file : undefined,
      remote: order >= 0 ? object : undefined,
    };
    // A key that ends in a slash stands for a directory, which is no file.
    if (isChosen(pair.path) && !pair.path.endsWith("/") && pair.path !== "") yield pair;
    if (order <= 0) local = await locals.next();
    if (order >= 0) remote = await remotes.next();
  }
}

/** What is under way. */
class Run {
  readonly #of: Sync;
  readonly #files: Limit;
  readonly #requests: Limit;
  readonly #running = new Set<Promise<void>>();
  #dying: string[] = [];
  #failed = 0;
  /** What would befall every other file, too. */
  #fatal: UserError | undefined;

  constructor(of: Sync) {
    this.#of = of;
    this.#files = limitOf(of.jobs);
    this.#requests = limitOf(of.jobs);
  }

  fail(text: string): void {
    this.#failed++;
    this.#of.progress.print(text);
  }

  /** Resolves when the next one may come. */
  async take({ path, local, remote }: Pair): Promise<void> {
    const { isUpload, deletes } = this.#of;
    const source = isUpload ? local : remote;
    if (!source) {
      if (deletes) await this.#delete(path);
      return;
    }
    const fault = isUpload ? undefined : faultOf(path);
    if (fault) return this.fail(`skipped ${this.#uri(path)}: ${fault}`);
    while (this.#running.size >= this.#of.jobs * 2) await Promise.race(this.#running);
    if (this.#fatal) throw this.#fatal;
    const task = this.#files(() => this.#copy(path, local, remote)).catch((error: Error) => {
      if (error instanceof UserError) this.#fatal = error;
      else this.fail(`${this.#verb} failed: ${this.#between(path)}: ${error.message}`);
    });
    this.#running.add(task);
    void task.then(() => this.#running.delete(task));
  }

  async end(): Promise<number> {
    await Promise.all(this.#running);
    if (this.#fatal) throw this.#fatal;
    await this.#deleteObjects();
    return this.#failed;
  }

  async #copy(path: string, local: LocalFile | undefined, remote: Listed | undefined): Promise<void> {
    if (local && remote && (await this.#isAlike(local, remote))) return;
    const { bucket, prefix, dir, isUpload, dry, progress } = this.#of;
    if (!dry) {
      progress.expect(isUpload ? local!.size : remote!.size);
      const of = { bucket, key: `${prefix}${path}`, file: join(dir, path), onBytes: progress.done };
      if (isUpload) await upload({ ...of, contentType: contentTypeOf(path), limit: this.#requests });
      else await download(of);
      progress.finish();
    }
    this.#say(`${this.#verb}: ${this.#between(path)}`);
  }

  /** https://docs.aws.amazon.com/cli/latest/reference/s3/sync.html: a download leaves a file that is older than the object. */
  async #isAlike(local: LocalFile, remote: Listed): Promise<boolean> {
    const { bucket, compare, dir } = this.#of;
    if (local.size !== remote.size) return false;
    if (compare === "size") return true;
    const same = () => isSameContent(bucket, join(dir, local.path), remote);
    if (compare === "checksum") return await same();
    const localSecond = Math.floor(local.modifiedMs / 1000) * 1000;
    // S3 tells whole seconds: what was written in the second of its upload may be older or newer.
    if (localSecond === remote.modifiedMs && localSecond !== local.modifiedMs) return await same();
    return local.modifiedMs <= remote.modifiedMs;
  }

  async #delete(path: string): Promise<void> {
    const { isUpload, dir, dry } = this.#of;
    if (isUpload) {
      this.#dying.push(path);
      if (this.#dying.length >= 1000) await this.#deleteObjects();
      return;
    }
    if (!dry) await rm(join(dir, path), { force: true });
    this.#say(`delete: ${shown(join(dir, path))}`);
  }

  async #deleteObjects(): Promise<void> {
    const { bucket, prefix, dry } = this.#of;
    const paths = this.#dying;
    this.#dying = [];
    if (paths.length === 0) return;
    const failed = dry ? new Map() : await bucket.delete(paths.map((path) => `${prefix}${path}`));
    for (const path of paths) {
      const why = failed.get(`${prefix}${path}`);
      if (why === undefined) this.#say(`delete: ${this.#uri(path)}`);
      else this.fail(`delete failed: ${this.#uri(path)}: ${why}`);
    }
  }

  get #verb(): string {
    return this.#of.isUpload ? "upload" : "download";
  }

  #say(line: string): void {
    const { dry, quiet, progress } = this.#of;
    if (!quiet) progress.print(dry ? `(dry run) ${line}` : line);
  }

  #uri(path: string): string {
    const { bucket, prefix } = this.#of;
    return `s3://${bucket.name}/${prefix}${path}`;
  }

  #between(path: string): string {
    const file = shown(join(this.#of.dir, path));
    return this.#of.isUpload ? `${file} to ${this.#uri(path)}` : `${this.#uri(path)} to ${file}`;
  }
}

/** As a person at this directory would write it. */
function shown(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? file : path;
}

const MAX_NAME = 255;

/** Why a key cannot be a file below the directory. */
function faultOf(path: string): string | undefined {
  for (const segment of path.split("/")) {
    if (segment === "" || segment === "." || segment === "..") return `no path has "${segment}" in it`;
    if (segment.includes("\0")) return "no path has a NUL in it";
    if (Buffer.byteLength(segment) > MAX_NAME) return `a name is longer than ${MAX_NAME} bytes`;
  }
  return undefined;
}
