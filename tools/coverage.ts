// Writes docs/coverage.md: which operations of AWS's models have a handler here. What has none is answered with NotImplemented (501), by name.
//   npm run coverage        make coverage
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AnyService } from "../src/kernel/service.ts";
import { services } from "../src/services.ts";

export const FILE = join(import.meta.dirname, "../docs/coverage.md");

interface Covered {
  readonly name: string;
  readonly done: readonly string[];
  readonly missing: readonly string[];
}

/** The page, made of the register and the models. */
export function coverage(): string {
  const all = services.map(covered);
  const done = all.reduce((sum, one) => sum + one.done.length, 0);
  const missing = all.reduce((sum, one) => sum + one.missing.length, 0);
  const rows = all.map((one) =>
    row(one.name, one.done.length, one.missing.length, one.done.length + one.missing.length),
  );
  return `${[
    "# Coverage",
    "",
    "Made by `make coverage` from the register of services and AWS's published models; a test fails when it is stale. What is missing is answered with",
    "`NotImplemented` (501), by name. What of a done operation is missing or differs from AWS stands in the README of its service.",
    "",
    row("service", "done", "missing", "of"),
    row("---", "--:", "--:", "--:"),
    ...rows,
    row("**all**", done, missing, done + missing),
    ...all.flatMap(section),
  ].join("\n")}\n`;
}

function covered({ name, model, operations }: AnyService): Covered {
  const names = Object.keys(model().operations).sort();
  return {
    name,
    done: names.filter((operation) => operations[operation]),
    missing: names.filter((operation) => !operations[operation]),
  };
}

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

const section = ({ name, done, missing }: Covered): string[] => [
  "",
  `## ${name}`,
  "",
  `| | ${done.length} of ${done.length + missing.length} |`,
  "| --- | --- |",
  ...(done.length > 0 ? [`| done | ${done.join(", ")} |`] : []),
  ...(missing.length > 0 ? [`| missing | ${missing.join(", ")} |`] : []),
];

if (import.meta.main) writeFileSync(FILE, coverage());
