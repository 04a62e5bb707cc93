// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddUserToGroupCommand,
  AttachUserPolicyCommand,
  type ContextEntry,
  CreateGroupCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  GetContextKeysForCustomPolicyCommand,
  GetContextKeysForPrincipalPolicyCommand,
  IAMClient,
  PutGroupPolicyCommand,
  PutRolePolicyCommand,
  PutUserPermissionsBoundaryCommand,
  SimulateCustomPolicyCommand,
  type SimulateCustomPolicyCommandInput,
  SimulatePrincipalPolicyCommand,
} from "@aws-sdk/client-iam";
import {
  AttachPolicyCommand,
  CreateOrganizationCommand,
  CreatePolicyCommand as CreateOrganizationPolicyCommand,
  OrganizationsClient,
} from "@aws-sdk/client-organizations";
import { startCloud } from "../../../test/cloud.ts";
import { accountOf } from "../../../test/organizations.ts";
import { allow, LAMBDA, policy, refusal, userWith } from "../../../test/principals.ts";

const BUCKET = "arn:aws:s3:::bucket";
const USER = "arn:aws:iam::000000000000:user/alice";
/** As `json.dumps` writes it: the places of its statement are known from AWS. */
const PUT =
  '{"Version": "2012-10-17", "Statement": {"Sid": "", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}}';

test("a principal's policies are simulated as AWS answers, of user, group and role alike", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  await userWith(cloud, "alice", { may: PUT });
  await iam.send(new CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument: LAMBDA }));
  await iam.send(new PutRolePolicyCommand({ RoleName: "r", PolicyName: "p", PolicyDocument: PUT }));
  await iam.send(new CreateGroupCommand({ GroupName: "g" }));
  await iam.send(new PutGroupPolicyCommand({ GroupName: "g", PolicyName: "p", PolicyDocument: PUT }));
  for (const [arn, id] of [
    [USER, "user_alice_p"],
    ["arn:aws:iam::000000000000:role/r", "role_r_p"],
    ["arn:aws:iam::000000000000:group/g", "group_g_p"],
  ]) {
    const { EvaluationResults, IsTruncated } = await iam.send(
      new SimulatePrincipalPolicyCommand({
        PolicySourceArn: arn!,
        ActionNames: ["s3:PutObject", "s3:GetObjectVersion"],
        ResourceArns: [BUCKET],
      }),
    );
    const MatchedStatements = [
      {
        SourcePolicyId: id,
        SourcePolicyType: "IAM Policy",
        StartPosition: { Line: 1, Column: 41 },
        EndPosition: { Line: 1, Column: 113 },
      },
    ];
    const denied = { EvalResourceName: BUCKET, MatchedStatements: [], MissingContextValues: [] };
    assert.equal(IsTruncated, false);
    assert.deepEqual(EvaluationResults, [
      {
        EvalActionName: "s3:PutObject",
        EvalDecision: "allowed",
        EvalDecisionDetails: {},
        EvalResourceName: BUCKET,
        MatchedStatements,
        MissingContextValues: [],
        ResourceSpecificResults: [
          {
            EvalResourceName: BUCKET,
            EvalResourceDecision: "allowed",
            MatchedStatements,
            MissingContextValues: [],
          },
        ],
      },
      {
        EvalActionName: "s3:GetObjectVersion",
        EvalDecision: "implicitDeny",
        EvalDecisionDetails: {},
        ...denied,
        ResourceSpecificResults: [{ EvalResourceDecision: "implicitDeny", ...denied }],
      },
    ]);
  }
});

test("a user is simulated with groups, managed policies, boundary and tags, and with policies to try", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  await userWith(cloud, "alice", { may: policy(allow("sqs:*")) });
  await iam.send(new CreateGroupCommand({ GroupName: "g" }));
  await iam.send(new PutGroupPolicyCommand({ GroupName: "g", PolicyName: "p", PolicyDocument: policy(allow("s3:*")) }));
  await iam.send(new AddUserToGroupCommand({ GroupName: "g", UserName: "alice" }));
  const { Policy } = await iam.send(
    new CreatePolicyCommand({
      PolicyName: "own",
      PolicyDocument: policy(allow("iam:GetUser", { Resource: "arn:aws:iam::*:user/${aws:username}" })),
    }),
  );
  await iam.send(new AttachUserPolicyCommand({ UserName: "alice", PolicyArn: Policy!.Arn! }));
  const simulate = async (action: string, more: object = {}) => {
    const { EvaluationResults } = await iam.send(
      new SimulatePrincipalPolicyCommand({ PolicySourceArn: USER, ActionNames: [action], ...more }),
    );
    const [result] = EvaluationResults!;
    return {
      decision: result?.EvalDecision,
      by: result?.MatchedStatements?.map(({ SourcePolicyId }) => SourcePolicyId).join(" "),
      bounded: result?.PermissionsBoundaryDecisionDetail?.AllowedByPermissionsBoundary,
    };
  };
  assert.deepEqual(await simulate("s3:GetObject"), { decision: "allowed", by: "group_g_p", bounded: undefined });
  assert.equal((await simulate("iam:GetUser", { ResourceArns: [USER] })).by, "own");
  assert.equal((await simulate("iam:GetUser", { ResourceArns: [`${USER}2`] })).decision, "implicitDeny");
  const tried = { PolicyInputList: [policy({ Effect: "Deny", Action: "s3:Get*", Resource: "*" })] };
  assert.deepEqual(await simulate("s3:GetObject", tried), {
    decision: "explicitDeny",
    by: "PolicyInputList.1",
    bounded: undefined,
  });
  const boundary = await iam.send(new CreatePolicyCommand({ PolicyName: "b", PolicyDocument: policy(allow("sqs:*")) }));
  await iam.send(
    new PutUserPermissionsBoundaryCommand({ UserName: "alice", PermissionsBoundary: boundary.Policy!.Arn! }),
  );
  assert.deepEqual(await simulate("s3:GetObject"), { decision: "implicitDeny", by: "", bounded: false });
  assert.deepEqual(await simulate("sqs:SendMessage"), { decision: "allowed", by: "user_alice_p", bounded: true });
  const other = { PermissionsBoundaryPolicyInputList: [policy(allow("s3:*"))] };
  assert.equal((await simulate("s3:GetObject", other)).decision, "allowed");
});

