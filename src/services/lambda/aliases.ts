// Aliases: names that point at one version, or at two of them by weight.
import {
  chance,
  defineOperations,
  forgetWith,
  type Input,
  newRequestId,
  type Output,
  type Tx,
} from "../../kernel/mod.ts";
import { SHELF } from "./concurrency.ts";
import { type FunctionRow, findVersion } from "./configuration.ts";
import { errors, invalidParameter, notFound } from "./errors.ts";
import { type FunctionRef, functionArn, resolveName, resourceOf } from "./names.ts";
import { runtimeOf } from "./runtime.ts";

export const tables = `
CREATE TABLE lambda_alias (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  name TEXT NOT NULL,
  function_version TEXT NOT NULL,
  description TEXT NOT NULL,
  revision_id TEXT NOT NULL,
  PRIMARY KEY (account, region, function_name, name)
)`;

export interface AliasRow {
  readonly account: string;
  readonly region: string;
  readonly function_name: string;
  readonly name: string;
  readonly function_version: string;
  readonly description: string;
  readonly revision_id: string;
  /** JSON: what another version gets of the invocations, `{"2": 0.1}`; null where the first has all. */
  readonly weights: string | null;
}

export const findAlias = (tx: Tx, ref: FunctionRef, name: string) =>
  tx.one<AliasRow>(
    `SELECT * FROM lambda_alias
     WHERE account = :account AND region = :region AND function_name = :function_name AND name = :name`,
    { account: ref.account, region: ref.region, function_name: ref.name, name },
  );

export const aliases = defineOperations("lambda", {
  CreateAlias: {
    access: (ctx, input) => ({ action: "lambda:CreateAlias", resource: resourceOf(ctx, input.FunctionName) }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const weights = readWeights(input.RoutingConfig) ?? {};
      return ctx.write(async (tx) => {
        await checkTargets(tx, ref, { version: input.FunctionVersion!, weights });
        if (await findAlias(tx, ref, input.Name!)) throw errors.aliasExists(aliasArn(ref, input.Name!));
        const row: AliasRow = {
          account: ref.account,
          region: ref.region,
          function_name: ref.name,
          name: input.Name!,
          function_version: input.FunctionVersion!,
          description: input.Description ?? "",
          revision_id: newRequestId(),
          weights: writeWeights(weights),
        };
        await tx.run(
          `INSERT INTO lambda_alias (account, region, function_name, name, function_version, description, revision_id, weights)
           VALUES (:account, :region, :function_name, :name, :function_version, :description, :revision_id, :weights)`,
          { ...row },
        );
        return describeAlias(row);
      });
    },
  },

  GetAlias: {
    access: (ctx, input) => ({ action: "lambda:GetAlias", resource: resourceOf(ctx, input.FunctionName) }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const row = await ctx.read((tx) => findAlias(tx, ref, input.Name!));
      if (!row) throw notFound(`Cannot find alias arn: ${aliasArn(ref, input.Name!)}`);
      return describeAlias(row);
    },
  },

  UpdateAlias: {
    access: (ctx, input) => ({ action: "lambda:UpdateAlias", resource: resourceOf(ctx, input.FunctionName) }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const given = readWeights(input.RoutingConfig);
      const answer = await ctx.write(async (tx) => {
        const before = await findAlias(tx, ref, input.Name!);
        if (!before) throw notFound(`Alias not found: ${aliasArn(ref, input.Name!)}`);
        if (input.RevisionId !== undefined && input.RevisionId !== before.revision_id)
          throw errors.revisionMismatch("GetFunction/GetAlias");
        const version = input.FunctionVersion ?? before.function_version;
        const weights = given ?? weightsOf(before);
        await checkTargets(tx, ref, { version, weights });
        const row: AliasRow = {
          ...before,
          function_version: version,
          description: input.Description ?? before.description,
          revision_id: newRequestId(),
          weights: writeWeights(weights),
        };
        forgetWith(tx, SHELF);
        await tx.run(
          `UPDATE lambda_alias
           SET function_version = :function_version, description = :description, revision_id = :revision_id, weights = :weights
           WHERE account = :account AND region = :region AND function_name = :function_name AND name = :name`,
          { ...row },
        );
        return describeAlias(row);
      });
      runtimeOf(ctx).provision();
      return answer;
    },
  },

  DeleteAlias: {
    access: (ctx, input) => ({ action: "lambda:DeleteAlias", resource: resourceOf(ctx, input.FunctionName) }),
    // Deleting what is not there succeeds on AWS too.
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const key = { account: ref.account, region: ref.region, function_name: ref.name, name: input.Name! };
      await ctx.write(async (tx) => {
        for (const { table, column } of OWNED)
          await tx.run(
            `DELETE FROM ${table}
             WHERE account = :account AND region = :region AND function_name = :function_name AND ${column} = :name`,
            key,
          );
        forgetWith(tx, SHELF);
      });
      runtimeOf(ctx).provision();
      return {};
    },
  },

  ListAliases: {
    access: (ctx, input) => ({ action: "lambda:ListAliases", resource: resourceOf(ctx, input.FunctionName) }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const rows = await ctx.read(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.functionNotFound(functionArn({ ...ref, qualifier: undefined }));
        return tx.all<AliasRow>(
          `SELECT * FROM lambda_alias
           WHERE account = :account AND region = :region AND function_name = :name AND name > :marker
             AND (function_version = :version OR weights LIKE :weighed OR :version = '')
           ORDER BY name LIMIT :limit`,
          {
            account: ref.account,
            region: ref.region,
            name: ref.name,
            marker: input.Marker ?? "",
            version: input.FunctionVersion ?? "",
            weighed: `%"${input.FunctionVersion ?? ""}":%`,
            limit: limit + 1,
          },
        );
      });
      return {
        Aliases: rows.slice(0, limit).map(describeAlias),
        ...(rows.length > limit && { NextMarker: rows[limit - 1]!.name }),
      };
    },
  },
});

