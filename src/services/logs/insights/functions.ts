// What a query can compute: functions of one event's values, and aggregates of many.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import { floor, type Period, shown } from "./time.ts";

/** A Date is a moment that is shown as one; undefined is a field that is not there. */
export type Value = string | number | boolean | Date | undefined;

export const numberOf = (value: Value): number | undefined => {
  if (typeof value === "number") return value;
  if (value instanceof Date) return value.getTime();
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
};

export function textOf(value: Value): string {
  if (value instanceof Date) return shown(value.getTime());
  if (typeof value === "number") return String(Math.round(value * 1e4) / 1e4);
  return value === undefined ? "" : String(value);
}

type Argument = Value | Period;
const text = (value: Argument): string => textOf(value as Value);
const period = (value: Argument): Period =>
  typeof value === "object" && "unit" in value ? value : { count: 1, unit: "m" };

const math =
  (compute: (...numbers: number[]) => number) =>
  (...args: Argument[]): Value => {
    const numbers = args.map((one) => numberOf(one as Value)).filter((one) => one !== undefined);
    const result = numbers.length === args.length && args.length > 0 ? compute(...numbers) : undefined;
    return result === undefined || Number.isNaN(result) ? undefined : result;
  };

const at = (value: Argument): number => numberOf(value as Value) ?? 0;
const maybe =
  (compute: (value: string, ...rest: Argument[]) => Value) =>
  (value: Argument, ...rest: Argument[]): Value =>
    value === undefined ? undefined : compute(text(value), ...rest);

const inSubnet = (address: string, subnet: string, family: "ipv4" | "ipv6"): boolean => {
  const [network = "", prefix = ""] = subnet.split("/");
  const valid = family === "ipv4" ? isIPv4 : isIPv6;
  if (!valid(network) || !valid(address) || !/^\d+$/.test(prefix)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family);
  return list.check(address, family);
};

const TABLE: Readonly<Record<string, (...args: Argument[]) => Value>> = {
  abs: math(Math.abs),
  ceil: math(Math.ceil),
  floor: math(Math.floor),
  greatest: math(Math.max),
  least: math(Math.min),
  log: math(Math.log),
  sqrt: math(Math.sqrt),
  datefloor: (time, length) => (time === undefined ? undefined : new Date(floor(at(time), period(length)))),
  dateceil(time, length) {
    if (time === undefined) return undefined;
    const down = floor(at(time), period(length));
    return new Date(down === at(time) ? down : floor(at(time), period(length), 1));
  },
  fromMillis: (ms) => (ms === undefined ? undefined : new Date(at(ms))),
  toMillis: (time) => numberOf(time as Value),
  strlen: maybe((value) => [...value].length),
  strcontains: maybe((value, part) => (value.includes(text(part)) ? 1 : 0)),
  toupper: maybe((value) => value.toUpperCase()),
  tolower: maybe((value) => value.toLowerCase()),
  trim: maybe((value, characters) => strip(strip(value, characters, "start"), characters, "end")),
  ltrim: maybe((value, characters) => strip(value, characters, "start")),
  rtrim: maybe((value, characters) => strip(value, characters, "end")),
  substr: maybe((value, start, length) =>
    value.slice(at(start), length === undefined ? undefined : at(start) + at(length)),
  ),
  replace: maybe((value, from, to) => value.replaceAll(text(from), () => text(to))),
  concat: (...args) => args.map(text).join(""),
  coalesce: (...args) => args.find((one) => one !== undefined) as Value,
  if: (condition, yes, no) => (isTrue(condition as Value) ? yes : no) as Value,
  isempty: (value) => value === undefined || text(value) === "",
  isblank: (value) => value === undefined || text(value).trim() === "",
  ispresent: (value) => value !== undefined,
  isValidIp: (value) => isIP(text(value)) > 0,
  isValidIpv4: (value) => isIPv4(text(value)),
  isValidIpv6: (value) => isIPv6(text(value)),
  isIpInSubnet: (value, net) => inSubnet(text(value), text(net), "ipv4") || inSubnet(text(value), text(net), "ipv6"),
  isIpv4InSubnet: (value, net) => inSubnet(text(value), text(net), "ipv4"),
  isIpv6InSubnet: (value, net) => inSubnet(text(value), text(net), "ipv6"),
};

function strip(value: string, characters: Argument, side: "start" | "end"): string {
  if (characters === undefined) return side === "start" ? value.trimStart() : value.trimEnd();
  const all = text(characters);
  let [start, end] = [0, value.length];
  if (side === "start") while (start < end && all.includes(value[start]!)) start++;
  else while (end > start && all.includes(value[end - 1]!)) end--;
  return value.slice(start, end);
}

export const isTrue = (value: Value): boolean =>
  value === true || (typeof value === "number" && value !== 0) || (typeof value === "string" && value === "true");

/** `bin` and `now` depend on the event and the clock: evaluate.ts knows them. */
export const FUNCTIONS: readonly string[] = [...Object.keys(TABLE), "bin", "now"];

export const callFunction = (name: string, args: readonly Argument[]): Value => TABLE[name]!(...args);

export const AGGREGATES = [
  "count",
  "count_distinct",
  "sum",
  "avg",
  "min",
  "max",
  "median",
  "pct",
  "stddev",
  "earliest",
  "latest",
  "sortsFirst",
  "sortsLast",
  "values",
] as const;
export type Aggregate = (typeof AGGREGATES)[number];

/** `values` are those of the first argument, as many as there are events; `times` when each happened. */
export interface Many {
  readonly values: readonly Value[];
  readonly times: readonly number[];
  /** The second argument: the percentile. */
  readonly parameter: Value;
  /** `count(*)` */
  readonly all: boolean;
}

export function aggregate(name: Aggregate, { values, times, parameter, all }: Many): Value {
  const present = values.filter((value) => value !== undefined);
  const numbers = values.map(numberOf).filter((value) => value !== undefined);
  switch (name) {
    case "count":
      return all ? values.length : present.length;
    case "count_distinct":
      return new Set(present.map(textOf)).size;
    case "sum":
      return total(numbers);
    case "avg":
      return numbers.length > 0 ? total(numbers) / numbers.length : undefined;
    case "min":
      return numbers.length > 0 ? numbers.reduce((a, b) => Math.min(a, b)) : undefined;
    case "max":
      return numbers.length > 0 ? numbers.reduce((a, b) => Math.max(a, b)) : undefined;
    case "median":
      return percentile(numbers, 50);
    case "pct":
      return percentile(numbers, numberOf(parameter) ?? 50);
    case "stddev":
      return deviation(numbers);
    case "earliest":
    case "latest": {
      const best = name === "earliest" ? Math.min : Math.max;
      const when = times.filter((_, i) => values[i] !== undefined);
      return when.length > 0
        ? values[times.findIndex((time, i) => values[i] !== undefined && time === when.reduce((a, b) => best(a, b)))]
        : undefined;
    }
    case "sortsFirst":
      return present.map(textOf).sort()[0];
    case "sortsLast":
      return present.map(textOf).sort().at(-1);
    case "values":
      return [...new Set(present.map(textOf))].join(",");
  }
}

const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** The nearest rank. */
function percentile(numbers: readonly number[], percent: number): number | undefined {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}

function deviation(numbers: readonly number[]): number | undefined {
  if (numbers.length === 0) return undefined;
  const mean = total(numbers) / numbers.length;
  return Math.sqrt(total(numbers.map((one) => (one - mean) ** 2)) / numbers.length);
}
