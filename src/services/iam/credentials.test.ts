// SSH keys, certificates and service-specific credentials of users.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import * as sdk from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const run = promisify(execFile);
const alice = { UserName: "alice" };
let dir: string;
/** PEM of an authority and of a server that it signed, with the server's key. */
let authority: string;
let server: string;
let serverKey: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "aws-like-certificates-"));
  const openssl = (...args: string[]) => run("openssl", args, { cwd: dir });
  const fresh = ["-newkey", "rsa:2048", "-nodes"];
  await openssl(
    "req",
    "-x509",
    ...fresh,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=authority",
    "-days",
    "30",
  );
  await openssl("req", ...fresh, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server");
  const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7", "-days", "10"];
  await openssl("x509", "-req", "-in", "server.csr", ...by, "-out", "server.pem");
  const read = (name: string) => readFile(join(dir, name), "utf8");
  authority = await read("ca.pem");
  server = await read("server.pem");
  serverKey = await read("server.key");
});
after(() => rm(dir, { recursive: true, force: true }));

test("an SSH key is uploaded in either encoding, and told in the one that is asked for", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateUserCommand(alice));
  await run("ssh-keygen", ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM", "-f", join(dir, "id")]);
  const ssh = (await readFile(join(dir, "id.pub"), "utf8")).trim();
  const { stdout } = await run("ssh-keygen", ["-l", "-E", "md5", "-f", join(dir, "id.pub")]);
  const upload = (SSHPublicKeyBody: string) =>
    iam.send(new sdk.UploadSSHPublicKeyCommand({ ...alice, SSHPublicKeyBody }));
  const { SSHPublicKey: key } = await upload(ssh);
  assert.match(key!.SSHPublicKeyId!, /^APKA[A-Z2-7]{17}$/);
  assert.equal(key?.SSHPublicKeyBody, ssh.split(" ").slice(0, 2).join(" "));
  assert.ok(stdout.includes(`MD5:${key.Fingerprint}`), stdout);
  const id = { ...alice, SSHPublicKeyId: key.SSHPublicKeyId };
  const get = async (Encoding: "SSH" | "PEM") =>
    (await iam.send(new sdk.GetSSHPublicKeyCommand({ ...id, Encoding }))).SSHPublicKey?.SSHPublicKeyBody;
  assert.equal(await get("SSH"), key.SSHPublicKeyBody);
  const { stdout: exported } = await run("ssh-keygen", ["-e", "-m", "PKCS8", "-f", join(dir, "id.pub")]);
  assert.equal((await get("PEM"))?.trim(), exported.trim());

  const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  const curve = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const pem = (of: typeof short) => of.export({ format: "pem", type: "spki" }) as string;
  const wrong: [string, string][] = [
    ["ssh-rsa AAAA", "InvalidPublicKey 400 The specified public key is not valid."],
    ["alice", "UnrecognizedPublicKeyEncoding 400 Invalid public key uploaded."],
    [pem(short), "InvalidPublicKey 400 The specified public key is not valid."],
    [pem(curve), "InvalidPublicKey 400 The specified public key is not valid."],
    [exported, "DuplicateSSHPublicKey 400 The SSH public key is already associated with the specified IAM user."],
  ];
  for (const [body, words] of wrong) assert.equal(await refusal(upload(body)), words);
  const { SSHPublicKey: second } = await upload(pem(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey));
  const inPem = { ...alice, SSHPublicKeyId: second?.SSHPublicKeyId, Encoding: "PEM" } as const;
  const { SSHPublicKey: told } = await iam.send(new sdk.GetSSHPublicKeyCommand(inPem));
  assert.equal(createPublicKey(told!.SSHPublicKeyBody!).asymmetricKeyDetails?.modulusLength, 2048);
  // Any number will do for a modulus: nobody asks for its factors.
  const further = () =>
    `ssh-rsa ${Buffer.concat([Buffer.from("00000007", "hex"), Buffer.from("ssh-rsa"), Buffer.from("00000003010001000001010080", "hex"), randomBytes(255)]).toString("base64")}`;
  for (let at = 3; at <= 5; at++) await upload(further());
  assert.equal(await refusal(upload(further())), "LimitExceeded 409 Cannot exceed quota for SSHPublicKeysPerUser: 5");

  await iam.send(new sdk.UpdateSSHPublicKeyCommand({ ...id, Status: "Inactive" }));
  const { SSHPublicKeys } = await iam.send(new sdk.ListSSHPublicKeysCommand(alice));
  assert.deepEqual(
    SSHPublicKeys?.filter(({ Status }) => Status === "Inactive").map((one) => one.SSHPublicKeyId),
    [id.SSHPublicKeyId],
  );
  assert.equal(
    await refusal(iam.send(new sdk.DeleteUserCommand(alice))),
    "DeleteConflict 409 Cannot delete entity, must remove referenced objects first.",
  );
  await iam.send(new sdk.DeleteSSHPublicKeyCommand(id));
  assert.match(await refusal(iam.send(new sdk.DeleteSSHPublicKeyCommand(id))), /^NoSuchEntity 404 /);
});

