// A throw-away PostgreSQL (15 or newer) from Debian's package, for tests: `await using server = await startPostgres()`.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { globSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

/** Environment variable that names a server which is up already: `make test` starts one for all its processes. */
const SHARED = "AWS_LIKE_TEST_POSTGRES";
const START_LIMIT_MS = 30_000;
/** A database whose own collation is not C, as a user's may be: our tables have to see to the order of bytes themselves. */
const TEMPLATE = "aws_like";

export interface PostgresServer extends AsyncDisposable {
  readonly url: string;
  /** The URL of an empty database of one's own. */
  createDatabase(): Promise<string>;
}

/** Undefined where PostgreSQL is not installed. */
export async function startPostgres(): Promise<PostgresServer | undefined> {
  const shared = process.env[SHARED];
  if (shared) return server(shared, () => Promise.resolve());
  // The client's package has the folder too, without the server.
  const newest = globSync("/usr/lib/postgresql/*/bin/postgres").sort().at(-1);
  return newest === undefined ? undefined : start(dirname(newest));
}

async function start(bin: string): Promise<PostgresServer> {
  const user = unprivileged();
  const dir = await mkdtemp(join(tmpdir(), "aws-like-pg-"));
  if (user) await chown(dir, user.uid, user.gid);
  // PostgreSQL refuses to be root. It ends with us, even when we are killed: QUIT is its immediate shutdown.
  const ids = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"] : [];
  const as = [...ids, "--pdeathsig=QUIT", "--"];
  const data = join(dir, "data");
  const make = [join(bin, "initdb"), "-D", data, ..."-U postgres -A trust -E UTF8 --no-locale --no-sync".split(" ")];
  execFileSync("setpriv", [...as, ...make], { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  // Nothing here outlives the test, so nothing waits for the disk.
  const settings = ["listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=200"];
  const serve = [join(bin, "postgres"), "-D", data, "-k", dir, ...settings.flatMap((setting) => ["-c", setting])];
  const child = spawn("setpriv", [...as, ...serve], { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said = (said + chunk).slice(-4096);
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // A server that nobody stops does not keep its process from ending, and ends with it.
  child.unref();
  (child.stderr as Socket).unref();
  const stop = async () => {
    child.ref();
    child.kill("SIGQUIT");
    await exited;
    await rm(dir, { recursive: true });
  };
  const url = `postgres://postgres@localhost/postgres?host=${encodeURIComponent(dir)}`;
  const giveUp = AbortSignal.any([AbortSignal.timeout(START_LIMIT_MS), abortedBy(exited)]);
  try {
    await answering(url, giveUp);
    await query(url, `CREATE DATABASE ${TEMPLATE} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'`);
  } catch (error) {
    await stop();
    throw new Error(`PostgreSQL did not start: ${said}`, { cause: error });
  }
  return server(url, stop);
}

function server(url: string, stop: () => Promise<void>): PostgresServer {
  return {
    url,
    async createDatabase() {
      const name = `test_${randomUUID().replaceAll("-", "")}`;
      await query(url, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
      return url.replace("/postgres?", `/${name}?`);
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** Whom root becomes: the package's own user, or nobody. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = ["-u", "-g"].map((flag) => spawnSync("id", [flag, name], { encoding: "utf8" }));
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new Error("PostgreSQL does not run as root, and there is neither a user postgres nor nobody");
}

async function answering(url: string, giveUp: AbortSignal): Promise<void> {
  for (;;)
    try {
      return await query(url, "SELECT 1");
    } catch (error) {
      // It is not up yet: there is no socket, or it says that it is starting.
      if (giveUp.aborted) throw error;
      await sleep(20);
    }
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function abortedBy(event: Promise<void>): AbortSignal {
  const controller = new AbortController();
  event.then(() => controller.abort());
  return controller.signal;
}
