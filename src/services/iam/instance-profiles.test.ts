import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddRoleToInstanceProfileCommand,
  CreateInstanceProfileCommand,
  CreateRoleCommand,
  DeleteInstanceProfileCommand,
  DeleteRoleCommand,
  GetInstanceProfileCommand,
  IAMClient,
  ListInstanceProfilesCommand,
  ListInstanceProfilesForRoleCommand,
  ListInstanceProfileTagsCommand,
  RemoveRoleFromInstanceProfileCommand,
  TagInstanceProfileCommand,
  UntagInstanceProfileCommand,
} from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { allow, LAMBDA, policy, refusal, userWith } from "../../../test/principals.ts";

test("an instance profile holds one role, and neither goes while it does", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const profile = { InstanceProfileName: "web" };
  const { InstanceProfile: made } = await iam.send(
    new CreateInstanceProfileCommand({ ...profile, Path: "/x/", Tags: [{ Key: "a", Value: "b" }] }),
  );
  assert.equal(made?.Arn, "arn:aws:iam::000000000000:instance-profile/x/web");
  assert.match(made.InstanceProfileId!, /^AIPA[A-Z2-7]{17}$/);
  assert.deepEqual([made.Roles, made.Tags], [[], [{ Key: "a", Value: "b" }]]);
  assert.equal(
    await refusal(iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: "WEB" }))),
    "EntityAlreadyExists 409 Instance Profile WEB already exists.",
  );
  for (const RoleName of ["r", "s"])
    await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: LAMBDA }));
  await iam.send(new AddRoleToInstanceProfileCommand({ ...profile, RoleName: "r" }));
  assert.equal(
    await refusal(iam.send(new AddRoleToInstanceProfileCommand({ ...profile, RoleName: "s" }))),
    "LimitExceeded 409 Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
  );
  const { InstanceProfile: found } = await iam.send(new GetInstanceProfileCommand({ InstanceProfileName: "Web" }));
  assert.deepEqual(
    [found?.Roles?.map(({ Arn }) => Arn), decodeURIComponent(found!.Roles![0]!.AssumeRolePolicyDocument!)],
    [["arn:aws:iam::000000000000:role/r"], LAMBDA],
  );
  await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: "db" }));
  const names = async (input: object) => {
    const { InstanceProfiles, Marker } = await iam.send(new ListInstanceProfilesCommand(input));
    return {
      names: InstanceProfiles?.map((one) => `${one.InstanceProfileName}:${one.Roles?.length}`).join(" "),
      Marker,
    };
  };
  assert.equal((await names({})).names, "db:0 web:1");
  assert.equal((await names({ PathPrefix: "/x/" })).names, "web:1");
  assert.equal((await names({ Marker: (await names({ MaxItems: 1 })).Marker })).names, "web:1");
  const ofRole = await iam.send(new ListInstanceProfilesForRoleCommand({ RoleName: "r" }));
  assert.deepEqual(
    ofRole.InstanceProfiles?.map(({ InstanceProfileName }) => InstanceProfileName),
    ["web"],
  );

  const first = "DeleteConflict 409 Cannot delete entity, must remove roles from instance profile first.";
  assert.equal(await refusal(iam.send(new DeleteRoleCommand({ RoleName: "r" }))), first);
  assert.equal(await refusal(iam.send(new DeleteInstanceProfileCommand(profile))), first);
  await iam.send(new RemoveRoleFromInstanceProfileCommand({ ...profile, RoleName: "r" }));
  assert.match(
    await refusal(iam.send(new RemoveRoleFromInstanceProfileCommand({ ...profile, RoleName: "r" }))),
    /^NoSuchEntity/,
  );
  await iam.send(new TagInstanceProfileCommand({ ...profile, Tags: [{ Key: "c", Value: "d" }] }));
  await iam.send(new UntagInstanceProfileCommand({ ...profile, TagKeys: ["a"] }));
  assert.deepEqual((await iam.send(new ListInstanceProfileTagsCommand(profile))).Tags, [{ Key: "c", Value: "d" }]);
  await iam.send(new DeleteRoleCommand({ RoleName: "r" }));
  await iam.send(new DeleteInstanceProfileCommand(profile));
  assert.equal(
    await refusal(iam.send(new GetInstanceProfileCommand(profile))),
    "NoSuchEntity 404 Instance Profile web cannot be found.",
  );
});

test("whoever puts a role into an instance profile must be allowed to pass it", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  await iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: "web" }));
  await iam.send(new CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument: LAMBDA }));
  const user = cloud.client(
    IAMClient,
    await userWith(cloud, "u", { may: policy(allow("iam:AddRoleToInstanceProfile")) }),
  );
  assert.match(
    await refusal(user.send(new AddRoleToInstanceProfileCommand({ InstanceProfileName: "web", RoleName: "r" }))),
    /^AccessDenied 403 .* perform: iam:PassRole on resource: arn:aws:iam::000000000000:role\/r /,
  );
});
