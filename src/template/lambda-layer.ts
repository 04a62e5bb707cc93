// AWS::Lambda::LayerVersion. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-layerversion.html
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { zipOfPath } from "../kernel/zip.ts";
import { type Call, defineKind, type Subject } from "./kind.ts";
import { markOf } from "./late.ts";
import { type Node, TemplateError } from "./node.ts";
import { convert, listOf, record, type Value } from "./shape.ts";

const TYPE = "AWS::Lambda::LayerVersion";

const shape = record(
  {
    LayerName: "text",
    Description: "text",
    LicenseInfo: "text",
    CompatibleRuntimes: listOf("text"),
    CompatibleArchitectures: listOf("text"),
    Content: "json",
  },
  ["Content"],
);
type Layer = Subject<Value<typeof shape>>;

type Content =
  /** `changed`: so that other files are another version. */
  | { readonly kind: "path"; readonly path: string; readonly changed: string }
  | { readonly kind: "s3"; readonly S3Bucket: string; readonly S3Key: string; readonly S3ObjectVersion?: string };

const s3Content = record({ S3Bucket: "text", S3Key: "text", S3ObjectVersion: "text" }, ["S3Bucket", "S3Key"]);

/** Its physical name is the layer's; each change publishes another version, and Ref is the newest one. Older ones stay. */
export const layerVersion = defineKind<typeof shape>({
  shape,
  named: "LayerName",
  longestName: 140,
  fixed: [],
  identify: (name) => ({ ref: markOf({ type: TYPE, name, attribute: "LayerVersionArn" }), attributes: {} }),
  later: {
    LayerVersionArn: async (call, name) => (await versions(call, name))[0]?.LayerVersionArn,
  },
  prepare: (properties, given, { dir, path }) => ({
    ...properties,
    Content: readContent(given.fields.get("Content")!, { dir, path: `${path}.Content` }),
  }),
  exists: async (call, { name }) => (await versions(call, name)).length > 0,
  create: publish,
  update: publish,
  async remove(call, { name }) {
    for (let page = await versions(call, name); page.length > 0; page = await versions(call, name))
      for (const { Version } of page)
        await call("lambda", "DeleteLayerVersion", { LayerName: name, VersionNumber: Version });
    return true;
  },
});

const versions = async (call: Call, LayerName: string) =>
  (await call("lambda", "ListLayerVersions", { LayerName })).LayerVersions ?? [];

async function publish(call: Call, { name, properties }: Layer): Promise<void> {
  const { LayerName: _, Content, ...given } = properties;
  await call("lambda", "PublishLayerVersion", {
    ...(given as { CompatibleRuntimes?: ["provided.al2023"]; CompatibleArchitectures?: ["x86_64"] }),
    LayerName: name,
    Content: await contentInput(Content as Content),
  });
}

async function contentInput(content: Content) {
  if (content.kind === "s3") {
    const { kind: _, ...place } = content;
    return place;
  }
  const isZip = content.path.endsWith(".zip") && lstatSync(content.path).isFile();
  return { ZipFile: isZip ? await readFile(content.path) : await zipOfPath(content.path) };
}

/** A directory of the workspace, whose content is /opt's; a zip; or an object in S3. */
function readContent(given: Node, { dir, path }: { dir: string; path: string }): Content {
  if (given.kind !== "scalar") return { kind: "s3", ...(convert(s3Content, given, path) as Value<typeof s3Content>) };
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(given.text) ?? [];
  if (bucket !== undefined) return { kind: "s3", S3Bucket: bucket, S3Key: key! };
  const found = resolve(dir, given.text);
  if (!existsSync(found)) throw new TemplateError(given.line, path, `there is no ${found}`);
  if (found === resolve(dir))
    throw new TemplateError(given.line, path, "the workspace itself is no layer: the database is in it");
  return { kind: "path", path: found, changed: fingerprint(found) };
}

/** Of names, modes, sizes and times: no file is opened. */
function fingerprint(root: string): string {
  const hash = createHash("sha256");
  const visit = (path: string): void => {
    const found = lstatSync(path);
    hash.update(`${path.slice(root.length)}\0${found.mode}\0`);
    if (found.isDirectory()) for (const name of readdirSync(path).sort()) name !== ".git" && visit(join(path, name));
    else hash.update(`${found.size}\0${found.mtimeMs}\0`);
  };
  visit(root);
  return hash.digest("hex");
}