test("a signing certificate is a certificate; a user has two at most", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateUserCommand(alice));
  const upload = (CertificateBody: string) =>
    iam.send(new sdk.UploadSigningCertificateCommand({ ...alice, CertificateBody }));
  assert.match(await refusal(upload("no certificate")), /^MalformedCertificate 400 Unable to parse certificate/);
  const { Certificate } = await upload(authority);
  assert.match(Certificate!.CertificateId!, /^[A-Z2-7]{32}$/);
  assert.equal(Certificate?.CertificateBody, authority);
  assert.match(await refusal(upload(authority)), /^DuplicateCertificate 409 /);
  await upload(server);
  const other = await run("openssl", ["req", "-x509", "-key", join(dir, "server.key"), "-subj", "/CN=o", "-days", "9"]);
  assert.equal(
    await refusal(upload(other.stdout)),
    "LimitExceeded 409 Cannot exceed quota for SigningCertificatesPerUser: 2",
  );
  const id = { ...alice, CertificateId: Certificate.CertificateId };
  const update = (Status: sdk.StatusType) => iam.send(new sdk.UpdateSigningCertificateCommand({ ...id, Status }));
  await update("Inactive");
  assert.match(await refusal(update("Expired")), /^ValidationError 400 .* 'status' failed to satisfy constraint/);
  const { Certificates } = await iam.send(new sdk.ListSigningCertificatesCommand(alice));
  assert.deepEqual(Certificates?.map(({ Status }) => Status).sort(), ["Active", "Inactive"]);
  assert.match(await refusal(iam.send(new sdk.DeleteUserCommand(alice))), /must delete signing certificates first/);
  await iam.send(new sdk.DeleteSigningCertificateCommand(id));
  assert.match(
    await refusal(iam.send(new sdk.DeleteSigningCertificateCommand(id))),
    /^NoSuchEntity 404 The Certificate with id /,
  );
  await cloud.advance(11 * 24 * 3600_000);
  assert.match(await refusal(upload(server)), /^InvalidCertificate 400 /);
});

test("a server certificate is kept with its key and its chain, which must belong together", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const name = { ServerCertificateName: "web" };
  const upload = (more: object) =>
    iam.send(
      new sdk.UploadServerCertificateCommand({ ...name, CertificateBody: server, PrivateKey: serverKey, ...more }),
    );
  const wrong: [object, RegExp][] = [
    [{ CertificateBody: "x" }, /^MalformedCertificate 400 Unable to parse certificate/],
    [{ CertificateBody: authority }, /^KeyPairMismatch 400 /],
    [{ PrivateKey: "x" }, /^MalformedCertificate 400 Unable to parse key/],
    [{ CertificateChain: server }, /^MalformedCertificate 400 Unable to validate certificate chain/],
  ];
  for (const [more, words] of wrong) assert.match(await refusal(upload(more)), words);
  const { ServerCertificateMetadata: made } = await upload({
    CertificateChain: authority,
    Path: "/a/",
    Tags: [{ Key: "k", Value: "v" }],
  });
  assert.equal(made?.Arn, "arn:aws:iam::000000000000:server-certificate/a/web");
  assert.match(made.ServerCertificateId!, /^ASCA[A-Z2-7]{17}$/);
  assert.match(await refusal(upload({ ServerCertificateName: "WEB" })), /^EntityAlreadyExists 409 /);
  const { ServerCertificate } = await iam.send(new sdk.GetServerCertificateCommand(name));
  assert.deepEqual(ServerCertificate?.ServerCertificateMetadata, made);
  assert.deepEqual([ServerCertificate?.CertificateBody, ServerCertificate?.CertificateChain], [server, authority]);
  assert.deepEqual(ServerCertificate?.Tags, [{ Key: "k", Value: "v" }]);
  await iam.send(new sdk.UpdateServerCertificateCommand({ ...name, NewServerCertificateName: "shop", NewPath: "/b/" }));
  assert.equal(
    await refusal(iam.send(new sdk.GetServerCertificateCommand(name))),
    "NoSuchEntity 404 The Server Certificate with name web cannot be found.",
  );
  const shop = { ServerCertificateName: "shop" };
  const { ServerCertificateMetadataList } = await iam.send(
    new sdk.ListServerCertificatesCommand({ PathPrefix: "/b/" }),
  );
  assert.deepEqual(
    ServerCertificateMetadataList?.map(({ Arn }) => Arn),
    ["arn:aws:iam::000000000000:server-certificate/b/shop"],
  );
  await upload({});
  assert.match(
    await refusal(iam.send(new sdk.UpdateServerCertificateCommand({ ...name, NewServerCertificateName: "Shop" }))),
    /^EntityAlreadyExists 409 /,
  );
  await iam.send(new sdk.TagServerCertificateCommand({ ...shop, Tags: [{ Key: "x", Value: "y" }] }));
  await iam.send(new sdk.UntagServerCertificateCommand({ ...shop, TagKeys: ["k"] }));
  assert.deepEqual((await iam.send(new sdk.ListServerCertificateTagsCommand(shop))).Tags, [{ Key: "x", Value: "y" }]);
  for (let at = 3; at <= 20; at++) await upload({ ServerCertificateName: `c${at}` });
  assert.equal(
    await refusal(upload({ ServerCertificateName: "c21" })),
    "LimitExceeded 409 Cannot exceed quota for ServerCertificatesPerAccount: 20",
  );
  await iam.send(new sdk.DeleteServerCertificateCommand(shop));
  assert.match(await refusal(iam.send(new sdk.DeleteServerCertificateCommand(shop))), /^NoSuchEntity 404 /);
});

