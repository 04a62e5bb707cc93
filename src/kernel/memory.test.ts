import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tx } from "../store/store.ts";
import { forgetWith, Memory, shelvesOf } from "./memory.ts";

test("what was read is read once, until its owner forgets", async () => {
  const memory = new Memory({ shared: false });
  let reads = 0;
  const read = async () => ++reads;
  assert.equal(await memory.recall("iam", "a", read), 1);
  assert.equal(await memory.recall("iam", "a", read), 1);
  memory.forget("s3");
  assert.equal(await memory.recall("iam", "a", read), 1);
  memory.forget("iam");
  assert.equal(await memory.recall("iam", "a", read), 2);
});

test("what was read before a write that forgot meanwhile is not remembered", async () => {
  const memory = new Memory({ shared: false });
  const before = memory.recall("iam", "a", async () => {
    memory.forget("iam");
    return "old";
  });
  assert.equal(await before, "old");
  assert.equal(await memory.recall("iam", "a", async () => "new"), "new");
});

test("where others write to the same store, nothing is remembered", async () => {
  const memory = new Memory({ shared: true });
  assert.equal(await memory.recall("iam", "a", async () => 1), 1);
  assert.equal(await memory.recall("iam", "a", async () => 2), 2);
});

test("what a transaction changed is forgotten with it, whoever made the change", () => {
  const tx = {} as Tx;
  forgetWith(tx, "tables");
  forgetWith(tx, "tables");
  forgetWith(tx, "policies");
  assert.deepEqual([...shelvesOf(tx)], ["tables", "policies"]);
  assert.deepEqual([...shelvesOf({} as Tx)], []);
});
