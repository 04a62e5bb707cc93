// Filters of a group in the store: metric filters and subscription filters.
import type { Singly, Tx } from "../../kernel/mod.ts";
import { catalogChanged, type FilterRow } from "./rows.ts";

type Kind = FilterRow["kind"];

/** False: the group has `most` of them, and this is none of these. */
export async function putFilter(tx: Tx, row: FilterRow, most: number): Promise<boolean> {
  const all = await filtersOf(tx, row.group_id, row.kind);
  if (all.length >= most && !all.some(({ name }) => name === row.name)) return false;
  await tx.run(
    `INSERT INTO logs_filter (group_id, kind, name, pattern, definition, created_ms)
     VALUES (:group_id, :kind, :name, :pattern, :definition, :created_ms)
     ON CONFLICT (group_id, kind, name) DO UPDATE SET pattern = :pattern, definition = :definition`,
    { ...row },
  );
  catalogChanged(tx);
  return true;
}

/** False: there was none. */
export async function deleteFilter(tx: Tx, of: { groupId: string; kind: Kind; name: string }): Promise<boolean> {
  const gone = await tx.run("DELETE FROM logs_filter WHERE group_id = :groupId AND kind = :kind AND name = :name", {
    ...of,
  });
  catalogChanged(tx);
  return gone > 0;
}

export const filtersOf = (tx: Singly, id: string, kind: Kind): Promise<FilterRow[]> =>
  tx.all<FilterRow>("SELECT * FROM logs_filter WHERE group_id = :id AND kind = :kind ORDER BY name", { id, kind });