test("a service-specific credential is made, made inactive, reset and deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateUserCommand(alice));
  await iam.send(new sdk.CreateUserCommand({ UserName: "bob" }));
  const ServiceName = "codecommit.amazonaws.com";
  const create = (more: object = {}) =>
    iam.send(new sdk.CreateServiceSpecificCredentialCommand({ ...alice, ServiceName, ...more }));
  const { ServiceSpecificCredential: made } = await create();
  assert.equal(made?.ServiceUserName, "alice-at-000000000000");
  assert.ok(made.ServicePassword);
  assert.match(made.ServiceSpecificCredentialId!, /^ACCA[A-Z2-7]{17}$/);
  const { ServiceSpecificCredential: second } = await create();
  assert.equal(second?.ServiceUserName, "alice+1-at-000000000000");
  const unsupported = (name: string) =>
    `NoSuchEntity 404 No such service ${name} is supported for Service Specific Credentials`;
  const wrong: [object, string][] = [
    [{}, "LimitExceeded 409 Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2"],
    [{ UserName: "none", ServiceName: "x" }, "NoSuchEntity 404 The user with name none cannot be found."],
    [{ ServiceName: "lambda.amazonaws.com" }, unsupported("lambda.amazonaws.com")],
    [
      { ServiceName: "bedrock.amazonaws.com" },
      "NotImplemented 501 aws-like does not implement API keys of bedrock.amazonaws.com yet.",
    ],
    [
      { CredentialAgeDays: 3 },
      "NotImplemented 501 aws-like does not implement CreateServiceSpecificCredential's CredentialAgeDays yet.",
    ],
  ];
  for (const [more, words] of wrong) assert.equal(await refusal(create(more)), words);
  const key = "iam:ServiceSpecificCredentialServiceName";
  const may = policy(allow("iam:*", { Condition: { StringEquals: { [key]: "cassandra.amazonaws.com" } } }));
  const asCarol = cloud.client(sdk.IAMClient, await userWith(cloud, "carol", { may }));
  const byCarol = (name: string) =>
    asCarol.send(new sdk.CreateServiceSpecificCredentialCommand({ UserName: "carol", ServiceName: name }));
  assert.match(await refusal(byCarol(ServiceName)), /^AccessDenied 403 /);
  await byCarol("cassandra.amazonaws.com");
  const id = { ...alice, ServiceSpecificCredentialId: made.ServiceSpecificCredentialId };
  await iam.send(new sdk.UpdateServiceSpecificCredentialCommand({ ...id, Status: "Inactive" }));
  const { ServiceSpecificCredential: reset } = await iam.send(new sdk.ResetServiceSpecificCredentialCommand(id));
  assert.notEqual(reset?.ServicePassword, made.ServicePassword);
  const { ServicePassword: _, ...told } = made;
  assert.deepEqual(reset, { ...told, Status: "Inactive", ServicePassword: reset!.ServicePassword });
  const list = async (input: object) =>
    (await iam.send(new sdk.ListServiceSpecificCredentialsCommand(input))).ServiceSpecificCredentials?.map(
      ({ UserName, ServicePassword }: sdk.ServiceSpecificCredential) => [UserName, ServicePassword],
    );
  assert.deepEqual(await list(alice), [
    ["alice", undefined],
    ["alice", undefined],
  ]);
  assert.deepEqual(await list({ ...alice, ServiceName: "cassandra.amazonaws.com" }), []);
  assert.equal(await refusal(list({ ...alice, ServiceName: "x" })), unsupported("x"));
  await create({ UserName: "bob" });
  assert.equal((await list({ AllUsers: true }))?.length, 4);
  assert.equal(
    await refusal(iam.send(new sdk.DeleteServiceSpecificCredentialCommand({ ...id, UserName: "bob" }))),
    `NoSuchEntity 404 No such credential ${id.ServiceSpecificCredentialId} exists`,
  );
  assert.match(await refusal(iam.send(new sdk.DeleteUserCommand(alice))), /must remove referenced objects first/);
  await iam.send(new sdk.DeleteServiceSpecificCredentialCommand(id));
});
