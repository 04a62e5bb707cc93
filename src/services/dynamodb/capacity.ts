// ConsumedCapacity: what a request would have cost on AWS.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
import type { Output } from "../../kernel/mod.ts";
import type { Index, Table } from "./schema.ts";

export type ConsumedCapacity = NonNullable<Output<"dynamodb", "PutItem">["ConsumedCapacity"]>;
export type Detail = "INDEXES" | "TOTAL" | "NONE" | undefined;

const READ_UNIT = 4096;
const WRITE_UNIT = 1024;

/** Units of one read; nothing read costs a unit too. */
export const readUnits = (bytes: number, consistent: boolean | undefined): number =>
  Math.max(1, Math.ceil(bytes / READ_UNIT)) * (consistent ? 1 : 0.5);

export const writeUnits = (before: number | undefined, after: number | undefined): number =>
  Math.max(1, Math.ceil(Math.max(before ?? 0, after ?? 0) / WRITE_UNIT));

/** Units of one table and of its indexes. */
export interface Cost {
  readonly table: number;
  readonly indexes?: ReadonlyMap<Index, number>;
}

/** `kind` names the units where a transaction tells reads from writes. */
export function consumed(
  table: Table,
  cost: Cost,
  detail: Detail,
  kind?: "ReadCapacityUnits" | "WriteCapacityUnits",
): ConsumedCapacity | undefined {
  if (detail !== "TOTAL" && detail !== "INDEXES") return undefined;
  const total = cost.table + [...(cost.indexes?.values() ?? [])].reduce((sum, units) => sum + units, 0);
  const capacity = (units: number) => ({ CapacityUnits: units, ...(kind && { [kind]: units }) });
  if (detail === "TOTAL") return { TableName: table.name, ...capacity(total) };
  const of = (local: Index["kind"]) => {
    const entries = [...(cost.indexes ?? [])].filter(([index]) => index.kind === local);
    return entries.length > 0
      ? Object.fromEntries(entries.map(([index, units]) => [index.name, capacity(units)]))
      : undefined;
  };
  const local = of("local");
  const global = of("global");
  return {
    TableName: table.name,
    ...capacity(total),
    Table: capacity(cost.table),
    ...(local && { LocalSecondaryIndexes: local }),
    ...(global && { GlobalSecondaryIndexes: global }),
  };
}

export function addCosts(one: Cost, two: Cost): Cost {
  const indexes = new Map(one.indexes ?? []);
  for (const [index, units] of two.indexes ?? []) indexes.set(index, (indexes.get(index) ?? 0) + units);
  return { table: one.table + two.table, indexes };
}

export const timesTwo = (cost: Cost): Cost => addCosts(cost, cost);
