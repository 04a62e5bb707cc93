import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  DeleteOpenIDConnectProviderCommand,
  IAMClient,
  ListRolesCommand,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import {
  AssumeRoleWithWebIdentityCommand,
  type AssumeRoleWithWebIdentityCommandInput,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { type Key, startCloud, type TestCloud } from "../../../test/cloud.ts";
import { AUDIENCE, type Issuer, SUBJECT, startIssuer } from "../../../test/issuer.ts";
import { allow, policy, refusal } from "../../../test/principals.ts";

const RoleArn = "arn:aws:iam::000000000000:role/deploy";
const DENIED = "AccessDenied 403 Not authorized to perform sts:AssumeRoleWithWebIdentity";

const trusting = (provider: string, Condition: object = {}, more: string[] = []): string =>
  policy({
    Effect: "Allow",
    Principal: { Federated: provider },
    Action: ["sts:AssumeRoleWithWebIdentity", ...more],
    Condition,
  });

/** A provider in IAM for the issuer, and a role `deploy` that may list roles and trusts what `condition` says of the token. */
async function withRole(cloud: TestCloud, issuer: Issuer, condition: (host: string) => object = () => ({})) {
  const iam = cloud.client(IAMClient);
  const input = { Url: issuer.url, ClientIDList: [AUDIENCE], ThumbprintList: ["0".repeat(40)] };
  const { OpenIDConnectProviderArn } = await iam.send(new CreateOpenIDConnectProviderCommand(input));
  const provider = OpenIDConnectProviderArn!;
  const host = issuer.url.replace("http://", "");
  const AssumeRolePolicyDocument = trusting(provider, condition(host));
  await iam.send(new CreateRoleCommand({ RoleName: "deploy", AssumeRolePolicyDocument }));
  const PolicyDocument = policy(allow("iam:ListRoles"));
  await iam.send(new PutRolePolicyCommand({ RoleName: "deploy", PolicyName: "p", PolicyDocument }));
  return { iam, provider, host };
}

function assume(cloud: TestCloud, token: string, more: Partial<AssumeRoleWithWebIdentityCommandInput> = {}) {
  const input = { RoleArn, RoleSessionName: "app", WebIdentityToken: token, ...more };
  return cloud.client(STSClient).send(new AssumeRoleWithWebIdentityCommand(input));
}

async function session(cloud: TestCloud, token: string, more: Partial<AssumeRoleWithWebIdentityCommandInput> = {}) {
  const { Credentials: given } = await assume(cloud, token, more);
  return {
    accessKeyId: given!.AccessKeyId!,
    secretAccessKey: given!.SecretAccessKey!,
    sessionToken: given!.SessionToken!,
  };
}
const list = (cloud: TestCloud, as: Key) => cloud.client(IAMClient, as).send(new ListRolesCommand({}));

test("whoever holds a token of a configured provider is in the role that trusts him", async () => {
  await using cloud = await startCloud();
  await using issuer = await startIssuer();
  const { provider } = await withRole(cloud, issuer, (host) => ({
    StringEquals: { [`${host}:aud`]: AUDIENCE },
    StringLike: { [`${host}:sub`]: "repo:octo/*" },
  }));
  const answer = await assume(cloud, await issuer.token());
  assert.equal(answer.AssumedRoleUser?.Arn, "arn:aws:sts::000000000000:assumed-role/deploy/app");
  assert.deepEqual(
    [answer.Provider, answer.Audience, answer.SubjectFromWebIdentityToken],
    [provider, AUDIENCE, SUBJECT],
  );
  const as = await session(cloud, await issuer.token(), { DurationSeconds: 900 });
  await list(cloud, as);
  const { Arn } = await cloud.client(STSClient, as).send(new GetCallerIdentityCommand({}));
  assert.equal(Arn, answer.AssumedRoleUser.Arn);
  assert.equal(await refusal(assume(cloud, await issuer.token({ sub: "repo:other/app:x" }))), DENIED);
  assert.equal(await refusal(assume(cloud, await issuer.token(), { RoleArn: `${RoleArn}s` })), DENIED);
  await cloud.advance(901_000);
  assert.match(await refusal(list(cloud, as)), /^ExpiredToken 403/);
});

test("what the token said is known to the role's own policies", async () => {
  await using cloud = await startCloud();
  await using issuer = await startIssuer();
  const { iam, host, provider } = await withRole(cloud, issuer);
  const Condition = {
    StringEquals: { [`${host}:sub`]: SUBJECT, "aws:FederatedProvider": provider },
    "ForAnyValue:StringEquals": { [`${host}:amr`]: "mfa" },
  };
  const PolicyDocument = policy(allow("iam:ListRoles", { Condition }));
  await iam.send(new PutRolePolicyCommand({ RoleName: "deploy", PolicyName: "p", PolicyDocument }));
  await list(cloud, await session(cloud, await issuer.token({ amr: ["pwd", "mfa"] })));
  await assert.rejects(list(cloud, await session(cloud, await issuer.token({ amr: ["pwd"] }))));
});

test("session tags and a source identity in the token want the role's leave of their own", async () => {
  await using cloud = await startCloud();
  await using issuer = await startIssuer();
  const { iam, provider } = await withRole(cloud, issuer);
  const tagged = await issuer.token({
    "https://aws.amazon.com/tags": { principal_tags: { team: ["red"] }, transitive_tag_keys: ["team"] },
    "https://aws.amazon.com/source_identity": "octo",
  });
  const trust = (...more: string[]) =>
    iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "deploy", PolicyDocument: trusting(provider, {}, more) }));
  assert.equal(await refusal(assume(cloud, tagged)), "AccessDenied 403 Not authorized to perform sts:TagSession");
  await trust("sts:TagSession");
  assert.equal(
    await refusal(assume(cloud, tagged)),
    "AccessDenied 403 Not authorized to perform sts:SetSourceIdentity",
  );
  await trust("sts:TagSession", "sts:SetSourceIdentity");
  assert.equal((await assume(cloud, tagged)).SourceIdentity, "octo");
  const Condition = { StringEquals: { "aws:PrincipalTag/team": "red", "aws:SourceIdentity": "octo" } };
  const PolicyDocument = policy(allow("iam:ListRoles", { Condition }));
  await iam.send(new PutRolePolicyCommand({ RoleName: "deploy", PolicyName: "p", PolicyDocument }));
  await list(cloud, await session(cloud, tagged));
  await assert.rejects(list(cloud, await session(cloud, await issuer.token())));
});

