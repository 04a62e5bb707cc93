// What store.ts promises, on both engines. Each test has a database of its own; `nodes` are two stores on it, as two processes would have.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { destroyStore, openStore } from "../src/store/open.ts";
import type { Store, Tx, Value } from "../src/store/store.ts";
import { startPostgres } from "../tools/postgres.ts";

const TIMEOUT_MS = 60_000;

const postgres = await startPostgres();
after(() => postgres?.[Symbol.asyncDispose]());

const engines: Record<string, (() => Promise<Database>) | undefined> = {
  SQLite: async () => {
    const dir = await mkdtemp(join(tmpdir(), "engines-"));
    return new Database(join(dir, "db.sqlite"), () => rm(dir, { recursive: true }));
  },
  PostgreSQL: postgres && (async () => new Database(await postgres.createDatabase(), () => Promise.resolve())),
};

/** An empty database, and the stores that were opened on it. */
class Database implements AsyncDisposable {
  readonly url: string;
  readonly #remove: () => Promise<void>;
  readonly #stores: Store[] = [];

  constructor(url: string, remove: () => Promise<void>) {
    this.url = url;
    this.#remove = remove;
  }

  async open(...migrations: string[]): Promise<Store> {
    const store = await openStore(this.url, "");
    this.#stores.push(store);
    await store.migrate("test", migrations);
    return store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#stores) await store.close();
    await this.#remove();
  }
}

/** A test for each engine. */
function promise(sentence: string, check: (database: Database) => Promise<void>): void {
  for (const [engine, create] of Object.entries(engines)) on(engine, create, sentence, check);
}

function on(
  engine: string,
  create: (() => Promise<Database>) | undefined,
  sentence: string,
  check: (database: Database) => Promise<void>,
) {
  const skip = create ? false : `NOT TESTED: ${engine} is not installed (Debian: apt install postgresql)`;
  test(`${engine}: ${sentence}`, { timeout: TIMEOUT_MS, skip }, async (t) => {
    if (skip) return t.diagnostic(skip);
    await using database = await create!();
    await check(database);
  });
}

const onSqlite = (sentence: string, check: (database: Database) => Promise<void>) =>
  on("SQLite", engines.SQLite, sentence, check);
const onPostgres = (sentence: string, check: (database: Database) => Promise<void>) =>
  on("PostgreSQL", engines.PostgreSQL, sentence, check);

const COUNTER = "CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL)";
const PAIR = "CREATE TABLE pair (number BIGINT, half BIGINT, PRIMARY KEY (number, half))";

const set = (tx: Tx, name: string, value: number) =>
  tx.run(
    "INSERT INTO counter (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    { name, value },
  );

const get = async (tx: Tx, name: string) =>
  (await tx.one<{ value: number }>("SELECT value FROM counter WHERE name = :name", { name }))?.value;

/** Reads, then writes what it has read plus `amount`. */
async function add(tx: Tx, name: string, amount: number): Promise<number> {
  const value = ((await get(tx, name)) ?? 0) + amount;
  await set(tx, name, value);
  return value;
}

const times = <T>(count: number, work: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => work(i));

promise("a committed write is seen by the next read, here and on another node", async (database) => {
  const [here, there] = [await database.open(COUNTER), await database.open(COUNTER)];
  for (const value of [1, 2, 3]) {
    await here.write((tx) => set(tx, "a", value));
    assert.equal(await here.read((tx) => get(tx, "a")), value);
    assert.equal(await there.read((tx) => get(tx, "a")), value);
  }
});

promise("a write sees its own changes before its commit", async (database) => {
  const store = await database.open(COUNTER);
  assert.deepEqual(await store.write(async (tx) => [await set(tx, "a", 7), await get(tx, "a")]), [1, 7]);
});

promise("a write that throws leaves nothing behind and passes its error on", async (database) => {
  const store = await database.open(COUNTER);
  const error = new Error("on second thoughts");
  const write = store.write(async (tx) => {
    await set(tx, "a", 1);
    throw error;
  });
  await assert.rejects(write, (thrown) => thrown === error);
  assert.equal(await store.read((tx) => get(tx, "a")), undefined);
});

