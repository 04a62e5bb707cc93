// The ladder: what this host allows, strongest rung first. A rung is tried by running `true` in it, never inferred from a version or a uid.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../kernel/mod.ts";
import { AwsError } from "../../../kernel/mod.ts";
import { bare } from "./bare.ts";
import { bubblewrap } from "./bubblewrap.ts";
import { canUse, cgroupProblem } from "./cgroup.ts";
import { FIRST_INPUT_FD, LAUNCHER_PATH, type Launch } from "./inside.ts";
import { landlocked, scopesSignals } from "./landlocked.ts";
import { feed } from "./launcher.ts";
import { seccompFilter } from "./seccomp.ts";
import { unshared } from "./unshared.ts";

export interface Rung {
  readonly name: "A" | "B" | "C" | "D" | "E";
  /** One line for people. */
  readonly title: string;
  readonly works: boolean;
  /** The first line of what went wrong when it was tried. */
  readonly why?: string;
  readonly protectsAgainst: readonly string[];
  readonly off: readonly string[];
  /** How to turn on what is off, or to reach a higher rung. */
  readonly turnOn: string;
  /** The function sees /var/task, /tmp...; otherwise the real paths. */
  readonly layout: boolean;
  /** Each sandbox gets a uid of its own. */
  readonly ownUid: boolean;
  readonly launch: Launch;
}

type Step = Omit<Rung, "works" | "why" | "off"> & { readonly for: "root" | "user" | "both"; off(): readonly string[] };

const SHARED_NET = "the network is the host's (a function must reach the cloud)";
const PROBE_LIMIT_MS = 10_000;

const HIGHER =
  "apt install bubblewrap; on Ubuntu >= 23.10 as user also: sysctl kernel.apparmor_restrict_unprivileged_userns=0; in Docker: --security-opt seccomp=unconfined --cap-add SYS_ADMIN";

const STEPS: readonly Step[] = [
  {
    name: "A",
    title: "bubblewrap as root: own mounts, pids and uid for each sandbox",
    for: "root",
    protectsAgainst: ["host files", "other sandboxes", "stray processes", "kernel surface", "memory and process hogs"],
    off: () => [...withoutCgroups(), ...unfiltered()],
    turnOn: `Note: ${SHARED_NET}.`,
    layout: true,
    ownUid: true,
    launch: bubblewrap({ root: true }),
  },
  {
    name: "B",
    title: "bubblewrap as user: own mounts and pids in a user namespace",
    for: "user",
    protectsAgainst: ["host files (all but the bind list)", "stray processes", "kernel surface"],
    off: () => [...withoutCgroups(), "a uid of its own for each sandbox", ...unfiltered()],
    turnOn: `Run as root for these. Note: ${SHARED_NET}.`,
    layout: true,
    ownUid: false,
    launch: bubblewrap({ root: false }),
  },
  {
    name: "C",
    title: "unshare as root: own mounts, pids and uid for each sandbox, made with mount(8)",
    for: "root",
    protectsAgainst: ["host files", "other sandboxes", "stray processes", "memory and process hogs"],
    off: () => [...withoutCgroups(), "the seccomp filter"],
    turnOn: "apt install bubblewrap",
    layout: true,
    ownUid: true,
    launch: unshared({ root: true }),
  },
  {
    name: "C",
    title: "unshare as user: own mounts and pids in a user namespace, made with mount(8)",
    for: "user",
    protectsAgainst: ["host files (all but the bind list)", "stray processes"],
    off: () => [...withoutCgroups(), "the seccomp filter", "a uid of its own for each sandbox"],
    turnOn: "apt install bubblewrap",
    layout: true,
    ownUid: false,
    launch: unshared({ root: false }),
  },
  {
    name: "D",
    title: "Landlock: the real paths, but none that is not the function's own or the system's",
    for: "both",
    protectsAgainst: ["host files (all but a list)", "tracing and signalling others"],
    off: () => [
      ...withoutCgroups(),
      "own paths: /var/task and /opt do not exist, and a hard-coded /tmp fails (TMPDIR is the function's own)",
      "own processes: a function sees that others run, and what hides from its end is found by a mark that it can take off",
      ...(scopesSignals() ? [] : ["signals: it can end other processes of this user (Linux >= 6.12 keeps that in)"]),
      "the seccomp filter",
      "a uid of its own for each sandbox",
    ],
    turnOn: HIGHER,
    layout: false,
    ownUid: false,
    launch: landlocked,
  },
  {
    name: "E",
    title: "no sandbox: a process group with resource limits and a clean environment",
    for: "both",
    protectsAgainst: ["accidents"],
    off: () => [
      "everything: a function sees this host's files and processes, /tmp is shared (TMPDIR is its own), /var/task and /opt do not exist",
      ...(process.getuid!() === 0 ? ["functions run as root"] : []),
      ...withoutCgroups(),
    ],
    turnOn: HIGHER,
    layout: false,
    ownUid: false,
    launch: bare,
  },
];

