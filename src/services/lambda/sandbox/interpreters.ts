// A runtime's name -> the program that runs it on this host, found once a process.
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, glob, open, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join, relative } from "node:path";
import { promisify } from "node:util";
import { AwsError } from "../../../kernel/mod.ts";
import type { Places } from "./environment.ts";
import type { Host } from "./host.ts";
import type { Bind } from "./inside.ts";
import type { Spec } from "./sandbox.ts";

export interface Program {
  readonly argv: readonly string[];
  readonly binds: readonly Bind[];
  readonly env: Readonly<Record<string, string>>;
  /** The bash bootstrap: its handler's answer is a file. */
  readonly answersInFile?: true;
}

/** The package has no entry point: an init error, as on AWS. */
export type Unstartable = { readonly type: string; readonly message: string };

/** Throws InvalidRuntimeException where this host cannot run it. */
export async function programFor(spec: Spec, host: Host, places: Places): Promise<Program | Unstartable> {
  const [, family, version] = /^(provided|nodejs|python)([\d.]*)/.exec(spec.runtime) ?? [];
  if (family === "nodejs")
    return wrapped(spec, await nodeProgram(spec, { wanted: Number.parseInt(version!, 10) || 0, host, places }));
  if (family === "python")
    return wrapped(spec, await pythonProgram(spec, { wanted: Number(version!.split(".")[1] ?? 0), host, places }));
  if (family === "provided") return ownProgram(spec, host, places);
  throw unsupported(`the runtime ${spec.runtime} is not built yet: provided.*, nodejs* and python3.* are`);
}

/** https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html: of managed runtimes alone. */
function wrapped({ env }: Spec, program: Program): Program {
  const wrapper = env.AWS_LAMBDA_EXEC_WRAPPER;
  return wrapper ? { ...program, argv: [wrapper, ...program.argv] } : program;
}

/** https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html; a package without one gets the bash bootstrap. */
async function ownProgram(spec: Spec, host: Host, places: Places): Promise<Program | Unstartable> {
  const roots = [[spec.codeDir, places.task] as const, ...(spec.optDir ? [[spec.optDir, places.opt] as const] : [])];
  let found = false;
  for (const [dir, place] of roots) {
    const own = join(dir, "bootstrap");
    if (await may(own, constants.X_OK)) return { argv: [join(place, "bootstrap")], binds: [], env: {} };
    found ||= await may(own, constants.F_OK);
  }
  if (!found)
    return {
      argv: ["/bin/bash", join(places.runtime, "bootstrap.sh"), places.out],
      binds: bootstrapBind(host, places, "bootstrap.sh"),
      env: {},
      answersInFile: true,
    };
  return {
    type: "Runtime.InvalidEntrypoint",
    message: "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
  };
}

/** What this host lacks to run it, and where it was looked for; undefined where it lacks nothing. Node is always there: aws-like runs on it. */
export async function missingFor(runtime: string): Promise<string | undefined> {
  if (!runtime.startsWith("python")) return undefined;
  pythons ??= findPythons();
  if ((await pythons).length > 0) return undefined;
  return `this host has no Python 3.8 or newer (looked for python3, python3.8 ... in PATH, and in ${join(homedir(), ".pyenv/versions")})`;
}

interface Wish {
  /** Major of Node, minor of python 3. */
  readonly wanted: number;
  readonly host: Host;
  readonly places: Places;
}

async function nodeProgram({ runtime, memoryMb, debug }: Spec, { wanted, host, places }: Wish): Promise<Program> {
  nodes ??= findNodes();
  const node = nearest(await nodes, wanted, { host, runtime });
  const { opt, runtime: runtimeDir, task } = places;
  return {
    argv: [
      places.lang ? join(places.lang, "bin/node") : node.path,
      // As AWS starts it.
      ...["--expose-gc", "--max-http-header-size=81920"],
      `--max-semi-space-size=${Math.max(1, Math.floor(memoryMb / 20))}`,
      `--max-old-space-size=${Math.floor((memoryMb * 9) / 10)}`,
      ...(debug ? [`--inspect-wait=127.0.0.1:${debug.port}`] : []),
      join(runtimeDir, "bootstrap.mjs"),
    ],
    binds: [
      // The file alone: what lies around it may be a home directory.
      { from: node.path, to: join(places.lang, "bin/node") },
      ...bootstrapBind(host, places, "bootstrap.mjs"),
    ],
    env: {
      NODE_PATH: `${opt}/nodejs/node${wanted}/node_modules:${opt}/nodejs/node_modules:${runtimeDir}/node_modules:${runtimeDir}:${task}`,
    },
  };
}

async function pythonProgram({ runtime, debug }: Spec, { wanted, host, places }: Wish): Promise<Program> {
  pythons ??= findPythons();
  const python = nearest(await pythons, wanted, { host, runtime });
  const { prefix, sitePackages } = await pythonPrefix(python.path);
  const inLang = (path: string) => (places.lang ? join(places.lang, relative(prefix, path)) : path);
  return {
    argv: [inLang(python.path), "-S", join(places.runtime, "bootstrap.py")],
    binds: [{ from: prefix, to: places.lang }, ...bootstrapBind(host, places, "bootstrap.py")],
    env: {
      PYTHONPATH: places.runtime,
      LC_CTYPE: "C.UTF-8",
      _LAMBDA_OPT: places.opt,
      ...(debug && { _LAMBDA_DEBUG_PORT: `${debug.port}` }),
      _LAMBDA_SITE_PACKAGES: sitePackages.map(inLang).join(":"),
    },
  };
}

