// GlobalSecondaryIndexUpdates: one index comes or goes with an UpdateTable, others change what they can take.
import type { Context, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { type Capacity, type Index, nextNumber, redefine, type Table } from "./schema.ts";
import { type Later, withIndex, withIndexes } from "./settle.ts";
import { addedIndex, attributesOf, MOST_GLOBAL, nonKeyAttributesInAll } from "./table-rules.ts";
import type { Begun } from "./table-updates.ts";
import { type BillingMode, newOnDemand, nextWarm, provision, throughputOf } from "./throughput.ts";
import type { IndexUpdate, UpdateInput } from "./update-rules.ts";

export async function updateIndexes(tx: Tx, ctx: Context, found: Table, input: UpdateInput): Promise<Begun> {
  const updates = input.GlobalSecondaryIndexUpdates ?? [];
  for (const { Update, Delete } of updates) theirs(found, Update ?? Delete, Update ? "update" : "delete");
  let table = found;
  const later: Later[] = [];
  for (const { Create, Delete, Update } of updates) {
    const begun = Create
      ? await createIndex(tx, ctx, table, { create: Create, input })
      : Delete
        ? await deleteIndex(tx, table, theirs(table, Delete, "delete")!)
        : await updateIndex(tx, ctx, table, {
            update: Update!,
            switches: input.BillingMode !== undefined && table.changes?.at(-1)?.kind === "billing",
          });
    table = begun.table;
    later.push(...begun.later);
  }
  return { table, later };
}

/** The global index that is meant. */
function theirs(table: Table, action: { readonly IndexName?: string | undefined } | undefined, verb: string) {
  if (!action) return undefined;
  const index = table.indexes.find(({ name }) => name === action.IndexName);
  if (!index) throw errors.indexNotFound(table.name, action.IndexName ?? "");
  if (index.kind === "local")
    throw errors.validation(`Cannot ${verb} an index that is not a GlobalSecondaryIndex: ${index.name}`);
  return index;
}

interface IndexCreation {
  readonly create: NonNullable<IndexUpdate["Create"]>;
  readonly input: UpdateInput;
}

/** Of the definitions only those count that its key needs: a known attribute stays of its type. */
async function createIndex(tx: Tx, ctx: Context, table: Table, { create, input }: IndexCreation): Promise<Begun> {
  const given = input.AttributeDefinitions && attributesOf(input.AttributeDefinitions);
  const all = given && [
    ...table.attributes,
    ...given.filter(({ name }) => !table.attributes.some((known) => known.name === name)),
  ];
  const keys = new Set(create.KeySchema?.map(({ AttributeName }) => AttributeName));
  const conflict = given?.find(({ name, type }) =>
    table.attributes.some((known) => keys.has(name) && known.name === name && known.type !== type),
  );
  if (conflict)
    throw errors.invalid(`Attribute ${conflict.name} is defined with another type in the table's AttributeDefinitions`);
  const added = addedIndex(create, all, { mode: table.billingMode, region: ctx.region });
  if (table.indexes.some(({ name }) => name === added.name))
    throw errors.validation("Attempting to create an index which already exists");
  nonKeyAttributesInAll([...table.indexes, added]);
  if (table.indexes.filter(({ kind }) => kind === "global").length >= MOST_GLOBAL)
    throw errors.subscriberLimit(`Number of global secondary indexes exceeds per-table limit of ${MOST_GLOBAL}`);
  const index: Index = { ...added, number: await nextNumber(tx), status: "CREATING", backfilling: false };
  const redefined = await redefine(
    tx,
    table,
    withIndexes({ key: table.key, attributes: all! }, [...table.indexes, index]),
  );
  const step = { done: "index found resources", index: index.number } as const;
  return { table: redefined, later: [{ step, takes: "indexResources" }] };
}

async function deleteIndex(tx: Tx, table: Table, index: Index): Promise<Begun> {
  return {
    table: await withIndex(tx, table, index, { status: "DELETING" }),
    later: [{ step: { done: "index deleted", index: index.number }, takes: "indexDelete" }],
  };
}

interface IndexChange {
  readonly update: NonNullable<IndexUpdate["Update"]>;
  /** The table's billing mode has just been switched, and the index with it. */
  readonly switches: boolean;
}

async function updateIndex(tx: Tx, ctx: Context, table: Table, { update, switches }: IndexChange): Promise<Begun> {
  const index = theirs(table, update, "update")!;
  if (switches) return { table, later: [] };
  const { atOnce, next } = changed(index, update, { mode: table.billingMode, region: ctx.region, now: ctx.now });
  return {
    table: await withIndex(tx, table, index, { ...atOnce, next, ...(!index.status && { status: "UPDATING" }) }),
    later: [{ step: { done: "index changed", index: index.number }, takes: "indexChange" }],
  };
}

function changed(
  index: Index,
  { ProvisionedThroughput, OnDemandThroughput, WarmThroughput }: IndexChange["update"],
  { mode, region, now }: { readonly mode: BillingMode; readonly region: string; readonly now: number },
): { readonly atOnce: Partial<Capacity>; readonly next: Partial<Capacity> } {
  const holder = { index: index.name, region };
  if (mode === "PAY_PER_REQUEST" && ProvisionedThroughput)
    throw errors.invalid(
      `The only Updates for index: ${index.name} when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput`,
    );
  const provided = ProvisionedThroughput && provision(index, throughputOf(ProvisionedThroughput), { holder, now });
  return {
    atOnce: {
      ...provided?.atOnce,
      ...(OnDemandThroughput && {
        onDemandThroughput: newOnDemand(OnDemandThroughput, mode, { holder, current: index.onDemandThroughput }),
      }),
    },
    next: {
      ...provided?.next,
      ...(WarmThroughput && { warm: nextWarm(index, WarmThroughput, { mode, holder }) }),
    },
  };
}
