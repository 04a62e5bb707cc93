import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  CreateAccountCommand,
  CreateOrganizationalUnitCommand,
  CreateOrganizationCommand,
  DeleteOrganizationalUnitCommand,
  DeleteOrganizationCommand,
  DescribeAccountCommand,
  DescribeCreateAccountStatusCommand,
  DescribeOrganizationalUnitCommand,
  DescribeOrganizationCommand,
  EnablePolicyTypeCommand,
  LeaveOrganizationCommand,
  ListAccountsCommand,
  ListAccountsForParentCommand,
  ListChildrenCommand,
  ListCreateAccountStatusCommand,
  ListOrganizationalUnitsForParentCommand,
  ListParentsCommand,
  ListRootsCommand,
  ListTagsForResourceCommand,
  MoveAccountCommand,
  OrganizationsClient,
  RemoveAccountFromOrganizationCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateOrganizationalUnitCommand,
} from "@aws-sdk/client-organizations";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { startCloud } from "../../../test/cloud.ts";
import { accountOf, organized, rootOf } from "../../../test/organizations.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const DAY = 24 * 3600_000;

test("CreateOrganization makes the caller's account its management account, with a root that uses service control policies", async () => {
  await using cloud = await startCloud({
    accounts: [
      { id: "000000000000", name: "main", email: "main@corp.example", accessKeyId: "m", secretAccessKey: "s" },
    ],
  });
  const client = cloud.client(OrganizationsClient);
  assert.equal(
    await refusal(client.send(new DescribeOrganizationCommand())),
    "AWSOrganizationsNotInUseException 400 Your account is not a member of an organization.",
  );
  const { Organization } = await client.send(new CreateOrganizationCommand());
  assert.match(Organization!.Id!, /^o-[a-z0-9]{10}$/);
  const { Id } = Organization!;
  assert.deepEqual(Organization, {
    Id,
    Arn: `arn:aws:organizations::000000000000:organization/${Id}`,
    FeatureSet: "ALL",
    MasterAccountArn: `arn:aws:organizations::000000000000:account/${Id}/000000000000`,
    MasterAccountId: "000000000000",
    MasterAccountEmail: "main@corp.example",
    AvailablePolicyTypes: [{ Type: "SERVICE_CONTROL_POLICY", Status: "ENABLED" }],
  });
  assert.deepEqual((await client.send(new DescribeOrganizationCommand())).Organization, Organization);
  const { Roots } = await client.send(new ListRootsCommand());
  const root = Roots![0]!.Id!;
  assert.match(root, /^r-[a-z0-9]{4}$/);
  assert.deepEqual(Roots, [
    {
      Id: root,
      Arn: `arn:aws:organizations::000000000000:root/${Id}/${root}`,
      Name: "Root",
      PolicyTypes: [{ Type: "SERVICE_CONTROL_POLICY", Status: "ENABLED" }],
    },
  ]);
  const { Accounts } = await client.send(new ListAccountsCommand());
  assert.equal(Accounts!.length, 1);
  assert.partialDeepStrictEqual(Accounts![0]!, {
    Id: "000000000000",
    Name: "main",
    Status: "ACTIVE",
    State: "ACTIVE",
    JoinedMethod: "INVITED",
    Paths: [`${Id}/${root}/000000000000/`],
  });
  assert.equal(
    await refusal(client.send(new CreateOrganizationCommand())),
    "AlreadyInOrganizationException 400 The AWS account is already a member of an organization.",
  );
  await client.send(new DeleteOrganizationCommand());
  assert.match(await refusal(client.send(new ListAccountsCommand())), /^AWSOrganizationsNotInUseException 400 /);
});

test("an organization for consolidated billing alone has no policies, and closes no account", async () => {
  await using cloud = await startCloud();
  const client = cloud.client(OrganizationsClient);
  const { Organization } = await client.send(new CreateOrganizationCommand({ FeatureSet: "CONSOLIDATED_BILLING" }));
  assert.deepEqual(Organization!.AvailablePolicyTypes, []);
  const RootId = await rootOf(client);
  assert.match(
    await refusal(client.send(new EnablePolicyTypeCommand({ RootId, PolicyType: "SERVICE_CONTROL_POLICY" }))),
    /^PolicyTypeNotAvailableForOrganizationException 400 /,
  );
});

