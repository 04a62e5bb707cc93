import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CreateTableCommand, DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { CreateUserCommand, IAMClient, ListUsersCommand } from "@aws-sdk/client-iam";
import {
  AttachPolicyCommand,
  CloseAccountCommand,
  CreateOrganizationalUnitCommand,
  CreatePolicyCommand,
  DeletePolicyCommand,
  DescribeAccountCommand,
  DescribePolicyCommand,
  DetachPolicyCommand,
  DisablePolicyTypeCommand,
  EnablePolicyTypeCommand,
  LeaveOrganizationCommand,
  ListPoliciesCommand,
  ListPoliciesForTargetCommand,
  ListTargetsForPolicyCommand,
  MoveAccountCommand,
  OrganizationsClient,
  UpdatePolicyCommand,
} from "@aws-sdk/client-organizations";
import { CreateBucketCommand, PutBucketPolicyCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { type Key, startCloud, type TestCloud } from "../../../test/cloud.ts";
import { accountOf, organized } from "../../../test/organizations.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import type { Principal } from "../../kernel/context.ts";

const Type = "SERVICE_CONTROL_POLICY";
const FULL = "p-FullAWSAccess";
const deny = (Action: string, more: object = {}) => ({ Effect: "Deny", Action, Resource: "*", ...more });

const rootKey = (account: string): Key => ({ accessKeyId: account, secretAccessKey: "test" });

async function scp(client: OrganizationsClient, Name: string, ...statements: object[]): Promise<string> {
  const { Policy } = await client.send(
    new CreatePolicyCommand({ Name, Type, Description: "", Content: policy(...statements) }),
  );
  return Policy!.PolicySummary!.Id!;
}

/** Credentials of a role of the account that may do everything there. */
async function roleIn(cloud: TestCloud, account: string): Promise<Key> {
  const admin = await userWith(cloud, `into-${account}`, { may: policy(allow("sts:AssumeRole")) });
  const { Credentials } = await cloud.client(STSClient, admin).send(
    new AssumeRoleCommand({
      RoleArn: `arn:aws:iam::${account}:role/OrganizationAccountAccessRole`,
      RoleSessionName: "session",
    }),
  );
  return {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
}

describe("policies", () => {
  test("are made, changed, listed and deleted; FullAWSAccess is AWS's and stays", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    const { id, root } = await organized(client);
    const Content = policy(deny("s3:*"));
    const made = await client.send(
      new CreatePolicyCommand({ Name: "no-s3", Type, Description: "no buckets", Content }),
    );
    const PolicyId = made.Policy!.PolicySummary!.Id!;
    assert.match(PolicyId, /^p-[a-z0-9]{8}$/);
    assert.deepEqual(made.Policy, {
      PolicySummary: {
        Id: PolicyId,
        Arn: `arn:aws:organizations::000000000000:policy/${id}/service_control_policy/${PolicyId}`,
        Name: "no-s3",
        Description: "no buckets",
        Type,
        AwsManaged: false,
      },
      Content,
    });
    const changed = policy(deny("s3:Put*"));
    await client.send(new UpdatePolicyCommand({ PolicyId, Name: "no-puts", Content: changed }));
    const { Policy } = await client.send(new DescribePolicyCommand({ PolicyId }));
    assert.deepEqual([Policy!.PolicySummary!.Name, Policy!.Content], ["no-puts", changed]);
    const { Policies } = await client.send(new ListPoliciesCommand({ Filter: Type }));
    assert.deepEqual(Policies!.map(({ Name, AwsManaged, Arn }) => [Name, AwsManaged, Arn]).sort(), [
      ["FullAWSAccess", true, "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"],
      ["no-puts", false, made.Policy!.PolicySummary!.Arn],
    ]);
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: root }));
    assert.match(await refusal(client.send(new DeletePolicyCommand({ PolicyId }))), /^PolicyInUseException 400 /);
    await client.send(new DetachPolicyCommand({ PolicyId, TargetId: root }));
    await client.send(new DeletePolicyCommand({ PolicyId }));

    const refused: [() => Promise<unknown>, RegExp][] = [
      [
        () => client.send(new DescribePolicyCommand({ PolicyId })),
        /^PolicyNotFoundException 400 You specified a policy that/,
      ],
      [() => client.send(new UpdatePolicyCommand({ PolicyId: FULL, Name: "mine" })), /^InvalidInputException 400 /],
      [() => client.send(new DeletePolicyCommand({ PolicyId: FULL })), /^InvalidInputException 400 /],
      [() => scp(client, "FullAWSAccess", deny("*")), /^DuplicatePolicyException 400 /],
      [
        () => client.send(new CreatePolicyCommand({ Name: "x", Type, Description: "", Content: "{" })),
        /^MalformedPolicyDocumentException 400 The provided policy document does not meet the requirements of the specified policy type\.$/,
      ],
      [() => scp(client, "who", { ...deny("s3:*"), Principal: "*" }), /^MalformedPolicyDocumentException 400 /],
      [
        () =>
          client.send(
            new CreatePolicyCommand({
              Name: "x",
              Type,
              Description: "",
              Content: policy(deny("s3:*", { Sid: "a".repeat(10_240) })),
            }),
          ),
        /^ConstraintViolationException 400 You have exceeded the maximum policy size\.$/,
      ],
      [
        () =>
          client.send(new CreatePolicyCommand({ Name: "x", Type: "BACKUP_POLICY", Description: "", Content: "{}" })),
        /^NotImplemented 501 .*BACKUP_POLICY/,
      ],
    ];
    for (const [send, sentence] of refused) assert.match(await refusal(send()), sentence);
  });

  test("stand on roots, units and accounts: one at least, ten at most", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    const { root } = await organized(client);
    const attached = async (TargetId: string) => {
      const { Policies } = await client.send(new ListPoliciesForTargetCommand({ TargetId, Filter: Type }));
      return Policies!.map(({ Name }) => Name);
    };
    const member = await accountOf(cloud, client, "dev");
    const unit = await client.send(new CreateOrganizationalUnitCommand({ Name: "u", ParentId: root }));
    const targets = [root, unit.OrganizationalUnit!.Id!, member, "000000000000"];
    for (const target of targets) assert.deepEqual(await attached(target), ["FullAWSAccess"]);
    const { Targets } = await client.send(new ListTargetsForPolicyCommand({ PolicyId: FULL }));
    assert.deepEqual(
      Targets!.map((target) => [target.TargetId, target.Type, target.Name]).sort(),
      [
        [root, "ROOT", "Root"],
        [targets[1], "ORGANIZATIONAL_UNIT", "u"],
        [member, "ACCOUNT", "dev"],
        ["000000000000", "ACCOUNT", "000000000000"],
      ].sort(),
    );
    const attach = (PolicyId: string) => client.send(new AttachPolicyCommand({ PolicyId, TargetId: member }));
    const detach = (PolicyId: string) => client.send(new DetachPolicyCommand({ PolicyId, TargetId: member }));
    assert.match(await refusal(detach(FULL)), /^ConstraintViolationException 400 /);
    const all: string[] = [];
    for (let at = 1; at <= 10; at++) all.push(await scp(client, `p${at}`, deny(`s3:Get${at}`)));
    for (const one of all.slice(0, 9)) await attach(one);
    assert.match(await refusal(attach(all[0]!)), /^DuplicatePolicyAttachmentException 400 /);
    assert.match(
      await refusal(attach(all[9]!)),
      /^ConstraintViolationException 400 You have attached the maximum number/,
    );
    assert.match(await refusal(detach(all[9]!)), /^PolicyNotAttachedException 400 /);
    await detach(FULL);
    assert.equal((await attached(member)).length, 9);
    assert.match(
      await refusal(client.send(new AttachPolicyCommand({ PolicyId: all[0], TargetId: "999999999999" }))),
      /^TargetNotFoundException 400 You specified a target that doesn't exist\.$/,
    );
    assert.match(await refusal(attach("p-00000000")), /^PolicyNotFoundException 400 /);
  });

  test("are all gone when the root uses them no more, and FullAWSAccess is everywhere when it does again", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    const { root: RootId } = await organized(client);
    const member = await accountOf(cloud, client, "dev");
    const s3 = cloud.client(S3Client, rootKey(member));
    const PolicyId = await scp(client, "no-s3", deny("s3:*"));
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: member }));
    assert.match(await refusal(s3.send(new CreateBucketCommand({ Bucket: "b-one" }))), /^AccessDenied 403 /);
    const { Root } = await client.send(new DisablePolicyTypeCommand({ RootId, PolicyType: Type }));
    assert.deepEqual(Root!.PolicyTypes, []);
    await s3.send(new CreateBucketCommand({ Bucket: "b-one" }));
    assert.equal(
      await refusal(client.send(new AttachPolicyCommand({ PolicyId, TargetId: member }))),
      "PolicyTypeNotEnabledException 400 This operation can be performed only for enabled policy types.",
    );
    assert.match(
      await refusal(client.send(new DisablePolicyTypeCommand({ RootId, PolicyType: Type }))),
      /^PolicyTypeNotEnabledException /,
    );
    await client.send(new EnablePolicyTypeCommand({ RootId, PolicyType: Type }));
    const { Targets } = await client.send(new ListTargetsForPolicyCommand({ PolicyId: FULL }));
    assert.deepEqual(Targets!.map(({ TargetId }) => TargetId).sort(), [RootId, member, "000000000000"].sort());
    await s3.send(new CreateBucketCommand({ Bucket: "b-two" }));
    assert.equal(
      await refusal(client.send(new EnablePolicyTypeCommand({ RootId, PolicyType: Type }))),
      "PolicyTypeAlreadyEnabledException 400 The specified policy type is already enabled.",
    );
  });
});

