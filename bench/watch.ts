// close(2) -> hint: how long after the end of writing whoever compares hears of it. Beside it the limit: a round trip to a worker.
// Run: node bench/watch.ts [files]
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { openWatcher } from "../src/services/s3/watch.ts";

const files = Number(process.argv[2] ?? 500);
const root = mkdtempSync(join(tmpdir(), "aws-like-bench-"));
const content = Buffer.alloc(1024, 1);

let heard: (at: number) => void = () => undefined;
const watcher = await openWatcher({
  settleMs: 50,
  onHint: ({ kind }) => {
    if (kind === "finished") heard(performance.now());
  },
  onNotice: console.log,
});
await watcher.add(root);
const hints: number[] = [];
for (let i = 0; i < files; i++) {
  const next = new Promise<number>((resolve) => {
    heard = resolve;
  });
  const file = openSync(join(root, `${i}`), "w");
  writeSync(file, content);
  const start = performance.now();
  closeSync(file);
  hints.push((await next) - start);
  // Each file finds the watcher asleep, as a person's `cp` does.
  await rest(2);
}
const burst = performance.now();
let left = files;
const all = new Promise<void>((resolve) => {
  heard = () => {
    left -= 1;
    if (left === 0) resolve();
  };
});
for (let i = 0; i < files; i++) {
  const file = openSync(join(root, `burst ${i}`), "w");
  writeSync(file, content);
  closeSync(file);
}
await all;
const burstMs = performance.now() - burst;
await watcher[Symbol.asyncDispose]();
rmSync(root, { recursive: true });

const echo = new Worker(
  "const { parentPort: p } = require('node:worker_threads'); p.on('message', (m) => p.postMessage(m))",
  {
    eval: true,
  },
);
const echoes: number[] = [];
for (let i = 0; i < files; i++) {
  const start = performance.now();
  const answer = new Promise((resolve) => echo.once("message", resolve));
  echo.postMessage(i);
  await answer;
  echoes.push(performance.now() - start);
  await rest(2);
}
await echo.terminate();

const at = (sorted: number[], share: number) => sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(2);
for (const [what, took] of [
  ["close(2) -> hint", hints],
  ["limit: a worker's echo", echoes],
] as const) {
  const sorted = took.toSorted((a, b) => a - b);
  console.log(
    `${what.padEnd(24)} p50 ${at(sorted, 0.5)} ms  p99 ${at(sorted, 0.99)} ms  max ${at(sorted, 1)} ms  (${files} files)`,
  );
}
console.log(`${"burst, write and hint".padEnd(24)} ${Math.round((files / burstMs) * 1000)} files/s`);
