import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { takeAnswerFile } from "./answer-file.ts";

const ID = "8b3f6c2e";

async function outDir() {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-out-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

test("an answer is read once, without its last line ends", async () => {
  await using out = await outDir();
  await writeFile(join(out.dir, ID), '"a"\n\n');
  assert.equal(String(await takeAnswerFile(out.dir, ID)), '"a"');
  assert.equal(await takeAnswerFile(out.dir, ID), undefined);
});

test("a directory in the place of an answer is not emptied: what is in it may be a link by then", async () => {
  await using out = await outDir();
  await mkdir(join(out.dir, ID));
  await writeFile(join(out.dir, ID, "file"), "");
  assert.equal(await takeAnswerFile(out.dir, ID), undefined);
  assert.ok(existsSync(join(out.dir, ID, "file")));
});

test("a link in the place of an answer is not followed", async () => {
  await using out = await outDir();
  await symlink("/etc/hostname", join(out.dir, ID));
  assert.equal(await takeAnswerFile(out.dir, ID), undefined);
});
