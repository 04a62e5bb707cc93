// What a metric filter makes of a batch: values, by minute and dimensions.
import type { Input } from "../../kernel/mod.ts";
import type { LogEvent } from "./files.ts";
import type { FilterPattern } from "./filter-pattern/filter-pattern.ts";

export type Transformation = NonNullable<Input<"logs", "PutMetricFilter">["metricTransformations"]>[number];
type Datum = NonNullable<Input<"cloudwatch", "PutMetricData">["MetricData"]>[number];

const MINUTE_MS = 60_000;
/** PutMetricData takes no more values of one datum. */
const MOST_VALUES = 150;

export function metricData(
  { metricName, metricValue = "", defaultValue, dimensions = {}, unit }: Transformation,
  match: FilterPattern,
  events: readonly LogEvent[],
): Datum[] {
  const found = new Map<string, { minute: number; dimensions: Record<string, string>; values: Map<number, number> }>();
  const seen = new Set<number>();
  const matched = new Set<number>();
  for (const { timestamp, message } of events) {
    const minute = timestamp - (timestamp % MINUTE_MS);
    seen.add(minute);
    const hit = match(message);
    if (!hit) continue;
    matched.add(minute);
    const value = Number(metricValue.startsWith("$") ? hit.value(metricValue) : metricValue);
    if (!Number.isFinite(value)) continue; // "if the value is not numeric, nothing is published"
    const given = Object.fromEntries(
      Object.entries(dimensions).map(([name, selector]) => [name, hit.value(selector)] as const),
    );
    // A metric without one of its dimensions would be another metric.
    if (Object.values(given).some((text) => text === undefined)) continue;
    const key = JSON.stringify([minute, given]);
    const datum = found.get(key) ?? { minute, dimensions: given as Record<string, string>, values: new Map() };
    found.set(key, datum);
    datum.values.set(value, (datum.values.get(value) ?? 0) + 1);
  }
  const data = [...found.values()].flatMap(({ minute, dimensions: given, values }) =>
    chunks([...values]).map((some) => ({
      MetricName: metricName,
      Timestamp: new Date(minute),
      ...(Object.keys(given).length > 0 && {
        Dimensions: Object.entries(given).map(([Name, Value]) => ({ Name, Value })),
      }),
      Values: some.map(([value]) => value),
      Counts: some.map(([, count]) => count),
      ...(unit !== undefined && { Unit: unit }),
    })),
  );
  if (defaultValue === undefined) return data;
  // "The value reported when logs are ingested but no matching logs are found."
  const quiet = [...seen].filter((minute) => !matched.has(minute));
  return [
    ...data,
    ...quiet.map((minute) => ({
      MetricName: metricName,
      Timestamp: new Date(minute),
      Values: [defaultValue],
      Counts: [1],
      ...(unit !== undefined && { Unit: unit }),
    })),
  ];
}

const chunks = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(all.length / MOST_VALUES) }, (_, i) =>
    all.slice(i * MOST_VALUES, (i + 1) * MOST_VALUES),
  );
