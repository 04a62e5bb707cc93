import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaults } from "../../config.ts";
import { LogFiles, LogTail, logLine, logPath, logStreamName } from "./logs.ts";

test("A log is a file a day; the home account and region have no folder of their own", () => {
  const config = { ...defaults, dir: "/w" };
  const ref = { account: "000000000000", region: "us-east-1", name: "resize" };
  const now = Date.UTC(2026, 0, 13, 12);
  assert.equal(logPath(config, ref, now), "/w/logs/lambda/resize/2026-01-13.log");
  assert.equal(
    logPath(config, { ...ref, region: "eu-west-1" }, now),
    "/w/logs/lambda/000000000000.eu-west-1/resize/2026-01-13.log",
  );
  assert.equal(logLine(now, "[ERROR] x\rTraceback"), "2026-01-13T12:00:00.000Z [ERROR] x\nTraceback");
  assert.equal(logStreamName(now, "$LATEST", "ab"), "2026/01/13/[$LATEST]ab");
});

test("Lines of many files arrive complete and in order, and a flood has to wait", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-logs-"));
  const errors: unknown[] = [];
  try {
    const logs = new LogFiles((_path, error) => errors.push(error));
    let waited = 0;
    for (let i = 0; i < 3000; i++) {
      const wait = logs.append(join(dir, `deep/${i % 3}/x.log`), `${i} ${"y".repeat(2000)}`);
      if (wait) waited++;
      await wait;
    }
    await logs.flushed();
    for (const k of [0, 1, 2]) {
      const lines = (await readFile(join(dir, `deep/${k}/x.log`), "utf8")).trimEnd().split("\n");
      assert.deepEqual(
        lines.map((line) => Number(line.split(" ")[0])),
        Array.from({ length: 1000 }, (_, i) => 3 * i + k),
      );
    }
    assert.ok(waited > 0);
    assert.deepEqual(errors, []);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("A log that cannot be written is said, and the function goes on", async () => {
  const errors: string[] = [];
  const logs = new LogFiles((path) => errors.push(path));
  logs.append("/dev/null/x.log", "line");
  await logs.flushed();
  assert.deepEqual(errors, ["/dev/null/x.log"]);
});

test("The tail of a log is its last 4 KB", () => {
  const tail = new LogTail();
  tail.add("first");
  assert.equal(Buffer.from(tail.toBase64(), "base64").toString(), "first\n");
  for (let i = 0; i < 1000; i++) tail.add(`line ${i} ü`);
  const text = Buffer.from(tail.toBase64(), "base64");
  assert.equal(text.length, 4096);
  assert.match(text.toString(), /line 999 ü\n$/);
});
