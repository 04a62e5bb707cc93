// What AWS takes seconds for: a function that is Pending, an update that is InProgress. Done at once, unless `--delays real` was asked for.
// https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
import { type Context, delayed, newRequestId, type Output, type Tx, type Work } from "../../kernel/mod.ts";
import { type FunctionRow, refOf, updateVersion } from "./configuration.ts";
import { errors } from "./errors.ts";
import { type FunctionRef, functionArn } from "./names.ts";
import { lambdaPrincipal } from "./roles.ts";

/** Seen on AWS, of small archives. */
const TAKES_MS = { Creating: 4_000, Updating: 2_000 } as const;

/** Of a Work to a function: these revisions are ready when it comes. */
export interface Settling {
  readonly kind: "settle";
  readonly revisionIds: readonly string[];
}

/** What `progress` a row begins with. */
export const begins = (ctx: Context, progress: keyof typeof TAKES_MS): FunctionRow["progress"] =>
  delayed(ctx, TAKES_MS[progress]) === 0 ? null : progress;

/** In the transaction that writes the rows: they will be ready when their time has come. Nothing, where they are already. */
export async function settleLater(ctx: Context, tx: Tx, rows: readonly FunctionRow[]): Promise<void> {
  const [first] = rows;
  if (!first?.progress) return;
  const ref = refOf(first);
  const payload: Settling = { kind: "settle", revisionIds: rows.map((row) => row.revision_id) };
  const due = ctx.now + delayed(ctx, TAKES_MS[first.progress]);
  await ctx.put(tx, { to: functionArn(ref), as: lambdaPrincipal(ref), payload, due });
}

/** It may come twice, or to a function that was made anew: then its revisions are others. AWS gives what is ready a new revision. */
export const settle = (ctx: Context, ref: FunctionRef, work: Work): Promise<void> =>
  ctx.write(async (tx) => {
    const { revisionIds } = work.payload as Settling;
    const rows = await tx.all<FunctionRow>(
      `SELECT * FROM lambda_function
       WHERE account = :account AND region = :region AND function_name = :name AND progress IS NOT NULL`,
      { account: ref.account, region: ref.region, name: ref.name },
    );
    for (const row of rows)
      if (revisionIds.includes(row.revision_id))
        await updateVersion(tx, { ...row, progress: null, revision_id: newRequestId() });
  });

/** Before a change of the function: one at a time. */
export function refuseUnsettled(row: FunctionRow): void {
  refusePending(row);
  if (row.progress === "Updating") throw errors.updating(functionArn(refOf(row)));
}

/** Before an invocation: an update does not hinder it. */
export function refusePending(row: FunctionRow): void {
  if (row.progress === "Creating") throw errors.pending();
}

type Answer = Output<"lambda", "GetFunctionConfiguration">;
type State = Pick<
  Answer,
  "State" | `StateReason${"" | "Code"}` | "LastUpdateStatus" | `LastUpdateStatusReason${"" | "Code"}`
>;

/** AWS gives the same reason for a creation and for an update: recorded, though its model does not name that code for an update. */
export function stateOf({ progress }: FunctionRow): State {
  const reason = "The function is being created.";
  if (progress === "Creating") return { State: "Pending", StateReason: reason, StateReasonCode: "Creating" };
  if (progress === "Updating")
    return {
      State: "Active",
      LastUpdateStatus: "InProgress",
      LastUpdateStatusReason: reason,
      LastUpdateStatusReasonCode: "Creating" as NonNullable<State["LastUpdateStatusReasonCode"]>,
    };
  return { State: "Active", LastUpdateStatus: "Successful" };
}
