// When an item expires, and the due work that is written with it.
import type { Principal } from "../../kernel/mod.ts";
import { keyItem } from "./item-key.ts";
import type { Writing } from "./rows.ts";
import type { Table } from "./schema.ts";
import { type Item, itemText, member } from "./value.ts";

/** Of the Work that looks whether an item is to go. */
export interface Payload {
  readonly tableId: string;
  /** DynamoDB JSON. */
  readonly key: string;
}

/** With an item's write: the work that will look whether it is to go. */
export async function expireLater({ ctx, tx }: Writing, table: Table, item: Item): Promise<void> {
  const expires = expiry(table, item);
  if (expires === undefined || tooOld(expires, ctx.now)) return;
  const payload: Payload = { tableId: table.id, key: itemText(keyItem(table.key, item)) };
  await ctx.put(tx, { to: table.arn, as: dynamodbItself(table), due: Math.max(expires, ctx.now), payload });
}

/** AWS leaves alone what expired more than five years ago: it is rather a mistake. */
export const tooOld = (expires: number, now: number): boolean => now - expires > 5 * 365 * 24 * 60 * 60 * 1000;

/** The latest time that a Date can tell. */
const LATEST_MS = 8.64e15;

/** ms; undefined where the item has no such number. */
export function expiry(table: Table, item: Item): number | undefined {
  const seconds = table.ttlAttribute === undefined ? undefined : member(item, table.ttlAttribute)?.N;
  const ms = seconds === undefined ? Number.NaN : Math.ceil(Number(seconds) * 1000);
  return ms > 0 && ms < LATEST_MS ? ms : undefined;
}

const dynamodbItself = ({ account, arn }: Table): Principal => ({
  kind: "service",
  name: "dynamodb.amazonaws.com",
  account,
  sourceArn: arn,
});
