import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  DeleteAccessKeyCommand,
  DeleteRoleCommand,
  DeleteRolePermissionsBoundaryCommand,
  DeleteRolePolicyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  DetachRolePolicyCommand,
  GetRoleCommand,
  GetUserCommand,
  IAMClient,
  ListRolesCommand,
  ListRoleTagsCommand,
  ListUsersCommand,
  PutRolePermissionsBoundaryCommand,
  PutRolePolicyCommand,
  TagRoleCommand,
  UntagRoleCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateRoleCommand,
  UpdateRoleDescriptionCommand,
} from "@aws-sdk/client-iam";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { type Key, startCloud } from "../../../test/cloud.ts";
import { allow, LAMBDA, policy, refusal, trust, userWith } from "../../../test/principals.ts";

const create = (RoleName: string, more: object = {}) =>
  new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: LAMBDA, ...more });

test("a role is made, described, changed and deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const given = {
    Path: "/service-role/",
    Description: "d",
    MaxSessionDuration: 7200,
    Tags: [{ Key: "a", Value: "b" }],
  };
  const { Role: made } = await iam.send(create("reader", given));
  assert.equal(made?.Arn, "arn:aws:iam::000000000000:role/service-role/reader");
  assert.match(made.RoleId!, /^AROA[A-Z2-7]{17}$/);
  assert.equal(decodeURIComponent(made.AssumeRolePolicyDocument!), LAMBDA);
  // AWS tells it of the role, not of its making.
  assert.equal(made.MaxSessionDuration, undefined);

  const { Role: found } = await iam.send(new GetRoleCommand({ RoleName: "READER" }));
  assert.equal(found?.RoleName, "reader");
  assert.equal(found.MaxSessionDuration, 7200);
  assert.equal(found.Description, "d");
  assert.deepEqual(found.Tags, [{ Key: "a", Value: "b" }]);
  assert.equal(found.CreateDate?.getMilliseconds(), 0);

  const other = trust({ AWS: "000000000000" });
  await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "reader", PolicyDocument: other }));
  await iam.send(new UpdateRoleCommand({ RoleName: "reader", MaxSessionDuration: 3600 }));
  const { Role: changed } = await iam.send(new GetRoleCommand({ RoleName: "reader" }));
  assert.equal(decodeURIComponent(changed!.AssumeRolePolicyDocument!), other);
  assert.deepEqual([changed?.MaxSessionDuration, changed?.Description], [3600, "d"]);

  await iam.send(new DeleteRoleCommand({ RoleName: "reader" }));
  const gone = await refusal(iam.send(new GetRoleCommand({ RoleName: "reader" })));
  assert.equal(gone, "NoSuchEntity 404 The role with name reader cannot be found.");
});

test("roles are listed by path, in pages", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  for (const name of ["c", "a", "b", "d"]) await iam.send(create(name, { Path: name === "d" ? "/x/y/" : "/x/" }));
  await iam.send(create("e"));
  const names = async (input: object) => {
    const { Roles, IsTruncated, Marker } = await iam.send(new ListRolesCommand(input));
    return { names: Roles?.map(({ RoleName }) => RoleName).join(""), IsTruncated, Marker };
  };
  assert.deepEqual(await names({}), { names: "abcde", IsTruncated: false, Marker: undefined });
  assert.equal((await names({ PathPrefix: "/x/" })).names, "abcd");
  assert.equal((await names({ PathPrefix: "/x/y/" })).names, "d");
  const first = await names({ MaxItems: 2 });
  assert.deepEqual([first.names, first.IsTruncated], ["ab", true]);
  assert.equal((await names({ MaxItems: 3, Marker: first.Marker })).names, "cde");
  assert.equal(await refusal(iam.send(new ListRolesCommand({ Marker: "?" }))), "ValidationError 400 Invalid Marker.");
});

