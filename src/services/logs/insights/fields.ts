// What Insights finds in an event by itself: its system fields, those of JSON, and those of Lambda's own lines.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
import type { Found } from "../events.ts";
import type { Value } from "./functions.ts";

export type Row = Map<string, Value>;

/** "up to 200 fields from a JSON log" */
const MOST_FIELDS = 200;

/** `log`: `000000000000:/aws/lambda/f`. */
export function fieldsOf(event: Found, { log, pointer }: { log: string; pointer: string }): Row {
  const row: Row = new Map<string, Value>([
    ["@timestamp", new Date(event.timestamp)],
    ["@message", event.message],
    ["@logStream", event.stream],
    ["@log", log],
    ["@ingestionTime", new Date(event.ingestedMs)],
    ["@ptr", pointer],
  ]);
  const json = jsonIn(event.message);
  if (json) flatten(json, "", row);
  else if (log.includes(":/aws/lambda/")) lambdaFields(event.message, row);
  return row;
}

/** A message that is JSON, or ends in JSON. */
function jsonIn(message: string): object | undefined {
  const start = message.indexOf("{");
  if (start < 0) return undefined;
  try {
    return JSON.parse(message.slice(start)) as object;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function flatten(value: unknown, path: string, row: Row): void {
  if (row.size >= MOST_FIELDS) return;
  if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) flatten(inner, path === "" ? key : `${path}.${key}`, row);
    return;
  }
  if (value !== null && !row.has(path)) row.set(path, value as Value);
}

const MEASURES: readonly (readonly [name: string, pattern: RegExp, factor: number])[] = [
  ["@duration", /\tDuration: ([\d.]+) ms/, 1],
  ["@billedDuration", /\tBilled Duration: ([\d.]+) ms/, 1],
  ["@initDuration", /\tInit Duration: ([\d.]+) ms/, 1],
  // In bytes, of a thousand.
  ["@memorySize", /\tMemory Size: (\d+) MB/, 1e6],
  ["@maxMemoryUsed", /\tMax Memory Used: (\d+) MB/, 1e6],
];

function lambdaFields(message: string, row: Row): void {
  const type = /^(START|END|REPORT) RequestId: /.exec(message)?.[1];
  const id = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/.exec(message)?.[0];
  if (type !== undefined) row.set("@type", type);
  if (id !== undefined) row.set("@requestId", id);
  if (type !== "REPORT") return;
  for (const [name, pattern, factor] of MEASURES) {
    const found = pattern.exec(message)?.[1];
    if (found !== undefined) row.set(name, Number(found) * factor);
  }
}
