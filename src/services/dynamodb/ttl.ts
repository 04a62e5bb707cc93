// Time to live: an item whose attribute says a time in the past is deleted when that time comes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
import { type Context, defineOperations, type Work } from "../../kernel/mod.ts";
import { onTable } from "./access.ts";
import { errors } from "./errors.ts";
import { type Expire, expireBy, expiry, expiryFrom, forgetExpiry, isDue, itemsDue, nextExpiry } from "./expiry.ts";
import { keyItem, rowKey } from "./item-key.ts";
import { dynamodbItself } from "./itself.ts";
import { EMPTY } from "./keys.ts";
import { readAll, WHOLE_TABLE } from "./pages.ts";
import { sendTtl } from "./replicas.ts";
import { changeItem, setExpiry, type Writing, writing } from "./rows.ts";
import { type Definition, findTable, openTable, redefine, type Table, tableRef } from "./schema.ts";
import { tableByName } from "./tables.ts";
import { type Item, itemOf, itemText } from "./value.ts";

/** AWS's page says an hour (in 2026 it was seen to be half of that). */
const BETWEEN_CHANGES_MS = 60 * 60 * 1000;
/** Of one transaction. */
const MOST_EXPIRED = 100;
const MOST_LOOKED_AT = 1000;

/** Of a Work to a table: look at the items that were there before time to live was. */
export interface LookAt {
  readonly kind: "look at";
  readonly tableId: string;
  /** Of this switch, and no later one. */
  readonly changedMs: number;
  /** DynamoDB JSON of the key of the last one that was looked at. */
  readonly after: string;
}

export const timeToLive = defineOperations("dynamodb", {
  DescribeTimeToLive: {
    access: (ctx, input) => onTable(ctx, "DescribeTimeToLive", input.TableName),
    async handle(ctx, input) {
      const { ttlAttribute, ttlEnabling, status } = await ctx.read((tx) => tableByName(tx, ctx, input.TableName));
      if (status)
        throw errors.validation(
          `Cannot describe time to live while table is in ${status} state: Current table state is ${status}`,
        );
      return {
        TimeToLiveDescription: ttlAttribute
          ? {
              TimeToLiveStatus: ttlEnabling ? ("ENABLING" as const) : ("ENABLED" as const),
              AttributeName: ttlAttribute,
            }
          : { TimeToLiveStatus: "DISABLED" as const },
      };
    },
  },

  UpdateTimeToLive: {
    access: (ctx, input) => onTable(ctx, "UpdateTimeToLive", input.TableName),
    async handle(ctx, input) {
      const { Enabled = false, AttributeName = "" } = input.TimeToLiveSpecification ?? {};
      const name = await writing(ctx, async (within) => {
        const table = await openTable(within.tx, ctx, input.TableName);
        changeRules(table, { enabled: Enabled, name: AttributeName, now: ctx.now });
        await changeTtl(within, table, Enabled ? AttributeName : undefined);
        await sendTtl(within.tx, ctx, table);
        return table.name;
      });
      ctx.log.info(`time to live of table ${name} ${Enabled ? `by ${AttributeName}` : "switched off"}`);
      return { TimeToLiveSpecification: { Enabled, AttributeName } };
    },
  },
});

/** Items that are there already are looked at. Without a name it is switched off. */
export async function changeTtl(within: Writing, table: Table, name: string | undefined): Promise<void> {
  const { ctx, tx } = within;
  const change: Partial<Definition> = {
    ttlAttribute: name,
    ttlEnabling: name !== undefined || undefined,
    ttlChangedMs: ctx.now,
  };
  const changed = await redefine(tx, table, change);
  if (name !== undefined) await lookAtSome(within, changed, undefined);
  else await forgetExpiry(tx, table);
}

