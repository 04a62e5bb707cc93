// Provisioned concurrency: so many environments of a version, or of an alias's version, initialised before anybody calls.
// https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
import { type Context, defineOperations, forgetWith, type Tx } from "../../kernel/mod.ts";
import { findAlias } from "./aliases.ts";
import { MIN_UNRESERVED, provisionedOf, readLimits, SHELF } from "./concurrency.ts";
import { type FunctionRow, findVersion } from "./configuration.ts";
import { errors, notFound } from "./errors.ts";
import { type FunctionRef, functionArn, resolveName, resourceOf } from "./names.ts";
import { runtimeOf } from "./runtime.ts";

interface Row {
  readonly qualifier: string;
  readonly executions: number;
  readonly last_modified_ms: number;
}

interface Named {
  FunctionName?: string | undefined;
  Qualifier?: string | undefined;
}

export const provisioned = defineOperations("lambda", {
  PutProvisionedConcurrencyConfig: {
    access: (ctx, input) => accessTo(ctx, "lambda:PutProvisionedConcurrencyConfig", input),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      const executions = input.ProvisionedConcurrentExecutions!;
      const { now } = ctx;
      await ctx.write(async (tx) => {
        if (ref.qualifier === "$LATEST") throw errors.provisionedUnpublished();
        const { row, alias } = await requireTarget(tx, ref);
        if (row.version === "$LATEST") throw errors.provisionedUnpublished();
        await refuseOverlap(tx, ref, { version: row.version, alias });
        await checkLimits(tx, ref, executions);
        await tx.run(
          `INSERT INTO lambda_provisioned_concurrency (account, region, function_name, qualifier, executions, last_modified_ms)
           VALUES (:account, :region, :function_name, :qualifier, :executions, :now)
           ON CONFLICT (account, region, function_name, qualifier)
           DO UPDATE SET executions = excluded.executions, last_modified_ms = excluded.last_modified_ms`,
          { ...keyOf(ref), executions, now },
        );
        forgetWith(tx, SHELF);
      });
      runtimeOf(ctx).provision({ again: true });
      return {
        RequestedProvisionedConcurrentExecutions: executions,
        AvailableProvisionedConcurrentExecutions: 0,
        AllocatedProvisionedConcurrentExecutions: 0,
        Status: "IN_PROGRESS" as const,
        LastModified: timeOf(now),
      };
    },
  },

  GetProvisionedConcurrencyConfig: {
    access: (ctx, input) => accessTo(ctx, "lambda:GetProvisionedConcurrencyConfig", input),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      const { row, config } = await ctx.read(async (tx) => {
        if (ref.qualifier === "$LATEST") throw errors.notPublished();
        const { row } = await requireTarget(tx, ref);
        return { row, config: (await findConfigs(tx, ref)).find(({ qualifier }) => qualifier === ref.qualifier) };
      });
      if (!config) throw errors.noProvisioned();
      return describe(ctx, row, config);
    },
  },

  ListProvisionedConcurrencyConfigs: {
    access: (ctx, input) => ({
      action: "lambda:ListProvisionedConcurrencyConfigs",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const found = await ctx.read(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.functionNotFound(functionArn(ref));
        const configs = (await findConfigs(tx, ref)).filter(({ qualifier }) => qualifier > (input.Marker ?? ""));
        const page = [];
        for (const config of configs.slice(0, limit))
          page.push({ config, ...(await requireTarget(tx, { ...ref, qualifier: config.qualifier })) });
        return { page, more: configs.length > limit };
      });
      return {
        ProvisionedConcurrencyConfigs: found.page.map(({ row, config }) => ({
          FunctionArn: functionArn({ ...ref, qualifier: config.qualifier }),
          ...describe(ctx, row, config),
        })),
        ...(found.more && { NextMarker: found.page.at(-1)!.config.qualifier }),
      };
    },
  },

  DeleteProvisionedConcurrencyConfig: {
    access: (ctx, input) => accessTo(ctx, "lambda:DeleteProvisionedConcurrencyConfig", input),
    // Deleting what is not there succeeds on AWS too, on a version or an alias that is.
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      await ctx.write(async (tx) => {
        if (ref.qualifier === "$LATEST") throw errors.notPublished();
        await requireTarget(tx, ref);
        await tx.run(
          `DELETE FROM lambda_provisioned_concurrency
           WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier`,
          keyOf(ref),
        );
        forgetWith(tx, SHELF);
      });
      runtimeOf(ctx).provision();
      return {};
    },
  },
});

