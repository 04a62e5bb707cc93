// Functions of this cloud: a directory made one, and the list of them.
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, extname } from "node:path";
import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";
import { type FunctionConfiguration, functionPath, lambdaJson, lambdaJsonIfAny } from "./function/remote.ts";
import { basicRole } from "./function/role.ts";
import { endpointOf, remoteOptions, remoteUsage } from "./remote.ts";
import { type Access, accessOf } from "./signed.ts";
import { Output } from "./table/output.ts";

const options = {
  ...remoteOptions,
  name: { type: "string" },
  runtime: { type: "string" },
  handler: { type: "string" },
  role: { type: "string" },
  json: { type: "boolean" },
} as const;

export const command: Command = {
  summary: "makes a directory a live function, and lists functions",
  usage: `add DIR [--name NAME] [--runtime RUNTIME] [--handler HANDLER] [--role ARN] ${remoteUsage}\n       aws-like function list [--json] ${remoteUsage}`,
  details: [
    "DIR lies in the workspace; it is the function's code as it stands there: an edit is seen at the next invocation.",
    "",
    "--name     default: the directory's",
    "--runtime  default: by the file that is there: bootstrap or lambda.sh, index.mjs, app.py...",
    "--handler  default: that file's `handler`",
    "--role     default: a new role NAME-role, which may write the function's logs and nothing else",
    "",
    "A function that exists already gets the directory as its code.",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [verb, dir, ...more] = positionals;
    const access = accessOf(endpointOf(values.endpoint, environment), environment);
    if (verb === "list" && dir === undefined) return list(access, values.json === true);
    if (verb !== "add" || dir === undefined || more.length > 0)
      throw new UserError("say: aws-like function add DIR, or aws-like function list");
    const { name, runtime, handler, role } = values;
    print(await add(access, dir, { name, runtime, handler, role }));
  },
};

interface Chosen {
  readonly name?: string | undefined;
  readonly runtime?: string | undefined;
  readonly handler?: string | undefined;
  readonly role?: string | undefined;
}

/** The function's ARN. */
async function add(access: Access, given: string, chosen: Chosen): Promise<string> {
  if (!existsSync(given) || !statSync(given).isDirectory()) throw new UserError(`${given} is no directory`);
  const dir = realpathSync(given);
  const name = chosen.name ?? basename(dir);
  const Code = { S3Bucket: "hot-reload", S3Key: dir };
  const before = await lambdaJsonIfAny(access, { method: "GET", path: functionPath(name, "/configuration") });
  if (before !== undefined) {
    const asked = { method: "PUT", path: functionPath(name, "/code"), ...jsonBody(Code) } as const;
    const configuration = definedOnly({ Runtime: chosen.runtime, Handler: chosen.handler, Role: chosen.role });
    if (Object.keys(configuration).length > 0)
      await lambdaJson(access, { ...asked, path: functionPath(name, "/configuration"), ...jsonBody(configuration) });
    return (await lambdaJson<FunctionConfiguration>(access, asked)).FunctionArn;
  }
  const guess = chosen.runtime !== undefined && chosen.handler !== undefined ? undefined : guessOf(dir);
  const input = {
    FunctionName: name,
    Runtime: chosen.runtime ?? guess?.runtime,
    Handler: chosen.handler ?? guess?.handler,
    Role: chosen.role ?? (await basicRole(access, name)),
    Code,
  };
  const asked = { method: "POST", path: "/2015-03-31/functions", ...jsonBody(input) } as const;
  return (await lambdaJson<FunctionConfiguration>(access, asked)).FunctionArn;
}

const jsonBody = (value: object) => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

const definedOnly = (value: Readonly<Record<string, string | undefined>>) =>
  Object.fromEntries(Object.entries(value).filter(([, text]) => text !== undefined));

/** By the first of these files that is there. The newest runtimes of AWS. */
const ENTRIES: readonly (readonly [file: RegExp, runtime: string])[] = [
  [/^(bootstrap|lambda\.sh)$/, "provided.al2023"],
  [/^(index|app|main|handler|lambda_function)\.(mjs|js|cjs)$/, "nodejs24.x"],
  [/^(app|main|index|handler|lambda_function)\.py$/, "python3.14"],
  [/^(app|main|index|handler|lambda_function)\.rb$/, "ruby3.4"],
];

function guessOf(dir: string): { runtime: string; handler: string } {
  const files = readdirSync(dir).sort();
  for (const [pattern, runtime] of ENTRIES) {
    const file = files.find((name) => pattern.test(name));
    if (file === undefined) continue;
    const module = file === "bootstrap" ? "lambda" : basename(file, extname(file));
    // What AWS's own consoles write into a new function.
    const name = runtime.startsWith("python") || runtime.startsWith("ruby") ? pythonName(module) : "handler";
    return { runtime, handler: `${module}.${name}` };
  }
  throw new UserError(`${dir} has no lambda.sh, bootstrap, index.mjs, index.js or app.py; say --runtime and --handler`);
}

const pythonName = (module: string): string => (module === "lambda_function" ? "lambda_handler" : "handler");

async function list(access: Access, json: boolean): Promise<void> {
  const output = new Output(json ? "json" : "text");
  for (let marker: string | undefined, more = true; more; ) {
    const query = marker === undefined ? "" : `Marker=${encodeURIComponent(marker)}`;
    const path = "/2015-03-31/functions";
    const page = await lambdaJson<{ Functions: FunctionConfiguration[]; NextMarker?: string }>(access, {
      method: "GET",
      path,
      query,
    });
    for (const one of page.Functions)
      output.row({
        name: one.FunctionName,
        runtime: one.Runtime,
        handler: one.Handler,
        memory: one.MemorySize,
        timeout: one.Timeout,
        "code bytes": one.CodeSize,
        modified: one.LastModified.slice(0, 19),
      });
    marker = page.NextMarker;
    more = Boolean(marker);
  }
  output.end();
}
