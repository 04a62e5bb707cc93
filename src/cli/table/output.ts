// Rows as people read them (columns under each other), as CSV or as JSON, a line each.
import { print } from "../command.ts";
import type { Cell, Row } from "./query.ts";

export type Format = "text" | "csv" | "json";

/** Columns are as wide as the widest of the first rows. */
const MEASURED = 100;
const WIDEST = 60;

export class Output {
  readonly #format: Format;
  #names: readonly string[] | undefined;
  #waiting: Row[] = [];
  #widths: readonly number[] | undefined;
  #headed = false;

  constructor(format: Format) {
    this.#format = format;
  }

  row(row: Row): void {
    if (this.#format === "json")
      print(JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)));
    else if (this.#format === "csv") this.#csv(row);
    else this.#columns(row);
  }

  end(): void {
    if (this.#waiting.length > 0) this.#measured();
  }

  #csv(row: Row): void {
    this.#names ??= Object.keys(row);
    if (!this.#headed) print(this.#names.map(csvField).join(","));
    this.#headed = true;
    print(this.#names.map((name) => csvField(row[name] ?? null)).join(","));
  }

  #columns(row: Row): void {
    this.#names ??= Object.keys(row);
    if (this.#widths) this.#text(this.#names.map((name) => text(row[name] ?? null)));
    else if (this.#waiting.push(row) === MEASURED) this.#measured();
  }

  #measured(): void {
    const names = this.#names!;
    const rows = this.#waiting.map((row) => names.map((name) => text(row[name] ?? null)));
    this.#widths = names.map((name, i) =>
      Math.max(name.length, ...rows.map((cells) => Math.min(WIDEST, cells[i]!.length))),
    );
    this.#text(names);
    this.#text(this.#widths.map((width) => "-".repeat(width)));
    for (const cells of rows) this.#text(cells);
    this.#waiting = [];
  }

  #text(cells: readonly string[]): void {
    print(
      cells
        .map((cell, i) => cell.padEnd(this.#widths![i]!))
        .join("  ")
        .trimEnd(),
    );
  }
}

/** A cell stays on its line. */
const text = (cell: Cell): string => (cell === null ? "" : String(cell).replaceAll(/\s/g, " "));

function csvField(cell: Cell): string {
  const field = cell === null ? "" : String(cell);
  return /[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
