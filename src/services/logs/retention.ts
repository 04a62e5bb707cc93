// What is older than a group keeps is not shown from that moment on; once a day it is removed, by a work to the group itself.
import type { Arn, Context, Principal, Tx } from "../../kernel/mod.ts";
import { dayOf, removeText } from "./files.ts";
import { findGroup, type GroupRow, groupArn, refOfArn, saveGroup } from "./rows.ts";

const DAY_MS = 86_400_000;

export interface Retain {
  readonly kind: "retain";
  /** The group's id: another group of the same name has its own. */
  readonly id: string;
  /** When it is due: the group's row says the same, or this work is of no use any more. */
  readonly at: number;
}

export const itself = (arn: Arn, account: string): Principal => ({
  kind: "service",
  name: "logs.amazonaws.com",
  account,
  sourceArn: `${arn}:*`,
});

/** The oldest that is still shown; ms since the epoch. */
export const keptFrom = ({ retention_days }: GroupRow, now: number): number =>
  retention_days === null ? 0 : now - retention_days * DAY_MS;

/** The group with its next day, and the work for it. */
export async function planRetention(ctx: Context, tx: Tx, group: GroupRow): Promise<GroupRow> {
  const at = ctx.now + DAY_MS;
  const payload: Retain = { kind: "retain", id: group.id, at };
  const to = groupArn(group);
  await ctx.put(tx, { to, as: itself(to, group.account), payload, due: at });
  return { ...group, retain_ms: at };
}

/** Batches that are expired as a whole; the text of a day goes with its last batch. */
export async function retain(ctx: Context, to: Arn, { id, at }: Retain): Promise<void> {
  const { gone, group } = await ctx.write(async (tx) => {
    const found = await findGroup(tx, refOfArn(to)!);
    if (found?.id !== id || found.retain_ms !== at) return { gone: [], group: undefined };
    await saveGroup(tx, await planRetention(ctx, tx, found));
    const before = keptFrom(found, ctx.now);
    const expired = await tx.all<{ stream_id: string; day: string; bytes: number }>(
      `DELETE FROM logs_batch WHERE group_id = :id AND first_ms < :before AND last_ms < :before
       RETURNING stream_id, day, bytes`,
      { id, before },
    );
    for (const [stream, bytes] of summed(expired))
      await tx.run("UPDATE logs_stream SET stored_bytes = stored_bytes - :bytes WHERE id = :stream", { stream, bytes });
    const kept = await tx.all<{ day: string }>("SELECT DISTINCT day FROM logs_batch WHERE group_id = :id", { id });
    const days = new Set(kept.map(({ day }) => day));
    const today = dayOf(ctx.now);
    return {
      gone: [...new Set(expired.map(({ day }) => day))].filter((day) => !days.has(day) && day < today),
      group: found,
    };
  });
  for (const day of gone) await removeText(ctx.config, { dir: group!.dir, day });
}

function summed(rows: readonly { stream_id: string; bytes: number }[]): Map<string, number> {
  const all = new Map<string, number>();
  for (const { stream_id, bytes } of rows) all.set(stream_id, (all.get(stream_id) ?? 0) + bytes);
  return all;
}
