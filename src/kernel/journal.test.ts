import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, readFile, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Entry, Journal } from "./journal.ts";

const entry = (id: string): Entry => ({ at: 1, level: "debug", id, from: "test", text: `what ${id} did` });

async function withJournal(work: (journal: Journal, dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "journal-"));
  try {
    await using journal = await Journal.open(dir, () => undefined);
    await work(journal, dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

test("a line that a crash cut short is passed over", () =>
  withJournal(async (journal, dir) => {
    journal.write(entry("whole"));
    await journal.entries();
    await appendFile(join(dir, "journal.ndjson"), '{"at":1,"id":"ha');
    assert.equal((await journal.entries()).length, 1);
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

test("a policy is kept once beside the journal, laid out where it was one line, and as it was put where it was not", () =>
  withJournal(async ({ texts }, dir) => {
    const name = texts.keep('{"Statement":[]}');
    assert.match(name, /^[0-9a-f]{12}$/);
    assert.equal(texts.keep('{"Statement":[]}'), name);
    assert.equal(await readFile(join(dir, "policies", `${name}.json`), "utf8"), '{\n  "Statement": []\n}\n');
    const put = '{\n "Statement":\n []}';
    assert.equal(texts.read(texts.keep(put)), put);
    assert.equal(texts.read(texts.keep("no { JSON")), "no { JSON");
    assert.equal(texts.read("../../etc/passwd"), undefined);
    assert.equal(texts.read("000000000000"), undefined);
    assert.equal((await readdir(join(dir, "policies"))).length, 3);
  }));

test("policies that no kept line speaks of are forgotten, and written again when they are asked again", () =>
  withJournal(async ({ texts }, dir) => {
    const [old, present] = [texts.keep("old"), texts.keep("present")];
    await utimes(join(dir, "policies", `${old}.json`), 1, 1);
    texts.forgetBefore(2_000);
    assert.deepEqual([texts.read(old), texts.read(present)], [undefined, "present"]);
    await utimes(join(dir, "policies", `${present}.json`), 1, 1);
    assert.deepEqual([texts.keep("old"), texts.keep("present")], [old, present]);
    texts.forgetBefore(2_000);
    assert.deepEqual([texts.read(old), texts.read(present)], ["old", "present"]);
  }));
