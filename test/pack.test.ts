// The published package, installed into an empty folder and started: compiled, with its models, bootstraps and watcher.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { CreateFunctionCommand, InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { ROOT } from "./cloud.ts";
import { LAMBDA } from "./principals.ts";
import { zipOf } from "./zip.ts";

const root = join(import.meta.dirname, "..");
test("npm pack makes a package that installs into an empty folder, starts, watches and runs a function", async () => {
  const dir = mkdtempSync(join(tmpdir(), "aws-like-pack-"));
  try {
    const packed = execFileSync("npm", ["pack", "--pack-destination", dir, "--json"], { cwd: root, encoding: "utf8" });
    const [{ filename, files }] = JSON.parse(packed.slice(packed.indexOf("["))) as [
      { filename: string; files: { path: string }[] },
    ];
    assert.ok(!files.some(({ path }) => /\.ts$|\.test\.|^test\/|^bench\//.test(path)), "only what runs is published");
    execFileSync("npm", ["init", "-y"], { cwd: dir, stdio: "ignore" });
    execFileSync(
      "npm",
      ["install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", join(dir, filename)],
      { cwd: dir, stdio: "ignore" },
    );
    const workspace = join(dir, "workspace");
    mkdirSync(workspace);
    const { endpoint, stop } = await up(dir, workspace);
    try {
      await useIt(endpoint, workspace);
    } finally {
      await stop();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

async function up(dir: string, workspace: string): Promise<{ endpoint: string; stop(): Promise<void> }> {
  const bin = join(dir, "node_modules/aws-like/bin/aws-like");
  const child = spawn(process.execPath, [bin, "up", "--dir", workspace, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const found = /at (http:\S+),/.exec(line);
    if (found) {
      child.stdout.resume();
      return { endpoint: found[1]!, stop };
    }
  }
  throw new Error("it ended without saying where it listens");
}

async function useIt(endpoint: string, workspace: string): Promise<void> {
  const config = { endpoint, region: "us-east-1", credentials: ROOT, forcePathStyle: true };
  const s3 = new S3Client(config);
  await s3.send(new CreateBucketCommand({ Bucket: "photos" }));
  assert.ok(existsSync(join(workspace, "buckets/photos")));
  copyFileSync(join(root, "LICENSE"), join(workspace, "buckets/photos/LICENSE"));
  let keys: (string | undefined)[] = [];
  for (let tries = 0; tries < 100 && keys.length === 0; tries++) {
    keys = ((await s3.send(new ListObjectsV2Command({ Bucket: "photos" }))).Contents ?? []).map((o) => o.Key);
    if (keys.length === 0) await sleep(50);
  }
  assert.deepEqual(keys, ["LICENSE"]);

  const role = await new IAMClient(config).send(
    new CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument: LAMBDA }),
  );
  const lambda = new LambdaClient(config);
  const code = { "lambda.sh": "handler() { echo '\"from the package\"'; }\n" };
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: "f",
      Runtime: "provided.al2023",
      Handler: "lambda.handler",
      Role: role.Role!.Arn,
      Code: { ZipFile: zipOf(code) },
    }),
  );
  const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: "f" }));
  assert.equal(Buffer.from(Payload!).toString(), '"from the package"');
}
