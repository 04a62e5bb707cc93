// Objects over HTTP at one connection and at 32, beside a bare node:http, md5sum, cp and fsync of the same bytes. `node bench/s3.ts [DIR]`
import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { S3 } from "@aws-sdk/client-s3";
import { startBare, startHost } from "./host.ts";
import { type Compared, compare, openGenerator, REQUEST_HEAD, requestRow } from "./load.ts";
import { signed } from "./signed.ts";
import { median, ms, percent, runAlone, type Table, whole } from "./table.ts";

const SIZES = [
  { name: "1 KB", bytes: 1024, keys: 8192 },
  { name: "64 KB", bytes: 64 * 1024, keys: 512 },
  { name: "1 MB", bytes: 1024 * 1024, keys: 32 },
];
/** So few that each was put before: an object replaces another. */
const REPLACED = 128;
const LARGE = { name: "100 MB", bytes: 100 * 1024 * 1024 };
const CONNECTIONS = [1, 32];
const WARM_UP_MS = 100;
const MEASURE_MS = 1000;
/** As many as one DeleteObjects takes. */
const DELETED = 1000;
const DELETES = 3;
const FSYNCS = 300;
const Bucket = "bench";

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  await using bare = await startBare();
  using generator = await openGenerator();
  // A connection that lay idle through a measurement may be closed by then.
  const client = new S3({ ...host.client, maxAttempts: 3 });
  await client.createBucket({ Bucket });
  const small: string[][] = [];
  const compared = async (many: number, send: Send, connections: number, file?: string) => {
    const requests = await generator.keep(await signed(client, many, send));
    const [warmUpMs, measureMs] = connections === 1 ? [0, MEASURE_MS] : [WARM_UP_MS, MEASURE_MS];
    return compare(generator, { host, bare, ...(file && { file }) }, { requests, connections, warmUpMs, measureMs });
  };
  for (const { name, bytes, keys } of SIZES) {
    const put = putOf(bytes, name);
    const got = Math.min(keys, REPLACED);
    await inTurns(Array.from({ length: got }).keys().toArray(), (i) => put(client, i));
    for (const connections of CONNECTIONS) {
      const what = (operation: string) => `${operation} ${name}, ${connections}`;
      small.push(requestRow(what("PutObject"), await compared(keys, put, connections)));
      if (bytes === 1024 && connections > 1)
        small.push(requestRow(`${what("PutObject")}, replaced`, await compared(REPLACED, put, connections)));
      small.push(requestRow(what("GetObject"), await compared(got, getOf(name), connections)));
    }
  }
  const large = [
    largeRow(`PutObject ${LARGE.name}`, await compared(1, putOf(LARGE.bytes, LARGE.name), 1)),
    largeRow(
      `GetObject ${LARGE.name}`,
      await compared(1, getOf(LARGE.name), 1, join(host.dir, "buckets", Bucket, keyOf(LARGE.name, 0))),
    ),
    hashes(),
    ...tools(dir).map(([what, took]) => [what, whole(LARGE.bytes / took / 1e3), ms(took), "", ""]),
  ];
  const disk = [
    ["fsync of a new file of 1 KB", ms(syncs(dir))],
    [`DeleteObjects of ${DELETED}`, ms(await deletes(client))],
  ];
  client.destroy();
  return [
    {
      title: "S3, objects",
      note: "The SDK's own requests (signed payload, CRC32); the last figure is the connections. Bare: node:http reads the request and answers as many bytes from memory. To replace a file takes ext4 longer than to make one: it writes the new bytes out at once.",
      head: REQUEST_HEAD,
      rows: small,
    },
    {
      title: `S3, ${LARGE.name}`,
      note: "One connection. A bare PUT neither hashes nor stores what it reads; a bare GET streams the same file (aim: 80 %). Beside it what the hashes of a PUT take (aim: 60 % of their rate), and the system's own tools, for the same bytes.",
      head: ["", "MB/s", "ms each", "bare MB/s", "share"],
      rows: large,
    },
    {
      title: "S3, the disk",
      note: "Medians. A small durable PUT waits for its file, its directory and the database's log; concurrent ones share the last two.",
      head: ["", "ms"],
      rows: disk,
    },
  ];
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

const largeRow = (what: string, { ours, bare, share }: Compared): string[] => {
  const megabytes = (perSecond: number) => whole((perSecond * LARGE.bytes) / 1e6);
  return [what, megabytes(ours.perSecond), ms(ours.p50), megabytes(bare.perSecond), percent(share)];
};

/** What the SDK's PUT demands of one thread: its signature's SHA-256, its CRC32, and S3's MD5. */
function hashes(): string[] {
  const bytes = Buffer.alloc(LARGE.bytes, "0123456789abcdef");
  const times = Array.from({ length: 3 }, () => {
    const began = performance.now();
    hash("sha256", bytes);
    hash("md5", bytes);
    crc32(bytes);
    return performance.now() - began;
  });
  const took = median(times);
  return ["SHA-256, MD5 and CRC32", whole(LARGE.bytes / took / 1e3), ms(took), "", ""];
}

/** ms of md5sum, and of cp with fsync, of one large file. */
function tools(dir: string): [string, number][] {
  const folder = mkdtempSync(join(resolve(dir), ".bench-"));
  try {
    const [from, to] = [join(folder, "from"), join(folder, "to")];
    writeFileSync(from, Buffer.alloc(LARGE.bytes, "0123456789abcdef"));
    const commands: Readonly<Record<string, readonly string[]>> = {
      "md5sum (a PUT does it, and CRC32 and SHA-256)": ["md5sum", from],
      sha256sum: ["sha256sum", from],
      "cp, and sync of the copy (a PUT does both)": ["sh", "-c", 'cp "$0" "$1" && sync "$1"', from, to],
    };
    return Object.entries(commands).map(([what, [command, ...args]]) => {
      const times = Array.from({ length: 3 }, () => {
        const began = performance.now();
        execFileSync(command!, args);
        return performance.now() - began;
      });
      return [what, median(times)];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** ms */
function syncs(dir: string): number {
  const folder = mkdtempSync(join(resolve(dir), ".bench-"));
  try {
    const bytes = Buffer.alloc(1024, "x");
    const times = Array.from({ length: FSYNCS }, (_, n) => {
      const fd = openSync(join(folder, String(n)), "wx");
      writeSync(fd, bytes);
      const began = performance.now();
      fsyncSync(fd);
      const took = performance.now() - began;
      closeSync(fd);
      return took;
    });
    return median(times);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function deletes(client: S3): Promise<number> {
  const keys = Array.from({ length: DELETED }, (_, n) => `deleted/${n}`);
  const times: number[] = [];
  for (let round = 0; round < DELETES; round++) {
    await inTurns(keys, (Key) => client.putObject({ Bucket, Key, Body: "x" }));
    const began = performance.now();
    await client.deleteObjects({ Bucket, Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) } });
    times.push(performance.now() - began);
  }
  return median(times);
}

async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}

if (import.meta.main) await runAlone(measure);
