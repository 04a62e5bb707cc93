// What the Telemetry API says of an invocation: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
import type { Invocation, Result } from "./sandbox.ts";

export const tracingOf = ({ traceId }: Invocation) => ({
  spanId: /Parent=(\w+)/.exec(traceId)?.[1] ?? "",
  type: "X-Amzn-Trace-Id",
  value: traceId,
});

export const statusOf = ({ kind, type }: NonNullable<Result["error"]>) =>
  kind === "timeout" ? { status: "timeout" } : { status: kind === "runtime" ? "failure" : "error", errorType: type };

export const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** `runtimeDone` is told when the runtime has answered, `report` when the extensions are done too. */
export function recordsOf(invocation: Invocation, result: Result, memorySizeMB: number) {
  const status = result.error ? statusOf(result.error) : { status: "success" };
  const about = { requestId: invocation.requestId, ...status, tracing: tracingOf(invocation) };
  const durationMs = rounded(result.durationMs);
  return {
    runtimeDone: { ...about, metrics: { durationMs, producedBytes: result.payload.length } },
    report: {
      ...about,
      metrics: {
        durationMs,
        billedDurationMs: result.billedMs,
        memorySizeMB,
        maxMemoryUsedMB: result.maxMemoryMb,
        ...(result.initMs !== undefined && { initDurationMs: rounded(result.initMs) }),
      },
    },
  };
}
