import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AttachRolePolicyCommand,
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  IAMClient,
  ListRolesCommand,
  ListUsersCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { type Key, startCloud, type TestCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, trust, userWith } from "../../../test/principals.ts";

const ACCOUNT = { AWS: "arn:aws:iam::000000000000:root" };
const ALICE = { AWS: "arn:aws:iam::000000000000:user/alice" };
const ARN = "arn:aws:iam::000000000000:role/reader";
const DENIED = (action: string) =>
  `AccessDenied 403 User: arn:aws:iam::000000000000:user/alice is not authorized to perform: ${action} on resource: ${ARN}`;

/** A role `reader` that may list roles, and alice, who may do what `may` says. */
async function withRole(cloud: TestCloud, trusting: string, may?: string): Promise<Key> {
  const iam = cloud.client(IAMClient);
  const alice = await userWith(cloud, "alice", { may });
  await iam.send(new CreateRoleCommand({ RoleName: "reader", AssumeRolePolicyDocument: trusting }));
  const PolicyDocument = policy(allow("iam:ListRoles"));
  await iam.send(new PutRolePolicyCommand({ RoleName: "reader", PolicyName: "list", PolicyDocument }));
  return alice;
}

function assume(cloud: TestCloud, as: Key, more: Partial<AssumeRoleCommandInput> = {}) {
  const input = { RoleArn: ARN, RoleSessionName: "one", ...more };
  return cloud.client(STSClient, as).send(new AssumeRoleCommand(input));
}

async function session(cloud: TestCloud, as: Key, more: Partial<AssumeRoleCommandInput> = {}): Promise<Key> {
  const { Credentials } = await assume(cloud, as, more);
  return {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
}
const list = (cloud: TestCloud, as: Key) => cloud.client(IAMClient, as).send(new ListRolesCommand({}));

test("GetCallerIdentity says who one is, and whatever denies, cannot deny it", async () => {
  await using cloud = await startCloud();
  const who = async (as: Key) => {
    const { Account, Arn, UserId } = await cloud.client(STSClient, as).send(new GetCallerIdentityCommand({}));
    return [Account, Arn, UserId?.replace(/^AIDA[A-Z2-7]{17}$/, "AIDA...")];
  };
  const alice = await withRole(cloud, trust(ALICE), policy(allow("*", { Effect: "Deny" }), allow("sts:AssumeRole")));
  const other = { accessKeyId: "111111111111", secretAccessKey: "test" };
  assert.deepEqual(await who(other), ["111111111111", "arn:aws:iam::111111111111:root", "111111111111"]);
  assert.deepEqual(await who(alice), ["000000000000", "arn:aws:iam::000000000000:user/alice", "AIDA..."]);
});

test("a session acts as its role, under its own name, until it is over on the clock", async () => {
  await using cloud = await startCloud();
  const alice = await withRole(cloud, trust(ALICE));
  const answer = await assume(cloud, alice, { DurationSeconds: 900 });
  const { Credentials, AssumedRoleUser } = answer;
  assert.equal(AssumedRoleUser?.Arn, "arn:aws:sts::000000000000:assumed-role/reader/one");
  assert.match(AssumedRoleUser.AssumedRoleId!, /^AROA[A-Z2-7]{17}:one$/);
  assert.match(Credentials!.AccessKeyId!, /^ASIA[A-Z2-7]{16}$/);
  const left = Credentials!.Expiration!.getTime() - cloud.aws.now();
  assert.ok(left > 895_000 && left <= 900_000, `${left} ms`);

  const as = await session(cloud, alice, { DurationSeconds: 900 });
  assert.equal((await list(cloud, as)).Roles?.length, 1);
  const { Arn } = await cloud.client(STSClient, as).send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, AssumedRoleUser.Arn);
  assert.equal(
    await refusal(cloud.client(IAMClient, as).send(new ListUsersCommand({}))),
    `AccessDenied 403 User: ${Arn} is not authorized to perform: iam:ListUsers on resource: arn:aws:iam::000000000000:user/ because no identity-based policy allows the iam:ListUsers action`,
  );
  await cloud.advance(901_000);
  assert.equal(
    await refusal(list(cloud, as)),
    "ExpiredToken 403 The security token included in the request is expired",
  );
});

test("a session's key is nobody's without its token, or with another", async () => {
  await using cloud = await startCloud();
  const as = await session(cloud, await withRole(cloud, trust(ALICE)));
  const { sessionToken, ...bare } = as;
  assert.match(await refusal(list(cloud, bare)), /^InvalidClientTokenId 403/);
  const other = { ...as, sessionToken: `${sessionToken!.slice(1)}x` };
  assert.match(await refusal(list(cloud, other)), /^InvalidClientTokenId 403/);
});

