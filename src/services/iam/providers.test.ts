import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddClientIDToOpenIDConnectProviderCommand,
  CreateOpenIDConnectProviderCommand,
  CreateSAMLProviderCommand,
  DeleteOpenIDConnectProviderCommand,
  DeleteSAMLProviderCommand,
  GetOpenIDConnectProviderCommand,
  GetSAMLProviderCommand,
  IAMClient,
  ListOpenIDConnectProvidersCommand,
  ListOpenIDConnectProviderTagsCommand,
  ListSAMLProvidersCommand,
  ListSAMLProviderTagsCommand,
  RemoveClientIDFromOpenIDConnectProviderCommand,
  TagOpenIDConnectProviderCommand,
  TagSAMLProviderCommand,
  UntagOpenIDConnectProviderCommand,
  UntagSAMLProviderCommand,
  UpdateOpenIDConnectProviderThumbprintCommand,
  UpdateSAMLProviderCommand,
} from "@aws-sdk/client-iam";
import { startCloud } from "../../../test/cloud.ts";
import { refusal } from "../../../test/principals.ts";

/** Self-signed, of nobody. */
const CERTIFICATE =
  "MIIBczCCARmgAwIBAgIUd44lL7HjHBFwS1IfVqqgA0z7RQMwCgYIKoZIzj0EAwIwDjEMMAoGA1UEAwwDaWRwMCAXDTI2MTEyMjIyNTUwOVoYDzIxMjYxMDI5MjI1NTA5WjAOMQwwCgYDVQQDDANpZHAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQU4rgJ0KxEoYSrFhQWNoucY6707Qebuf9/vfzpQ85K1OdE7RmhNf6d8FPjxoE8e9u4M76PloEw95DUgpTPhGAko1MwUTAdBgNVHQ4EFgQUo8u1iuqNipAA61Qz/XzptVUrXvswHwYDVR0jBBgwFoAUo8u1iuqNipAA61Qz/XzptVUrXvswDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBoes4md75RQRf9FH8sUrdfqB1QJsohfqjZ1BujxQ1B7QIhAP4DQ5a/UicCoUUw0JiOAZNA1SJQtq/2a6VMy1gEsjkh";

const metadata = (more = "", certificate = CERTIFICATE) => `<?xml version="1.0"?>
<!-- ${"x".repeat(400)} -->
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com/"${more}>
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
      <ds:X509Certificate>${certificate}</ds:X509Certificate>
    </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>`;

const THUMBPRINT = "A".repeat(40);

test("an OpenID Connect provider is made, changed, tagged, listed and deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const made = await iam.send(
    new CreateOpenIDConnectProviderCommand({
      Url: "https://token.example.com/realm",
      ClientIDList: ["a", "b", "a"],
      ThumbprintList: [THUMBPRINT],
      Tags: [{ Key: "k", Value: "v" }],
    }),
  );
  const about = { OpenIDConnectProviderArn: made.OpenIDConnectProviderArn! };
  assert.equal(about.OpenIDConnectProviderArn, "arn:aws:iam::000000000000:oidc-provider/token.example.com/realm");
  assert.deepEqual(made.Tags, [{ Key: "k", Value: "v" }]);
  const get = () => iam.send(new GetOpenIDConnectProviderCommand(about));
  const found = await get();
  assert.equal(found.Url, "token.example.com/realm");
  assert.deepEqual([found.ClientIDList, found.ThumbprintList], [["a", "b"], [THUMBPRINT.toLowerCase()]]);

  await iam.send(new AddClientIDToOpenIDConnectProviderCommand({ ...about, ClientID: "c" }));
  await iam.send(new AddClientIDToOpenIDConnectProviderCommand({ ...about, ClientID: "c" }));
  await iam.send(new RemoveClientIDFromOpenIDConnectProviderCommand({ ...about, ClientID: "a" }));
  await iam.send(new UpdateOpenIDConnectProviderThumbprintCommand({ ...about, ThumbprintList: ["b".repeat(40)] }));
  await iam.send(new TagOpenIDConnectProviderCommand({ ...about, Tags: [{ Key: "x", Value: "y" }] }));
  await iam.send(new UntagOpenIDConnectProviderCommand({ ...about, TagKeys: ["k"] }));
  const changed = await get();
  assert.deepEqual(
    [changed.ClientIDList, changed.ThumbprintList, changed.Tags],
    [["b", "c"], ["b".repeat(40)], [{ Key: "x", Value: "y" }]],
  );
  assert.deepEqual((await iam.send(new ListOpenIDConnectProviderTagsCommand(about))).Tags, changed.Tags);
  const list = async () => (await iam.send(new ListOpenIDConnectProvidersCommand({}))).OpenIDConnectProviderList;
  assert.deepEqual(await list(), [{ Arn: about.OpenIDConnectProviderArn }]);

  await iam.send(new DeleteOpenIDConnectProviderCommand(about));
  await iam.send(new DeleteOpenIDConnectProviderCommand(about));
  assert.deepEqual(await list(), []);
  assert.equal(
    await refusal(get()),
    `NoSuchEntity 404 OpenIDConnect Provider not found for arn ${about.OpenIDConnectProviderArn}`,
  );
});

