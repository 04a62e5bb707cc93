// From the end of writing a file (close(2)) to the first line of the function that its event runs. `node bench/drop.ts [DIR]`
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as rest } from "node:timers/promises";
import { Lambda } from "@aws-sdk/client-lambda";
import { S3 } from "@aws-sdk/client-s3";
import { createFunctions, firstLine, functions } from "./functions.ts";
import { ACCOUNT, type Host, REGION, scratch, startHost } from "./host.ts";
import { ms, quantile, runAlone, type Table } from "./table.ts";

const WARM_UP = 10;
const FILES = 100;
const CONTENT = Buffer.alloc(1024, "x");
const LOOK_AGAIN_MS = 5;
const LIMIT_MS = 10_000;
const AIMS: Readonly<Record<string, string>> = { bash: "p50 ≤ 10", node: "p50 ≤ 5" };

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  const lambda = new Lambda(host.client);
  await createFunctions(host, lambda);
  const s3 = new S3(host.client);
  const rows: string[][] = [];
  for (const { name } of functions) {
    const bucket = await connect(name, s3, lambda);
    const took: number[] = [];
    for (let i = -WARM_UP; i < FILES; i++) {
      const one = await drop(host, { bucket, name, file: `file${i + WARM_UP}x` });
      if (i >= 0) took.push(one);
    }
    rows.push(row(`${name} function`, took, AIMS[name]));
  }
  rows.push(row("limit: one durable commit", await commits(dir)));
  s3.destroy();
  lambda.destroy();
  return [
    {
      title: "A dropped file runs a function",
      note: `From close(2) of a 1 KB file in a bucket's directory to the first line of a warm handler, by the wall clock, in ms; ${FILES} files, one at a time: inotify, hash, row, notification, permission, asynchronous invoke. Two durable commits are on the way: the row with its notification, and the accepted invoke. No settle time is in it: inotify says that the file is finished.`,
      head: ["", "p50", "p99", "max", "aim"],
      rows,
    },
  ];
}

const row = (what: string, took: number[], aim = ""): string[] => [
  what,
  ...[quantile(took, 0.5), quantile(took, 0.99), Math.max(...took)].map(ms),
  aim,
];

/** How long SQLite alone takes to have a row on this disk, in ms. */
async function commits(dir: string): Promise<number[]> {
  await using place = await scratch(dir);
  const db = new DatabaseSync(join(place.path, "limit.sqlite"));
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE item (name TEXT PRIMARY KEY)");
  const insert = db.prepare("INSERT INTO item (name) VALUES (?)");
  const took: number[] = [];
  for (let i = 0; i < FILES; i++) {
    const start = performance.now();
    insert.run(`item ${i}`);
    took.push(performance.now() - start);
  }
  db.close();
  return took;
}

/** A bucket whose new objects run the function. */
async function connect(name: string, s3: S3, lambda: Lambda): Promise<string> {
  const Bucket = `drop-${name}`;
  const arn = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;
  await s3.createBucket({ Bucket });
  await lambda.addPermission({
    FunctionName: name,
    StatementId: "s3",
    Action: "lambda:InvokeFunction",
    Principal: "s3.amazonaws.com",
    SourceArn: `arn:aws:s3:::${Bucket}`,
    SourceAccount: ACCOUNT,
  });
  await s3.putBucketNotificationConfiguration({
    Bucket,
    NotificationConfiguration: {
      LambdaFunctionConfigurations: [{ LambdaFunctionArn: arn, Events: ["s3:ObjectCreated:*"] }],
    },
  });
  return Bucket;
}

/** ms from close(2) to the handler's first line, which is read in the function's log file. */
async function drop(
  host: Host,
  { bucket, name, file }: { bucket: string; name: string; file: string },
): Promise<number> {
  const written = openSync(join(host.dir, "buckets", bucket, file), "w");
  writeSync(written, CONTENT);
  closeSync(written);
  const closed = performance.timeOrigin + performance.now();
  const day = new Date(closed).toISOString().slice(0, 10);
  const log = join(host.dir, "logs", "lambda", name, `${day}.log`);
  for (const end = closed + LIMIT_MS; performance.timeOrigin + performance.now() < end; ) {
    await rest(LOOK_AGAIN_MS);
    const first = firstLine(textOf(log), file);
    if (first !== undefined) return first - closed;
  }
  throw new Error(`${file} in ${bucket} ran no function`);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // nothing ran yet
  }
}

if (import.meta.main) await runAlone(measure);