describe("who may assume a role", () => {
  const may = policy(allow("sts:AssumeRole"));
  const cases: [string, string, string | undefined, string | undefined][] = [
    ["trusts the user", trust(ALICE), undefined, undefined],
    ["trusts the account, and the user may", trust(ACCOUNT), may, undefined],
    [
      "trusts the account only",
      trust(ACCOUNT),
      undefined,
      " because no identity-based policy allows the sts:AssumeRole action",
    ],
    [
      "trusts another, though the user may",
      trust({ AWS: "222222222222" }),
      may,
      " because no role trust policy allows the sts:AssumeRole action",
    ],
    [
      "trusts a service",
      trust({ Service: "lambda.amazonaws.com" }),
      may,
      " because no role trust policy allows the sts:AssumeRole action",
    ],
    [
      "denies what it trusts",
      policy(
        { Effect: "Allow", Action: "sts:AssumeRole", Principal: ALICE },
        { Effect: "Deny", Action: "sts:AssumeRole", Principal: "*" },
      ),
      may,
      " with an explicit deny in the role trust policy",
    ],
    [
      "wants another external id",
      trust(ALICE, { Condition: { StringEquals: { "sts:ExternalId": "x1" } } }),
      may,
      " because no role trust policy allows the sts:AssumeRole action",
    ],
    [
      "wants this external id",
      trust(ALICE, { Condition: { StringEquals: { "sts:ExternalId": "y1" } } }),
      may,
      undefined,
    ],
    [
      "wants this session name",
      trust(ALICE, { Condition: { StringLike: { "sts:RoleSessionName": "o*" } } }),
      may,
      undefined,
    ],
  ];
  for (const [name, trusting, allowed, denied] of cases)
    test(`the role ${name}: ${denied === undefined ? "allowed" : "denied"}`, async () => {
      await using cloud = await startCloud();
      const alice = await withRole(cloud, trusting, allowed);
      const asked = assume(cloud, alice, { ExternalId: "y1" });
      if (denied === undefined) await asked;
      else assert.equal(await refusal(asked), DENIED("sts:AssumeRole") + denied);
    });

  test("root may not, and nobody one that is not there", async () => {
    await using cloud = await startCloud();
    await withRole(cloud, trust(ACCOUNT));
    const root = { accessKeyId: "test", secretAccessKey: "test" };
    assert.equal(await refusal(assume(cloud, root)), "AccessDenied 403 Roles may not be assumed by root accounts.");
    const bob = await userWith(cloud, "bob", { may });
    assert.match(await refusal(assume(cloud, bob, { RoleArn: `${ARN}s` })), /^AccessDenied 403/);
  });

  test("a user of another account needs the trust of the role and its own account's leave", async () => {
    await using cloud = await startCloud();
    const theirs = cloud.client(IAMClient, { accessKeyId: "111111111111", secretAccessKey: "test" });
    const AssumeRolePolicyDocument = trust({ AWS: "000000000000" });
    await theirs.send(new CreateRoleCommand({ RoleName: "theirs", AssumeRolePolicyDocument }));
    const RoleArn = "arn:aws:iam::111111111111:role/theirs";
    const bob = await userWith(cloud, "bob", { may });
    const { Account } = await cloud
      .client(STSClient, await session(cloud, bob, { RoleArn }))
      .send(new GetCallerIdentityCommand({}));
    assert.equal(Account, "111111111111");
    assert.match(await refusal(assume(cloud, await userWith(cloud, "carol"), { RoleArn })), /no identity-based policy/);
  });
});

