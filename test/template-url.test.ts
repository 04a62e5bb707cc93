// Function URLs in a template, on a real cloud.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Lambda } from "@aws-sdk/client-lambda";
import { deploy } from "../src/template/deploy.ts";
import { plan } from "../src/template/plan.ts";
import { startCloud } from "./cloud.ts";
import { visit } from "./url.ts";

const URLS = `
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { Runtime: nodejs24.x, Handler: index.handler } }
Resources:
  Open:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: open
      InlineCode: "exports.handler = async (e) => e.rawPath;"
      FunctionUrlConfig: { AuthType: NONE, InvokeMode: RESPONSE_STREAM, Cors: { AllowOrigins: ["*"], MaxAge: 5 } }
  Closed:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: closed
      InlineCode: "exports.handler = async () => process.env.OTHER;"
      Environment: { Variables: { OTHER: !GetAtt OpenUrl.FunctionUrl } }
  ClosedUrl: { Type: AWS::Lambda::Url, Properties: { AuthType: AWS_IAM, TargetFunctionArn: !GetAtt Closed.Arn } }
`;

test("URLs and what makes them everybody's are made, changed and removed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-template-"));
  try {
    await using cloud = await startCloud({ dir });
    const lambda = cloud.client(Lambda);
    const here = { account: "000000000000", region: "us-east-1", stack: "workspace", endpoint: cloud.endpoint, dir };
    const put = (text: string) =>
      deploy(plan(text, { place: here, parameters: new Map() }), { call: cloud.aws.call, place: here });
    await put(URLS);
    const open = await lambda.getFunctionUrlConfig({ FunctionName: "open" });
    assert.equal(open.InvokeMode, "RESPONSE_STREAM");
    assert.deepEqual(open.Cors, { AllowOrigins: ["*"], MaxAge: 5 });
    assert.equal((await visit(`${open.FunctionUrl}here`)).text, '"/here"');
    const closed = await lambda.getFunctionUrlConfig({ FunctionName: "closed" });
    assert.equal(closed.AuthType, "AWS_IAM");
    assert.equal((await visit(closed.FunctionUrl!)).status, 403);
    const { Environment } = await lambda.getFunctionConfiguration({ FunctionName: "closed" });
    assert.equal(Environment?.Variables?.OTHER, open.FunctionUrl);

    const changed = URLS.replace(', InvokeMode: RESPONSE_STREAM, Cors: { AllowOrigins: ["*"], MaxAge: 5 }', "");
    await put(changed);
    const after = await lambda.getFunctionUrlConfig({ FunctionName: "open" });
    assert.deepEqual([after.FunctionUrl, after.InvokeMode, after.Cors], [open.FunctionUrl, "BUFFERED", undefined]);
    await put(changed.replace("AuthType: NONE", "AuthType: AWS_IAM"));
    assert.equal((await visit(open.FunctionUrl!)).status, 403);
    await assert.rejects(lambda.getPolicy({ FunctionName: "open" }), { name: "ResourceNotFoundException" });
    await put(changed.replace(/\n {2}ClosedUrl.*/, ""));
    await assert.rejects(lambda.getFunctionUrlConfig({ FunctionName: "closed" }), {
      name: "ResourceNotFoundException",
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
