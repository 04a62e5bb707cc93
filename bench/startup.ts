// From the start of the process to the first answered request, and what it holds when idle. `node bench/startup.ts [DIR]`
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { S3 } from "@aws-sdk/client-s3";
import { type Child, freePort, REGION, scratch, spawnBare, spawnUp } from "./host.ts";
import { signed } from "./signed.ts";
import { median, ms, runAlone, type Table } from "./table.ts";

const ROUNDS = 7;
const IDLE_MS = 1000;
const RETRY_MS = 1;
const START_LIMIT_MS = 20_000;

interface Start {
  readonly ms: number;
  readonly memoryMb: number;
}

export async function measure(dir: string): Promise<Table[]> {
  await using workspace = await scratch(dir);
  const first: Start[] = [];
  const again: Start[] = [];
  const bare: Start[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await using fresh = await scratch(dir);
    bare.push(await started((port) => spawnBare(port), round === 0));
    first.push(await started((port) => spawnUp(fresh.path, port), false));
    again.push(await started((port) => spawnUp(workspace.path, port), round === 0));
  }
  const limit = median(bare.map((start) => start.ms));
  const row = (what: string, starts: Start[], aim = "") => {
    const took = median(starts.map((start) => start.ms));
    return [what, ms(took), ms(took - limit), starts[0]!.memoryMb ? starts[0]!.memoryMb.toFixed(0) : "", aim];
  };
  return [
    {
      title: "Start",
      note: `From the spawn of \`aws-like up\` to the answer to a signed ListBuckets, median of ${ROUNDS}. Bare: \`node\` with one file of node:http. Memory: RSS ${IDLE_MS / 1000} s later.`,
      head: ["", "ms", "over bare", "idle MB", "aim"],
      rows: [
        row("aws-like, a new workspace", first),
        row("aws-like, a workspace that is there", again, "≤ 200 ms"),
        row("limit: bare node:http", bare),
      ],
    },
  ];
}

async function started(spawn: (port: number) => Child, weigh: boolean): Promise<Start> {
  const port = await freePort();
  const request = await listBuckets(port);
  const begin = performance.now();
  await using child = spawn(port);
  while (!(await answers(port, request))) {
    if (performance.now() - begin > START_LIMIT_MS) throw new Error("it does not start");
    await new Promise((wait) => setTimeout(wait, RETRY_MS));
  }
  const took = performance.now() - begin;
  if (!weigh) return { ms: took, memoryMb: 0 };
  await new Promise((wait) => setTimeout(wait, IDLE_MS));
  return { ms: took, memoryMb: await memoryMb(child.process.pid!) };
}

async function listBuckets(port: number): Promise<Buffer> {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const client = new S3({ endpoint: `http://127.0.0.1:${port}`, region: REGION, credentials, forcePathStyle: true });
  const [request] = await signed(client, 1, () => client.listBuckets());
  client.destroy();
  return request!;
}

/** Nobody listens, or it says 503 as long as it starts: false. */
function answers(port: number, request: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    socket.once("data", (head: Buffer) => {
      socket.destroy();
      resolve(head.toString("latin1", 0, 12) === "HTTP/1.1 200");
    });
    socket.once("error", () => resolve(false));
  });
}

async function memoryMb(pid: number): Promise<number> {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))![1];
  return Number(kilobytes) / 1024;
}

if (import.meta.main) await runAlone(measure);
