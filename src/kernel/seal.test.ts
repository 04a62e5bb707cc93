import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Seal } from "./seal.ts";

const dir = mkdtempSync(join(tmpdir(), "seal-"));
test.after(() => rmSync(dir, { recursive: true }));

test("what is sealed is opened by the same workspace only, about the same thing only, and unchanged only", () => {
  const sealed = new Seal(dir).seal("secret", "key AKIA1");
  assert.doesNotMatch(sealed, /secret/);
  assert.equal(new Seal(dir).unseal(sealed, "key AKIA1"), "secret");
  assert.equal(new Seal(dir).unseal(sealed, "key AKIA2"), undefined);
  assert.equal(new Seal(dir, "ab".repeat(32)).unseal(sealed, "key AKIA1"), undefined);
  const other = sealed.at(-1) === "A" ? "B" : "A";
  assert.equal(new Seal(dir).unseal(`${sealed.slice(0, -2)}${other}${sealed.at(-1)}`, "key AKIA1"), undefined);
  for (const longer of [`${sealed}=`, `${sealed}!`, `${sealed} `, sealed.replace(":", ": ")])
    assert.equal(new Seal(dir).unseal(longer, "key AKIA1"), undefined, "one form only");
  for (const none of ["", "secret", "sealed1:", "sealed1:AAAA"])
    assert.equal(new Seal(dir).unseal(none, "x"), undefined);
});

test("the workspace's key is its owner's alone", () => {
  new Seal(dir).seal("x", "y");
  assert.equal(statSync(join(dir, ".aws-like", "store.key")).mode & 0o777, 0o600);
});