test("CreateRole refuses what is not right", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  await iam.send(create("taken"));
  const cases: [object, string][] = [
    [{}, "EntityAlreadyExists 409 Role with name TAKEN already exists."],
    [{ AssumeRolePolicyDocument: "x" }, "MalformedPolicyDocument 400 This policy contains invalid Json"],
    [
      { AssumeRolePolicyDocument: policy(allow("sts:AssumeRole", { Principal: "*" })) },
      "MalformedPolicyDocument 400 Has prohibited field Resource",
    ],
    [
      { AssumeRolePolicyDocument: trust({ AWS: Array(120).fill("arn:aws:iam::000000000000:root") }) },
      "LimitExceeded 409 Cannot exceed quota for ACLSizePerRole: 2048",
    ],
    [
      {
        Tags: [
          { Key: "a", Value: "" },
          { Key: "A", Value: "" },
        ],
      },
      "InvalidInput 400 Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    ],
    [
      { PermissionsBoundary: "arn:aws:iam::aws:policy/Nothing" },
      "NoSuchEntity 404 Scope ARN: arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.",
    ],
    [
      { AssumeRolePolicyDocument: trust({ AWS: "arn:aws:iam::000000000000:user/nobody" }) },
      'MalformedPolicyDocument 400 Invalid principal in policy: "AWS":"arn:aws:iam::000000000000:user/nobody"',
    ],
    [
      { AssumeRolePolicyDocument: trust({ AWS: "AIDAAAAAAAAAAAAAAAAAA" }) },
      'MalformedPolicyDocument 400 Invalid principal in policy: "AWS":"AIDAAAAAAAAAAAAAAAAAA"',
    ],
  ];
  for (const [more, expected] of cases) assert.equal(await refusal(iam.send(create("TAKEN", more))), expected);
  assert.equal(
    await refusal(iam.send(create("a b"))),
    "ValidationError 400 The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
  );
});

test("a role that has policies is not deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const role = { RoleName: "r" };
  const PolicyArn = "arn:aws:iam::aws:policy/AdministratorAccess";
  await iam.send(create("r"));
  await iam.send(new PutRolePolicyCommand({ ...role, PolicyName: "p", PolicyDocument: policy(allow("*")) }));
  await iam.send(new AttachRolePolicyCommand({ ...role, PolicyArn }));
  const remove = () => iam.send(new DeleteRoleCommand(role));
  assert.equal(await refusal(remove()), "DeleteConflict 409 Cannot delete entity, must detach all policies first.");
  await iam.send(new DetachRolePolicyCommand({ ...role, PolicyArn }));
  assert.equal(await refusal(remove()), "DeleteConflict 409 Cannot delete entity, must delete policies first.");
  await iam.send(new DeleteRolePolicyCommand({ ...role, PolicyName: "p" }));
  await remove();
});

test("a role's tags are set and removed without regard to case", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const role = { RoleName: "r" };
  const tags = async () => (await iam.send(new ListRoleTagsCommand(role))).Tags;
  await iam.send(create("r", { Tags: [{ Key: "Team", Value: "a" }] }));
  await iam.send(
    new TagRoleCommand({
      ...role,
      Tags: [
        { Key: "team", Value: "b" },
        { Key: "x", Value: "" },
      ],
    }),
  );
  assert.deepEqual(await tags(), [
    { Key: "team", Value: "b" },
    { Key: "x", Value: "" },
  ]);
  await iam.send(new UntagRoleCommand({ ...role, TagKeys: ["TEAM"] }));
  assert.deepEqual(await tags(), [{ Key: "x", Value: "" }]);
  await iam.send(new UntagRoleCommand({ ...role, TagKeys: ["x"] }));
  assert.deepEqual(await tags(), []);
});

test("another account's roles are not there", async () => {
  await using cloud = await startCloud();
  await cloud.client(IAMClient).send(create("r"));
  const other = cloud.client(IAMClient, { accessKeyId: "111111111111", secretAccessKey: "test" });
  assert.match(await refusal(other.send(new GetRoleCommand({ RoleName: "r" }))), /^NoSuchEntity/);
  const { Role } = await other.send(create("r"));
  assert.equal(Role?.Arn, "arn:aws:iam::111111111111:role/r");
});

