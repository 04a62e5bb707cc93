import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  CreateVirtualMFADeviceCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  EnableMFADeviceCommand,
  IAMClient,
  ListRolesCommand,
  ListUsersCommand,
  PutRolePolicyCommand,
  SetDefaultPolicyVersionCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, ListQueuesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  type Credentials,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetFederationTokenCommand,
  type GetFederationTokenCommandInput,
  GetSessionTokenCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { type Key, startCloud, type TestCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, trust, userWith } from "../../../test/principals.ts";
import { codeOf, enablingCodes } from "../../../test/totp.ts";

const ACCOUNT = { AWS: "arn:aws:iam::000000000000:root" };
const ALICE = { AWS: "arn:aws:iam::000000000000:user/alice" };
const ARN = "arn:aws:iam::000000000000:role/reader";
const DENIED = (action: string) =>
  `AccessDenied 403 User: arn:aws:iam::000000000000:user/alice is not authorized to perform: ${action} on resource: ${ARN}`;

/** A role `reader` that may list roles, and alice, who may do what `may` says. */
async function withRole(cloud: TestCloud, trusting: string, may?: string): Promise<Key> {
  const iam = cloud.client(IAMClient);
  const alice = await userWith(cloud, "alice", { may });
  // A trust policy may name the role itself only when that is there.
  await iam.send(new CreateRoleCommand({ RoleName: "reader", AssumeRolePolicyDocument: trust(ACCOUNT) }));
  await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "reader", PolicyDocument: trusting }));
  const PolicyDocument = policy(allow("iam:ListRoles"));
  await iam.send(new PutRolePolicyCommand({ RoleName: "reader", PolicyName: "list", PolicyDocument }));
  return alice;
}

function assume(cloud: TestCloud, as: Key, more: Partial<AssumeRoleCommandInput> = {}) {
  const input = { RoleArn: ARN, RoleSessionName: "one", ...more };
  return cloud.client(STSClient, as).send(new AssumeRoleCommand(input));
}

async function session(cloud: TestCloud, as: Key, more: Partial<AssumeRoleCommandInput> = {}): Promise<Key> {
  return keyOf((await assume(cloud, as, more)).Credentials);
}

const keyOf = (credentials: Credentials | undefined): Key => ({
  accessKeyId: credentials!.AccessKeyId!,
  secretAccessKey: credentials!.SecretAccessKey!,
  sessionToken: credentials!.SessionToken!,
});
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

