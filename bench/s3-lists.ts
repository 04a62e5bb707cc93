// Pages of a bucket's keys, and a file that is dropped until the API answers for it. `node bench/s3-lists.ts [DIR]`; DIR is on the disk to be measured
// (default: the current directory). The server is a process of its own, requests are presigned: what is measured is it, not the SDK.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { start } from "../src/aws.ts";

const MEASURE_MS = 1500;
const WARM_UP_MS = 300;
const KB = 1024;
const LISTED = 20_000;

if (process.argv[2] === "serve") await serve(process.argv[3]!);
else await measure(process.argv[2] ?? ".");

async function serve(dir: string): Promise<void> {
  const aws = await start({ dir, port: 0, output: "quiet" });
  process.send!(aws.endpoint);
  process.on("disconnect", () => aws[Symbol.asyncDispose]().then(() => process.exit(0)));
}

interface Line {
  readonly what: string;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

async function measure(parent: string): Promise<void> {
  const dir = await mkdtemp(join(parent, "bench-s3-"));
  const server = spawn(process.execPath, [import.meta.filename, "serve", dir], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  try {
    const endpoint = await new Promise<string>((resolve) => server.once("message", (text) => resolve(String(text))));
    const s3 = new S3Client({
      endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    await s3.send(new CreateBucketCommand({ Bucket: "bench" }));
    await listing(s3);
    await dropping(dir, s3);
    s3.destroy();
  } finally {
    server.disconnect();
    await new Promise((resolve) => server.once("exit", resolve));
    await rm(dir, { recursive: true });
  }
}

async function listing(s3: S3Client): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const puts = await Promise.all(
    Array.from({ length: LISTED }, (_, n) =>
      getSignedUrl(s3, new PutObjectCommand({ Bucket: "bench", Key: `listed/${n % 100}/${n}` })),
    ),
  );
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < LISTED; n = next++) await send(agent, "PUT", puts[n]!, Buffer.from("x"));
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  const page = await getSignedUrl(s3, new ListObjectsV2Command({ Bucket: "bench", Prefix: "listed/5" }));
  const rolled = await getSignedUrl(
    s3,
    new ListObjectsV2Command({ Bucket: "bench", Prefix: "listed/", Delimiter: "/" }),
  );
  print(`ListObjectsV2, ${LISTED} keys`, [
    await rate("1000 keys", 1, () => send(agent, "GET", page)),
    await rate("100 common prefixes of 200 keys each", 1, () => send(agent, "GET", rolled)),
  ]);
  agent.destroy();
}

/** From the end of writing a file to the object that the API answers for. */
async function dropping(dir: string, s3: S3Client): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const body = Buffer.alloc(KB, "d");
  const heads = await Promise.all(
    Array.from({ length: 300 }, (_, n) =>
      getSignedUrl(s3, new HeadObjectCommand({ Bucket: "bench", Key: `dropped/${n}` })),
    ),
  );
  await send(
    agent,
    "PUT",
    await getSignedUrl(s3, new PutObjectCommand({ Bucket: "bench", Key: "dropped/first" })),
    body,
  );
  const times: number[] = [];
  for (const [n, head] of heads.entries()) {
    await writeFile(join(dir, "buckets/bench/dropped", `${n}`), body);
    const closed = performance.now();
    while ((await send(agent, "HEAD", head)) !== 200);
    times.push(performance.now() - closed);
  }
  agent.destroy();
  print("a file of 1 KB is dropped: close(2) to HeadObject's 200", [
    summary(
      "dropped",
      times,
      times.reduce((a, b) => a + b, 0),
    ),
  ]);
}

function send(agent: Agent, method: string, url: string, body?: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      { agent, method, headers: body ? { "content-length": body.length } : {} },
      (answer: IncomingMessage) => {
        answer.resume();
        answer.on("end", () => {
          if (answer.statusCode! >= 400 && answer.statusCode !== 404)
            reject(new Error(`${method} ${answer.statusCode}`));
          else resolve(answer.statusCode!);
        });
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

async function rate(what: string, workers: number, work: (n: number) => Promise<unknown>): Promise<Line> {
  let n = 0;
  const run = async (until: number, times: number[]) => {
    const worker = async () => {
      while (performance.now() < until) {
        const began = performance.now();
        await work(n++);
        times.push(performance.now() - began);
      }
    };
    await Promise.all(Array.from({ length: workers }, worker));
  };
  await run(performance.now() + WARM_UP_MS, []);
  const times: number[] = [];
  const began = performance.now();
  await run(began + MEASURE_MS, times);
  return summary(what, times, performance.now() - began);
}

function summary(what: string, times: number[], elapsedMs: number): Line {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]! * 100) / 100;
  return { what, perSecond: Math.round((times.length * 1000) / elapsedMs), p50: at(0.5), p99: at(0.99) };
}

function print(title: string, lines: readonly Line[]): void {
  console.log(`\n${title} (ms)`);
  console.table(lines);
}
