import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  DeleteRolePolicyCommand,
  IAMClient,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { ACCOUNT, arnOf, bash, createRole, type LambdaCloud, ROLE, startCloudWithRole } from "../../../test/lambda.ts";

/** A client with the key of a new user who may do what the statements say. */
async function clientOf(cloud: LambdaCloud, name: string, ...statements: object[]): Promise<LambdaClient> {
  const iam = cloud.client(IAMClient);
  await iam.send(new CreateUserCommand({ UserName: name }));
  const Statement = statements.map((statement) => ({ Effect: "Allow", ...statement }));
  if (Statement.length > 0)
    await iam.send(
      new PutUserPolicyCommand({
        UserName: name,
        PolicyName: "p",
        PolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement }),
      }),
    );
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: name }));
  return cloud.client(LambdaClient, {
    accessKeyId: AccessKey!.AccessKeyId!,
    secretAccessKey: AccessKey!.SecretAccessKey!,
  });
}

const denied = (user: string, action: string, resource: string) => ({
  name: "AccessDeniedException",
  message: `User: arn:aws:iam::${ACCOUNT}:user/${user} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`,
});

test("Whoever gives a function its role must be allowed to pass that role to Lambda", async () => {
  await using cloud = await startCloudWithRole();
  const create = (FunctionName: string) =>
    new CreateFunctionCommand({
      FunctionName,
      Runtime: "provided.al2023",
      Handler: "lambda.handler",
      Role: ROLE,
      Code: { ZipFile: bash("echo 1") },
    });
  const own = { Action: ["lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"], Resource: arnOf("mine-*") };
  const poor = await clientOf(cloud, "poor", own);
  await assert.rejects(poor.send(create("mine-1")), denied("poor", "iam:PassRole", ROLE));
  await assert.rejects(poor.send(create("theirs")), denied("poor", "lambda:CreateFunction", arnOf("theirs")));
  const pass = (service: string) => ({
    Action: "iam:PassRole",
    Resource: ROLE,
    Condition: { StringEquals: { "iam:PassedToService": service } },
  });
  const other = await clientOf(cloud, "other", own, pass("ec2.amazonaws.com"));
  await assert.rejects(other.send(create("mine-1")), denied("other", "iam:PassRole", ROLE));
  const right = await clientOf(cloud, "right", own, pass("lambda.amazonaws.com"));
  assert.equal((await right.send(create("mine-1"))).FunctionName, "mine-1");
  const change = (more: object) => new UpdateFunctionConfigurationCommand({ FunctionName: "mine-1", ...more });
  await assert.rejects(poor.send(change({ Role: ROLE })), denied("poor", "iam:PassRole", ROLE));
  assert.equal((await poor.send(change({ Timeout: 4 }))).Timeout, 4);
});

test("An identity policy, or the function's own, lets a user invoke; nothing else does", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1");
  const invoke = (more: object = {}) => new InvokeCommand({ FunctionName: "f", ...more });
  const nobody = await clientOf(cloud, "nobody");
  await assert.rejects(nobody.send(invoke()), {
    name: "AccessDeniedException",
    message: new RegExp(`not authorized to perform: lambda:InvokeFunction on resource: ${arnOf("f")} `),
  });
  await assert.rejects(nobody.send(invoke({ Qualifier: "$LATEST" })), {
    message: new RegExp(`on resource: ${arnOf("f").replaceAll("$", "\\$")}:\\$LATEST `),
  });
  await assert.rejects(nobody.send(new ListFunctionsCommand()), denied("nobody", "lambda:ListFunctions", "*"));
  const some = await clientOf(cloud, "some", { Action: "lambda:InvokeFunction", Resource: arnOf("f") });
  assert.equal((await some.send(invoke())).StatusCode, 200);
  await cloud.lambda.send(
    new AddPermissionCommand({
      FunctionName: "f",
      StatementId: "nobody",
      Action: "lambda:InvokeFunction",
      Principal: `arn:aws:iam::${ACCOUNT}:user/nobody`,
    }),
  );
  assert.equal((await nobody.send(invoke())).StatusCode, 200);
});

test("What a function may call is what its role may, and nothing else", async () => {
  await using cloud = await startCloudWithRole();
  await createRole(cloud, "bare", "lambda.amazonaws.com");
  await cloud.client(IAMClient).send(new DeleteRolePolicyCommand({ RoleName: "bare", PolicyName: "all" }));
  const body = `curl -sS --aws-sigv4 "aws:amz:$AWS_REGION:lambda" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \\
    -H "x-amz-security-token: $AWS_SESSION_TOKEN" "$AWS_ENDPOINT_URL/2015-03-31/functions/"`;
  await cloud.createBash("rich", body);
  await cloud.createBash("poor", body, { Role: `arn:aws:iam::${ACCOUNT}:role/bare` });
  assert.equal((await cloud.invoke("rich")).payload.Functions.length, 2);
  assert.equal(
    (await cloud.invoke("poor")).payload.Message,
    `User: arn:aws:sts::${ACCOUNT}:assumed-role/bare/poor is not authorized to perform: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action`,
  );
});
