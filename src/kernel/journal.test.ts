import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Entry, Journal } from "./journal.ts";

const entry = (id: string, cause?: string, fields?: Record<string, unknown>): Entry => ({
  at: 1,
  level: "debug",
  id,
  ...(cause && { cause }),
  from: "test",
  text: `what ${id} did`,
  ...(fields && { fields }),
});

async function withJournal(work: (journal: Journal, dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "journal-"));
  try {
    await using journal = await Journal.open(dir, () => undefined);
    await work(journal, dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

test("a chain is everything of one first cause, and nothing else", () =>
  withJournal(async (journal) => {
    for (const e of [
      entry("file"),
      entry("work", "file"),
      entry("other"),
      entry("call", "work"),
      entry("otherwork", "other"),
    ])
      journal.write(e);
    const ids = (await journal.chain("work")).map((e) => e.id);
    assert.deepEqual(ids, ["file", "work", "call"]);
  }));

test("causes that form a circle end", () =>
  withJournal(async (journal) => {
    journal.write(entry("a", "b"));
    journal.write(entry("b", "a"));
    assert.ok((await journal.chain("a")).length > 0);
  }));

test("the newest entry about a file, a key or an ARN is found by it", () =>
  withJournal(async (journal) => {
    journal.write(entry("first", undefined, { subject: "arn:aws:s3:::input/cat.jpg" }));
    journal.write(entry("second", undefined, { subject: "arn:aws:s3:::input/cat.jpg" }));
    assert.equal(await journal.idOf("cat.jpg"), "second");
    assert.equal(await journal.idOf("first"), "first");
    assert.equal(await journal.idOf("dog.jpg"), undefined);
    journal.write(
      entry("third", undefined, { subject: "arn:aws:s3:::photos/cat.jpg", path: "buckets/photos/cat.jpg" }),
    );
    assert.equal(await journal.idOf("buckets/photos/cat.jpg"), "third");
  }));

test("a line that a crash cut short is passed over", () =>
  withJournal(async (journal, dir) => {
    journal.write(entry("whole"));
    await journal.chain("whole");
    await appendFile(join(dir, "journal.ndjson"), '{"at":1,"id":"ha');
    assert.equal((await journal.chain("whole")).length, 1);
  }));

test("only what a person should see is shown", async () => {
  const dir = await mkdtemp(join(tmpdir(), "journal-"));
  const shown: string[] = [];
  const journal = await Journal.open(dir, (e) => shown.push(e.id));
  journal.write(entry("quiet"));
  journal.write({ ...entry("loud"), level: "warn" });
  await journal[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
  assert.deepEqual(shown, ["loud"]);
});
