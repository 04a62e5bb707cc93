// Layers: archives that functions have at /opt. A version never changes; a number is never given twice.
import { type Access, type Arn, type Context, defineOperations } from "../../kernel/mod.ts";
import { stageCode } from "./code.ts";
import { locationOf } from "./download.ts";
import { errors } from "./errors.ts";
import {
  checkVersion,
  describeLayerVersion,
  findLayerVersion,
  type LayerRow,
  type LayerVersionRef,
  layerArn,
  layerVersionArn,
  parseLayerArn,
  refOf,
  resolveLayer,
} from "./layer-tables.ts";

export const layers = defineOperations("lambda", {
  PublishLayerVersion: {
    access: (ctx, input) => ({
      action: "lambda:PublishLayerVersion",
      resource: layerArn(resolveLayer(ctx, input.LayerName ?? "")),
    }),
    async handle(ctx, input) {
      const layer = resolveLayer(ctx, input.LayerName!);
      const code = await stageCode(ctx, input.Content ?? {});
      if (code.live !== null) throw errors.unsupported("a live layer");
      const row = await ctx.write(async (tx) => {
        const numbered = await tx.one<{ last_version: number }>(
          `INSERT INTO lambda_layer (account, region, layer_name, last_version) VALUES (:account, :region, :name, 1)
           ON CONFLICT (account, region, layer_name) DO UPDATE SET last_version = lambda_layer.last_version + 1
           RETURNING last_version`,
          { account: layer.account, region: layer.region, name: layer.name },
        );
        const row: LayerRow = {
          account: layer.account,
          region: layer.region,
          layer_name: layer.name,
          version: numbered!.last_version,
          description: input.Description ?? "",
          license_info: input.LicenseInfo ?? null,
          compatible_runtimes: input.CompatibleRuntimes ? JSON.stringify(input.CompatibleRuntimes) : null,
          compatible_architectures: input.CompatibleArchitectures
            ? JSON.stringify(input.CompatibleArchitectures)
            : null,
          code_sha256: code.sha256,
          code_size: code.size,
          created_ms: ctx.now,
          revision_id: "",
          statements: "[]",
          deleted: 0,
        };
        await tx.run(
          `INSERT INTO lambda_layer_version (account, region, layer_name, version, description, license_info, compatible_runtimes,
             compatible_architectures, code_sha256, code_size, created_ms, revision_id, statements, deleted)
           VALUES (:account, :region, :layer_name, :version, :description, :license_info, :compatible_runtimes,
             :compatible_architectures, :code_sha256, :code_size, :created_ms, :revision_id, :statements, :deleted)`,
          { ...row },
        );
        return row;
      });
      return describeWhole(ctx, row);
    },
  },

  GetLayerVersion: {
    access: (ctx, input) => getting({ ...resolveLayer(ctx, input.LayerName ?? ""), version: input.VersionNumber ?? 0 }),
    handle: (ctx, input) =>
      get(ctx, { ...resolveLayer(ctx, input.LayerName!), version: checkVersion(input.VersionNumber) }),
  },

  GetLayerVersionByArn: {
    access: (_ctx, input) => ({ action: "lambda:GetLayerVersion", resource: input.Arn ?? "" }),
    handle: (ctx, input) => {
      const ref = parseLayerArn(input.Arn!);
      if (!ref) throw errors.unsupported("AWS's own layers");
      return get(ctx, { ...ref, version: checkVersion(ref.version) });
    },
  },

  DeleteLayerVersion: {
    access: (ctx, input) => ({
      action: "lambda:DeleteLayerVersion",
      resource: layerVersionArn({
        ...resolveLayer(ctx, input.LayerName ?? ""),
        version: input.VersionNumber ?? 0,
      }),
    }),
    // Deleting what is not there succeeds on AWS too.
    async handle(ctx, input) {
      const version = checkVersion(input.VersionNumber);
      const { account, region, name } = resolveLayer(ctx, input.LayerName!);
      await ctx.write((tx) =>
        tx.run(
          `UPDATE lambda_layer_version SET deleted = 1, statements = '[]'
           WHERE account = :account AND region = :region AND layer_name = :name AND version = :version`,
          { account, region, name, version },
        ),
      );
      return {};
    },
  },

  ListLayerVersions: {
    access: (ctx, input) => ({
      action: "lambda:ListLayerVersions",
      resource: layerArn(resolveLayer(ctx, input.LayerName ?? "")),
    }),
    async handle(ctx, input) {
      const { account, region, name } = resolveLayer(ctx, input.LayerName!);
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const rows = await ctx.read((tx) =>
        tx.all<LayerRow>(
          `SELECT * FROM lambda_layer_version
           WHERE account = :account AND region = :region AND layer_name = :name AND deleted = 0 AND version < :before
             AND (:runtime = '' OR compatible_runtimes LIKE :runtime)
             AND (:architecture = '' OR compatible_architectures LIKE :architecture)
           ORDER BY version DESC LIMIT :limit`,
          { account, region, name, before: readMarker(input.Marker), limit: limit + 1, ...compatible(input) },
        ),
      );
      return {
        LayerVersions: rows.slice(0, limit).map(describeLayerVersion),
        ...(rows.length > limit && { NextMarker: String(rows[limit - 1]!.version) }),
      };
    },
  },

  ListLayers: {
    access: () => ({ action: "lambda:ListLayers", resource: "*" }),
    async handle(ctx, input) {
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const rows = await ctx.read((tx) =>
        tx.all<LayerRow>(
          `SELECT v.* FROM lambda_layer_version v JOIN (
             SELECT layer_name, max(version) AS version FROM lambda_layer_version
             WHERE account = :account AND region = :region AND deleted = 0 AND layer_name > :marker
               AND (:runtime = '' OR compatible_runtimes LIKE :runtime)
               AND (:architecture = '' OR compatible_architectures LIKE :architecture)
             GROUP BY layer_name
           ) latest ON v.layer_name = latest.layer_name AND v.version = latest.version
           WHERE v.account = :account AND v.region = :region ORDER BY v.layer_name LIMIT :limit`,
          {
            account: ctx.account,
            region: ctx.region,
            marker: input.Marker ?? "",
            limit: limit + 1,
            ...compatible(input),
          },
        ),
      );
      return {
        Layers: rows.slice(0, limit).map((row) => ({
          LayerName: row.layer_name,
          LayerArn: layerArn(refOf(row)),
          LatestMatchingVersion: describeLayerVersion(row),
        })),
        ...(rows.length > limit && { NextMarker: rows[limit - 1]!.layer_name }),
      };
    },
  },
});