promise("a write that fails does not hurt those that are committed with it", async (database) => {
  const store = await database.open(COUNTER);
  const outcomes = await Promise.allSettled(
    times(20, (i) =>
      store.write(async (tx) => {
        await set(tx, `n${i}`, i);
        if (i % 4 === 1) throw new Error(`writer ${i}`);
        if (i % 4 === 3) await tx.run("INSERT INTO counter (name, value) VALUES (:name, 0)", { name: `n${i}` });
      }),
    ),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status === "fulfilled"),
    times(20, (i) => i % 2 === 0),
  );
  const rows = await store.read((tx) => tx.all<{ value: number }>("SELECT value FROM counter ORDER BY value"));
  assert.deepEqual(
    rows.map(({ value }) => value),
    times(10, (i) => i * 2),
  );
});

promise("a write whose commit fails does not hurt its neighbours", async (database) => {
  const store = await database.open(
    `CREATE TABLE parent (id BIGINT PRIMARY KEY);
     CREATE TABLE child (id BIGINT PRIMARY KEY, parent BIGINT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)`,
  );
  const insert = (id: number) => (tx: Tx) =>
    tx.run("INSERT INTO child (id, parent) VALUES (:id, :parent)", { id, parent: id === 2 ? 7 : null });
  const outcomes = await Promise.allSettled(times(5, (id) => store.write(insert(id))));
  assert.deepEqual(
    outcomes.map(({ status }) => status === "fulfilled"),
    [true, true, false, true, true],
  );
  assert.match(String((outcomes[2] as PromiseRejectedResult).reason), /foreign key/i);
  const rows = await store.read((tx) => tx.all<{ id: number }>("SELECT id FROM child ORDER BY id"));
  assert.deepEqual(
    rows.map(({ id }) => id),
    [0, 1, 3, 4],
  );
});

promise("a statement that failed spoils its write, even where the error is caught", async (database) => {
  const store = await database.open(COUNTER);
  const write = store.write(async (tx) => {
    await set(tx, "a", 1);
    await tx.run("INSERT INTO counter (name, value) VALUES ('a', 2)").catch(() => undefined);
    return "done";
  });
  await assert.rejects(write, /unique/i);
  assert.equal(await store.read((tx) => get(tx, "a")), undefined);
});

promise("no update is lost among writers that read first and then write", async (database) => {
  const nodes = [await database.open(COUNTER), await database.open(COUNTER)];
  const values = await Promise.all(times(100, (i) => nodes[i % 2]!.write((tx) => add(tx, "a", 1))));
  assert.deepEqual(
    values.sort((a, b) => a - b),
    times(100, (i) => i + 1),
  );
});

promise("two writes that each look at what the other changes cannot both go by what they saw", async (database) => {
  const store = await database.open(COUNTER);
  for (let round = 0; round < 10; round++) {
    await store.write(async (tx) => [await set(tx, "ann", 1), await set(tx, "bob", 1)]);
    // One of the two must stay on call.
    const leave = (name: string) =>
      store.write(async (tx) => {
        const { others } = (await tx.one<{ others: number }>(
          "SELECT COUNT(*) AS others FROM counter WHERE value = 1 AND name <> :name",
          { name },
        ))!;
        if (others > 0) await set(tx, name, 0);
      });
    await Promise.all([leave("ann"), leave("bob")]);
    const left = await store.read((tx) => tx.one<{ n: number }>("SELECT COUNT(*) AS n FROM counter WHERE value = 1"));
    assert.equal(left?.n, 1);
  }
});

promise("16 competing receivers on two nodes get each of 400 messages exactly once", async (database) => {
  const queue = "CREATE TABLE message (id BIGINT PRIMARY KEY, visible_ms BIGINT NOT NULL)";
  const nodes = [await database.open(queue), await database.open(queue)];
  await nodes[0]!.write(async (tx) => {
    for (let id = 1; id <= 400; id++) await tx.run("INSERT INTO message (id, visible_ms) VALUES (:id, 0)", { id });
  });
  const received: number[] = [];
  const receive = (tx: Tx) =>
    tx.all<{ id: number }>(
      `UPDATE message SET visible_ms = :lease WHERE id IN
         (SELECT id FROM message WHERE visible_ms <= :now ORDER BY id LIMIT 10) RETURNING id`,
      { lease: 30_000, now: 1 },
    );
  await Promise.all(
    times(16, async (i) => {
      for (;;) {
        const messages = await nodes[i % 2]!.write(receive);
        if (messages.length === 0) return;
        received.push(...messages.map(({ id }) => id));
      }
    }),
  );
  assert.deepEqual(
    received.sort((a, b) => a - b),
    times(400, (i) => i + 1),
  );
});

