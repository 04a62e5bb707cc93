import assert from "node:assert/strict";
import { test } from "node:test";
import * as sdk from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const group = { GroupName: "Devs" };
const alice = { UserName: "alice" };
const ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess";

test("a group is made, described, listed in pages, renamed and deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const { Group } = await iam.send(new sdk.CreateGroupCommand({ ...group, Path: "/team/" }));
  assert.equal(Group?.Arn, "arn:aws:iam::000000000000:group/team/Devs");
  assert.match(Group.GroupId!, /^AGPA[A-Z2-7]{17}$/);
  const { Group: got, Users, IsTruncated } = await iam.send(new sdk.GetGroupCommand({ GroupName: "devs" }));
  assert.deepEqual([got, Users, IsTruncated], [Group, [], false]);
  assert.equal(
    await refusal(iam.send(new sdk.CreateGroupCommand({ GroupName: "DEVS" }))),
    "EntityAlreadyExists 409 Group with name DEVS already exists.",
  );
  for (const GroupName of ["c", "a", "b"]) await iam.send(new sdk.CreateGroupCommand({ GroupName }));
  const list = async (input: object) => {
    const { Groups, Marker } = await iam.send(new sdk.ListGroupsCommand(input));
    return { names: Groups?.map(({ GroupName }) => GroupName).join(), Marker };
  };
  const first = await list({ MaxItems: 2 });
  assert.equal(first.names, "a,b");
  assert.equal((await list({ Marker: first.Marker })).names, "c,Devs");
  assert.equal((await list({ PathPrefix: "/team/" })).names, "Devs");

  assert.equal(
    await refusal(iam.send(new sdk.UpdateGroupCommand({ ...group, NewGroupName: "A" }))),
    "EntityAlreadyExists 409 Group with name A already exists.",
  );
  await iam.send(new sdk.UpdateGroupCommand({ ...group, NewGroupName: "Ops", NewPath: "/" }));
  assert.equal(
    await refusal(iam.send(new sdk.GetGroupCommand(group))),
    "NoSuchEntity 404 The group with name Devs cannot be found.",
  );
  const { Group: renamed } = await iam.send(new sdk.GetGroupCommand({ GroupName: "Ops" }));
  assert.deepEqual([renamed?.Arn, renamed?.GroupId], ["arn:aws:iam::000000000000:group/Ops", Group.GroupId]);
  await iam.send(new sdk.DeleteGroupCommand({ GroupName: "ops" }));
  assert.equal((await list({})).names, "a,b,c");
  assert.equal(
    await refusal(iam.send(new sdk.CreateGroupCommand({ GroupName: "a b" }))),
    "ValidationError 400 The specified value for groupName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
  );
});

test("users come into groups and leave them", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateUserCommand(alice));
  const names = Array.from({ length: 11 }, (_, at) => `g${at}`);
  for (const GroupName of names) await iam.send(new sdk.CreateGroupCommand({ GroupName }));
  const add = (GroupName: string, UserName = "alice") =>
    iam.send(new sdk.AddUserToGroupCommand({ GroupName, UserName }));
  await add("g0");
  await add("g0");
  for (const name of names.slice(1, 10)) await add(name);
  assert.equal(await refusal(add("g10")), "LimitExceeded 409 Cannot exceed quota for GroupsPerUser: 10");
  const { Groups } = await iam.send(new sdk.ListGroupsForUserCommand(alice));
  assert.deepEqual(
    Groups?.map(({ GroupName }) => GroupName),
    names.slice(0, 10),
  );
  const { Users } = await iam.send(new sdk.GetGroupCommand({ GroupName: "g3" }));
  assert.deepEqual(
    Users?.map(({ Arn }) => Arn),
    ["arn:aws:iam::000000000000:user/alice"],
  );
  const some = await iam.send(new sdk.ListGroupsForUserCommand({ ...alice, MaxItems: 9 }));
  const { Groups: rest } = await iam.send(new sdk.ListGroupsForUserCommand({ ...alice, Marker: some.Marker }));
  assert.deepEqual([some.Groups?.length, rest?.map(({ GroupName }) => GroupName)], [9, ["g9"]]);
  for (const UserName of ["carol", "bert"]) {
    await iam.send(new sdk.CreateUserCommand({ UserName }));
    await add("g3", UserName);
  }
  const members: (string | undefined)[][] = [];
  for await (const page of sdk.paginateGetGroup({ client: iam, pageSize: 2 }, { GroupName: "g3" }))
    members.push(page.Users!.map(({ UserName }) => UserName));
  assert.deepEqual(members, [["alice", "bert"], ["carol"]]);
  assert.equal(await refusal(add("none")), "NoSuchEntity 404 The group with name none cannot be found.");
  assert.equal(await refusal(add("g0", "bob")), "NoSuchEntity 404 The user with name bob cannot be found.");
  assert.equal(
    await refusal(iam.send(new sdk.DeleteGroupCommand({ GroupName: "g0" }))),
    "DeleteConflict 409 Cannot delete entity, must remove users from group first.",
  );
  assert.equal(
    await refusal(iam.send(new sdk.DeleteUserCommand(alice))),
    "DeleteConflict 409 Cannot delete entity, must remove users from group first.",
  );
  const leave = (GroupName: string) => iam.send(new sdk.RemoveUserFromGroupCommand({ GroupName, ...alice }));
  for (const name of names.slice(0, 10)) await leave(name);
  assert.equal(await refusal(leave("g0")), "NoSuchEntity 404 User alice not in group g0");
  await iam.send(new sdk.DeleteUserCommand(alice));
});