test("a trust policy means the very user that it named: one who is made again under the same name is another", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const may = policy(allow("sts:AssumeRole"));
  const alice = await userWith(cloud, "alice", { may });
  const { Arn } = (await iam.send(new GetUserCommand({ UserName: "alice" }))).User!;
  const document = trust({ AWS: [Arn, "arn:aws:sts::000000000000:assumed-role/other/me"] });
  await iam.send(create("other"));
  await iam.send(create("r", { AssumeRolePolicyDocument: document }));
  const shown = async () => {
    const { Role } = await iam.send(new GetRoleCommand({ RoleName: "r" }));
    return decodeURIComponent(Role!.AssumeRolePolicyDocument!);
  };
  assert.equal(await shown(), document);
  const assume = (key: Key) =>
    cloud
      .client(STSClient, key)
      .send(new AssumeRoleCommand({ RoleArn: "arn:aws:iam::000000000000:role/r", RoleSessionName: "me" }));
  await assume(alice);

  const { UserId } = (await iam.send(new GetUserCommand({ UserName: "alice" }))).User!;
  await iam.send(new DeleteUserPolicyCommand({ UserName: "alice", PolicyName: "p" }));
  await iam.send(new DeleteAccessKeyCommand({ UserName: "alice", AccessKeyId: alice.accessKeyId }));
  await iam.send(new DeleteUserCommand({ UserName: "alice" }));
  const other = await userWith(cloud, "alice", { may });
  assert.match(await refusal(assume(other)), /^AccessDenied/);
  assert.deepEqual(JSON.parse(await shown()).Statement[0].Principal.AWS[0], UserId);
  await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "r", PolicyDocument: document }));
  await assume(other);
});

test("a role's boundary limits what its policies allow, from the next call on", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: "b", PolicyDocument: policy(allow("s3:*")) }),
  );
  const boundary = Policy!.Arn!;
  await iam.send(create("r", { AssumeRolePolicyDocument: trust({ AWS: "*" }), PermissionsBoundary: boundary }));
  const get = async () => (await iam.send(new GetRoleCommand({ RoleName: "r" }))).Role?.PermissionsBoundary;
  assert.deepEqual(await get(), { PermissionsBoundaryType: "Policy", PermissionsBoundaryArn: boundary });
  const role = { RoleName: "r" };
  await iam.send(
    new PutRolePolicyCommand({ ...role, PolicyName: "p", PolicyDocument: policy(allow("iam:ListUsers")) }),
  );
  const user = await userWith(cloud, "u", { may: policy(allow("sts:AssumeRole")) });
  const { Credentials } = await cloud
    .client(STSClient, user)
    .send(new AssumeRoleCommand({ RoleArn: "arn:aws:iam::000000000000:role/r", RoleSessionName: "me" }));
  const session = cloud.client(IAMClient, {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  });
  const list = () => session.send(new ListUsersCommand({}));
  assert.match(await refusal(list()), /because no permissions boundary allows the iam:ListUsers action$/);
  const wide = "arn:aws:iam::aws:policy/AdministratorAccess";
  await iam.send(new PutRolePermissionsBoundaryCommand({ ...role, PermissionsBoundary: wide }));
  await list();
  await iam.send(new PutRolePermissionsBoundaryCommand({ ...role, PermissionsBoundary: boundary }));
  await assert.rejects(list());
  await iam.send(new DeleteRolePermissionsBoundaryCommand(role));
  assert.equal(await get(), undefined);
  await list();
});

test("UpdateRoleDescription answers the role", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  await iam.send(create("r", { Description: "old" }));
  const { Role } = await iam.send(new UpdateRoleDescriptionCommand({ RoleName: "r", Description: "new" }));
  assert.deepEqual([Role?.RoleName, Role?.Description, Role?.MaxSessionDuration], ["r", "new", 3600]);
});
