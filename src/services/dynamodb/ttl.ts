// Time to live: an item whose attribute says a time in the past is deleted, by due work that was written with the item.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
import { type Context, defineOperations, type Work } from "../../kernel/mod.ts";
import { onTable } from "./access.ts";
import { errors } from "./errors.ts";
import { expireLater, expiry, type Payload, tooOld } from "./expiry.ts";
import { keyOfRequest } from "./item-key.ts";
import { changeItem, eachItem, readItem, writing } from "./rows.ts";
import { findTable, openTable, redefine, tableRef } from "./schema.ts";
import { itemOf } from "./value.ts";

export const timeToLive = defineOperations("dynamodb", {
  DescribeTimeToLive: {
    access: (ctx, input) => onTable(ctx, "DescribeTimeToLive", input.TableName),
    async handle(ctx, input) {
      const { ttlAttribute } = await ctx.read((tx) => openTable(tx, ctx, input.TableName));
      return {
        TimeToLiveDescription: ttlAttribute
          ? { TimeToLiveStatus: "ENABLED" as const, AttributeName: ttlAttribute }
          : { TimeToLiveStatus: "DISABLED" as const },
      };
    },
  },

  UpdateTimeToLive: {
    access: (ctx, input) => onTable(ctx, "UpdateTimeToLive", input.TableName),
    async handle(ctx, input) {
      const { Enabled = false, AttributeName = "" } = input.TimeToLiveSpecification ?? {};
      await writing(ctx, async (within) => {
        const table = await openTable(within.tx, ctx, input.TableName);
        changeRules(table.ttlAttribute, Enabled, AttributeName);
        const changed = await redefine(within.tx, table, { ttlAttribute: Enabled ? AttributeName : undefined });
        if (Enabled) await eachItem(within.tx, table, (item) => expireLater(within, changed, item));
      });
      return { TimeToLiveSpecification: { Enabled, AttributeName } };
    },
  },
});

function changeRules(current: string | undefined, enabled: boolean, name: string): void {
  if (enabled && current === name) throw errors.validation("TimeToLive is already enabled");
  if (!enabled && current === undefined) throw errors.validation("TimeToLive is already disabled");
  if (current !== undefined && current !== name)
    throw errors.validation(`TimeToLive is active on a different AttributeName: current AttributeName is ${current}`);
}

/** The item may have changed, the table may be another: only what is still so is done. */
export async function expire(ctx: Context, work: Work): Promise<void> {
  const { tableId, key } = work.payload as Payload;
  const gone = await writing(ctx, async (within) => {
    const table = await findTable(within.tx, tableRef(ctx, work.to));
    if (table?.id !== tableId) return undefined;
    const rowKey = keyOfRequest(table, itemOf(key));
    const before = await readItem(within.tx, table, rowKey);
    const expires = before && expiry(table, before.item);
    if (expires === undefined || expires > ctx.now || tooOld(expires, ctx.now)) return undefined;
    await changeItem(within, table, { key: rowKey, before, expired: true });
    return table;
  });
  if (gone) ctx.log.info(`item expired in ${gone.name}: ${key}`, { subject: gone.arn });
}