test("a token is refused where its provider is not configured, and session limits are as everywhere", async () => {
  await using cloud = await startCloud();
  await using issuer = await startIssuer();
  const { iam, provider } = await withRole(cloud, issuer);
  const token = await issuer.token();
  const nothing = await session(cloud, token, { Policy: policy(allow("s3:*")) });
  assert.match(await refusal(list(cloud, nothing)), /no session policy allows/);
  for (const [more, expected] of [
    [{ DurationSeconds: 7200 }, /^ValidationError 400 The requested DurationSeconds exceeds the MaxSessionDuration/],
    [{ Policy: "{" }, /^MalformedPolicyDocument 400/],
    [{ ProviderId: "www.amazon.com" }, /^NotImplemented 501 .* AssumeRoleWithWebIdentity's ProviderId yet/],
    [{ RoleArn: "arn:aws:iam::1:role/deploy-it" }, /^ValidationError 400 arn:aws:iam::1:role\/deploy-it is invalid/],
  ] as const)
    assert.match(await refusal(assume(cloud, token, more)), expected);
  await iam.send(new DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn: provider }));
  assert.equal(
    await refusal(assume(cloud, token)),
    `InvalidIdentityToken 400 No OpenIDConnect provider found in your account for ${issuer.url}`,
  );
});