test("policies are simulated that nobody has yet: conditions, resources, a resource policy, another account", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  await userWith(cloud, "alice");
  const simulate = async (input: Partial<SimulateCustomPolicyCommandInput>) => {
    const { EvaluationResults } = await iam.send(
      new SimulateCustomPolicyCommand({ PolicyInputList: [], ActionNames: ["s3:GetObject"], ...input }),
    );
    return EvaluationResults![0]!;
  };
  const get = policy(allow("s3:GetObject"));
  const conditioned = policy(
    allow("s3:GetObject", { Condition: { StringEquals: { "aws:PrincipalTag/Team": "${s3:prefix}" } } }),
  );
  const entries = (...ContextEntries: ContextEntry[]) => ({ PolicyInputList: [conditioned], ContextEntries });
  const team: ContextEntry = {
    ContextKeyName: "aws:principaltag/team",
    ContextKeyType: "string",
    ContextKeyValues: ["a"],
  };
  const x: ContextEntry = { ContextKeyName: "s3:prefix", ContextKeyType: "string", ContextKeyValues: ["a"] };

  const missing = await simulate(entries(team));
  assert.deepEqual([missing.EvalDecision, missing.MissingContextValues], ["implicitDeny", ["s3:prefix"]]);
  // All resources: there are no results of their own.
  assert.deepEqual([missing.ResourceSpecificResults, missing.EvalDecisionDetails], [undefined, undefined]);
  const given = await simulate(entries(team, x));
  assert.deepEqual([given.EvalDecision, given.MissingContextValues], ["allowed", []]);

  // The strictest decision stands at the top.
  const two = await simulate({
    PolicyInputList: [policy(allow("s3:*", { Resource: "arn:aws:s3:::a/*" }))],
    ResourceArns: ["arn:aws:s3:::a/1", "arn:aws:s3:::b/1"],
  });
  assert.deepEqual(
    [two.EvalDecision, two.ResourceSpecificResults?.map(({ EvalResourceDecision }) => EvalResourceDecision)],
    ["implicitDeny", ["allowed", "implicitDeny"]],
  );

  const granting = policy({ Effect: "Allow", Principal: { AWS: USER }, Action: "s3:GetObject", Resource: "*" });
  const shared = { CallerArn: USER, ResourcePolicy: granting, ResourceArns: ["arn:aws:s3:::a/1"] };
  const own = await simulate(shared);
  assert.deepEqual(
    [own.EvalDecision, own.MatchedStatements?.map(({ SourcePolicyType }) => String(SourcePolicyType))],
    ["allowed", ["Resource Policy"]],
  );
  const across = { ...shared, ResourceOwner: "arn:aws:iam::111111111111:root" };
  const half = await simulate(across);
  assert.deepEqual(
    [half.EvalDecision, half.EvalDecisionDetails],
    ["implicitDeny", { "IAM Policy": "implicitDeny", "Resource Policy": "allowed" }],
  );
  assert.equal((await simulate({ ...across, PolicyInputList: [get] })).EvalDecision, "allowed");

  const level = (...ServiceControlPolicyInputList: string[]) => ({ ServiceControlPolicyInputList });
  for (const [levels, decision] of [
    [[level(policy(allow("*"))), level(policy(allow("s3:*")))], "allowed"],
    [[level(policy(allow("*"))), level(policy(allow("sqs:*")))], "implicitDeny"],
    [[level(policy(allow("*"), { Effect: "Deny", Action: "s3:*", Resource: "*" }))], "explicitDeny"],
  ] as const) {
    const controlled = await simulate({ PolicyInputList: [get], OrderedOrganizationPolicyInputList: [...levels] });
    assert.deepEqual(
      [controlled.EvalDecision, controlled.OrganizationsDecisionDetail?.AllowedByOrganizations],
      [decision, decision === "allowed"],
    );
  }

  const first = await iam.send(
    new SimulateCustomPolicyCommand({
      PolicyInputList: [get],
      ActionNames: ["s3:GetObject", "s3:PutObject"],
      MaxItems: 1,
    }),
  );
  assert.deepEqual([first.EvaluationResults?.length, first.IsTruncated], [1, true]);
  const second = await iam.send(
    new SimulateCustomPolicyCommand({
      PolicyInputList: [get],
      ActionNames: ["s3:GetObject", "s3:PutObject"],
      Marker: first.Marker,
    }),
  );
  assert.deepEqual(
    [second.EvaluationResults?.map(({ EvalActionName }) => EvalActionName), second.IsTruncated],
    [["s3:PutObject"], false],
  );

  const bad: [Partial<SimulateCustomPolicyCommandInput>, RegExp][] = [
    [{ PolicyInputList: ["{"] }, /^InvalidInput 400 Invalid policy in PolicyInputList\.1/],
    [{ ActionNames: ["s3:*"] }, /^InvalidInput 400 Invalid Action Name s3:\*/],
    [{ ResourceArns: ["bucket"] }, /^InvalidInput 400/],
    [{ ResourcePolicy: granting }, /^InvalidInput 400 CallerArn/],
    [{ CallerArn: "arn:aws:iam::000000000000:user/bob" }, /^NoSuchEntity 404/],
    [{ CallerArn: "arn:aws:iam::000000000000:root" }, /^InvalidInput 400/],
    [{ ResourceHandlingOption: "EC2-VPC-EBS" }, /^InvalidInput 400/],
    [{ ResourceHandlingOption: "constructor" }, /^InvalidInput 400/],
    [{ ContextEntries: [{ ...x, ContextKeyType: "numeric" }] }, /^InvalidInput 400/],
    [{ ContextEntries: [{ ...x, ContextKeyValues: ["a", "b"] }] }, /^InvalidInput 400/],
  ];
  for (const [input, expected] of bad)
    assert.match(await refusal(simulate({ PolicyInputList: [get], ...input })), expected, JSON.stringify(input));
});

test("an organization's policies are simulated too, and said apart", async () => {
  await using cloud = await startCloud();
  const organizations = cloud.client(OrganizationsClient);
  await organizations.send(new CreateOrganizationCommand());
  const member = await accountOf(cloud, organizations, "member");
  const Content = policy({ Effect: "Deny", Action: "s3:Delete*", Resource: "*" });
  const { Policy } = await organizations.send(
    new CreateOrganizationPolicyCommand({ Name: "p", Description: "", Content, Type: "SERVICE_CONTROL_POLICY" }),
  );
  await organizations.send(new AttachPolicyCommand({ PolicyId: Policy!.PolicySummary!.Id!, TargetId: member }));
  const by = { accessKeyId: member, secretAccessKey: "test" };
  await userWith(cloud, "alice", { may: policy(allow("s3:*")), by });
  const { EvaluationResults } = await cloud.client(IAMClient, by).send(
    new SimulatePrincipalPolicyCommand({
      PolicySourceArn: `arn:aws:iam::${member}:user/alice`,
      ActionNames: ["s3:GetObject", "s3:DeleteObject"],
    }),
  );
  assert.deepEqual(
    EvaluationResults?.map((one) => [
      one.EvalDecision,
      one.OrganizationsDecisionDetail?.AllowedByOrganizations,
      one.MatchedStatements?.length,
    ]),
    [
      ["allowed", true, 1],
      ["explicitDeny", false, 0],
    ],
  );
});

test("the keys that policies ask for are told as they are written", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const asking = policy(
    allow("s3:GetObject", {
      Resource: "arn:aws:s3:::home/${aws:username}/*",
      Condition: {
        StringLike: { "s3:Prefix": ["${aws:PrincipalTag/team}/*"] },
        Bool: { "aws:SecureTransport": "true" },
      },
    }),
  );
  const custom = await iam.send(new GetContextKeysForCustomPolicyCommand({ PolicyInputList: [asking, asking] }));
  const expected = ["aws:PrincipalTag/team", "aws:SecureTransport", "aws:username", "s3:Prefix"];
  assert.deepEqual(custom.ContextKeyNames?.sort(), expected);
  await userWith(cloud, "alice", { may: asking });
  const more = policy(allow("s3:*", { Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } } }));
  const principal = await iam.send(
    new GetContextKeysForPrincipalPolicyCommand({ PolicySourceArn: USER, PolicyInputList: [more] }),
  );
  assert.deepEqual(principal.ContextKeyNames?.sort(), [...expected, "aws:SourceIp"].sort());
  assert.match(
    await refusal(iam.send(new GetContextKeysForPrincipalPolicyCommand({ PolicySourceArn: `${USER}x` }))),
    /^NoSuchEntity 404/,
  );
});