function withoutCgroups(): string[] {
  const problem = cgroupProblem();
  return [
    ...(problem === undefined
      ? []
      : [`hard memory limits, for want of cgroups (memory is watched instead): ${problem}`]),
    ...(canUse("freezer") ? [] : ["freezing between invocations: what a function leaves running goes on running"]),
  ];
}

const unfiltered = (): string[] => (seccompFilter() ? [] : [`the seccomp filter: none for ${process.arch}`]);

/** Every rung that is for this user, each tried. */
export const ladder = (): Promise<Rung[]> => Promise.all(steps().map(tried));

function steps(): Step[] {
  const user = process.getuid!() === 0 ? "root" : "user";
  return STEPS.filter((step) => step.for === user || step.for === "both");
}

const RUNGS_OF = {
  bwrap: ["A", "B"],
  unshare: ["C"],
  landlock: ["D"],
  none: ["E"],
  auto: ["A", "B", "C", "D", "E"],
} as const;

/** The strongest rung that works and that `choice` allows. */
export async function strongest(choice: Config["sandbox"]): Promise<Rung> {
  const names: readonly string[] = RUNGS_OF[choice];
  let why: string | undefined;
  for (const step of steps().filter(({ name }) => names.includes(name))) {
    const rung = await tried(step);
    if (rung.works) return rung;
    why ??= rung.why;
  }
  throw new AwsError("ServiceException", 500, `--sandbox ${choice} does not work on this host: ${why}`);
}

const known = new Map<Step, Promise<Rung>>();

/** Once a process: what a host allows does not change while it runs. */
function tried(step: Step): Promise<Rung> {
  const rung = known.get(step) ?? tryOut(step);
  known.set(step, rung);
  return rung;
}

async function tryOut(step: Step): Promise<Rung> {
  const { for: _, off, ...rung } = step;
  const why = await failure(step);
  return { ...rung, off: off(), works: why === undefined, ...(why !== undefined && { why }) };
}

async function failure(step: Step): Promise<string | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-probe-"));
  try {
    const uid = step.ownUid ? 0x7000_0000 : undefined;
    const inputs = step.launch.input({ workerDir: dir, uid, binds: [], start: "exec true\n" });
    const [file, ...args] = step.launch.argv(uid);
    const child = spawn(file!, args, {
      env: { PATH: LAUNCHER_PATH },
      stdio: ["ignore", "ignore", "pipe", "ignore", ...inputs.map(() => "pipe" as const)],
      timeout: PROBE_LIMIT_MS,
      killSignal: "SIGKILL",
    });
    feed(child.stdio.slice(FIRST_INPUT_FD) as NodeJS.WritableStream[], inputs);
    let said = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code === 0 ? undefined : said.split("\n")[0] || `${code ?? signal}`));
    return await promise;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
