// A function that is watched by `aws-like invoke --follow`, or debugged by `aws-like debug`.
import type { Arn, Config } from "../../kernel/mod.ts";
import { startDebugging } from "./debugging.ts";
import { runtimeIfAny } from "./runtime.ts";
import { type Said, watch } from "./tap.ts";

export interface Watch {
  readonly functionArn: Arn;
  /** Its sandboxes wait there for a debugger, as long as it is watched. */
  readonly debugPort?: number | undefined;
  readonly signal: AbortSignal;
}

/** Undefined where it is to be debugged, and somebody does already. */
export function watchFunction(
  { config, endpoint }: { config: Config; endpoint: string },
  { functionArn, debugPort, signal }: Watch,
): AsyncIterable<Said> | undefined {
  const retire = () => runtimeIfAny(config)?.retire(functionArn);
  if (debugPort !== undefined && !startDebugging(config, { functionArn, port: debugPort, signal, retire }))
    return undefined;
  return watch(endpoint, { wanted: (one) => one.functionArn === functionArn, signal });
}
