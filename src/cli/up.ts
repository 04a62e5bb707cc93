// Starts the cloud in a workspace and keeps running.
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Aws, start } from "../aws.ts";
import { type Account, type Config, defaults } from "../config.ts";
import type { Entry } from "../kernel/journal.ts";
import { strongest } from "../services/lambda/sandbox/ladder.ts";
import { openTemplate, TemplateFault } from "../template/mod.ts";
import { version } from "../version.ts";
import { type Command, type Environment, print, UserError } from "./command.ts";
import { terminal } from "./terminal.ts";

export const command: Command = {
  summary: "starts the cloud in a workspace, and keeps running",
  usage:
    "[--dir DIR] [--port 4566] [--host 127.0.0.1] [--accounts FILE] [--parameter NAME=VALUE]... [--database URL] [--region us-east-1] [--relaxed] [--sandbox auto|bwrap|unshare|none] [--settle-ms 50] [--quiet]",
  details: [
    "--dir        the workspace: db.sqlite, logs/, buckets/ and template.yaml live here. Default: this directory",
    "--port       TCP port of the API; 0 takes any free one",
    "--host       address to listen on; beyond loopback AWS_LIKE_ROOT_SECRET is demanded",
    "--accounts   a JSON file with further accounts: [{id, accessKeyId, secretAccessKey, canonicalId?, displayName?, email?}]",
    "--parameter  a value for a parameter of template.yaml",
    "--database   postgres://... instead of db.sqlite; or the environment's DATABASE_URL",
    "--region     of requests that name none, and of what the template makes",
    "--relaxed    no signatures, everyone root: for suites written against lax emulators",
    "--sandbox    how functions are shut in; auto takes the strongest that this host allows (aws-like doctor)",
    "--settle-ms  how long a file that was found, not reported as finished, must stay unchanged",
    "--quiet      shows warnings and errors only",
  ].join("\n"),
  async run(args, environment) {
    const { config, parameters } = readOptions(args, environment);
    const show = terminal(config.output);
    await using aws = await start({ ...config, show }).catch((error: Error) => {
      throw new UserError(sentenceOf(error, config));
    });
    greet(aws);
    void sayRung(config);
    const say = (level: Entry["level"], text: string) =>
      show({ at: aws.now(), level, id: "template", from: "template", text });
    await using template = await openTemplate(aws, { file: join(config.dir, "template.yaml"), parameters, say });
    await template.deploy().catch((error: Error) => {
      throw error instanceof TemplateFault ? new UserError(error.message) : error;
    });
    await untilStopped();
  },
};

const options = {
  dir: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  accounts: { type: "string" },
  parameter: { type: "string", multiple: true },
  database: { type: "string" },
  region: { type: "string" },
  relaxed: { type: "boolean" },
  sandbox: { type: "string" },
  "settle-ms": { type: "string" },
  quiet: { type: "boolean" },
} as const;

const SANDBOXES: readonly Config["sandbox"][] = ["auto", "bwrap", "unshare", "none"];

function readOptions(
  args: readonly string[],
  environment: Environment,
): { config: Config; parameters: Map<string, string> } {
  const { values } = parseArgs({ args: [...args], options });
  const host = values.host ?? defaults.host;
  const secret = environment.AWS_LIKE_ROOT_SECRET;
  if (!isLoopback(host) && !secret)
    throw new UserError(`--host ${host} is open to others: set AWS_LIKE_ROOT_SECRET to a secret of your own first`);
  const sandbox = (values.sandbox ?? defaults.sandbox) as Config["sandbox"];
  if (!SANDBOXES.includes(sandbox)) throw new UserError(`--sandbox is one of ${SANDBOXES.join(", ")}, not ${sandbox}`);
  const databaseUrl = values.database ?? environment.DATABASE_URL ?? "";
  if (databaseUrl !== "" && !/^postgres(ql)?:\/\//.test(databaseUrl))
    throw new UserError(`--database (or DATABASE_URL) is postgres://..., not ${databaseUrl}`);
  const config: Config = {
    ...defaults,
    dir: workspace(values.dir ?? "."),
    port: numberOf("--port", values.port ?? String(defaults.port), 65_535),
    host,
    databaseUrl,
    region: values.region ?? defaults.region,
    rootAccessKeyId: environment.AWS_LIKE_ROOT_KEY ?? defaults.rootAccessKeyId,
    rootSecretAccessKey: secret ?? defaults.rootSecretAccessKey,
    accounts: values.accounts === undefined ? [] : readAccounts(values.accounts),
    relaxed: values.relaxed ?? false,
    settleMs: numberOf("--settle-ms", values["settle-ms"] ?? String(defaults.settleMs), 60_000),
    sandbox,
    output: values.quiet ? "quiet" : "terminal",
  };
  return { config, parameters: new Map((values.parameter ?? []).map(assignment)) };
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.");

function workspace(given: string): string {
  const dir = resolve(given);
  if (!existsSync(dir)) throw new UserError(`there is no directory ${dir}; make one with: aws-like init ${given}`);
  if (!statSync(dir).isDirectory()) throw new UserError(`${dir} is not a directory`);
  try {
    // Tried, not asked for: root is told that it may write where nobody can (/proc, a file system mounted read-only).
    mkdirSync(join(dir, "logs"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw new UserError(`the directory ${dir} is not writable (${code})`);
    if (!mayWrite(dir)) throw new UserError(`the directory ${dir} is not writable`);
  }
  return dir;
}

function mayWrite(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function numberOf(option: string, text: string, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > most) throw new UserError(`${option} is a number from 0 to ${most}, not ${text}`);
  return value;
}

function assignment(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new UserError(`--parameter is NAME=VALUE, not ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function readAccounts(file: string): Account[] {
  try {
    const accounts = JSON.parse(readFileSync(file, "utf8")) as Account[];
    for (const { id, accessKeyId, secretAccessKey } of accounts)
      if (!/^\d{12}$/.test(id) || !accessKeyId || !secretAccessKey)
        throw new Error("each account needs an id of 12 digits, an accessKeyId and a secretAccessKey");
    return accounts;
  } catch (error) {
    throw new UserError(`--accounts ${file}: ${(error as Error).message}`);
  }
}

function sentenceOf(error: Error, { host, port }: Config): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return `port ${port} is taken; stop what listens there, or say --port`;
  if (code === "EADDRNOTAVAIL") return `${host} is no address of this machine`;
  if (code === "EACCES") return `${error.message}; this user may not`;
  return error.message;
}

function greet({ config, endpoint }: Aws): void {
  print(`aws-like ${version} at ${endpoint}, workspace ${config.dir}`);
  if (config.relaxed) print("RELAXED: signatures are not checked, and everyone is root");
  const shown = endpoint.replace("127.0.0.1", "localhost");
  const secret = config.rootSecretAccessKey === defaults.rootSecretAccessKey ? config.rootSecretAccessKey : "...";
  print(
    `export AWS_ENDPOINT_URL=${shown} AWS_ACCESS_KEY_ID=${config.rootAccessKeyId} AWS_SECRET_ACCESS_KEY=${secret} AWS_DEFAULT_REGION=${config.region}`,
  );
}

/** Known only after it was tried, which nothing waits for. */
async function sayRung({ sandbox }: Config): Promise<void> {
  const rung = await strongest(sandbox).catch((error: Error) => error);
  if (rung instanceof Error) print(`functions CANNOT run: ${rung.message}`);
  else print(`functions run in ${rung.title}`);
}

/** The first signal stops in order, a second one at once. */
async function untilStopped(): Promise<void> {
  const { promise, resolve: stop } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop());
  await promise;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  print("stopping");
}
