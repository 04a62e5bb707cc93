// Rows that belong to nothing any more: they go in steps, so that nobody waits for them.
import type { Arn, Context, Tx, Work } from "../../kernel/mod.ts";
import { dynamodbItself } from "./itself.ts";
import { removeRows } from "./rows.ts";

/** Of a Work to a table, or to what was made of one: rows of these numbers. */
export interface Sweep {
  readonly kind: "sweep";
  readonly numbers: readonly number[];
}

/** Of one transaction. */
const MOST_SWEPT = 1000;

/** The first ones at once, so that of a small table nothing is left to do. */
export async function sweep(
  tx: Tx,
  ctx: Context,
  { arn, numbers }: { arn: Arn; numbers: readonly number[] },
): Promise<void> {
  let most = MOST_SWEPT;
  for (const [i, number] of numbers.entries()) {
    most -= await removeRows(tx, number, most);
    if (most > 0) continue;
    const payload: Sweep = { kind: "sweep", numbers: numbers.slice(i) };
    await ctx.put(tx, { to: arn, as: dynamodbItself(arn), payload });
    return;
  }
}

export async function sweepMore(ctx: Context, work: Work): Promise<void> {
  const { numbers } = work.payload as Sweep;
  await ctx.write((tx) => sweep(tx, ctx, { arn: work.to, numbers }));
}
