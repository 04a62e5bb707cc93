// What Lambda itself says of an environment and of an invocation, as text or as JSON; and which of the function's own lines are kept.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html, .../telemetry-schema-reference.html
import { APPLICATION_LEVELS, type ApplicationLevel, type LoggingConfig, type SystemLevel } from "./logging.ts";
import type { InitFailure, LogLine, Result } from "./sandbox/sandbox.ts";

/** A list is what to write: empty where the level says that nothing is. `now` in ms. */
export interface PlatformLog {
  initStart(now: number, of: { runtime: string; runtimeVersionArn: string; version: string }): readonly string[];
  initialized(now: number, initMs: number): readonly string[];
  start(now: number, requestId: string, version: string): readonly string[];
  report(now: number, report: Report): readonly string[];
  /** Of the function, or of the sandbox. */
  line(now: number, line: Pick<LogLine, "stream" | "text" | "initFailure">): readonly string[];
}

export interface Report extends Pick<Result, "durationMs" | "billedMs" | "initMs" | "maxMemoryMb" | "error"> {
  readonly requestId: string;
  readonly memoryMb: number;
}

export const platformLog = (logging: LoggingConfig): PlatformLog =>
  logging.LogFormat === "JSON" ? jsonLog(logging) : textLog;

const textLog: PlatformLog = {
  initStart: (_now, { runtime, runtimeVersionArn }) => [
    `INIT_START Runtime Version: ${versionOf(runtime)}\tRuntime Version ARN: ${runtimeVersionArn}`,
  ],
  initialized: () => [],
  start: (_now, requestId, version) => [`START RequestId: ${requestId} Version: ${version}`],
  report: (_now, report) => [
    `END RequestId: ${report.requestId}`,
    [
      `REPORT RequestId: ${report.requestId}`,
      `Duration: ${report.durationMs.toFixed(2)} ms`,
      `Billed Duration: ${report.billedMs} ms`,
      `Memory Size: ${report.memoryMb} MB`,
      `Max Memory Used: ${report.maxMemoryMb} MB`,
      ...(report.initMs === undefined ? [] : [`Init Duration: ${report.initMs.toFixed(2)} ms`]),
      ...failureOf(report),
      "",
    ].join("\t"),
  ],
  line: (_now, { text }) => [text],
};

const versionOf = (runtime: string): string => `${runtime.replace(/^([a-z]+)\.?(.*?)(\.x)?$/, "$1:$2")}.v1`;

function failureOf(report: Report): string[] {
  const { status, errorType } = outcomeOf(report);
  if (status === "success") return [];
  return [`Status: ${status}`, ...(errorType === undefined ? [] : [`Error Type: ${errorType}`])];
}

// An exception of the handler is no failure of the environment: AWS's REPORT does not mention it.
function outcomeOf({ error }: Report): { status: "success" | "timeout" | "error"; errorType?: string } {
  if (error === undefined || error.kind === "function") return { status: "success" };
  return error.kind === "timeout" ? { status: "timeout" } : { status: "error", errorType: error.type };
}

const INITIALIZATION = { initializationType: "on-demand" } as const;

function jsonLog({ SystemLogLevel, ApplicationLogLevel }: Extract<LoggingConfig, { LogFormat: "JSON" }>): PlatformLog {
  const system = (level: SystemLevel, now: number, type: string, record: object): string[] =>
    atLeast(level, SystemLogLevel)
      ? [JSON.stringify({ time: new Date(now).toISOString(), type: `platform.${type}`, record })]
      : [];
  const initOver = (now: number, { ms, phase, status, errorType }: InitOver): string[] => {
    const level = status === "success" ? "DEBUG" : "WARN";
    const record = { ...INITIALIZATION, phase, status, ...(errorType !== undefined && { errorType }) };
    return [
      ...system(level, now, "initRuntimeDone", record),
      ...system(level, now, "initReport", { ...record, metrics: { durationMs: rounded(ms) } }),
    ];
  };
  return {
    initStart: (now, { runtime, runtimeVersionArn, version }) =>
      system("INFO", now, "initStart", {
        ...INITIALIZATION,
        phase: "init",
        runtimeVersion: versionOf(runtime),
        runtimeVersionArn,
        functionVersion: version,
      }),
    initialized: (now, ms) => initOver(now, { ms, phase: "init", status: "success" }),
    start: (now, requestId, version) => system("INFO", now, "start", { requestId, version }),
    report(now, report) {
      const { requestId, durationMs, billedMs, memoryMb, maxMemoryMb, initMs } = report;
      const outcome = outcomeOf(report);
      const failed = outcome.status !== "success";
      const duration = { durationMs: rounded(durationMs) };
      const metrics = {
        ...duration,
        billedDurationMs: billedMs,
        memorySizeMB: memoryMb,
        maxMemoryUsedMB: maxMemoryMb,
        ...(initMs !== undefined && { initDurationMs: rounded(initMs) }),
      };
      return [
        ...system(failed ? "WARN" : "DEBUG", now, "runtimeDone", { requestId, ...outcome, metrics: duration }),
        ...system(failed ? "WARN" : "INFO", now, "report", { requestId, metrics, ...outcome }),
      ];
    },
    line(now, { stream, text, initFailure }) {
      if (initFailure) return initOver(now, failureOfInit(initFailure));
      // The sentence of a timeout or of a crash is no event of the schema: it stays as it is.
      if (stream === "platform") return [text];
      return atLeast(levelOf(text), ApplicationLogLevel) ? [text] : [];
    },
  };
}

interface InitOver {
  readonly ms: number;
  readonly phase: string;
  readonly status: "success" | "error" | "timeout";
  readonly errorType?: string;
}

const failureOfInit = ({ ms, phase, error }: InitFailure): InitOver =>
  error.kind === "timeout" ? { ms, phase, status: "timeout" } : { ms, phase, status: "error", errorType: error.type };

const atLeast = (level: ApplicationLevel, wanted: ApplicationLevel): boolean =>
  APPLICATION_LEVELS.indexOf(level) >= APPLICATION_LEVELS.indexOf(wanted);

const rounded = (ms: number): number => Number(ms.toFixed(3));

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** "If the level is invalid or missing" or there is no valid timestamp, a line counts as INFO. Names as managed runtimes write them. */
function levelOf(text: string): ApplicationLevel {
  if (!text.startsWith("{")) return "INFO";
  const line = objectOf(text);
  const timestamp = line.timestamp ?? line.time;
  if (typeof timestamp !== "string" || !RFC_3339.test(timestamp)) return "INFO";
  const said = String(line.level ?? line.log_level ?? line.Level ?? line.LogLevel).toUpperCase();
  const level = SYNONYMS[said] ?? said;
  return APPLICATION_LEVELS.find((known) => known === level) ?? "INFO";
}

// Python's.
const SYNONYMS: Readonly<Record<string, ApplicationLevel>> = { WARNING: "WARN", CRITICAL: "FATAL" };

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {}; // Text that begins as an object does.
  }
}
