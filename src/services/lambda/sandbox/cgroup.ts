// Memory limits by cgroup, v2 or v1, where this process may make one (as root). Elsewhere the watchdog in processes.ts stands in.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "./processes.ts";

export interface Cgroup {
  /** A process joins by writing 0 here. */
  readonly procs: string;
  limit(memoryMb: number): void;
  /** How many processes the kernel killed for want of memory. */
  oomKills(): number;
  /** False while processes are left in it. */
  remove(): boolean;
}

interface Controller {
  readonly dir: string;
  readonly limits: (bytes: number) => readonly (readonly [file: string, value: number, needed: boolean])[];
  readonly oomFile: string;
}

let found: { readonly controller: Controller | undefined; readonly why: string } | undefined;
let made = 0;

/** Undefined where memory cannot be limited; `cgroupProblem` says why. */
export function newCgroup(): Cgroup | undefined {
  const { controller } = memoryController();
  if (!controller) return undefined;
  const dir = join(controller.dir, `${++made}`);
  mkdirSync(dir);
  return {
    procs: join(dir, "cgroup.procs"),
    limit: (memoryMb) => limit(dir, controller, memoryMb * 1024 * 1024),
    oomKills: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(dir, controller.oomFile), "utf8"))?.[1] ?? 0),
    remove: () => removed(dir),
  };
}

function limit(dir: string, controller: Controller, bytes: number): void {
  for (const [file, value, needed] of controller.limits(bytes)) {
    try {
      writeFileSync(join(dir, file), `${value}`);
    } catch (error) {
      if (needed) throw error; // The others are about swap, which a kernel may be built without.
    }
  }
}

export const cgroupProblem = (): string | undefined => (memoryController().controller ? undefined : found!.why);

/** Each sandbox of this process opens and closes them; the last one to close takes away what is left. */
export function openCgroups(): void {
  users++;
}

export function closeCgroups(): void {
  if (--users > 0) return;
  if (found?.controller) removed(found.controller.dir);
  found = undefined;
}

let users = 0;

function memoryController(): NonNullable<typeof found> {
  if (found) return found;
  try {
    const controller = findController();
    mkdirSync(controller.dir, { recursive: true });
    if (controller.oomFile === V2.oomFile) writeFileSync(join(controller.dir, "cgroup.subtree_control"), "+memory");
    found = { controller, why: "" };
  } catch (error) {
    found = { controller: undefined, why: (error as Error).message };
  }
  return found;
}

const V1 = {
  limits: (bytes: number) =>
    [
      ["memory.limit_in_bytes", bytes, true],
      ["memory.memsw.limit_in_bytes", bytes, false],
    ] as const,
  oomFile: "memory.oom_control",
};

const V2 = {
  limits: (bytes: number) =>
    [
      ["memory.max", bytes, true],
      ["memory.swap.max", 0, false],
    ] as const,
  oomFile: "memory.events",
};

const OURS = /^aws-like-(\d+)$/;

function findController(): Controller {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const v1 = mounts.find(([, , type, options]) => type === "cgroup" && options?.split(",").includes("memory"))?.[1];
  const v2 = mounts.find(([, , type]) => type === "cgroup2")?.[1];
  const root = v1 ?? v2;
  if (!root) throw new Error("no cgroup file system is mounted");
  // Top level: v2 forbids limits below a group that holds processes, as ours does.
  if (!v1) writeFileSync(join(root, "cgroup.subtree_control"), "+memory");
  for (const name of readdirSync(root)) sweep(root, name);
  return { dir: join(root, `aws-like-${process.pid}`), ...(v1 ? V1 : V2) };
}

/** A process that was killed could not remove its groups. */
function sweep(root: string, name: string): void {
  const pid = OURS.exec(name)?.[1];
  if (!pid || (Number(pid) !== process.pid && isAlive(Number(pid)))) return;
  for (const child of readdirSync(join(root, name), { withFileTypes: true }))
    if (child.isDirectory()) removed(join(root, name, child.name));
  removed(join(root, name));
}

function removed(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}
