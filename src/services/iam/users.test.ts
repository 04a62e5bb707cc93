import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  DetachUserPolicyCommand,
  GetUserCommand,
  IAMClient,
  ListAccessKeysCommand,
  ListUsersCommand,
  ListUserTagsCommand,
  PutUserPolicyCommand,
  TagUserCommand,
  UntagUserCommand,
  UpdateAccessKeyCommand,
} from "@aws-sdk/client-iam";
import { GetAccessKeyInfoCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

test("a user is made, described, listed, tagged and deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const alice = { UserName: "alice" };
  const { User } = await iam.send(
    new CreateUserCommand({ ...alice, Path: "/staff/", Tags: [{ Key: "k", Value: "v" }] }),
  );
  assert.equal(User?.Arn, "arn:aws:iam::000000000000:user/staff/alice");
  assert.match(User.UserId!, /^AIDA[A-Z2-7]{17}$/);
  assert.deepEqual((await iam.send(new GetUserCommand(alice))).User, User);
  await iam.send(new CreateUserCommand({ UserName: "bob" }));
  const listed = await iam.send(new ListUsersCommand({ PathPrefix: "/staff/" }));
  assert.deepEqual(
    listed.Users?.map(({ UserName }) => UserName),
    ["alice"],
  );
  await iam.send(new TagUserCommand({ ...alice, Tags: [{ Key: "x", Value: "y" }] }));
  await iam.send(new UntagUserCommand({ ...alice, TagKeys: ["k"] }));
  assert.deepEqual((await iam.send(new ListUserTagsCommand(alice))).Tags, [{ Key: "x", Value: "y" }]);
  assert.equal(
    await refusal(iam.send(new CreateUserCommand({ UserName: "Alice" }))),
    "EntityAlreadyExists 409 User with name Alice already exists.",
  );
  await iam.send(new DeleteUserCommand(alice));
  assert.equal(
    await refusal(iam.send(new DeleteUserCommand(alice))),
    "NoSuchEntity 404 The user with name alice cannot be found.",
  );
});

test("a user acts with its key until the key is made inactive or deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const key = await userWith(cloud, "alice", { may: policy(allow("iam:GetUser")) });
  const asAlice = cloud.client(IAMClient, key);
  const me = async () => (await asAlice.send(new GetUserCommand({}))).User?.UserName;
  assert.equal(await me(), "alice");
  const { Account, Arn } = await cloud.client(STSClient, key).send(new GetCallerIdentityCommand({}));
  assert.deepEqual([Account, Arn], ["000000000000", "arn:aws:iam::000000000000:user/alice"]);
  const about = { UserName: "alice", AccessKeyId: key.accessKeyId };
  const unknown = "InvalidClientTokenId 403 The security token included in the request is invalid.";

  await iam.send(new UpdateAccessKeyCommand({ ...about, Status: "Inactive" }));
  assert.equal(await refusal(asAlice.send(new GetUserCommand({}))), unknown);
  const { AccessKeyMetadata } = await iam.send(new ListAccessKeysCommand({ UserName: "alice" }));
  assert.deepEqual(
    AccessKeyMetadata?.map(({ AccessKeyId, Status }) => [AccessKeyId, Status]),
    [[key.accessKeyId, "Inactive"]],
  );
  await iam.send(new UpdateAccessKeyCommand({ ...about, Status: "Active" }));
  assert.equal(await me(), "alice");
  await iam.send(new DeleteAccessKeyCommand(about));
  assert.equal(await refusal(asAlice.send(new GetUserCommand({}))), unknown);
  assert.equal(
    await refusal(iam.send(new DeleteAccessKeyCommand(about))),
    `NoSuchEntity 404 The Access Key with id ${key.accessKeyId} cannot be found.`,
  );
});

test("a key is made for the caller where no user is named; a third one is refused", async () => {
  await using cloud = await startCloud();
  const key = await userWith(cloud, "alice", { may: policy(allow("iam:*AccessKey*")) });
  const asAlice = cloud.client(IAMClient, key);
  const { AccessKey } = await asAlice.send(new CreateAccessKeyCommand({}));
  assert.equal(AccessKey?.UserName, "alice");
  assert.equal(
    await refusal(asAlice.send(new CreateAccessKeyCommand({}))),
    "LimitExceeded 409 Cannot exceed quota for AccessKeysPerUser: 2",
  );
  assert.match(await refusal(cloud.client(IAMClient).send(new CreateAccessKeyCommand({}))), /^NotImplemented 501/);
});

