// Layers in templates: published from a directory, and again when it changes; functions have the newest.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  GetFunctionConcurrencyCommand,
  InvokeCommand,
  LambdaClient,
  ListLayerVersionsCommand,
} from "@aws-sdk/client-lambda";
import { deploy } from "../src/template/deploy.ts";
import { plan } from "../src/template/plan.ts";
import { startCloud } from "./cloud.ts";

const TEMPLATE = `
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: f
      Runtime: provided.al2023
      Handler: lambda.handler
      CodeUri: f/
      Layers: [!Ref Tools]
      ReservedConcurrentExecutions: 5
  Tools:
    Type: AWS::Serverless::LayerVersion
    Properties:
      LayerName: tools
      ContentUri: tools/
      CompatibleRuntimes: [provided.al2023]
`;

test("a SAM layer is published from its directory, and its function has the newest version", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-layers-"));
  try {
    await using cloud = await startCloud({ dir });
    const lambda = cloud.client(LambdaClient);
    await mkdir(join(dir, "f"));
    await mkdir(join(dir, "tools/bin"), { recursive: true });
    await writeFile(join(dir, "f/lambda.sh"), 'handler() { echo "\\"$(tool)\\""; }\n');
    const tool = (text: string) => writeFile(join(dir, "tools/bin/tool"), `#!/bin/sh\necho ${text}\n`, { mode: 0o755 });
    const place = {
      account: "000000000000",
      region: "us-east-1",
      stack: "workspace",
      endpoint: "http://127.0.0.1:4566",
      dir,
    };
    const bring = (text: string) =>
      deploy(plan(text, { place, parameters: new Map() }), { call: cloud.aws.call.bind(cloud.aws), place });
    const said = async () => {
      const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: "f" }));
      return JSON.parse(Payload!.transformToString());
    };
    const versions = async () =>
      (await lambda.send(new ListLayerVersionsCommand({ LayerName: "tools" }))).LayerVersions!.map(
        ({ Version }) => Version,
      );
    await tool("one");
    await bring(TEMPLATE);
    assert.equal(await said(), "one");
    const reserved = new GetFunctionConcurrencyCommand({ FunctionName: "f" });
    assert.equal((await lambda.send(reserved)).ReservedConcurrentExecutions, 5);
    assert.deepEqual((await bring(TEMPLATE)).changed, []);
    await tool("another");
    assert.deepEqual((await bring(TEMPLATE)).changed, ["Tools", "F"]);
    assert.deepEqual([await said(), await versions()], ["another", [2, 1]]);
    await bring(TEMPLATE.replace(/ {6}Layers.*\n.*\n/, "").replace(/ {2}Tools:[\s\S]*/, ""));
    assert.deepEqual(await versions(), []);
    assert.equal((await lambda.send(reserved)).ReservedConcurrentExecutions, undefined);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
