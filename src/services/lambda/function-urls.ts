// Function URLs: an address of its own for a function or an alias. function-url-site.ts answers there.
import { type Conditions, type Context, defineOperations, newHex, type Output, type Tx } from "../../kernel/mod.ts";
import { findAlias } from "./aliases.ts";
import { findVersion } from "./configuration.ts";
import { errors } from "./errors.ts";
import { type FunctionRef, functionArn, parseFunctionName, resolveName, resourceOf } from "./names.ts";

/** `qualifier`: an alias, or empty. */
export const tables = `
CREATE TABLE lambda_url (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  url_id TEXT NOT NULL UNIQUE,
  auth_type TEXT NOT NULL,
  invoke_mode TEXT NOT NULL,
  cors TEXT,
  created_ms BIGINT NOT NULL,
  last_modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, function_name, qualifier)
)`;

export interface UrlRow {
  readonly account: string;
  readonly region: string;
  readonly function_name: string;
  readonly qualifier: string;
  readonly url_id: string;
  readonly auth_type: "AWS_IAM" | "NONE";
  readonly invoke_mode: "BUFFERED" | "RESPONSE_STREAM";
  readonly cors: string | null;
  readonly created_ms: number;
  readonly last_modified_ms: number;
}

export type Cors = NonNullable<Output<"lambda", "GetFunctionUrlConfig">["Cors"]>;

/** What a URL leads to. */
export const targetOf = (row: UrlRow): FunctionRef => ({
  account: row.account,
  region: row.region,
  name: row.function_name,
  ...(row.qualifier !== "" && { qualifier: row.qualifier }),
});

export const findUrlById = (tx: Tx, id: string): Promise<UrlRow | undefined> =>
  tx.one<UrlRow>("SELECT * FROM lambda_url WHERE url_id = :id", { id });

interface Named {
  readonly FunctionName?: string | undefined;
  readonly Qualifier?: string | undefined;
  readonly AuthType?: string | undefined;
}

// The order of checks is AWS's, recorded 2025-11: the qualifier's form, name against qualifier, the function, the alias, the URL.
export const functionUrls = defineOperations("lambda", {
  CreateFunctionUrlConfig: {
    access: (ctx, input) => access(ctx, "CreateFunctionUrlConfig", input),
    async handle(ctx, input) {
      const ref = resolveTarget(ctx, input);
      const row: UrlRow = {
        ...keyOf(ref),
        url_id: newHex(32),
        auth_type: input.AuthType!,
        invoke_mode: input.InvokeMode ?? "BUFFERED",
        cors: corsColumn(input.Cors),
        created_ms: ctx.now,
        last_modified_ms: ctx.now,
      };
      await ctx.write(async (tx) => {
        await requireTarget(tx, ref);
        if (await findUrl(tx, ref)) throw errors.urlExists(functionArn(ref));
        await tx.run(
          `INSERT INTO lambda_url (account, region, function_name, qualifier, url_id, auth_type, invoke_mode, cors, created_ms, last_modified_ms)
           VALUES (:account, :region, :function_name, :qualifier, :url_id, :auth_type, :invoke_mode, :cors, :created_ms, :last_modified_ms)`,
          { ...row },
        );
      });
      const { LastModifiedTime: _, ...described } = describeUrl(ctx, row);
      return { ...described, InvokeMode: input.InvokeMode };
    },
  },

  GetFunctionUrlConfig: {
    access: (ctx, input) => access(ctx, "GetFunctionUrlConfig", input),
    async handle(ctx, input) {
      const ref = resolveTarget(ctx, input);
      const row = await ctx.read((tx) => findUrl(tx, ref));
      if (!row) throw errors.noUrl();
      return describeUrl(ctx, row);
    },
  },

  UpdateFunctionUrlConfig: {
    access: (ctx, input) => access(ctx, "UpdateFunctionUrlConfig", input),
    async handle(ctx, input) {
      const ref = resolveTarget(ctx, input);
      const row = await ctx.write(async (tx) => {
        await requireTarget(tx, ref);
        const before = await findUrl(tx, ref);
        if (!before) throw errors.noUrl();
        const change = {
          auth_type: input.AuthType ?? before.auth_type,
          invoke_mode: input.InvokeMode ?? before.invoke_mode,
          cors: input.Cors === undefined ? before.cors : corsColumn(input.Cors),
          last_modified_ms: ctx.now,
        };
        await tx.run(
          `UPDATE lambda_url SET auth_type = :auth_type, invoke_mode = :invoke_mode, cors = :cors, last_modified_ms = :last_modified_ms
           WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier`,
          { ...keyOf(ref), ...change },
        );
        return { ...before, ...change };
      });
      return { ...describeUrl(ctx, row), InvokeMode: input.InvokeMode };
    },
  },

  DeleteFunctionUrlConfig: {
    access: (ctx, input) => access(ctx, "DeleteFunctionUrlConfig", input),
    async handle(ctx, input) {
      const ref = resolveTarget(ctx, input);
      const count = await ctx.write((tx) =>
        tx.run(
          `DELETE FROM lambda_url
           WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier`,
          keyOf(ref),
        ),
      );
      if (count === 0) throw errors.noUrl();
      return {};
    },
  },

  ListFunctionUrlConfigs: {
    access: (ctx, input) => ({
      action: "lambda:ListFunctionUrlConfigs",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const { account, region, name } = ref;
      const rows = await ctx.read(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.functionGone();
        return tx.all<UrlRow>(
          `SELECT * FROM lambda_url
           WHERE account = :account AND region = :region AND function_name = :name AND (qualifier > :marker OR :first = 1)
           ORDER BY qualifier LIMIT :limit`,
          { account, region, name, marker: input.Marker ?? "", first: input.Marker ? 0 : 1, limit: limit + 1 },
        );
      });
      return {
        FunctionUrlConfigs: rows.slice(0, limit).map((row) => describeUrl(ctx, row)),
        ...(rows.length > limit && { NextMarker: rows[limit - 1]!.qualifier || FIRST }),
      };
    },
  },
});

