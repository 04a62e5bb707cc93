// What a function is made of: a zip, unpacked once into a directory named by its hash, or a directory of the user's that is live.
import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AwsError, type Context, newHex, zipOfPath } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { type FunctionLayer, optName } from "./function-layers.ts";
import { exists, lookAtLive } from "./live.ts";
import { realNow } from "./sandbox/real-time.ts";
import { readZip, type ZipEntry, ZipError } from "./zip.ts";

/** What CreateFunction's Code and UpdateFunctionCode have in common. */
export interface CodeInput {
  readonly ZipFile?: Uint8Array | undefined;
  readonly S3Bucket?: string | undefined;
  readonly S3Key?: string | undefined;
  readonly S3ObjectVersion?: string | undefined;
  readonly S3ObjectStorageMode?: string | undefined;
  readonly ImageUri?: string | undefined;
  readonly SourceKMSKeyArn?: string | undefined;
}

export interface Code {
  /** Base64, of the zip's bytes; of a live directory, of its fingerprint. */
  readonly sha256: string;
  readonly size: number;
  /** The user's directory or file, where the function is live. */
  readonly live: string | null;
}

export const codeColumns = (code: Code) => ({ code_sha256: code.sha256, code_size: code.size, live: code.live });

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
export const MAX_ZIPPED_BYTES = 52_428_800;
export const MAX_UNZIPPED_BYTES = 262_144_000;
/** The bucket that is none: its keys are paths of this machine. LocalStack's name for it, so that its users need no other. */
const LIVE_BUCKET = "hot-reload";

/** Checks and stages the code. AWS's order: what is given, then S3, then sizes, then the archive. */
export async function stageCode(ctx: Context, input: CodeInput): Promise<Code> {
  for (const parameter of ["ImageUri", "SourceKMSKeyArn"] as const)
    if (input[parameter]) throw errors.unsupported(parameter);
  if (input.S3ObjectStorageMode === "REFERENCE") throw errors.unsupported("S3ObjectStorageMode REFERENCE");
  if (input.ZipFile !== undefined && (input.S3Bucket !== undefined || input.S3Key !== undefined))
    throw errors.twoCodes();
  if (input.ZipFile !== undefined) {
    if (input.ZipFile.length > MAX_ZIPPED_BYTES) throw errors.zippedTooLarge(MAX_ZIPPED_BYTES);
    return stageZip(ctx, input.ZipFile);
  }
  if (input.S3Bucket === undefined || input.S3Key === undefined) throw errors.noCode();
  if (input.S3Bucket !== LIVE_BUCKET) return stageZip(ctx, await fetchZip(ctx, input));
  const { sha256, size } = await lookAtLive(ctx.config.dir, input.S3Key);
  return { sha256, size, live: input.S3Key };
}

/** Live code as it is now, staged as an archive that never changes: for a version. */
export async function freeze(ctx: Context, live: string): Promise<Code> {
  await lookAtLive(ctx.config.dir, live);
  return stageZip(ctx, await zipOfPath(live));
}

/** Where Lambda keeps files: code, staged live files. Never in a bucket or a sandbox. */
export const lambdaDir = (workspace: string): string => join(workspace, ".aws-like", "lambda");

const nameOf = (sha256: string): string => Buffer.from(sha256, "base64").toString("hex");
export const codeDir = (workspace: string, sha256: string): string =>
  join(lambdaDir(workspace), "code", nameOf(sha256));
/** The archive as it came: what GetFunction's Location leads to. */
export const codeZip = (workspace: string, sha256: string): string => `${codeDir(workspace, sha256)}.zip`;

