// What `sam build` makes of the example for AWS, run as a package with a bootstrap of its own: the contract is the same here and there.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CreateFunctionCommand, InvokeCommand } from "@aws-sdk/client-lambda";
import { ROLE, startCloudWithRole } from "./lambda.ts";
import { zipOf } from "./zip.ts";

const example = join(import.meta.dirname, "../example");

test("the example's package for AWS runs here with its own bootstrap", async () => {
  const artifacts = mkdtempSync(join(tmpdir(), "aws-like-sam-"));
  try {
    execFileSync("make", ["-s", "build-Files", `ARTIFACTS_DIR=${artifacts}`], { cwd: example });
    const packed = readdirSync(artifacts).map((name) => {
      const path = join(artifacts, name);
      return [name, { data: readFileSync(path), mode: statSync(path).mode }] as const;
    });
    await using cloud = await startCloudWithRole();
    await cloud.lambda.send(
      new CreateFunctionCommand({
        FunctionName: "files",
        Runtime: "provided.al2023",
        Handler: "lambda.handler",
        Role: ROLE,
        Timeout: 10,
        Code: { ZipFile: zipOf(Object.fromEntries(packed)) },
      }),
    );
    for (let times = 0; times < 2; times++) {
      const answer = await cloud.lambda.send(new InvokeCommand({ FunctionName: "files", Payload: '{"a":1}' }));
      assert.equal(answer.FunctionError, "Unhandled");
      assert.deepEqual(JSON.parse(Buffer.from(answer.Payload!).toString()), {
        errorType: "Function.Error",
        errorMessage: "this is no event of S3: {a:1}",
      });
    }
  } finally {
    rmSync(artifacts, { recursive: true, force: true });
  }
});
