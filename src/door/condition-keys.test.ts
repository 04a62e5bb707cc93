// Which condition keys are in whose request, seen through a bucket's policy: everyone may read who fulfils its condition.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CreateRoleCommand, IAMClient, TagUserCommand } from "@aws-sdk/client-iam";
import { CreateOrganizationCommand, OrganizationsClient } from "@aws-sdk/client-organizations";
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CreateQueueCommand, SetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import {
  AssumeRoleCommand,
  type Credentials,
  GetFederationTokenCommand,
  GetSessionTokenCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { Key } from "../../test/cloud.ts";
import { arnOf, startCloudWithRole } from "../../test/lambda.ts";
import { postForm } from "../../test/post-form.ts";
import { allow, policy, refusal, userWith } from "../../test/principals.ts";

const cloud = await startCloudWithRole({ bucketDefaults: "classic" });
after(() => cloud[Symbol.asyncDispose]());
const s3 = cloud.client(S3Client);
const iam = cloud.client(IAMClient);
const OBJECT = { Bucket: "seen", Key: "k" };
await s3.send(new CreateBucketCommand({ Bucket: OBJECT.Bucket }));
await s3.send(new PutObjectCommand({ ...OBJECT, Body: "x", Tagging: "color=blue" }));

/** A value may have stars; null: the key is not in the request. */
type Expected = Readonly<Record<string, string | null>>;

const conditionOf = (key: string, value: string | null) =>
  value === null ? { Null: { [key]: "true" } } : { StringLike: { [key]: value }, Null: { [key]: "false" } };

async function expectKeys(expected: Expected, read: () => Promise<boolean>): Promise<void> {
  const wrong: string[] = [];
  for (const [key, value] of Object.entries(expected)) {
    const statement = allow("s3:GetObject", { Principal: "*", Resource: "arn:aws:s3:::seen/*" });
    const Policy = policy({ ...statement, Condition: conditionOf(key, value) });
    await s3.send(new PutBucketPolicyCommand({ Bucket: OBJECT.Bucket, Policy }));
    if (!(await read())) wrong.push(`${key} is not ${value}`);
  }
  assert.deepEqual(wrong, []);
}

const reader = (as: Key) => {
  const client = cloud.client(S3Client, as);
  return () =>
    client.send(new GetObjectCommand(OBJECT)).then(
      () => true,
      () => false,
    );
};

const keyOf = ({ AccessKeyId, SecretAccessKey, SessionToken }: Credentials = {} as Credentials): Key => ({
  accessKeyId: AccessKeyId!,
  secretAccessKey: SecretAccessKey!,
  sessionToken: SessionToken!,
});

const NO_SESSION: Expected = {
  "aws:TokenIssueTime": null,
  "aws:MultiFactorAuthPresent": null,
  "aws:MultiFactorAuthAge": null,
  "aws:SourceIdentity": null,
  "aws:FederatedProvider": null,
};
const NO_SERVICE: Expected = {
  "aws:PrincipalServiceName": null,
  "aws:PrincipalServiceNamesList": null,
  "aws:SourceArn": null,
  "aws:SourceAccount": null,
  "aws:SourceOrgID": null,
  "aws:CalledVia": null,
};

const alice = await userWith(cloud, "alice", { may: policy(allow("sts:*")) });
await iam.send(new TagUserCommand({ UserName: "alice", Tags: [{ Key: "Team", Value: "red" }] }));

test("a user's request has the keys of its principal, its network, its resource and of S3", async () => {
  await expectKeys(
    {
      "aws:PrincipalArn": "arn:aws:iam::000000000000:user/alice",
      "aws:PrincipalAccount": "000000000000",
      "aws:PrincipalType": "User",
      "aws:PrincipalIsAWSService": "false",
      "aws:PrincipalTag/team": "red",
      "aws:PrincipalTag/other": null,
      "aws:PrincipalOrgID": null,
      "aws:userid": "AIDA*",
      "aws:username": "alice",
      ...NO_SESSION,
      ...NO_SERVICE,
      "aws:SourceIp": "127.0.0.1",
      "aws:SecureTransport": "true",
      "aws:UserAgent": "aws-sdk-js/*",
      "aws:Referer": null,
      "aws:SourceVpc": null,
      "aws:SourceVpce": null,
      "aws:VpcSourceIp": null,
      "aws:ResourceAccount": "000000000000",
      "aws:ResourceOrgID": null,
      "aws:RequestedRegion": "us-east-1",
      "aws:ViaAWSService": "false",
      "aws:CurrentTime": "20*Z",
      "aws:EpochTime": "1*",
      "aws:RequestTag/color": null,
      "aws:TagKeys": null,
      "s3:ResourceAccount": "000000000000",
      "s3:authType": "REST-HEADER",
      "s3:signatureversion": "AWS4-HMAC-SHA256",
      "s3:signatureAge": "*",
      "s3:x-amz-content-sha256": "*",
      "s3:TlsVersion": null,
      "s3:VersionId": null,
      "s3:prefix": null,
      "s3:ExistingObjectTag/color": "blue",
      "s3:ExistingObjectTag/size": null,
      "dynamodb:Select": null,
    },
    reader(alice),
  );
});

test("another account's root is its account, and no user", async () => {
  await expectKeys(
    {
      "aws:PrincipalArn": "arn:aws:iam::111111111111:root",
      "aws:PrincipalAccount": "111111111111",
      "aws:PrincipalType": "Account",
      "aws:userid": "111111111111",
      "aws:username": null,
      ...NO_SESSION,
      "aws:ResourceAccount": "000000000000",
    },
    reader({ accessKeyId: "111111111111", secretAccessKey: "test" }),
  );
});

test("a role's session is its role, with the session's tags, its source identity, and no MFA", async () => {
  const AssumeRolePolicyDocument = policy({
    Effect: "Allow",
    Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    Principal: { AWS: "000000000000" },
  });
  const Tags = [{ Key: "team", Value: "blue" }];
  await iam.send(new CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument, Tags }));
  const { Credentials } = await cloud.client(STSClient, alice).send(
    new AssumeRoleCommand({
      RoleArn: "arn:aws:iam::000000000000:role/r",
      RoleSessionName: "sess",
      SourceIdentity: "ann",
      Tags: [{ Key: "project", Value: "x" }],
    }),
  );
  await expectKeys(
    {
      "aws:PrincipalArn": "arn:aws:iam::000000000000:role/r",
      "aws:PrincipalType": "AssumedRole",
      "aws:userid": "AROA*:sess",
      "aws:username": null,
      "aws:TokenIssueTime": "20*Z",
      "aws:MultiFactorAuthPresent": "false",
      "aws:MultiFactorAuthAge": null,
      "aws:SourceIdentity": "ann",
      "aws:PrincipalTag/team": "blue",
      "aws:PrincipalTag/project": "x",
      "sts:RoleSessionName": null,
    },
    reader(keyOf(Credentials)),
  );
});

