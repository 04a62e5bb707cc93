// CreateFunction, Get, List, Delete. The order of checks in each is AWS's, as far as recorded answers show it.
import {
  type Access,
  type Arn,
  type Conditions,
  type Context,
  defineOperations,
  forgetWith,
  type Input,
  newRequestId,
  type Principal,
  requestTags,
  type Tx,
} from "../../kernel/mod.ts";
import { findAlias, routed } from "./aliases.ts";
import { codeColumns, MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES, stageCode } from "./code.ts";
import { ACCOUNT_CONCURRENCY, findReserved, readLimits, SHELF } from "./concurrency.ts";
import {
  choose,
  configurationOf,
  describe,
  type FunctionRow,
  findVersion,
  insertVersion,
  withLayers,
} from "./configuration.ts";
import { codeLocation } from "./download.ts";
import { errors, invalidParameter } from "./errors.ts";
import { checkUnzipped, chooseLayers } from "./function-layers.ts";
import { layerAccess } from "./layers.ts";
import { type FunctionRef, functionArn, resolveName, resourceOf } from "./names.ts";
import { assumeRole } from "./roles.ts";
import { runtimeOf } from "./runtime.ts";
import { missingFor } from "./sandbox/interpreters.ts";
import { begins, settleLater } from "./states.ts";
import { checkTags, tagsOf } from "./tags.ts";
import { frozenOf, publish } from "./versions.ts";

