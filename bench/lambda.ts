// Cold and warm invocations of bash, node and python in the sandbox, beside a bare spawn of the same interpreter.
//   node bench/lambda.ts [auto|bwrap|unshare|none]
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../src/config.ts";
import { openWorld, type Trial } from "../src/services/lambda/sandbox/sandbox.fixture.ts";

const COLD = 20;
const WARM = 300;
// Cold starts come one by one, with time for the next launcher to get ready; the last figure is of a burst.
const BETWEEN_COLDS_MS = 200;

const FUNCTIONS = [
  {
    name: "bash",
    files: { "lambda.sh": "handler() { cat; }" },
    spec: { runtime: "provided.al2023", handler: "lambda.handler" },
    bare: ["/bin/bash", "-c", "echo 1"],
  },
  {
    name: "node",
    files: { "index.mjs": "export const handler = async (event) => event;" },
    spec: { runtime: "nodejs24.x", handler: "index.handler" },
    bare: [process.execPath, "-e", "console.log(1)"],
  },
  {
    name: "python",
    files: { "app.py": "def handler(event, context): return event" },
    spec: { runtime: "python3.13", handler: "app.handler" },
    bare: ["/usr/bin/python3", "-S", "-c", "import json; print(1)"],
  },
] as const;

const choice = (process.argv[2] ?? "auto") as Config["sandbox"];
await using world = await openWorld(choice);
console.log(`rung ${world.sandbox.rung.name}: ${world.sandbox.rung.title}; p50 / p99 / min in ms`);

for (const { name, files, spec, bare } of FUNCTIONS) {
  (await world.try(files, spec)).worker[Symbol.asyncDispose](); // Interpreters are looked for once.
  const colds: number[] = [];
  for (let count = 0; count < COLD; count++) {
    await sleep(BETWEEN_COLDS_MS);
    colds.push(
      await timed(async () => {
        const run = await world.try(files, spec);
        await run.invoke({ key: "value" });
        return () => run.worker[Symbol.asyncDispose]();
      }),
    );
  }
  const run: Trial = await world.try(files, spec);
  for (let count = 0; count < 20; count++) await run.invoke({ key: "value" });
  const warms: number[] = [];
  for (let count = 0; count < WARM; count++)
    warms.push(await timed(async () => void (await run.invoke({ key: "value" }))));
  await run.worker[Symbol.asyncDispose]();
  const spawns: number[] = [];
  for (let count = 0; count < COLD; count++) spawns.push(await timed(() => spawned(bare)));
  console.log(`${name.padEnd(7)} cold ${figures(colds)}   warm ${figures(warms)}   bare spawn ${figures(spawns)}`);
}

const parallel = 4;
const began = performance.now();
await Promise.all(
  Array.from({ length: parallel }, async () => {
    for (let count = 0; count < COLD; count++) {
      const run = await world.try(FUNCTIONS[0].files, FUNCTIONS[0].spec);
      await run.invoke({});
      await run.worker[Symbol.asyncDispose]();
    }
  }),
);
console.log(
  `create, invoke, destroy: ${Math.round((parallel * COLD * 1000) / (performance.now() - began))} bash sandboxes a second`,
);

async function timed(work: () => Promise<void | (() => PromiseLike<void>)>): Promise<number> {
  const start = performance.now();
  const after = await work();
  const took = performance.now() - start;
  await after?.();
  return took;
}

function spawned([file, ...args]: readonly string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  spawn(file!, args, { stdio: ["ignore", "pipe", "ignore"] }).once("close", () => resolve());
  return promise;
}

function figures(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(1);
  return `${at(0.5).padStart(6)} /${at(0.99).padStart(6)} /${at(0).padStart(6)}`;
}
