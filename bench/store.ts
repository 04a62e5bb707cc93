// What the store costs beside its limit: durable small writes and reads of one row, on SQLite, and on PostgreSQL where it is installed.
// `node bench/store.ts [DIR]`
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openStore } from "../src/store/open.ts";
import type { Store } from "../src/store/store.ts";
import { startPostgres } from "../tools/postgres.ts";
import { scratch } from "./host.ts";
import { runAlone, type Table, whole } from "./table.ts";

const MEASURE_MS = 400;
const WARM_UP_MS = 100;
const ROWS = 10_000;

const TABLE =
  "CREATE TABLE item (account TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (account, name))";
const INSERT = `INSERT INTO item (account, name, value) VALUES (:account, :name, :value)
  ON CONFLICT (account, name) DO UPDATE SET value = excluded.value`;
const SELECT = "SELECT name, value FROM item WHERE account = :account AND name = :name";

const account = "000000000000";
/** Never the same: SQLite does not write a page that stays as it was. */
const textOf = (i: number): string => `${i}`.padEnd(200, "x");
const nameOf = (i: number): string => `item-${(i * 7919) % ROWS}`;

interface Line {
  readonly what: string;
  readonly perSecond: number;
}

export async function measure(dir: string): Promise<Table[]> {
  await using place = await scratch(dir);
  const sqlite = [...limits(join(place.path, "limit.sqlite")), ...(await engine(join(place.path, "db.sqlite")))];
  await using postgres = await startPostgres();
  return [
    table("The store on SQLite", sqlite),
    ...(postgres ? [table("The store on PostgreSQL", await engine(await postgres.createDatabase()))] : []),
  ];
}

const table = (title: string, lines: readonly Line[]): Table => ({
  title,
  note: title.endsWith("SQLite")
    ? "Transactions of one statement, without HTTP. Limit: the same statements, prepared, straight on node:sqlite."
    : "The same, on a PostgreSQL of this machine that does not wait for the disk (fsync=off).",
  head: ["", "per second", "µs each"],
  rows: lines.map(({ what, perSecond }) => [what, whole(perSecond), (1e6 / perSecond).toFixed(1)]),
});

/** The same statements, prepared, without a promise: in one transaction, and one durable transaction each. */
function limits(file: string): Line[] {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${TABLE}`);
  const insert = db.prepare(INSERT);
  const select = db.prepare(SELECT);
  let i = 0;
  const write = () => void insert.run({ account, name: nameOf(i), value: textOf(i++) });
  const read = () => void select.get({ account, name: nameOf(i++) });
  db.exec("BEGIN");
  const lines = [{ what: "limit: raw INSERT, one transaction", perSecond: rateNow(write) }];
  db.exec("COMMIT");
  lines.push({ what: "limit: raw INSERT, an fsync each", perSecond: rateNow(write) });
  lines.push({ what: "limit: raw SELECT", perSecond: rateNow(read) });
  db.close();
  return lines;
}

async function engine(url: string): Promise<Line[]> {
  const store = await openStore(url, "");
  await store.migrate("bench", [TABLE]);
  const lines: Line[] = [];
  for (const writers of [1, 8, 32])
    lines.push({ what: `write, ${writers} at once`, perSecond: await rate(writers, (i) => write(store, i)) });
  for (const readers of [1, 32])
    lines.push({ what: `read, ${readers} at once`, perSecond: await rate(readers, (i) => read(store, i)) });
  lines.push({
    what: "3 reads and a write, 32 at once",
    perSecond: await rate(32, (i) => (i % 4 === 0 ? write(store, i) : read(store, i))),
  });
  await store.close();
  return lines;
}

function write(store: Store, i: number): Promise<unknown> {
  return store.write((tx) => tx.run(INSERT, { account, name: nameOf(i), value: textOf(i) }));
}

function read(store: Store, i: number): Promise<unknown> {
  return store.read((tx) => tx.one(SELECT, { account, name: nameOf(i) }));
}

function rateNow(work: () => void): number {
  const run = (ms: number) => {
    let count = 0;
    const start = performance.now();
    for (; performance.now() - start < ms; count++) work();
    return (count / (performance.now() - start)) * 1000;
  };
  run(WARM_UP_MS);
  return run(MEASURE_MS);
}

/** Each of `hands` comes as a request does: in a turn of the event loop of its own making. */
async function rate(hands: number, work: (i: number) => Promise<unknown>): Promise<number> {
  let i = 0;
  const run = async (ms: number) => {
    let count = 0;
    const start = performance.now();
    const hand = async () => {
      for (; performance.now() - start < ms; count++) {
        await work(i++);
        await new Promise(setImmediate);
      }
    };
    await Promise.all(Array.from({ length: hands }, hand));
    return (count / (performance.now() - start)) * 1000;
  };
  await run(WARM_UP_MS);
  return run(MEASURE_MS);
}

if (import.meta.main) await runAlone(measure);
