// A table, or an index, that goes: nobody finds it from then on, and its rows follow in steps, so that nobody waits for them.
import type { Arn, Context, Tx, Work } from "../../kernel/mod.ts";
import { forgetExpiry } from "./expiry.ts";
import { dynamodbItself } from "./itself.ts";
import { removePolicy } from "./resource-policies.ts";
import { removeRows } from "./rows.ts";
import { deleteTable, type Table } from "./schema.ts";
import { removeTags } from "./tags.ts";
import { dropView } from "./views.ts";

/** Of a Work to a table: rows of these numbers, which belong to nothing any more. */
export interface Sweep {
  readonly kind: "sweep";
  readonly numbers: readonly number[];
}

/** Of one transaction. */
const MOST_SWEPT = 1000;

/** All of a table but its streams, which can be read for a day. */
export async function dropTable(tx: Tx, ctx: Context, table: Table): Promise<void> {
  await sweep(tx, ctx, { arn: table.arn, numbers: [table, ...table.indexes].map(({ number }) => number) });
  await forgetExpiry(tx, table);
  await dropView(tx, table);
  await removeTags(tx, table);
  await removePolicy(tx, table);
  await deleteTable(tx, table);
}

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
