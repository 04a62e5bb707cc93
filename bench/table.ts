// What every bench hands over: a table of figures beside their limit. Written for a terminal and as Markdown.

export interface Table {
  readonly title: string;
  /** How it was measured, and what the limit is; one paragraph. */
  readonly note: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A bench is run by itself (`node bench/s3.ts [DIR]`) or by all.ts. `dir` is on the disk to be measured. */
export type Bench = (dir: string) => Promise<Table[]>;

export async function runAlone(bench: Bench): Promise<void> {
  for (const table of await bench(process.argv[2] ?? ".")) console.log(asText(table));
}

export function asText({ title, note, head, rows }: Table): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return [`\n${title}`, note, "", line(head), ...rows.map(line)].join("\n");
}

export function asMarkdown({ title, note, head, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 ? "---" : "---:"));
  return [`### ${title}`, "", note, "", line(head), line(rule), ...rows.map(line), ""].join("\n");
}

/** Of sorted or unsorted values; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Two or three figures that tell something: `0.42`, `3.1`, `41`. */
export const ms = (value: number): string => value.toFixed(value < 1 ? 2 : value < 20 ? 1 : 0);

export const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
