// A commit on its way to the disk. The disk is stopped, and fails, as a test says.
import assert from "node:assert/strict";
import fs, { mkdtempSync, rmSync, statSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

type Done = (error: Error | null) => void;
let disk: (done: Done) => void = (done) => done(null);
(fs as { fdatasync: unknown }).fdatasync = (_fd: number, done: Done) => setImmediate(() => disk(done));
syncBuiltinESMExports();

const { openSqlite } = await import("./sqlite.ts");

async function open() {
  const dir = mkdtempSync(join(tmpdir(), "aws-like-log-"));
  const file = join(dir, "db.sqlite");
  const store = await openSqlite(file);
  await store.migrate("test", ["CREATE TABLE item (name TEXT PRIMARY KEY)"]);
  const add = (name: string) => store.write((tx) => tx.run("INSERT INTO item (name) VALUES (:name)", { name }));
  const count = async () => (await store.read((tx) => tx.all("SELECT name FROM item"))).length;
  const countSingly = async () => (await store.singly.all("SELECT name FROM item")).length;
  const end = async () => {
    await store.close();
    rmSync(dir, { recursive: true });
  };
  return { file, add, count, countSingly, [Symbol.asyncDispose]: end };
}

test("nobody sees a commit before it is on the disk, and nobody waits for it but its writers", async () => {
  await using store = await open();
  await store.add("before");
  const reached = Promise.withResolvers<Done>();
  disk = reached.resolve;
  const answered: string[] = [];
  const first = store.add("first").then(() => answered.push("first"));
  const write = await reached.promise;
  disk = (done) => done(null);
  const second = store.add("second").then(() => answered.push("second"));
  assert.deepEqual([await store.count(), await store.countSingly()], [1, 1]);
  await new Promise(setImmediate);
  assert.deepEqual(answered, []);
  write(null);
  await first;
  assert.ok((await store.count()) >= 2);
  await second;
  assert.deepEqual([answered, await store.count(), await store.countSingly()], [["first", "second"], 3, 3]);
});

test("a disk that does not take a commit is the end: what the log holds is unknown", async () => {
  await using store = await open();
  disk = (done) => done(new Error("EIO: i/o error, fdatasync"));
  const refused = /the disk did not take a commit \(EIO: i\/o error, fdatasync\)/;
  await Promise.all(["a", "b"].map((name) => assert.rejects(store.add(name), refused)));
  disk = (done) => done(null);
  await assert.rejects(store.add("c"), refused);
  await assert.rejects(store.count(), refused);
  await assert.rejects(store.countSingly(), refused);
});

test("the log begins anew when it has been taken into the database", async () => {
  await using store = await open();
  const megabytes = 12;
  for (let i = 0; i < megabytes * 8; i++) await store.add(`${i}`.padEnd(128 * 1024, "x"));
  const size = statSync(`${store.file}-wal`).size;
  assert.ok(size < megabytes * 0.75 * 2 ** 20, `${size} bytes of log`);
});
