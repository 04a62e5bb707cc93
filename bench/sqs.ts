// A queue over HTTP, empty and with a million messages waiting, beside a bare node:http. `node bench/sqs.ts [DIR]`
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SQS } from "@aws-sdk/client-sqs";
import { type Bare, cpuMs, type Host, settled, startBare, startHost } from "./host.ts";
import { type Clients, type Done, openClients, type Work } from "./sqs-client.ts";
import { median, ms, percent, runAlone, type Table, whole } from "./table.ts";

const CONNECTIONS = [1, 32] as const;
const BACKLOGS = [0, 1_000_000] as const;
const MEASURE_MS = 800;
const WARM_UP_MS = 200;
const FIRST_MS = 2500;
const ROUNDS = 3;
/** About what a send and a receive are answered with. */
const BARE_BYTES = 350;
const PER_REQUEST = ["send", "receive", "delete"] as const;

interface Measured {
  readonly waiting: number;
  readonly connections: number;
  readonly ours: Done;
  readonly bare: Done;
  readonly share: number;
  /** Of the server, in all its threads, µs a request. */
  readonly cpuMicros: number;
  readonly bareCpuMicros: number;
  readonly each: Readonly<Record<(typeof PER_REQUEST)[number], Done>>;
}

export async function measure(dir: string): Promise<Table[]> {
  await using bare = await startBare();
  await bare.answer(BARE_BYTES);
  using clients = openClients();
  const measured: Measured[] = [];
  let wake: Done | undefined;
  for (const waiting of BACKLOGS) {
    await using host = await startHost(dir);
    const client = new SQS(host.client);
    const { QueueUrl } = await client.createQueue({ QueueName: "bench" });
    client.destroy();
    const of = { port: host.port, queueUrl: QueueUrl!, bare: false, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS };
    if (waiting === 0) {
      await clients.run({ ...of, what: "cycle", connections: 32, measureMs: FIRST_MS });
      await clients.run({ ...of, what: "wake", connections: 1, measureMs: 500 });
      wake = await clients.run({ ...of, what: "wake", connections: 1, measureMs: 2 * MEASURE_MS });
    }
    fill(host, waiting);
    await clients.run({ ...of, what: "cycle", connections: 32, measureMs: FIRST_MS });
    for (const connections of CONNECTIONS)
      measured.push({ waiting, connections, ...(await compare(clients, { ...of, connections }, { host, bare })) });
  }
  return [cycles(measured, wake!), requests(measured)];
}

type Against = Omit<Work, "what">;

/** Rounds by turns, so that both meet the same machine; then each kind of request for itself. */
async function compare(clients: Clients, of: Against, { host, bare }: { host: Host; bare: Bare }) {
  const rounds: { ours: Weighed; bare: Weighed }[] = [];
  for (let round = 0; round < ROUNDS; round++)
    rounds.push({
      bare: await weighed(clients, { ...of, port: bare.port, bare: true }, bare.pid),
      ours: await weighed(clients, of, host.pid),
    });
  const middle = (runs: readonly Done[]): Done => ({
    perSecond: median(runs.map((run) => run.perSecond)),
    p50: median(runs.map((run) => run.p50)),
    p99: median(runs.map((run) => run.p99)),
    count: runs.reduce((sum, run) => sum + run.count, 0),
  });
  const each = {} as Record<(typeof PER_REQUEST)[number], Done>;
  // What is sent is there to be received, and what is received to be deleted.
  for (const what of PER_REQUEST) each[what] = await clients.run({ ...of, what, warmUpMs: 0 });
  return {
    cpuMicros: median(rounds.map(({ ours }) => ours.cpuMicros)),
    bareCpuMicros: median(rounds.map((round) => round.bare.cpuMicros)),
    ours: middle(rounds.map(({ ours }) => ours)),
    bare: middle(rounds.map((round) => round.bare)),
    share: median(rounds.map(({ ours, bare }) => ours.perSecond / bare.perSecond)),
    each,
  };
}

type Weighed = Done & { readonly cpuMicros: number };

/** Without a warm-up: each request that is weighed is counted. */
async function weighed(clients: Clients, of: Against, pid: number): Promise<Weighed> {
  const before = cpuMs(pid);
  const done = await clients.run({ ...of, what: "cycle", warmUpMs: 0 });
  return { ...done, cpuMicros: ((cpuMs(pid) - before) * 1000) / done.count };
}

/** By SQL straight into the store: messages of an hour ago, as the API would have sent them. */
function fill(host: Host, messages: number): void {
  if (messages === 0) return;
  using db = new DatabaseSync(join(host.dir, "db.sqlite"), { timeout: 10_000 });
  db.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144");
  const number = db.prepare("SELECT number FROM sqs_queue").get()!.number as number;
  const insert = db.prepare(
    `INSERT INTO sqs_message (queue_number, sequence, message_id, body, attributes, sender_id, sent_ms, visible_ms, receives)
     VALUES (?, ?, ?, ?, '{}', '000000000000', ?, ?, 0)`,
  );
  const body = "x".repeat(300);
  const from = Date.now() - 3_600_000;
  db.exec("BEGIN IMMEDIATE");
  for (let i = 0; i < messages; i++) {
    const at = from + Math.floor(i / 500);
    const id = `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
    insert.run(number, BigInt(at) * 1024n + BigInt(i % 500), id, body, at, at);
  }
  db.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  settled(host);
}

function cycles(measured: readonly Measured[], wake: Done): Table {
  const baseOf = (connections: number) => measured.find((one) => one.waiting === 0 && one.connections === connections)!;
  return {
    title: "SQS: send, receive, delete",
    note: `Messages of 300 bytes, one a request; each connection sends, receives and deletes in turn, and nothing is answered before it is on the disk. Bare: node:http reads the same requests and answers ${BARE_BYTES} bytes. A send wakes a long poll: its answer is there ${ms(wake.p50)} ms after the send began, ${ms(wake.p99)} ms at p99. Aims: a share of 20 %; with a million waiting at most 1.3 times slower.`,
    head: [
      "",
      "requests/s",
      "p50 ms",
      "p99 ms",
      "CPU µs",
      "bare: requests/s",
      "CPU µs",
      "share",
      "aim",
      "slower, times",
    ],
    rows: measured.map(({ waiting, connections, ours, bare, share, cpuMicros, bareCpuMicros }) => [
      `${whole(waiting)} waiting, at ${connections}`,
      whole(ours.perSecond),
      ms(ours.p50),
      ms(ours.p99),
      whole(cpuMicros),
      whole(bare.perSecond),
      whole(bareCpuMicros),
      percent(share),
      connections > 1 ? "≥ 20 %" : "",
      waiting === 0 ? "" : (baseOf(connections).ours.perSecond / ours.perSecond).toFixed(2),
    ]),
  };
}

const requests = (measured: readonly Measured[]): Table => ({
  title: "SQS: each request for itself",
  note: "The same, sends alone, then receives of what was sent, then deletes of what was received. A second; and ms.",
  head: ["", ...PER_REQUEST.flatMap((what) => [`${what}/s`, "p50", "p99"])],
  rows: measured.map(({ waiting, connections, each }) => [
    `${whole(waiting)} waiting, at ${connections}`,
    ...PER_REQUEST.flatMap((what) => [whole(each[what].perSecond), ms(each[what].p50), ms(each[what].p99)]),
  ]),
});

if (import.meta.main) await runAlone(measure);
