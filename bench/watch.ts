// close(2) -> hint: how long after the end of writing the reconciler hears of a file. Limit: a worker's echo. `node bench/watch.ts [DIR]`
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { openWatcher } from "../src/services/s3/watch.ts";
import { scratch } from "./host.ts";
import { ms, quantile, runAlone, type Table, whole } from "./table.ts";

const FILES = 500;
const CONTENT = Buffer.alloc(1024, 1);
/** Each file finds the watcher asleep, as a person's `cp` does. */
const PAUSE_MS = 2;

export async function measure(dir: string): Promise<Table[]> {
  await using place = await scratch(dir);
  const root = join(place.path, "bucket");
  mkdirSync(root);
  const { hints, perSecond } = await watched(root);
  const row = (what: string, took: number[]) => [what, ...[0.5, 0.99, 1].map((share) => ms(quantile(took, share)))];
  return [
    {
      title: "The watcher",
      note: `From close(2) of a 1 KB file to the hint that it is finished, in ms, ${FILES} files; ${whole(perSecond)} files/s are written and heard of in a burst. Limit: a message to a worker and back.`,
      head: ["", "p50", "p99", "max"],
      rows: [row("close(2) to hint", hints), row("limit: a worker's echo", await echoed())],
    },
  ];
}

async function watched(root: string): Promise<{ hints: number[]; perSecond: number }> {
  let heard: () => void = () => undefined;
  await using watcher = await openWatcher({
    settleMs: 50,
    onHint: ({ kind }) => {
      if (kind === "finished") heard();
    },
    onNotice: console.log,
  });
  await watcher.add(root);
  const hints: number[] = [];
  for (let i = 0; i < FILES; i++) {
    const next = Promise.withResolvers<void>();
    heard = next.resolve;
    const start = write(join(root, `${i}`));
    await next.promise;
    hints.push(performance.now() - start);
    await rest(PAUSE_MS);
  }
  const all = Promise.withResolvers<void>();
  let left = FILES;
  heard = () => {
    left -= 1;
    if (left === 0) all.resolve();
  };
  const begin = performance.now();
  for (let i = 0; i < FILES; i++) write(join(root, `burst ${i}`));
  await all.promise;
  return { hints, perSecond: (FILES * 1000) / (performance.now() - begin) };
}

/** When it was closed. */
function write(path: string): number {
  const file = openSync(path, "w");
  writeSync(file, CONTENT);
  const start = performance.now();
  closeSync(file);
  return start;
}

async function echoed(): Promise<number[]> {
  const code = "require('node:worker_threads').parentPort.on('message', function (m) { this.postMessage(m) })";
  const echo = new Worker(code, { eval: true });
  const took: number[] = [];
  for (let i = 0; i < FILES; i++) {
    const start = performance.now();
    const answer = new Promise((resolve) => echo.once("message", resolve));
    echo.postMessage(i);
    await answer;
    took.push(performance.now() - start);
    await rest(PAUSE_MS);
  }
  await echo.terminate();
  return took;
}

if (import.meta.main) await runAlone(measure);
