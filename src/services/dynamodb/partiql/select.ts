// What a SELECT answers, a page at a time.
import type { Context, Output } from "../../../kernel/mod.ts";
import { addCosts, type Cost, consumed, type Detail, readUnits } from "../capacity.ts";
import { errors } from "../errors.ts";
import { matches, valueAt } from "../expression/evaluate.ts";
import { keyItem, rowKey } from "../item-key.ts";
import { readAll, readPartition, WHOLE_TABLE } from "../pages.ts";
import { projectedNames, readItem } from "../rows.ts";
import { knownTable, type Table } from "../schema.ts";
import { positionOf, queryStart, type Source, scanStart } from "../start-key.ts";
import { type StoredItem, storedItems } from "../stored.ts";
import { type Item, itemOf, itemText } from "../value.ts";
import { type Plan, planOf, type Read } from "./plan.ts";
import type { Column, Select } from "./statement.ts";
import { keyOfWhere } from "./where.ts";

/** Of several partitions at once: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-operators.html */
const MOST_OF_SEVERAL = 10;

export interface Selecting {
  readonly consistent: boolean | undefined;
  readonly limit: number | undefined;
  readonly detail: Detail;
  readonly token: string | undefined;
  /** Of the statement and its parameters: a token goes on with no other. */
  readonly about: string;
}

export async function select(
  ctx: Context,
  statement: Select,
  asked: Selecting,
): Promise<Output<"dynamodb", "ExecuteStatement">> {
  const start = asked.token === undefined ? undefined : startOf(ctx, asked.token, asked.about);
  const table = await knownTable(ctx, statement.target.table);
  const source = sourceOf(table, statement, asked);
  const plan = planOf(statement, source);
  projectedColumns(source, statement.columns);
  const { items, cost, stop } = await readPage(ctx, source, { plan, start, statement, asked });
  const capacity = consumed(source.table, cost, asked.detail);
  return {
    Items: statement.columns ? items.map(({ item }) => columnsOf(item, statement.columns)) : storedItems(items),
    ...(stop && {
      NextToken: ctx.seal(JSON.stringify([stop.read, itemText(stop.key)]), asked.about),
      LastEvaluatedKey: stop.key,
    }),
    ...(capacity && { ConsumedCapacity: capacity }),
  };
}

/** The item as the projection shows it: each column by its own name. */
export const columnsOf = (item: Item, columns: readonly Column[] | undefined): Item =>
  columns
    ? Object.fromEntries(
        columns.flatMap(({ name, path }) => {
          const value = valueAt(item, path.parts);
          return value ? [[name, value] as const] : [];
        }),
      )
    : item;

export function sourceOf(
  table: Table,
  { target }: Pick<Select, "target">,
  asked: { consistent: boolean | undefined },
): Source {
  if (target.index === undefined) return { table, index: undefined };
  const index = table.indexes.find(({ name }) => name === target.index);
  if (!index || index.status === "DELETING") throw errors.validation("The table does not have the specified index");
  if (index.status === "CREATING") throw errors.stillFilled(index.name);
  if (index.key.hash.length > 1 || index.key.range.length > 1)
    throw errors.validation(
      "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys.",
    );
  if (index.kind === "global" && asked.consistent)
    throw errors.validation("Strongly consistent read is not supported on Global Secondary Indexes");
  return { table, index };
}

/** Where the page before ended: in which read, after which key. */
interface Start {
  readonly read: number;
  readonly key: Item;
}

function startOf(ctx: Context, token: string, about: string): Start {
  const text = ctx.unseal(token, about);
  if (text === undefined) throw errors.validation("NextToken does not match request");
  const [read, key] = JSON.parse(text) as [number, string];
  return { read, key: itemOf(key) };
}

interface Paging {
  readonly plan: Plan;
  readonly start: Start | undefined;
  readonly statement: Select;
  readonly asked: Selecting;
}

interface Found {
  readonly items: readonly StoredItem[];
  readonly cost: Cost;
  readonly stop: Start | undefined;
}