test("AssumeRole refuses what is not right", async () => {
  await using cloud = await startCloud();
  const alice = await withRole(cloud, trust(ALICE, { Action: ["sts:AssumeRole", "sts:TagSession"] }));
  const tag = (Key: string) => ({ Key, Value: "v" });
  const cases: [Partial<AssumeRoleCommandInput>, string][] = [
    [{ RoleArn: "nothing-valid-in-here" }, "ValidationError 400 nothing-valid-in-here is invalid"],
    [{ RoleArn: "arn:a:a::aaaaaaaaaa:" }, "ValidationError 400 arn:a:a::aaaaaaaaaa: is invalid"],
    [
      { RoleSessionName: "Session1:2" },
      "ValidationError 400 1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    ],
    [
      { DurationSeconds: 7200 },
      "ValidationError 400 The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    ],
    [{ Policy: "{" }, "MalformedPolicyDocument 400 Syntax errors in policy."],
    [
      { Policy: policy(allow(Array(150).fill("s3:GetObject"))) },
      "PackedPolicyTooLarge 400 Packed policy consumes 114% of allotted space, please use smaller policy.",
    ],
    [
      { Tags: [tag("a"), tag("A")] },
      "InvalidParameterValue 400 Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    ],
    [
      { Tags: [tag("a")], TransitiveTagKeys: ["b"] },
      "InvalidParameterValue 400 The specified transitive tag key must be included in the requested tags.",
    ],
    [
      { Tags: [tag("a")], TransitiveTagKeys: ["a"] },
      "NotImplemented 501 aws-like does not implement AssumeRole's TransitiveTagKeys yet.",
    ],
    [{ SourceIdentity: "me" }, "NotImplemented 501 aws-like does not implement AssumeRole's SourceIdentity yet."],
  ];
  for (const [more, expected] of cases) assert.equal(await refusal(assume(cloud, alice, more)), expected);
});

test("session policies limit what the role allows", async () => {
  await using cloud = await startCloud();
  const alice = await withRole(cloud, trust(ALICE));
  const nothing = await session(cloud, alice, { Policy: policy(allow("s3:*")) });
  assert.match(await refusal(list(cloud, nothing)), / because no session policy allows the iam:ListRoles action$/);
  await list(cloud, await session(cloud, alice, { Policy: policy(allow("iam:*")) }));
  const managed = (name: string) => ({ PolicyArns: [{ arn: `arn:aws:iam::aws:policy/${name}` }] });
  await list(cloud, await session(cloud, alice, managed("IAMReadOnlyAccess")));
  await assert.rejects(list(cloud, await session(cloud, alice, managed("AmazonS3ReadOnlyAccess"))));
  const { PackedPolicySize } = await assume(cloud, alice, { Policy: policy(allow("iam:*")) });
  assert.equal(PackedPolicySize, 5);
});

test("tags of the role and of the session are the principal's", async () => {
  await using cloud = await startCloud();
  const tagging = { Action: ["sts:AssumeRole", "sts:TagSession"] };
  const alice = await withRole(cloud, trust(ALICE, tagging));
  const Condition = { StringEquals: { "aws:PrincipalTag/team": "red" } };
  await cloud.client(IAMClient).send(
    new PutRolePolicyCommand({
      RoleName: "reader",
      PolicyName: "list",
      PolicyDocument: policy(allow("iam:ListRoles", { Condition })),
    }),
  );
  await assert.rejects(list(cloud, await session(cloud, alice)));
  await list(cloud, await session(cloud, alice, { Tags: [{ Key: "team", Value: "red" }] }));
  await cloud
    .client(IAMClient)
    .send(new UpdateAssumeRolePolicyCommand({ RoleName: "reader", PolicyDocument: trust(ALICE) }));
  const untold = await refusal(assume(cloud, alice, { Tags: [{ Key: "team", Value: "red" }] }));
  assert.equal(untold, `${DENIED("sts:TagSession")} because no role trust policy allows the sts:TagSession action`);
});

test("a role assumed by a role lasts an hour at most", async () => {
  await using cloud = await startCloud();
  const alice = await withRole(cloud, trust({ AWS: [ALICE.AWS, ARN] }));
  const first = await session(cloud, alice);
  await session(cloud, first, { RoleSessionName: "two" });
  assert.match(
    await refusal(assume(cloud, first, { DurationSeconds: 3601 })),
    /1 hour session limit for roles assumed by role chaining/,
  );
});

test("a change of the role's policies is a change of its sessions, and a role made again is another", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const as = await session(cloud, await withRole(cloud, trust(ALICE)));
  await iam.send(new DeleteRolePolicyCommand({ RoleName: "reader", PolicyName: "list" }));
  await assert.rejects(list(cloud, as));
  const PolicyArn = "arn:aws:iam::aws:policy/AdministratorAccess";
  await iam.send(new AttachRolePolicyCommand({ RoleName: "reader", PolicyArn }));
  await list(cloud, as);

  await iam.send(new DetachRolePolicyCommand({ RoleName: "reader", PolicyArn }));
  await iam.send(new DeleteRoleCommand({ RoleName: "reader" }));
  await iam.send(new CreateRoleCommand({ RoleName: "reader", AssumeRolePolicyDocument: trust(ALICE) }));
  await iam.send(new AttachRolePolicyCommand({ RoleName: "reader", PolicyArn }));
  await assert.rejects(list(cloud, as));
});

test("GetSessionToken gives a user credentials that end", async () => {
  await using cloud = await startCloud();
  const alice = await userWith(cloud, "alice", { may: policy(allow("iam:ListRoles")) });
  const { Credentials } = await cloud
    .client(STSClient, alice)
    .send(new GetSessionTokenCommand({ DurationSeconds: 900 }));
  const as = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  await list(cloud, as);
  const { Arn } = await cloud.client(STSClient, as).send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, "arn:aws:iam::000000000000:user/alice");
  await cloud.advance(901_000);
  assert.match(await refusal(list(cloud, as)), /^ExpiredToken 403/);
  const role = await session(cloud, await withRoleOf(cloud));
  assert.equal(
    await refusal(cloud.client(STSClient, role).send(new GetSessionTokenCommand({}))),
    "AccessDenied 403 Cannot call GetSessionToken with session credentials",
  );
});

async function withRoleOf(cloud: TestCloud): Promise<Key> {
  const bob = await userWith(cloud, "bob");
  const AssumeRolePolicyDocument = trust({ AWS: "arn:aws:iam::000000000000:user/bob" });
  await cloud.client(IAMClient).send(new CreateRoleCommand({ RoleName: "reader", AssumeRolePolicyDocument }));
  return bob;
}

test("sessions survive a restart", async () => {
  await using cloud = await startCloud();
  const as = await session(cloud, await withRole(cloud, trust(ALICE)));
  await cloud.aws.closedFor(async () => undefined);
  assert.equal((await list(cloud, as)).Roles?.length, 1);
});
