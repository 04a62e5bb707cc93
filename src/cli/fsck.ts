// Rows, files and hashes compared, in a workspace that runs or one that does not.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";
import type { Checked } from "../kernel/service.ts";
import { type Command, type Environment, print, UserError } from "./command.ts";
import { endpointOf, openAnswer, remoteOptions } from "./remote.ts";

export const command: Command = {
  summary: "compares rows, files and hashes, says what is wrong, and mends what can be mended",
  usage: "[--repair] [--dir DIR | --endpoint URL]",
  details: [
    "--repair    mends what it finds; without it, nothing is changed",
    "--dir       a workspace that nobody runs. Default: this directory, where it is a workspace",
    "--endpoint  a cloud that runs. Its requests go on",
    "",
    "Every byte of every object is read. The exit code is 1 where something is wrong that was not mended.",
  ].join("\n"),
  async run(args, environment) {
    const { values } = parseArgs({
      args: [...args],
      options: { ...remoteOptions, repair: { type: "boolean" }, dir: { type: "string" } },
    });
    const repair = values.repair ?? false;
    if (values.dir !== undefined && values.endpoint !== undefined)
      throw new UserError("--dir and --endpoint exclude each other");
    const dir = resolve(values.dir ?? ".");
    const stopped = values.endpoint === undefined && (values.dir !== undefined || isWorkspace(dir));
    const found = stopped
      ? await checkDirectory(dir, environment, repair)
      : checkRunning(endpointOf(values.endpoint, environment), environment, repair);
    await report(found, repair);
  },
};

async function report(found: AsyncIterable<Checked>, repair: boolean): Promise<void> {
  let [objects, bytes, wrong, repaired] = [0, 0, 0, 0];
  for await (const one of found) {
    if ("objects" in one) {
      objects += one.objects;
      bytes += one.bytes;
      continue;
    }
    wrong++;
    if (one.repaired) repaired++;
    const what = one.repaired ? "repaired: " : one.remedy === undefined ? "cannot be repaired" : "with --repair ";
    print(`${one.subject}: ${one.problem}; ${what}${one.remedy ?? ""}`);
  }
  const said = repair ? `, ${repaired} repaired` : "";
  print(`${objects} objects and versions, ${bytes} bytes: ${wrong === 0 ? "all is well" : `${wrong} wrong${said}`}`);
  if (wrong > repaired) process.exitCode = 1;
}

const isWorkspace = (dir: string): boolean => existsSync(join(dir, "db.sqlite"));

async function checkDirectory(dir: string, environment: Environment, repair: boolean): Promise<AsyncIterable<Checked>> {
  const databaseUrl = environment.DATABASE_URL ?? "";
  if (databaseUrl === "" && !isWorkspace(dir)) throw new UserError(`${dir} is no workspace: there is no db.sqlite`);
  const { checkStopped } = await import("../aws.ts");
  const { AWS_LIKE_STORE_KEY: storeKey } = environment;
  return sentences(checkStopped({ dir, databaseUrl, ...(storeKey && { storeKey }) }, { repair }));
}

/** That another process runs here is what the user can mend. */
async function* sentences(found: AsyncIterable<Checked>): AsyncGenerator<Checked> {
  try {
    yield* found;
  } catch (error) {
    const { message } = error as Error;
    throw message.startsWith("another aws-like runs") ? new UserError(`${message}, or say --endpoint`) : error;
  }
}

async function* checkRunning(endpoint: string, environment: Environment, repair: boolean): AsyncGenerator<Checked> {
  const answer = await openAnswer(endpoint, "/_aws-like/fsck", environment, { repair });
  let done = false;
  for await (const line of createInterface({ input: Readable.fromWeb(answer.body!) })) {
    const one = JSON.parse(line) as Checked | { done: true } | { error: string };
    if ("error" in one) throw new UserError(one.error);
    if ("done" in one) done = true;
    else yield one;
  }
  if (!done) throw new UserError(`${endpoint} broke off`);
}
