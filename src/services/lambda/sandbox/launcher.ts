// Processes that are about to become a sandbox. Joining a cgroup takes the kernel 10 ms and more (it waits for all processors), so a few
// launchers join ahead of the need and wait for the word; what they launch reaches them through pipes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cgroup, newCgroup } from "./cgroup.ts";
import { closeWriteEnds, type Fifo, type Fifos } from "./fifo.ts";
import { FIRST_INPUT_FD, LAUNCHER_PATH, type Launch } from "./inside.ts";
import { sendKill } from "./processes.ts";

export interface Launcher {
  readonly child: ChildProcess;
  readonly stdout: Fifo;
  readonly stderr: Fifo;
  /** The other end of the sandbox's fd 3. */
  readonly api: Socket;
  readonly cgroup: Cgroup | undefined;
  readonly uid: number | undefined;
}

export interface Launchers extends AsyncDisposable {
  /** A spare one, or a new one where none is left or a certain uid is wanted. */
  take(uid: number | undefined): Promise<Launcher>;
}

const SPARES = 2;
// The one that was just taken is starting: let it have the processor.
const REFILL_MS = 100;

export function openLaunchers(
  launch: Launch,
  options: { fifos: Fifos; takeUid(): number | undefined; cpu: boolean },
): Launchers {
  const { fifos, takeUid } = options;
  const spares: Launcher[] = [];
  let timer: NodeJS.Timeout | undefined;
  let refilling: Promise<void> | undefined;
  let closed = false;

  async function make(uid: number | undefined): Promise<Launcher> {
    const [stdout, stderr] = [await fifos.take(), await fifos.take()];
    const cgroup = newCgroup({ cpu: options.cpu });
    const child = spawn("/bin/sh", ["-c", WAIT, "sh", ...(cgroup?.procs ?? []), "--", ...launch.argv(uid)], {
      // The function's environment reaches no program before it: LD_PRELOAD would be obeyed as root.
      env: { PATH: LAUNCHER_PATH },
      cwd: "/",
      stdio: [
        "pipe",
        stdout.writeFd,
        stderr.writeFd,
        "pipe",
        ...Array.from({ length: launch.inputs }, () => "pipe" as const),
      ],
      detached: true,
    });
    closeWriteEnds([stdout, stderr]);
    child.stdin!.on("error", ignoreBrokenPipe);
    return { child, stdout, stderr, api: child.stdio[3] as Socket, cgroup, uid };
  }

  async function refill(): Promise<void> {
    while (spares.length < SPARES && !closed) spares.push(await make(takeUid()));
  }

  return {
    async take(uid) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        // Whoever finds no spare makes one, and hears why that fails.
        refilling ??= refill()
          .catch(() => undefined)
          .finally(() => {
            refilling = undefined;
          });
      }, REFILL_MS).unref();
      const spare = uid === undefined ? spares.shift() : undefined;
      if (spare && isRunning(spare.child)) return spare;
      if (spare) await discard(spare);
      return make(uid ?? takeUid());
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      await refilling;
      await Promise.all(spares.splice(0).map(discard));
    },
  };
}

/** Joins, waits for a line, then becomes what it was asked to. Without the line, the cloud is gone. */
const WAIT = `while [ "$1" != -- ]; do echo 0 >"$1" || exit 9; shift; done; shift; read -r go || exit 9; exec "$@" </dev/null`;

/** The word: what it waited for. */
export function launch({ child }: Launcher, inputs: readonly Buffer[]): void {
  feed(child.stdio.slice(FIRST_INPUT_FD) as NodeJS.WritableStream[], inputs);
  child.stdin!.end("go\n");
}

/** Writes each text into its pipe. */
export function feed(pipes: readonly NodeJS.WritableStream[], texts: readonly Buffer[]): void {
  for (const [index, text] of texts.entries()) {
    pipes[index]!.on("error", ignoreBrokenPipe);
    pipes[index]!.end(text);
  }
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

/** A program that died before it had read everything is known by its exit. */
const ignoreBrokenPipe = (): void => undefined;

async function discard({ child, stdout, stderr, cgroup }: Launcher): Promise<void> {
  const exited = isRunning(child) && once(child, "exit");
  if (child.pid !== undefined) sendKill(child.pid);
  await exited;
  stdout.reader.destroy();
  stderr.reader.destroy();
  while (cgroup && !cgroup.remove()) await sleep(1);
}
