// Invoke over the API, warm and cold, beside a bare spawn of the same interpreter. `node bench/lambda.ts [DIR]`
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Lambda } from "@aws-sdk/client-lambda";
import { createFunctions, functions } from "./functions.ts";
import { startHost } from "./host.ts";
import { ms, quantile, runAlone, type Table } from "./table.ts";

const COLD = 15;
const WARM = 200;

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  const lambda = new Lambda(host.client);
  await createFunctions(host, lambda);
  const rows: string[][] = [];
  for (const { name, bare } of functions) {
    const invoke = async () => {
      const { FunctionError } = await lambda.invoke({ FunctionName: name, Payload: '{"key":"value"}' });
      if (FunctionError) throw new Error(`${name}: ${FunctionError}`);
    };
    await invoke();
    const colds: number[] = [];
    const spawns: number[] = [];
    for (let i = 0; i < COLD; i++) {
      // Another environment is another sandbox: the next call finds none that is warm.
      await lambda.updateFunctionConfiguration({ FunctionName: name, Environment: { Variables: { ROUND: `${i}` } } });
      colds.push(await timed(invoke));
      spawns.push(await timed(() => spawned(bare)));
    }
    const warms: number[] = [];
    for (let i = 0; i < WARM; i++) warms.push(await timed(invoke));
    const figures = [warms, colds, spawns].flatMap((times) => [ms(quantile(times, 0.5)), ms(quantile(times, 0.99))]);
    rows.push([name, ...figures]);
  }
  lambda.destroy();
  return [
    {
      title: "Lambda",
      note: "Invoke, RequestResponse, through the SDK, one at a time, in ms. Cold: a new sandbox, from its start to the answer. Limit of a cold start: a bare spawn of the interpreter, outside of any sandbox.",
      head: ["", "warm p50", "p99", "cold p50", "p99", "bare spawn p50", "p99"],
      rows,
    },
  ];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function spawned([file, ...args]: readonly string[]): Promise<void> {
  await once(spawn(file!, args, { stdio: ["ignore", "pipe", "ignore"] }), "close");
}

if (import.meta.main) await runAlone(measure);
