// The host's interpreters are found once a process: a host that has none is another process.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { missingFor } from "./interpreters.ts";

test("A host without Python says so, and where it was looked for", async () => {
  assert.equal(await missingFor("python3.13"), undefined);
  assert.equal(await missingFor("provided.al2023"), undefined);
  const script = `import { missingFor } from "${import.meta.resolve("./interpreters.ts")}";
    console.log(await missingFor("python3.13"), await missingFor("nodejs24.x"));`;
  const env = { PATH: "/nowhere", HOME: "/nowhere" };
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env });
  assert.equal(
    stdout,
    "this host has no Python 3.8 or newer (looked for python3, python3.8 ... in PATH, and in /nowhere/.pyenv/versions) undefined\n",
  );
});
