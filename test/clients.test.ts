// boto3, where it is installed, as `make conformance` tries it; the other clients of conformance/clients are tried there only: they take a minute.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const RUN = join(import.meta.dirname, "../conformance/clients/run.ts");
const LIMIT_MS = 120_000;

test("boto3 finds what it expects", async (t) => {
  const { code, said } = await conformance("boto");
  if (said.includes("missing: ")) return t.skip("not installed");
  assert.equal(code, 0, said);
  assert.match(said, /^ok {5}/m);
  assert.doesNotMatch(said, /^FAILED/m);
});

function conformance(name: string): Promise<{ code: number; said: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; said: string }>();
  execFile(process.execPath, [RUN, name], { timeout: LIMIT_MS }, (error, stdout, stderr) =>
    resolve({ code: error ? Number(error.code ?? -1) : 0, said: stdout + stderr }),
  );
  return promise;
}