export const functions = defineOperations("lambda", {
  CreateFunction: {
    access(ctx, input) {
      const resource = resourceOf(ctx, input.FunctionName);
      const conditions = { ...requestTags(input.Tags), ...configured(input) };
      const tagging = Object.keys(input.Tags ?? {}).length > 0;
      return [
        { action: "lambda:CreateFunction", resource, conditions },
        passRole(input.Role, resource),
        ...(tagging ? [{ action: "lambda:TagResource", resource, conditions }] : []),
        ...layerAccess(input.Layers),
      ];
    },
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      if (ref.qualifier !== undefined) throw invalidParameter("A function is created without a qualifier.");
      if (ref.name.length > 64) throw errors.nameTooLong(ref.name);
      const chosen = choose(
        { ...input, FunctionName: ref.name },
        { Role: input.Role!, Architectures: [input.Architectures?.[0] ?? "x86_64"] },
      );
      const tags = input.Tags ?? {};
      checkTags(tags);
      if (await ctx.read((tx) => findVersion(tx, ref))) throw errors.functionExists(ref.name);
      const missing = await missingFor(chosen.Runtime);
      if (missing !== undefined) throw invalidParameter(`The runtime ${chosen.Runtime} cannot run here: ${missing}.`);
      const layers = input.Layers && (await ctx.read((tx) => chooseLayers(tx, ref, input.Layers!)));
      const configuration = withLayers(chosen, layers);
      await assumeRole(ctx, ref, configuration.Role, errors.roleNotAssumable);
      const code = await stageCode(ctx, input.Code ?? {});
      await checkUnzipped(ctx, layers ?? [], code);
      const frozen = input.Publish ? await frozenOf(ctx, code) : undefined;
      const row: FunctionRow = {
        account: ref.account,
        region: ref.region,
        function_name: ref.name,
        version: "$LATEST",
        revision_id: newRequestId(),
        configuration: JSON.stringify(configuration),
        ...codeColumns(code),
        tags: JSON.stringify(tags),
        last_version: 0,
        last_modified_ms: ctx.now,
        progress: begins(ctx, "Creating"),
        runtime_management: null,
      };
      const created = await ctx.write(async (tx) => {
        if (await findVersion(tx, ref)) throw errors.functionExists(ref.name);
        await insertVersion(tx, row);
        const version = input.Publish ? await publish(tx, row, { frozen, now: ctx.now }) : undefined;
        await settleLater(ctx, tx, version ? [row, version] : [row]);
        return version ?? row;
      });
      return describe(created);
    },
  },

  GetFunction: {
    access: (ctx, input) => ({
      action: "lambda:GetFunction",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      const { row, tags, reserved } = await ctx.read(async (tx) => {
        const row = await requireFunction(tx, ref);
        return { row, tags: tagsOf((await findVersion(tx, ref)) ?? row), reserved: await findReserved(tx, ref) };
      });
      return {
        Configuration: describeAs(row, ref),
        Code: { RepositoryType: "S3", Location: codeLocation(ctx, row) },
        ...(Object.keys(tags).length > 0 && { Tags: tags }),
        ...(reserved !== undefined && { Concurrency: { ReservedConcurrentExecutions: reserved } }),
      };
    },
  },

  GetFunctionConfiguration: {
    access: (ctx, input) => ({
      action: "lambda:GetFunctionConfiguration",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      return describeAs(await ctx.read((tx) => requireFunction(tx, ref)), ref);
    },
  },

  ListFunctions: {
    access: () => ({ action: "lambda:ListFunctions", resource: "*" }),
    async handle(ctx, input) {
      if (input.MasterRegion !== undefined) throw errors.unsupported("MasterRegion");
      const all = input.FunctionVersion === "ALL";
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const [name, version] = readMarker(input.Marker);
      const rows = await ctx.read((tx) =>
        tx.all<FunctionRow>(
          `SELECT * FROM lambda_function
           WHERE account = :account AND region = :region AND (version = '$LATEST' OR :all = 1)
             AND (function_name > :name OR (function_name = :name AND version > :version))
           ORDER BY function_name, version LIMIT :limit`,
          { account: ctx.account, region: ctx.region, all: all ? 1 : 0, name, version, limit: limit + 1 },
        ),
      );
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        Functions: page.map((row) => describe(row, { list: true, qualified: all })),
        ...(last && rows.length > limit && { NextMarker: writeMarker(last.function_name, last.version) }),
      };
    },
  },

  DeleteFunction: {
    access: (ctx, input) => ({
      action: "lambda:DeleteFunction",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      const { qualifier } = ref;
      if (qualifier === "$LATEST")
        throw invalidParameter("$LATEST version cannot be deleted without deleting the function.");
      if (qualifier !== undefined && /^[a-zA-Z0-9-_]+$/.test(qualifier) && !/^\d+$/.test(qualifier))
        throw invalidParameter("Deletion of aliases is not currently supported.");
      const key = { account: ref.account, region: ref.region, name: ref.name };
      await ctx.write(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.functionNotFound(functionArn(key));
        if (qualifier !== undefined) {
          const user = await tx.one<{ name: string }>(
            `SELECT name FROM lambda_alias
             WHERE account = :account AND region = :region AND function_name = :name
               AND (function_version = :qualifier OR weights LIKE :weighed)`,
            { ...key, qualifier, weighed: `%"${qualifier}":%` },
          );
          if (user) throw errors.versionInUse(functionArn(ref), user.name);
        }
        for (const { table, column } of OWNED)
          await tx.run(
            `DELETE FROM ${table} WHERE account = :account AND region = :region AND function_name = :name
             AND (${column} = :qualifier OR :whole = 1)`,
            { ...key, qualifier: qualifier ?? "", whole: qualifier === undefined ? 1 : 0 },
          );
        if (qualifier === undefined)
          await tx.run(
            `DELETE FROM lambda_reserved_concurrency WHERE account = :account AND region = :region AND function_name = :name`,
            key,
          );
        forgetWith(tx, SHELF);
      });
      runtimeOf(ctx).retire(functionArn(key));
      runtimeOf(ctx).provision();
      return { StatusCode: 204 };
    },
  },

  GetAccountSettings: {
    access: () => ({ action: "lambda:GetAccountSettings", resource: "*" }),
    async handle(ctx) {
      const place = { account: ctx.account, region: ctx.region };
      const { usage, layers, limits } = await ctx.read(async (tx) => ({
        usage: await tx.one<{ size: number; functions: number }>(
          `SELECT coalesce(sum(code_size), 0) AS size, coalesce(sum(CASE WHEN version = '$LATEST' THEN 1 ELSE 0 END), 0) AS functions
           FROM lambda_function WHERE account = :account AND region = :region`,
          place,
        ),
        layers: await tx.one<{ size: number }>(
          `SELECT coalesce(sum(code_size), 0) AS size FROM lambda_layer_version
           WHERE account = :account AND region = :region AND deleted = 0`,
          place,
        ),
        limits: await readLimits(tx, place),
      }));
      return {
        AccountLimit: {
          TotalCodeSize: 80_530_636_800,
          CodeSizeUnzipped: MAX_UNZIPPED_BYTES,
          CodeSizeZipped: MAX_ZIPPED_BYTES,
          ConcurrentExecutions: ACCOUNT_CONCURRENCY,
          UnreservedConcurrentExecutions: limits.unreserved,
        },
        AccountUsage: {
          TotalCodeSize: Number(usage!.size) + Number(layers!.size),
          FunctionCount: Number(usage!.functions),
        },
      };
    },
  },
});