test("a session of a role that is gone is let in nowhere, not even where a policy names the role", async () => {
  await using cloud = await startCloud();
  const alice = await withRole(cloud, trust(ALICE));
  const as = await session(cloud, alice);
  const Policy = policy(allow("sqs:ReceiveMessage", { Principal: { AWS: ARN } }));
  const { QueueUrl } = await cloud
    .client(SQSClient)
    .send(new CreateQueueCommand({ QueueName: "q", Attributes: { Policy } }));
  const receive = () => cloud.client(SQSClient, as).send(new ReceiveMessageCommand({ QueueUrl }));
  await receive();
  const iam = cloud.client(IAMClient);
  await iam.send(new DeleteRolePolicyCommand({ RoleName: "reader", PolicyName: "list" }));
  await iam.send(new DeleteRoleCommand({ RoleName: "reader" }));
  assert.match(await refusal(receive()), /no identity-based policy allows the sqs:receivemessage action$/);
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

  test("nobody one by a name that is no role's ARN: its trust policy would not be asked", async () => {
    await using cloud = await startCloud();
    const alice = await withRole(cloud, trust({ Service: "lambda.amazonaws.com" }), may);
    for (const RoleArn of [
      "arn:aws:sts::000000000000:assumed-role/reader",
      "arn:aws:sqs:us-east-1:000000000000:x/reader",
      "arn:aws:IAM::000000000000:role/reader",
      "arn:aws:iam:us-east-1:000000000000:role/reader",
      "arn:aws:iam::000000000000:role/x/reader",
      "arn:aws:iam::000000000000:role/READER",
      "arn:aws:iam::000000000000:user/reader",
    ])
      assert.equal(
        await refusal(assume(cloud, alice, { RoleArn })),
        `AccessDenied 403 User: arn:aws:iam::000000000000:user/alice is not authorized to perform: sts:AssumeRole on resource: ${RoleArn} because no role trust policy allows the sts:AssumeRole action`,
      );
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
      "ValidationError 400 1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048",
    ],
    [
      { PolicyArns: Array.from({ length: 11 }, (_, at) => ({ arn: `arn:aws:iam::aws:policy/p${at}` })) },
      "ValidationError 400 1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10",
    ],
    [
      { PolicyArns: [{ arn: "arn:aws:iam::aws:policy/nowhere" }] },
      "ValidationError 400 arn:aws:iam::aws:policy/nowhere is invalid",
    ],
    [
      { Tags: [tag("a"), tag("A")] },
      "InvalidParameterValue 400 Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    ],
    [
      { Tags: [tag("a")], TransitiveTagKeys: ["b"] },
      "InvalidParameterValue 400 The specified transitive tag key must be included in the requested tags.",
    ],
    [{ Tags: [tag("aws:a")] }, "InvalidParameterValue 400 Tag keys beginning with aws: are reserved: aws:a"],
    [
      { SourceIdentity: "aws.me" },
      `${DENIED("sts:SetSourceIdentity")} because no role trust policy allows the sts:SetSourceIdentity action`,
    ],
    [
      { SerialNumber: "arn:aws:iam::000000000000:mfa/alice" },
      "AccessDenied 403 MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
    ],
    [
      { SerialNumber: "arn:aws:iam::000000000000:mfa/alice", TokenCode: "123456" },
      "AccessDenied 403 MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    ],
    [
      { MinimumSessionTokenSize: 4097 },
      "ValidationError 400 MinimumSessionTokenSize must be between 0 and 4096, but was 4097",
    ],
    [
      {
        ProvidedContexts: [
          { ProviderArn: "arn:aws:iam::aws:contextProvider/IdentityCenter", ContextAssertion: "assertion" },
        ],
      },
      "NotImplemented 501 aws-like does not implement AssumeRole's ProvidedContexts yet.",
    ],
  ];
  for (const [more, expected] of cases) assert.equal(await refusal(assume(cloud, alice, more)), expected);
  const Tags = Array.from({ length: 50 }, (_, at) => ({
    Key: `${at}`,
    Value: createHash("sha512").update(`${at}`).digest("hex"),
  }));
  assert.match(
    await refusal(assume(cloud, alice, { Tags })),
    /^PackedPolicyTooLarge 400 Packed policy consumes 1\d\d% of allotted space, please use smaller policy\.$/,
  );
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

test("GetSessionToken gives a user credentials that end, are strange to IAM without a code, and give no others", async () => {
  await using cloud = await startCloud();
  const alice = await withRole(cloud, trust(ALICE), policy(allow(["iam:ListRoles", "s3:ListAllMyBuckets", "sts:*"])));
  const sts = cloud.client(STSClient, alice);
  const as = keyOf((await sts.send(new GetSessionTokenCommand({ DurationSeconds: 900 }))).Credentials);
  const { Arn } = await cloud.client(STSClient, as).send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, "arn:aws:iam::000000000000:user/alice");
  await cloud.client(S3Client, as).send(new ListBucketsCommand({}));
  assert.equal(
    await refusal(list(cloud, as)),
    "InvalidClientTokenId 403 The security token included in the request is invalid.",
  );
  const only = cloud.client(STSClient, as);
  const no = (operation: string) => `AccessDenied 403 Cannot call ${operation} with session credentials`;
  assert.equal(await refusal(only.send(new GetSessionTokenCommand({}))), no("GetSessionToken"));
  assert.equal(await refusal(only.send(new GetFederationTokenCommand({ Name: "bo" }))), no("GetFederationToken"));
  const AccessKeyId = alice.accessKeyId;
  assert.equal(await refusal(only.send(new GetAccessKeyInfoCommand({ AccessKeyId }))), no("GetAccessKeyInfo"));
  const role = await session(cloud, as);
  assert.equal((await list(cloud, role)).Roles?.length, 1);
  assert.equal(
    await refusal(cloud.client(STSClient, role).send(new GetSessionTokenCommand({}))),
    no("GetSessionToken"),
  );
  await cloud.advance(901_000);
  assert.match(await refusal(only.send(new GetCallerIdentityCommand({}))), /^ExpiredToken 403/);
  const wrong = sts.send(new GetSessionTokenCommand({ SerialNumber: "GAHT12345678", TokenCode: "000000" }));
  assert.match(await refusal(wrong), /^AccessDenied 403 MultiFactorAuthentication failed/);
});

test("root's own temporary credentials are root's, for an hour at most", async () => {
  await using cloud = await startCloud();
  const sts = cloud.client(STSClient);
  const { Credentials: given } = await sts.send(new GetSessionTokenCommand({ DurationSeconds: 7200 }));
  assert.ok(given!.Expiration!.getTime() <= cloud.aws.now() + 3_600_000);
  await cloud.client(S3Client, keyOf(given)).send(new ListBucketsCommand({}));
  assert.match(await refusal(list(cloud, keyOf(given))), /^InvalidClientTokenId 403/);
});

test("a federated user may what both his user and his session policies allow; root's, what these allow", async () => {
  await using cloud = await startCloud();
  const alice = await userWith(cloud, "alice", {
    may: policy(allow(["s3:ListAllMyBuckets", "sts:GetFederationToken", "sts:TagSession"])),
  });
  const federated = async (as: Key | undefined, Policy: string, more: Partial<GetFederationTokenCommandInput> = {}) =>
    keyOf(
      (await cloud.client(STSClient, as).send(new GetFederationTokenCommand({ Name: "bob", Policy, ...more })))
        .Credentials,
    );
  const buckets = (as: Key) => cloud.client(S3Client, as).send(new ListBucketsCommand({}));
  await buckets(await federated(alice, policy(allow("s3:*"))));
  assert.match(
    await refusal(buckets(await federated(alice, policy(allow("sqs:*"))))),
    /because no session policy allows/,
  );
  const queues = (as: Key) => cloud.client(SQSClient, as).send(new ListQueuesCommand({}));
  assert.match(await refusal(queues(await federated(alice, policy(allow("*"))))), /no identity-based policy allows/);
  await queues(await federated(undefined, policy(allow("sqs:*")), { DurationSeconds: 7200 }));
  assert.match(await refusal(buckets(await federated(undefined, policy(allow("sqs:*"))))), /no session policy allows/);
  const tagged = policy(allow("s3:*", { Condition: { StringEquals: { "aws:PrincipalTag/team": "red" } } }));
  await buckets(await federated(alice, tagged, { Tags: [{ Key: "team", Value: "red" }] }));
  await assert.rejects(buckets(await federated(alice, tagged, { Tags: [{ Key: "team", Value: "blue" }] })));
});

test("a multi-factor code is in the request for a role, in its session, and opens IAM to a session token", async () => {
  await using cloud = await startCloud();
  const Condition = { Bool: { "aws:MultiFactorAuthPresent": "true" } };
  const alice = await withRole(cloud, trust(ALICE, { Condition }), policy(allow("iam:ListRoles")));
  const iam = cloud.client(IAMClient);
  const made = await iam.send(new CreateVirtualMFADeviceCommand({ VirtualMFADeviceName: "alice" }));
  const SerialNumber = made.VirtualMFADevice!.SerialNumber!;
  const seed = made.VirtualMFADevice!.Base32StringSeed!;
  await iam.send(new EnableMFADeviceCommand({ UserName: "alice", SerialNumber, ...enablingCodes(seed) }));
  assert.equal(
    await refusal(assume(cloud, alice)),
    `${DENIED("sts:AssumeRole")} because no role trust policy allows the sts:AssumeRole action`,
  );
  const PolicyDocument = policy(allow("iam:ListRoles", { Condition }));
  await iam.send(new PutRolePolicyCommand({ RoleName: "reader", PolicyName: "list", PolicyDocument }));
  const withCode = { SerialNumber, TokenCode: codeOf(seed, 0) };
  await list(cloud, await session(cloud, alice, withCode));
  assert.match(await refusal(assume(cloud, alice, withCode)), /^AccessDenied 403 MultiFactorAuthentication failed/);
  const sts = cloud.client(STSClient, alice);
  const { Credentials: given } = await sts.send(
    new GetSessionTokenCommand({ SerialNumber, TokenCode: codeOf(seed, 1) }),
  );
  await list(cloud, keyOf(given));
  await assume(cloud, keyOf(given));
});

test("GetFederationToken names a federated user, who asks IAM and STS for nothing but who he is", async () => {
  await using cloud = await startCloud();
  const alice = await userWith(cloud, "alice", { may: policy(allow(["s3:*", "iam:*", "sts:GetFederationToken"])) });
  const sts = cloud.client(STSClient, alice);
  const answer = await sts.send(
    new GetFederationTokenCommand({ Name: "bob", Policy: policy(allow("s3:ListAllMyBuckets")) }),
  );
  assert.deepEqual(answer.FederatedUser, {
    Arn: "arn:aws:sts::000000000000:federated-user/bob",
    FederatedUserId: "000000000000:bob",
  });
  const bob = keyOf(answer.Credentials);
  const { Account, Arn, UserId } = await cloud.client(STSClient, bob).send(new GetCallerIdentityCommand({}));
  assert.deepEqual(
    [Account, Arn, UserId],
    ["000000000000", "arn:aws:sts::000000000000:federated-user/bob", "000000000000:bob"],
  );
  assert.match(await refusal(list(cloud, bob)), /^InvalidClientTokenId 403/);
  const other = cloud.client(STSClient, bob);
  const no = (operation: string) => `AccessDenied 403 Cannot call ${operation} with session credentials`;
  assert.equal(await refusal(other.send(new GetFederationTokenCommand({ Name: "eve" }))), no("GetFederationToken"));
  assert.equal(await refusal(assume(cloud, bob)), no("AssumeRole"));
  // A plain token has no permissions of its own.
  const plain = await sts.send(new GetFederationTokenCommand({ Name: "bob" }));
  assert.equal(plain.PackedPolicySize, 0);
  assert.match(
    await refusal(cloud.client(S3Client, keyOf(plain.Credentials)).send(new ListBucketsCommand({}))),
    /^AccessDenied 403/,
  );
  const carol = await userWith(cloud, "carol");
  assert.equal(
    await refusal(cloud.client(STSClient, carol).send(new GetFederationTokenCommand({ Name: "bob" }))),
    "AccessDenied 403 User: arn:aws:iam::000000000000:user/carol is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::000000000000:federated-user/bob because no identity-based policy allows the sts:GetFederationToken action",
  );
  const tagged = sts.send(new GetFederationTokenCommand({ Name: "bob", Tags: [{ Key: "a", Value: "b" }] }));
  assert.match(await refusal(tagged), /sts:TagSession/);
});

test("sessions survive a restart, and nothing of them is in the store", async () => {
  await using cloud = await startCloud();
  const as = await session(cloud, await withRole(cloud, trust(ALICE)));
  await cloud.aws.closedFor(async () => undefined);
  assert.equal((await list(cloud, as)).Roles?.length, 1);
});

test("a token of another workspace, of another key or changed in any place is no token", async () => {
  await using cloud = await startCloud();
  await using elsewhere = await startCloud();
  const alice = await withRole(cloud, trust(ALICE));
  const [as, other] = [await session(cloud, alice), await session(cloud, alice)];
  const theirs = await session(elsewhere, await withRole(elsewhere, trust(ALICE)));
  await list(cloud, as);
  const bad = [
    theirs,
    { ...as, sessionToken: other.sessionToken! },
    { ...other, sessionToken: as.sessionToken! },
    ...[0, 8, 20, 40, 200, as.sessionToken!.length - 1].map((at) => ({
      ...as,
      sessionToken: changed(as.sessionToken!, at),
    })),
    { ...as, sessionToken: as.sessionToken!.slice(0, -4) },
    { ...as, sessionToken: "x" },
  ];
  for (const key of bad) assert.match(await refusal(list(cloud, key)), /^InvalidClientTokenId 403/);
  assert.match(await refusal(cloud.client(S3Client, theirs).send(new ListBucketsCommand({}))), /^InvalidToken 400/);
  await list(cloud, as);
});

const changed = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);

test("a token is as long as it was asked to be, and says how much of the room it takes", async () => {
  await using cloud = await startCloud();
  const alice = await withRole(cloud, trust(ALICE));
  const small = await assume(cloud, alice);
  assert.ok(small.Credentials!.SessionToken!.length >= 356);
  const large = await assume(cloud, alice, { MinimumSessionTokenSize: 3000 });
  const { length } = large.Credentials!.SessionToken!;
  assert.ok(length >= 3000 && length < 3010, `${length}`);
  assert.equal(large.SessionTokenSize, length);
  assert.equal(large.SessionTokenUtilization, 74);
  await list(cloud, keyOf(large.Credentials));
});

test("the packed size of AWS's documented example is AWS's", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const alice = await withRole(cloud, trust(ALICE, { Action: ["sts:AssumeRole", "sts:TagSession"] }));
  const PolicyArns: { arn: string }[] = [];
  for (const PolicyName of ["demopolicy1", "demopolicy2"]) {
    const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName, PolicyDocument: policy(allow("s3:*")) }));
    PolicyArns.push({ arn: Policy!.Arn! });
  }
  const Tags = Object.entries({ Project: "Pegasus", Team: "Engineering", "Cost-Center": "12345" });
  const { PackedPolicySize } = await assume(cloud, alice, {
    Policy: '{"Version":"2012-10-17","Statement":[{"Sid":"Stmt1","Effect":"Allow","Action":"s3:*","Resource":"*"}]}',
    PolicyArns,
    Tags: Tags.map(([Key, Value]) => ({ Key, Value })),
  });
  assert.equal(PackedPolicySize, 8);
});