test("CreateAccount: in progress at first, then an account with its root key and a role for the management account", async () => {
  await using cloud = await startCloud();
  const client = cloud.client(OrganizationsClient);
  await client.send(new CreateOrganizationCommand());
  const asked = { AccountName: "dev", Email: "dev@corp.example", Tags: [{ Key: "team", Value: "blue" }] };
  const { CreateAccountStatus } = await client.send(new CreateAccountCommand(asked));
  assert.match(CreateAccountStatus!.Id!, /^car-[a-z0-9]{32}$/);
  assert.equal(CreateAccountStatus!.State, "IN_PROGRESS");
  assert.equal(CreateAccountStatus!.AccountId, undefined);
  await cloud.settle();
  const CreateAccountRequestId = CreateAccountStatus!.Id!;
  const { CreateAccountStatus: done } = await client.send(
    new DescribeCreateAccountStatusCommand({ CreateAccountRequestId }),
  );
  assert.equal(done!.State, "SUCCEEDED");
  const AccountId = done!.AccountId!;
  assert.match(AccountId, /^[1-9]\d{11}$/);
  const { Account } = await client.send(new DescribeAccountCommand({ AccountId }));
  assert.partialDeepStrictEqual(Account!, { Name: "dev", Email: "dev@corp.example", JoinedMethod: "CREATED" });
  const { Tags } = await client.send(new ListTagsForResourceCommand({ ResourceId: AccountId }));
  assert.deepEqual(Tags, asked.Tags);

  const root = cloud.client(STSClient, { accessKeyId: AccountId, secretAccessKey: "test" });
  assert.equal((await root.send(new GetCallerIdentityCommand({}))).Arn, `arn:aws:iam::${AccountId}:root`);
  const admin = await userWith(cloud, "admin", { may: policy(allow("sts:AssumeRole")) });
  const RoleArn = `arn:aws:iam::${AccountId}:role/OrganizationAccountAccessRole`;
  const { Credentials } = await cloud
    .client(STSClient, admin)
    .send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "in" }));
  const inside = cloud.client(STSClient, {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  });
  assert.equal((await inside.send(new GetCallerIdentityCommand({}))).Account, AccountId);

  const second = await client.send(new CreateAccountCommand({ ...asked, AccountName: "again" }));
  await cloud.settle();
  const failed = await client.send(
    new DescribeCreateAccountStatusCommand({ CreateAccountRequestId: second.CreateAccountStatus!.Id! }),
  );
  assert.equal(failed.CreateAccountStatus!.State, "FAILED");
  assert.equal(failed.CreateAccountStatus!.FailureReason, "EMAIL_ALREADY_EXISTS");
  const { CreateAccountStatuses } = await client.send(new ListCreateAccountStatusCommand({ States: ["FAILED"] }));
  assert.deepEqual(
    CreateAccountStatuses!.map(({ AccountName }) => AccountName),
    ["again"],
  );
  assert.equal(
    await refusal(client.send(new DescribeCreateAccountStatusCommand({ CreateAccountRequestId: "car-12345678" }))),
    "CreateAccountStatusNotFoundException 400 You specified a create account request that doesn't exist.",
  );
  assert.match(
    await refusal(client.send(new CreateAccountCommand({ ...asked, RoleName: "AWSServiceRoleForMe" }))),
    /^InvalidInputException 400 /,
  );
});

