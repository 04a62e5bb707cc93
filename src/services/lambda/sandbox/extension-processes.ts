// The external extensions of an environment: programs of /opt/extensions, run beside the runtime. The shell that started them stays; it says
// through one named pipe who has ended, and hears through another that the runtime may start, and which signals it is to get.
import { execFile } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { access, readdir, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { quoted } from "./inside.ts";

export interface Channel {
  /** What the extensions write, and `runtime STATUS` or `extension STATUS`, a line each, when one ends. */
  readonly log: Socket;
  readonly life: Socket;
  /** All have registered. */
  startRuntime(): void;
  signalRuntime(signal: "TERM" | "KILL"): void;
  close(): void;
}

/** The names of what will be run, in their order: executables of the layers. */
export async function externalExtensions(optDir: string | undefined): Promise<string[]> {
  if (optDir === undefined) return [];
  const dir = join(optDir, "extensions");
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []); // Most layers have none.
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  const runnable = await Promise.all(
    files.map((name) =>
      access(join(dir, name), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return files.filter((_, index) => runnable[index]).sort();
}

const [LOG, LIFE, CONTROL] = [".extensions-log", ".extensions-life", ".extensions-control"];

/** In the directory that the sandbox sees as `places.out`. */
export async function openChannel(outDir: string): Promise<Channel> {
  const paths = [LOG, LIFE, CONTROL].map((name) => join(outDir, name)) as [string, string, string];
  await Promise.all(paths.map((path) => rm(path, { force: true })));
  const mkfifo = promisify(execFile);
  // Whatever its uid, the function may write to the first two and read the third.
  await mkfifo("mkfifo", ["-m", "622", paths[0], paths[1]]);
  await mkfifo("mkfifo", ["-m", "644", paths[2]]);
  const reader = (path: string) =>
    new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false });
  const [log, life] = [reader(paths[0]), reader(paths[1])];
  // A pipe ends when nobody has it open for writing: not before its first writer has come, therefore.
  const held = [openSync(paths[0], constants.O_WRONLY), openSync(paths[1], constants.O_WRONLY)];
  const control = openSync(paths[2], constants.O_RDWR | constants.O_NONBLOCK);
  let open = true;
  const write = (word: string): void => {
    if (open) writeSync(control, `${word}\n`);
  };
  return {
    log,
    life,
    startRuntime: () => write("start"),
    signalRuntime: (signal) => write(signal),
    close() {
      if (open) for (const fd of [...held, control]) closeSync(fd);
      open = false;
    },
  };
}

/** https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html: what an extension does not see of the function's environment. */
const NOT_FOR_EXTENSIONS = [
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_XRAY_CONTEXT_MISSING",
  "AWS_XRAY_DAEMON_ADDRESS",
  "LAMBDA_RUNTIME_DIR",
  "LAMBDA_TASK_ROOT",
  "_AWS_XRAY_DAEMON_ADDRESS",
  "_AWS_XRAY_DAEMON_PORT",
  "_HANDLER",
];

/** Shell lines in the place of `exec RUNTIME`. */
export function besideExtensions(
  runtime: string,
  { names, opt, out }: { names: readonly string[]; opt: string; out: string },
): string[] {
  const [log, life, control] = [LOG, LIFE, CONTROL].map((name) => quoted(join(out, name)));
  return [
    `exec 8>${life}`,
    ...names.map(
      (name) =>
        `( exec 3>&-; unset ${NOT_FOR_EXTENSIONS.join(" ")}; ( exec 8>&-; exec ${quoted(join(opt, "extensions", name))} ) >>${log} 2>&1; echo "extension $?" >&8 ) &`,
    ),
    `read -r _ <${control}`,
    `( exec 8>&-; exec ${runtime} ) &`,
    "runtime=$!",
    `( exec 3>&-; while read -r signal; do kill -s "$signal" "$runtime" 2>/dev/null; done <${control} ) &`,
    // It would say that the runtime was killed.
    "exec 3>&- 2>/dev/null",
    'wait "$runtime"',
    "status=$?",
    'echo "runtime $status" >&8',
    // The host ends this shell, and all that is left with it.
    "wait",
    'exit "$status"',
  ];
}