promise("what is read in one read is of one moment", async (database) => {
  const [here, there] = [await database.open(COUNTER), await database.open(COUNTER)];
  await here.write(async (tx) => [await set(tx, "a", 50), await set(tx, "b", 50)]);
  let done = false;
  const transfers = Promise.all(
    times(60, (i) =>
      there.write(async (tx) => [await add(tx, "a", i % 2 ? 7 : -7), await add(tx, "b", i % 2 ? -7 : 7)]),
    ),
  ).finally(() => {
    done = true;
  });
  do {
    const [a, b] = await here.read(async (tx) => [await get(tx, "a"), await get(tx, "b")]);
    assert.equal(a! + b!, 100);
    await new Promise(setImmediate);
  } while (!done);
  await transfers;
});

promise("a single statement sees what is committed, also while a read or a write is under way", async (database) => {
  const store = await database.open(PAIR);
  const count = () => store.singly.one<{ n: number }>("SELECT COUNT(*) AS n FROM pair");
  const before = (await count())!.n;
  const writing = store.write((tx) => tx.run("INSERT INTO pair (number, half) VALUES (7, 1)"));
  // On PostgreSQL the write may be done already.
  assert.ok((await count())!.n <= before + 1);
  await writing;
  await store.read(async (tx) => {
    assert.equal((await tx.one<{ n: number }>("SELECT COUNT(*) AS n FROM pair"))!.n, before + 1);
  });
  assert.equal((await count())!.n, before + 1);
  const rows = await store.singly.all<{ half: number }>("SELECT half FROM pair WHERE number = :number", { number: 7 });
  assert.deepEqual(
    rows.map(({ half }) => half),
    [1],
  );
  await assert.rejects(store.singly.one("SELECT nothing FROM pair"), /nothing/);
  await assert.rejects(store.singly.all("DELETE FROM pair RETURNING number"));
  assert.equal((await count())!.n, before + 1);
  await store.close();
  await assert.rejects(count());
});

promise("a read changes nothing", async (database) => {
  const store = await database.open(COUNTER);
  await assert.rejects(
    store.read((tx) => set(tx, "a", 1)),
    /read.?only/i,
  );
  assert.equal(await store.read((tx) => get(tx, "a")), undefined);
});

promise("many reads at once answer each for itself", async (database) => {
  const store = await database.open(COUNTER);
  await store.write(async (tx) => {
    for (let i = 0; i < 50; i++) await set(tx, `n${i}`, i);
  });
  const values = await Promise.all(times(50, (i) => store.read((tx) => get(tx, `n${i}`))));
  assert.deepEqual(
    values,
    times(50, (i) => i),
  );
});

const wrongWaits: Record<string, (store: Store) => Promise<unknown>> = {
  "a timer": () => sleep(20),
  "a read": (store) => store.read((tx) => get(tx, "a")),
  "a write": (store) => store.write((tx) => set(tx, "b", 1)),
  "nothing that ever comes": () => new Promise(() => undefined),
};

for (const [what, wait] of Object.entries(wrongWaits))
  promise(`a transaction that awaits ${what} is refused, and the store goes on`, async (database) => {
    const store = await database.open(COUNTER);
    const wrong = async (tx: Tx) => {
      await get(tx, "a");
      await wait(store);
      await get(tx, "a");
    };
    const neighbour = store.write((tx) => set(tx, "neighbour", 1));
    await assert.rejects(store.write(wrong), /may await nothing but its own tx.*SELECT value FROM counter/);
    await assert.rejects(store.read(wrong), /may await nothing but its own tx.*SELECT value FROM counter/);
    await neighbour;
    await store.write((tx) => set(tx, "a", 2));
    assert.equal(await store.read((tx) => get(tx, "a")), 2);
  });

