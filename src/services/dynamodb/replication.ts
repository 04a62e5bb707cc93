// What is written to one table of a global table comes to the others. Each write leaves a stamp with its item, and due work that names the key:
// the other region then takes what the item is by that time, if its stamp is later than its own. So the last writer wins, whatever the order in
// which the news arrives; several quick changes may arrive as one, as on AWS.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
import { type Context, parseArn, type Work } from "../../kernel/mod.ts";
import { rowKey } from "./item-key.ts";
import { dynamodbItself } from "./itself.ts";
import { changeItem, readItem, writing } from "./rows.ts";
import { findTable, type TableRef } from "./schema.ts";
import { type Replicate, refIn, type Stamp, setStamp, stampOf } from "./stamps.ts";
import { itemOf } from "./value.ts";

/** DynamoDB itself, in the region of what it was sent to: a Work is delivered where it was put. */
export function inRegionOf(ctx: Context, work: Work): { there: Context; ref: TableRef } {
  const { account, region, resource } = parseArn(work.to)!;
  const principal = dynamodbItself(work.to);
  const there = ctx.fork({ principal, account, region, cause: work.cause });
  return { there, ref: refIn({ account, name: resource.slice("table/".length) }, region) };
}

export async function replicate(ctx: Context, work: Work): Promise<void> {
  const { from, keys } = work.payload as Replicate;
  const { there, ref } = inRegionOf(ctx, work);
  await writing(there, async (within) => {
    const table = await findTable(within.tx, ref);
    const source = await findTable(within.tx, refIn(ref, from));
    const wanted = source?.replicas?.find(({ region }) => region === ref.region);
    // What is copied now would meet what is news.
    if (wanted?.status === "CREATING") throw new Error(`the replica in ${ref.region} is still being made`);
    if (!source || !table?.replicas?.some(({ region }) => region === from)) return;
    for (const text of keys) {
      const key = rowKey(table.key, itemOf(text));
      const stamp = await stampOf(within.tx, source, key);
      if (!isLater(stamp, await stampOf(within.tx, table, key))) continue;
      const before = await readItem(within.tx, table, key);
      const after = await readItem(within.tx, source, key);
      if (before || after) await changeItem(within, table, { key, before, after, replicated: true });
      await setStamp(within.tx, table, key, stamp);
    }
  });
}

const isLater = (one: Stamp, other: Stamp): boolean =>
  one.ms === other.ms ? one.region > other.region : one.ms > other.ms;