test("a group has inline and attached policies, which keep it from being deleted and follow its name", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateGroupCommand(group));
  const PolicyDocument = policy(allow("s3:*"));
  await iam.send(new sdk.PutGroupPolicyCommand({ ...group, PolicyName: "p", PolicyDocument }));
  await iam.send(new sdk.AttachGroupPolicyCommand({ ...group, PolicyArn: ADMIN }));
  await iam.send(new sdk.UpdateGroupCommand({ ...group, NewGroupName: "ops" }));
  const ops = { GroupName: "ops" };
  const got = await iam.send(new sdk.GetGroupPolicyCommand({ ...ops, PolicyName: "p" }));
  assert.deepEqual([got.GroupName, decodeURIComponent(got.PolicyDocument!)], ["ops", PolicyDocument]);
  assert.deepEqual((await iam.send(new sdk.ListGroupPoliciesCommand(ops))).PolicyNames, ["p"]);
  const { AttachedPolicies } = await iam.send(new sdk.ListAttachedGroupPoliciesCommand(ops));
  assert.deepEqual(AttachedPolicies, [{ PolicyName: "AdministratorAccess", PolicyArn: ADMIN }]);
  const remove = () => iam.send(new sdk.DeleteGroupCommand(ops));
  assert.equal(await refusal(remove()), "DeleteConflict 409 Cannot delete entity, must detach all policies first.");
  await iam.send(new sdk.DetachGroupPolicyCommand({ ...ops, PolicyArn: ADMIN }));
  assert.equal(await refusal(remove()), "DeleteConflict 409 Cannot delete entity, must delete policies first.");
  await iam.send(new sdk.DeleteGroupPolicyCommand({ ...ops, PolicyName: "p" }));
  assert.equal(
    await refusal(iam.send(new sdk.DeleteGroupPolicyCommand({ ...ops, PolicyName: "p" }))),
    "NoSuchEntity 404 The group policy with name p cannot be found.",
  );
  const large = policy(allow("s3:GetObject", { Resource: `arn:aws:s3:::${"x".repeat(5100)}` }));
  assert.equal(
    await refusal(iam.send(new sdk.PutGroupPolicyCommand({ ...ops, PolicyName: "p", PolicyDocument: large }))),
    "LimitExceeded 409 Maximum policy size of 5120 bytes exceeded for group ops",
  );
  await remove();
});

test("what its groups may, a user may: at once, no longer than it is in them, and not beyond its boundary", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const asAlice = cloud.client(sdk.IAMClient, await userWith(cloud, "alice"));
  const list = () => asAlice.send(new sdk.ListUsersCommand({}));
  const denied = /^AccessDenied 403 .* because no identity-based policy allows the iam:ListUsers action$/;
  await iam.send(new sdk.CreateGroupCommand(group));
  await iam.send(new sdk.AddUserToGroupCommand({ ...group, ...alice }));
  assert.match(await refusal(list()), denied);
  const inline = { ...group, PolicyName: "p" };
  await iam.send(new sdk.PutGroupPolicyCommand({ ...inline, PolicyDocument: policy(allow("iam:ListUsers")) }));
  await list();
  await iam.send(new sdk.DeleteGroupPolicyCommand(inline));
  assert.match(await refusal(list()), denied);
  await iam.send(new sdk.AttachGroupPolicyCommand({ ...group, PolicyArn: ADMIN }));
  await list();
  await iam.send(new sdk.UpdateGroupCommand({ ...group, NewGroupName: "ops" }));
  await iam.send(new sdk.UpdateUserCommand({ ...alice, NewUserName: "anna" }));
  await list();
  const anna = { UserName: "anna" };
  const PermissionsBoundary = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
  await iam.send(new sdk.PutUserPermissionsBoundaryCommand({ ...anna, PermissionsBoundary }));
  assert.match(await refusal(list()), /because no permissions boundary allows the iam:ListUsers action$/);
  await iam.send(new sdk.DeleteUserPermissionsBoundaryCommand(anna));
  await list();
  await iam.send(new sdk.RemoveUserFromGroupCommand({ GroupName: "ops", ...anna }));
  assert.match(await refusal(list()), denied);
});

test("who may change a group is said by the group's ARN, and on both names for a new one", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateGroupCommand(group));
  const may = policy(allow("iam:*", { Resource: "arn:aws:iam::*:group/Devs" }));
  const asBob = cloud.client(sdk.IAMClient, await userWith(cloud, "bob", { may }));
  await asBob.send(new sdk.GetGroupCommand(group));
  assert.match(
    await refusal(asBob.send(new sdk.UpdateGroupCommand({ ...group, NewGroupName: "ops" }))),
    /^AccessDenied 403 .* perform: iam:UpdateGroup on resource: arn:aws:iam::000000000000:group\/ops /,
  );
  assert.match(
    await refusal(asBob.send(new sdk.GetGroupCommand({ GroupName: "none" }))),
    /^AccessDenied 403 .* perform: iam:GetGroup on resource: group none /,
  );
});
