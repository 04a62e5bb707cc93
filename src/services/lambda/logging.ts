// LoggingConfig: which form a function's log has, and from which level on a line is kept.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
import type { Input } from "../../kernel/mod.ts";
import { invalidParameter } from "./errors.ts";

export const APPLICATION_LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const;
export type ApplicationLevel = (typeof APPLICATION_LEVELS)[number];
export type SystemLevel = "DEBUG" | "INFO" | "WARN";

export type LoggingConfig =
  | { readonly LogFormat: "Text"; readonly LogGroup: string }
  | {
      readonly LogFormat: "JSON";
      readonly ApplicationLogLevel: ApplicationLevel;
      readonly SystemLogLevel: SystemLevel;
      readonly LogGroup: string;
    };

type Asked = Input<"lambda", "CreateFunction">["LoggingConfig"];

/** What was asked for, on top of what was. Whoever turns to Text loses the levels; JSON without any has AWS's, INFO. */
export function chooseLogging(
  asked: Asked,
  { was, group }: { was: LoggingConfig | undefined; group: string },
): LoggingConfig {
  const { LogFormat = was?.LogFormat ?? "Text", LogGroup = was?.LogGroup ?? group } = asked ?? {};
  if (LogFormat === "Text") {
    if (asked?.ApplicationLogLevel || asked?.SystemLogLevel)
      throw invalidParameter(
        'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "Json" and try again.',
      );
    return { LogFormat, LogGroup };
  }
  const before = was?.LogFormat === "JSON" ? was : undefined;
  return {
    LogFormat,
    ApplicationLogLevel: asked?.ApplicationLogLevel ?? before?.ApplicationLogLevel ?? "INFO",
    SystemLogLevel: asked?.SystemLogLevel ?? before?.SystemLogLevel ?? "INFO",
    LogGroup,
  };
}

/** The variables by which a runtime knows it. AWS sets the level with JSON alone. */
export const loggingVariables = (logging: LoggingConfig): Record<string, string> =>
  logging.LogFormat === "Text"
    ? {}
    : { AWS_LAMBDA_LOG_FORMAT: "JSON", AWS_LAMBDA_LOG_LEVEL: logging.ApplicationLogLevel };
