// What this machine gives, what is missing, and how to mend it.
import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { connect } from "node:net";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { defaults } from "../config.ts";
import { type Command, print } from "./command.ts";

type Finding = readonly [state: "ok" | "warn" | "bad", what: string, text: string];

/** Fewer inotify watches than this hold no real tree. */
const FEW_WATCHES = 8_192;
const LITTLE_DISK_BYTES = 1024 ** 3;
const PROGRAM_LIMIT_MS = 5_000;
/** inotify tells only what this machine does. */
const NETWORKED = /^(nfs|cifs|smb|9p|fuse|virtiofs)/;
const PROGRAMS: readonly (readonly [name: string, why: string])[] = [
  ["bash", "functions in bash need it"],
  ["python3", "functions in Python need it"],
  ["curl", "the example's function signs its requests with it"],
  ["rsync", "the example's s3sync.sh moves files with it"],
  ["sqlite3", "to look at db.sqlite"],
];

export const command: Command = {
  summary: "says what this machine gives aws-like, what is missing, and how to mend it",
  usage: "[--dir DIR] [--port 4566]",
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { dir: { type: "string" }, port: { type: "string" } } });
    const dir = resolve(values.dir ?? ".");
    const findings: Finding[] = [
      ["ok", "node", process.version],
      await port(Number(values.port ?? defaults.port)),
      await disk(dir),
      ...inotify(),
      ...(await sandbox()),
      ...(await Promise.all(PROGRAMS.map(program))),
      postgres(),
    ];
    for (const [state, what, text] of findings) print(`${state.padEnd(5)} ${what.padEnd(12)} ${text}`);
    if (findings.some(([state]) => state === "bad")) process.exitCode = 1;
  },
};

async function port(number: number): Promise<Finding> {
  const { promise, resolve: answer } = Promise.withResolvers<Finding>();
  const socket = connect(number, defaults.host);
  socket.once("connect", () => {
    socket.destroy();
    answer(["warn", "port", `${number} is taken: aws-like runs already, or something else; say --port`]);
  });
  socket.once("error", () => answer(["ok", "port", `${number} is free`]));
  return await promise;
}

async function disk(dir: string): Promise<Finding> {
  if (!existsSync(dir)) return ["bad", "workspace", `there is no directory ${dir}`];
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  const kind = fileSystemOf(dir);
  const text = `${dir}, ${kind}, ${(free / 1024 ** 3).toFixed(1)} GiB free`;
  if (NETWORKED.test(kind)) return ["warn", "workspace", `${text}; what other machines write there is not reported`];
  return [free < LITTLE_DISK_BYTES ? "warn" : "ok", "workspace", text];
}

/** Of the longest mount point that the directory lies under. */
function fileSystemOf(dir: string): string {
  const mounts = readFileSync("/proc/mounts", "utf8").trim().split("\n");
  const under = mounts
    .map((line) => line.split(" "))
    .filter(([, point]) => point === "/" || dir === point || dir.startsWith(`${point}/`))
    .sort((one, other) => other[1]!.length - one[1]!.length);
  return under[0]?.[2] ?? "unknown file system";
}

async function program([name, why]: readonly [string, string]): Promise<Finding> {
  const { promise, resolve: answer } = Promise.withResolvers<Finding>();
  execFile(name, ["--version"], { timeout: PROGRAM_LIMIT_MS }, (error, stdout) => {
    const found = stdout.split("\n")[0]!;
    answer(error ? ["warn", name, `not found: ${why} (apt-get install ${name})`] : ["ok", name, found]);
  });
  return await promise;
}

function inotify(): Finding[] {
  const limit = (name: string) => Number(readFileSync(`/proc/sys/fs/inotify/${name}`, "utf8"));
  if (!existsSync("/proc/sys/fs/inotify"))
    return [["warn", "inotify", "not on this kernel: files are found by looking"]];
  const watches = limit("max_user_watches");
  const raise = "raise it: sysctl fs.inotify.max_user_watches=524288";
  return [
    watches < FEW_WATCHES
      ? ["warn", "inotify", `${watches} directories can be watched; ${raise}`]
      : ["ok", "inotify", `${watches} directories, ${limit("max_queued_events")} queued events`],
  ];
}

async function sandbox(): Promise<Finding[]> {
  const { probe } = await import("../services/lambda/sandbox/sandbox.ts");
  const rungs = await probe();
  const taken = rungs.find((rung) => rung.works);
  const findings: Finding[] = rungs.map((rung) => {
    const note = rung === taken ? " (functions run in this one)" : rung.works ? "" : `: ${rung.why}`;
    return [rung.works ? "ok" : "warn", "sandbox", `${rung.name}  ${rung.title}${note}`];
  });
  if (!taken) return [...findings, ["bad", "sandbox", "none works: functions cannot run here"]];
  findings.push(["ok", "", `   protects against: ${taken.protectsAgainst.join("; ")}`]);
  for (const off of taken.off) findings.push(["warn", "", `   off: ${off}`]);
  findings.push(["ok", "", `   ${taken.turnOn}`]);
  return findings;
}

function postgres(): Finding {
  const there = globSync("/usr/lib/postgresql/*/bin/postgres").length > 0;
  return ["ok", "postgresql", there ? "installed" : "not installed; only needed for --database postgres://..."];
}
