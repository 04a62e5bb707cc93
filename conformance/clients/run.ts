// Real clients against this cloud: `make conformance`, or `node conformance/clients/run.ts [NAME]...`. Each client is a script beside this one, which gets
// the cloud's address and a bucket's name in its environment, an empty directory to work in, and prints `ok STEP` or `FAILED STEP` for each thing that it
// tried. A script whose client is not installed ends with 77, and that is said: nothing is installed for it, but npm's `minio` into its own directory.
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { start } from "../../src/aws.ts";

const RUNNERS: Readonly<Record<string, string>> = { ".sh": "bash", ".py": "python3", ".ts": process.execPath };
const OURS = ["run", "steps"];
const MISSING = 77;
const LIMIT_MS = 300_000;

const here = import.meta.dirname;
const chosen = process.argv.slice(2);
const scripts = globSync("*.{sh,py,ts}", { cwd: here })
  .filter((file) => !OURS.includes(nameOf(file)) && (chosen.length === 0 || chosen.includes(nameOf(file))))
  .sort();

await using aws = await start({ ephemeral: true });
const s3 = new S3Client({
  endpoint: aws.endpoint,
  region: "us-east-1",
  forcePathStyle: true,
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
});
const failed: string[] = [];
for (const script of scripts) {
  const name = nameOf(script);
  console.log(`\n# ${name}`);
  const bucket = `conformance-${name}`;
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const code = await run(script, bucket);
  if (code === MISSING) console.log("missing: it is not installed here");
  else if (code !== 0) failed.push(name);
}
s3.destroy();
console.log(
  failed.length === 0 ? "\nall clients that are here found what they expect" : `\nFAILED: ${failed.join(", ")}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

async function run(script: string, bucket: string): Promise<number> {
  const work = await mkdtemp(join(tmpdir(), "aws-like-conformance-"));
  const child = spawn(RUNNERS[extname(script)]!, [join(here, script)], {
    cwd: work,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: LIMIT_MS,
    env: {
      ...theirs(),
      HOME: work,
      PYTHONDONTWRITEBYTECODE: "1",
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_REGION: "us-east-1",
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_EC2_METADATA_DISABLED: "true",
      BUCKET: bucket,
      DIRECTORY: join(aws.config.dir, "buckets", bucket),
      NODE: process.execPath,
      STEPS: join(here, "steps.sh"),
      ROOT: join(here, "../.."),
    },
  });
  try {
    return await new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The environment, without what it says of another cloud. */
function theirs(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_")));
}

function nameOf(file: string): string {
  return basename(file, extname(file));
}
