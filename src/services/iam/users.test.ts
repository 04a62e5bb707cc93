import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  AddUserToGroupCommand,
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreateGroupCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DeleteUserPermissionsBoundaryCommand,
  DeleteUserPolicyCommand,
  DetachUserPolicyCommand,
  GetAccessKeyLastUsedCommand,
  GetUserCommand,
  IAMClient,
  ListAccessKeysCommand,
  ListGroupsForUserCommand,
  ListMFADeviceTagsCommand,
  ListUsersCommand,
  ListUserTagsCommand,
  PutUserPermissionsBoundaryCommand,
  PutUserPolicyCommand,
  TagUserCommand,
  UntagUserCommand,
  UpdateAccessKeyCommand,
  UpdateUserCommand,
} from "@aws-sdk/client-iam";
import { ListQueuesCommand, SQSClient } from "@aws-sdk/client-sqs";
import {
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { type Key, startCloud, type TestCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import { openStore } from "../../store/open.ts";
import type { Tx } from "../../store/store.ts";

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

test("a user's new name and path are at once those of its keys, groups and policies", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const key = await userWith(cloud, "alice", { may: policy(allow("iam:GetUser")) });
  const asAlice = cloud.client(IAMClient, key);
  await iam.send(new CreateGroupCommand({ GroupName: "g" }));
  await iam.send(new AddUserToGroupCommand({ GroupName: "g", UserName: "alice" }));
  const { User: before } = await asAlice.send(new GetUserCommand({}));
  await iam.send(new UpdateUserCommand({ UserName: "alice", NewUserName: "Anna", NewPath: "/x/" }));
  const { User: after } = await asAlice.send(new GetUserCommand({}));
  assert.deepEqual(after, { ...before, UserName: "Anna", Path: "/x/", Arn: "arn:aws:iam::000000000000:user/x/Anna" });
  const { Groups } = await iam.send(new ListGroupsForUserCommand({ UserName: "anna" }));
  assert.equal(Groups?.[0]?.GroupName, "g");
  await iam.send(new UpdateUserCommand({ UserName: "anna", NewUserName: "ANNA" }));
  await iam.send(new CreateUserCommand({ UserName: "alice" }));
  assert.equal(
    await refusal(iam.send(new UpdateUserCommand({ UserName: "alice", NewUserName: "anna" }))),
    "EntityAlreadyExists 409 User with name anna already exists.",
  );
});

test("a renamed user keeps what it may, and so does a session from before; neither takes it from the other", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const key = await userWith(cloud, "alice", { may: policy(allow("sqs:ListQueues")) });
  const { Credentials } = await cloud.client(STSClient, key).send(new GetSessionTokenCommand({}));
  const session = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  await iam.send(new UpdateUserCommand({ UserName: "alice", NewUserName: "anna" }));
  for (const as of [session, key, session]) await cloud.client(SQSClient, as).send(new ListQueuesCommand({}));
});

test("a user has a permissions boundary from its making, or later", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const boundary = { PermissionsBoundary: "arn:aws:iam::aws:policy/AdministratorAccess" };
  const alice = { UserName: "alice" };
  const { User } = await iam.send(new CreateUserCommand({ ...alice, ...boundary }));
  const told = { PermissionsBoundaryType: "Policy", PermissionsBoundaryArn: boundary.PermissionsBoundary };
  assert.deepEqual(User?.PermissionsBoundary, told);
  const get = async () => (await iam.send(new GetUserCommand(alice))).User?.PermissionsBoundary;
  await iam.send(new DeleteUserPermissionsBoundaryCommand(alice));
  assert.equal(await get(), undefined);
  await iam.send(new PutUserPermissionsBoundaryCommand({ ...alice, ...boundary }));
  assert.deepEqual(await get(), told);
  const none = "arn:aws:iam::000000000000:policy/none";
  assert.equal(
    await refusal(iam.send(new PutUserPermissionsBoundaryCommand({ ...alice, PermissionsBoundary: none }))),
    `NoSuchEntity 404 Scope ARN: ${none} does not exist or is not attachable.`,
  );
});

