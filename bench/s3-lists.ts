// Pages of a bucket of a million keys: what a page costs must not grow with the bucket. `node bench/s3-lists.ts [DIR]`
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { S3 } from "@aws-sdk/client-s3";
import { cpuMs, startHost } from "./host.ts";
import { openGenerator } from "./load.ts";
import { signed } from "./signed.ts";
import { ms, runAlone, type Table, whole } from "./table.ts";

const KEYS = 1_000_000;
const BELOW_ONE_PREFIX = 1000;
const MEASURE_MS = 1500;
const WARM_UP_MS = 1000;
const Bucket = "bench";

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  using generator = await openGenerator();
  const client = new S3(host.client);
  await client.createBucket({ Bucket });
  const middle = "listed/0500/";
  const pages: Readonly<Record<string, (s3: S3) => Promise<unknown>>> = {
    "1,000 keys, the first": (s3) => s3.listObjectsV2({ Bucket }),
    "1,000 keys, in the middle": (s3) => s3.listObjectsV2({ Bucket, StartAfter: `${middle}500000` }),
    "1,000 keys and versions": (s3) => s3.listObjectVersions({ Bucket, KeyMarker: middle }),
    "1,000 common prefixes": (s3) => s3.listObjectsV2({ Bucket, Prefix: "listed/", Delimiter: "/" }),
    "1 common prefix": (s3) => s3.listObjectsV2({ Bucket, Delimiter: "/" }),
    "1 key": (s3) => s3.listObjectsV2({ Bucket, Prefix: `${middle}500000` }),
  };
  const rows: string[][] = [];
  const run = async (what: string, many: number, connections: number) => {
    const requests = await generator.keep(await signed(client, 1, pages[what]!));
    const load = { port: host.port, requests, connections, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS };
    await generator.run({ ...load, measureMs: 0 });
    const before = cpuMs(host.pid);
    const { perSecond, p50, p99, count } = await generator.run({ ...load, warmUpMs: 0 });
    const cpu = (cpuMs(host.pid) - before) / count;
    rows.push([what, whole(many), String(connections), whole(perSecond), ms(p50), ms(p99), ms(cpu)]);
  };
  fill(join(host.dir, "db.sqlite"), 0, BELOW_ONE_PREFIX);
  await run("1,000 keys, the first", BELOW_ONE_PREFIX, 1);
  fill(join(host.dir, "db.sqlite"), BELOW_ONE_PREFIX, KEYS);
  for (const what of Object.keys(pages)) await run(what, KEYS, 1);
  await run("1,000 keys, in the middle", KEYS, 32);
  client.destroy();
  return [
    {
      title: "S3, lists",
      note: `Of ${whole(KEYS)} keys, ${whole(BELOW_ONE_PREFIX)} below each prefix. Aim: p99 <= 15 ms at one connection.`,
      head: ["a page of", "of keys", "connections", "pages/s", "p50 ms", "p99 ms", "CPU ms"],
      rows,
    },
  ];
}

/** Rows without bytes: a list reads none. */
function fill(path: string, from: number, until: number): void {
  using database = new DatabaseSync(path);
  database
    .prepare(
      `WITH RECURSIVE number (n) AS (SELECT :from UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :until)
       INSERT INTO s3_object (bucket, key, rank, version_id, current, delete_marker, size, etag, modified_ms, side, fingerprint, storage_class, checksum)
       SELECT :bucket, printf('listed/%04d/%06d', n / ${BELOW_ONE_PREFIX}, n), -n, 'null', 1, 0, 1024, 'd41d8cd98f00b204e9800998ecf8427e',
         1700000000000, printf('%032d', n), '0:1024:0', 'STANDARD', '{"algorithm":"CRC64NVME","type":"FULL_OBJECT","value":"AAAAAAAAAAA="}' FROM number`,
    )
    .run({ from, until, bucket: Bucket });
}

if (import.meta.main) await runAlone(measure);
