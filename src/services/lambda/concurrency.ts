// How much of a function runs at once: what is reserved for it, what is kept ready, and what the account has left for all others.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
import { type Context, defineOperations, forgetWith, type Tx } from "../../kernel/mod.ts";
import { findVersion } from "./configuration.ts";
import { errors, invalidParameter } from "./errors.ts";
import { type FunctionRef, functionArn, type Place, resolveName, resourceOf } from "./names.ts";

export const tables = `
CREATE TABLE lambda_reserved_concurrency (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  executions BIGINT NOT NULL,
  PRIMARY KEY (account, region, function_name)
);
CREATE TABLE lambda_provisioned_concurrency (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  executions BIGINT NOT NULL,
  last_modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, function_name, qualifier)
)`;

/** Of an account in a region: AWS's default. */
export const ACCOUNT_CONCURRENCY = 1000;
/** What reservations must leave to the functions without one. */
export const MIN_UNRESERVED = 100;

export const concurrency = defineOperations("lambda", {
  PutFunctionConcurrency: {
    access: (ctx, input) => ({
      action: "lambda:PutFunctionConcurrency",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveWhole(ctx, input.FunctionName!);
      const executions = input.ReservedConcurrentExecutions!;
      await ctx.write(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.functionNotFound(functionArn({ ...ref, qualifier: "$LATEST" }));
        const limits = await readLimits(tx, ref);
        const others = limits.unreserved + held(limits, ref.name);
        if (others - executions < MIN_UNRESERVED) throw errors.tooMuchReserved(MIN_UNRESERVED);
        const kept = provisionedOf(limits, ref.name);
        if (executions < kept) throw errors.reservedBelowProvisioned(executions, kept);
        await tx.run(
          `INSERT INTO lambda_reserved_concurrency (account, region, function_name, executions)
           VALUES (:account, :region, :function_name, :executions)
           ON CONFLICT (account, region, function_name) DO UPDATE SET executions = excluded.executions`,
          { ...keyOf(ref), executions },
        );
        forgetWith(tx, SHELF);
      });
      return { ReservedConcurrentExecutions: executions };
    },
  },

  GetFunctionConcurrency: {
    access: (ctx, input) => ({
      action: "lambda:GetFunctionConcurrency",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveWhole(ctx, input.FunctionName!);
      const reserved = await ctx.read(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.functionNotFound(functionArn(ref));
        return findReserved(tx, ref);
      });
      return reserved === undefined ? {} : { ReservedConcurrentExecutions: reserved };
    },
  },

  DeleteFunctionConcurrency: {
    access: (ctx, input) => ({
      action: "lambda:DeleteFunctionConcurrency",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveWhole(ctx, input.FunctionName!);
      await ctx.write(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.functionNotFound(functionArn({ ...ref, qualifier: "$LATEST" }));
        await tx.run(
          `DELETE FROM lambda_reserved_concurrency
           WHERE account = :account AND region = :region AND function_name = :function_name`,
          keyOf(ref),
        );
        forgetWith(tx, SHELF);
      });
      return {};
    },
  },
});

/** Where the limits are remembered; whoever changes what they are made of forgets it. */
export const SHELF = "lambda concurrency";

/** Of one account in one region. */
export interface Limits {
  /** By function. */
  readonly reserved: ReadonlyMap<string, number>;
  /** By function, then by version: aliases are looked through. */
  readonly provisioned: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** What is left for the functions that have nothing of their own. */
  readonly unreserved: number;
}

export const limitsOf = (ctx: Context, place: Place): Limits | Promise<Limits> =>
  ctx.recall(SHELF, `${place.account} ${place.region}`, () => ctx.read((tx) => readLimits(tx, place)));

export async function readLimits(tx: Tx, { account, region }: Place): Promise<Limits> {
  const reservations = await tx.all<{ function_name: string; executions: number }>(
    "SELECT function_name, executions FROM lambda_reserved_concurrency WHERE account = :account AND region = :region",
    { account, region },
  );
  const kept = await tx.all<{ function_name: string; version: string; executions: number }>(
    `SELECT p.function_name, coalesce(a.function_version, p.qualifier) AS version, p.executions
     FROM lambda_provisioned_concurrency p LEFT JOIN lambda_alias a
       ON a.account = p.account AND a.region = p.region AND a.function_name = p.function_name AND a.name = p.qualifier
     WHERE p.account = :account AND p.region = :region`,
    { account, region },
  );
  const reserved = new Map(reservations.map((row) => [row.function_name, row.executions]));
  const provisioned = new Map<string, Map<string, number>>();
  for (const { function_name, version, executions } of kept) {
    const versions = provisioned.get(function_name) ?? new Map<string, number>();
    provisioned.set(function_name, versions.set(version, (versions.get(version) ?? 0) + executions));
  }
  const all = { reserved, provisioned };
  const names = new Set([...reserved.keys(), ...provisioned.keys()]);
  return { ...all, unreserved: [...names].reduce((left, name) => left - held(all, name), ACCOUNT_CONCURRENCY) };
}

/** Of all versions together. */
export const provisionedOf = (limits: Pick<Limits, "provisioned">, name: string): number =>
  [...(limits.provisioned.get(name)?.values() ?? [])].reduce((sum, executions) => sum + executions, 0);

/** What a function takes away from all others: what is kept ready lies within what is reserved. */
const held = (limits: Pick<Limits, "reserved" | "provisioned">, name: string): number =>
  limits.reserved.get(name) ?? provisionedOf(limits, name);

export async function findReserved(tx: Tx, ref: FunctionRef): Promise<number | undefined> {
  const row = await tx.one<{ executions: number }>(
    `SELECT executions FROM lambda_reserved_concurrency
     WHERE account = :account AND region = :region AND function_name = :function_name`,
    keyOf(ref),
  );
  return row?.executions;
}

const keyOf = (ref: FunctionRef) => ({ account: ref.account, region: ref.region, function_name: ref.name });

function resolveWhole(ctx: Context, functionName: string): FunctionRef {
  const ref = resolveName(ctx, functionName);
  if (ref.qualifier !== undefined)
    throw invalidParameter(
      "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.",
    );
  return ref;
}