promise("a tx is of no use after its work has ended", async (database) => {
  const store = await database.open(COUNTER);
  const tx = await store.write((own) => Promise.resolve(own));
  await assert.rejects(set(tx, "a", 1), /this transaction is over/);
  assert.equal(await store.read((own) => get(own, "a")), undefined);
});

const VALUES = "CREATE TABLE value (name TEXT PRIMARY KEY, text TEXT, number BIGINT, bytes BLOB)";
const put = (tx: Tx, name: string, value: Value) =>
  tx.run("INSERT INTO value (name, text, number, bytes) VALUES (:name, :text, :number, :bytes)", {
    name,
    text: typeof value === "string" ? value : null,
    number: typeof value === "number" || typeof value === "bigint" ? value : null,
    bytes: value instanceof Uint8Array ? value : null,
  });

promise("every value comes back as it was", async (database) => {
  const store = await database.open(VALUES);
  const values: Value[] = [
    ...[
      "",
      "a",
      "it's",
      ":a $1 ? \\ % _",
      "é",
      "日本",
      "🐘",
      "\u0001",
      "a\0b",
      "\0",
      "\0\u0001\u0002",
      "\ufffd",
      "x".repeat(100_000),
    ],
    ...[0, 1, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    ...[2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)],
    ...[new Uint8Array(), new Uint8Array([0]), Uint8Array.from({ length: 256 }, (_, i) => i)],
    null,
  ];
  for (const [index, value] of values.entries()) await store.write((tx) => put(tx, `v${index}`, value));
  for (const [index, value] of values.entries()) {
    const row = (await store.read((tx) =>
      tx.one<Record<string, Value>>("SELECT text, number, bytes FROM value WHERE name = :name", { name: `v${index}` }),
    ))!;
    const found = row.text ?? row.number ?? row.bytes;
    assert.deepEqual(found instanceof Uint8Array ? new Uint8Array(found) : found, value);
  }
});

promise("RETURNING gives numbers and bytes as SELECT does", async (database) => {
  const store = await database.open(VALUES);
  const insert = "INSERT INTO value (name, number, bytes) VALUES (:name, :number, :bytes) RETURNING number, bytes";
  for (const number of [5, 2n ** 60n]) {
    const row = await store.write((tx) =>
      tx.one<{ number: Value; bytes: Uint8Array }>(insert, { name: `${number}`, number, bytes: Buffer.from("b") }),
    );
    assert.equal(row?.number, number);
    assert.equal(Buffer.from(row!.bytes).toString(), "b");
  }
});

promise("what SQL counts, sums and compares is a number", async (database) => {
  const store = await database.open(COUNTER);
  await store.write(async (tx) => [await set(tx, "a", 2), await set(tx, "b", 3)]);
  const row = await store.read((tx) =>
    tx.one(
      `SELECT COUNT(*) AS n, SUM(value) AS sum, MAX(value) AS max, EXISTS (SELECT 1 FROM counter WHERE value > :min) AS found,
         SUM(value) / :two AS half FROM counter`,
      { min: 5, two: 2 },
    ),
  );
  assert.deepEqual({ ...row, half: Math.floor(Number(row?.half)) }, { n: 2, sum: 5, max: 3, found: 0, half: 2 });
});

promise("run answers how many rows it changed", async (database) => {
  const store = await database.open(COUNTER);
  const counts = await store.write(async (tx) => [
    await set(tx, "a", 1),
    await set(tx, "b", 1),
    await tx.run("UPDATE counter SET value = 2"),
    await tx.run("INSERT INTO counter (name, value) VALUES ('a', 9) ON CONFLICT (name) DO NOTHING"),
    await tx.run("CREATE TABLE made_later (name TEXT)"),
    await tx.run("SELECT name FROM counter"),
    await tx.run("DELETE FROM counter"),
  ]);
  assert.deepEqual(counts, [1, 1, 2, 0, 0, 0, 2]);
});

