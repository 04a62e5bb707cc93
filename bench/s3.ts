// Objects over HTTP, small ones at 32 connections, large ones at one, beside a bare node:http. `node bench/s3.ts [DIR]`
import { S3 } from "@aws-sdk/client-s3";
import { startBare, startHost } from "./host.ts";
import { type Compared, compare, openGenerator, REQUEST_HEAD, requestRow } from "./load.ts";
import { signed } from "./signed.ts";
import { ms, percent, runAlone, type Table, whole } from "./table.ts";

const SMALL = [
  { name: "1 KB", bytes: 1024, keys: 8192 },
  { name: "64 KB", bytes: 64 * 1024, keys: 512 },
];
/** So few that each was put before: an object replaces another. */
const REPLACED = 128;
const LARGE = { name: "100 MB", bytes: 100 * 1024 * 1024 };
const CONNECTIONS = 32;
const WARM_UP_MS = 100;
const MEASURE_MS = 1000;
const Bucket = "bench";

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  await using bare = await startBare();
  using generator = await openGenerator();
  const client = new S3(host.client);
  await client.createBucket({ Bucket });
  const small: string[][] = [];
  const compared = async (many: number, send: Send, connections: number) => {
    const requests = await generator.keep(await signed(client, many, send));
    const [warmUpMs, measureMs] = connections === 1 ? [0, MEASURE_MS] : [WARM_UP_MS, MEASURE_MS];
    return compare(generator, { host, bare }, { requests, connections, warmUpMs, measureMs });
  };
  for (const { name, bytes, keys } of SMALL) {
    const put = putOf(bytes, name);
    small.push(requestRow(`PutObject ${name}`, await compared(keys, put, CONNECTIONS)));
    if (bytes === 1024)
      small.push(requestRow(`PutObject ${name}, replaced`, await compared(REPLACED, put, CONNECTIONS)));
    small.push(requestRow(`GetObject ${name}`, await compared(REPLACED, getOf(name), CONNECTIONS)));
  }
  const large = [
    largeRow(`PutObject ${LARGE.name}`, await compared(1, putOf(LARGE.bytes, LARGE.name), 1)),
    largeRow(`GetObject ${LARGE.name}`, await compared(1, getOf(LARGE.name), 1)),
  ];
  client.destroy();
  return [
    {
      title: "S3, small objects",
      note: `${CONNECTIONS} connections, the SDK's own requests (signed payload, CRC32). Bare: node:http reads the request and answers as many bytes from memory. To replace a file takes ext4 longer than to make one: it writes the new bytes out at once.`,
      head: REQUEST_HEAD,
      rows: small,
    },
    {
      title: `S3, ${LARGE.name}`,
      note: "One connection. The same limit: the bare server neither hashes nor stores what it reads.",
      head: ["", "MB/s", "ms each", "bare MB/s", "share"],
      rows: large,
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

if (import.meta.main) await runAlone(measure);
