import assert from "node:assert/strict";
import { test } from "node:test";
import * as sdk from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { allow, LAMBDA, policy, refusal, userWith } from "../../../test/principals.ts";
import { enablingCodes } from "../../../test/totp.ts";

const ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess";
const OTHER = { accessKeyId: "111111111111", secretAccessKey: "test" };
const HOUR_MS = 3600_000;

test("an account has one alias, which is nobody else's", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const create = (AccountAlias: string, by = iam) => by.send(new sdk.CreateAccountAliasCommand({ AccountAlias }));
  const remove = (AccountAlias: string, by = iam) => by.send(new sdk.DeleteAccountAliasCommand({ AccountAlias }));
  const list = async () => (await iam.send(new sdk.ListAccountAliasesCommand({}))).AccountAliases;
  const other = cloud.client(sdk.IAMClient, OTHER);
  assert.deepEqual(await list(), []);
  await create("first");
  await create("second");
  assert.deepEqual(await list(), ["second"]);
  await create("first", other);
  for (const [by, alias] of [
    [iam, "first"],
    [iam, "second"],
  ] as const)
    assert.equal(
      await refusal(create(alias, by)),
      `EntityAlreadyExists 409 The account alias ${alias} already exists.`,
    );
  assert.equal(await refusal(remove("first")), "NoSuchEntity 404 The account alias first cannot be found.");
  await remove("second");
  assert.deepEqual(await list(), []);
  assert.match(
    await refusal(create("No--alias")),
    /^ValidationError 400 .* 'accountAlias' failed to satisfy constraint/,
  );
});

test("the summary counts what there is, of this account", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const other = cloud.client(sdk.IAMClient, OTHER);
  const summary = async () => (await iam.send(new sdk.GetAccountSummaryCommand({}))).SummaryMap!;
  const before = await summary();
  await other.send(new sdk.CreateUserCommand({ UserName: "x" }));
  assert.deepEqual(await summary(), before);
  await iam.send(new sdk.CreateUserCommand({ UserName: "u" }));
  await iam.send(new sdk.CreateGroupCommand({ GroupName: "g" }));
  await iam.send(new sdk.CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument: LAMBDA }));
  const made = await iam.send(new sdk.CreatePolicyCommand({ PolicyName: "p", PolicyDocument: policy(allow("s3:*")) }));
  const version = { PolicyArn: made.Policy?.Arn, PolicyDocument: policy(allow("*")) };
  await iam.send(new sdk.CreatePolicyVersionCommand(version));
  const { VirtualMFADevice: device } = await iam.send(
    new sdk.CreateVirtualMFADeviceCommand({ VirtualMFADeviceName: "d" }),
  );
  const codes = enablingCodes(device!.Base32StringSeed!);
  await iam.send(new sdk.EnableMFADeviceCommand({ UserName: "u", SerialNumber: device!.SerialNumber, ...codes }));
  const added = {
    Users: 1,
    Groups: 1,
    Roles: 1,
    Policies: 1,
    PolicyVersionsInUse: 2,
    MFADevices: 1,
    MFADevicesInUse: 1,
  };
  assert.deepEqual(await summary(), { ...before, ...added });
  const { UsersQuota, GroupPolicySizeQuota, AttachedPoliciesPerUserQuota, InstanceProfiles, Providers } = before;
  assert.deepEqual(
    [UsersQuota, GroupPolicySizeQuota, AttachedPoliciesPerUserQuota, InstanceProfiles, Providers],
    [5000, 5120, 10, 0, 0],
  );
});

test("the credential report takes a moment, and is good for four hours", async () => {
  await using cloud = await startCloud();
  await cloud.aws.clock({ freeze: Date.parse("2030-01-02T03:04:05Z") });
  const iam = cloud.client(sdk.IAMClient);
  const generate = async () => (await iam.send(new sdk.GenerateCredentialReportCommand({}))).State;
  const get = () => iam.send(new sdk.GetCredentialReportCommand({}));
  assert.match(await refusal(get()), /^ReportNotPresent 410 /);
  await userWith(cloud, "a,b");
  const alice = { UserName: "alice" };
  const key = await userWith(cloud, "alice", { may: policy(allow("iam:GetUser")) });
  await cloud.client(sdk.IAMClient, key).send(new sdk.GetUserCommand({}));
  await iam.send(new sdk.UpdateAccountPasswordPolicyCommand({ MaxPasswordAge: 10 }));
  await iam.send(new sdk.CreateLoginProfileCommand({ ...alice, Password: "password" }));
  assert.equal(await generate(), "STARTED");
  assert.equal(await generate(), "INPROGRESS");
  assert.match(await refusal(get()), /^ReportInProgress 404 /);
  await cloud.advance(2_000);
  assert.equal(await generate(), "COMPLETE");
  const { Content, ReportFormat, GeneratedTime } = await get();
  assert.deepEqual([ReportFormat, GeneratedTime?.toISOString()], ["text/csv", "2030-01-02T03:04:07.000Z"]);
  const now = "2030-01-02T03:04:05+00:00";
  assert.deepEqual(Buffer.from(Content!).toString().split("\n"), [
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated",
    "<root_account>,arn:aws:iam::000000000000:root,no_information,not_supported,no_information,not_supported,not_supported,false,true,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
    `"a,b","arn:aws:iam::000000000000:user/a,b",${now},false,N/A,N/A,N/A,false,true,${now},N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A`,
    `alice,arn:aws:iam::000000000000:user/alice,${now},true,no_information,${now},2030-01-12T03:04:05+00:00,false,true,${now},${now},us-east-1,iam,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A`,
  ]);
  await cloud.advance(4 * HOUR_MS);
  assert.match(await refusal(get()), /^ReportExpired 410 /);
  assert.equal(await generate(), "STARTED");
});

