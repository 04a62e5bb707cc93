// What all workers of one sandbox share: the state directory with the bootstraps, pipes in stock, uids, the Runtime API's HTTP.
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../../../kernel/mod.ts";
import { canUse, closeCgroups, openCgroups } from "./cgroup.ts";
import { TAG } from "./environment.ts";
import { Fifos } from "./fifo.ts";
import type { Rung } from "./ladder.ts";
import { type Launchers, openLaunchers } from "./launcher.ts";
import { isAlive, killAll, tagged } from "./processes.ts";
import { removeTree } from "./remove.ts";
import { RuntimeServer } from "./runtime-api.ts";
import type { SandboxOptions } from "./sandbox.ts";

export interface Host extends AsyncDisposable {
  readonly rung: Rung;
  readonly initLimitMs: number;
  readonly cpu: Config["cpu"];
  /** Bootstraps, readable for every uid. */
  readonly runtimeDir: string;
  /** One directory a worker. */
  readonly workersDir: string;
  readonly launchers: Launchers;
  readonly fifos: Fifos;
  readonly server: RuntimeServer;
  /** Workers that must be gone before this is. */
  readonly workers: Set<AsyncDisposable>;
  giveUid(uid: number | undefined): void;
  /** Said once, however often it holds. */
  noticeOnce(text: string): void;
  newWorkerName(): string;
  /** What a sandbox finds under `sandbox.localdomain`: an address of its own, so that extensions of two may listen on one port. */
  loopbackOf(workerName: string): string;
}

/** https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: "The Init phase is limited to 10 seconds." */
const INIT_LIMIT_MS = 10_000;

export const BOOTSTRAPS = ["bootstrap.sh", "bootstrap.mjs", "bootstrap.py"] as const;

// 0x70000000 and above is used by nobody: https://systemd.io/UIDS-GIDS/. Each process of ours takes 4096 of its own there.
const FIRST_UID = 0x7000_0000;
const UIDS = 4096;
const UID_BLOCKS = 65_000;
/** Of all sandboxes of this process: two clouds in one process share no uid either. */
const uids = new Set<number>();

export async function openHost(
  rung: Rung,
  { stateDir, onNotice, initLimitMs = INIT_LIMIT_MS, cpu = "host" }: SandboxOptions,
): Promise<Host> {
  const dir = join(stateDir, `run-${process.pid}`);
  const runtimeDir = join(dir, "runtime");
  const workersDir = join(dir, "workers");
  await sweep(stateDir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await mkdir(workersDir);
  await mkdir(runtimeDir);
  for (const name of BOOTSTRAPS) await copyFile(fileURLToPath(new URL(name, import.meta.url)), join(runtimeDir, name));
  const firstUid = FIRST_UID + (process.pid % UID_BLOCKS) * UIDS;
  const said = new Set<string>();
  const workers = new Set<AsyncDisposable>();
  let count = 0;
  const takeUid = (): number | undefined => {
    if (!rung.ownUid) return undefined;
    let uid = firstUid;
    while (uids.has(uid)) uid++;
    if (uid >= firstUid + UIDS) throw new Error(`more than ${UIDS} sandboxes at once`);
    uids.add(uid);
    return uid;
  };
  const fifos = new Fifos(workersDir);
  const launchers = openLaunchers(rung.launch, { fifos, takeUid, cpu: cpu === "aws" });
  openCgroups();
  if (cpu === "aws" && !canUse("cpu")) onNotice("--cpu aws has no effect: this host gives no cgroup of the processors");
  return {
    rung,
    initLimitMs,
    cpu,
    runtimeDir,
    workersDir,
    launchers,
    fifos,
    server: new RuntimeServer(),
    workers,
    noticeOnce(text) {
      if (!said.has(text)) onNotice(text);
      said.add(text);
    },
    newWorkerName: () => `${++count}`,
    loopbackOf: (name) =>
      `127.${64 + (process.pid % 64)}.${Math.floor(process.pid / 64) % 256}.${1 + (Number(name) % 254)}`,
    giveUid(uid) {
      if (uid !== undefined) uids.delete(uid);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...workers].map((worker) => worker[Symbol.asyncDispose]()));
      await launchers[Symbol.asyncDispose]();
      closeCgroups();
      await removeTree(dir);
    },
  };
}

/** Removes what a process left that was killed, and what another process of our pid once left. */
async function sweep(stateDir: string): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  for (const name of await readdir(stateDir)) {
    const pid = Number(/^run-(\d+)$/.exec(name)?.[1]);
    if (!pid || (pid !== process.pid && isAlive(pid))) continue;
    const dir = join(stateDir, name);
    await killAll(() => tagged(`${TAG}=${dir}/`));
    await removeTree(dir);
  }
}