test("credentials that end have keys of their session, whoever they are for", async () => {
  const sts = cloud.client(STSClient, alice);
  const session = await sts.send(new GetSessionTokenCommand({}));
  await expectKeys(
    { "aws:username": "alice", "aws:TokenIssueTime": "20*Z", "aws:MultiFactorAuthPresent": "false" },
    reader(keyOf(session.Credentials)),
  );
  const federated = await sts.send(new GetFederationTokenCommand({ Name: "fed", Policy: policy(allow("s3:*")) }));
  await expectKeys(
    {
      "aws:PrincipalArn": "arn:aws:sts::000000000000:federated-user/fed",
      "aws:PrincipalType": "FederatedUser",
      "aws:userid": "000000000000:fed",
      "aws:username": null,
      "aws:MultiFactorAuthPresent": "false",
    },
    reader(keyOf(federated.Credentials)),
  );
});

test("who does not sign is Anonymous, and signs in no way", async () => {
  const url = `${cloud.endpoint}/${OBJECT.Bucket}/${OBJECT.Key}`;
  await expectKeys(
    {
      "aws:PrincipalType": "Anonymous",
      "aws:PrincipalAccount": "anonymous",
      "aws:userid": "anonymous",
      "aws:PrincipalArn": null,
      "aws:PrincipalIsAWSService": null,
      "aws:username": null,
      ...NO_SESSION,
      "aws:Referer": "http://here.example/*",
      "aws:SourceIp": "127.0.0.1",
      "s3:authType": null,
      "s3:signatureversion": null,
    },
    async () => (await fetch(url, { headers: { referer: "http://here.example/page" } })).ok,
  );
});

test("S3 knows how a request was signed: in its headers, in its URL, or as a form", async () => {
  const url = await getSignedUrl(cloud.client(S3Client, alice), new GetObjectCommand(OBJECT));
  await expectKeys(
    {
      "s3:authType": "REST-QUERY-STRING",
      "s3:signatureversion": "AWS4-HMAC-SHA256",
      "s3:signatureAge": "*",
      "aws:username": "alice",
    },
    async () => (await fetch(url)).ok,
  );
  for (const [version, algorithm] of [
    [4, "AWS4-HMAC-SHA256"],
    [2, "AWS"],
  ] as const) {
    const StringEquals = { "s3:authType": "POST", "s3:signatureversion": algorithm, "s3:x-amz-acl": "private" };
    const may = policy(allow(["s3:PutObject", "s3:PutObjectAcl"], { Condition: { StringEquals } }));
    const as = await userWith(cloud, `posting-${version}`, { may });
    const posted = { bucket: OBJECT.Bucket, as, version };
    assert.equal((await postForm(cloud, { ...posted, fields: { key: "posted", acl: "private" } })).status, 204);
    assert.equal((await postForm(cloud, { ...posted, fields: { key: "posted" } })).status, 403);
    const put = new PutObjectCommand({ Bucket: OBJECT.Bucket, Key: "posted", Body: "x", ACL: "private" });
    assert.match(await refusal(cloud.client(S3Client, as).send(put)), /^AccessDenied 403/);
  }
});

