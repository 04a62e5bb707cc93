// All benches in turn: `make bench`, or `node bench/all.ts [--write] [--dir DIR] [NAME]...`. About three minutes.
// --write puts the figures into docs/performance.md, with the machine and the date. Nothing here passes or fails: a slow run is no defect.
import { readFile, statfs, writeFile } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { asMarkdown, asText, type Bench, type Table } from "./table.ts";

/** What a user feels first. */
const benches = [
  "startup",
  "drop",
  "lambda",
  "dynamodb",
  "sqs",
  "decisions",
  "s3",
  "s3-lists",
  "watch",
  "store",
  "patterns",
  "sns",
] as const;

/** Only where they are named: they take minutes and gigabytes. */
const large = ["dynamodb-large", "events", "scheduler"] as const;

const PAGE = new URL("../docs/performance.md", import.meta.url);
const MARK = "<!-- Below: written by bench/all.ts --write -->";
/** https://man7.org/linux/man-pages/man2/statfs.2.html */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: "ext4",
  16914836: "tmpfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  2035054128: "overlayfs",
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean", default: false }, dir: { type: "string", default: "." } },
});
const chosen = positionals.length === 0 ? benches : positionals;
const known: readonly string[] = [...benches, ...large];
const unknown = chosen.find((name) => !known.includes(name));
if (unknown !== undefined) throw new Error(`there is no bench ${unknown}: ${known.join(", ")}`);

const about = await machine();
console.log(about);
const tables: Table[] = [];
for (const name of chosen) {
  const { measure } = (await import(`./${name}.ts`)) as { measure: Bench };
  for (const table of await measure(values.dir)) {
    console.log(asText(table));
    tables.push(table);
  }
}
if (values.write) {
  const [text] = (await readFile(PAGE, "utf8")).split(MARK);
  await writeFile(PAGE, `${text}${MARK}\n\n${about}\n\n${tables.map(asMarkdown).join("\n")}`);
}

async function machine(): Promise<string> {
  const [cpu] = cpus();
  const { type } = await statfs(values.dir);
  const disk = FILE_SYSTEMS[type] ?? `file system 0x${type.toString(16)}`;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const busy = loadavg()[0]!.toFixed(1);
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, Linux ${release()}, ${cpus().length} x ${cpu?.model.trim()}, ${memory}, ${disk}, load when it began ${busy}.`;
}
