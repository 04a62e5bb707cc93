// Who debugs which function. Its sandboxes wait for a debugger, one at a time, as long as `aws-like debug` runs.
import type { Arn, Config } from "../../kernel/mod.ts";
import type { Debug } from "./sandbox/debugger.ts";

interface Session extends Debug {
  readonly functionArn: Arn;
  readonly config: Config;
}

const sessions = new Set<Session>();

export const debugOf = (config: Config, functionArn: Arn): Debug | undefined =>
  [...sessions].find((session) => session.config === config && session.functionArn === functionArn);

/** From now on until `signal` aborts; `retire` ends the sandboxes that are warm. False where somebody debugs it already. */
export function startDebugging(
  config: Config,
  { functionArn, port, signal, retire }: { functionArn: Arn; port: number; signal: AbortSignal; retire: () => void },
): boolean {
  if (debugOf(config, functionArn)) return false;
  const session: Session = { functionArn, config, port, wanted: () => sessions.has(session) };
  sessions.add(session);
  retire();
  signal.addEventListener("abort", () => {
    sessions.delete(session);
    retire();
  });
  return true;
}