const bootstrapBind = (host: Host, places: Places, name: string): Bind[] => [
  { from: join(host.runtimeDir, name), to: join(places.runtime, name) },
];

interface Interpreter {
  /** Real, absolute. */
  readonly path: string;
  readonly version: number;
}

/** The version itself, else the next newer one, else the newest: code for an older one mostly runs on a newer one. */
function nearest(
  found: readonly Interpreter[],
  wanted: number,
  { host, runtime }: { host: Host; runtime: string },
): Interpreter {
  const sorted = found.toSorted((a, b) => a.version - b.version);
  const chosen = sorted.find(({ version }) => version >= wanted) ?? sorted.at(-1);
  if (!chosen) throw unsupported(`this host has no interpreter for ${runtime}`);
  if (chosen.version !== wanted) {
    const name = runtime.startsWith("python") ? `python3.${chosen.version}` : `Node ${chosen.version}`;
    host.noticeOnce(`${runtime} runs on ${name}, the nearest of this host (${chosen.path})`);
  }
  return chosen;
}

const unsupported = (why: string): AwsError => new AwsError("InvalidRuntimeException", 502, why);

let nodes: Promise<Interpreter[]> | undefined;
let pythons: Promise<Interpreter[]> | undefined;

/** What the bootstrap needs is in Node 20.16, 22.3 and later. */
const NODE_VERSION = "process.getBuiltinModule ? process.versions.node : ''";

async function findNodes(): Promise<Interpreter[]> {
  const here = { path: process.execPath, version: Number.parseInt(process.versions.node, 10) };
  const paths = await programs(["node", "nodejs"], join(homedir(), ".nvm/versions/node/*/bin/node"));
  const others = await Promise.all(
    paths.map(async (path) => ({ path, version: Number.parseInt(await said(path, ["-p", NODE_VERSION]), 10) })),
  );
  return [here, ...others.filter(({ version }) => version > 0)];
}

async function findPythons(): Promise<Interpreter[]> {
  const names = Array.from({ length: 12 }, (_, index) => `python3.${index + 8}`);
  const paths = await programs(["python3", ...names], join(homedir(), ".pyenv/versions/3.*/bin/python3"));
  const all = await Promise.all(paths.map(async (path) => ({ path, version: await pythonVersion(path) })));
  return all.filter(({ version }) => version >= 8);
}

/** The real name of an installed python tells its version; only an odd one is run for it. */
async function pythonVersion(path: string): Promise<number> {
  const named = /^python3\.(\d+)$/.exec(basename(path))?.[1];
  return Number(named ?? (await said(path, ["-I", "-S", "-c", "import sys; print(sys.version_info.minor)"])));
}

/** Real paths of what the shell finds under these names, then of what a version manager has. A shim is asked what it stands for. */
async function programs(names: readonly string[], pattern: string): Promise<string[]> {
  const found = (await said("/bin/bash", ["-c", 'type -aP "$@"; true', "bash", ...names])).split("\n").filter(Boolean);
  for await (const path of glob(pattern)) found.push(path);
  const real = await Promise.all(
    found.map(async (path) => {
      const target = await realpath(path).catch(() => ""); // A link whose program was uninstalled.
      return target && behindShim(target, names[0]!);
    }),
  );
  return [...new Set(real)].filter((path) => path !== "");
}

/** pyenv's and nvm's shims are scripts that cost 100 ms and more each time. Only the one of the plain name is asked. */
async function behindShim(path: string, name: string): Promise<string> {
  if (await isBinary(path)) return path;
  if (basename(path) !== name) return "";
  const question =
    name === "node" ? ["-p", "process.execPath"] : ["-I", "-S", "-c", "import sys; print(sys.executable)"];
  const target = (await said(path, question)).trim();
  return target && realpath(target);
}

async function isBinary(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  return buffer.toString("latin1") === "\x7fELF";
}

const prefixes = new Map<string, Promise<{ prefix: string; sitePackages: string[] }>>();

/** Where its library is, and where the host installed packages: boto3, which AWS brings along, may be there. */
function pythonPrefix(path: string): Promise<{ prefix: string; sitePackages: string[] }> {
  const script = "import sys, site; print(sys.base_prefix); print(*site.getsitepackages(), sep='\\n')";
  const asked = prefixes.get(path) ?? said(path, ["-I", "-S", "-c", script]).then(parsePrefix);
  prefixes.set(path, asked);
  return asked;
}

async function parsePrefix(text: string): Promise<{ prefix: string; sitePackages: string[] }> {
  const [prefix, ...sitePackages] = text.trimEnd().split("\n");
  const home = homedir();
  if (!prefix || prefix === "/" || `${home}/`.startsWith(`${prefix}/`))
    throw unsupported(
      `the python of ${prefix} cannot be shown to a sandbox without the home directory that it lies in`,
    );
  return { prefix, sitePackages: sitePackages.filter((dir) => dir.startsWith(prefix)) };
}

/** Empty where it cannot be run: then it is no interpreter for us. */
async function said(path: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(path, args, { timeout: 5_000 })).stdout;
  } catch (error) {
    if (typeof (error as { code?: unknown }).code === "string" || (error as { killed?: boolean }).killed !== undefined)
      return "";
    throw error;
  }
}

const may = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );
