// Control groups, v2 or v1 or both, where this process may make some (as root): the memory limit, the freezer, the share of the processors.
// Elsewhere the watchdog in runtime-process.ts stands in for the first, and nothing for the others.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "./processes.ts";

export interface Cgroup {
  /** A process joins by writing 0 into each. */
  readonly procs: readonly string[];
  limit(memoryMb: number): void;
  /** As many processors as AWS gives that memory. Only of a group that was made for it. */
  shareCpu(memoryMb: number): void;
  /** Nothing in it runs from now on (some 0.1 ms later, strictly) until `thaw`. Without a freezer both do nothing. */
  freeze(): void;
  thaw(): void;
  /** How many processes the kernel killed for want of memory. */
  oomKills(): number;
  members(): number[];
  /** False while processes are left in it. */
  remove(): boolean;
}

type Setting = readonly [file: string, value: string | number, needed: boolean];

/** One hierarchy: where our groups are, and what they are used for. */
interface Hierarchy {
  readonly root: string;
  readonly v2: boolean;
  readonly uses: readonly Use[];
}

type Use = "memory" | "freezer" | "cpu";

let found: { readonly hierarchies: readonly Hierarchy[]; readonly why: string } | undefined;
let made = 0;

/** Undefined where memory cannot be limited; `cgroupProblem` says why. */
export function newCgroup(options: { cpu: boolean }): Cgroup | undefined {
  const { hierarchies } = find();
  if (hierarchies.length === 0) return undefined;
  const name = `${++made}`;
  // Joining a group takes the kernel 10 ms and more: one that is for nothing but the processors is left out where these are not shared.
  const used = hierarchies.filter(({ uses }) => options.cpu || uses.some((use) => use !== "cpu"));
  const dirs = used.map((hierarchy) => join(ours(hierarchy), name));
  for (const dir of dirs) mkdirSync(dir);
  const set = (use: Use, settings: (v2: boolean) => readonly Setting[]): void => {
    const index = used.findIndex(({ uses }) => uses.includes(use));
    if (index >= 0) write(dirs[index]!, settings(used[index]!.v2));
  };
  const memory = used.findIndex(({ uses }) => uses.includes("memory"));
  return {
    procs: dirs.map((dir) => join(dir, "cgroup.procs")),
    limit: (memoryMb) => set("memory", (v2) => memoryLimit(memoryMb * 1024 * 1024, v2)),
    shareCpu: (memoryMb) => set("cpu", (v2) => cpuShare(memoryMb, v2)),
    freeze: () => set("freezer", (v2) => [v2 ? ["cgroup.freeze", 1, true] : ["freezer.state", "FROZEN", true]]),
    thaw: () => set("freezer", (v2) => [v2 ? ["cgroup.freeze", 0, true] : ["freezer.state", "THAWED", true]]),
    oomKills: () => oomKills(dirs[memory]!, used[memory]!.v2),
    members: () => readFileSync(join(dirs[memory]!, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number),
    remove: () => dirs.every(removed),
  };
}

export const cgroupProblem = (): string | undefined => (find().hierarchies.length > 0 ? undefined : found!.why);

/** Whether what a function leaves running is stopped between two invocations, and its processors counted. */
export const canUse = (use: Use): boolean => find().hierarchies.some(({ uses }) => uses.includes(use));

/** Each sandbox of this process opens and closes them; the last one to close takes away what is left. */
export function openCgroups(): void {
  users++;
}

export function closeCgroups(): void {
  if (--users > 0) return;
  for (const hierarchy of found?.hierarchies ?? []) removed(ours(hierarchy));
  found = undefined;
}

let users = 0;

const memoryLimit = (bytes: number, v2: boolean): readonly Setting[] =>
  v2
    ? [
        ["memory.max", bytes, true],
        // A kernel may be built without what limits swap.
        ["memory.swap.max", 0, false],
      ]
    : [
        ["memory.limit_in_bytes", bytes, true],
        ["memory.memsw.limit_in_bytes", bytes, false],
      ];

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: "At 1,769 MB, a function has the equivalent of one vCPU." */
const MB_OF_A_CPU = 1769;
const PERIOD_US = 100_000;

function cpuShare(memoryMb: number, v2: boolean): readonly Setting[] {
  const quota = Math.max(1_000, Math.round((memoryMb / MB_OF_A_CPU) * PERIOD_US));
  if (v2) return [["cpu.max", `${quota} ${PERIOD_US}`, true]];
  return [
    ["cpu.cfs_period_us", PERIOD_US, true],
    ["cpu.cfs_quota_us", quota, true],
  ];
}

const oomKills = (dir: string, v2: boolean): number => {
  const text = readFileSync(join(dir, v2 ? "memory.events" : "memory.oom_control"), "utf8");
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
};

function write(dir: string, settings: readonly Setting[]): void {
  for (const [file, value, needed] of settings) {
    try {
      writeFileSync(join(dir, file), `${value}`);
    } catch (error) {
      if (needed) throw error;
    }
  }
}

function find(): NonNullable<typeof found> {
  if (found) return found;
  try {
    const hierarchies = findHierarchies();
    for (const hierarchy of hierarchies) {
      mkdirSync(ours(hierarchy), { recursive: true });
      if (hierarchy.v2) delegate(ours(hierarchy), hierarchy.uses);
    }
    found = { hierarchies, why: "" };
  } catch (error) {
    found = { hierarchies: [], why: (error as Error).message };
  }
  return found;
}

/** What v2 calls controllers. Freezing is none: every group of v2 can do it. */
function delegate(dir: string, uses: readonly Use[]): void {
  for (const use of uses) if (use !== "freezer") write(dir, [["cgroup.subtree_control", `+${use}`, use === "memory"]]);
}

function findHierarchies(): Hierarchy[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const v1 = (use: Use) =>
    mounts.find(([, , type, options]) => type === "cgroup" && options?.split(",").includes(use))?.[1];
  const v2 = mounts.find(([, , type]) => type === "cgroup2")?.[1];
  const roots = new Map<string, Use[]>();
  const use = (root: string | undefined, name: Use): void => {
    if (root) roots.set(root, [...(roots.get(root) ?? []), name]);
  };
  const controllers = v2 ? readFileSync(join(v2, "cgroup.controllers"), "utf8").trim().split(" ") : [];
  use(v1("memory") ?? v2, "memory");
  use(v1("cpu") ?? (controllers.includes("cpu") ? v2 : undefined), "cpu");
  if (![...roots.values()].some((uses) => uses.includes("memory"))) throw new Error("no cgroup file system is mounted");
  const hierarchies: Hierarchy[] = [];
  // v2's freezer before v1's: it lets what is frozen be killed.
  use(v2 ?? v1("freezer"), "freezer");
  for (const [root, uses] of roots) {
    // Top level: v2 forbids limits below a group that holds processes, as ours does.
    if (root === v2) delegate(root, uses);
    for (const name of readdirSync(root)) sweep(root, name);
    hierarchies.push({ root, v2: root === v2, uses });
  }
  return hierarchies;
}

const ours = ({ root }: Hierarchy): string => join(root, `aws-like-${process.pid}`);

const OURS = /^aws-like-(\d+)$/;

/** A process that was killed could not remove its groups, nor wake what was frozen in them: v1 lets it die only then. */
function sweep(root: string, name: string): void {
  const pid = OURS.exec(name)?.[1];
  if (!pid || (Number(pid) !== process.pid && isAlive(Number(pid)))) return;
  for (const child of readdirSync(join(root, name), { withFileTypes: true })) {
    if (!child.isDirectory()) continue;
    const dir = join(root, name, child.name);
    if (existsSync(join(dir, "freezer.state"))) write(dir, [["freezer.state", "THAWED", false]]);
    removed(dir);
  }
  removed(join(root, name));
}

function removed(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EBUSY") return false;
    if (code === "ENOENT") return true; // The other hierarchy's was not yet to be removed, this one was.
    throw error;
  }
}