describe("the tree", () => {
  test("units are made, named, listed, described and deleted; a name is one's own among its siblings", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    const { id, root } = await organized(client);
    const make = async (Name: string, ParentId: string) =>
      (await client.send(new CreateOrganizationalUnitCommand({ Name, ParentId }))).OrganizationalUnit!;
    const prod = await make("prod", root);
    assert.match(prod.Id!, new RegExp(`^ou-${root.slice(2)}-[a-z0-9]{8}$`));
    assert.deepEqual(prod, {
      Id: prod.Id,
      Arn: `arn:aws:organizations::000000000000:ou/${id}/${prod.Id}`,
      Name: "prod",
      Path: `${id}/${root}/${prod.Id}/`,
    });
    const dev = await make("dev", root);
    const web = await make("prod", prod.Id!);
    assert.equal(
      await refusal(make("prod", root)),
      "DuplicateOrganizationalUnitException 400 An OU with the same name already exists.",
    );
    assert.match(
      await refusal(client.send(new UpdateOrganizationalUnitCommand({ OrganizationalUnitId: dev.Id, Name: "prod" }))),
      /^DuplicateOrganizationalUnitException /,
    );
    await client.send(new UpdateOrganizationalUnitCommand({ OrganizationalUnitId: web.Id, Name: "web" }));
    const { OrganizationalUnit } = await client.send(
      new DescribeOrganizationalUnitCommand({ OrganizationalUnitId: web.Id }),
    );
    assert.equal(OrganizationalUnit!.Name, "web");
    assert.equal(OrganizationalUnit!.Path, `${id}/${root}/${prod.Id}/${web.Id}/`);

    const names: string[] = [];
    for (let NextToken: string | undefined, pages = 0; pages === 0 || NextToken; pages++) {
      const page = await client.send(
        new ListOrganizationalUnitsForParentCommand({ ParentId: root, MaxResults: 1, NextToken }),
      );
      names.push(...page.OrganizationalUnits!.map(({ Name }) => Name!));
      NextToken = page.NextToken;
    }
    assert.deepEqual(names.sort(), ["dev", "prod"]);
    assert.equal(
      await refusal(client.send(new ListAccountsCommand({ NextToken: "no token" }))),
      "InvalidInputException 400 You specified an invalid next token.",
    );

    assert.deepEqual((await client.send(new ListParentsCommand({ ChildId: web.Id }))).Parents, [
      { Id: prod.Id, Type: "ORGANIZATIONAL_UNIT" },
    ]);
    assert.deepEqual((await client.send(new ListParentsCommand({ ChildId: prod.Id }))).Parents, [
      { Id: root, Type: "ROOT" },
    ]);
    assert.deepEqual(
      (await client.send(new ListChildrenCommand({ ParentId: prod.Id, ChildType: "ORGANIZATIONAL_UNIT" }))).Children,
      [{ Id: web.Id, Type: "ORGANIZATIONAL_UNIT" }],
    );
    assert.match(
      await refusal(client.send(new DeleteOrganizationalUnitCommand({ OrganizationalUnitId: prod.Id }))),
      /^OrganizationalUnitNotEmptyException 400 /,
    );
    await client.send(new DeleteOrganizationalUnitCommand({ OrganizationalUnitId: web.Id }));
    await client.send(new DeleteOrganizationalUnitCommand({ OrganizationalUnitId: prod.Id }));
    assert.equal(
      await refusal(client.send(new DescribeOrganizationalUnitCommand({ OrganizationalUnitId: prod.Id }))),
      "OrganizationalUnitNotFoundException 400 You specified an organizational unit that doesn't exist.",
    );

    let parent = root;
    for (let depth = 1; depth <= 5; depth++) parent = (await make("deep", parent)).Id!;
    assert.match(await refusal(make("deep", parent)), /^ConstraintViolationException 400 /);
    assert.match(await refusal(make("x", "ou-aaaa-bbbbbbbb")), /^ParentNotFoundException 400 /);
    assert.match(await refusal(client.send(new ListParentsCommand({ ChildId: root }))), /^InvalidInputException 400 /);
    assert.match(await refusal(client.send(new ListParentsCommand({ ChildId: "999999999999" }))), /^ChildNotFound/);
  });

  test("an account moves from where it is, to where it is not", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    const { id, root } = await organized(client);
    const AccountId = await accountOf(cloud, client, "dev");
    const { OrganizationalUnit } = await client.send(
      new CreateOrganizationalUnitCommand({ Name: "dev", ParentId: root }),
    );
    const unit = OrganizationalUnit!.Id!;
    const move = (SourceParentId: string, DestinationParentId: string, account = AccountId) =>
      client.send(new MoveAccountCommand({ AccountId: account, SourceParentId, DestinationParentId }));
    await move(root, unit);
    const { Accounts } = await client.send(new ListAccountsForParentCommand({ ParentId: unit }));
    assert.deepEqual(
      Accounts!.map(({ Id, Paths }) => [Id, Paths]),
      [[AccountId, [`${id}/${root}/${unit}/${AccountId}/`]]],
    );
    assert.match(await refusal(move(root, unit)), /^DuplicateAccountException 400 /);
    assert.match(await refusal(move("ou-aaaa-bbbbbbbb", root)), /^SourceParentNotFoundException 400 /);
    assert.match(await refusal(move(unit, "ou-aaaa-bbbbbbbb")), /^DestinationParentNotFoundException 400 /);
    assert.equal(
      await refusal(move(unit, root, "999999999999")),
      "AccountNotFoundException 400 You specified an account that doesn't exist.",
    );
  });
});

test("accounts that were made stay four days; the management account stays; the last one out ends the organization", async () => {
  await using cloud = await startCloud();
  const client = cloud.client(OrganizationsClient);
  await organized(client);
  const first = await accountOf(cloud, client, "first");
  const second = await accountOf(cloud, client, "second");
  const leaving = cloud.client(OrganizationsClient, { accessKeyId: second, secretAccessKey: "test" });
  const remove = (AccountId: string) => client.send(new RemoveAccountFromOrganizationCommand({ AccountId }));
  assert.match(await refusal(remove(first)), /^ConstraintViolationException 400 .* four days/);
  assert.match(await refusal(leaving.send(new LeaveOrganizationCommand())), /^ConstraintViolationException 400 /);
  assert.match(await refusal(client.send(new DeleteOrganizationCommand())), /^OrganizationNotEmptyException 400 /);
  await cloud.advance(4 * DAY);
  await remove(first);
  await leaving.send(new LeaveOrganizationCommand());
  assert.match(await refusal(leaving.send(new LeaveOrganizationCommand())), /^AWSOrganizationsNotInUseException 400 /);
  assert.match(await refusal(remove("000000000000")), /^MasterCannotLeaveOrganizationException 400 /);
  await client.send(new DeleteOrganizationCommand());
});