promise("strings and bytes are ordered by their bytes", async (database) => {
  const store = await database.open(VALUES);
  const ordered = [
    "",
    "\0",
    "\0a",
    "\u0001",
    "\u0001a",
    "\u0002",
    "-",
    "A",
    "B",
    "Z",
    "_",
    "a",
    "a\0",
    "a\u0001",
    "a-b",
    "aB",
    "ab",
    "b",
    "é",
    "日",
    "🐘",
  ];
  const shuffled = ordered.toReversed();
  await store.write(async (tx) => {
    for (const text of shuffled)
      await tx.run("INSERT INTO value (name, bytes) VALUES (:text, :bytes)", { text, bytes: Buffer.from(text) });
  });
  const names = async (sql: string, params = {}) =>
    (await store.read((tx) => tx.all<{ name: string }>(sql, params))).map(({ name }) => name);
  assert.deepEqual(await names("SELECT name FROM value ORDER BY name"), ordered);
  assert.deepEqual(await names("SELECT name FROM value ORDER BY bytes"), ordered);
  assert.deepEqual(
    await names("SELECT name FROM value WHERE name > :after ORDER BY name", { after: "Z" }),
    ordered.slice(ordered.indexOf("Z") + 1),
  );
  assert.deepEqual(
    await names("SELECT name FROM value WHERE bytes < :before ORDER BY bytes DESC", { before: Buffer.from("a-b") }),
    ordered.slice(0, ordered.indexOf("a-b")).reverse(),
  );
  assert.deepEqual(
    (await store.read((tx) => tx.one("SELECT :a < :b AS less, MAX(name) AS max FROM value", { a: "B", b: "a" })))?.less,
    1,
  );
});

promise("LIKE tells upper case from lower", async (database) => {
  const store = await database.open(VALUES);
  await store.write(async (tx) => [await put(tx, "abc", 1), await put(tx, "ABD", 2)]);
  const rows = await store.read((tx) =>
    tx.all<{ name: string }>("SELECT name FROM value WHERE name LIKE :like", { like: "ab%" }),
  );
  assert.deepEqual(
    rows.map(({ name }) => name),
    ["abc"],
  );
});

promise("a name in SQL is a parameter only where it stands free, and may be used twice", async (database) => {
  const store = await database.open();
  const row = await store.read((tx) =>
    tx.one<Record<string, Value>>(
      `SELECT ':a' AS quoted, 'it''s :a' AS twice, /* :b */ :a AS "x:c", :a AS again -- :d
       WHERE :a = :a`,
      { a: 1 },
    ),
  );
  assert.deepEqual({ ...row }, { quoted: ":a", twice: "it's :a", "x:c": 1, again: 1 });
});

promise("wrong parameters are refused by name", async (database) => {
  const store = await database.open(COUNTER);
  const sql = "SELECT value FROM counter WHERE name = :name AND value > :min";
  const attempt = (params: Record<string, unknown>) => store.read((tx) => tx.all(sql, params as Record<string, Value>));
  await assert.rejects(attempt({ name: "a" }), /no value for the parameter :min/);
  await assert.rejects(attempt({ name: "a", min: undefined }), /no value for the parameter :min/);
  await assert.rejects(attempt({ name: "a", min: 1, max: 2, mean: 3 }), /no parameter :max, :mean in: SELECT value/);
  await assert.rejects(attempt({ name: "a", min: 1.5 }), /:min is no safe integer: 1.5/);
  await assert.rejects(attempt({ name: "a", min: 2 ** 53 }), /:min is no safe integer/);
  await assert.rejects(attempt({ name: "a", min: 2n ** 63n }));
  assert.deepEqual(await attempt({ name: "a", min: 1 }), []);
});

promise("an error in SQL names the statement", async (database) => {
  const store = await database.open();
  await assert.rejects(
    store.read((tx) => tx.all("SELECT missing FROM nowhere")),
    /nowhere.* in: SELECT missing FROM nowhere/,
  );
});

promise("a table may be made and dropped in a write", async (database) => {
  const store = await database.open();
  await store.write(async (tx) => {
    await tx.run("CREATE TABLE made (text TEXT, t2 TEXT NOT NULL, PRIMARY KEY (text))");
    await tx.run("INSERT INTO made (text, t2) VALUES ('b', 'x'), ('B', 'x'), ('a', 'x')");
  });
  const names = () => store.read((tx) => tx.all<{ text: string }>("SELECT * FROM made ORDER BY text"));
  assert.equal((await names()).map(({ text }) => text).join(""), "Bab");
  await store.write(async (tx) => {
    await tx.run("DROP TABLE made");
    await tx.run("CREATE TABLE made (more BIGINT, text TEXT)");
    await tx.run("INSERT INTO made (more, text) VALUES (1, 'c')");
  });
  assert.deepEqual({ ...(await names())[0] }, { more: 1, text: "c" });
});

