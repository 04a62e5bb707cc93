// A new index of a table that was there: its items come in a page at a time, while writes go on. A write puts its own entry into the index,
// whether the page with its item is done or not; a page writes what the item says when it is read: both are transactions.
import type { Tx } from "../../kernel/mod.ts";
import { keyItem, rowKey } from "./item-key.ts";
import { EMPTY } from "./keys.ts";
import { type Position, readAll, WHOLE_TABLE } from "./pages.ts";
import { changeEntry, itemKeyOf } from "./rows.ts";
import type { Index, Table } from "./schema.ts";
import { type Item, itemOf, itemText } from "./value.ts";

/** Of one transaction; it is 1 MB at most, as any page. */
const MOST_FILLED = 500;

/** Where it goes on: DynamoDB JSON of a key; undefined: at the beginning, or nowhere. */
export type Mark = string | undefined;

/** Items that the index cannot hold are left out, as on AWS. */
export async function fillSome(tx: Tx, table: Table, { index, after }: { index: Index; after: Mark }): Promise<Mark> {
  const positionOf = (item: Item): Position => ({ ...rowKey(table.key, item), itemKey: EMPTY });
  const page = await readAll(
    tx,
    { ...WHOLE_TABLE, number: table.number },
    { after: after === undefined ? undefined : positionOf(itemOf(after)), limit: MOST_FILLED, positionOf },
  );
  for (const { item } of page.rows)
    await changeEntry(tx, { table, index, itemKey: itemKeyOf(rowKey(table.key, item)) }, undefined, item);
  return page.stopped ? itemText(keyItem(table.key, page.rows.at(-1)!.item)) : undefined;
}