test("an access key says whose account it is of", async () => {
  await using cloud = await startCloud();
  const as = { accessKeyId: "123456789012", secretAccessKey: "test" };
  const iam = cloud.client(IAMClient, as);
  await iam.send(new CreateUserCommand({ UserName: "u" }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: "u" }));
  assert.match(AccessKey!.AccessKeyId!, /^AKIA[A-Z2-7]{16}$/);
  const { AccessKeyId } = AccessKey!;
  const info = await cloud.client(STSClient).send(new GetAccessKeyInfoCommand({ AccessKeyId }));
  assert.equal(info.Account, "123456789012");
  assert.match(
    await refusal(cloud.client(STSClient).send(new GetAccessKeyInfoCommand({ AccessKeyId: "no_key_of_anyone" }))),
    /^ValidationError 400/,
  );
});

test("a user that has keys or policies is not deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const key = await userWith(cloud, "u", { may: policy(allow("*")) });
  const user = { UserName: "u" };
  const PolicyArn = "arn:aws:iam::aws:policy/AdministratorAccess";
  await iam.send(new AttachUserPolicyCommand({ ...user, PolicyArn }));
  const remove = () => iam.send(new DeleteUserCommand(user));
  assert.match(await refusal(remove()), /^DeleteConflict 409 Cannot delete entity, must delete access keys first.$/);
  await iam.send(new DeleteAccessKeyCommand({ ...user, AccessKeyId: key.accessKeyId }));
  assert.match(await refusal(remove()), /^DeleteConflict 409 Cannot delete entity, must detach all policies first.$/);
  await iam.send(new DetachUserPolicyCommand({ ...user, PolicyArn }));
  assert.match(await refusal(remove()), /^DeleteConflict 409 Cannot delete entity, must delete policies first.$/);
  await iam.send(new DeleteUserPolicyCommand({ ...user, PolicyName: "p" }));
  await remove();
});

test("a user may do what its policies say, at once, and no more", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const asAlice = cloud.client(IAMClient, await userWith(cloud, "alice"));
  const list = () => asAlice.send(new ListUsersCommand({}));
  const who =
    "User: arn:aws:iam::000000000000:user/alice is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::000000000000:user/";
  assert.equal(
    await refusal(list()),
    `AccessDenied 403 ${who} because no identity-based policy allows the iam:ListUsers action`,
  );
  const put = (document: string) =>
    iam.send(new PutUserPolicyCommand({ UserName: "alice", PolicyName: "p", PolicyDocument: document }));
  await put(policy(allow("iam:List*")));
  assert.equal((await list()).Users?.length, 1);
  await put(policy(allow("iam:List*"), allow("*", { Effect: "Deny" })));
  assert.equal(await refusal(list()), `AccessDenied 403 ${who} with an explicit deny in an identity-based policy`);
});

test("a policy may speak of its user by name", async () => {
  await using cloud = await startCloud();
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
  const document = policy(allow("iam:GetUser", { Resource: "arn:aws:iam::*:user/${aws:username}" }));
  const asAlice = cloud.client(IAMClient, await userWith(cloud, "alice", { may: document }));
  await userWith(cloud, "bob");
  assert.equal((await asAlice.send(new GetUserCommand({ UserName: "alice" }))).User?.UserName, "alice");
  assert.match(await refusal(asAlice.send(new GetUserCommand({ UserName: "bob" }))), /^AccessDenied/);
});

test("an unsigned call is nobody's", async () => {
  await using cloud = await startCloud();
  const body = "Action=ListUsers&Version=2010-05-08";
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const answer = await fetch(cloud.endpoint, { method: "POST", headers, body });
  assert.equal(answer.status, 403);
  assert.match(await answer.text(), /<Code>MissingAuthenticationToken<\/Code>/);
});
