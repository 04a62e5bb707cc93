// A JSON Web Token of an OpenID Connect provider: whose it is, and whether that is true. The keys are the issuer's own, found by discovery.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
import type { JWTPayload, JWTVerifyGetKey } from "jose";
import { type Arn, realNow } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { Tags } from "./limits.ts";

/** As IAM has it. */
export interface Provider {
  readonly arn: Arn;
  readonly clientIds: readonly string[];
}

export interface WebIdentity {
  readonly provider: Arn;
  /** The issuer without its scheme: what its condition keys begin with. */
  readonly host: string;
  readonly subject: string;
  readonly audience: string;
  /** `HOST:aud`, `HOST:sub`, `HOST:amr` */
  readonly claims: Readonly<Record<string, readonly string[]>>;
  readonly tags: Tags;
  readonly transitiveTags: readonly string[];
  readonly sourceIdentity?: string | undefined;
}

const ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];
const REQUIRED = ["iss", "sub", "aud", "exp"] as const;

/**
 * Throws InvalidIdentityToken, ExpiredTokenException or IDPCommunicationError. The token's own times are real ones, as the issuer's are.
 * `providerOf` looks an issuer up by its name without the scheme.
 */
export async function verifyWebIdentity(
  token: string,
  { providerOf, issuers }: { providerOf(host: string): Promise<Provider | undefined>; issuers: Issuers },
): Promise<WebIdentity> {
  // Loaded when the first web identity comes: few clouds ever see one.
  const jose = await import("jose");
  let claims: JWTPayload;
  try {
    claims = jose.decodeJwt(token);
  } catch {
    // Whatever it is, it is no JWT.
    throw errors.noJwt();
  }
  for (const name of REQUIRED) if (claims[name] === undefined) throw errors.missingClaim(name);
  if (typeof claims.iss !== "string" || typeof claims.sub !== "string") throw errors.noJwt();
  const issuer = claims.iss;
  const host = issuer.replace(/^https?:\/\//, "");
  const provider = isIssuer(issuer) ? await providerOf(host) : undefined;
  if (!provider) throw errors.noProvider(issuer);
  // Who asked for the token comes before whom it is for.
  const audiences = [typeof claims.azp === "string" ? claims.azp : claims.aud!].flat();
  const audience = audiences.find((one) => provider.clientIds.includes(one));
  if (audience === undefined) throw errors.wrongAudience();
  const keys = await issuers.keysOf(issuer);
  try {
    await jose.jwtVerify(token, keys, { algorithms: ALGORITHMS, issuer });
  } catch (error) {
    throw refusalOf(error, claims);
  }
  const amr = list(claims.amr);
  return {
    provider: provider.arn,
    host,
    subject: claims.sub!,
    audience,
    claims: {
      [`${host}:aud`]: [audience],
      [`${host}:sub`]: [claims.sub!],
      ...(amr.length > 0 && { [`${host}:amr`]: amr }),
    },
    ...sessionTagsOf(claims),
    sourceIdentity: sourceIdentityOf(claims),
  };
}

/** Plain HTTP is for issuers of this very machine. */
function isIssuer(issuer: string): boolean {
  const url = URL.parse(issuer);
  if (url?.protocol === "https:") return true;
  return url?.protocol === "http:" && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
}

function refusalOf(error: unknown, { iss, exp }: JWTPayload): unknown {
  const { code } = error as { code?: string };
  switch (code) {
    case "ERR_JWT_EXPIRED":
      return errors.tokenExpired(Math.floor(realNow() / 1000), exp!);
    case "ERR_JWT_CLAIM_VALIDATION_FAILED":
      return errors.tokenNotYet();
    case "ERR_JWS_SIGNATURE_VERIFICATION_FAILED":
      return errors.wrongSignature();
    case "ERR_JWS_INVALID":
    case "ERR_JWT_INVALID":
      return errors.noJwt();
  }
  if (code === "ERR_JWKS_TIMEOUT" || error instanceof TypeError) return errors.noCommunication(iss!);
  // No key of the set fits, the set is none, or the algorithm is not one of ours.
  return code?.startsWith("ERR_J") ? errors.noKeys() : error;
}

const AWS = "https://aws.amazon.com";

/** In one claim, or each tag in a claim of its own. */
function sessionTagsOf(claims: JWTPayload): { tags: Tags; transitiveTags: readonly string[] } {
  const nested = claims[`${AWS}/tags`] as { principal_tags?: object; transitive_tag_keys?: unknown } | undefined;
  const prefix = `${AWS}/tags/principal_tags/`;
  const flat = Object.entries(claims).flatMap(([name, value]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
  );
  const tags = [...Object.entries(nested?.principal_tags ?? {}), ...flat].map(([key, value]) => [
    key,
    text(value) ?? "",
  ]);
  const transitive = nested?.transitive_tag_keys ?? claims[`${AWS}/tags/transitive_tag_keys`];
  // As AssumeRole takes them.
  if (tags.length > TAGS_LIMIT || !tags.every(([key, value]) => KEY.test(key!) && VALUE.test(value!)))
    throw errors.badClaim(`${AWS}/tags`);
  return { tags: Object.fromEntries(tags) as Tags, transitiveTags: list(transitive) };
}

const TAGS_LIMIT = 50;
const KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;
const VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;

function sourceIdentityOf(claims: JWTPayload): string | undefined {
  const name = `${AWS}/source_identity`;
  const given = text(claims[name]);
  if (given !== undefined && !/^[\w+=,.@-]{2,64}$/.test(given)) throw errors.badClaim(name);
  return given;
}

const list = (value: unknown): string[] => [value ?? []].flat().filter((one) => typeof one === "string");
const text = (value: unknown): string | undefined => list(value)[0];

/** AWS's own patience with a provider. */
const PATIENCE_MS = 5000;
const ISSUERS_LIMIT = 100;

/** The keys of issuers, fetched when first wanted and again when they are ten minutes old or one is not among them. */
export class Issuers {
  readonly #known = new Map<string, JWTVerifyGetKey>();

  async keysOf(issuer: string): Promise<JWTVerifyGetKey> {
    const known = this.#known.get(issuer);
    if (known) return known;
    const jose = await import("jose");
    const keys = jose.createRemoteJWKSet(await discover(issuer), {
      timeoutDuration: PATIENCE_MS,
      cooldownDuration: PATIENCE_MS,
    });
    this.#known.set(issuer, keys);
    if (this.#known.size > ISSUERS_LIMIT) this.#known.delete(this.#known.keys().next().value!);
    return keys;
  }
}

/** https://openid.net/specs/openid-connect-discovery-1_0.html: where the issuer's keys are. */
async function discover(issuer: string): Promise<URL> {
  let answer: Response;
  let told: { issuer?: unknown; jwks_uri?: unknown };
  try {
    answer = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      redirect: "error",
    });
    if (!answer.ok) throw errors.noKeys();
    told = ((await answer.json()) ?? {}) as typeof told;
  } catch (error) {
    if (error instanceof SyntaxError) throw errors.noKeys();
    if (error instanceof TypeError || (error as Error).name === "TimeoutError") throw errors.noCommunication(issuer);
    throw error;
  }
  const keys = typeof told.jwks_uri === "string" ? URL.parse(told.jwks_uri) : null;
  if (told.issuer !== issuer || !keys || !isIssuer(keys.href)) throw errors.noKeys();
  return keys;
}
