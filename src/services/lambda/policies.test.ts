import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddPermissionCommand,
  type AddPermissionCommandInput,
  CreateAliasCommand,
  DeleteFunctionCommand,
  GetPolicyCommand,
  PublishVersionCommand,
  RemovePermissionCommand,
} from "@aws-sdk/client-lambda";
import { ACCOUNT, arnOf, type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";

const S3: AddPermissionCommandInput = {
  FunctionName: "f",
  StatementId: "s3",
  Action: "lambda:InvokeFunction",
  Principal: "s3.amazonaws.com",
};

async function startWithFunction(): Promise<LambdaCloud> {
  const cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1");
  return cloud;
}

const add = async (cloud: LambdaCloud, more: Partial<AddPermissionCommandInput> = {}) =>
  JSON.parse((await cloud.lambda.send(new AddPermissionCommand({ ...S3, ...more }))).Statement!);

const policyOf = async (cloud: LambdaCloud, Qualifier?: string) => {
  const { Policy, RevisionId } = await cloud.lambda.send(new GetPolicyCommand({ FunctionName: "f", Qualifier }));
  return { revision: RevisionId!, ...JSON.parse(Policy!) };
};

const STATEMENTS: Record<string, { input: Partial<AddPermissionCommandInput>; statement: object }> = {
  "a service with a source": {
    input: { SourceArn: "arn:aws:s3:::input", SourceAccount: ACCOUNT },
    statement: {
      Principal: { Service: "s3.amazonaws.com" },
      Action: "lambda:InvokeFunction",
      Condition: {
        StringEquals: { "AWS:SourceAccount": ACCOUNT },
        ArnLike: { "AWS:SourceArn": "arn:aws:s3:::input" },
      },
    },
  },
  "an account": {
    input: { Principal: "111111111111" },
    statement: { Principal: { AWS: "arn:aws:iam::111111111111:root" }, Action: "lambda:InvokeFunction" },
  },
  "a user": {
    input: { Principal: "arn:aws:iam::111111111111:user/u", Action: "lambda:GetFunction" },
    statement: { Principal: { AWS: "arn:aws:iam::111111111111:user/u" }, Action: "lambda:GetFunction" },
  },
  "everyone, with conditions": {
    input: {
      Principal: "*",
      Action: "lambda:InvokeFunctionUrl",
      FunctionUrlAuthType: "NONE",
      PrincipalOrgID: "o-1234567890",
    },
    statement: {
      Principal: "*",
      Action: "lambda:InvokeFunctionUrl",
      Condition: { StringEquals: { "lambda:FunctionUrlAuthType": "NONE", "aws:PrincipalOrgID": "o-1234567890" } },
    },
  },
  "a token": {
    input: { Principal: "*", EventSourceToken: "amzn1.ask.skill.x" },
    statement: {
      Principal: "*",
      Action: "lambda:InvokeFunction",
      Condition: { StringEquals: { "lambda:EventSourceToken": "amzn1.ask.skill.x" } },
    },
  },
};

test("AddPermission writes the statement that AWS writes", async () => {
  await using cloud = await startWithFunction();
  for (const [what, { input, statement }] of Object.entries(STATEMENTS)) {
    const StatementId = what.replace(/\W/g, "_");
    const expected = { Sid: StatementId, Effect: "Allow", Resource: arnOf("f"), ...statement };
    assert.deepEqual(await add(cloud, { StatementId, ...input }), expected, what);
  }
  const { Version, Id, Statement } = await policyOf(cloud);
  assert.deepEqual([Version, Id, Statement.length], ["2012-10-17", "default", 5]);
});

test("A policy has a revision of its own, which AddPermission and RemovePermission can demand", async () => {
  await using cloud = await startWithFunction();
  await add(cloud);
  const first = (await policyOf(cloud)).revision;
  await add(cloud, { StatementId: "b", RevisionId: first });
  const error = {
    name: "PreconditionFailedException",
    message:
      "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id",
  };
  await assert.rejects(add(cloud, { StatementId: "c", RevisionId: first }), error);
  const remove = new RemovePermissionCommand({ FunctionName: "f", StatementId: "b", RevisionId: first });
  await assert.rejects(cloud.lambda.send(remove), error);
});

test("RemovePermission takes a statement, and with the last one the policy", async () => {
  await using cloud = await startWithFunction();
  await add(cloud);
  await add(cloud, { StatementId: "b" });
  const remove = (StatementId: string, FunctionName = "f") =>
    cloud.lambda.send(new RemovePermissionCommand({ FunctionName, StatementId }));
  await assert.rejects(remove("none"), {
    name: "ResourceNotFoundException",
    message: "Statement none is not found in resource policy.",
  });
  assert.equal((await remove("s3")).$metadata.httpStatusCode, 204);
  assert.deepEqual(
    (await policyOf(cloud)).Statement.map(({ Sid }: { Sid: string }) => Sid),
    ["b"],
  );
  await remove("b");
  await assert.rejects(policyOf(cloud), {
    name: "ResourceNotFoundException",
    message: "The resource you requested does not exist.",
  });
  await assert.rejects(remove("b"), { message: "No policy is associated with the given resource." });
  await assert.rejects(remove("b", "nobody"), { message: `No policy found for: ${arnOf("nobody")}` });
});

test("AddPermission refuses what AWS refuses", async () => {
  await using cloud = await startWithFunction();
  await add(cloud);
  const cases: [Partial<AddPermissionCommandInput>, object][] = [
    [
      {},
      {
        name: "ResourceConflictException",
        message:
          "The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing statement.",
      },
    ],
    [
      { StatementId: "b", Principal: "nonsense" },
      {
        name: "InvalidParameterValueException",
        message: "The provided principal was invalid. Please check the principal and try again.",
      },
    ],
    [
      { StatementId: "b", Qualifier: "$LATEST" },
      { message: "We currently do not support adding policies for $LATEST." },
    ],
    [{ FunctionName: "nobody" }, { message: `Function not found: ${arnOf("nobody")}` }],
    [{ Qualifier: "42" }, { message: `Function not found: ${arnOf("f:42")}` }],
    [{ Qualifier: "nobody" }, { message: `Cannot find alias arn: ${arnOf("f:nobody")}` }],
    [
      { FunctionName: "f:1", Qualifier: "2" },
      { message: "The derived qualifier from the function name does not match the specified qualifier." },
    ],
  ];
  for (const [input, error] of cases) await assert.rejects(add(cloud, input), error, JSON.stringify(input));
});

test("A policy grows to 20 KB and not further", async () => {
  await using cloud = await startWithFunction();
  const SourceArn = `arn:aws:s3:::${"b".repeat(1500)}`;
  await assert.rejects(
    async () => {
      for (let i = 0; i < 20; i++) await add(cloud, { StatementId: `s${i}`, SourceArn });
    },
    {
      name: "PolicyLengthExceededException",
      message: /^The final policy size \(\d+\) is bigger than the limit \(20480\)\.$/,
    },
  );
});

test("Versions and aliases have policies of their own, which go with the function", async () => {
  await using cloud = await startWithFunction();
  await cloud.lambda.send(new PublishVersionCommand({ FunctionName: "f" }));
  await cloud.lambda.send(new CreateAliasCommand({ FunctionName: "f", Name: "live", FunctionVersion: "1" }));
  assert.equal((await add(cloud, { Qualifier: "1" })).Resource, arnOf("f:1"));
  assert.equal((await add(cloud, { Qualifier: "live" })).Resource, arnOf("f:live"));
  await assert.rejects(policyOf(cloud), { name: "ResourceNotFoundException" });
  assert.equal((await policyOf(cloud, "live")).Statement.length, 1);
  await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName: "f" }));
  await cloud.createBash("f", "echo 1");
  await assert.rejects(policyOf(cloud, "live"), { name: "ResourceNotFoundException" });
});
