// How asynchronous invocations of a function, version or alias are retried, and where their records go.
import { defineOperations, type Input, type Output, parseArn, type Tx } from "../../kernel/mod.ts";
import { findVersion } from "./configuration.ts";
import { errors, invalidParameter } from "./errors.ts";
import { findFunction } from "./functions.ts";
import { type FunctionRef, functionArn, parseFunctionName, resolveName, resourceOf } from "./names.ts";

export const tables = `
CREATE TABLE lambda_event_invoke_config (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  maximum_retry_attempts BIGINT,
  maximum_event_age_s BIGINT,
  on_success TEXT,
  on_failure TEXT,
  last_modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, function_name, qualifier)
)`;

export interface EventInvokeConfig {
  readonly maximum_retry_attempts: number | null;
  readonly maximum_event_age_s: number | null;
  /** ARN of the destination. */
  readonly on_success: string | null;
  readonly on_failure: string | null;
}
interface Row extends EventInvokeConfig {
  readonly account: string;
  readonly region: string;
  readonly function_name: string;
  readonly qualifier: string;
  readonly last_modified_ms: number;
}

type PutInput = Input<"lambda", "PutFunctionEventInvokeConfig">;

export const eventInvokeConfigs = defineOperations("lambda", {
  PutFunctionEventInvokeConfig: {
    access: (ctx, input) => ({
      action: "lambda:PutFunctionEventInvokeConfig",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      requireSomething(input);
      const row = await ctx.write(async (tx) => {
        await requireTarget(tx, ref);
        await checkDestinations(tx, ref, input);
        return save(tx, {
          ...keyOf(ref),
          maximum_retry_attempts: input.MaximumRetryAttempts ?? null,
          maximum_event_age_s: input.MaximumEventAgeInSeconds ?? null,
          on_success: input.DestinationConfig?.OnSuccess?.Destination || null,
          on_failure: input.DestinationConfig?.OnFailure?.Destination || null,
          last_modified_ms: ctx.now,
        });
      });
      return describeConfig(row);
    },
  },

  UpdateFunctionEventInvokeConfig: {
    access: (ctx, input) => ({
      action: "lambda:UpdateFunctionEventInvokeConfig",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      requireSomething(input);
      const row = await ctx.write(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.noSuchFunction();
        const before = await findConfig(tx, ref);
        if (!before) throw notConfigured(ref);
        await checkDestinations(tx, ref, input);
        const { OnSuccess, OnFailure } = input.DestinationConfig ?? {};
        return save(tx, {
          ...before,
          maximum_retry_attempts: input.MaximumRetryAttempts ?? before.maximum_retry_attempts,
          maximum_event_age_s: input.MaximumEventAgeInSeconds ?? before.maximum_event_age_s,
          on_success: OnSuccess ? OnSuccess.Destination || null : before.on_success,
          on_failure: OnFailure ? OnFailure.Destination || null : before.on_failure,
          last_modified_ms: ctx.now,
        });
      });
      return describeConfig(row);
    },
  },

  GetFunctionEventInvokeConfig: {
    access: (ctx, input) => ({
      action: "lambda:GetFunctionEventInvokeConfig",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      const row = await ctx.read((tx) => findConfig(tx, ref));
      if (!row) throw notConfigured(ref);
      return describeConfig(row);
    },
  },

  DeleteFunctionEventInvokeConfig: {
    access: (ctx, input) => ({
      action: "lambda:DeleteFunctionEventInvokeConfig",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      const gone = await ctx.write((tx) =>
        tx.run(
          `DELETE FROM lambda_event_invoke_config
           WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier`,
          keyOf(ref),
        ),
      );
      if (gone === 0) throw notConfigured(ref);
      return {};
    },
  },

  ListFunctionEventInvokeConfigs: {
    access: (ctx, input) => ({
      action: "lambda:ListFunctionEventInvokeConfigs",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const limit = Math.min(input.MaxItems ?? PAGE, PAGE);
      const rows = await ctx.read(async (tx) => {
        if (!(await findVersion(tx, ref))) throw errors.noSuchFunction();
        return tx.all<Row>(
          `SELECT * FROM lambda_event_invoke_config
           WHERE account = :account AND region = :region AND function_name = :name AND qualifier > :marker
           ORDER BY qualifier LIMIT :limit`,
          {
            account: ref.account,
            region: ref.region,
            name: ref.name,
            marker: input.Marker ?? "",
            limit: limit + 1,
          },
        );
      });
      return {
        FunctionEventInvokeConfigs: rows.slice(0, limit).map(describeConfig),
        ...(rows.length > limit && { NextMarker: rows[limit - 1]!.qualifier }),
      };
    },
  },
});

/** What applies to an invocation of `ref`. Each qualifier has its own: nothing is inherited, as on AWS. */
export const findConfig = (tx: Tx, ref: FunctionRef) =>
  tx.one<Row>(
    `SELECT * FROM lambda_event_invoke_config
     WHERE account = :account AND region = :region AND function_name = :function_name AND qualifier = :qualifier`,
    keyOf(ref),
  );

const PAGE = 50;

const keyOf = (ref: FunctionRef) => ({
  account: ref.account,
  region: ref.region,
  function_name: ref.name,
  qualifier: ref.qualifier ?? "$LATEST",
});
const qualified = (ref: FunctionRef): FunctionRef => ({ ...ref, qualifier: ref.qualifier ?? "$LATEST" });
const notConfigured = (ref: FunctionRef) => errors.notConfigured(functionArn(qualified(ref)));

const describeConfig = (row: Row): Output<"lambda", "GetFunctionEventInvokeConfig"> => ({
  FunctionArn: functionArn({
    account: row.account,
    region: row.region,
    name: row.function_name,
    qualifier: row.qualifier,
  }),
  LastModified: new Date(row.last_modified_ms),
  ...(row.maximum_retry_attempts !== null && { MaximumRetryAttempts: row.maximum_retry_attempts }),
  ...(row.maximum_event_age_s !== null && { MaximumEventAgeInSeconds: row.maximum_event_age_s }),
  DestinationConfig: {
    OnSuccess: row.on_success === null ? {} : { Destination: row.on_success },
    OnFailure: row.on_failure === null ? {} : { Destination: row.on_failure },
  },
});

function requireSomething(input: PutInput): void {
  if (
    input.MaximumRetryAttempts === undefined &&
    input.MaximumEventAgeInSeconds === undefined &&
    input.DestinationConfig === undefined
  )
    throw invalidParameter("You must specify at least one of error handling or destination setting.");
}

async function requireTarget(tx: Tx, ref: FunctionRef): Promise<void> {
  if (!(await findFunction(tx, ref))) throw errors.noSuchFunction();
}

/** Whether a queue or a topic is there is seen at the first record, as on AWS; a function must be there now, and be another one. */
async function checkDestinations(tx: Tx, ref: FunctionRef, input: PutInput): Promise<void> {
  const { OnSuccess, OnFailure } = input.DestinationConfig ?? {};
  // "You can only configure an Amazon S3 bucket as a destination for failed invocations" (invocation-async-retain-records).
  if (/^arn:[^:]*:s3:/.test(OnSuccess?.Destination ?? "")) throw badDestinations(input);
  for (const destination of [OnSuccess?.Destination, OnFailure?.Destination]) {
    if (!destination) continue;
    const arn = parseArn(destination);
    if (!arn || !["lambda", "sqs", "sns", "events", "s3"].includes(arn.service)) throw badDestinations(input);
    if (arn.service !== "lambda") continue;
    const target = parseFunctionName(destination, ref);
    if (target && target.account === ref.account && target.region === ref.region && target.name === ref.name)
      throw invalidParameter("You can't specify the function as a destination for itself.");
    if (!target || (target.account === ref.account && !(await findFunction(tx, target))))
      throw invalidParameter(`The destination ARN ${destination} is invalid.`);
  }
}

// AWS prints its own object here.
function badDestinations(input: PutInput) {
  const { OnSuccess, OnFailure } = input.DestinationConfig ?? {};
  const print = (name: string, option: { Destination?: string | undefined } | undefined) =>
    option?.Destination ? `${name}(destination=${option.Destination})` : "null";
  return invalidParameter(
    `The provided destination config DestinationConfig(onSuccess=${print("OnSuccess", OnSuccess)}, onFailure=${print("OnFailure", OnFailure)}) is invalid.`,
  );
}

async function save(tx: Tx, row: Row): Promise<Row> {
  await tx.run(
    `INSERT INTO lambda_event_invoke_config (account, region, function_name, qualifier, maximum_retry_attempts, maximum_event_age_s,
       on_success, on_failure, last_modified_ms)
     VALUES (:account, :region, :function_name, :qualifier, :maximum_retry_attempts, :maximum_event_age_s,
       :on_success, :on_failure, :last_modified_ms)
     ON CONFLICT (account, region, function_name, qualifier) DO UPDATE SET
       maximum_retry_attempts = excluded.maximum_retry_attempts, maximum_event_age_s = excluded.maximum_event_age_s,
       on_success = excluded.on_success, on_failure = excluded.on_failure, last_modified_ms = excluded.last_modified_ms`,
    { ...row },
  );
  return row;
}
