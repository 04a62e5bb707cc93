// Loops of a function through other services are cut after 16 runs of it, as AWS cuts them. How often an event has gone through which
// function stands in the trace that travels with whatever the function does: `Lineage=a87bd80c:2|68fd508a:1`.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
import { createHash } from "node:crypto";
import { type Arn, type Context, defineOperations, newHex, type Principal, type Tx } from "../../kernel/mod.ts";
import { type FunctionRow, refOf } from "./configuration.ts";
import { errors } from "./errors.ts";
import { requireFunction } from "./functions.ts";
import { type FunctionRef, functionArn, resolveName, resourceOf } from "./names.ts";

/** "more than approximately 16 times": the seventeenth is stopped. */
const MOST_RUNS = 16;
/** "Lambda currently detects recursive loops between your functions, Amazon SQS, Amazon S3, and Amazon SNS". */
const FOLLOWED = new Set(["s3.amazonaws.com", "sns.amazonaws.com", "lambda.amazonaws.com"]);

/** Of what may loop. It belongs to the function as a whole, so its qualifier is $LATEST. */
export const tables = `
CREATE TABLE lambda_recursion_config (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  recursive_loop TEXT NOT NULL,
  PRIMARY KEY (account, region, function_name, qualifier)
)`;

export const recursionConfigs = defineOperations("lambda", {
  GetFunctionRecursionConfig: {
    access: (ctx, input) => ({
      action: "lambda:GetFunctionRecursionConfig",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const RecursiveLoop = await ctx.read(async (tx) => {
        await requireFunction(tx, { ...ref, qualifier: undefined });
        return loopOf(tx, ref);
      });
      return { RecursiveLoop };
    },
  },

  PutFunctionRecursionConfig: {
    access: (ctx, input) => ({
      action: "lambda:PutFunctionRecursionConfig",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const RecursiveLoop = input.RecursiveLoop!;
      const { account, region, name } = ref;
      await ctx.write(async (tx) => {
        await requireFunction(tx, { ...ref, qualifier: undefined });
        await tx.run(
          `INSERT INTO lambda_recursion_config (account, region, function_name, qualifier, recursive_loop)
           VALUES (:account, :region, :name, '$LATEST', :loop)
           ON CONFLICT (account, region, function_name, qualifier) DO UPDATE SET recursive_loop = excluded.recursive_loop`,
          { account, region, name, loop: RecursiveLoop },
        );
      });
      return { RecursiveLoop };
    },
  },
});

async function loopOf(tx: Tx, { account, region, name }: FunctionRef): Promise<"Allow" | "Terminate"> {
  const row = await tx.one<{ recursive_loop: "Allow" | "Terminate" }>(
    `SELECT recursive_loop FROM lambda_recursion_config WHERE account = :account AND region = :region AND function_name = :name`,
    { account, region, name },
  );
  return row?.recursive_loop ?? "Terminate";
}

/** The trace of what asks for an invocation, where Lambda looks into it: a function's own call, or a service's that it follows. */
export const followed = ({ principal, trace }: { principal: Principal; trace?: string }): string | undefined =>
  principal.kind === "service" && !FOLLOWED.has(principal.name) ? undefined : trace;

/** Refuses to run a function that an event has gone through too often. */
export async function refuseLoop(ctx: Context, row: FunctionRow, trace: string | undefined): Promise<void> {
  const ref = refOf(row);
  const arn = functionArn(ref);
  if (!isLoop(trace, arn)) return;
  if ((await ctx.read((tx) => loopOf(tx, ref))) === "Allow") return;
  ctx.log.error(`${ref.name} runs in a loop: after ${MOST_RUNS} runs it is cut`, { subject: arn });
  throw errors.recursive();
}

export const isLoop = (trace: string | undefined, arn: Arn): boolean =>
  (lineageOf(trace).get(keyOf(arn)) ?? 0) >= MOST_RUNS;

/** Of an invocation that begins now: one more for this function. */
export function nextTrace(now: number, arn: Arn, before: string | undefined): string {
  const root = /(?:^|;)Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)/.exec(before ?? "")?.[1];
  const lineage = lineageOf(before);
  lineage.set(keyOf(arn), (lineage.get(keyOf(arn)) ?? 0) + 1);
  const text = [...lineage].map(([key, count]) => `${key}:${count}`).join("|");
  return `Root=${root ?? `1-${Math.floor(now / 1000).toString(16)}-${newHex(24)}`};Parent=${newHex(16)};Sampled=0;Lineage=${text}`;
}

/** The one with which a batch is invoked: whose function has run most often. */
export const furthest = (traces: readonly (string | undefined)[], arn: Arn): string | undefined =>
  traces.toSorted((a, b) => (lineageOf(b).get(keyOf(arn)) ?? 0) - (lineageOf(a).get(keyOf(arn)) ?? 0))[0];

function lineageOf(trace: string | undefined): Map<string, number> {
  const text = /(?:^|;)Lineage=([0-9a-f:|]+)/.exec(trace ?? "")?.[1] ?? "";
  const entries = [...text.matchAll(/([0-9a-f]{8}):(\d{1,5})/g)].slice(0, MOST_FUNCTIONS);
  return new Map(entries.map(([, key, count]) => [key!, Number(count)]));
}

/** In one lineage. */
const MOST_FUNCTIONS = 16;

const keyOf = (arn: Arn): string => createHash("sha256").update(arn).digest("hex").slice(0, 8);