/** What is asked for comes before how often (seen on AWS, 2026-10). */
function changeRules(
  { ttlAttribute: current, ttlChangedMs }: Table,
  { enabled, name, now }: { enabled: boolean; name: string; now: number },
): void {
  if (enabled && current === name) throw errors.validation("TimeToLive is already enabled");
  if (!enabled && current === undefined) throw errors.validation("TimeToLive is already disabled");
  if (current !== undefined && current !== name)
    throw errors.validation(`TimeToLive is active on a different AttributeName: current AttributeName is ${current}`);
  if (ttlChangedMs !== undefined && now - ttlChangedMs < BETWEEN_CHANGES_MS)
    throw errors.validation("Time to live has been modified multiple times within a fixed interval");
}

/** Items that are there already: the first ones at once, a large table's others in steps, so that nobody waits for long. */
async function lookAtSome(within: Writing, table: Table, after: Item | undefined): Promise<void> {
  const { ctx, tx } = within;
  const positionOf = (item: Item) => ({ ...rowKey(table.key, item), itemKey: EMPTY });
  const page = await readAll(
    tx,
    { ...WHOLE_TABLE, number: table.number },
    { after: after && positionOf(after), limit: MOST_LOOKED_AT, positionOf },
  );
  const items = page.rows.map(({ item }) => item);
  for (const item of items) {
    const ms = expiryFrom(table, item, ctx.now);
    if (ms === undefined) continue;
    await setExpiry(tx, table, { key: rowKey(table.key, item), ms });
    await expireBy(tx, ctx, table, ms);
  }
  if (!page.stopped) {
    await redefine(tx, table, { ttlEnabling: undefined });
    return;
  }
  const payload: LookAt = {
    kind: "look at",
    tableId: table.id,
    changedMs: table.ttlChangedMs!,
    after: itemText(keyItem(table.key, items.at(-1)!)),
  };
  await ctx.put(tx, { to: table.arn, as: dynamodbItself(table.arn), payload });
}

export async function lookAtMore(ctx: Context, work: Work): Promise<void> {
  const { tableId, changedMs, after } = work.payload as LookAt;
  await writing(ctx, async (within) => {
    const table = await findTable(within.tx, tableRef(ctx, work.to));
    if (table?.id !== tableId || !table.ttlEnabling || table.ttlChangedMs !== changedMs) return;
    await lookAtSome(within, table, itemOf(after));
  });
}

/** An item may have changed, the table may be another: only what is still so is done. */
export async function expire(ctx: Context, work: Work): Promise<void> {
  const { tableId } = work.payload as Expire;
  for (let more = true; more; ) {
    const gone = await writing(ctx, async (within) => {
      const table = await findTable(within.tx, tableRef(ctx, work.to));
      if (table?.id !== tableId || !(await isDue(within.tx, table, ctx.now))) return undefined;
      return { table, ...(await expireSome(within, table)) };
    });
    for (const key of gone?.keys ?? [])
      ctx.log.info(`item expired in ${gone!.table.name}: ${key}`, { subject: gone!.table.arn });
    more = gone?.more ?? false;
  }
}

async function expireSome(within: Writing, table: Table): Promise<{ keys: string[]; more: boolean }> {
  const { ctx, tx } = within;
  const due = await itemsDue(tx, table, ctx.now, MOST_EXPIRED);
  const keys: string[] = [];
  for (const row of due) {
    const item = itemOf(row.item);
    const key = rowKey(table.key, item);
    const ms = expiry(table, item);
    if (ms !== undefined && ms <= ctx.now) {
      await changeItem(within, table, { key, before: { item, size: row.size }, expired: true });
      keys.push(itemText(keyItem(table.key, item)));
    } else await setExpiry(tx, table, { key, ms }); // it says what another attribute said
  }
  if (due.length === MOST_EXPIRED) return { keys, more: true };
  await forgetExpiry(tx, table);
  const next = await nextExpiry(tx, table);
  if (next !== undefined) await expireBy(tx, ctx, table, next);
  return { keys, more: false };
}
