// What takes its time on AWS: begun by a request, done in the same transaction, or, with `--delays real`, when its time has come.
import { type Context, delayed, type Tx, type Work } from "../../kernel/mod.ts";
import { fillSome, type Mark } from "./backfill.ts";
import { dynamodbItself } from "./itself.ts";
import { dropTable } from "./removal.ts";
import { changing } from "./resource-policies.ts";
import { type Definition, findTable, type Index, redefine, type Table, tableRef } from "./schema.ts";
import { TAKES_MS } from "./states.ts";
import { sweep } from "./sweep.ts";
import { usedNames } from "./table-rules.ts";

export type Step =
  | { readonly done: "created" | "deleted" }
  | { readonly done: "changed"; readonly since: number }
  | {
      readonly done: "index changed" | "index found resources" | "index filled" | "index deleted";
      readonly index: number;
    }
  | { readonly done: "index page"; readonly index: number; readonly after: Mark };

/** Of a Work to a table. */
export interface Settle {
  readonly kind: "settle";
  readonly tableId: string;
  readonly step: Step;
}

export interface Later {
  readonly step: Step;
  readonly takes: keyof typeof TAKES_MS;
}

/** The table as it is afterwards: unchanged where it takes its time; undefined where it is gone. */
export async function afterwards(
  tx: Tx,
  ctx: Context,
  table: Table,
  { step, takes }: Later,
): Promise<Table | undefined> {
  const ms = delayed(ctx, TAKES_MS[takes]);
  if (ms === 0) return take(tx, ctx, table, step);
  await put(tx, ctx, table, { step, due: ctx.now + ms });
  return table;
}

export async function settle(ctx: Context, work: Work): Promise<void> {
  const { tableId, step } = work.payload as Settle;
  await changing(ctx, async (tx) => {
    const table = await findTable(tx, tableRef(ctx, work.to));
    if (table?.id === tableId) await take(tx, ctx, table, step);
  });
}

async function put(tx: Tx, ctx: Context, table: Table, { step, due }: { step: Step; due?: number }): Promise<void> {
  const payload: Settle = { kind: "settle", tableId: table.id, step };
  await ctx.put(tx, { to: table.arn, as: dynamodbItself(table.arn), payload, ...(due !== undefined && { due }) });
}

/** It may be late, or come twice: what is no longer under way is left alone. */
async function take(tx: Tx, ctx: Context, table: Table, step: Step): Promise<Table | undefined> {
  switch (step.done) {
    case "created":
      return table.status === "CREATING" ? redefine(tx, table, { status: undefined }) : table;
    case "deleted":
      await dropTable(tx, ctx, table);
      return undefined;
    case "changed": {
      const change = table.changes?.find(({ since }) => since === step.since);
      if (!change) return table;
      return redefine(tx, table, { ...change.next, changes: table.changes!.filter((other) => other !== change) });
    }
    default: {
      const index = table.indexes.find(({ number }) => number === step.index);
      return index ? takeIndex(tx, ctx, table, { index, step }) : table;
    }
  }
}

type IndexStep = Extract<Step, { readonly index: number }>;

async function takeIndex(
  tx: Tx,
  ctx: Context,
  table: Table,
  { index, step }: { index: Index; step: IndexStep },
): Promise<Table> {
  switch (step.done) {
    case "index changed":
      return withIndex(tx, table, index, { ...index.next, next: undefined, status: undefined });
    case "index deleted":
      await sweep(tx, ctx, { arn: table.arn, numbers: [index.number] });
      return redefine(
        tx,
        table,
        withIndexes(
          table,
          table.indexes.filter((other) => other !== index),
        ),
      );
    case "index filled":
      return index.status === "CREATING"
        ? withIndex(tx, table, index, { status: undefined, backfilling: undefined })
        : table;
    case "index found resources": {
      if (index.status !== "CREATING" || index.backfilling) return table;
      const filling = await withIndex(tx, table, index, { backfilling: true });
      return fill(tx, ctx, filling, { index, after: undefined });
    }
    case "index page":
      return index.status === "CREATING" ? fill(tx, ctx, table, { index, after: step.after }) : table;
  }
}

/** A small table's index is filled at once. */
async function fill(tx: Tx, ctx: Context, table: Table, page: { index: Index; after: Mark }): Promise<Table> {
  const { number } = page.index;
  const after = await fillSome(tx, table, page);
  if (after === undefined)
    return (await afterwards(tx, ctx, table, { step: { done: "index filled", index: number }, takes: "indexFilled" }))!;
  await put(tx, ctx, table, { step: { done: "index page", index: number, after } });
  return table;
}

export const withIndex = (tx: Tx, table: Table, index: Index, change: Partial<Index>): Promise<Table> =>
  redefine(tx, table, {
    indexes: table.indexes.map((other) => (other.number === index.number ? { ...other, ...change } : other)),
  });

/** Definitions that no key uses any more, or does not yet, are not kept. */
export function withIndexes(table: Pick<Table, "key" | "attributes">, indexes: readonly Index[]): Partial<Definition> {
  const used = usedNames([table.key, ...indexes.map(({ key }) => key)]);
  return { indexes, attributes: table.attributes.filter(({ name }) => used.has(name)) };
}
