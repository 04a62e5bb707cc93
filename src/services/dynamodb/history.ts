// What items were before they changed, of tables with point in time recovery: an entry says what an item was until a time, and is written in
// the transaction of its change. What a table held at a time is its items of now, but for those with a later entry.
import type { Context, Tx, Work } from "../../kernel/mod.ts";
import type { RowKey } from "./item-key.ts";
import { dynamodbItself } from "./itself.ts";
import { findTable, type PointInTime, type Table, tableRef } from "./schema.ts";
import { type Stored, storedText } from "./stored.ts";

// An item that was not there has no text.
export const MIGRATION = `
  CREATE TABLE dynamodb_history (
    number BIGINT NOT NULL, hash BLOB NOT NULL, pk BLOB NOT NULL, sk BLOB NOT NULL, until_ms BIGINT NOT NULL,
    item TEXT, size BIGINT NOT NULL,
    PRIMARY KEY (number, hash, pk, sk, until_ms)
  );
  CREATE INDEX dynamodb_history_by_time ON dynamodb_history (number, until_ms)`;

const MINUTE_MS = 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Of one transaction. */
const MOST_PRUNED = 2000;

/** Of a Work to a table: forget what can no longer be restored; of a table, or a recovery, that is gone, all. */
export interface Prune {
  readonly kind: "prune";
  readonly tableId: string;
  readonly history: number;
}

/** Of several changes at one time, what was before the first. A clock that was set back stands still: an item's history only grows. */
export async function writeHistory(
  tx: Tx,
  { history }: PointInTime,
  { key, before, now }: { key: RowKey; before: Stored | undefined; now: number },
): Promise<void> {
  await tx.run(
    `INSERT INTO dynamodb_history (number, hash, pk, sk, until_ms, item, size)
     VALUES (:number, :hash, :pk, :sk, COALESCE(
       (SELECT MAX(h.until_ms) FROM dynamodb_history h
        WHERE h.number = :number AND h.hash = :hash AND h.pk = :pk AND h.sk = :sk AND h.until_ms > :now), :now), :item, :size)
     ON CONFLICT (number, hash, pk, sk, until_ms) DO NOTHING`,
    {
      number: history,
      hash: key.hash,
      pk: key.pk,
      sk: key.sk,
      now,
      item: before ? storedText(before) : null,
      size: before?.size ?? 0,
    },
  );
}

/** The first time that a table can be restored to. ms. */
export const earliest = ({ sinceMs, days }: PointInTime, now: number): number => Math.max(sinceMs, now - days * DAY_MS);

/** Once a day, as long as it is recorded. */
export async function pruneLater(tx: Tx, ctx: Context, table: Table, history: number): Promise<void> {
  await putPrune(tx, ctx, {
    arn: table.arn,
    payload: { kind: "prune", tableId: table.id, history },
    due: ctx.now + DAY_MS,
  });
}

/** It is recorded no more. */
export async function pruneAll(tx: Tx, ctx: Context, table: Table): Promise<void> {
  if (!table.pitr) return;
  const payload: Prune = { kind: "prune", tableId: table.id, history: table.pitr.history };
  await putPrune(tx, ctx, { arn: table.arn, payload, due: ctx.now });
}

const putPrune = (tx: Tx, ctx: Context, { arn, payload, due }: { arn: string; payload: Prune; due: number }) =>
  ctx.put(tx, { to: arn, as: dynamodbItself(arn), due, payload });

export async function prune(ctx: Context, work: Work): Promise<void> {
  const payload = work.payload as Prune;
  for (let more = true; more; )
    more = await ctx.write(async (tx) => {
      const table = await findTable(tx, tableRef(ctx, work.to));
      const pitr = table?.id === payload.tableId && table.pitr?.history === payload.history ? table.pitr : undefined;
      // Somebody is still restoring from it.
      if (!pitr && (await isRestoredFrom(tx, payload))) {
        await putPrune(tx, ctx, { arn: work.to, payload, due: ctx.now + MINUTE_MS });
        return false;
      }
      const until = pitr ? earliest(pitr, ctx.now) : Number.MAX_SAFE_INTEGER;
      const pruned = await forgetUntil(tx, payload.history, until);
      if (pruned === MOST_PRUNED) return true;
      if (pitr) await pruneLater(tx, ctx, table!, pitr.history);
      return false;
    });
}

export const isRestoredFrom = async (tx: Tx, { history }: Pick<PointInTime, "history">): Promise<boolean> =>
  (await tx.one("SELECT number FROM dynamodb_copy WHERE history = :history LIMIT 1", { history })) !== undefined;

async function forgetUntil(tx: Tx, number: number, until: number): Promise<number> {
  return tx.run(
    `DELETE FROM dynamodb_history WHERE (number, hash, pk, sk, until_ms) IN (
       SELECT number, hash, pk, sk, until_ms FROM dynamodb_history
       WHERE number = :number AND until_ms <= :until ORDER BY until_ms LIMIT ${MOST_PRUNED})`,
    { number, until },
  );
}
