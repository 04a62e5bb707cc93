// What a sandboxed program is to see, said once for every rung; and the words that become its first shell script.

export interface Bind {
  readonly from: string;
  readonly to: string;
  readonly write?: boolean;
}

export interface Inside {
  /** Where this worker keeps its own things on the host. */
  readonly workerDir: string;
  /** The uid (and gid) that the program runs as, where the rung can give one. */
  readonly uid: number | undefined;
  readonly binds: readonly Bind[];
  /** A POSIX shell script: limits, environment, `exec`. It arrives through a pipe: no other user sees it in a command line. */
  readonly start: string;
}

/** How a rung starts a program: the command is known before the program is, what it is to run comes through pipes. */
export interface Launch {
  argv(uid: number | undefined): readonly string[];
  /** How many pipes it reads: file descriptors 4, 5, ... (0-3 are /dev/null, the two logs and the Runtime API). */
  readonly inputs: number;
  input(inside: Inside): readonly Buffer[];
}

export const FIRST_INPUT_FD = 4;

/** Of the programs that build a sandbox. */
export const LAUNCHER_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The kernel kills what is started so when this process dies, however it dies. bwrap does it by itself. */
export const DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"] as const;

/** What the function sees of the host besides its own binds. Sources that do not exist are left out. */
export const HOST_DIRS = ["/usr"] as const;
export const HOST_LINKS = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] as const;
export const HOST_ETC = [
  "ssl/certs",
  "ssl/openssl.cnf",
  "ca-certificates",
  "pki",
  "crypto-policies",
  "resolv.conf",
  "hosts",
  "nsswitch.conf",
  "host.conf",
  "gai.conf",
  "services",
  "protocols",
  "alternatives",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "mime.types",
] as const;

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html and `ulimit -a` in a function. */
const LIMITS = ["-n 1024", "-s 8192", "-l 64", "-c 0"] as const;
const PROCESSES = 742;

/** The script that turns a bare shell into the function's environment. `argv` is the runtime. */
export function startScript(options: {
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly fileMb: number;
  readonly ownProcessCount: boolean;
  /** What to say in the place of `exec RUNTIME`, where more than the runtime is started. */
  readonly run?: (runtime: string) => readonly string[];
}): string {
  const lines = LIMITS.map((limit) => `ulimit ${limit}`);
  // In blocks of 512 bytes. Ignored, the signal becomes EFBIG: a failed write, as ENOSPC is on AWS, and no kill.
  lines.push(`ulimit -f ${options.fileMb * 2048}`, `trap '' XFSZ`);
  // dash has it as -p, bash as -u.
  if (options.ownProcessCount) lines.push(`ulimit -u ${PROCESSES} 2>/dev/null || ulimit -p ${PROCESSES}`);
  lines.push("unset OLDPWD PWD");
  for (const [name, value] of Object.entries(options.env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes("\0"))
      throw new Error(`environment variable ${JSON.stringify(name)} cannot be passed to a process`);
    lines.push(`export ${name}=${quoted(value)}`);
  }
  const runtime = options.argv.map(quoted).join(" ");
  lines.push(`cd ${quoted(options.cwd)}`, ...(options.run?.(runtime) ?? [`exec ${runtime}`]));
  return `${lines.join("\n")}\n`;
}

/** For a POSIX shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
