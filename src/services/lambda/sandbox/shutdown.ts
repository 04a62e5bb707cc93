// How an environment ends: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Extensions, ShutdownReason } from "./extensions.ts";
import { realNow } from "./real-time.ts";
import type { RuntimeProcess } from "./runtime-process.ts";
import type { Telemetry } from "./telemetry.ts";

/** The runtime has a third of the time to end by itself, and only when nothing went wrong; extensions have the rest. */
export async function shutDown(
  running: RuntimeProcess,
  {
    reason,
    external,
    extensions,
    telemetry,
  }: { reason: ShutdownReason; external: boolean; extensions: Extensions; telemetry: Telemetry },
): Promise<void> {
  running.thaw();
  const limitMs = extensions.shutdownMs;
  const end = realNow() + limitMs;
  if (limitMs > 0 && reason === "spindown") {
    running.signalRuntime("TERM");
    await within(external ? limitMs * 0.3 : limitMs, running.exited);
  }
  if (external) {
    running.signalRuntime("KILL");
    // What there is to hear of the end is heard before SHUTDOWN: an extension may end at once when it gets that.
    await turn();
    await telemetry.flushed(limitMs * 0.3);
    extensions.shutDown(reason, end);
    await within(end - realNow(), running.extensionsGone);
  }
  await running.kill();
  telemetry.end();
}

const within = (ms: number, what: Promise<unknown>): Promise<unknown> =>
  Promise.race([what, sleep(Math.max(0, ms), undefined, { ref: false })]);
