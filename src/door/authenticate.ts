// Step 2: who asks. A signature names a key, the key a principal: the root keys of the configuration, or what iam and sts know.
import { realNow } from "../kernel/clock.ts";
import type { Context, Principal } from "../kernel/context.ts";
import type { Credential, Identity } from "../kernel/service.ts";
import type { HttpRequest } from "../model/http.ts";
import { explainMismatch } from "./mismatch.ts";
import { claimForm, verifyForm } from "./post-form-claim.ts";
import {
  badToken,
  type Claim,
  checkToken,
  claim,
  type Family,
  unknownKey,
  type Verified,
  verify,
} from "./signature.ts";

export interface Caller {
  readonly principal: Principal;
  /** Where it works: its own account, or the cloud's for those who have none. */
  readonly account: string;
  readonly region: string;
  readonly accessKeyId?: string;
  /** What the chunks of a streamed body are verified with; absent where nothing was signed. */
  readonly verified?: Verified;
  readonly claim?: Claim;
}

export interface Question {
  readonly request: HttpRequest;
  readonly family: Family;
  /** The model's signingName. */
  readonly service: string;
  /** The entity, for services that hash it whole. */
  readonly body?: Uint8Array;
  /** As it is acted upon: with the bucket that the host named. */
  readonly path: string;
}

/** Throws what AWS says, in the family's words, of a claim that is malformed, unknown, wrong or expired. */
export async function authenticate(ctx: Context, identities: readonly Identity[], question: Question): Promise<Caller> {
  const { request, family, service, body, path } = question;
  const { config } = ctx;
  if (config.relaxed) return relaxed(ctx, request);
  const terms = { family, service, realNow: realNow() };
  const claimed = request.form ? claimForm(request, request.form, terms) : claim(request, terms);
  if (!claimed) return { principal: { kind: "anonymous" }, account: config.account, region: config.region };
  const credential = rootCredential(ctx, claimed.accessKeyId) ?? (await knownCredential(ctx, identities, claimed));
  if (!credential) throw unknownKey(claimed, { family });
  if (credential === "badToken") throw badToken(claimed, { family });
  const { secretAccessKey } = credential;
  const secret = { family, secretAccessKey, body, path };
  const verified = request.form
    ? verifyForm(claimed, request.form, secretAccessKey)
    : told(ctx, { claimed, request, secret }, () => verify(claimed, request, secret));
  checkToken(claimed, credential, { family, now: ctx.now });
  const { principal } = credential;
  if (service === "iam" && isStrangeToIam(principal)) throw unknownKey(claimed, { family });
  const use = { accessKeyId: claimed.accessKeyId, principal, service, region: claimed.region };
  for (const identity of identities) await identity.used?.(ctx, use);
  return {
    principal,
    account: "account" in principal ? principal.account : config.account,
    region: claimed.region,
    accessKeyId: claimed.accessKeyId,
    ...(verified && { verified }),
    claim: claimed,
  };
}

type Secret = Parameters<typeof explainMismatch>[2];

/** `why` is told what the difference is between what was signed and what came. */
function told<T>(ctx: Context, of: { claimed: Claim; request: HttpRequest; secret: Secret }, check: () => T): T {
  try {
    return check();
  } catch (error) {
    const { claimed, request, secret } = of;
    if (!claimed.version2)
      ctx.log.debug("the signature does not match", { ...explainMismatch(claimed, request, secret) });
    throw error;
  }
}

/** Root keys are in the configuration: the cloud's own, any 12 digits (that account's), and those of --accounts, whose secret is the only one. */
function rootCredential({ config }: Context, accessKeyId: string): Credential | undefined {
  const secretAccessKey = config.rootSecretAccessKey;
  if (accessKeyId === config.rootAccessKeyId) return { secretAccessKey, principal: rootOf(config.account) };
  const named = config.accounts.find((account) => account.accessKeyId === accessKeyId || account.id === accessKeyId);
  if (named) return { secretAccessKey: named.secretAccessKey, principal: rootOf(named.id) };
  return /^\d{12}$/.test(accessKeyId) ? { secretAccessKey, principal: rootOf(accessKeyId) } : undefined;
}

/**
 * IAM does not know the credentials of GetFederationToken, and those of GetSessionToken only where a multi-factor code was given.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
 */
const isStrangeToIam = (principal: Principal): boolean =>
  principal.kind === "federated" ||
  ((principal.kind === "user" || principal.kind === "root") &&
    principal.session !== undefined &&
    principal.session.mfaAt === undefined);

async function knownCredential(
  ctx: Context,
  identities: readonly Identity[],
  of: { readonly accessKeyId: string; readonly sessionToken?: string; readonly express?: true },
): Promise<Credential | "badToken" | undefined> {
  for (const identity of identities) {
    const credential = await identity.credential?.(ctx, of);
    if (credential) return credential;
  }
  return undefined;
}

export const rootOf = (account: string): Principal => ({
  kind: "root",
  account,
  arn: `arn:aws:iam::${account}:root`,
  id: account,
});

/** --relaxed: nothing is verified; a 12-digit key still names its account, and a scope its region. */
function relaxed({ config }: Context, request: HttpRequest): Caller {
  const posted = request.form?.fields.get("x-amz-credential") ?? "";
  const text = `${request.headers.authorization ?? ""}&${request.query.replaceAll("%2F", "/")}&Credential=${posted}`;
  const scope = /Credential=([^/,&\s]+)\/\d{8}\/([^/,&\s]+)\//.exec(text);
  const account = config.accounts.find((known) => known.accessKeyId === scope?.[1])?.id;
  const id = account ?? (/^\d{12}$/.test(scope?.[1] ?? "") ? scope![1]! : config.account);
  return {
    principal: rootOf(id),
    account: id,
    region: scope?.[2] ?? config.region,
    ...(scope && { accessKeyId: scope[1] }),
  };
}
