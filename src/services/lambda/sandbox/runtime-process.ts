// One life of a runtime: the processes from the spawn to the last one's end.
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Cgroup } from "./cgroup.ts";
import type { Channel } from "./extension-processes.ts";
import type { Host } from "./host.ts";
import type { Inside } from "./inside.ts";
import { type Launcher, launch } from "./launcher.ts";
import { readLines } from "./log-lines.ts";
import { heldKb, killAll, peakKb, send, sendKill, tagged, treeOf } from "./processes.ts";
import type { RuntimeApi } from "./runtime-api.ts";

export interface Exit {
  /** In AWS's words: `exit status 3`, `signal: killed`; empty for status 0. */
  readonly how: string;
  readonly outOfMemory: boolean;
}

export interface RuntimeProcess {
  /** When the runtime itself is gone; what it left behind may live on until `kill`. */
  readonly exited: Promise<Exit>;
  /** When every external extension is gone too. */
  readonly extensionsGone: Promise<unknown>;
  signalRuntime(signal: "TERM" | "KILL"): void;
  /** Ends every process of the sandbox; resolves when none is left and all they wrote has been read. */
  kill(): Promise<void>;
  /** Resolves when what was written so far has been read. */
  caughtUp(): Promise<void>;
  /** Stops all of it, or lets it go on; without cgroups neither does anything. */
  freeze(): void;
  thaw(): void;
  /** From the end of init on: AWS gives that one more than its share. */
  shareCpu(): void;
  /** Sum over the living processes of what each held at its peak. */
  peakMb(): number;
}

export interface Life {
  readonly inside: Inside;
  readonly memoryMb: number;
  /** On the bare rung: NAME=VALUE in the environment of everything that was started here. */
  readonly tag: string;
  readonly api: RuntimeApi;
  /** With external extensions: the runtime is then not the first process, but that one's child. */
  readonly beside?: { readonly channel: Channel; readonly extensions: number } | undefined;
  onLine(stream: "stdout" | "stderr" | "extension", text: string): void | Promise<void>;
  /** In AWS's words, as those of Exit; empty for status 0. */
  onExtensionExit(how: string): void;
}

// How far a process may run over its memory before the watchdog sees it. Each look costs 0.1 ms a process.
const WATCH_MS = 50;
// Output that is still in the pipes when all writers are dead is there at once; a reader that a slow log holds up is not waited for longer.
const DRAIN_LIMIT_MS = 2_000;

export function startProcess(host: Host, launcher: Launcher, life: Life): RuntimeProcess {
  const { child, cgroup } = launcher;
  const lines = [
    readLines(launcher.stdout.reader, (text) => life.onLine("stdout", text)),
    readLines(launcher.stderr.reader, (text) => life.onLine("stderr", text)),
  ];
  cgroup?.limit(life.memoryMb);
  host.server.adopt(launcher.api, life.api, { inherited: true });
  launch(launcher, host.rung.launch.input(life.inside));
  const watch = cgroup ? undefined : watchMemory(child, life.memoryMb);
  const gone = exitOf(child, cgroup, watch);
  const beside = life.beside && watchBeside(life, { ...life.beside, cgroup });
  if (beside) lines.push(...beside.lines);
  return {
    exited: beside ? Promise.race([beside.runtimeExited, gone]) : gone,
    extensionsGone: beside ? Promise.race([beside.extensionsGone, gone]) : gone,
    signalRuntime(signal) {
      if (life.beside) life.beside.channel.signalRuntime(signal);
      else send(runtimePid(host, child), `SIG${signal}`);
    },
    peakMb: () => Math.ceil(peakKb(treeOf(child.pid!)) / 1024),
    async caughtUp() {
      // What was written before the answer is in the pipes when the answer is here: a turn of the event loop reads it.
      do {
        await Promise.all(lines.map(({ waiting }) => waiting));
        await turn();
        await turn();
      } while (lines.some(({ waiting }) => waiting));
      for (const { flush } of lines) flush();
    },
    freeze: () => cgroup?.freeze(),
    thaw: () => cgroup?.thaw(),
    shareCpu: () => cgroup?.shareCpu(life.memoryMb),
    async kill() {
      cgroup?.thaw();
      await killTree(host, child, life.tag);
      // On the bare rung some may have taken off their tag.
      if (cgroup) await killAll(() => cgroup.members());
      await gone;
      life.beside?.channel.close();
      const read = Promise.all(lines.map(({ done }) => done));
      await Promise.race([read, sleep(DRAIN_LIMIT_MS, undefined, { ref: false })]);
      while (cgroup && !cgroup.remove()) await sleep(1);
    },
  };
}

