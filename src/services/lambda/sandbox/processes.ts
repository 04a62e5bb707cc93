// The processes of one sandbox as the host sees them in /proc: who they are, what memory they hold, and their end.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Every living descendant of `pid`, itself included. A file that is gone is a process that is gone. */
export function treeOf(pid: number): number[] {
  const tree = [pid];
  for (const parent of tree) tree.push(...childrenOf(parent));
  return tree;
}

function childrenOf(pid: number): number[] {
  const text = readProc(`/proc/${pid}/task/${pid}/children`);
  return text ? text.trimEnd().split(" ").filter(Boolean).map(Number) : [];
}

/** The sum of the peaks, in KB. Pages that processes share count in each. */
export function peakKb(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusKb(pid, "VmHWM"), 0);
}

/** Memory that nothing but these processes holds, in KB: what a memory limit is about. */
export function heldKb(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusKb(pid, "RssAnon"), 0);
}

/** All that was started with a variable in its environment that begins so, however it hid: the bare rung has no pid namespace. */
export function tagged(tag: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && `\0${readProc(`/proc/${name}/environ`)}`.includes(`\0${tag}`))
    .map(Number);
}

export const sendKill = (pid: number): void => send(pid, "SIGKILL");

/** To a process that may be gone. */
export function send(pid: number | undefined, signal: string): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Kills until `remaining` finds none: a fork may run ahead of one look. */
export async function killAll(remaining: () => readonly number[]): Promise<void> {
  for (let left = remaining(); left.length > 0; left = remaining()) {
    for (const pid of left) sendKill(pid);
    await sleep(1);
  }
}

function statusKb(pid: number, field: string): number {
  const status = readProc(`/proc/${pid}/status`);
  const at = status?.indexOf(`${field}:`) ?? -1;
  return at < 0 ? 0 : Number.parseInt(status!.slice(at + field.length + 1), 10);
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return undefined;
    throw error;
  }
}
