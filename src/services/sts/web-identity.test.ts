import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UnsecuredJWT } from "jose";
import { AUDIENCE, type Issuer, SUBJECT, startIssuer } from "../../../test/issuer.ts";
import { AwsError } from "../../kernel/mod.ts";
import { Issuers, verifyWebIdentity } from "./web-identity.ts";

const ARN = "arn:aws:iam::000000000000:oidc-provider/";

const verify = (token: string, { clientIds = [AUDIENCE], issuers = new Issuers() } = {}) =>
  verifyWebIdentity(token, { issuers, providerOf: async (host) => ({ arn: ARN + host, clientIds }) });

async function refused(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AwsError, `no AwsError, but ${error}`);
  return `${error.code} ${error.status} ${error.message}`;
}

const NO_KEYS =
  "InvalidIdentityToken 400 Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";

for (const alg of ["RS256", "ES256"])
  test(`a token signed with ${alg} is its subject's, and the keys are fetched once`, async () => {
    await using issuer = await startIssuer(alg);
    const issuers = new Issuers();
    const host = issuer.url.replace("http://", "");
    const identity = await verify(await issuer.token({ amr: ["mfa", "pwd"] }), { issuers });
    assert.deepEqual(identity, {
      provider: ARN + host,
      host,
      subject: SUBJECT,
      audience: AUDIENCE,
      claims: { [`${host}:aud`]: [AUDIENCE], [`${host}:sub`]: [SUBJECT], [`${host}:amr`]: ["mfa", "pwd"] },
      tags: {},
      transitiveTags: [],
      sourceIdentity: undefined,
    });
    await verify(await issuer.token(), { issuers });
    assert.deepEqual(issuer.asked, ["/.well-known/openid-configuration", "/keys"]);
  });

test("who asked for the token comes before whom it is for", async () => {
  await using issuer = await startIssuer();
  const token = await issuer.token({ aud: ["other", AUDIENCE], azp: "app" });
  assert.equal((await verify(token, { clientIds: ["app"] })).audience, "app");
  assert.equal(await refused(verify(token)), "InvalidIdentityToken 400 Incorrect token audience");
  const several = await issuer.token({ aud: ["other", AUDIENCE] });
  assert.equal((await verify(several)).audience, AUDIENCE);
});

test("session tags and a source identity are claims, in one or each by itself", async () => {
  await using issuer = await startIssuer();
  const AWS = "https://aws.amazon.com";
  const nested = {
    [`${AWS}/tags`]: { principal_tags: { Project: ["red"], Team: ["one"] }, transitive_tag_keys: ["Team"] },
    [`${AWS}/source_identity`]: "octo",
  };
  const flat = {
    [`${AWS}/tags/principal_tags/Project`]: "red",
    [`${AWS}/tags/principal_tags/Team`]: ["one"],
    [`${AWS}/tags/transitive_tag_keys`]: ["Team"],
    [`${AWS}/source_identity`]: "octo",
  };
  for (const claims of [nested, flat]) {
    const { tags, transitiveTags, sourceIdentity } = await verify(await issuer.token(claims));
    assert.deepEqual(
      { tags, transitiveTags, sourceIdentity },
      {
        tags: { Project: "red", Team: "one" },
        transitiveTags: ["Team"],
        sourceIdentity: "octo",
      },
    );
  }
});

describe("a token is refused", () => {
  const past = Math.floor(Date.now() / 1000) - 60;
  const cases: [string, (issuer: Issuer) => Promise<string>, RegExp | string][] = [
    [
      "that is none",
      async () => "ya29.access",
      "InvalidIdentityToken 400 The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
    ],
    ...["iss", "sub", "aud", "exp"].map((name): (typeof cases)[number] => [
      `without ${name}`,
      (issuer) => issuer.token({ [name]: undefined }),
      `InvalidIdentityToken 400 Missing a required claim: ${name}`,
    ]),
    [
      "whose issuer is no text",
      (issuer) => issuer.token({ iss: 1 }),
      /^InvalidIdentityToken 400 The ID Token provided is not/,
    ],
    [
      "with a source identity of other letters",
      (issuer) => issuer.token({ "https://aws.amazon.com/source_identity": "aws:x" }),
      "InvalidIdentityToken 400 The claim https://aws.amazon.com/source_identity is invalid",
    ],
    [
      "with a tag of other letters",
      (issuer) => issuer.token({ "https://aws.amazon.com/tags/principal_tags/a": ["<b>"] }),
      "InvalidIdentityToken 400 The claim https://aws.amazon.com/tags is invalid",
    ],
    [
      "that is over",
      (issuer) => issuer.token({ exp: past }),
      /^ExpiredTokenException 400 Token expired: current date\/time \d+ must be before the expiration date\/time\d+$/,
    ],
    [
      "before its time",
      (issuer) => issuer.token({ nbf: past + 3600 }),
      /^InvalidIdentityToken 400 The token is not valid yet/,
    ],
    ["of a key that the issuer has not", (issuer) => issuer.token({}, { kid: "two" }), NO_KEYS],
    [
      "of another's key",
      async (issuer) => {
        await using other = await startIssuer();
        return await other.token({ iss: issuer.url });
      },
      /^InvalidIdentityToken 400 The signature of the token is invalid/,
    ],
    [
      "that was changed",
      async (issuer) => {
        const [head, , signature] = (await issuer.token()).split(".");
        const claims = JSON.parse(Buffer.from((await issuer.token()).split(".")[1]!, "base64url").toString()) as object;
        return [head, Buffer.from(JSON.stringify({ ...claims, sub: "root" })).toString("base64url"), signature].join(
          ".",
        );
      },
      /^InvalidIdentityToken 400 The signature of the token is invalid/,
    ],
    [
      "that is not signed",
      async (issuer) => new UnsecuredJWT({ iss: issuer.url, sub: "x", aud: AUDIENCE }).setExpirationTime("1h").encode(),
      /^InvalidIdentityToken 400/,
    ],
    [
      "of an issuer on plain HTTP elsewhere",
      (issuer) => issuer.token({ iss: "http://issuer.example.com" }),
      "InvalidIdentityToken 400 No OpenIDConnect provider found in your account for http://issuer.example.com",
    ],
    [
      "of an issuer that says it is another",
      async (issuer) => {
        const said = JSON.stringify({ issuer: "https://other", jwks_uri: `${issuer.url}/keys` });
        issuer.documents.set("/.well-known/openid-configuration", said);
        return await issuer.token();
      },
      NO_KEYS,
    ],
    [
      "of an issuer without discovery",
      async (issuer) => {
        issuer.documents.clear();
        return await issuer.token();
      },
      NO_KEYS,
    ],
    [
      "of an issuer whose discovery is no JSON",
      async (issuer) => {
        issuer.documents.set("/.well-known/openid-configuration", "<html>");
        return await issuer.token();
      },
      NO_KEYS,
    ],
    [
      "of an issuer whose keys are none",
      async (issuer) => {
        issuer.documents.set("/keys", "{}");
        return await issuer.token();
      },
      NO_KEYS,
    ],
    [
      "of an issuer that is not there",
      (issuer) => issuer.token({ iss: "http://127.0.0.1:1" }),
      /^IDPCommunicationError 400 The identity provider http:\/\/127\.0\.0\.1:1 could not be reached$/,
    ],
  ];
  for (const [name, token, expected] of cases)
    test(name, async () => {
      await using issuer = await startIssuer();
      const said = await refused(verify(await token(issuer)));
      if (typeof expected === "string") assert.equal(said, expected);
      else assert.match(said, expected);
    });
});