test("the authorization details say who there is and what each may do, in pages and by kind", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const PolicyDocument = policy(allow("s3:GetObject"));
  const { Policy } = await iam.send(
    new sdk.CreatePolicyCommand({ PolicyName: "own", PolicyDocument, Description: "d" }),
  );
  const own = { PolicyArn: Policy!.Arn! };
  await iam.send(new sdk.CreatePolicyVersionCommand({ ...own, PolicyDocument, SetAsDefault: true }));
  await iam.send(
    new sdk.CreateUserCommand({ UserName: "alice", Tags: [{ Key: "k", Value: "v" }], PermissionsBoundary: ADMIN }),
  );
  await iam.send(new sdk.CreateUserCommand({ UserName: "bob" }));
  await iam.send(new sdk.PutUserPolicyCommand({ UserName: "alice", PolicyName: "p", PolicyDocument }));
  await iam.send(new sdk.AttachUserPolicyCommand({ UserName: "alice", ...own }));
  await iam.send(new sdk.CreateGroupCommand({ GroupName: "devs" }));
  await iam.send(new sdk.AddUserToGroupCommand({ GroupName: "devs", UserName: "alice" }));
  await iam.send(new sdk.PutGroupPolicyCommand({ GroupName: "devs", PolicyName: "q", PolicyDocument }));
  await iam.send(new sdk.CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument: LAMBDA }));
  await iam.send(new sdk.AttachRolePolicyCommand({ RoleName: "r", PolicyArn: ADMIN }));
  await iam.send(new sdk.CreateInstanceProfileCommand({ InstanceProfileName: "i" }));
  await iam.send(new sdk.AddRoleToInstanceProfileCommand({ InstanceProfileName: "i", RoleName: "r" }));
  const details = (input: object) => iam.send(new sdk.GetAccountAuthorizationDetailsCommand(input));

  const all = await details({});
  const inline = { PolicyDocument: encodeURIComponent(PolicyDocument) };
  const [alice, bob] = all.UserDetailList!;
  assert.deepEqual(alice?.UserPolicyList, [{ PolicyName: "p", ...inline }]);
  assert.deepEqual(alice?.AttachedManagedPolicies, [{ PolicyName: "own", ...own }]);
  assert.deepEqual([alice?.GroupList, alice?.Tags], [["devs"], [{ Key: "k", Value: "v" }]]);
  assert.equal(alice?.PermissionsBoundary?.PermissionsBoundaryArn, ADMIN);
  assert.deepEqual([bob?.UserName, bob?.UserPolicyList, bob?.GroupList], ["bob", undefined, []]);
  assert.deepEqual(all.GroupDetailList?.[0]?.GroupPolicyList, [{ PolicyName: "q", ...inline }]);
  const [role] = all.RoleDetailList!;
  assert.equal(role?.AssumeRolePolicyDocument, encodeURIComponent(LAMBDA));
  assert.deepEqual(role?.AttachedManagedPolicies, [{ PolicyName: "AdministratorAccess", PolicyArn: ADMIN }]);
  const [profile] = role?.InstanceProfileList ?? [];
  assert.deepEqual([profile?.InstanceProfileName, profile?.Roles?.[0]?.RoleName], ["i", "r"]);
  const told = all.Policies?.map((one) => [one.PolicyName, one.AttachmentCount, one.PermissionsBoundaryUsageCount]);
  assert.deepEqual(told, [
    ["own", 1, 0],
    ["AdministratorAccess", 1, 1],
  ]);
  const versions = all.Policies?.[0]?.PolicyVersionList?.map((one) => [one.VersionId, one.IsDefaultVersion]);
  assert.deepEqual(versions, [
    ["v2", true],
    ["v1", false],
  ]);
  assert.match(decodeURIComponent(all.Policies![1]!.PolicyVersionList![0]!.Document!), /"Action":\s*"\*"/);

  const paged: sdk.GetAccountAuthorizationDetailsResponse[] = [];
  for await (const page of sdk.paginateGetAccountAuthorizationDetails({ client: iam, pageSize: 2 }, {}))
    paged.push(page);
  assert.equal(paged.length, 3);
  const joined = (key: "UserDetailList" | "GroupDetailList" | "RoleDetailList" | "Policies") =>
    paged.flatMap((page) => page[key] as object[]);
  assert.deepEqual(joined("UserDetailList"), all.UserDetailList);
  assert.deepEqual(joined("GroupDetailList"), all.GroupDetailList);
  assert.deepEqual(joined("RoleDetailList"), all.RoleDetailList);
  assert.deepEqual(new Set(joined("Policies")), new Set(all.Policies));

  const kinds: [sdk.EntityType, number[]][] = [
    ["User", [2, 0, 0, 0]],
    ["Group", [0, 1, 0, 0]],
    ["Role", [0, 0, 1, 0]],
    ["LocalManagedPolicy", [0, 0, 0, 1]],
    ["AWSManagedPolicy", [0, 0, 0, 1]],
  ];
  for (const [kind, counts] of kinds) {
    const { UserDetailList, GroupDetailList, RoleDetailList, Policies } = await details({ Filter: [kind] });
    const lists = [UserDetailList, GroupDetailList, RoleDetailList, Policies];
    assert.deepEqual(
      lists.map((list) => list?.length),
      counts,
      kind,
    );
  }
  assert.equal((await details({ Filter: ["AWSManagedPolicy"] })).Policies?.[0]?.Arn, ADMIN);
});
