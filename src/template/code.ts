// A function's code: a directory or a file of the workspace that is live, a zip, an object in S3, or a few lines in the template itself.
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Place, Subject } from "./kind.ts";
import { type Node, TemplateError } from "./node.ts";
import { convert, record } from "./shape.ts";

export type Code =
  | { readonly kind: "live"; readonly path: string }
  /** `changed`: so that another zip of the same name is another code. */
  | { readonly kind: "zip"; readonly path: string; readonly changed: number }
  | { readonly kind: "s3"; readonly bucket: string; readonly key: string; readonly version?: string | undefined }
  | { readonly kind: "inline"; readonly file: string; readonly text: string };

/** The bucket that is none: its keys are paths of this machine. See services/lambda/README.md. */
const LIVE_BUCKET = "hot-reload";
// "Zip file" in AWS::Lambda::Function Code: at most 4 MB; SAM's InlineCode is the same.
const MAX_INLINE_BYTES = 4 * 1024 * 1024;
const code = record({ ZipFile: "text", S3Bucket: "text", S3Key: "text", S3ObjectVersion: "text" });

interface About {
  readonly runtime: string;
  readonly handler: string;
  readonly dir: string;
  /** Of the property. */
  readonly path: string;
}

/** What the property Code says. Throws TemplateError, also where a file is missing. */
export function readCode(given: Node, about: About): Code {
  if (given.kind === "scalar") return local(given.text, given.line, about);
  const { ZipFile, S3Bucket, S3Key, S3ObjectVersion } = convert(code, given, about.path) as Record<string, string>;
  if (S3Bucket !== undefined && S3Key !== undefined)
    return { kind: "s3", bucket: S3Bucket, key: S3Key, version: S3ObjectVersion };
  if (ZipFile === undefined)
    throw new TemplateError(given.line, about.path, "here belongs a path, S3Bucket and S3Key, or ZipFile");
  if (ZipFile.length > MAX_INLINE_BYTES) throw new TemplateError(given.line, about.path, "inline code is at most 4 MB");
  const file = inlineFile(about.runtime);
  if (!file)
    throw new TemplateError(given.line, about.path, "only node and python functions are written inline, as on AWS");
  return { kind: "inline", file, text: ZipFile };
}

/** What CreateFunction and UpdateFunctionCode are told. */
export async function codeInput({ id, properties }: Subject<{ Code: unknown }>, { dir }: Place) {
  const code = properties.Code as Code;
  if (code.kind === "live") return { S3Bucket: LIVE_BUCKET, S3Key: code.path };
  if (code.kind === "zip") return { ZipFile: await readFile(code.path) };
  if (code.kind === "s3")
    return { S3Bucket: code.bucket, S3Key: code.key, ...(code.version && { S3ObjectVersion: code.version }) };
  const folder = join(dir, ".aws-like", "template", id);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, code.file), code.text);
  return { S3Bucket: LIVE_BUCKET, S3Key: join(folder, code.file) };
}

const inlineFile = (runtime: string): string | undefined =>
  runtime.startsWith("nodejs") ? "index.js" : runtime.startsWith("python") ? "index.py" : undefined;

function local(given: string, line: number, { runtime, handler, dir, path }: About): Code {
  const s3 = /^s3:\/\/([^/]+)\/(.+)$/.exec(given);
  if (s3) return { kind: "s3", bucket: s3[1]!, key: s3[2]! };
  const found = resolve(dir, given);
  if (!existsSync(found)) throw new TemplateError(line, path, `there is no ${found}`);
  const stat = statSync(found);
  if (stat.isFile() && found.endsWith(".zip")) return { kind: "zip", path: found, changed: stat.mtimeMs };
  if (found !== resolve(dir)) return { kind: "live", path: found };
  // The workspace itself holds the database and the buckets: the function gets the file of its handler, alone.
  const files = handlerFiles(runtime, handler);
  const file = files.find((name) => existsSync(join(dir, name)));
  if (!file) throw new TemplateError(line, path, `there is no ${files.join(" or ")} in ${dir}: Handler is ${handler}`);
  return { kind: "live", path: join(dir, file) };
}

function handlerFiles(runtime: string, handler: string): string[] {
  const module = handler.slice(0, handler.lastIndexOf("."));
  if (runtime.startsWith("nodejs")) return ["mjs", "js", "cjs"].map((suffix) => `${module}.${suffix}`);
  if (runtime.startsWith("python")) return [`${module.replaceAll(".", "/")}.py`];
  return [`${module}.sh`];
}