const PAGE = 50;

/** What a function's owner needs for each of its layers, too. */
const getting = (ref: LayerVersionRef): Access => ({
  action: "lambda:GetLayerVersion",
  resource: layerVersionArn(ref),
});

/** What CreateFunction and UpdateFunctionConfiguration demand for the layers they name: a layer's policy may grant it to other accounts. */
export const layerAccess = (layers: readonly Arn[] | undefined): Access[] =>
  (layers ?? []).map((resource) => ({ action: "lambda:GetLayerVersion", resource }));

async function get(ctx: Context, ref: LayerVersionRef) {
  const row = await ctx.read((tx) => findLayerVersion(tx, ref));
  if (!row) throw errors.noPolicy();
  return describeWhole(ctx, row);
}

const describeWhole = (ctx: Context, row: LayerRow) => ({
  Content: {
    Location: locationOf(ctx, row.code_sha256),
    CodeSha256: row.code_sha256,
    CodeSize: row.code_size,
  },
  LayerArn: layerArn(refOf(row)),
  ...describeLayerVersion(row),
});

// Of a JSON list of names: no name holds a quote.
const compatible = (input: {
  CompatibleRuntime?: string | undefined;
  CompatibleArchitecture?: string | undefined;
}) => ({
  runtime: input.CompatibleRuntime ? `%"${input.CompatibleRuntime}"%` : "",
  architecture: input.CompatibleArchitecture ? `%"${input.CompatibleArchitecture}"%` : "",
});

function readMarker(marker: string | undefined): number {
  if (!marker) return Number.MAX_SAFE_INTEGER;
  if (!/^\d{1,15}$/.test(marker)) throw errors.badMarker();
  return Number(marker);
}