promise("the forms that docs/store.md recommends mean the same", async (database) => {
  const store = await database.open(COUNTER);
  const upsert = `INSERT INTO counter (name, value) VALUES (:name, :value)
    ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value`;
  const values = await store.write(async (tx) => [
    await tx.one<{ value: number }>(upsert, { name: "a", value: 2 }),
    await tx.one<{ value: number }>(upsert, { name: "a", value: 3 }),
    await tx.one<{ value: number }>(upsert, { name: "b", value: 4 }),
  ]);
  assert.deepEqual(
    values.map((row) => row?.value),
    [2, 5, 4],
  );
  const copied = await store.write((tx) =>
    tx.run("INSERT INTO counter (name, value) SELECT name, 0 FROM counter WHERE true ON CONFLICT (name) DO NOTHING"),
  );
  assert.equal(copied, 0);
  const claimed = await store.write((tx) =>
    tx.all<{ name: string }>(
      `UPDATE counter SET value = :value WHERE (name, value) IN
         (SELECT name, value FROM counter WHERE value <= :most ORDER BY value, name LIMIT :max) RETURNING name`,
      { value: 9, most: 5, max: 1 },
    ),
  );
  assert.deepEqual(
    claimed.map(({ name }) => name),
    ["b"],
  );
  const row = await store.read((tx) =>
    tx.one<Record<string, Value>>(
      `SELECT CAST(SUM(value) AS BIGINT) / 4 AS part, substr(MAX(name), CAST(:from AS INTEGER)) AS rest,
         CASE WHEN MAX(value) > :n THEN MAX(value) ELSE :n END AS most
       FROM counter WHERE CAST(:after AS TEXT) IS NULL OR name > :after`,
      { from: 1, n: 3, after: null },
    ),
  );
  assert.deepEqual({ ...row }, { part: 3, rest: "b", most: 9 });
});

const migrations = [
  `${COUNTER}; INSERT INTO counter (name, value) VALUES ('m', 1)`,
  "UPDATE counter SET value = value + 1",
];

promise("a migration is applied once, in order, by whichever of the nodes that start together", async (database) => {
  const stores = await Promise.all(times(4, () => database.open(...migrations)));
  for (const store of stores) assert.equal(await store.read((tx) => get(tx, "m")), 2);
  await stores[0]!.migrate("test", [...migrations, "UPDATE counter SET value = value * 10"]);
  assert.equal(await stores[0]!.read((tx) => get(tx, "m")), 20);
});

promise("each owner has migrations of its own", async (database) => {
  const store = await database.open(...migrations);
  await store.migrate("other", ["CREATE TABLE other (name TEXT)"]);
  await store.migrate("other", ["CREATE TABLE other (name TEXT)"]);
  assert.equal(await store.read((tx) => get(tx, "m")), 2);
});

promise("a migration that fails leaves nothing of itself, and all before it", async (database) => {
  const store = await database.open(...migrations);
  await assert.rejects(
    store.migrate("test", [...migrations, "DELETE FROM counter; INSERT INTO nowhere VALUES (1)"]),
    /nowhere/,
  );
  assert.equal(await store.read((tx) => get(tx, "m")), 2);
  await store.migrate("test", [...migrations, "UPDATE counter SET value = 3"]);
  assert.equal(await store.read((tx) => get(tx, "m")), 3);
});

promise("a database that is newer than the program is refused", async (database) => {
  const store = await database.open(...migrations);
  await assert.rejects(
    store.migrate("test", [migrations[0]!]),
    /newer than this program: it has migration 2 of test, the program knows 1/,
  );
});

promise("a migration that was edited after its release is refused", async (database) => {
  const store = await database.open(...migrations);
  await assert.rejects(
    store.migrate("test", [migrations[0]!, "SELECT 1"]),
    /migration 2 of test is not the one that was applied/,
  );
});