describe("what a service control policy forbids", () => {
  test("no one of the account may: not its root, its roles, its users; but the management account may", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    const { id, root } = await organized(client);
    const member = await accountOf(cloud, client, "dev");
    const role = await roleIn(cloud, member);
    const user = await userWith(cloud, "u", { may: policy(allow("*")), by: rootKey(member) });
    const PolicyId = await scp(client, "no-queues", deny("sqs:CreateQueue"));
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: root }));
    const make = (as?: Key) => cloud.client(SQSClient, as).send(new CreateQueueCommand({ QueueName: "q" }));
    const whom = {
      [`arn:aws:iam::${member}:root`]: rootKey(member),
      [`arn:aws:sts::${member}:assumed-role/OrganizationAccountAccessRole/session`]: role,
      [`arn:aws:iam::${member}:user/u`]: user,
    };
    for (const [who, key] of Object.entries(whom)) {
      const denied = await refusal(make(key));
      assert.ok(
        denied.includes(
          `User: ${who} is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:${member}:q with an explicit deny in a service control policy: arn:aws:organizations::000000000000:policy/${id}/service_control_policy/${PolicyId}`,
        ),
        denied,
      );
    }
    await make();
    assert.equal((await cloud.client(STSClient, role).send(new GetCallerIdentityCommand({}))).Account, member);
    await client.send(new DetachPolicyCommand({ PolicyId, TargetId: root }));
    for (const key of Object.values(whom)) await make(key);
  });

  test("what no level allows is denied, at each level, and with a move it is another's to allow", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    const { root } = await organized(client);
    const member = await accountOf(cloud, client, "dev");
    const unit = await client.send(new CreateOrganizationalUnitCommand({ Name: "only-sqs", ParentId: root }));
    const TargetId = unit.OrganizationalUnit!.Id!;
    const PolicyId = await scp(client, "sqs", { Effect: "Allow", Action: "sqs:*", Resource: "*" });
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId }));
    await client.send(new DetachPolicyCommand({ PolicyId: FULL, TargetId }));
    const iam = cloud.client(IAMClient, rootKey(member));
    const sqs = cloud.client(SQSClient, rootKey(member));
    await iam.send(new ListUsersCommand({}));
    const move = (SourceParentId: string, DestinationParentId: string) =>
      client.send(new MoveAccountCommand({ AccountId: member, SourceParentId, DestinationParentId }));
    await move(root, TargetId);
    assert.match(
      await refusal(iam.send(new ListUsersCommand({}))),
      /is not authorized to perform: iam:ListUsers on resource: \S+ because no service control policy allows the iam:ListUsers action$/,
    );
    await sqs.send(new CreateQueueCommand({ QueueName: "q" }));
    // Allowed above and at the account itself is not enough; nor is it to be allowed at the account alone.
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: root }));
    await client.send(new DetachPolicyCommand({ PolicyId: FULL, TargetId: root }));
    await move(TargetId, root);
    assert.match(await refusal(iam.send(new ListUsersCommand({}))), /because no service control policy allows/);
    await client.send(new AttachPolicyCommand({ PolicyId: FULL, TargetId: root }));
    await iam.send(new ListUsersCommand({}));
  });

  test("conditions are asked about the principal", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    await organized(client);
    const member = await accountOf(cloud, client, "dev");
    const role = await roleIn(cloud, member);
    const but = { StringNotLike: { "aws:PrincipalArn": "arn:aws:iam::*:role/OrganizationAccountAccessRole" } };
    const PolicyId = await scp(client, "only-the-role", deny("dynamodb:*", { Condition: but }));
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: member }));
    await cloud.client(DynamoDBClient, role).send(new ListTablesCommand({}));
    const denied = await refusal(cloud.client(DynamoDBClient, rootKey(member)).send(new ListTablesCommand({})));
    assert.match(denied, /with an explicit deny in a service control policy: arn:aws:organizations::\S+$/);
  });

  test("no resource policy of another account helps a member", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    await organized(client);
    const member = await accountOf(cloud, client, "dev");
    const s3 = cloud.client(S3Client);
    await s3.send(new CreateBucketCommand({ Bucket: "shared" }));
    const Policy = policy({
      Effect: "Allow",
      Principal: { AWS: member },
      Action: "s3:PutObject",
      Resource: "arn:aws:s3:::shared/*",
    });
    await s3.send(new PutBucketPolicyCommand({ Bucket: "shared", Policy }));
    const user = await userWith(cloud, "u", { may: policy(allow("s3:*")), by: rootKey(member) });
    const put = () =>
      cloud.client(S3Client, user).send(new PutObjectCommand({ Bucket: "shared", Key: "k", Body: "x" }));
    await put();
    const PolicyId = await scp(client, "no-s3", deny("s3:PutObject"));
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: member }));
    assert.match(
      await refusal(put()),
      /with an explicit deny in a service control policy: arn:aws:organizations::\S+$/,
    );
  });

  test("who is of the organization, and where in it, other accounts' policies may ask", async () => {
    await using cloud = await startCloud({ bucketDefaults: "classic" });
    const client = cloud.client(OrganizationsClient);
    const { id, root } = await organized(client);
    const member = await accountOf(cloud, client, "dev");
    const unit = await client.send(new CreateOrganizationalUnitCommand({ Name: "u", ParentId: root }));
    const unitId = unit.OrganizationalUnit!.Id!;
    const s3 = cloud.client(S3Client);
    await s3.send(new CreateBucketCommand({ Bucket: "shared" }));
    const open = (Condition: object) =>
      s3.send(
        new PutBucketPolicyCommand({
          Bucket: "shared",
          Policy: policy({
            Effect: "Allow",
            Principal: "*",
            Action: "s3:*",
            Resource: "arn:aws:s3:::shared/*",
            Condition,
          }),
        }),
      );
    const put = (account: string) =>
      cloud.client(S3Client, rootKey(account)).send(new PutObjectCommand({ Bucket: "shared", Key: "k", Body: "x" }));
    const stranger = "444444444444";
    await open({ StringEquals: { "aws:PrincipalOrgID": id } });
    await put(member);
    assert.match(await refusal(put(stranger)), /^AccessDenied 403 /);
    await open({ "ForAnyValue:StringLike": { "aws:PrincipalOrgPaths": `${id}/${root}/${unitId}/*` } });
    assert.match(await refusal(put(member)), /^AccessDenied 403 /);
    await client.send(new MoveAccountCommand({ AccountId: member, SourceParentId: root, DestinationParentId: unitId }));
    await put(member);
    // And an SCP may keep the account's own within it.
    const outside = { StringNotEquals: { "aws:ResourceOrgID": id } };
    const PolicyId = await scp(client, "stay", deny("s3:*", { Condition: outside }));
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: unitId }));
    await put(member);
    const theirs = cloud.client(S3Client, rootKey(stranger));
    await theirs.send(new CreateBucketCommand({ Bucket: "outside" }));
    const Policy = policy({ Effect: "Allow", Principal: "*", Action: "s3:*", Resource: "arn:aws:s3:::outside/*" });
    await theirs.send(new PutBucketPolicyCommand({ Bucket: "outside", Policy }));
    const away = cloud
      .client(S3Client, rootKey(member))
      .send(new PutObjectCommand({ Bucket: "outside", Key: "k", Body: "x" }));
    assert.match(await refusal(away), /explicit deny in a service control policy: arn:aws:organizations::\S+$/);
  });

  test("service-linked roles act whatever it says", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    const { id } = await organized(client);
    const member = await accountOf(cloud, client, "dev");
    const PolicyId = await scp(client, "nothing", deny("*"));
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: member }));
    // Only its service could assume such a role: a session of one asks from within.
    const roleArn = (path: string) => `arn:aws:iam::${member}:role${path}`;
    const denial = async (path: string) => {
      const principal: Principal = {
        kind: "session",
        account: member,
        arn: `arn:aws:sts::${member}:assumed-role/r/s`,
        id: "AROAAAAAAAAAAAAAAAAAA:s",
        roleArn: roleArn(path),
      };
      return await cloud.aws.call("sqs", "ListQueues", {}, principal).catch((error: Error) => error.message);
    };
    assert.match(String(await denial("/r")), new RegExp(`explicit deny in a service control policy: .*${id}`));
    // What is left to hinder it is that the role holds no policy.
    assert.match(
      String(await denial("/aws-service-role/x.amazonaws.com/r")),
      /because no identity-based policy allows the sqs:listqueues action$/,
    );
  });

  test("a policy that is changed binds, and frees, at once; who leaves is free", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    await organized(client);
    const member = await accountOf(cloud, client, "dev");
    const iam = cloud.client(IAMClient, rootKey(member));
    const make = (UserName: string) => iam.send(new CreateUserCommand({ UserName }));
    const PolicyId = await scp(client, "no-users", deny("iam:CreateUser"));
    await client.send(new AttachPolicyCommand({ PolicyId, TargetId: member }));
    assert.match(await refusal(make("a")), /service control policy/);
    await client.send(new UpdatePolicyCommand({ PolicyId, Content: policy(deny("iam:DeleteUser")) }));
    await make("a");
    await client.send(
      new UpdatePolicyCommand({ PolicyId, Content: policy(deny("iam:*"), deny("organizations:Leave*")) }),
    );
    const leaving = cloud.client(OrganizationsClient, rootKey(member));
    await cloud.advance(4 * 24 * 3600_000);
    assert.match(
      await refusal(leaving.send(new LeaveOrganizationCommand())),
      /^AccessDeniedException 400 .*organizations:LeaveOrganization on resource: \* with an explicit deny in a service control policy: arn:aws:organizations::\S+$/,
    );
    await client.send(new UpdatePolicyCommand({ PolicyId, Content: policy(deny("iam:*")) }));
    await leaving.send(new LeaveOrganizationCommand());
    await make("b");
  });

  test("a closed account may do nothing more", async () => {
    await using cloud = await startCloud();
    const client = cloud.client(OrganizationsClient);
    await organized(client);
    const AccountId = await accountOf(cloud, client, "dev");
    const tables = cloud.client(DynamoDBClient, rootKey(AccountId));
    await tables.send(new ListTablesCommand({}));
    await client.send(new CloseAccountCommand({ AccountId }));
    assert.match(
      await refusal(
        tables.send(
          new CreateTableCommand({
            TableName: "table",
            BillingMode: "PAY_PER_REQUEST",
            KeySchema: [{ AttributeName: "k", KeyType: "HASH" }],
            AttributeDefinitions: [{ AttributeName: "k", AttributeType: "S" }],
          }),
        ),
      ),
      /^AccessDeniedException 400 /,
    );
    const { Account } = await client.send(new DescribeAccountCommand({ AccountId }));
    assert.deepEqual([Account!.Status, Account!.State], ["SUSPENDED", "CLOSED"]);
    assert.match(
      await refusal(client.send(new CloseAccountCommand({ AccountId }))),
      /^AccountAlreadyClosedException 400 /,
    );
    assert.match(
      await refusal(client.send(new CloseAccountCommand({ AccountId: "000000000000" }))),
      /^ConstraintViolationException 400 /,
    );
  });
});

