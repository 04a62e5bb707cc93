import assert from "node:assert/strict";
import { test } from "node:test";
import * as sdk from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const alice = { UserName: "alice" };
const GOOD = "correct-Horse-1";

test("a user gets a password, which is never told, changed and taken away", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateUserCommand(alice));
  const none = "NoSuchEntity 404 Login Profile for User alice cannot be found.";
  assert.equal(await refusal(iam.send(new sdk.GetLoginProfileCommand(alice))), none);
  const create = () =>
    iam.send(new sdk.CreateLoginProfileCommand({ ...alice, Password: GOOD, PasswordResetRequired: true }));
  const { LoginProfile } = await create();
  assert.deepEqual([LoginProfile?.UserName, LoginProfile?.PasswordResetRequired], ["alice", true]);
  assert.equal(await refusal(create()), "EntityAlreadyExists 409 Login Profile for user alice already exists.");
  const get = async () => (await iam.send(new sdk.GetLoginProfileCommand(alice))).LoginProfile;
  assert.deepEqual(await get(), LoginProfile);
  await iam.send(new sdk.UpdateLoginProfileCommand({ ...alice, Password: `${GOOD}2` }));
  assert.equal((await get())?.PasswordResetRequired, false);
  await iam.send(new sdk.UpdateLoginProfileCommand({ ...alice, PasswordResetRequired: true }));
  assert.equal((await get())?.PasswordResetRequired, true);
  assert.equal(
    await refusal(iam.send(new sdk.DeleteUserCommand(alice))),
    "DeleteConflict 409 Cannot delete entity, must delete login profile first.",
  );
  await iam.send(new sdk.DeleteLoginProfileCommand(alice));
  assert.equal(await refusal(iam.send(new sdk.DeleteLoginProfileCommand(alice))), none);
  assert.equal(
    await refusal(iam.send(new sdk.CreateLoginProfileCommand(alice))),
    "ValidationError 400 1 validation error detected: Value null at 'password' failed to satisfy constraint: Member must not be null",
  );
  await iam.send(new sdk.DeleteUserCommand(alice));
});

test("a password must be as the account demands; without a policy, as AWS does", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateUserCommand(alice));
  const create = (Password: string) => iam.send(new sdk.CreateLoginProfileCommand({ ...alice, Password }));
  const violation = "PasswordPolicyViolation 400 ";
  const byDefault: [string, string][] = [
    ["Aa1!", "Password should have a minimum length of 8"],
    [
      "abcdefg1",
      "Password should meet 1 more of the following requirements: Password should have at least one uppercase letter, Password should have at least one symbol",
    ],
  ];
  for (const [password, words] of byDefault) assert.equal(await refusal(create(password)), violation + words);
  await iam.send(
    new sdk.UpdateAccountPasswordPolicyCommand({
      MinimumPasswordLength: 10,
      RequireSymbols: true,
      RequireNumbers: true,
    }),
  );
  const demanded: [string, string][] = [
    ["abc!1", "Password should have a minimum length of 10"],
    ["abcdefghijk", "Password should have at least one symbol, Password should have at least one number"],
    ["abcdefghij1", "Password should have at least one symbol"],
  ];
  for (const [password, words] of demanded) assert.equal(await refusal(create(password)), violation + words);
  await create("abcdefghi!1");
});

test("the password policy is one, whole, or none", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const none = "NoSuchEntity 404 The Password Policy with domain name 000000000000 cannot be found.";
  const get = async () => (await iam.send(new sdk.GetAccountPasswordPolicyCommand({}))).PasswordPolicy;
  assert.equal(await refusal(get()), none);
  assert.equal(await refusal(iam.send(new sdk.DeleteAccountPasswordPolicyCommand({}))), none);
  await iam.send(new sdk.UpdateAccountPasswordPolicyCommand({ MaxPasswordAge: 90, PasswordReusePrevention: 3 }));
  const bare = {
    MinimumPasswordLength: 6,
    RequireSymbols: false,
    RequireNumbers: false,
    RequireUppercaseCharacters: false,
    RequireLowercaseCharacters: false,
    AllowUsersToChangePassword: false,
    ExpirePasswords: false,
    HardExpiry: false,
  };
  assert.deepEqual(await get(), { ...bare, ExpirePasswords: true, MaxPasswordAge: 90, PasswordReusePrevention: 3 });
  await iam.send(new sdk.UpdateAccountPasswordPolicyCommand({}));
  assert.deepEqual(await get(), bare);
  await iam.send(new sdk.DeleteAccountPasswordPolicyCommand({}));
  assert.equal(await refusal(get()), none);
});

test("a user changes its own password where it may, knowing the old one, to one it had not before", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const asAlice = cloud.client(sdk.IAMClient, await userWith(cloud, "alice"));
  const change = (OldPassword: string, NewPassword: string) =>
    asAlice.send(new sdk.ChangePasswordCommand({ OldPassword, NewPassword }));
  assert.match(
    await refusal(change("a", "b")),
    /^AccessDenied 403 .* perform: iam:ChangePassword on resource: .*user\/alice /,
  );
  const may = policy(allow("iam:ChangePassword"));
  await iam.send(new sdk.PutUserPolicyCommand({ ...alice, PolicyName: "p", PolicyDocument: may }));
  assert.equal(await refusal(change("a", "b")), "NoSuchEntity 404 Login Profile for User alice cannot be found.");
  await iam.send(new sdk.CreateLoginProfileCommand({ ...alice, Password: "First-pass1", PasswordResetRequired: true }));
  assert.equal(await refusal(change("wrong", "Second-pass1")), "AccessDenied 403 The old password was incorrect.");
  await change("First-pass1", "Second-pass1");
  assert.equal((await iam.send(new sdk.GetLoginProfileCommand(alice))).LoginProfile?.PasswordResetRequired, false);

  await iam.send(new sdk.DeleteUserPolicyCommand({ ...alice, PolicyName: "p" }));
  await iam.send(
    new sdk.UpdateAccountPasswordPolicyCommand({ AllowUsersToChangePassword: true, PasswordReusePrevention: 2 }),
  );
  for (const again of ["Second-pass1", "First-pass1"])
    assert.match(await refusal(change("Second-pass1", again)), /^PasswordPolicyViolation 400 /);
  await change("Second-pass1", "Third-pass1");
  await change("Third-pass1", "First-pass1");
  assert.equal(
    await refusal(iam.send(new sdk.ChangePasswordCommand({ OldPassword: "a", NewPassword: "b" }))),
    "InvalidUserType 400 Only IAM Users can change their own password",
  );
});