const PAGE = 50;
/** Sorts after the URL without a qualifier, and before every alias. */
const FIRST = " ";

const access = (ctx: Context, operation: string, input: Named) => ({
  action: `lambda:${operation}`,
  resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
  conditions: () => authTypeOf(ctx, input),
});

/** What is asked for, else what is there. */
async function authTypeOf(ctx: Context, input: Named): Promise<Conditions> {
  const ref = parseFunctionName(input.FunctionName ?? "", ctx);
  const stored = async () =>
    ref && (await ctx.read((tx) => findUrl(tx, { ...ref, qualifier: input.Qualifier ?? ref.qualifier })));
  const authType = input.AuthType ?? (await stored())?.auth_type;
  return authType === undefined ? {} : { "lambda:FunctionUrlAuthType": authType };
}

/** A URL is of a function or of an alias, never of a version. The model says so of the parameter, not of the name. */
function resolveTarget(ctx: Context, input: Named): FunctionRef {
  const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
  if (ref.qualifier === undefined || !/^\d+$|^\$/.test(ref.qualifier)) return ref;
  const pattern = "((?!^\\d+$)^[0-9a-zA-Z-_]+$)";
  throw errors.validation(ref.qualifier, "qualifier", `Member must satisfy regular expression pattern: ${pattern}`);
}

async function requireTarget(tx: Tx, ref: FunctionRef): Promise<void> {
  const found =
    (await findVersion(tx, ref)) && (ref.qualifier === undefined || (await findAlias(tx, ref, ref.qualifier)));
  if (!found) throw errors.functionGone();
}

const keyOf = (ref: FunctionRef) => ({
  account: ref.account,
  region: ref.region,
  function_name: ref.name,
  qualifier: ref.qualifier ?? "",
});

const findUrl = (tx: Tx, ref: FunctionRef): Promise<UrlRow | undefined> =>
  tx.one<UrlRow>(
    `SELECT * FROM lambda_url
     WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier`,
    keyOf(ref),
  );

/** An empty one takes it away. */
const corsColumn = (cors: Cors | undefined): string | null =>
  cors && Object.values(cors).some((value) => value !== undefined) ? JSON.stringify(cors) : null;

const describeUrl = (ctx: Context, row: UrlRow) => ({
  FunctionUrl: urlOf(ctx, row),
  FunctionArn: functionArn(targetOf(row)),
  AuthType: row.auth_type,
  ...(row.cors !== null && { Cors: JSON.parse(row.cors) as Cors }),
  CreationTime: new Date(row.created_ms).toISOString(),
  LastModifiedTime: new Date(row.last_modified_ms).toISOString(),
  InvokeMode: row.invoke_mode,
});

/** Where this cloud answers: curl and browsers know that every name under localhost is this machine. */
function urlOf(ctx: Context, { url_id, region }: UrlRow): string {
  const { protocol, hostname, port } = new URL(ctx.endpoint);
  const isAddress = /^[\d.]+$|^\[/.test(hostname);
  return `${protocol}//${url_id}.lambda-url.${region}.${isAddress ? "localhost" : hostname}${port && `:${port}`}/`;
}
