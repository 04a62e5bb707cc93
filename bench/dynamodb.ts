// Items over HTTP at 32 connections, beside a bare node:http. `node bench/dynamodb.ts [DIR]`
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { startBare, startHost } from "./host.ts";
import { compare, openGenerator, REQUEST_HEAD, requestRow } from "./load.ts";
import { signed } from "./signed.ts";
import { runAlone, type Table } from "./table.ts";

const CONNECTIONS = 32;
const WARM_UP_MS = 100;
const MEASURE_MS = 1000;
const ITEMS = 1000;
const IN_A_PARTITION = 10;
const TableName = "bench";

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  await using bare = await startBare();
  using generator = await openGenerator();
  const client = new DynamoDB(host.client);
  await fill(client);
  const rows: string[][] = [];
  for (const [what, aim, send] of subjects) {
    const requests = await generator.keep(await signed(client, ITEMS, send));
    const load = { requests, connections: CONNECTIONS, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS };
    rows.push(requestRow(what, await compare(generator, { host, bare }, load), aim));
  }
  client.destroy();
  return [
    {
      title: "DynamoDB",
      note: `${CONNECTIONS} connections, items of 330 bytes. Bare: node:http reads the request and answers as many bytes. A write is on the disk when it is answered.`,
      head: REQUEST_HEAD,
      rows,
    },
  ];
}

const keyOf = (i: number) => ({ id: { S: `id-${Math.floor(i / IN_A_PARTITION)}` }, n: { N: `${i % IN_A_PARTITION}` } });
const scattered = (i: number) => (i * 7919) % ITEMS;
const itemOf = (i: number) => ({
  ...keyOf(i),
  name: { S: `name of item ${i}` },
  size: { N: `${i * 1000}` },
  tags: { SS: ["a", "b", "c"] },
  meta: { M: { type: { S: "image/jpeg" }, sha256: { S: "x".repeat(64) } } },
});

type Subject = readonly [what: string, aim: string, send: (client: DynamoDB, i: number) => Promise<unknown>];

const subjects: readonly Subject[] = [
  ["GetItem", "≥ 40 %", (client, i) => client.getItem({ TableName, Key: keyOf(scattered(i)) })],
  [
    "Query, 10 items",
    "",
    (client, i) =>
      client.query({
        TableName,
        KeyConditionExpression: "id = :id",
        ExpressionAttributeValues: { ":id": keyOf(scattered(i)).id },
      }),
  ],
  ["PutItem", "≥ 20 %", (client, i) => client.putItem({ TableName, Item: itemOf(scattered(i)) })],
  [
    "UpdateItem",
    "",
    (client, i) =>
      client.updateItem({
        TableName,
        Key: keyOf(scattered(i)),
        UpdateExpression: "SET #s = #s + :one",
        ExpressionAttributeNames: { "#s": "size" },
        ExpressionAttributeValues: { ":one": { N: "1" } },
      }),
  ],
];

async function fill(client: DynamoDB): Promise<void> {
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
  for (let i = 0; i < ITEMS; i += 25)
    await client.batchWriteItem({
      RequestItems: { [TableName]: Array.from({ length: 25 }, (_, k) => ({ PutRequest: { Item: itemOf(i + k) } })) },
    });
}

if (import.meta.main) await runAlone(measure);