promise("close waits for what was asked for before, and refuses what comes after", async (database) => {
  const store = await database.open(COUNTER);
  const writes = times(30, (i) => store.write((tx) => set(tx, `n${i}`, i)));
  const reads = times(30, () => store.read((tx) => get(tx, "n0")));
  await Promise.all([store.close(), store.close()]);
  const settled = await Promise.race([Promise.all([...writes, ...reads]), sleep(0, "still busy")]);
  assert.notEqual(settled, "still busy");
  await assert.rejects(
    store.write((tx) => set(tx, "late", 1)),
    /closed/,
  );
  await assert.rejects(
    store.read((tx) => get(tx, "late")),
    /closed/,
  );
  const again = await database.open(COUNTER);
  const idle = await database.open(COUNTER);
  await Promise.all([idle.close(), idle.close()]);
  assert.equal((await again.read((tx) => tx.all("SELECT name FROM counter"))).length, 30);
});

promise("a store that was destroyed begins anew", async (database) => {
  await (await database.open(...migrations)).close();
  await destroyStore(database.url, "");
  const store = await database.open(COUNTER);
  assert.equal(await store.read((tx) => get(tx, "m")), undefined);
});

/** Runs crash-writer.ts until it is dead; answers the numbers that it said were committed. */
async function crash(database: Database, mode: string, killAfter = Number.POSITIVE_INFINITY): Promise<number[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "crash-writer.ts"), database.url, mode], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let said = "";
  for await (const chunk of child.stdout) {
    said += chunk;
    if (said.split("\n").length > killAfter) child.kill("SIGKILL");
  }
  const [, signal] = await closed;
  assert.equal(signal, "SIGKILL");
  return said.split("\n").slice(0, -1).map(Number);
}

const pairs = (store: Store) =>
  store.read((tx) =>
    tx.all<{ number: number; n: number }>("SELECT number, COUNT(*) AS n FROM pair GROUP BY number ORDER BY number"),
  );

promise("a process killed between two statements leaves nothing of that write, and all before it", async (database) => {
  const store = await database.open(PAIR);
  assert.deepEqual(await crash(database, "between"), [1]);
  assert.deepEqual(
    (await pairs(store)).map((row) => ({ ...row })),
    [{ number: 1, n: 2 }],
  );
  await store.write((tx) => tx.run("INSERT INTO pair (number, half) VALUES (2, 1)"));
});

promise("a process killed right after a commit leaves all of it", async (database) => {
  const store = await database.open(PAIR);
  assert.deepEqual(await crash(database, "afterCommit"), [1]);
  assert.deepEqual(
    (await pairs(store)).map((row) => ({ ...row })),
    [{ number: 1, n: 2 }],
  );
});

promise(
  "a process killed among busy writers leaves every acknowledged write, and only whole ones",
  async (database) => {
    await (await database.open(PAIR)).close();
    const acknowledged = await crash(database, "onAndOn", 300);
    const found = await pairs(await database.open(PAIR));
    assert.ok(acknowledged.length >= 300);
    assert.deepEqual(new Set(found.map(({ n }) => n)), new Set([2]));
    const numbers = new Set(found.map(({ number }) => number));
    assert.deepEqual(
      acknowledged.filter((number) => !numbers.has(number)),
      [],
    );
  },
);

onSqlite("another process that holds the write lock delays our writes, and stops nothing else", async (database) => {
  const store = await database.open(COUNTER);
  const shell = new DatabaseSync(database.url);
  shell.exec("BEGIN IMMEDIATE; INSERT INTO counter (name, value) VALUES ('shell', 1)");
  let written = false;
  const write = store
    .write((tx) => set(tx, "a", 1))
    .then(() => {
      written = true;
    });
  // The event loop turns, reads are answered, the write waits.
  for (let i = 0; i < 20; i++) {
    assert.equal(await store.read((tx) => get(tx, "shell")), undefined);
    await sleep(1);
  }
  assert.equal(written, false);
  shell.exec("COMMIT");
  await write;
  assert.equal(await store.read((tx) => get(tx, "shell")), 1);
  shell.close();
});

onSqlite("another process that reads for long does not hinder our writes", async (database) => {
  const store = await database.open(COUNTER);
  const shell = new DatabaseSync(database.url, { readOnly: true });
  shell.exec("BEGIN");
  const count = () => shell.prepare("SELECT COUNT(*) AS n FROM counter").get()?.n;
  assert.equal(count(), 0);
  for (let i = 0; i < 50; i++) await store.write((tx) => set(tx, `n${i}`, i));
  assert.equal(count(), 0);
  shell.exec("COMMIT");
  assert.equal(count(), 50);
  shell.close();
});

