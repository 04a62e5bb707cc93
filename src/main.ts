// argv and environment -> a command. The only file that reads the environment is this one's caller, bin/aws-like, which hands it over.
import { type Command, type Environment, UserError } from "./cli/command.ts";
import { version } from "./version.ts";

/** Loaded at use: `up` needs all of aws-like, `env` next to nothing. */
const commands: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  up: () => import("./cli/up.ts"),
  init: () => import("./cli/init.ts"),
  why: () => import("./cli/why.ts"),
  policy: () => import("./cli/policy.ts"),
  logs: () => import("./cli/logs.ts"),
  clock: () => import("./cli/clock.ts"),
  snapshot: () => import("./cli/snapshot.ts"),
  sync: () => import("./cli/sync.ts"),
  fsck: () => import("./cli/fsck.ts"),
  table: () => import("./cli/table.ts"),
  outbox: () => import("./cli/outbox.ts"),
  queue: () => import("./cli/queue.ts"),
  send: () => import("./cli/send.ts"),
  events: () => import("./cli/events.ts"),
  invoke: () => import("./cli/invoke.ts"),
  debug: () => import("./cli/debug.ts"),
  export: () => import("./cli/export.ts"),
  function: () => import("./cli/function.ts"),
  chaos: () => import("./cli/chaos.ts"),
  doctor: () => import("./cli/doctor.ts"),
  reset: () => import("./cli/reset.ts"),
  env: () => import("./cli/env.ts"),
  version: () => import("./cli/version.ts"),
};

/** Sets the exit code: 0, or 1 with one clear sentence on stderr. */
export async function main(args: readonly string[], environment: Environment): Promise<void> {
  const [name = "--help", ...rest] = args;
  process.stdout.on("error", whoseReaderLeft);
  try {
    if (name === "--help" || name === "-h" || name === "help") return await help();
    if (name === "--version" || name === "-v") return void process.stdout.write(`aws-like ${version}\n`);
    const load = commands[name];
    if (!load) throw new UserError(`there is no command ${name}; aws-like --help lists them`);
    const { command } = await load();
    if (rest.includes("--help") || rest.includes("-h")) return void process.stdout.write(`${usageOf(name, command)}\n`);
    await command.run(rest, environment);
  } catch (error) {
    const text = error instanceof UserError || isParseError(error) ? (error as Error).message : (error as Error).stack;
    process.stderr.write(`aws-like: ${text}\n`);
    process.exitCode = 1;
  }
}

async function help(): Promise<void> {
  const lines = ["usage: aws-like COMMAND [OPTION]...", ""];
  for (const [name, load] of Object.entries(commands))
    lines.push(`  ${name.padEnd(10)} ${(await load()).command.summary}`);
  lines.push("", "aws-like COMMAND --help says more of each.");
  process.stdout.write(`${lines.join("\n")}\n`);
}

const usageOf = (name: string, { summary, usage, details }: Command): string =>
  [`usage: aws-like ${name}${usage && ` ${usage}`}`, "", summary, ...(details ? ["", details] : [])].join("\n");

/** `aws-like why ID | head` is no failure. */
function whoseReaderLeft(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
}

/** node:util parseArgs' own sentences are clear enough. */
const isParseError = (error: unknown): boolean =>
  String((error as NodeJS.ErrnoException).code).startsWith("ERR_PARSE_ARGS");
