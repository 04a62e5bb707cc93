// What a person sees of the journal: one timestamped line each; warnings and errors stand out.
import type { Config } from "../config.ts";
import type { Entry } from "../kernel/journal.ts";

const RED = "\x1b[31m";
const YELLOW = "\x1b[33m";
const DIM = "\x1b[2m";
const PLAIN = "\x1b[0m";

export function terminal(output: Config["output"]): (entry: Entry) => void {
  const colour = process.stdout.isTTY === true;
  return (entry) => {
    if (output === "quiet" && entry.level === "info") return;
    if (lines === "") setImmediate(flush);
    lines += `${format(entry, colour)}\n`;
    if (watching) return;
    watching = true;
    process.once("exit", flush);
  };
}

// The lines of one turn go out together: each write waits for the terminal.
let lines = "";
let watching = false;

function flush(): void {
  if (lines !== "") process.stdout.write(lines);
  lines = "";
}

/** `12:00:00.123  s3        ObjectCreated:Put input/cat.jpg (1234 bytes, image/jpeg)`; times are UTC, as in AWS's logs. */
export function format({ at, level, from, text }: Entry, colour: boolean): string {
  const time = new Date(at).toISOString().slice(11, 23);
  const label = level === "error" ? "ERROR " : level === "warn" ? "WARN " : "";
  const lines = `${label}${text.trimEnd()}`.replaceAll("\n", `\n${" ".repeat(24)}`);
  if (!colour) return `${time}  ${from.padEnd(9)} ${lines}`;
  const shade = level === "error" ? RED : level === "warn" ? YELLOW : "";
  return `${DIM}${time}  ${from.padEnd(9)}${PLAIN} ${shade}${lines}${shade && PLAIN}`;
}