async function stageZip(ctx: Context, zip: Uint8Array): Promise<Code> {
  if (zip.length === 0) throw errors.emptyZip();
  const sha256 = createHash("sha256").update(zip).digest("base64");
  const entries = parse(zip);
  if (!entries.some((entry) => entry.kind !== "directory")) throw errors.emptyZip();
  if (entries.reduce((sum, entry) => sum + entry.size, 0) > MAX_UNZIPPED_BYTES)
    throw errors.unzippedTooLarge(MAX_UNZIPPED_BYTES);

  const code = { sha256, size: zip.length, live: null };
  const target = codeDir(ctx.config.dir, sha256);
  if (await exists(target)) return code;
  const stage = `${target}.${newHex(8)}`;
  try {
    await unpack(entries, stage);
    await writeFile(`${stage}.zip`, zip);
    await rename(`${stage}.zip`, codeZip(ctx.config.dir, sha256));
    await rename(stage, target);
  } catch (error) {
    await rm(stage, { recursive: true, force: true });
    await rm(`${stage}.zip`, { force: true });
    // Someone else staged the same archive meanwhile: the same bytes.
    if ((error as NodeJS.ErrnoException).syscall !== "rename") throw asZipError(error);
  }
  return code;
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

function parse(zip: Uint8Array): ZipEntry[] {
  try {
    return readZip(zip);
  } catch (error) {
    throw asZipError(error);
  }
}

// A name that is a file and a directory at once, too long, or a file under a symlink: the archive's fault.
const NAME_ERRORS = ["EEXIST", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "EINVAL"];
const asZipError = (error: unknown): unknown =>
  error instanceof ZipError || NAME_ERRORS.includes(codeOf(error)) ? errors.badZip() : error;

async function unpack(entries: readonly ZipEntry[], target: string): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o755 });
  const made = new Set<string>();
  const makeDirectory = async (path: string) => {
    if (made.has(path)) return;
    await mkdir(path, { recursive: true, mode: 0o755 });
    made.add(path);
  };
  for (const { kind, path } of entries) await makeDirectory(join(target, kind === "directory" ? path : dirname(path)));
  for (const entry of entries) {
    if (entry.kind !== "file") continue;
    // A missing execute bit on `bootstrap` stays missing: AWS says Runtime.InvalidEntrypoint, and so shall we.
    await writeFile(join(target, entry.path), entry.read(), { mode: entry.mode & 0o111 ? 0o755 : 0o644 });
  }
  // Links come last, when nothing is written any more: none of our writes can follow one out of the directory.
  for (const entry of entries)
    if (entry.kind === "symlink") await symlink(Buffer.from(entry.read()).toString("utf8"), join(target, entry.path));
}

/**
 * At start: removes code that no function has any more, and what a killed process had begun to stage. Only what is older than an hour: another
 * process on the same files may be staging now.
 */
export async function sweepCode(ctx: Context): Promise<void> {
  const rows = await ctx.read((tx) =>
    tx.all<{ code_sha256: string }>(
      `SELECT DISTINCT code_sha256 FROM lambda_function
       UNION SELECT DISTINCT code_sha256 FROM lambda_layer_version WHERE deleted = 0`,
    ),
  );
  const layered = await ctx.read((tx) =>
    tx.all<{ configuration: string }>(
      `SELECT configuration FROM lambda_function WHERE configuration LIKE '%"Layers"%'`,
    ),
  );
  const layers = layered.map((row): readonly FunctionLayer[] => JSON.parse(row.configuration).Layers ?? []);
  const used = new Set(
    [...rows.map((row) => row.code_sha256), ...layers.flat().map(({ CodeSha256 }) => CodeSha256)].map(nameOf),
  );
  const merged = new Set(layers.map(optName));
  const dir = lambdaDir(ctx.config.dir);
  const isGarbage = {
    code: (name: string) => !used.has(name.replace(/\.zip$/, "")),
    live: (name: string) => name.startsWith("stage-"),
    opt: (name: string) => !merged.has(name),
  };
  for (const [part, isOld] of Object.entries(isGarbage))
    for (const name of (await exists(join(dir, part))) ? await readdir(join(dir, part)) : []) {
      const path = join(dir, part, name);
      if (isOld(name) && realNow() - (await stat(path)).mtimeMs > GARBAGE_AGE_MS)
        await rm(path, { recursive: true, force: true });
    }
}

const GARBAGE_AGE_MS = 3_600_000;

async function fetchZip(ctx: Context, input: CodeInput): Promise<Uint8Array> {
  try {
    const { Body } = await ctx.call("s3", "GetObject", {
      Bucket: input.S3Bucket,
      Key: input.S3Key,
      VersionId: input.S3ObjectVersion,
    });
    return await readBody(Body);
  } catch (error) {
    if (!(error instanceof AwsError) || error.code === "InvalidParameterValueException") throw error;
    if (error.code === "AccessDenied")
      throw new AwsError(
        "AccessDeniedException",
        403,
        `Your access has been denied by S3, please make sure your request credentials have permission to GetObject for ${input.S3Bucket}/${input.S3Key}. S3 Error Code: AccessDenied. S3 Error Message: ${error.message}`,
      );
    throw errors.s3Failed(error.code, error.message);
  }
}

async function readBody(body: Uint8Array | AsyncIterable<Uint8Array> | undefined): Promise<Uint8Array> {
  if (body === undefined || body instanceof Uint8Array) return body ?? new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_UNZIPPED_BYTES) throw errors.unzippedTooLarge(MAX_UNZIPPED_BYTES);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