test("a managed session policy counts as it is when the credentials are used, and allows nothing when it is gone", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const alice = await withRole(cloud, trust(ALICE));
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: "limits", PolicyDocument: policy(allow("iam:ListRoles")) }),
  );
  const PolicyArn = Policy!.Arn!;
  const as = await session(cloud, alice, { PolicyArns: [{ arn: PolicyArn }] });
  await list(cloud, as);
  const PolicyDocument = policy(allow("iam:ListUsers"));
  await iam.send(new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument, SetAsDefault: true }));
  assert.match(await refusal(list(cloud, as)), /no session policy allows/);
  await iam.send(new SetDefaultPolicyVersionCommand({ PolicyArn, VersionId: "v1" }));
  await list(cloud, as);
  await iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId: "v2" }));
  await iam.send(new DeletePolicyCommand({ PolicyArn }));
  assert.match(await refusal(list(cloud, as)), /no session policy allows/);
});

test("transitive tags and the source identity go on through all that is assumed from there", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const Action = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
  const alice = await withRole(cloud, trust({ AWS: [ALICE.AWS, ARN] }, { Action }));
  const Tags = [
    { Key: "Team", Value: "red" },
    { Key: "once", Value: "only" },
  ];
  const first = await session(cloud, alice, { Tags, TransitiveTagKeys: ["Team"], SourceIdentity: "alice" });
  const answer = await assume(cloud, first, { RoleSessionName: "two" });
  assert.equal(answer.SourceIdentity, "alice");
  const second = keyOf(answer.Credentials);
  const conflict =
    "InvalidParameterValue 400 One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.";
  for (const [more, expected] of [
    [{ Tags: [{ Key: "team", Value: "blue" }] }, conflict],
    [
      { SourceIdentity: "bob" },
      "AccessDenied 403 The source identity of the calling session is alice and cannot be changed.",
    ],
  ] as const)
    assert.equal(await refusal(assume(cloud, second, more as Partial<AssumeRoleCommandInput>)), expected);
  await assume(cloud, second, { SourceIdentity: "alice", Tags: [{ Key: "once", Value: "again" }] });
  // What is handed on is demanded of the next role too.
  for (const left of ["sts:TagSession", "sts:SetSourceIdentity"]) {
    const PolicyDocument = trust({ AWS: [ARN] }, { Action: Action.filter((one) => one !== left) });
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "reader", PolicyDocument }));
    assert.match(await refusal(assume(cloud, second)), new RegExp(`no role trust policy allows the ${left} action$`));
  }
  const wanting = {
    StringEquals: { "sts:SourceIdentity": "alice" },
    "ForAllValues:StringEquals": { "sts:TransitiveTagKeys": ["Team"] },
  };
  const PolicyDocument = trust(ALICE, { Action, Condition: wanting });
  await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "reader", PolicyDocument }));
  await assume(cloud, alice, { Tags, TransitiveTagKeys: ["Team"], SourceIdentity: "alice" });
  await assert.rejects(assume(cloud, alice, { Tags, TransitiveTagKeys: ["once"], SourceIdentity: "alice" }));
  await assert.rejects(assume(cloud, alice, { Tags, TransitiveTagKeys: ["Team"], SourceIdentity: "bob" }));
});
