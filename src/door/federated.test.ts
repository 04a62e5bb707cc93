// What a federated user may: what both who asked for the token and its session policies allow, and what a resource grants to itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { GetFederationTokenCommand, STSClient } from "@aws-sdk/client-sts";
import { type Key, startCloud, type TestCloud } from "../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../test/principals.ts";

const OBJECT = { Bucket: "photos", Key: "one.jpg" };
const FRED = "arn:aws:sts::000000000000:federated-user/fred";

async function fred(cloud: TestCloud, { by, may }: { by?: Key; may?: object }): Promise<Key> {
  const Policy = may && policy(may);
  const { Credentials } = await cloud
    .client(STSClient, by)
    .send(new GetFederationTokenCommand({ Name: "fred", Policy }));
  const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!;
  return { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! };
}

test("the session's policies limit what its user, or root, may; a bucket may name the user, or the session itself", async () => {
  await using cloud = await startCloud();
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: OBJECT.Bucket }));
  await s3.send(new PutObjectCommand({ ...OBJECT, Body: "meow" }));
  const get = (as: Key) => cloud.client(S3Client, as).send(new GetObjectCommand(OBJECT));
  const open = (AWS: string) =>
    s3.send(
      new PutBucketPolicyCommand({
        Bucket: OBJECT.Bucket,
        Policy: policy(allow("s3:GetObject", { Principal: { AWS }, Resource: "arn:aws:s3:::photos/*" })),
      }),
    );
  const alice = await userWith(cloud, "alice", { may: policy(allow("sts:GetFederationToken")) });
  const reader = await fred(cloud, { by: alice, may: allow("s3:GetObject") });
  const writer = await fred(cloud, { by: alice, may: allow("s3:PutObject") });

  await get(await fred(cloud, { may: allow("s3:GetObject") }));
  assert.match(
    await refusal(get(await fred(cloud, { may: allow("s3:PutObject") }))),
    /because no session policy allows/,
  );
  assert.match(
    await refusal(get(reader)),
    new RegExp(`^AccessDenied 403 User: ${FRED} is .* because no identity-based policy`),
  );
  await open("arn:aws:iam::000000000000:user/alice");
  await get(reader);
  assert.match(await refusal(get(writer)), /because no session policy allows/);
  await open(FRED);
  await get(writer);
});
