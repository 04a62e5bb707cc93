// The commands of a query, one after the other, over rows.
import { compare, evaluate } from "./evaluate.ts";
import type { Row } from "./fields.ts";
import { isTrue, textOf, type Value } from "./functions.ts";
import type { Column, Command } from "./parse.ts";

export interface Outcome {
  /** Names and values, in the order in which they are shown. */
  readonly results: readonly (readonly (readonly [name: string, value: string])[])[];
  /** Rows after the last filter. */
  readonly matched: number;
}

/** What a query without a limit answers at most. */
const MOST_RESULTS = 10_000;

/** Commands that look at one row alone: they are run while the events are read. */
export function leading(commands: readonly Command[]): number {
  const first = commands.findIndex(
    ({ kind }) => kind !== "fields" && kind !== "filter" && kind !== "parse" && kind !== "display",
  );
  return first < 0 ? commands.length : first;
}

/** False: a filter does not let it pass. */
export function pass(commands: readonly Command[], row: Row, now: number): boolean {
  for (const command of commands) {
    if (command.kind === "fields" || command.kind === "display")
      for (const column of command.columns) compute(column, row, now);
    else if (command.kind === "filter" && !isTrue(evaluate(command.condition, { row, now }))) return false;
    else if (command.kind === "parse") extract(command, row, now);
  }
  return true;
}

function compute({ name, expression }: Column, row: Row, now: number): void {
  const value = evaluate(expression, { row, now });
  if (value !== undefined) row.set(name, value);
}

function extract({ of, pattern, names }: Extract<Command, { kind: "parse" }>, row: Row, now: number): void {
  const found = pattern.exec(textOf(evaluate(of, { row, now })));
  if (!found) return;
  for (const [i, name] of names.entries()) {
    const value = found.groups?.[name] ?? found[i + 1];
    if (value !== undefined) row.set(name, value);
  }
}

/** `rows` have passed the leading commands, the latest first. */
export function finish(
  commands: readonly Command[],
  given: readonly Row[],
  { now, limit = MOST_RESULTS }: { now: number; limit?: number | undefined },
): Outcome {
  let rows = [...given];
  let matched = rows.length;
  let aggregated = false;
  let limited = false;
  for (const command of commands.slice(leading(commands))) {
    switch (command.kind) {
      case "fields":
      case "parse":
      case "display":
        for (const row of rows) pass([command], row, now);
        break;
      case "filter":
        rows = rows.filter((row) => pass([command], row, now));
        if (!aggregated) matched = rows.length;
        break;
      case "stats":
        rows = grouped(command, rows, now);
        aggregated = true;
        break;
      case "sort":
        rows = sorted(command.by, rows, now);
        break;
      case "limit":
        rows = rows.slice(0, command.count);
        limited = true;
        break;
      case "dedup":
        rows = distinct(command.by, rows, now);
        break;
    }
  }
  const names = columnsOf(commands);
  const shown = rows.slice(0, limited ? MOST_RESULTS : Math.min(limit, MOST_RESULTS));
  const results = shown.map((row) => {
    const values = names.flatMap((name): [string, string][] => {
      const value = row.get(name);
      return value === undefined ? [] : [[name, textOf(value)]];
    });
    const pointer = aggregated ? undefined : row.get("@ptr");
    return pointer === undefined ? values : [...values, ["@ptr", textOf(pointer)] as const];
  });
  return { results, matched };
}

/** What is shown: the last display; or what fields, parse and stats have named. */
function columnsOf(commands: readonly Command[]): string[] {
  let names: string[] = [];
  let displayed: string[] | undefined;
  for (const command of commands) {
    if (command.kind === "fields") names.push(...command.columns.map(({ name }) => name));
    else if (command.kind === "parse") names.push(...command.names);
    else if (command.kind === "display") displayed = command.columns.map(({ name }) => name);
    else if (command.kind === "stats") {
      names = [...command.by, ...command.columns].map(({ name }) => name);
      displayed = undefined;
    }
  }
  const chosen = displayed ?? (names.length > 0 ? names : ["@timestamp", "@message"]);
  return [...new Set(chosen)].filter((name) => name !== "@ptr");
}

function grouped({ columns, by }: Extract<Command, { kind: "stats" }>, rows: readonly Row[], now: number): Row[] {
  const groups = new Map<string, { keys: Value[]; rows: Row[] }>();
  if (by.length === 0) groups.set("", { keys: [], rows: [...rows] });
  else
    for (const row of rows) {
      const keys = by.map(({ expression }) => evaluate(expression, { row, now }));
      const key = JSON.stringify(keys.map((one) => (one === undefined ? null : textOf(one))));
      const group = groups.get(key);
      if (group) group.rows.push(row);
      else groups.set(key, { keys, rows: [row] });
    }
  return [...groups.values()].map(({ keys, rows: group }) => {
    const result: Row = new Map();
    for (const [i, { name }] of by.entries()) if (keys[i] !== undefined) result.set(name, keys[i]);
    for (const { name, expression } of columns) {
      const value = evaluate(expression, { row: group[0] ?? new Map(), group, now });
      if (value !== undefined) result.set(name, value);
    }
    return result;
  });
}

/** What is not there comes last. */
function sorted(by: Extract<Command, { kind: "sort" }>["by"], rows: readonly Row[], now: number): Row[] {
  const keyed = rows.map((row) => ({
    row,
    keys: by.map(({ text, expression }) => row.get(text) ?? evaluate(expression, { row, now })),
  }));
  keyed.sort((a, b) => {
    for (const [i, { descending }] of by.entries()) {
      const [x, y] = [a.keys[i], b.keys[i]];
      if (x === undefined || y === undefined) {
        if (x === y) continue;
        return x === undefined ? 1 : -1;
      }
      const order = compare(x, y)!;
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
  return keyed.map(({ row }) => row);
}

/** The first of each; rows without one of the values all stay. */
function distinct(by: Extract<Command, { kind: "dedup" }>["by"], rows: readonly Row[], now: number): Row[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const values = by.map((expression) => evaluate(expression, { row, now }));
    if (values.includes(undefined)) return true;
    const key = JSON.stringify(values.map(textOf));
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