test("an issuer speaks HTTPS without a port, unless it is on this machine", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const create = (Url: string, more: object = {}) => iam.send(new CreateOpenIDConnectProviderCommand({ Url, ...more }));
  const bad = "ValidationError 400 Invalid Open ID Connect Provider URL";
  for (const url of [
    "http://a.example.com",
    "https://a.example.com:8443",
    "https://a.example.com?x=1",
    "a.example.com",
    "ftp://localhost",
  ])
    assert.equal(await refusal(create(url)), bad, url);
  for (const url of [
    "https://a.example.com",
    "http://localhost:8080/realms/x",
    "http://127.0.0.1:9/",
    "https://localhost:1",
  ])
    await create(url);
  assert.equal(
    await refusal(create("https://a.example.com")),
    "EntityAlreadyExists 409 Provider with url https://a.example.com already exists.",
  );
  assert.match(
    await refusal(create("https://b.example.com", { ThumbprintList: Array(6).fill(THUMBPRINT) })),
    /^InvalidInput 400 Thumbprint list/,
  );
  const many = Array.from({ length: 101 }, (_, at) => `c${at}`);
  assert.equal(
    await refusal(create("https://b.example.com", { ClientIDList: many })),
    "LimitExceeded 409 Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100",
  );
});

test("a SAML provider keeps metadata that can be read", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  const create = (Name: string, SAMLMetadataDocument: string, more: object = {}) =>
    iam.send(new CreateSAMLProviderCommand({ Name, SAMLMetadataDocument, ...more }));
  const document = metadata(' validUntil="2040-01-02T03:04:05Z"');
  const { SAMLProviderArn } = await create("corp", document, { Tags: [{ Key: "k", Value: "v" }] });
  const about = { SAMLProviderArn: SAMLProviderArn! };
  assert.equal(SAMLProviderArn, "arn:aws:iam::000000000000:saml-provider/corp");
  const get = () => iam.send(new GetSAMLProviderCommand(about));
  const found = await get();
  assert.deepEqual(
    [found.SAMLMetadataDocument, found.ValidUntil?.toISOString(), found.Tags],
    [document, "2040-01-02T03:04:05.000Z", [{ Key: "k", Value: "v" }]],
  );
  await iam.send(new UpdateSAMLProviderCommand({ ...about, SAMLMetadataDocument: metadata() }));
  const years = (await get()).ValidUntil!.getUTCFullYear() - found.CreateDate!.getUTCFullYear();
  assert.equal(years, 100);
  await iam.send(new TagSAMLProviderCommand({ ...about, Tags: [{ Key: "x", Value: "y" }] }));
  await iam.send(new UntagSAMLProviderCommand({ ...about, TagKeys: ["k"] }));
  assert.deepEqual((await iam.send(new ListSAMLProviderTagsCommand(about))).Tags, [{ Key: "x", Value: "y" }]);
  const list = async () => (await iam.send(new ListSAMLProvidersCommand({}))).SAMLProviderList?.map(({ Arn }) => Arn);
  assert.deepEqual(await list(), [SAMLProviderArn]);
  assert.match(await refusal(create("corp", document)), /^EntityAlreadyExists 409/);

  const unreadable = {
    "no XML": "x".repeat(1000),
    "cut short": document.slice(0, -10),
    "of no identity provider": document.replaceAll("IDPSSODescriptor", "SPSSODescriptor"),
    "with a broken certificate": metadata("", "AAAA"),
    "with a DTD": document.replace("<md:Entity", "<!DOCTYPE a><md:Entity"),
    "without an entity's id": document.replace("entityID", "entity"),
  };
  for (const [what, text] of Object.entries(unreadable))
    assert.equal(await refusal(create("other", text)), "InvalidInput 400 Could not parse metadata", what);
  assert.match(
    await refusal(create("other", document, { AssertionEncryptionMode: "Required" })),
    /^NotImplemented 501 .*CreateSAMLProvider's AssertionEncryptionMode/,
  );
  await iam.send(new DeleteSAMLProviderCommand(about));
  assert.equal(await refusal(get()), `NoSuchEntity 404 Manifest not found for arn ${SAMLProviderArn}`);
  assert.match(await refusal(iam.send(new DeleteSAMLProviderCommand(about))), /^NoSuchEntity/);
});
