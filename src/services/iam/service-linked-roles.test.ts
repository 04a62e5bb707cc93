import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddRoleToInstanceProfileCommand,
  AttachRolePolicyCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  CreateServiceLinkedRoleCommand,
  DeleteRoleCommand,
  DeleteServiceLinkedRoleCommand,
  DetachRolePolicyCommand,
  GetRoleCommand,
  GetServiceLinkedRoleDeletionStatusCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
  PutRolePermissionsBoundaryCommand,
  PutRolePolicyCommand,
  TagRoleCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateRoleCommand,
  UpdateRoleDescriptionCommand,
} from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { allow, LAMBDA, policy, refusal, userWith } from "../../../test/principals.ts";

const RoleName = "AWSServiceRoleForBatch";
const ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess";

test("a service-linked role is its service's: made with its policy, described by anyone, changed by nobody", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const create = (AWSServiceName: string, more: object = {}) =>
    iam.send(new CreateServiceLinkedRoleCommand({ AWSServiceName, ...more }));
  const { Role } = await create("batch.amazonaws.com", { Description: "d" });
  assert.deepEqual(
    [Role?.Arn, Role?.Path, Role?.Description],
    [
      `arn:aws:iam::000000000000:role/aws-service-role/batch.amazonaws.com/${RoleName}`,
      "/aws-service-role/batch.amazonaws.com/",
      "d",
    ],
  );
  const { AttachedPolicies } = await iam.send(new ListAttachedRolePoliciesCommand({ RoleName }));
  assert.deepEqual(AttachedPolicies, [
    {
      PolicyName: "BatchServiceRolePolicy",
      PolicyArn: "arn:aws:iam::aws:policy/aws-service-role/BatchServiceRolePolicy",
    },
  ]);
  assert.equal(
    await refusal(create("batch.amazonaws.com")),
    `InvalidInput 400 Service role name ${RoleName} has been taken in this account, please try a different suffix.`,
  );
  assert.equal(
    await refusal(create("batch.amazonaws.com", { CustomSuffix: "x" })),
    "InvalidInput 400 Custom suffix is not allowed for batch.amazonaws.com",
  );
  const { Role: suffixed } = await create("autoscaling.amazonaws.com", { CustomSuffix: "mine" });
  assert.equal(suffixed?.RoleName, "AWSServiceRoleForAutoScaling_mine");
  assert.match(await refusal(create("nobody.amazonaws.com")), /^NoSuchEntity 404 /);

  const PolicyArn = AttachedPolicies![0]!.PolicyArn!;
  await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: "i" }));
  const changes = [
    new DeleteRoleCommand({ RoleName }),
    new UpdateRoleCommand({ RoleName, MaxSessionDuration: 7200 }),
    new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: LAMBDA }),
    new PutRolePolicyCommand({ RoleName, PolicyName: "p", PolicyDocument: policy(allow("*")) }),
    new AttachRolePolicyCommand({ RoleName, PolicyArn: ADMINISTRATOR }),
    new DetachRolePolicyCommand({ RoleName, PolicyArn }),
    new PutRolePermissionsBoundaryCommand({ RoleName, PermissionsBoundary: ADMINISTRATOR }),
    new AddRoleToInstanceProfileCommand({ RoleName, InstanceProfileName: "i" }),
  ];
  for (const change of changes)
    assert.equal(
      await refusal(iam.send(change as DeleteRoleCommand)),
      `UnmodifiableEntity 400 Cannot perform the operation on the protected role '${RoleName}' - this role is only modifiable by AWS`,
      change.constructor.name,
    );
  await iam.send(new UpdateRoleDescriptionCommand({ RoleName, Description: "new" }));
  await iam.send(new UpdateRoleCommand({ RoleName, Description: "newer" }));
  await iam.send(new TagRoleCommand({ RoleName, Tags: [{ Key: "a", Value: "b" }] }));
  const { Role: changed } = await iam.send(new GetRoleCommand({ RoleName }));
  assert.deepEqual([changed?.Description, changed?.Tags], ["newer", [{ Key: "a", Value: "b" }]]);

  await iam.send(new CreateRoleCommand({ RoleName: "mine", AssumeRolePolicyDocument: LAMBDA }));
  assert.equal(
    await refusal(iam.send(new AttachRolePolicyCommand({ RoleName: "mine", PolicyArn }))),
    "PolicyNotAttachable 400 Cannot attach a Service Role Policy to a Customer Role.",
  );
  assert.match(
    await refusal(
      iam.send(
        new CreateRoleCommand({ RoleName: "x", Path: "/aws-service-role/a/", AssumeRolePolicyDocument: LAMBDA }),
      ),
    ),
    /^ValidationError 400/,
  );

  const { DeletionTaskId } = await iam.send(new DeleteServiceLinkedRoleCommand({ RoleName }));
  assert.match(
    DeletionTaskId!,
    /^task\/aws-service-role\/batch\.amazonaws\.com\/AWSServiceRoleForBatch\/[0-9a-f-]{36}$/,
  );
  const status = await iam.send(new GetServiceLinkedRoleDeletionStatusCommand({ DeletionTaskId }));
  assert.equal(status.Status, "SUCCEEDED");
  assert.match(await refusal(iam.send(new GetRoleCommand({ RoleName }))), /^NoSuchEntity/);
  assert.match(
    await refusal(iam.send(new GetServiceLinkedRoleDeletionStatusCommand({ DeletionTaskId: `${DeletionTaskId}x` }))),
    /^NoSuchEntity/,
  );
  assert.match(await refusal(iam.send(new DeleteServiceLinkedRoleCommand({ RoleName: "mine" }))), /^NoSuchEntity/);
});

test("who may make which service's role is a condition: iam:AWSServiceName", async () => {
  await using cloud = await startCloud();
  const may = policy(
    allow("iam:CreateServiceLinkedRole", {
      Condition: { StringEquals: { "iam:AWSServiceName": "batch.amazonaws.com" } },
    }),
  );
  const user = cloud.client(IAMClient, await userWith(cloud, "u", { may }));
  await user.send(new CreateServiceLinkedRoleCommand({ AWSServiceName: "batch.amazonaws.com" }));
  assert.match(
    await refusal(user.send(new CreateServiceLinkedRoleCommand({ AWSServiceName: "ecs.amazonaws.com" }))),
    /^AccessDenied 403/,
  );
});
