// `make test`: every test on SQLite, then the tests that talk to a cloud once more on PostgreSQL. Arguments narrow it to files.
import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { startPostgres } from "./postgres.ts";

/** Tests wait for disks and processes more than they compute: more of them than cores. */
const CONCURRENCY = 4;
/** Far beyond any honest test: a hang ends as a failure with the test's name. */
const TEST_TIMEOUT_MS = 180_000;

const chosen = process.argv.slice(2);
const files = chosen.length > 0 ? chosen : globSync(["src/**/*.test.ts", "test/*.test.ts"]).sort();

await using postgres = await startPostgres();
console.log(`# ${files.length} test files, SQLite`);
const first = await run(files, {});
if (!postgres) {
  console.error("\n*** PostgreSQL is NOT tested: there is none on this machine (apt-get install postgresql). ***\n");
  process.exit(first);
}
const cloudFiles = files.filter(
  (file) => file.startsWith("src/services/") && readFileSync(file, "utf8").includes("startCloud"),
);
if (cloudFiles.length === 0) process.exit(first);
console.log(`# ${cloudFiles.length} test files again, PostgreSQL`);
const second = await run(cloudFiles, { AWS_LIKE_TEST_POSTGRES: postgres.url });
process.exitCode = first || second;

function run(paths: readonly string[], env: Record<string, string>): Promise<number> {
  const args = ["--test", `--test-concurrency=${CONCURRENCY}`, `--test-timeout=${TEST_TIMEOUT_MS}`, ...paths];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "inherit", "inherit"],
    // Each file is a process of its own: what one has compiled, the next need not. It saves 0.4 s of CPU a file.
    env: { ...process.env, NODE_COMPILE_CACHE: "node_modules/.cache/compile", ...env },
  });
  return new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
}
