// Where a function finds things, and the environment variables that say so: what AWS sets, in AWS's words.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
import { dirname, join } from "node:path";
import type { Host } from "./host.ts";
import type { Program } from "./interpreters.ts";
import type { Spec } from "./sandbox.ts";

export interface Places {
  readonly task: string;
  readonly opt: string;
  readonly runtime: string;
  /** Empty where the interpreter is run from its own place. */
  readonly lang: string;
  readonly tmp: string;
  /** Answers of the bash bootstrap. */
  readonly out: string;
}

const LAYOUT: Places = {
  task: "/var/task",
  opt: "/opt",
  runtime: "/var/runtime",
  lang: "/var/lang",
  tmp: "/tmp",
  out: "/var/runtime/out",
};

/** On the bare rung it marks all that a sandbox started. Its value is the worker's directory. */
export const TAG = "_SANDBOX_ID";

/** The layout of AWS, or the real directories on the bare rung. */
export function placesOf(host: Host, spec: Spec, workerDir: string): Places {
  if (host.rung.layout) return LAYOUT;
  const [noLayers, tmp, out] = ["opt", "tmp", "out"].map((name) => join(workerDir, name)) as [string, string, string];
  return { task: spec.codeDir, opt: spec.optDir ?? noLayers, runtime: host.runtimeDir, lang: "", tmp, out };
}

/** The owner's variables win, but for those that AWS reserves to itself. */
export function environment(
  spec: Spec,
  { places, program, runtimeApi, tag }: { places: Places; program: Program; runtimeApi: string; tag: string },
): Record<string, string> {
  const { task, opt, runtime, lang } = places;
  const bin = lang ? join(lang, "bin") : dirname(program.argv[0]!);
  const lib = lang ? `${join(lang, "lib")}:` : "";
  return {
    PATH: `${bin}:/usr/local/bin:/usr/bin/:/bin:${opt}/bin`,
    LD_LIBRARY_PATH: `${lib}/lib64:/usr/lib64:${runtime}:${runtime}/lib:${task}:${task}/lib:${opt}/lib`,
    LANG: "en_US.UTF-8",
    TZ: ":UTC",
    PWD: task,
    SHLVL: "0",
    AWS_LAMBDA_FUNCTION_NAME: spec.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: spec.version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: `${spec.memoryMb}`,
    AWS_LAMBDA_LOG_GROUP_NAME: spec.logGroup,
    AWS_LAMBDA_LOG_STREAM_NAME: spec.logStream,
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    ...(!spec.runtime.startsWith("provided") && { AWS_EXECUTION_ENV: `AWS_Lambda_${spec.runtime}` }),
    ...program.env,
    ...(places.tmp !== "/tmp" && { TMPDIR: places.tmp, [TAG]: tag }),
    ...spec.env,
    _HANDLER: spec.handler,
    AWS_LAMBDA_RUNTIME_API: runtimeApi,
    LAMBDA_TASK_ROOT: task,
    LAMBDA_RUNTIME_DIR: runtime,
  };
}