/** The shell that started them all says who has ended. */
function watchBeside(
  { onLine, onExtensionExit }: Life,
  { channel, extensions, cgroup }: NonNullable<Life["beside"]> & { cgroup: Cgroup | undefined },
) {
  const runtime = Promise.withResolvers<Exit>();
  const all = Promise.withResolvers<void>();
  let left = extensions;
  const heard = (line: string): void => {
    const [, who, status] = /^(runtime|extension) (\d+)$/.exec(line) ?? [];
    const how = exitWords(Number(status), null);
    if (who === "runtime")
      runtime.resolve({ how, outOfMemory: how === "signal: killed" && (cgroup?.oomKills() ?? 0) > 0 });
    if (who !== "extension") return;
    if (--left === 0) all.resolve();
    onExtensionExit(how);
  };
  const lines = [readLines(channel.log, (text) => onLine("extension", text)), readLines(channel.life, heard)];
  return { runtimeExited: runtime.promise, extensionsGone: all.promise, lines };
}

/** Below what builds the sandbox: the launcher and the first process of the pid namespace. */
function runtimePid(host: Host, child: ChildProcess): number | undefined {
  return host.rung.layout ? treeOf(child.pid!)[2] : child.pid;
}

/** The first process of a pid namespace takes all others with it. Where there is none, the tag finds them. */
async function killTree(host: Host, child: ChildProcess, tag: string): Promise<void> {
  if (child.pid === undefined) return;
  if (!host.rung.layout) {
    killGroup(child.pid);
    return killAll(() => tagged(tag));
  }
  if (child.exitCode !== null || child.signalCode !== null) return;
  const [launcher, first] = treeOf(child.pid);
  sendKill(first ?? launcher!);
  // The launcher ends when its namespace is gone. One that had not yet made it is killed itself.
  if (first === undefined) return;
  const timer = setTimeout(() => sendKill(child.pid!), 100);
  await new Promise((resolve) => child.once("exit", resolve));
  clearTimeout(timer);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function exitOf(child: ChildProcess, cgroup: Cgroup | undefined, watch: MemoryWatch | undefined): Promise<Exit> {
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once("error", (error) => resolve(error.message));
  child.once("exit", (code, signal) => resolve(exitWords(code, signal)));
  const how = await promise;
  watch?.stop();
  return { how, outOfMemory: watch?.exceeded === true || (how === "signal: killed" && (cgroup?.oomKills() ?? 0) > 0) };
}

const SIGNALS: Readonly<Record<number, string>> = {
  4: "illegal instruction",
  6: "aborted",
  7: "bus error",
  8: "floating point exception",
  9: "killed",
  11: "segmentation fault",
  15: "terminated",
};

/** bwrap and unshare report a signal as 128 + its number, as a shell does; so a runtime's own `exit 137` reads as a kill. */
function exitWords(code: number | null, signal: NodeJS.Signals | null): string {
  if (code === 0) return "";
  const name = SIGNALS[signal ? constants.signals[signal] : code! - 128];
  if (signal) return `signal: ${name ?? signal}`;
  return name ? `signal: ${name}` : `exit status ${code}`;
}

interface MemoryWatch {
  readonly exceeded: boolean;
  stop(): void;
}

/** Without a cgroup: the whole tree dies when it holds more than it may. */
function watchMemory(child: ChildProcess, memoryMb: number): MemoryWatch {
  const watch = { exceeded: false, stop: () => clearInterval(timer) };
  const timer = setInterval(() => {
    const tree = treeOf(child.pid!);
    if (heldKb(tree) <= memoryMb * 1024) return;
    watch.exceeded = true;
    watch.stop();
    for (const pid of tree.reverse()) sendKill(pid);
  }, WATCH_MS);
  return watch;
}