test("what may be tagged, and made with which boundary, conditions say", async () => {
  await using cloud = await startCloud();
  const boundary = { PermissionsBoundary: "arn:aws:iam::aws:policy/AdministratorAccess" };
  const may = policy(
    allow("iam:CreateUser", {
      Condition: { StringEquals: { "iam:PermissionsBoundary": boundary.PermissionsBoundary } },
    }),
    allow(["iam:TagUser", "iam:UntagUser"], {
      Condition: { "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] } },
    }),
  );
  const asAlice = cloud.client(IAMClient, await userWith(cloud, "alice", { may }));
  const bob = { UserName: "bob" };
  assert.match(await refusal(asAlice.send(new CreateUserCommand(bob))), /^AccessDenied/);
  await asAlice.send(new CreateUserCommand({ ...bob, ...boundary, Tags: [{ Key: "team", Value: "a" }] }));
  await asAlice.send(new TagUserCommand({ ...bob, Tags: [{ Key: "team", Value: "b" }] }));
  const other = { ...bob, Tags: [{ Key: "cost", Value: "b" }] };
  assert.match(await refusal(asAlice.send(new TagUserCommand(other))), /^AccessDenied/);
  assert.match(await refusal(asAlice.send(new UntagUserCommand({ ...bob, TagKeys: ["cost"] }))), /^AccessDenied/);
});

test("what a user's tags and boundary say of it, conditions hear", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const PermissionsBoundary = "arn:aws:iam::aws:policy/AdministratorAccess";
  await iam.send(new CreateUserCommand({ UserName: "mine", Tags: [{ Key: "team", Value: "a" }] }));
  await iam.send(new CreateUserCommand({ UserName: "bounded", PermissionsBoundary }));
  const may = policy(
    allow("iam:GetUser", { Condition: { StringEquals: { "aws:ResourceTag/team": "a" } } }),
    allow(["iam:ListUserTags", "iam:ListMFADeviceTags"], {
      Condition: { StringEquals: { "iam:ResourceTag/team": "a" } },
    }),
    allow("iam:AttachUserPolicy", {
      Condition: {
        StringEquals: { "iam:PermissionsBoundary": PermissionsBoundary, "iam:PolicyARN": PermissionsBoundary },
      },
    }),
  );
  const asAlice = cloud.client(IAMClient, await userWith(cloud, "alice", { may }));
  const attach = (UserName: string) =>
    asAlice.send(new AttachUserPolicyCommand({ UserName, PolicyArn: PermissionsBoundary }));
  await asAlice.send(new GetUserCommand({ UserName: "mine" }));
  await asAlice.send(new ListUserTagsCommand({ UserName: "mine" }));
  await attach("bounded");
  const others = [
    asAlice.send(new GetUserCommand({ UserName: "bounded" })),
    asAlice.send(new ListUserTagsCommand({ UserName: "bounded" })),
    attach("mine"),
    asAlice.send(new GetUserCommand({ UserName: "nobody" })),
    asAlice.send(new ListMFADeviceTagsCommand({ SerialNumber: "arn:aws:iam::000000000000:constructor/x" })),
  ];
  for (const denied of await Promise.all(others.map(refusal))) assert.match(denied, /^AccessDenied 403 /);
});