onSqlite("a full disk is the error of the writes it hits, and the store goes on", async (database) => {
  const store = await database.open("CREATE TABLE big (name TEXT PRIMARY KEY, text TEXT)");
  const insert = (name: string, length: number) => (tx: Tx) =>
    tx.run("INSERT INTO big (name, text) VALUES (:name, :text)", { name, text: "x".repeat(length) });
  await store.write((tx) => tx.one("PRAGMA max_page_count = 100"));
  const outcomes = await Promise.allSettled([
    store.write(insert("before", 10)),
    store.write(insert("huge", 10_000_000)),
    store.write(insert("after", 10)),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status === "fulfilled"),
    [true, false, true],
  );
  assert.match(String((outcomes[1] as PromiseRejectedResult).reason), /full/);
  await store.write(insert("later", 10));
  const names = await store.read((tx) => tx.all<{ name: string }>("SELECT name FROM big ORDER BY name"));
  assert.deepEqual(
    names.map(({ name }) => name),
    ["after", "before", "later"],
  );
});

onSqlite("a file that is no database, or cannot be there, is one sentence that names it", async (database) => {
  const file = `${database.url}.txt`;
  await writeFile(file, "this is a letter, not a database\n".repeat(100));
  await assert.rejects(openStore(file, ""), {
    message: /^the database .*db\.sqlite\.txt is damaged, or is no SQLite database/,
  });
  await assert.rejects(openStore(join(database.url, "no", "where"), ""), {
    message: /^the database .*where cannot be opened/,
  });
});

onSqlite("the database in memory is a store like any other", async () => {
  const store = await openStore(":memory:", "");
  await store.migrate("test", [COUNTER]);
  await Promise.all(times(10, () => store.write((tx) => add(tx, "a", 1))));
  assert.equal(await store.read((tx) => get(tx, "a")), 10);
  await store.close();
});

onPostgres("a write that loses against another is run again", async (database) => {
  const store = await database.open(COUNTER);
  let runs = 0;
  await Promise.all(
    times(20, () =>
      store.write((tx) => {
        runs++;
        return add(tx, "a", 1);
      }),
    ),
  );
  assert.equal(await store.read((tx) => get(tx, "a")), 20);
  assert.ok(runs > 20, "20 writers of one row never met");
});

onPostgres("a lost connection is the error of what ran on it, and the store goes on", async (database) => {
  const [store, other] = [await database.open(COUNTER), await database.open(COUNTER)];
  const kill = "SELECT pg_terminate_backend(CAST(:pid AS INTEGER)) AS killed";
  const pid = (tx: Tx) => tx.one<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  await assert.rejects(
    store.write(async (tx) => {
      await set(tx, "a", 1);
      await tx.one(kill, (await pid(tx))!);
    }),
    /terminat/i,
  );
  // An idle one, too.
  const idle = await store.read(pid);
  await other.read((tx) => tx.one(kill, idle!));
  await store.write((tx) => set(tx, "b", 1)).catch(() => undefined);
  await store.write((tx) => set(tx, "b", 2));
  assert.deepEqual(await store.read(async (tx) => [await get(tx, "a"), await get(tx, "b")]), [undefined, 2]);
});

onPostgres("a server that cannot be reached is one sentence without the password", async () => {
  for (const host of ["127.0.0.1", "localhost"])
    await assert.rejects(openStore(`postgres://me:secret@${host}:1/db`, ""), {
      message: new RegExp(`^the database postgres://me:\\*\\*\\*@${host}:1/db cannot be opened: .*ECONNREFUSED`),
    });
});

test("SQLite: a store that was closed is the one file", async () => {
  const dir = await mkdtemp(join(tmpdir(), "engines-"));
  const store = await openStore("", dir);
  await store.write((tx) => tx.run("CREATE TABLE t (a TEXT)"));
  await store.close();
  assert.deepEqual(await readdir(dir), ["db.sqlite"]);
  await rm(dir, { recursive: true });
});
