import assert from "node:assert/strict";
import { test } from "node:test";
import * as sdk from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { LAMBDA, refusal, userWith } from "../../../test/principals.ts";
import { iam } from "./service.ts";

/** More than any operation asks for: what it does not know it leaves out. */
const INPUT = {
  RoleName: "r",
  UserName: "u",
  GroupName: "g",
  PermissionsBoundary: "arn:aws:iam::aws:policy/AdministratorAccess",
  SerialNumber: "arn:aws:iam::000000000000:mfa/d",
  VirtualMFADeviceName: "d",
  AuthenticationCode1: "123456",
  AuthenticationCode2: "123456",
  OldPassword: "x",
  NewPassword: "y",
  Password: "y",
  SSHPublicKeyId: "APKAAAAAAAAAAAAAAAAA",
  SSHPublicKeyBody: "ssh-rsa x",
  Encoding: "SSH",
  CertificateId: "AAAAAAAAAAAAAAAAAAAAAAAA",
  CertificateBody: "x",
  PrivateKey: "x",
  ServerCertificateName: "c",
  ServiceName: "codecommit.amazonaws.com",
  ServiceSpecificCredentialId: "ACCAAAAAAAAAAAAAAAAAA",
  AccountAlias: "an-alias",
  Arn: "arn:aws:iam::000000000000:user/nobody",
  JobId: "0".repeat(36),
  ServiceNamespace: "s3",
  ServiceNamespaces: ["s3"],
  InstanceProfileName: "i",
  PolicySourceArn: "arn:aws:iam::000000000000:user/nobody",
  PolicyInputList: [LAMBDA],
  ActionNames: ["s3:GetObject"],
  AWSServiceName: "ecs.amazonaws.com",
  DeletionTaskId: "task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/x",
  Url: "https://example.com",
  OpenIDConnectProviderArn: "arn:aws:iam::000000000000:oidc-provider/example.com",
  ClientID: "c",
  ThumbprintList: [],
  SAMLProviderArn: "arn:aws:iam::000000000000:saml-provider/p",
  SAMLMetadataDocument: "x".repeat(1000),
  Name: "p",
  PolicyName: "p",
  PolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess",
  PolicyDocument: LAMBDA,
  AssumeRolePolicyDocument: LAMBDA,
  VersionId: "v1",
  AccessKeyId: "AKIAAAAAAAAAAAAAAAAA",
  Status: "Active",
  Description: "d",
  Tags: [],
  TagKeys: [],
};

const commands = new Map<string, unknown>(Object.entries(sdk));

test("who may do nothing is denied every operation, by its own name", async () => {
  await using cloud = await startCloud();
  const client = cloud.client(sdk.IAMClient, await userWith(cloud, "nobody"));
  for (const operation of Object.keys(iam.operations)) {
    const Command = commands.get(`${operation}Command`) as typeof sdk.GetRoleCommand;
    const denied = await refusal(client.send(new Command(INPUT)));
    assert.match(denied, new RegExp(`^AccessDenied 403 .* perform: iam:${operation} on resource: `), operation);
  }
});