// "Lambda returns a maximum of 50 items in each response, even if you set the number higher" (ListFunctions).
const PAGE = 50;

// What goes with a function. Constant names: no value is ever concatenated.
const OWNED = [
  { table: "lambda_function", column: "version" },
  { table: "lambda_policy", column: "qualifier" },
  { table: "lambda_event_invoke_config", column: "qualifier" },
  { table: "lambda_recursion_config", column: "qualifier" },
  { table: "lambda_url", column: "qualifier" },
  { table: "lambda_alias", column: "name" },
  { table: "lambda_provisioned_concurrency", column: "qualifier" },
] as const;

/** The row that a ref leads to, through an alias where it names one; AWS's 404 where there is none. */
export async function requireFunction(tx: Tx, ref: FunctionRef): Promise<FunctionRow> {
  const row = await findFunction(tx, ref);
  if (!row) throw errors.functionNotFound(functionArn(ref));
  return row;
}

export async function findFunction(tx: Tx, ref: FunctionRef): Promise<FunctionRow | undefined> {
  const { qualifier = "$LATEST" } = ref;
  const alias = /^\d+$|^\$/.test(qualifier) ? undefined : await findAlias(tx, ref, qualifier);
  return findVersion(tx, ref, alias?.function_version ?? qualifier);
}

/** The same for an invocation: an alias with weights sends it to one of two versions. */
export async function routeFunction(tx: Tx, ref: FunctionRef): Promise<FunctionRow | undefined> {
  const { qualifier = "$LATEST" } = ref;
  const alias = /^\d+$|^\$/.test(qualifier) ? undefined : await findAlias(tx, ref, qualifier);
  return alias ? routed(tx, ref, alias) : findVersion(tx, ref, qualifier);
}

/** A session of the function's role, as it is now. */
export async function sessionOf(ctx: Context, ref: FunctionRef): Promise<Principal> {
  const row = await ctx.read((tx) => requireFunction(tx, ref));
  return (await assumeRole(ctx, ref, configurationOf(row).Role, errors.roleGone)).session;
}

/** As AWS answers to a qualified question: with the qualifier that was asked for in the ARN. */
const describeAs = (row: FunctionRow, ref: FunctionRef) => ({ ...describe(row), FunctionArn: functionArn(ref) });

export const passRole = (role: string | undefined, associated: Arn): Access => ({
  action: "iam:PassRole",
  resource: role ?? "",
  conditions: { "iam:PassedToService": "lambda.amazonaws.com", "iam:AssociatedResourceArn": associated },
});

type Configured = Pick<Input<"lambda", "CreateFunction">, "VpcConfig" | "Layers" | "CodeSigningConfigArn">;

/** What a policy may demand of a function's configuration, asked before it is known whether we have it. */
export const configured = ({ VpcConfig, Layers, CodeSigningConfigArn }: Configured): Conditions => ({
  ...(Layers && { "lambda:Layer": Layers }),
  ...(VpcConfig?.SubnetIds && { "lambda:SubnetIds": VpcConfig.SubnetIds }),
  ...(VpcConfig?.SecurityGroupIds && { "lambda:SecurityGroupIds": VpcConfig.SecurityGroupIds }),
  ...(CodeSigningConfigArn !== undefined && { "lambda:CodeSigningConfigArn": CodeSigningConfigArn }),
});

const writeMarker = (name: string, version: string): string =>
  Buffer.from(JSON.stringify([name, version])).toString("base64url");

function readMarker(marker: string | undefined): [string, string] {
  if (!marker) return ["", ""];
  try {
    const [name, version] = JSON.parse(Buffer.from(marker, "base64url").toString());
    if (typeof name === "string" && typeof version === "string") return [name, version];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw errors.badMarker();
}
