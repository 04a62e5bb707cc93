// The layers of a function: chosen at CreateFunction and UpdateFunctionConfiguration, merged to one directory for /opt.
import { createHash } from "node:crypto";
import { link, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type Arn, type Context, newHex, type Tx } from "../../kernel/mod.ts";
import { codeDir, codeZip, lambdaDir, MAX_UNZIPPED_BYTES } from "./code.ts";
import { errors } from "./errors.ts";
import { findLayerVersion, layerArn, parseLayerArn } from "./layer-tables.ts";
import { exists } from "./live.ts";
import type { Place } from "./names.ts";
import { readZip } from "./zip.ts";

/** As a function's configuration keeps it: it outlives the layer's version. */
export interface FunctionLayer {
  readonly Arn: Arn;
  readonly CodeSize: number;
  readonly CodeSha256: string;
}

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MAX_LAYERS = 5;

/** AWS's order: their number, their region, whether they are there, whether two are of the same layer. */
export async function chooseLayers(tx: Tx, place: Place, arns: readonly Arn[]): Promise<FunctionLayer[]> {
  if (arns.length > MAX_LAYERS) throw errors.tooManyLayers(MAX_LAYERS);
  const chosen: FunctionLayer[] = [];
  const seen = new Map<Arn, Arn>();
  for (const arn of arns) {
    const ref = parseLayerArn(arn);
    if (!ref) throw errors.unsupported("AWS's own layers");
    if (ref.region !== place.region) throw errors.layerElsewhere(place.region);
    const row = await findLayerVersion(tx, ref);
    if (!row) throw errors.noSuchLayer(arn);
    const same = seen.get(layerArn(ref));
    if (same !== undefined) throw errors.sameLayerTwice(same, arn);
    seen.set(layerArn(ref), arn);
    chosen.push({ Arn: arn, CodeSize: row.code_size, CodeSha256: row.code_sha256 });
  }
  return chosen;
}

/** Code and layers together, as they lie unpacked. `codeSha256` of code that is live: undefined, its size is `codeSize`. */
export async function checkUnzipped(
  ctx: Context,
  layers: readonly FunctionLayer[],
  code: { readonly sha256: string; readonly size: number; readonly live: string | null },
): Promise<void> {
  if (layers.length === 0) return;
  let size = code.live === null ? await unzippedBytes(ctx, code.sha256) : code.size;
  for (const layer of layers) size += await unzippedBytes(ctx, layer.CodeSha256);
  if (size > MAX_UNZIPPED_BYTES) throw errors.layersTooLarge(MAX_UNZIPPED_BYTES, size);
}

async function unzippedBytes(ctx: Context, sha256: string): Promise<number> {
  const entries = readZip(await readFile(codeZip(ctx.config.dir, sha256)));
  return entries.reduce((sum, entry) => sum + entry.size, 0);
}

/** The directory for /opt; undefined without layers. One layer is its own; several are linked together once, named by what is in them. */
export async function optDirOf(
  workspace: string,
  layers: readonly FunctionLayer[] | undefined,
): Promise<string | undefined> {
  const [first, ...others] = layers ?? [];
  if (!first) return undefined;
  if (others.length === 0) return codeDir(workspace, first.CodeSha256);
  const name = optName(layers!);
  const target = join(lambdaDir(workspace), "opt", name);
  if (await exists(target)) return target;
  const stage = `${target}.${newHex(8)}`;
  await mkdir(stage, { recursive: true, mode: 0o755 });
  try {
    // In order: a file of a later layer takes the place of an earlier one's.
    for (const { CodeSha256 } of layers!) await overlay(codeDir(workspace, CodeSha256), stage);
    await rename(stage, target);
  } catch (error) {
    await rm(stage, { recursive: true, force: true });
    // Another sandbox of the same layers was there first.
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
  return target;
}

/** The name of the directory of these layers, in this order. */
export const optName = (layers: readonly FunctionLayer[]): string =>
  createHash("sha256")
    .update(layers.map(({ CodeSha256 }) => CodeSha256).join("\n"))
    .digest("hex");

async function overlay(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    const there = await lstat(target).catch(absent);
    if (there && !(there.isDirectory() && entry.isDirectory())) await rm(target, { recursive: true });
    if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (entry.isDirectory()) {
      if (!there?.isDirectory()) await mkdir(target, { mode: 0o755 });
      await overlay(source, target);
    } else await link(source, target);
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}