test("a member sees its organization, and nothing else is its to ask", async () => {
  await using cloud = await startCloud();
  const client = cloud.client(OrganizationsClient);
  const { id } = await organized(client);
  const member = await accountOf(cloud, client, "dev");
  const its = cloud.client(OrganizationsClient, { accessKeyId: member, secretAccessKey: "test" });
  const { Organization } = await its.send(new DescribeOrganizationCommand());
  assert.equal(Organization!.Id, id);
  const denied = "AccessDeniedException 400 You don't have permissions to access this resource.";
  assert.equal(await refusal(its.send(new ListAccountsCommand())), denied);
  assert.equal(await refusal(its.send(new DescribeAccountCommand({ AccountId: member }))), denied);
  assert.equal(await refusal(its.send(new DeleteOrganizationCommand())), denied);
  assert.match(await refusal(its.send(new CreateOrganizationCommand())), /^AlreadyInOrganizationException /);
});

test("tags of accounts, units and roots are put, listed, and taken away", async () => {
  await using cloud = await startCloud();
  const client = cloud.client(OrganizationsClient);
  const { root } = await organized(client);
  const tagsOf = async (ResourceId: string) =>
    (await client.send(new ListTagsForResourceCommand({ ResourceId }))).Tags!.map(
      ({ Key, Value }) => `${Key}=${Value}`,
    );
  const tag = (ResourceId: string, ...tags: string[]) =>
    client.send(new TagResourceCommand({ ResourceId, Tags: tags.map((Key) => ({ Key, Value: Key.toUpperCase() })) }));
  for (const id of [root, "000000000000"]) {
    await tag(id, "a", "b");
    await tag(id, "c");
    await client.send(new UntagResourceCommand({ ResourceId: id, TagKeys: ["a", "none"] }));
    assert.deepEqual(await tagsOf(id), ["b=B", "c=C"]);
  }
  assert.match(await refusal(tag(root, "d", "d")), /^InvalidInputException 400 Tag keys must be unique/);
  assert.match(await refusal(tag(root, "aws:d")), /^InvalidInputException 400 .*system tag/);
  const many = Array.from({ length: 49 }, (_, at) => `k${at}`);
  assert.match(await refusal(tag(root, ...many)), /^ConstraintViolationException 400 /);
  assert.match(await refusal(tag("999999999999", "a")), /^TargetNotFoundException 400 /);

  // A tag decides who may.
  const may = policy(
    allow("organizations:DescribeOrganizationalUnit", {
      Condition: { StringEquals: { "aws:ResourceTag/team": "blue" } },
    }),
  );
  const user = cloud.client(OrganizationsClient, await userWith(cloud, "u", { may }));
  const made = async (team: string) => {
    const Tags = [{ Key: "team", Value: team }];
    const { OrganizationalUnit } = await client.send(
      new CreateOrganizationalUnitCommand({ Name: team, ParentId: root, Tags }),
    );
    return new DescribeOrganizationalUnitCommand({ OrganizationalUnitId: OrganizationalUnit!.Id });
  };
  assert.equal((await user.send(await made("blue"))).OrganizationalUnit!.Name, "blue");
  assert.match(await refusal(user.send(await made("red"))), /^AccessDeniedException 400 /);

  // So does the tag that something is made with.
  const request = { Condition: { StringEquals: { "aws:RequestTag/team": "blue" } } };
  const making = policy(allow(["organizations:CreateOrganizationalUnit", "organizations:TagResource"], request));
  const maker = cloud.client(OrganizationsClient, await userWith(cloud, "maker", { may: making }));
  const make = (Name: string, Value: string) =>
    maker.send(new CreateOrganizationalUnitCommand({ Name, ParentId: root, Tags: [{ Key: "team", Value }] }));
  await make("two", "blue");
  assert.match(
    await refusal(make("three", "red")),
    /^AccessDeniedException 400 .*organizations:CreateOrganizationalUnit/,
  );
});

test("what we do not do is refused by name", async () => {
  await using cloud = await startCloud();
  const client = cloud.client(OrganizationsClient);
  const { root } = await organized(client);
  assert.match(
    await refusal(client.send(new EnablePolicyTypeCommand({ RootId: root, PolicyType: "TAG_POLICY" }))),
    /^NotImplemented 501 .*TAG_POLICY/,
  );
});
