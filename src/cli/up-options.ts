// The options of `up` -> Config. Each is looked at before anything is started.
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { checkAccounts } from "../accounts.ts";
import { type Account, type Config, defaults, openTo } from "../config.ts";
import { type Environment, UserError } from "./command.ts";

const options = {
  dir: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  accounts: { type: "string" },
  parameter: { type: "string", multiple: true },
  database: { type: "string" },
  region: { type: "string" },
  relaxed: { type: "boolean" },
  durability: { type: "string" },
  "bucket-defaults": { type: "string" },
  delays: { type: "string" },
  sandbox: { type: "string" },
  cpu: { type: "string" },
  "settle-ms": { type: "string" },
  quiet: { type: "boolean" },
} as const;

const SANDBOXES: readonly Config["sandbox"][] = ["auto", "bwrap", "unshare", "landlock", "none"];

const CPUS: readonly Config["cpu"][] = ["host", "aws"];

const BUCKET_DEFAULTS: readonly Config["bucketDefaults"][] = ["secure", "classic"];

const DURABILITIES: readonly Config["durability"][] = ["full", "fast"];

const DELAYS: readonly Config["delays"][] = ["none", "real"];

/** Throws UserError, or what parseArgs says. */
export function readOptions(
  args: readonly string[],
  environment: Environment,
): { config: Config; parameters: Map<string, string> } {
  const { values } = parseArgs({ args: [...args], options });
  const host = values.host ?? defaults.host;
  const rootSecretAccessKey = environment.AWS_LIKE_ROOT_SECRET || defaults.rootSecretAccessKey;
  const rootAccessKeyId = environment.AWS_LIKE_ROOT_KEY ?? defaults.rootAccessKeyId;
  const accounts = values.accounts === undefined ? [] : readAccounts(values.accounts, { rootAccessKeyId });
  const open = openTo({ host, rootSecretAccessKey, relaxed: values.relaxed ?? false, accounts });
  if (open) throw new UserError(`--host ${open}`);
  const sandbox = (values.sandbox ?? defaults.sandbox) as Config["sandbox"];
  if (!SANDBOXES.includes(sandbox)) throw new UserError(`--sandbox is one of ${SANDBOXES.join(", ")}, not ${sandbox}`);
  const cpu = (values.cpu ?? defaults.cpu) as Config["cpu"];
  if (!CPUS.includes(cpu)) throw new UserError(`--cpu is one of ${CPUS.join(", ")}, not ${cpu}`);
  const durability = (values.durability ?? defaults.durability) as Config["durability"];
  if (!DURABILITIES.includes(durability))
    throw new UserError(`--durability is one of ${DURABILITIES.join(", ")}, not ${durability}`);
  const bucketDefaults = (values["bucket-defaults"] ?? defaults.bucketDefaults) as Config["bucketDefaults"];
  if (!BUCKET_DEFAULTS.includes(bucketDefaults))
    throw new UserError(`--bucket-defaults is one of ${BUCKET_DEFAULTS.join(", ")}, not ${bucketDefaults}`);
  const delays = (values.delays ?? defaults.delays) as Config["delays"];
  if (!DELAYS.includes(delays)) throw new UserError(`--delays is one of ${DELAYS.join(", ")}, not ${delays}`);
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
    rootAccessKeyId,
    rootSecretAccessKey,
    ...(environment.AWS_LIKE_STORE_KEY && { storeKey: environment.AWS_LIKE_STORE_KEY }),
    accounts,
    relaxed: values.relaxed ?? false,
    settleMs: numberOf("--settle-ms", values["settle-ms"] ?? String(defaults.settleMs), 60_000),
    durability,
    bucketDefaults,
    delays,
    sandbox,
    cpu,
    output: values.quiet ? "quiet" : "terminal",
  };
  return { config, parameters: new Map((values.parameter ?? []).map(assignment)) };
}

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

function readAccounts(file: string, root: Pick<Config, "rootAccessKeyId">): readonly Account[] {
  try {
    return checkAccounts(JSON.parse(readFileSync(file, "utf8")), root);
  } catch (error) {
    throw new UserError(`--accounts ${file}: ${(error as Error).message}`);
  }
}