test("a service that acts for a resource says for which, and comes from nowhere", async () => {
  const sqs = cloud.client(SQSClient);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "told" }));
  const QueueArn = "arn:aws:sqs:us-east-1:000000000000:told";
  const expected: Expected = {
    "aws:PrincipalServiceName": "s3.amazonaws.com",
    "aws:PrincipalServiceNamesList": "s3.amazonaws.com",
    "aws:PrincipalIsAWSService": "true",
    "aws:PrincipalArn": null,
    "aws:PrincipalType": null,
    "aws:SourceArn": "arn:aws:s3:::seen",
    "aws:SourceAccount": "000000000000",
    "aws:SourceIp": null,
    "aws:ViaAWSService": "false",
  };
  const wrong: string[] = [];
  for (const [key, value] of Object.entries(expected)) {
    const statement = allow("sqs:SendMessage", { Principal: { Service: "s3.amazonaws.com" }, Resource: QueueArn });
    const Policy = policy({ ...statement, Condition: conditionOf(key, value) });
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
    const NotificationConfiguration = { QueueConfigurations: [{ QueueArn, Events: ["s3:ObjectCreated:*" as const] }] };
    // S3 asks whether it may, before it keeps the configuration.
    const put = new PutBucketNotificationConfigurationCommand({ Bucket: "seen", NotificationConfiguration });
    await s3.send(put).catch(() => wrong.push(`${key} is not ${value}`));
  }
  assert.deepEqual(wrong, []);
});

test("what a function does with its credentials says which function it is", async () => {
  await cloud.createBash(
    "told",
    `printf '{"accessKeyId":"%s","secretAccessKey":"%s","sessionToken":"%s"}' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN"`,
  );
  const { payload } = await cloud.invoke("told");
  const expected = { "lambda:SourceFunctionArn": arnOf("told"), "aws:PrincipalArn": "arn:aws:iam::*:role/function" };
  // The role may everything, but for what is denied to all others.
  const wrong: string[] = [];
  for (const [key, value] of Object.entries(expected)) {
    const statement = allow("s3:GetObject", { Principal: "*", Effect: "Deny", Resource: "arn:aws:s3:::seen/*" });
    const Policy = policy({ ...statement, Condition: { StringNotLike: { [key]: value } } });
    await s3.send(new PutBucketPolicyCommand({ Bucket: "seen", Policy }));
    if (!(await reader(payload)())) wrong.push(key);
    if (await reader(alice)()) wrong.push(`${key} of others`);
  }
  assert.deepEqual(wrong, []);
});

test("variables stand for the caller's keys, and have no value where the key has none", async () => {
  const bob = await userWith(cloud, "bob");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the policy
  const Condition = { StringEquals: { "aws:username": "${aws:PrincipalTag/name}" } };
  const statement = allow("s3:GetObject", { Principal: "*", Resource: "arn:aws:s3:::seen/*", Condition });
  await s3.send(new PutBucketPolicyCommand({ Bucket: "seen", Policy: policy(statement) }));
  const read = () => cloud.client(S3Client, bob).send(new GetObjectCommand(OBJECT));
  assert.match(await refusal(read()), /^AccessDenied 403/);
  await iam.send(new TagUserCommand({ UserName: "bob", Tags: [{ Key: "name", Value: "bob" }] }));
  await read();
});

test("members of an organization, and their resources, are of it", async () => {
  await cloud.client(OrganizationsClient).send(new CreateOrganizationCommand({}));
  await expectKeys(
    {
      "aws:PrincipalOrgID": "o-*",
      "aws:PrincipalOrgPaths": "o-*/r-*/",
      "aws:ResourceOrgID": "o-*",
      "aws:ResourceOrgPaths": "o-*/r-*/",
      "aws:SourceOrgID": null,
    },
    reader(alice),
  );
  await expectKeys(
    { "aws:PrincipalOrgID": null, "aws:ResourceOrgID": "o-*" },
    reader({ accessKeyId: "111111111111", secretAccessKey: "test" }),
  );
});
