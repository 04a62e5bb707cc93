import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { coverage, FILE } from "../tools/coverage.ts";

test("docs/coverage.md says what there is: make coverage renews it", () => {
  assert.ok(readFileSync(FILE, "utf8") === coverage(), "docs/coverage.md is stale: run make coverage");
});
