// A table, or an index, that goes: nobody finds it from then on, and its rows follow in steps, so that nobody waits for them.
import type { Context, Tx } from "../../kernel/mod.ts";
import { keepDeleted } from "./backups.ts";
import { forgetExpiry } from "./expiry.ts";
import { pruneAll } from "./history.ts";
import { leaveGroup } from "./replicas.ts";
import { removePolicy } from "./resource-policies.ts";
import { deleteTable, type Table } from "./schema.ts";
import { sweep } from "./sweep.ts";
import { removeTags } from "./tags.ts";
import { dropView } from "./views.ts";

/** All of a table but its streams, which can be read for a day. */
export async function dropTable(tx: Tx, ctx: Context, table: Table): Promise<void> {
  // With recovery its items stay where they are: they are a backup's from now on.
  if (table.pitr) await keepDeleted(tx, ctx, table);
  await pruneAll(tx, ctx, table);
  const going = table.pitr ? table.indexes : [table, ...table.indexes];
  await sweep(tx, ctx, { arn: table.arn, numbers: going.map(({ number }) => number) });
  await leaveGroup(tx, table);
  await forgetExpiry(tx, table);
  await dropView(tx, table);
  await removeTags(tx, table);
  await removePolicy(tx, table);
  await deleteTable(tx, table);
}
