// When an item of a table with replicas was written last, and where; and what is sent to the other regions of it.
import type { Context, Retry, Singly, Tx } from "../../kernel/mod.ts";
import { type Span, spanParams, within } from "./copies.ts";
import { keyItem, type RowKey } from "./item-key.ts";
import { dynamodbItself } from "./itself.ts";
import type { Table, TableRef } from "./schema.ts";
import { type Item, itemText } from "./value.ts";

export const MIGRATION = `
  CREATE TABLE dynamodb_stamp (
    number BIGINT NOT NULL, hash BLOB NOT NULL, pk BLOB NOT NULL, sk BLOB NOT NULL, ms BIGINT NOT NULL, region TEXT NOT NULL,
    PRIMARY KEY (number, hash, pk, sk)
  )`;

/** Of an item's last write: of two at one time, that of the region with the later name is the last. */
export interface Stamp {
  readonly ms: number;
  readonly region: string;
}

/** Of a Work to a table: these items were written in another region. */
export interface Replicate {
  readonly kind: "replicate";
  readonly from: string;
  /** DynamoDB JSON. */
  readonly keys: readonly string[];
}

/** A change of a table that has replicas. */
export interface Replicated {
  readonly table: Table;
  readonly key: Item;
}

/** News is not given up: a replica that is being filled is told when it is. */
const RETRY: Retry = { waitsMs: [1000, 5000, 30_000], attempts: 1_000_000 };
const NEVER: Stamp = { ms: 0, region: "" };

/** Later than any before, also where the clock stands still. */
export async function stampWrite(tx: Tx, table: Table, { key, now }: { key: RowKey; now: number }): Promise<void> {
  await tx.run(
    `INSERT INTO dynamodb_stamp (number, hash, pk, sk, ms, region) VALUES (:number, :hash, :pk, :sk, :now, :region)
     ON CONFLICT (number, hash, pk, sk) DO UPDATE SET region = excluded.region,
       ms = CASE WHEN dynamodb_stamp.ms >= excluded.ms THEN dynamodb_stamp.ms + 1 ELSE excluded.ms END`,
    { ...keyed(table, key), now, region: table.region },
  );
}

export async function setStamp(tx: Tx, table: Table, key: RowKey, { ms, region }: Stamp): Promise<void> {
  await tx.run(
    `INSERT INTO dynamodb_stamp (number, hash, pk, sk, ms, region) VALUES (:number, :hash, :pk, :sk, :ms, :region)
     ON CONFLICT (number, hash, pk, sk) DO UPDATE SET ms = excluded.ms, region = excluded.region`,
    { ...keyed(table, key), ms, region },
  );
}

export const stampOf = async (tx: Singly, table: Table, key: RowKey): Promise<Stamp> =>
  (await tx.one<{ ms: number; region: string }>(
    "SELECT ms, region FROM dynamodb_stamp WHERE number = :number AND hash = :hash AND pk = :pk AND sk = :sk",
    keyed(table, key),
  )) ?? NEVER;

const keyed = ({ number }: Table, { hash, pk, sk }: RowKey) => ({ number, hash, pk, sk });

/** With the items of a new replica. */
export async function copyStamps(tx: Tx, { from, to, span }: { from: Table; to: Table; span: Span }): Promise<void> {
  await tx.run(
    `INSERT INTO dynamodb_stamp (number, hash, pk, sk, ms, region)
     SELECT CAST(:to AS BIGINT), s.hash, s.pk, s.sk, s.ms, s.region FROM dynamodb_stamp s
     WHERE s.number = :from ${within("s", span)}`,
    { to: to.number, from: from.number, ...spanParams(span) },
  );
}

export async function forgetStamps(tx: Tx, { number }: Table): Promise<void> {
  await tx.run("DELETE FROM dynamodb_stamp WHERE number = :number", { number });
}

/** At the end of the transaction: one row of due work for each table and region. */
export async function sendReplicated(tx: Tx, ctx: Context, changes: readonly Replicated[]): Promise<void> {
  for (const [, ofTable] of Map.groupBy(changes, ({ table }) => table.number)) {
    const { table } = ofTable[0]!;
    const keys = [...new Set(ofTable.map(({ key }) => itemText(keyItem(table.key, key))))];
    for (const { region } of table.replicas ?? []) {
      const to = refIn(table, region).arn;
      const payload: Replicate = { kind: "replicate", from: table.region, keys };
      await ctx.put(tx, { to, as: dynamodbItself(to), payload, retry: RETRY });
    }
  }
}

/** The table of the same name in another region. */
export const refIn = ({ account, name }: Pick<TableRef, "account" | "name">, region: string): TableRef => ({
  account,
  region,
  name,
  arn: `arn:aws:dynamodb:${region}:${account}:table/${name}`,
});
