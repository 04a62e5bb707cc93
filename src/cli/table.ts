// Tables for people: a CSV file goes in, SQL comes out.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { defaults } from "../config.ts";
import { type Command, type Environment, print, UserError } from "./command.ts";
import { endpointOf } from "./remote.ts";
import { accessOf } from "./signed.ts";
import { importCsv } from "./table/import.ts";
import { type Format, Output } from "./table/output.ts";
import { grouped, openProgress } from "./table/progress.ts";
import { databaseOf, type Query, rowsOfCloud, rowsOfFile } from "./table/query.ts";
import { typesSaid } from "./table/types.ts";
import { readOptions } from "./up-options.ts";

const options = {
  sql: { type: "string" },
  csv: { type: "boolean" },
  json: { type: "boolean" },
  key: { type: "string" },
  types: { type: "string" },
  dir: { type: "string" },
  endpoint: { type: "string" },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];

export const command: Command = {
  summary: "brings a CSV file into a DynamoDB table, and reads a table in SQL",
  usage: [
    "FILE.csv TABLE [--key COLUMN[,COLUMN]] [--types COLUMN=TYPE,...] [--dir DIR | --endpoint URL]",
    "       aws-like table TABLE [--sql 'where ... order by ...'] [--csv | --json] [--dir DIR | --endpoint URL]",
  ].join("\n"),
  details: [
    "The first line of the file names the columns; each other line is an item, an empty field no attribute.",
    "",
    "--key        makes the table, where it is not there, with this partition key (and sort key)",
    "--types      S, N, BOOL or B (base64); else a column that holds numbers only is N, one of true and false BOOL, any other S",
    "--sql        what follows `select * from TABLE`, or a SELECT of its own; the columns are the attributes, `_item` is the whole item",
    "--csv        or --json (an object a line) instead of columns",
    "--dir        the workspace, running or not. Default: this directory where it holds a database and reading is all, else the cloud at --endpoint",
    "",
    "Items are written as by any client: with the credentials and the region of the environment.",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [first, second, ...more] = positionals;
    if (first === undefined || more.length > 0) throw new UserError("say FILE.csv TABLE, or TABLE with --sql");
    if (values.dir !== undefined && values.endpoint !== undefined)
      throw new UserError("--dir and --endpoint exclude each other");
    if (second === undefined) return await read(first, values, environment);
    if (values.sql !== undefined || values.csv || values.json)
      throw new UserError("--sql, --csv and --json go with a table alone: they read");
    await bring(first, second, { values, environment });
  },
};

async function bring(
  file: string,
  table: string,
  { values, environment }: { values: Values; environment: Environment },
): Promise<void> {
  if (!existsSync(file)) throw new UserError(`there is no file ${file}`);
  const key = values.key?.split(",");
  if (key && (key.length > 2 || key.includes(""))) throw new UserError("--key is one column, or two: COLUMN,COLUMN");
  const types = typesSaid(values.types);
  await using cloud = values.dir === undefined ? undefined : await startIn(values.dir, environment);
  const access = cloud ? cloud.access : accessOf(endpointOf(values.endpoint, environment), environment);
  const began = performance.now();
  const { lines, made } = await importCsv({ access, file, table, key, types });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (made) print(`made the table ${table}`);
  print(`${grouped(lines)} lines into ${table}, ${seconds} s`);
}

/** A stopped workspace runs for as long as it is written to. */
async function startIn(dir: string, environment: Environment) {
  const { config } = readOptions(["--dir", dir, "--port", "0"], environment);
  const { start } = await import("../aws.ts");
  const aws = await start(config).catch((error: Error) => {
    throw new UserError(error.message);
  });
  const { rootAccessKeyId: accessKeyId, rootSecretAccessKey: secretAccessKey } = config;
  const { region } = accessOf(aws.endpoint, environment);
  return {
    access: { endpoint: aws.endpoint, region, accessKeyId, secretAccessKey },
    [Symbol.asyncDispose]: () => aws[Symbol.asyncDispose](),
  };
}

async function read(table: string, values: Values, environment: Environment): Promise<void> {
  if (values.key !== undefined || values.types !== undefined)
    throw new UserError("--key and --types go with a file: say FILE.csv TABLE");
  if (values.csv && values.json) throw new UserError("--csv and --json exclude each other");
  const format: Format = values.csv ? "csv" : values.json ? "json" : "text";
  const region = environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? defaults.region;
  const query: Query = { table, sql: values.sql ?? "", region };
  const dir = resolve(values.dir ?? ".");
  const output = new Output(format);
  if (values.dir !== undefined || (values.endpoint === undefined && existsSync(databaseOf(dir)))) {
    // Where the rows themselves go to a terminal, they are the progress.
    using progress = process.stdout.isTTY ? undefined : openProgress("rows");
    let count = 0;
    for (const row of rowsOfFile(dir, query)) {
      output.row(row);
      progress?.at(++count);
    }
    return output.end();
  }
  const { rows, more } = await rowsOfCloud(endpointOf(values.endpoint, environment), environment, query);
  for (const row of rows) output.row(row);
  output.end();
  if (more) throw new UserError(`these are the first ${grouped(rows.length)} rows; --dir WORKSPACE reads them all`);
}
