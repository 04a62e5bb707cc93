// The table that the DynamoDB benches read and write, of as many items as wanted, and what they ask of it.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import { rowKey } from "../src/services/dynamodb/item-key.ts";
import { type Item, itemSize, itemText } from "../src/services/dynamodb/value.ts";
import { type Host, settled } from "./host.ts";
import { median } from "./table.ts";

export const TableName = "bench";
const IN_A_PARTITION = 10;
const IN_A_TRANSACTION = 5;
const IN_A_BATCH = 25;

const MANY = 2000;
const MANY_ONCE = 8000;

const keyOf = (i: number) => ({ id: { S: `id-${Math.floor(i / IN_A_PARTITION)}` }, n: { N: `${i % IN_A_PARTITION}` } });
const itemOf = (i: number) => ({
  ...keyOf(i),
  name: { S: `name of item ${i}` },
  size: { N: `${i * 1000}` },
  tags: { SS: ["a", "b", "c"] },
  meta: { M: { type: { S: "image/jpeg" }, sha256: { S: "x".repeat(64) } } },
});

export interface Subject {
  readonly what: string;
  readonly aim: string;
  /** So many requests are made, and sent again and again; those with a token have an effect but once. */
  readonly requests: number;
  /** The request that touches item `i`, and those after it where it touches several. */
  send(client: DynamoDB, i: number): Promise<unknown>;
}

export const subjects: readonly Subject[] = [
  { what: "GetItem", aim: "≥ 40 %", requests: MANY, send: (client, i) => client.getItem({ TableName, Key: keyOf(i) }) },
  {
    what: "Query, 10 items",
    aim: "",
    requests: MANY,
    send: (client, i) =>
      client.query({
        TableName,
        KeyConditionExpression: "id = :id",
        ExpressionAttributeValues: { ":id": keyOf(i).id },
      }),
  },
  {
    what: "PutItem",
    aim: "≥ 20 %",
    requests: MANY,
    send: (client, i) => client.putItem({ TableName, Item: itemOf(i) }),
  },
  {
    what: "UpdateItem",
    aim: "",
    requests: MANY,
    send: (client, i) =>
      client.updateItem({
        TableName,
        Key: keyOf(i),
        UpdateExpression: "SET #s = #s + :one",
        ExpressionAttributeNames: { "#s": "size" },
        ExpressionAttributeValues: { ":one": { N: "1" } },
      }),
  },
  {
    what: `TransactWriteItems, ${IN_A_TRANSACTION}`,
    aim: "",
    requests: MANY_ONCE,
    send: (client, i) =>
      client.transactWriteItems({
        TransactItems: some(i, IN_A_TRANSACTION).map((k) => ({ Put: { TableName, Item: itemOf(k) } })),
      }),
  },
  {
    what: `BatchWriteItem, ${IN_A_BATCH}`,
    aim: "",
    requests: MANY,
    send: (client, i) =>
      client.batchWriteItem({
        RequestItems: { [TableName]: some(i, IN_A_BATCH).map((k) => ({ PutRequest: { Item: itemOf(k) } })) },
      }),
  },
];

const some = (i: number, many: number): number[] => Array.from({ length: many }, (_, k) => i + k);

/** Makes the table, and its items by SQL straight into the store, in the order of their keys: a million takes some seconds. */
export async function fill(client: DynamoDB, host: Host, items: number): Promise<void> {
  await client.createTable({
    TableName,
    AttributeDefinitions: [
      { AttributeName: "id", AttributeType: "S" },
      { AttributeName: "n", AttributeType: "N" },
    ],
    KeySchema: [
      { AttributeName: "id", KeyType: "HASH" },
      { AttributeName: "n", KeyType: "RANGE" },
    ],
    BillingMode: "PAY_PER_REQUEST",
  });
  // What columns the table's view has is learned from items that come in through the API.
  await client.putItem({ TableName, Item: itemOf(0) });
  using db = new DatabaseSync(join(host.dir, "db.sqlite"), { timeout: 10_000 });
  db.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144");
  const insert = db.prepare(
    `INSERT INTO dynamodb_item (number, hash, pk, sk, item_key, item, size) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (number, hash, pk, sk, item_key) DO NOTHING`,
  );
  const number = numberOf(db);
  const key = { hash: [{ name: "id", type: "S" }], range: [{ name: "n", type: "N" }] } as const;
  const partitions = Array.from({ length: items / IN_A_PARTITION }, (_, at) => ({
    at,
    hash: rowKey(key, keyOf(at * IN_A_PARTITION)).hash,
  })).sort((a, b) => Buffer.compare(a.hash, b.hash));
  for (let from = 0; from < partitions.length; from += PARTITIONS_A_COMMIT) {
    db.exec("BEGIN IMMEDIATE");
    for (const { at } of partitions.slice(from, from + PARTITIONS_A_COMMIT))
      for (let i = at * IN_A_PARTITION; i < (at + 1) * IN_A_PARTITION; i++) {
        const item = itemOf(i) as Item;
        const { hash, pk, sk } = rowKey(key, item);
        insert.run(number, hash, pk, sk, new Uint8Array(0), itemText(item), BigInt(itemSize(item)));
      }
    db.exec("COMMIT");
  }
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  settled(host);
}

const PARTITIONS_A_COMMIT = 20_000;

const numberOf = (db: DatabaseSync): bigint =>
  BigInt(db.prepare("SELECT number FROM dynamodb_table WHERE name = ?").get(TableName)!.number as number);

const ROUNDS = 5;
const STATEMENTS = 2000;

/** µs of the prepared statement that finds one of `items`, on a connection of our own and without anything else: what no GetItem can be quicker than. */
export function bareStatement(host: Host, items: number): number {
  using db = new DatabaseSync(join(host.dir, "db.sqlite"), { readOnly: true });
  db.exec("PRAGMA cache_size = -16384");
  const select = db.prepare(
    "SELECT item, size FROM dynamodb_item WHERE number = ? AND hash = ? AND pk = ? AND sk = ? AND item_key = ?",
  );
  const number = numberOf(db);
  const key = { hash: [{ name: "id", type: "S" }], range: [{ name: "n", type: "N" }] } as const;
  const rounds = Array.from({ length: ROUNDS }, (_, round) => {
    const keys = Array.from({ length: STATEMENTS }, (_, i) =>
      rowKey(key, keyOf(scattered(round * STATEMENTS + i, items))),
    );
    const begin = performance.now();
    for (const { hash, pk, sk } of keys) select.get(number, hash, pk, sk, new Uint8Array(0));
    return ((performance.now() - begin) / STATEMENTS) * 1000;
  });
  return median(rounds);
}

/** All over the table, and never the same twice in a row; the largest request touches so many more. */
export const scattered = (i: number, items: number): number => (i * 7_368_787) % (items - IN_A_BATCH);
