// Starts the cloud in a workspace and keeps running.
import { join } from "node:path";
import type { Aws } from "../aws.ts";
import { type Config, defaults } from "../config.ts";
import type { Entry } from "../kernel/journal.ts";
import { version } from "../version.ts";
import { type Command, print, UserError } from "./command.ts";
import { terminal } from "./terminal.ts";
import { readOptions } from "./up-options.ts";

export const command: Command = {
  summary: "starts the cloud in a workspace, and keeps running",
  usage:
    "[--dir DIR] [--port 4566] [--host 127.0.0.1] [--accounts FILE] [--parameter NAME=VALUE]... [--database URL] [--region us-east-1] [--relaxed] [--durability full|fast] [--bucket-defaults secure|classic] [--delays none|real] [--sandbox auto|bwrap|unshare|landlock|none] [--cpu host|aws] [--settle-ms 50] [--quiet]",
  details: [
    "--dir        the workspace: db.sqlite, logs/, buckets/ and template.yaml live here. Default: this directory",
    "--port       TCP port of the API; 0 takes any free one",
    "--host       address to listen on; beyond loopback AWS_LIKE_ROOT_SECRET is demanded",
    "--accounts   a JSON file with further accounts: [{id, accessKeyId, secretAccessKey, name?, email?, canonicalId?}]",
    "--parameter  a value for a parameter of template.yaml",
    "--database   postgres://... instead of db.sqlite; or the environment's DATABASE_URL",
    "--region     of requests that name none, and of what the template makes",
    "--relaxed    no signatures, everyone root: for suites written against lax emulators",
    "--durability full waits for the disk before it answers; fast does not: a power loss may then cost what was answered last",
    "--delays     none: what AWS takes seconds or minutes for (a table that is CREATING) is there at once; real: it takes as long, on the clock",
    "--bucket-defaults  secure: a new bucket has no ACLs and no public access, as AWS's since April 2023; classic: as before, ACLs on and nothing blocked",
    "--sandbox    how functions are shut in; auto takes the strongest that this host allows (aws-like doctor)",
    "--cpu        what a function has of the processors: host (all), or aws (one for each 1769 MB of its memory)",
    "--settle-ms  how long a file that was found, not reported as finished, must stay unchanged",
    "--quiet      shows warnings and errors only",
  ].join("\n"),
  async run(args, environment) {
    const { config, parameters } = readOptions(args, environment);
    // Loaded once the options are known to be good: it is all of aws-like.
    const [{ start }, { openTemplate, TemplateFault }] = await Promise.all([
      import("../aws.ts"),
      import("../template/mod.ts"),
    ]);
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
  const { strongest } = await import("../services/lambda/sandbox/ladder.ts");
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