const PAGE = 50;

const accessTo = (ctx: Context, action: string, { FunctionName, Qualifier }: Named) => ({
  action,
  resource: resourceOf(ctx, FunctionName, Qualifier),
});

const keyOf = (ref: FunctionRef) => ({
  account: ref.account,
  region: ref.region,
  function_name: ref.name,
  qualifier: ref.qualifier!,
});

const timeOf = (ms: number): string => new Date(ms).toISOString().replace("Z", "+0000");

const findConfigs = (tx: Tx, { account, region, name }: FunctionRef) =>
  tx.all<Row>(
    `SELECT qualifier, executions, last_modified_ms FROM lambda_provisioned_concurrency
     WHERE account = :account AND region = :region AND function_name = :name ORDER BY qualifier`,
    { account, region, name },
  );

/** The version that is kept ready, and whether an alias stands for it. */
async function requireTarget(tx: Tx, ref: FunctionRef): Promise<{ row: FunctionRow; alias: boolean }> {
  const isVersion = /^\d+$/.test(ref.qualifier!);
  const alias = isVersion ? undefined : await findAlias(tx, ref, ref.qualifier!);
  if (!isVersion && !alias) throw notFound(`Cannot find alias arn: ${functionArn(ref)}`);
  const row = await findVersion(tx, ref, alias?.function_version ?? ref.qualifier!);
  if (!row) throw errors.functionNotFound(functionArn(ref));
  return { row, alias: alias !== undefined };
}

/** A version is kept ready by its own number or by one alias, not by both. */
async function refuseOverlap(
  tx: Tx,
  ref: FunctionRef,
  { version, alias }: { version: string; alias: boolean },
): Promise<void> {
  const others = (await findConfigs(tx, ref)).filter(({ qualifier }) => qualifier !== ref.qualifier);
  for (const { qualifier } of others) {
    const target = await requireTarget(tx, { ...ref, qualifier });
    if (target.row.version !== version) continue;
    throw alias ? errors.provisionedVersion() : errors.provisionedAlias();
  }
}

async function checkLimits(tx: Tx, ref: FunctionRef, executions: number): Promise<void> {
  const limits = await readLimits(tx, ref);
  const before = (await findConfigs(tx, ref)).find(({ qualifier }) => qualifier === ref.qualifier)?.executions ?? 0;
  const reserved = limits.reserved.get(ref.name);
  if (reserved !== undefined) {
    const others = provisionedOf(limits, ref.name) - before;
    if (others + executions > reserved) throw errors.provisionedOverReserved();
    return;
  }
  const left = limits.unreserved + before;
  if (executions > left) throw errors.provisionedOverAccount(left);
  if (left - executions < MIN_UNRESERVED) throw errors.provisionedBelowMinimum(MIN_UNRESERVED);
}

function describe(ctx: Context, row: FunctionRow, { executions, last_modified_ms }: Row) {
  const { available, failure } = runtimeOf(ctx).provisioned(row);
  const ready = Math.min(available, executions);
  const status = ready === executions ? "READY" : failure === undefined ? "IN_PROGRESS" : "FAILED";
  return {
    RequestedProvisionedConcurrentExecutions: executions,
    AvailableProvisionedConcurrentExecutions: ready,
    AllocatedProvisionedConcurrentExecutions: ready,
    Status: status,
    ...(status === "FAILED" && { StatusReason: failure }),
    LastModified: timeOf(last_modified_ms),
  } as const;
}
