// A layer's versions: rows, ARNs, and how a row reads as AWS's answer. A deleted version stays for the functions that have it.
import type { Arn, Context, Output, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { Place } from "./names.ts";

export const tables = `
CREATE TABLE lambda_layer (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  layer_name TEXT NOT NULL,
  last_version BIGINT NOT NULL,
  PRIMARY KEY (account, region, layer_name)
);
CREATE TABLE lambda_layer_version (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  layer_name TEXT NOT NULL,
  version BIGINT NOT NULL,
  description TEXT NOT NULL,
  license_info TEXT,
  compatible_runtimes TEXT,
  compatible_architectures TEXT,
  code_sha256 TEXT NOT NULL,
  code_size BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  revision_id TEXT NOT NULL,
  statements TEXT NOT NULL,
  deleted BIGINT NOT NULL,
  PRIMARY KEY (account, region, layer_name, version)
)`;

export interface LayerRow {
  readonly account: string;
  readonly region: string;
  readonly layer_name: string;
  readonly version: number;
  readonly description: string;
  readonly license_info: string | null;
  /** JSON; null where none was said, which is not the same as an empty list. */
  readonly compatible_runtimes: string | null;
  readonly compatible_architectures: string | null;
  readonly code_sha256: string;
  readonly code_size: number;
  readonly created_ms: number;
  /** Of its policy. */
  readonly revision_id: string;
  /** JSON: of its policy. */
  readonly statements: string;
  readonly deleted: number;
}

export interface LayerRef extends Place {
  readonly name: string;
}

export interface LayerVersionRef extends LayerRef {
  readonly version: number;
}

const FORM = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+)(?::(\d+))?$/;

/** `version` is 0 where the ARN is the layer's own. */
export function parseLayerArn(arn: string): LayerVersionRef | undefined {
  const match = FORM.exec(arn);
  if (!match) return undefined;
  const [, region, account, name, version] = match;
  return { region: region!, account: account!, name: name!, version: Number(version ?? 0) };
}

/** A layer by its name, or by its ARN where it is another account's. */
export function resolveLayer(ctx: Context, given: string): LayerRef {
  const { region, account, name } = parseLayerArn(given) ?? { region: ctx.region, account: ctx.account, name: given };
  return { region, account, name };
}

export const layerArn = ({ account, region, name }: LayerRef): Arn =>
  `arn:aws:lambda:${region}:${account}:layer:${name}`;
export const layerVersionArn = (ref: LayerVersionRef): Arn => `${layerArn(ref)}:${ref.version}`;

export const refOf = (row: LayerRow): LayerVersionRef => ({
  account: row.account,
  region: row.region,
  name: row.layer_name,
  version: row.version,
});

/** Undefined where there is none, or none any more. */
export const findLayerVersion = (tx: Tx, ref: LayerVersionRef) =>
  tx.one<LayerRow>(
    `SELECT * FROM lambda_layer_version
     WHERE account = :account AND region = :region AND layer_name = :name AND version = :version AND deleted = 0`,
    { account: ref.account, region: ref.region, name: ref.name, version: ref.version },
  );

/** As lists have it; GetLayerVersion adds the layer and the content. */
export const describeLayerVersion = (row: LayerRow) => ({
  LayerVersionArn: layerVersionArn(refOf(row)),
  Version: row.version,
  Description: row.description,
  CreatedDate: new Date(row.created_ms).toISOString().replace("Z", "+0000"),
  ...(row.compatible_runtimes !== null && { CompatibleRuntimes: readList<"Runtime">(row.compatible_runtimes) }),
  ...(row.license_info !== null && { LicenseInfo: row.license_info }),
  ...(row.compatible_architectures !== null && {
    CompatibleArchitectures: readList<"Architecture">(row.compatible_architectures),
  }),
});

type ListOf = {
  Runtime: NonNullable<Output<"lambda", "GetLayerVersion">["CompatibleRuntimes"]>;
  Architecture: NonNullable<Output<"lambda", "GetLayerVersion">["CompatibleArchitectures"]>;
};
const readList = <K extends keyof ListOf>(text: string): ListOf[K] => JSON.parse(text);

export function checkVersion(version: number | undefined): number {
  if (version === undefined || version < 1) throw errors.layerVersionTooSmall();
  return version;
}