async function readPage(ctx: Context, source: Source, { plan, start, statement, asked }: Paging): Promise<Found> {
  const reads = plan.kind === "query" ? plan.reads : [undefined];
  const most = reads.length > 1 ? MOST_OF_SEVERAL : undefined;
  let left = Math.min(asked.limit ?? Number.POSITIVE_INFINITY, most ?? Number.POSITIVE_INFINITY);
  let cost: Cost = { table: 0 };
  const items: StoredItem[] = [];
  for (let i = start?.read ?? 0; i < reads.length; i++) {
    const page = await readOne(ctx, source, {
      plan,
      read: reads[i],
      after: i === start?.read ? start.key : undefined,
      limit: left,
    });
    const found = page.rows;
    const filter = plan.kind === "query" ? reads[i]!.filter : plan.filter;
    const matching = filter ? found.filter(({ item }) => matches(filter, item)) : found;
    const fetched = await fetchMissing(ctx, source, found, statement.columns);
    items.push(...(fetched ? matching.map((item) => fetched.get(item)!) : matching));
    cost = addCosts(cost, costOf(source, page.bytes, { fetched: [...(fetched?.values() ?? [])], asked }));
    left -= found.length;
    if (page.stopped)
      return { items, cost, stop: { read: i, key: keyItem(source.table.key, found.at(-1)!.item, source.index?.key) } };
  }
  return { items, cost, stop: undefined };
}

interface OneRead {
  readonly plan: Plan;
  readonly read: Read | undefined;
  readonly after: Item | undefined;
  readonly limit: number;
}

function readOne({ singly }: Context, source: Source, { plan, read, after, limit }: OneRead) {
  const number = (source.index ?? source.table).number;
  const reading = {
    limit: Number.isFinite(limit) ? limit : undefined,
    positionOf: (item: Item) => positionOf(source, item),
  };
  if (plan.kind === "scan" || !read) {
    const rows = { ...WHOLE_TABLE, number };
    return readAll(singly, rows, { ...reading, after: after && scanStart(source, after, rows) });
  }
  // A partition of one item cannot be gone on with, says a Query; a token can, and finds nothing.
  const position =
    after &&
    (source.index || source.table.key.range.length > 0
      ? queryStart(source, after, read.range)
      : positionOf(source, after));
  return readPartition(singly, { ...read.range, number, forward: plan.forward }, { ...reading, after: position });
}

/** A local index fetches from the table the columns that it does not hold; a global one refuses them. `*` is what the index holds. */
async function fetchMissing(
  { singly }: Context,
  { table, index }: Source,
  rows: readonly StoredItem[],
  columns: readonly Column[] | undefined,
): Promise<ReadonlyMap<StoredItem, StoredItem> | undefined> {
  if (index?.kind !== "local" || index.projection === "ALL" || !columns) return undefined;
  const held = projectedNames(table, index);
  if (columns.every(({ path }) => held.includes(path.parts[0] as string))) return undefined;
  const fetched = new Map<StoredItem, StoredItem>();
  for (const row of rows) fetched.set(row, (await readItem(singly, table, rowKey(table.key, row.item))) ?? row);
  return fetched;
}

function projectedColumns({ table, index }: Source, columns: readonly Column[] | undefined): void {
  if (index?.kind !== "global" || index.projection === "ALL" || !columns) return;
  const held = projectedNames(table, index);
  const missing = columns.map(({ path }) => path.parts[0] as string).filter((name) => !held.includes(name));
  if (missing.length > 0)
    throw errors.invalid(`Global secondary index ${index.name} does not project [${missing.join(", ")}]`);
}

function costOf(
  { index }: Source,
  bytes: number,
  { fetched, asked: { consistent } }: { fetched: readonly StoredItem[]; asked: Selecting },
): Cost {
  const units = readUnits(bytes, consistent);
  const fetches = fetched.reduce((sum, { size }) => sum + readUnits(size, consistent), 0);
  return index ? { table: fetches, indexes: new Map([[index, units]]) } : { table: units };
}

export interface OneItem {
  readonly table: Table;
  readonly consistent?: boolean | undefined;
  readonly of: "BatchExecuteStatement" | "ExecuteTransaction";
}

/** Batches and transactions read by the whole key, and by nothing else. */
export function wholeKey(statement: Select, { table, consistent, of }: OneItem): Item {
  const found = keyOfWhere(statement.where, table.key, { lists: true });
  const source = sourceOf(table, statement, { consistent });
  if (!source.index && found.whole && found.rest.length === 0) return found.key;
  planOf(statement, source);
  throw errors.validation(`Select statements within ${of} must specify the primary key in the where clause.`);
}
