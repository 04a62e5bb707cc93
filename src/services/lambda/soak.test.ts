// A short soak; the long one is bench/lambda-soak.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startCloudWithRole } from "../../../test/lambda.ts";
import { soak } from "../../../test/soak.ts";

test("150 invocations that crash, time out, run out of memory or talk nonsense lose no event and leave nothing behind", {
  timeout: 60_000,
}, async () => {
  const { wrong, lost, left } = await soak(150, { start: startCloudWithRole });
  assert.deepEqual({ wrong, lost, left }, { wrong: [], lost: [], left: [] });
});
