// A runtime's name -> the program that runs it on this host, found once a process.
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { Host } from "./host.ts";
import type { Bind } from "./inside.ts";
import type { Spec } from "./sandbox.ts";

/** Where the function sees things: the layout of AWS, or the real directories on the bare rung. */
export interface Places {
  readonly task: string;
  readonly opt: string;
  readonly runtime: string;
  readonly lang: string;
  readonly tmp: string;
  /** Answers of the bash bootstrap. */
  readonly out: string;
}

export interface Program {
  readonly argv: readonly string[];
  readonly binds: readonly Bind[];
  readonly env: Readonly<Record<string, string>>;
}

export type Unstartable = { readonly type: string; readonly message: string };

/** Throws MissingInterpreter where the host has none. An entry point that the package lacks is an init error, as on AWS. */
export async function programFor(spec: Spec, host: Host, places: Places): Promise<Program | Unstartable> {
  const own = join(spec.codeDir, "bootstrap");
  if (await exists(own, constants.F_OK)) {
    if (await exists(own, constants.X_OK)) return { argv: [join(places.task, "bootstrap")], binds: [], env: {} };
    return {
      type: "Runtime.InvalidEntrypoint",
      message: "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
    };
  }
  return {
    argv: ["/bin/bash", join(places.runtime, "bootstrap.sh"), places.out],
    binds: bootstrap(host, places, "bootstrap.sh"),
    env: {},
  };
}

const bootstrap = (host: Host, places: Places, name: string): Bind[] => [
  { from: join(host.runtimeDir, name), to: join(places.runtime, name) },
];

const exists = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );
