import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AttachRolePolicyCommand,
  AttachUserPolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteRolePermissionsBoundaryCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  DetachUserPolicyCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRolePolicyCommand,
  GetUserPolicyCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
  ListAttachedUserPoliciesCommand,
  ListEntitiesForPolicyCommand,
  ListPoliciesCommand,
  ListPolicyTagsCommand,
  ListPolicyVersionsCommand,
  ListRolePoliciesCommand,
  ListUserPoliciesCommand,
  ListUsersCommand,
  PutRolePolicyCommand,
  SetDefaultPolicyVersionCommand,
  TagPolicyCommand,
  UntagPolicyCommand,
} from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { allow, LAMBDA, policy, refusal, userWith } from "../../../test/principals.ts";

const READ = policy(allow("s3:Get*"));
const WRITE = policy(allow("s3:Put*"));
const BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

test("inline policies of a role are put, replaced, read, listed and deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const role = { RoleName: "r" };
  await iam.send(new CreateRoleCommand({ ...role, AssumeRolePolicyDocument: LAMBDA }));
  const put = (PolicyName: string, PolicyDocument: string) =>
    iam.send(new PutRolePolicyCommand({ ...role, PolicyName, PolicyDocument }));
  await put("b", READ);
  await put("a", READ);
  await put("a", WRITE);
  const { PolicyDocument } = await iam.send(new GetRolePolicyCommand({ ...role, PolicyName: "a" }));
  assert.equal(decodeURIComponent(PolicyDocument!), WRITE);
  assert.deepEqual((await iam.send(new ListRolePoliciesCommand(role))).PolicyNames, ["a", "b"]);
  const first = await iam.send(new ListRolePoliciesCommand({ ...role, MaxItems: 1 }));
  assert.deepEqual([first.PolicyNames, first.IsTruncated], [["a"], true]);
  await iam.send(new DeleteRolePolicyCommand({ ...role, PolicyName: "a" }));
  const missing = "NoSuchEntity 404 The role policy with name a cannot be found.";
  assert.equal(await refusal(iam.send(new GetRolePolicyCommand({ ...role, PolicyName: "a" }))), missing);
  assert.equal(await refusal(iam.send(new DeleteRolePolicyCommand({ ...role, PolicyName: "a" }))), missing);

  assert.equal(await refusal(put("c", "{")), "MalformedPolicyDocument 400 Syntax errors in policy.");
  const large = policy(allow(Array(500).fill("s3:GetObjectTagging")));
  assert.equal(
    await refusal(put("c", large)),
    "LimitExceeded 409 Maximum policy size of 10240 bytes exceeded for role r",
  );
});

test("a user's inline policies are read and listed", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  await userWith(cloud, "u", { may: READ });
  const { PolicyDocument, UserName } = await iam.send(new GetUserPolicyCommand({ UserName: "u", PolicyName: "p" }));
  assert.deepEqual([decodeURIComponent(PolicyDocument!), UserName], [READ, "u"]);
  assert.deepEqual((await iam.send(new ListUserPoliciesCommand({ UserName: "u" }))).PolicyNames, ["p"]);
  assert.equal(
    await refusal(iam.send(new GetUserPolicyCommand({ UserName: "u", PolicyName: "x" }))),
    "NoSuchEntity 404 The user policy with name x cannot be found.",
  );
});

test("a managed policy is made, attached, listed, detached and deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const role = { RoleName: "r" };
  await iam.send(new CreateRoleCommand({ ...role, AssumeRolePolicyDocument: LAMBDA }));
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: "mine", Path: "/a/", PolicyDocument: READ, Description: "d" }),
  );
  const PolicyArn = Policy!.Arn!;
  assert.equal(PolicyArn, "arn:aws:iam::000000000000:policy/a/mine");
  assert.deepEqual([Policy?.DefaultVersionId, Policy?.AttachmentCount, Policy?.Description], ["v1", 0, undefined]);
  await iam.send(new AttachRolePolicyCommand({ ...role, PolicyArn }));
  await iam.send(new AttachRolePolicyCommand({ ...role, PolicyArn }));
  await iam.send(new AttachRolePolicyCommand({ ...role, PolicyArn: BASIC }));
  const { AttachedPolicies } = await iam.send(new ListAttachedRolePoliciesCommand(role));
  assert.deepEqual(AttachedPolicies, [
    { PolicyName: "mine", PolicyArn },
    { PolicyName: "AWSLambdaBasicExecutionRole", PolicyArn: BASIC },
  ]);
  const found = (await iam.send(new GetPolicyCommand({ PolicyArn }))).Policy;
  assert.deepEqual([found?.AttachmentCount, found?.Description], [1, "d"]);
  const listed = async (input: object) =>
    (await iam.send(new ListPoliciesCommand(input))).Policies?.map(({ PolicyName }) => PolicyName);
  assert.deepEqual(await listed({ Scope: "Local" }), ["mine"]);
  assert.deepEqual(await listed({ OnlyAttached: true }), ["mine", "AWSLambdaBasicExecutionRole"]);
  assert.ok((await listed({ Scope: "AWS", MaxItems: 1000 }))?.includes("AmazonS3ReadOnlyAccess"));

  const remove = () => iam.send(new DeletePolicyCommand({ PolicyArn }));
  assert.equal(await refusal(remove()), "DeleteConflict 409 Cannot delete a policy attached to entities.");
  await iam.send(new DetachRolePolicyCommand({ ...role, PolicyArn }));
  const notThere = `NoSuchEntity 404 Policy ${PolicyArn} was not found.`;
  assert.equal(await refusal(iam.send(new DetachRolePolicyCommand({ ...role, PolicyArn }))), notThere);
  await remove();
  assert.equal(await refusal(remove()), notThere);
  assert.equal(
    await refusal(iam.send(new AttachRolePolicyCommand({ ...role, PolicyArn }))),
    `NoSuchEntity 404 Policy ${PolicyArn} does not exist or is not attachable.`,
  );
  assert.equal(
    await refusal(iam.send(new AttachRolePolicyCommand({ ...role, PolicyArn: "longer-than-twenty" + "xx" }))),
    "ValidationError 400 Invalid ARN:  Could not be parsed!",
  );
});

test("a managed policy has versions, of which the default one counts", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const list = policy(allow("iam:List*"));
  const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: "mine", PolicyDocument: READ }));
  const about = { PolicyArn: Policy!.Arn! };
  const alice = cloud.client(IAMClient, await userWith(cloud, "alice"));
  await iam.send(new AttachUserPolicyCommand({ UserName: "alice", ...about }));
  const may = () => alice.send(new ListUsersCommand({}));
  await assert.rejects(may());
  const { PolicyVersion } = await iam.send(new CreatePolicyVersionCommand({ ...about, PolicyDocument: list }));
  assert.deepEqual([PolicyVersion?.VersionId, PolicyVersion?.IsDefaultVersion], ["v2", false]);
  await assert.rejects(may());
  await iam.send(new SetDefaultPolicyVersionCommand({ ...about, VersionId: "v2" }));
  await may();
  const got = await iam.send(new GetPolicyVersionCommand({ ...about, VersionId: "v2" }));
  assert.equal(decodeURIComponent(got.PolicyVersion!.Document!), list);
  const { Versions } = await iam.send(new ListPolicyVersionsCommand(about));
  assert.deepEqual(
    Versions?.map(({ VersionId, IsDefaultVersion }) => [VersionId, IsDefaultVersion]),
    [
      ["v2", true],
      ["v1", false],
    ],
  );
  assert.match(
    await refusal(iam.send(new DeletePolicyVersionCommand({ ...about, VersionId: "v2" }))),
    /^DeleteConflict/,
  );
  assert.match(await refusal(iam.send(new DeletePolicyCommand(about))), /^DeleteConflict/);
  await iam.send(new DeletePolicyVersionCommand({ ...about, VersionId: "v1" }));
  await iam.send(new CreatePolicyVersionCommand({ ...about, PolicyDocument: READ, SetAsDefault: true }));
  await assert.rejects(may());
  for (let n = 3; n <= 5; n++) await iam.send(new CreatePolicyVersionCommand({ ...about, PolicyDocument: READ }));
  assert.match(
    await refusal(iam.send(new CreatePolicyVersionCommand({ ...about, PolicyDocument: READ }))),
    /^LimitExceeded 409 A managed policy can have up to 5 versions/,
  );
  const { AttachedPolicies } = await iam.send(new ListAttachedUserPoliciesCommand({ UserName: "alice" }));
  assert.equal(AttachedPolicies?.length, 1);
});

test("CreatePolicy refuses what is not right", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const create = (PolicyName: string, PolicyDocument: string) =>
    iam.send(new CreatePolicyCommand({ PolicyName, PolicyDocument }));
  await create("taken", READ);
  assert.equal(
    await refusal(create("Taken", READ)),
    "EntityAlreadyExists 409 A policy called Taken already exists. Duplicate names are not allowed.",
  );
  assert.equal(
    await refusal(create("a", JSON.stringify({ Statement: allow("*") }))),
    "MalformedPolicyDocument 400 Policy document must be version 2012-10-17 or greater.",
  );
  assert.equal(
    await refusal(create("a", policy(allow(Array(400).fill("s3:GetObjectTagging"))))),
    "LimitExceeded 409 Cannot exceed quota for PolicySize: 6144",
  );
});

test("AWS's own policies are there, for every account, and nobody changes them", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const { Policy } = await iam.send(new GetPolicyCommand({ PolicyArn: BASIC }));
  assert.deepEqual([Policy?.Path, Policy?.DefaultVersionId], ["/service-role/", "v1"]);
  const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn: BASIC, VersionId: "v1" }));
  const document = JSON.parse(decodeURIComponent(PolicyVersion!.Document!));
  assert.deepEqual(document.Statement[0].Action, ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]);
  assert.match(await refusal(iam.send(new DeletePolicyCommand({ PolicyArn: BASIC }))), /^AccessDenied 403/);
  const alice = cloud.client(IAMClient, await userWith(cloud, "alice"));
  await assert.rejects(alice.send(new ListUsersCommand({})));
  const readOnly = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
  await iam.send(new AttachUserPolicyCommand({ UserName: "alice", PolicyArn: readOnly }));
  assert.equal((await alice.send(new ListUsersCommand({}))).Users?.length, 1);
});

test("AWS's own policies are there by the hundred, with their documents", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  let count = 0;
  let Marker: string | undefined;
  do {
    const page = await iam.send(new ListPoliciesCommand({ Scope: "AWS", MaxItems: 1000, Marker }));
    count += page.Policies!.length;
    Marker = page.Marker;
  } while (Marker);
  assert.ok(count > 1500, String(count));
  const text = async (name: string, VersionId: string) => {
    const PolicyArn = `arn:aws:iam::aws:policy/${name}`;
    const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId }));
    return decodeURIComponent(PolicyVersion!.Document!);
  };
  assert.ok((await text("ReadOnlyAccess", "v188")).length > 80_000);
  assert.match(await text("job-function/ViewOnlyAccess", "v45"), /"s3:ListAllMyBuckets"/);
  assert.match(await refusal(text("ReadOnlyAccess", "v1")), /^NoSuchEntity/);
  const { Policy } = await iam.send(
    new GetPolicyCommand({ PolicyArn: "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess" }),
  );
  assert.deepEqual(
    [Policy?.CreateDate, Policy?.UpdateDate],
    [new Date("2016-11-10T17:20:15Z"), new Date("2026-04-22T18:12:21Z")],
  );
  const under = new ListPoliciesCommand({ Scope: "AWS", PathPrefix: "/job-function/" });
  assert.ok((await iam.send(under)).Policies?.some(({ PolicyName }) => PolicyName === "DatabaseAdministrator"));
});

test("a policy tells who has it, attached or as boundary", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: "mine", PolicyDocument: READ }));
  const about = { PolicyArn: Policy!.Arn! };
  const make = (RoleName: string, more: object = {}) =>
    iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: LAMBDA, ...more }));
  await make("a");
  await make("b", { Path: "/x/", PermissionsBoundary: about.PolicyArn });
  await userWith(cloud, "u");
  await iam.send(new AttachRolePolicyCommand({ RoleName: "a", ...about }));
  await iam.send(new AttachUserPolicyCommand({ UserName: "u", ...about }));
  const entities = async (input: object) => {
    const found = await iam.send(new ListEntitiesForPolicyCommand({ ...about, ...input }));
    const { PolicyRoles = [], PolicyUsers = [] } = found;
    return [...PolicyRoles.map(({ RoleName }) => RoleName), ...PolicyUsers.map(({ UserName }) => UserName)].join(" ");
  };
  assert.equal(await entities({}), "a b u");
  assert.equal(await entities({ EntityFilter: "User" }), "u");
  assert.equal(await entities({ PathPrefix: "/x/" }), "b");
  assert.equal(await entities({ PolicyUsageFilter: "PermissionsBoundary" }), "b");
  assert.equal(await entities({ PolicyUsageFilter: "PermissionsPolicy" }), "a u");
  const first = await iam.send(new ListEntitiesForPolicyCommand({ ...about, MaxItems: 2 }));
  assert.equal(await entities({ Marker: first.Marker }), "u");
  const counts = (await iam.send(new GetPolicyCommand(about))).Policy;
  assert.deepEqual([counts?.AttachmentCount, counts?.PermissionsBoundaryUsageCount], [2, 1]);
  const filtered = async (input: object) =>
    (await iam.send(new ListPoliciesCommand({ Scope: "Local", ...input }))).Policies?.length;
  assert.deepEqual(
    [await filtered({ PolicyUsageFilter: "PermissionsBoundary" }), await filtered({ OnlyAttached: true })],
    [1, 1],
  );

  await iam.send(new DetachUserPolicyCommand({ UserName: "u", ...about }));
  await iam.send(new DetachRolePolicyCommand({ RoleName: "a", ...about }));
  const remove = () => iam.send(new DeletePolicyCommand(about));
  assert.equal(await refusal(remove()), "DeleteConflict 409 Cannot delete a policy attached to entities.");
  await iam.send(new DeleteRolePermissionsBoundaryCommand({ RoleName: "b" }));
  await remove();
});

test("a managed policy's tags are set and removed after it was made", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: "mine", PolicyDocument: READ }));
  const about = { PolicyArn: Policy!.Arn! };
  await iam.send(
    new TagPolicyCommand({
      ...about,
      Tags: [
        { Key: "a", Value: "1" },
        { Key: "b", Value: "2" },
      ],
    }),
  );
  await iam.send(new UntagPolicyCommand({ ...about, TagKeys: ["A"] }));
  const { Tags, IsTruncated } = await iam.send(new ListPolicyTagsCommand(about));
  assert.deepEqual([Tags, IsTruncated], [[{ Key: "b", Value: "2" }], false]);
  assert.deepEqual((await iam.send(new GetPolicyCommand(about))).Policy?.Tags, Tags);
});
