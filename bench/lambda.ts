// Invoke over the API: warm, cold, many at once; with the sandbox, without it, and beside a bare spawn. `node bench/lambda.ts [DIR]`
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { Lambda } from "@aws-sdk/client-lambda";
import { createFunctions, functions } from "./functions.ts";
import { startHost } from "./host.ts";
import { ms, quantile, runAlone, type Table, whole } from "./table.ts";

const COLD = 15;
const WARM = 200;
const HANDS = 16;
const AT_ONCE = 640;
/** Sandboxes made, invoked and ended: so many, four at a time. */
const MADE = 60;
const MAKERS = 4;

export async function measure(dir: string): Promise<Table[]> {
  const inside = await measureHost(dir, []);
  const without = await measureHost(dir, ["--sandbox", "none"]);
  const rows = [];
  for (const { name, bare } of functions) {
    const spawns: number[] = [];
    for (let i = 0; i < COLD; i++) spawns.push(await timed(() => spawned(bare)));
    const [within, outside] = [inside.get(name)!, without.get(name)!];
    rows.push([
      name,
      ...[within.warm, outside.warm, within.cold, outside.cold, spawns].map(
        (times) => `${ms(quantile(times, 0.5))} / ${ms(quantile(times, 0.99))}`,
      ),
      whole(within.perSecond),
      whole(within.madePerSecond),
      Number.isNaN(within.idleMb) ? "-" : ms(within.idleMb),
    ]);
  }
  return [
    {
      title: "Lambda",
      note: `Invoke, RequestResponse, through the SDK, client to client, p50 / p99 in ms. Cold: a new sandbox, from its start to the answer. Without: --sandbox none. Limit of a cold start: a bare spawn of the interpreter. /s: warm invocations a second, ${HANDS} at once. New/s: sandboxes made, invoked and ended a second, ${MAKERS} at a time. Idle: memory of a warm sandbox that waits, PSS in MB.`,
      head: ["", "warm", "without", "cold", "without", "bare spawn", "/s", "new/s", "idle MB"],
      rows,
    },
  ];
}

interface Figures {
  readonly warm: readonly number[];
  readonly cold: readonly number[];
  readonly perSecond: number;
  readonly madePerSecond: number;
  readonly idleMb: number;
}

async function measureHost(dir: string, options: readonly string[]): Promise<Map<string, Figures>> {
  await using host = await startHost(dir, ...options);
  const lambda = new Lambda(host.client);
  await createFunctions(host, lambda);
  const figures = new Map<string, Figures>();
  for (const { name } of functions) figures.set(name, await measureFunction(lambda, name));
  lambda.destroy();
  return figures;
}

async function measureFunction(lambda: Lambda, name: string): Promise<Figures> {
  const invoke = async () => {
    const { FunctionError } = await lambda.invoke({ FunctionName: name, Payload: '{"key":"value"}' });
    if (FunctionError) throw new Error(`${name}: ${FunctionError}`);
  };
  // Another environment is another sandbox: the next call finds none that is warm.
  let round = 0;
  const renew = () =>
    lambda.updateFunctionConfiguration({ FunctionName: name, Environment: { Variables: { ROUND: `${round++}` } } });
  const before = new Set(sandboxes().keys());
  await invoke();
  const cold: number[] = [];
  for (let i = 0; i < COLD; i++) {
    await renew();
    cold.push(await timed(invoke));
  }
  const warm: number[] = [];
  for (let i = 0; i < WARM; i++) warm.push(await timed(invoke));
  const own = [...sandboxes()].filter(([uid]) => !before.has(uid)).map(([, mb]) => mb);
  const idleMb = own.length === 0 ? Number.NaN : own.reduce((sum, mb) => sum + mb) / own.length;
  await inHands(HANDS, HANDS, invoke);
  const perSecond = await rate(AT_ONCE, HANDS, invoke);
  const madePerSecond = await rate(MADE, MAKERS, async () => {
    await renew();
    await invoke();
  });
  return { warm, cold, perSecond, madePerSecond, idleMb };
}

/** uid -> what its processes hold, PSS in MB: as root each sandbox has a uid of its own, up here. */
function sandboxes(): Map<number, number> {
  const found = new Map<number, number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    try {
      const uid = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
      if (uid < 0x7000_0000) continue;
      const kb = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
      found.set(uid, (found.get(uid) ?? 0) + kb / 1024);
    } catch (error) {
      // It ended meanwhile.
      if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  return found;
}

async function rate(count: number, hands: number, work: () => Promise<unknown>): Promise<number> {
  const took = await timed(() => inHands(count, hands, work));
  return (count * 1000) / took;
}

async function inHands(count: number, hands: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  const hand = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: hands }, hand));
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
