import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddUserToGroupCommand,
  AttachUserPolicyCommand,
  CreateGroupCommand,
  GenerateServiceLastAccessedDetailsCommand,
  GetServiceLastAccessedDetailsCommand,
  GetServiceLastAccessedDetailsWithEntitiesCommand,
  IAMClient,
  ListPoliciesGrantingServiceAccessCommand,
  ListUsersCommand,
  PutGroupPolicyCommand,
} from "@aws-sdk/client-iam";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const USER = "arn:aws:iam::000000000000:user/alice";
const READ_ONLY = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess";

test("a report says which services an identity may use, and when it last did", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const may = policy(allow(["s3:List*", "sqs:*"]), { Effect: "Deny", Action: "sqs:*", Resource: "*" });
  const alice = await userWith(cloud, "alice", { may });
  await userWith(cloud, "bob");
  await iam.send(new CreateGroupCommand({ GroupName: "g" }));
  await iam.send(
    new PutGroupPolicyCommand({ GroupName: "g", PolicyName: "p", PolicyDocument: policy(allow("iam:ListUsers")) }),
  );
  for (const UserName of ["alice", "bob"]) await iam.send(new AddUserToGroupCommand({ GroupName: "g", UserName }));
  await cloud.client(S3Client, alice).send(new ListBucketsCommand({}));
  await cloud.advance(60 * 60_000);
  await cloud.client(IAMClient, alice).send(new ListUsersCommand({}));

  const details = async (arn: string, more: object = {}) => {
    const { JobId } = await iam.send(new GenerateServiceLastAccessedDetailsCommand({ Arn: arn }));
    return iam.send(new GetServiceLastAccessedDetailsCommand({ JobId, ...more }));
  };
  const own = await details(USER);
  assert.deepEqual([own.JobStatus, own.JobType, own.IsTruncated], ["COMPLETED", "SERVICE_LEVEL", false]);
  const told = own.ServicesLastAccessed!.map((one) => [
    one.ServiceNamespace,
    one.ServiceName,
    one.LastAuthenticatedEntity,
    one.TotalAuthenticatedEntities,
  ]);
  assert.deepEqual(told, [
    ["iam", "AWS Identity and Access Management (IAM)", USER, 1],
    ["s3", "Amazon S3", USER, 1],
    ["sqs", "Amazon SQS", undefined, 0],
  ]);
  const [iamUse, s3Use] = own.ServicesLastAccessed!;
  assert.equal(iamUse!.LastAuthenticated!.getTime() - s3Use!.LastAuthenticated!.getTime() >= 3_599_000, true);
  assert.equal(s3Use!.LastAuthenticatedRegion, "us-east-1");
  const first = await details(USER, { MaxItems: 1 });
  assert.deepEqual([first.ServicesLastAccessed?.length, first.IsTruncated], [1, true]);

  const { JobId } = await iam.send(
    new GenerateServiceLastAccessedDetailsCommand({ Arn: "arn:aws:iam::000000000000:group/g" }),
  );
  const entities = await iam.send(
    new GetServiceLastAccessedDetailsWithEntitiesCommand({ JobId, ServiceNamespace: "iam" }),
  );
  assert.deepEqual(
    entities.EntityDetailsList?.map(({ EntityInfo, LastAuthenticated }) => [
      EntityInfo?.Name,
      EntityInfo?.Type,
      LastAuthenticated !== undefined,
    ]),
    [
      ["alice", "USER", true],
      ["bob", "USER", false],
    ],
  );

  await iam.send(new AttachUserPolicyCommand({ UserName: "bob", PolicyArn: READ_ONLY }));
  const ofPolicy = await details(READ_ONLY);
  assert.ok(ofPolicy.ServicesLastAccessed?.some(({ ServiceNamespace }) => ServiceNamespace === "dynamodb"));
  assert.match(
    await refusal(iam.send(new GetServiceLastAccessedDetailsCommand({ JobId: "0".repeat(36) }))),
    /^NoSuchEntity 404/,
  );
  assert.match(
    await refusal(iam.send(new GenerateServiceLastAccessedDetailsCommand({ Arn: USER, Granularity: "ACTION_LEVEL" }))),
    /^NotImplemented 501 .*ACTION_LEVEL/,
  );
  assert.match(
    await refusal(iam.send(new GenerateServiceLastAccessedDetailsCommand({ Arn: `${USER}x` }))),
    /^NoSuchEntity 404/,
  );
});

test("the policies that let somebody use a service are named, whoever's they are", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  await userWith(cloud, "Alice", {
    may: policy({ Effect: "Allow", NotAction: ["iam:*", "sqs:Send*"], Resource: "*" }),
  });
  await iam.send(new CreateGroupCommand({ GroupName: "G" }));
  await iam.send(
    new PutGroupPolicyCommand({ GroupName: "G", PolicyName: "q", PolicyDocument: policy(allow("sqs:SendMessage")) }),
  );
  await iam.send(new AddUserToGroupCommand({ GroupName: "G", UserName: "Alice" }));
  await iam.send(new AttachUserPolicyCommand({ UserName: "Alice", PolicyArn: READ_ONLY }));
  const { PoliciesGrantingServiceAccess } = await iam.send(
    new ListPoliciesGrantingServiceAccessCommand({
      Arn: "arn:aws:iam::000000000000:user/Alice",
      ServiceNamespaces: ["sqs", "iam", "dynamodb"],
    }),
  );
  const own = { PolicyName: "p", PolicyType: "INLINE", EntityType: "USER", EntityName: "Alice" };
  assert.deepEqual(PoliciesGrantingServiceAccess, [
    {
      ServiceNamespace: "dynamodb",
      Policies: [{ PolicyName: "AmazonDynamoDBReadOnlyAccess", PolicyType: "MANAGED", PolicyArn: READ_ONLY }, own],
    },
    {
      ServiceNamespace: "iam",
      // DynamoDB's own policy shows which roles there are.
      Policies: [{ PolicyName: "AmazonDynamoDBReadOnlyAccess", PolicyType: "MANAGED", PolicyArn: READ_ONLY }],
    },
    {
      ServiceNamespace: "sqs",
      Policies: [{ PolicyName: "q", PolicyType: "INLINE", EntityType: "GROUP", EntityName: "G" }, own],
    },
  ]);
});
