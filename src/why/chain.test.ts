// Chains of causes, and finding where one begins.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../kernel/journal.ts";
import { chainOf, idOf } from "./chain.ts";

const entry = (id: string, cause?: string, fields?: Record<string, unknown>): Entry => ({
  at: 1,
  level: "debug",
  id,
  ...(cause && { cause }),
  from: "test",
  text: `what ${id} did`,
  ...(fields && { fields }),
});

test("a chain is everything of one first cause, and nothing else", () => {
  const others = [entry("other"), entry("otherwork", "other")];
  const entries = [entry("file"), entry("work", "file"), ...others, entry("call", "work")];
  const ids = chainOf("work", entries).map((e) => e.id);
  assert.deepEqual(ids, ["file", "work", "call"]);
});

test("causes that form a circle end", () => {
  assert.ok(chainOf("a", [entry("a", "b"), entry("b", "a")]).length > 0);
});

test("the newest entry about a file, a key or an ARN is found by it", () => {
  const subject = "arn:aws:s3:::input/cat.jpg";
  const photo = { subject: "arn:aws:s3:::photos/cat.jpg", path: "buckets/photos/cat.jpg" };
  const entries = [entry("first", undefined, { subject }), entry("second", undefined, { subject })];
  assert.equal(idOf("cat.jpg", entries), "second");
  assert.equal(idOf("first", entries), "first");
  assert.equal(idOf("dog.jpg", entries), undefined);
  assert.equal(idOf("buckets/photos/cat.jpg", [...entries, entry("third", undefined, photo)]), "third");
});