test("permissions are on the things themselves, by their ARNs and the type of policies", async () => {
  await using cloud = await startCloud();
  const client = cloud.client(OrganizationsClient);
  const { id, root } = await organized(client);
  const member = await accountOf(cloud, client, "dev");
  const PolicyId = await scp(client, "no-s3", deny("s3:*"));
  const on = (resource: string) => `arn:aws:organizations::000000000000:${resource}`;
  const may = policy(
    {
      Effect: "Allow",
      Action: "organizations:AttachPolicy",
      Resource: [on(`policy/${id}/service_control_policy/*`), on(`account/${id}/${member}`)],
      Condition: { StringEquals: { "organizations:PolicyType": Type } },
    },
    allow(["organizations:ListPolicies", "organizations:DescribePolicy"], {
      Condition: { StringEquals: { "organizations:PolicyType": Type } },
    }),
  );
  const user = cloud.client(OrganizationsClient, await userWith(cloud, "u", { may }));
  await user.send(new AttachPolicyCommand({ PolicyId, TargetId: member }));
  await user.send(new DescribePolicyCommand({ PolicyId }));
  await user.send(new ListPoliciesCommand({ Filter: Type }));
  assert.match(
    await refusal(user.send(new ListPoliciesCommand({ Filter: "TAG_POLICY" }))),
    /^AccessDeniedException 400 .*organizations:ListPolicies/,
  );
  assert.equal(
    await refusal(user.send(new AttachPolicyCommand({ PolicyId, TargetId: root }))),
    `AccessDeniedException 400 User: arn:aws:iam::000000000000:user/u is not authorized to perform: organizations:AttachPolicy on resource: ${on(`root/${id}/${root}`)} because no identity-based policy allows the organizations:AttachPolicy action`,
  );
});