const PAGE = 50;

const OWNED = [
  { table: "lambda_alias", column: "name" },
  { table: "lambda_policy", column: "qualifier" },
  { table: "lambda_event_invoke_config", column: "qualifier" },
  { table: "lambda_provisioned_concurrency", column: "qualifier" },
  { table: "lambda_url", column: "qualifier" },
] as const;

const describeAlias = (row: AliasRow): Output<"lambda", "GetAlias"> => ({
  AliasArn: aliasArn({ account: row.account, region: row.region, name: row.function_name }, row.name),
  Name: row.name,
  FunctionVersion: row.function_version,
  Description: row.description,
  RevisionId: row.revision_id,
  ...(row.weights !== null && { RoutingConfig: { AdditionalVersionWeights: weightsOf(row) } }),
});

const aliasArn = (ref: FunctionRef, name: string) => functionArn({ ...ref, qualifier: name });

type Weights = Readonly<Record<string, number>>;

const weightsOf = (row: AliasRow): Weights => JSON.parse(row.weights ?? "{}");
const writeWeights = (weights: Weights): string | null =>
  Object.keys(weights).length === 0 ? null : JSON.stringify(weights);

/** Undefined where the caller says nothing of weights; empty where it wants none. */
function readWeights(config: Input<"lambda", "CreateAlias">["RoutingConfig"]): Weights | undefined {
  const weights = config?.AdditionalVersionWeights;
  if (config === undefined) return undefined;
  if (Object.keys(weights ?? {}).length > 1)
    throw invalidParameter("Number of items in AdditionalVersionWeights cannot be greater than 1");
  return weights ?? {};
}

/** AWS's order: both versions are there, they are not the same, and neither of two is $LATEST. */
async function checkTargets(
  tx: Tx,
  ref: FunctionRef,
  { version, weights }: { version: string; weights: Weights },
): Promise<void> {
  const [other] = Object.keys(weights);
  if (other === version)
    throw invalidParameter(
      `Invalid function version ${version}. Function version ${version} is already included in routing configuration.`,
    );
  if (other !== undefined && version === "$LATEST")
    throw invalidParameter("$LATEST is not supported for an alias pointing to more than 1 version");
  for (const one of other === undefined ? [version] : [version, other])
    if (!(await findVersion(tx, ref, one))) throw errors.functionNotFound(functionArn({ ...ref, qualifier: one }));
}

/** For an invocation: the version that an alias sends it to, by weight; undefined where there is none. */
export async function routed(tx: Tx, ref: FunctionRef, alias: AliasRow): Promise<FunctionRow | undefined> {
  const [[other, weight] = ["", 0]] = Object.entries(weightsOf(alias));
  return findVersion(tx, ref, chance() < weight ? other : alias.function_version);
}
