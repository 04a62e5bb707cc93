// A runtime that a debugger may hold: it waits for one when it starts, and its time does not run while one is there.
import { readFile } from "node:fs/promises";

export interface Debug {
  /** On the host's loopback, where the runtime listens for its debugger. */
  readonly port: number;
  /** False as soon as nobody wants to debug any more: time runs again. */
  wanted(): boolean;
}

const LOOK_MS = 250;
const ESTABLISHED = "01";

/** Calls `over` after `limitMs`; with a debugger not before it has left, and in init (`waits`) not while one may still come. */
export function startLimit(
  limitMs: number,
  { debug, waits, over }: { debug: Debug | undefined; waits: boolean; over: () => void },
): { stop(): void } {
  let stopped = false;
  let timer = setTimeout(look, limitMs);
  async function look() {
    const held = debug?.wanted() && (waits || (await isAttached(debug.port)));
    if (stopped) return;
    if (held) timer = setTimeout(look, LOOK_MS);
    else over();
  }
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Whether anybody is connected to a port of the loopback: /proc/net/tcp says so of every process. */
async function isAttached(port: number): Promise<boolean> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const table = await readFile("/proc/net/tcp", "latin1");
  return table.split("\n").some((line) => {
    const [, here, , state] = line.trim().split(/\s+/);
    return here?.endsWith(local) && state === ESTABLISHED;
  });
}
