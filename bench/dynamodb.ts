// Operations on items over HTTP, at 1 and at 32 connections, beside a bare node:http and a bare prepared statement. `node bench/dynamodb.ts [DIR]`
import { readFileSync } from "node:fs";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { bareStatement, fill, scattered, subjects } from "./dynamodb-items.ts";
import { startBare, startHost } from "./host.ts";
import { type Compared, compare, openGenerator, REQUEST_HEAD, requestRow } from "./load.ts";
import { signed } from "./signed.ts";
import { runAlone, type Table, whole } from "./table.ts";

const CONNECTIONS = [1, 32] as const;
const WARM_UP_MS = 100;
const MEASURE_MS = 500;

export const measure = async (dir: string): Promise<Table[]> => [tableOf(await measured(dir, 1000))];

interface Row {
  readonly what: string;
  readonly aim: string;
  readonly compared: Compared;
}

export interface Measured {
  readonly items: number;
  readonly rows: readonly Row[];
  /** µs of the prepared statement that reads one. */
  readonly statement: number;
  /** Of the server, MB: when it was filled, and in the end. */
  readonly memory: readonly [number, number];
}

/** Each round of requests goes to other items, all over the table. */
export async function measured(dir: string, items: number): Promise<Measured> {
  await using host = await startHost(dir);
  await using bare = await startBare();
  using generator = await openGenerator();
  const client = new DynamoDB(host.client);
  await fill(client, host, items);
  const rows: Row[] = [];
  const before = residentMb(host.pid);
  for (const { what, aim, requests: many, send } of subjects) {
    const touching = (of: DynamoDB, i: number) => send(of, scattered(i, items));
    const requests = await generator.keep(await signed(client, many, touching));
    for (const connections of CONNECTIONS) {
      const load = { requests, connections, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS };
      const compared = await compare(generator, { host, bare }, load);
      rows.push({ what: `${what}, at ${connections}`, aim: connections > 1 ? aim : "", compared });
    }
  }
  client.destroy();
  return { items, rows, statement: bareStatement(host, items), memory: [before, residentMb(host.pid)] };
}

export const tableOf = ({ items, rows, statement, memory }: Measured): Table => ({
  title: `DynamoDB, ${whole(items)} items`,
  note: `Items of 330 bytes, 1 and 32 connections. Bare: node:http reads the request and answers as many bytes; the prepared statement that reads one of these items takes ${statement.toFixed(1)} µs. A write is on the disk when it is answered. The server held ${memory.map(whole).join(" MB, then ")} MB.`,
  head: REQUEST_HEAD,
  rows: rows.map(({ what, aim, compared }) => requestRow(what, compared, aim)),
});

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;

if (import.meta.main) await runAlone(measure);