test("tags keep within their limits", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const u = { UserName: "u" };
  const tags = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => ({ Key: `k${String(from + at).padStart(2, "0")}`, Value: "v" }));
  await iam.send(new CreateUserCommand({ ...u, Tags: tags(0, 50) }));
  assert.equal(
    await refusal(iam.send(new TagUserCommand({ ...u, Tags: tags(50, 51) }))),
    "LimitExceeded 409 Cannot exceed quota for TagsPerEntity: 50",
  );
  assert.equal(
    await refusal(iam.send(new TagUserCommand({ ...u, Tags: [{ Key: "AWS:x", Value: "v" }] }))),
    "InvalidInput 400 aws: prefixed tag key names are not allowed for external use.",
  );
  const first = await iam.send(new ListUserTagsCommand({ ...u, MaxItems: 49 }));
  assert.deepEqual([first.Tags?.length, first.IsTruncated], [49, true]);
  const { Tags } = await iam.send(new ListUserTagsCommand({ ...u, Marker: first.Marker }));
  assert.deepEqual(Tags, tags(49, 50));
});

test("when, where and for what a key was last used is known", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const key = await userWith(cloud, "alice", { may: policy(allow("iam:GetUser")) });
  const last = () => iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId: key.accessKeyId }));
  const use = (type: typeof STSClient) => cloud.client(type, key).send(new GetCallerIdentityCommand({}));
  assert.deepEqual((await last()).AccessKeyLastUsed, { ServiceName: "N/A", Region: "N/A" });
  await use(STSClient);
  const { UserName, AccessKeyLastUsed: first } = await last();
  assert.deepEqual([UserName, first?.ServiceName, first?.Region], ["alice", "sts", "us-east-1"]);
  await cloud.advance(60_000);
  await use(STSClient);
  assert.deepEqual((await last()).AccessKeyLastUsed, first, "the same use is told once in a quarter of an hour");
  await cloud.client(IAMClient, key).send(new GetUserCommand({}));
  const { AccessKeyLastUsed: second } = await last();
  assert.equal(second?.ServiceName, "iam");
  assert.ok(second.LastUsedDate! > first!.LastUsedDate!);
  await cloud.advance(15 * 60_000);
  await cloud.client(IAMClient, key).send(new GetUserCommand({}));
  assert.ok((await last()).AccessKeyLastUsed!.LastUsedDate! > second.LastUsedDate!);
  assert.match(
    await refusal(iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId: "AKIAAAAAAAAAAAAAAAAA" }))),
    /^NoSuchEntity 404 The Access Key with id AKIAAAAAAAAAAAAAAAAA cannot be found.$/,
  );
});

test("no secret lies readable in the store, not even one of an older version", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-secrets-"));
  const secretIn = async (cloud: TestCloud, work: (tx: Tx) => Promise<unknown>) => {
    await using store = new AsyncDisposableStack();
    const opened = store.adopt(await openStore(cloud.aws.config.databaseUrl, dir), (open) => open.close());
    await opened.write(work);
    return (await opened.read((tx) => tx.one<{ secret: string }>("SELECT secret FROM iam_access_key")))!.secret;
  };
  const look = (cloud: TestCloud) => secretIn(cloud, async () => undefined);
  let key: Key;
  {
    await using cloud = await startCloud({ dir });
    key = await userWith(cloud, "alice", { may: policy(allow("iam:GetUser")) });
    assert.ok(!(await look(cloud)).includes(key.secretAccessKey));
    // As older versions kept it.
    const plain = { secret: key.secretAccessKey };
    assert.equal(
      await secretIn(cloud, (tx) => tx.run("UPDATE iam_access_key SET secret = :secret", plain)),
      plain.secret,
    );
  }
  {
    await using cloud = await startCloud({ dir });
    assert.equal((await cloud.client(IAMClient, key).send(new GetUserCommand({}))).User?.UserName, "alice");
    assert.ok(!(await look(cloud)).includes(key.secretAccessKey));
  }
  await rm(dir, { recursive: true });
});

test("an unsigned call is nobody's", async () => {
  await using cloud = await startCloud();
  const body = "Action=ListUsers&Version=2010-05-08";
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const answer = await fetch(cloud.endpoint, { method: "POST", headers, body });
  assert.equal(answer.status, 403);
  assert.match(await answer.text(), /<Code>MissingAuthenticationToken<\/Code>/);
});
