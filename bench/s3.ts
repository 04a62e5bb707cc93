// Objects over HTTP, durable: put, got and deleted, beside what node:http with node:fs, the disk, the hashes and the shell do with the same bytes.
// `node bench/s3.ts [DIR]`
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { scratch, startBareFiles, startHost } from "./host.ts";
import { type Compared, compare, openGenerator } from "./load.ts";
import { signed } from "./signed.ts";
import { median, ms, percent, runAlone, type Table, whole } from "./table.ts";

const KB = 1024;
const LARGE = 100 * KB * KB;
const SIZES = [
  { name: "1 KB", bytes: KB, keys: 4096 },
  { name: "64 KB", bytes: 64 * KB, keys: 512 },
  { name: "1 MB", bytes: KB * KB, keys: 16 },
  { name: "100 MB", bytes: LARGE, keys: 1 },
];
const CONNECTIONS = [1, 32];
/** So few that each was put before: an object replaces another. */
const REPLACED = 128;
const MEASURE_MS = 600;
const DELETED = 1000;
const ROUNDS = 3;
const Bucket = "bench";

const HEAD = ["", "per second", "p50 ms", "CPU µs", "http + fs", "CPU µs", "share", "aim", "limit", "share", "aim"];

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  await using place = await scratch(dir);
  await using bare = await startBareFiles(place.path);
  using generator = await openGenerator();
  using client = disposable(new S3(host.client));
  await client.s3.createBucket({ Bucket });
  const rows: string[][] = [];
  const line = async (what: string, { many, send, connections, bytes, limit, aims }: Line) => {
    const requests = await generator.keep(await signed(client.s3, many, send));
    // Each of 32 takes or brings 100 MB once: that is enough to wait for.
    const measureMs = bytes === LARGE && connections > 1 ? 0 : MEASURE_MS;
    const load = { requests, connections, warmUpMs: 0, measureMs };
    rows.push(rowOf(what, await compare(generator, { host, bare }, load, limit), aims));
  };
  for (const { name, bytes, keys } of SIZES)
    for (const connections of CONNECTIONS) {
      const many = `${name}, ${connections} at once`;
      const sync = { bytes, hands: connections, ms: MEASURE_MS / 2 };
      const limit = () => bare.ask(bytes === LARGE ? { hash: { bytes, ms: MEASURE_MS } } : { sync });
      const put = putOf(bytes, name);
      const aims = {
        ofLimit: connections === 1 && bytes === LARGE ? 0.6 : connections === 32 && bytes === KB ? 0.5 : undefined,
      };
      await line(`PUT ${many}`, { many: keys, send: put, connections, bytes, limit, aims });
      if (bytes === KB && connections > 1)
        await line(`PUT ${many}, replaced`, { many: REPLACED, send: put, connections, bytes, limit, aims: {} });
      const got = Math.min(keys, REPLACED);
      const share = bytes === LARGE && connections === 1 ? 0.8 : undefined;
      await line(`GET ${many}`, { many: got, send: getOf(name), connections, bytes, aims: { share } });
    }
  return [
    {
      title: "S3, objects",
      note: "The SDK's own requests (signed payload, CRC32); every put is on the disk when it is answered. http + fs: node:http that writes the body to a file, syncs it, gives it its name and syncs that, or streams it from there. Limit of a put: as many new files of that size written and synced by as many at once, without HTTP and without a name of their own to sync; of 100 MB: MD5, SHA-256 and CRC32 of the bytes on one thread.",
      head: HEAD,
      rows,
    },
    {
      title: "S3, by hand",
      note: "What a person at the shell, or a program on the file system, does instead. The median of three, in ms.",
      head: ["", "ms", "by hand, ms"],
      rows: [await deletes(client.s3, place.path), await copies(client.s3, place.path)],
    },
  ];
}

interface Line {
  readonly many: number;
  readonly send: Send;
  readonly connections: number;
  readonly bytes: number;
  readonly limit?: () => Promise<number>;
  readonly aims: { readonly share?: number | undefined; readonly ofLimit?: number | undefined };
}

type Send = (client: S3, i: number) => Promise<unknown>;

const keyOf = (of: string, i: number) => `${of}/object-${i}`;
const putOf = (bytes: number, of: string): Send => {
  const Body = Buffer.alloc(bytes, "0123456789abcdef");
  return (client, i) => client.putObject({ Bucket, Key: keyOf(of, i), Body });
};
const getOf =
  (of: string): Send =>
  (client, i) =>
    client.getObject({ Bucket, Key: keyOf(of, i) });

function rowOf(what: string, compared: Compared, aims: Line["aims"]): string[] {
  const { ours, bare, share, limit, ofLimit } = compared;
  const rate = (perSecond: number) => (perSecond < 20 ? perSecond.toFixed(1) : whole(perSecond));
  const limited = Number.isNaN(limit) ? ["", ""] : [rate(limit), percent(ofLimit)];
  const aim = (value: number | undefined) => (value === undefined ? "" : percent(value));
  return [
    what,
    ...[rate(ours.perSecond), ms(ours.p50), whole(ours.cpuMicros), rate(bare.perSecond), whole(bare.cpuMicros)],
    ...[percent(share), aim(aims.share), ...limited, aim(aims.ofLimit)],
  ];
}

/** DeleteObjects of a thousand, beside unlink(2) of as many files and a sync of their directory. */
async function deletes(client: S3, dir: string): Promise<string[]> {
  const Objects = Array.from({ length: DELETED }, (_, i) => ({ Key: keyOf("deleted", i) }));
  const ours: number[] = [];
  const limit: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (let at = 0; at < DELETED; at += 50)
      await Promise.all(Objects.slice(at, at + 50).map(({ Key }) => client.putObject({ Bucket, Key, Body: "x" })));
    ours.push(await timed(() => client.deleteObjects({ Bucket, Delete: { Objects } })));
    const paths = Objects.map((_, i) => join(dir, `deleted-${i}`));
    for (const path of paths) writeFileSync(path, "x");
    limit.push(
      await timed(async () => {
        await Promise.all(paths.map((path) => unlink(path)));
        await using directory = await open(dir);
        await directory.sync();
      }),
    );
  }
  return [`DELETE of ${whole(DELETED)}`, ms(median(ours)), ms(median(limit))];
}

/** PutObject by the SDK, beside `md5sum` and `cp` of the same file, synced. */
async function copies(client: S3, dir: string): Promise<string[]> {
  const Body = randomBytes(LARGE);
  mkdirSync(join(dir, "copy"));
  writeFileSync(join(dir, "copy", "from"), Body);
  const ours: number[] = [];
  const byHand: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await timed(() => client.putObject({ Bucket, Key: "copied", Body })));
    const script = "md5sum from && cp from to && sync to";
    byHand.push(await timed(async () => execFileSync("sh", ["-c", script], { cwd: join(dir, "copy") })));
  }
  return ["PUT of 100 MB by the SDK (it hashes as well) / md5sum, cp, sync", ms(median(ours)), ms(median(byHand))];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

const disposable = (s3: S3) => ({ s3, [Symbol.dispose]: () => s3.destroy() });

if (import.meta.main) await runAlone(measure);
