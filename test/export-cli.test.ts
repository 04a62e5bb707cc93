// aws-like export: what it writes deploys the same function elsewhere.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { EventBridge } from "@aws-sdk/client-eventbridge";
import { IAM } from "@aws-sdk/client-iam";
import {
  GetFunctionConfigurationCommand,
  type GetFunctionConfigurationCommandOutput,
  Lambda,
} from "@aws-sdk/client-lambda";
import { parse } from "yaml";
import { run, temporary, up } from "./bin.ts";
import { ACCOUNT, arnOf, startCloudWithRole } from "./lambda.ts";

const HANDLER = 'echo "said $1" >&2; [ "$1" = 1 ] && { echo \'a "bad" one\' >&2; return 3; }; cat; echo "$1"';
const QUEUE = `arn:aws:sqs:us-east-1:${ACCOUNT}:q`;
const POLICY = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "sqs:SendMessage", Resource: QUEUE }] };

test("What export writes deploys the same function elsewhere: code, role, permissions, rules, settings", async () => {
  await using cloud = await startCloudWithRole();
  const iam = cloud.client(IAM);
  const { Policy } = await iam.createPolicy({ PolicyName: "sender", PolicyDocument: JSON.stringify(POLICY) });
  await iam.attachRolePolicy({ RoleName: "function", PolicyArn: Policy!.Arn });
  const LoggingConfig = { LogFormat: "JSON", ApplicationLogLevel: "WARN" } as const;
  const Environment = { Variables: { QUEUE, PLAIN: "yes", TEXT: "$" + "{x} arn:aws:s3:::b" } };
  await cloud.createBash("f", HANDLER, { Environment, LoggingConfig, Timeout: 7, Tags: { team: "a" } });
  const lambda = cloud.client(Lambda);
  const allowed = { FunctionName: "f", Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com" };
  await lambda.addPermission({ ...allowed, StatementId: "s", SourceArn: "arn:aws:s3:::in", SourceAccount: ACCOUNT });
  await lambda.putFunctionEventInvokeConfig({ FunctionName: "f", MaximumRetryAttempts: 1 });
  const events = cloud.client(EventBridge);
  await events.putRule({ Name: "r", EventPattern: '{"source":["x"]}' });
  await events.putTargets({ Rule: "r", Targets: [{ Id: "1", Arn: arnOf("f"), Input: "[2]" }] });

  await using out = await temporary();
  const exported = join(out.dir, "exported");
  const cli = (...args: string[]) => run([...args, "--endpoint", cloud.endpoint]);
  const { code, stdout, stderr } = await cli("export", "f", exported);
  assert.deepEqual([code, stdout], [0, `${exported}/f.zip\n${exported}/template.yaml\n`], stderr);
  const { Resources } = parse(await readFile(join(exported, "template.yaml"), "utf8"));
  const Sub = (text: string) => ({ "Fn::Sub": text });
  const queue = Sub("arn:aws:sqs:$" + "{AWS::Region}:$" + "{AWS::AccountId}:q");
  assert.deepEqual(Resources.Function.Properties.Environment.Variables, { ...Environment.Variables, QUEUE: queue });
  assert.deepEqual(Resources.Role.Properties.Policies[1].PolicyDocument.Statement[0].Resource, queue);
  assert.deepEqual(Resources.Permission1.Properties.SourceAccount, { Ref: "AWS::AccountId" });
  assert.deepEqual(Resources.Rule1.Properties.Targets, [
    { Id: "1", Arn: { "Fn::GetAtt": ["Function", "Arn"] }, Input: "[2]" },
  ]);
  assert.match((await cli("export", "f", exported)).stderr, /f\.zip is there already; nothing is written over\n$/);

  // Deployed from the template, with the bootstrap that AWS needs.
  await using elsewhere = await up(exported);
  await elsewhere.until(/made Role, Function/);
  const invoke = (event: string) => run(["invoke", "f", "--event", event, "--endpoint", elsewhere.endpoint]);
  const good = await invoke('{"ü":"\\"\\\\"}');
  assert.deepEqual([good.code, good.stdout], [0, '{"ü":"\\"\\\\"}{"ü":"\\"\\\\"}\n'], good.stderr);
  const bad = await invoke("1");
  assert.equal(bad.code, 1);
  assert.deepEqual(JSON.parse(bad.stdout), { errorType: "Runtime.ExitError", errorMessage: 'a "bad" one' });
  const there = new Lambda({
    endpoint: elsewhere.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  const same = ({
    Runtime,
    Handler,
    Timeout,
    MemorySize,
    Environment,
    LoggingConfig,
  }: GetFunctionConfigurationCommandOutput) => ({
    ...{ Runtime, Handler, Timeout, MemorySize, Environment, LoggingConfig },
  });
  const asked = { FunctionName: "f" };
  assert.deepEqual(
    same(await there.send(new GetFunctionConfigurationCommand(asked))),
    same(await lambda.getFunctionConfiguration(asked)),
  );
  assert.equal((await there.getFunctionEventInvokeConfig(asked)).MaximumRetryAttempts, 1);
  there.destroy();
});

test("A live directory is exported as it stands, twice to the same bytes; an archive that runs on AWS goes out as it came", async () => {
  await using cloud = await startCloudWithRole();
  const dir = join(cloud.aws.config.dir, "live");
  await mkdir(join(dir, "lib"), { recursive: true });
  await writeFile(join(dir, "index.mjs"), 'export { handler } from "./lib/a.mjs";\n');
  await writeFile(join(dir, "lib/a.mjs"), "export const handler = async () => 41;\n");
  await using out = await temporary();
  const cli = (...args: string[]) => run([...args, "--endpoint", cloud.endpoint]);
  assert.equal((await cli("function", "add", dir)).code, 0);
  for (const name of ["one", "two"]) assert.equal((await cli("export", "live", join(out.dir, name))).code, 0);
  const [one, two] = await Promise.all(["one", "two"].map((name) => readFile(join(out.dir, name, "live.zip"))));
  assert.deepEqual(one, two);
  const lambda = cloud.client(Lambda);
  await lambda.updateFunctionCode({ FunctionName: "live", ZipFile: one! });
  assert.equal((await cloud.invoke("live")).payload, 41);
  assert.equal((await cli("export", "live", join(out.dir, "three"))).code, 0);
  assert.deepEqual(await readFile(join(out.dir, "three/live.zip")), one);
  assert.match((await cli("export", "none")).stderr, /^aws-like: ResourceNotFoundException: /);
  assert.match((await cli("export")).stderr, /^aws-like: say one function, and where to\n$/);
});
