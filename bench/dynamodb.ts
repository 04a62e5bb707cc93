// What PutItem, GetItem and Query cost over HTTP beside their limit: a bare node:http server that answers a constant, in the same run.
// `node bench/dynamodb.ts [DIR]`; DIR is on the disk to be measured (default: the current directory). A few seconds in all.
// Requests are signed once and sent again: what is measured is the server, not the SDK. The clients run in a process of their own.
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { start } from "../src/aws.ts";

const CONNECTIONS = 32;
const MEASURE_MS = 1500;
const WARM_UP_MS = 500;
const ITEMS = 1000;
const IN_A_PARTITION = 10;

interface Job {
  readonly port: number;
  /** Whole HTTP requests, sent in turn. */
  readonly requests: readonly string[];
}
interface Result {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: string | undefined;
}

if (process.send) process.on("message", async (job: Job) => process.send!(await load(job)));
else await main();

async function main(): Promise<void> {
  const dir = await mkdtemp(join(process.argv[2] ?? ".", "bench-dynamodb-"));
  const client = fork(import.meta.filename);
  try {
    await using aws = await start({ dir, port: 0, output: "quiet" });
    const requests = await prepare(aws.endpoint);
    const port = Number(new URL(aws.endpoint).port);
    await using bare = await bareServer();
    const limit = await measured(client, { port: bare.port, requests: requests.get });
    print("bare node:http", limit, limit);
    print("GetItem", await measured(client, { port, requests: requests.get }), limit);
    print("Query (10 items)", await measured(client, { port, requests: requests.query }), limit);
    print("PutItem, durable", await measured(client, { port, requests: requests.put }), limit);
    print("UpdateItem, durable", await measured(client, { port, requests: requests.update }), limit);
  } finally {
    client.disconnect();
    await rm(dir, { recursive: true });
  }
}

function print(what: string, { perSecond, p50, p99, failed }: Result, limit: Result): void {
  const share = ((perSecond / limit.perSecond) * 100).toFixed(0);
  console.log(
    `${what.padEnd(22)} ${perSecond.toFixed(0).padStart(7)} /s  ${share.padStart(4)} %   p50 ${p50.toFixed(2)} ms   p99 ${p99.toFixed(2)} ms`,
  );
  if (failed) throw new Error(`${what}: ${failed}`);
}

function measured(client: ReturnType<typeof fork>, job: Job): Promise<Result> {
  return new Promise((resolve, reject) => {
    client.once("message", (result) => resolve(result as Result));
    client.send(job, (error) => error && reject(error));
  });
}

/** A table with items, and the signed requests. */
async function prepare(endpoint: string) {
  const dynamodb = new DynamoDB({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  const TableName = "bench";
  await dynamodb.createTable({
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
  const key = (i: number) => ({ id: { S: `id-${Math.floor(i / IN_A_PARTITION)}` }, n: { N: `${i % IN_A_PARTITION}` } });
  const item = (i: number) => ({
    ...key(i),
    name: { S: `name of item ${i}` },
    size: { N: `${i * 1000}` },
    tags: { SS: ["a", "b", "c"] },
    meta: { M: { type: { S: "image/jpeg" }, sha256: { S: "x".repeat(64) } } },
  });
  for (let i = 0; i < ITEMS; i += 25)
    await dynamodb.batchWriteItem({
      RequestItems: {
        [TableName]: Array.from({ length: 25 }, (_, k) => ({ PutRequest: { Item: item(i + k) } })),
      },
    });
  const signed: string[] = [];
  dynamodb.middlewareStack.add(
    () => async (args) => {
      const { method, path, headers, body } = args.request as {
        method: string;
        path: string;
        headers: Record<string, string>;
        body: string | Uint8Array;
      };
      const text = Buffer.from(body as string).toString();
      const lines = Object.entries({ ...headers, "content-length": Buffer.byteLength(text) });
      signed.push(`${method} ${path} HTTP/1.1\r\n${lines.map(([n, v]) => `${n}: ${v}\r\n`).join("")}\r\n${text}`);
      return { output: { $metadata: {} }, response: {} } as never;
    },
    { step: "finalizeRequest", priority: "low", name: "capture" },
  );
  const capture = async (send: (i: number) => Promise<unknown>): Promise<string[]> => {
    for (let i = 0; i < ITEMS; i++) await send(i);
    return signed.splice(0);
  };
  const requests = {
    get: await capture((i) => dynamodb.getItem({ TableName, Key: key((i * 7919) % ITEMS) })),
    put: await capture((i) => dynamodb.putItem({ TableName, Item: item((i * 7919) % ITEMS) })),
    update: await capture((i) =>
      dynamodb.updateItem({
        TableName,
        Key: key((i * 7919) % ITEMS),
        UpdateExpression: "SET #s = #s + :one",
        ExpressionAttributeNames: { "#s": "size" },
        ExpressionAttributeValues: { ":one": { N: "1" } },
      }),
    ),
    query: await capture((i) =>
      dynamodb.query({
        TableName,
        KeyConditionExpression: "id = :id",
        ExpressionAttributeValues: { ":id": key((i * 7919) % ITEMS).id },
      }),
    ),
  };
  dynamodb.destroy();
  return requests;
}

async function bareServer(): Promise<AsyncDisposable & { port: number }> {
  const answer = JSON.stringify({ Item: { id: { S: "constant" } } });
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** 32 connections, each sends its next request when it has its answer. */
async function load({ port, requests }: Job): Promise<Result> {
  const bytes = requests.map((request) => Buffer.from(request));
  const begin = performance.now() + WARM_UP_MS;
  const end = begin + MEASURE_MS;
  const times: number[] = [];
  let next = 0;
  let failed: string | undefined;
  const connection = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(port, "127.0.0.1").setNoDelay();
      let sent = 0;
      let received: Buffer = Buffer.alloc(0);
      const send = () => {
        sent = performance.now();
        socket.write(bytes[next++ % bytes.length]!);
      };
      socket.on("error", reject).on("close", () => resolve());
      socket.on("connect", send).on("data", (chunk: Buffer) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        const head = received.indexOf("\r\n\r\n");
        if (head < 0) return;
        const header = received.toString("latin1", 0, head);
        const length = Number(/content-length: (\d+)/i.exec(header)?.[1]);
        if (received.length < head + 4 + length) return;
        if (!header.startsWith("HTTP/1.1 200")) failed = received.toString();
        const now = performance.now();
        if (now > begin && now < end) times.push(now - sent);
        received = Buffer.alloc(0);
        if (now < end) send();
        else socket.destroy();
      });
    });
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return { perSecond: (times.length / MEASURE_MS) * 1000, p50: at(0.5), p99: at(0.99), failed };
}
