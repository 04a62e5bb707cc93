// Temporary credentials: a key, a secret, and a token that is all there is of the session, sealed with the workspace's key. Nothing is kept of them:
// there is no list of sessions. They end on the clock, survive a restart, and are nobody's in another workspace.
import { deflateRawSync, inflateRawSync } from "node:zlib";
import {
  type Arn,
  AwsError,
  type Clock,
  type Context,
  type Credential,
  type Identity,
  newAccessKeyId,
  newToken,
  type Principal,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

/** The table of the time when sessions were rows. */
export const migrations = [
  `
  CREATE TABLE sts_session (
    access_key_id TEXT NOT NULL PRIMARY KEY, secret TEXT NOT NULL, token TEXT NOT NULL, principal TEXT NOT NULL,
    expires_ms BIGINT NOT NULL);
  CREATE INDEX sts_session_expires ON sts_session (expires_ms)
  `,
  "DROP TABLE sts_session",
];

/** Characters: so that what stores tokens is made large enough, and what AWS's documents say of the greatest. */
const SMALLEST_TOKEN = 356;
const LARGEST_TOKEN = 4096;

export interface NewSession {
  /** Without the documents of managed session policies. */
  readonly principal: Principal & { readonly account: string };
  /** Managed session policies: what they say counts when the credentials are used. */
  readonly policyArns?: readonly Arn[];
  readonly seconds: number;
  /** MinimumSessionTokenSize */
  readonly tokenSize?: number | undefined;
}

/** What a token holds. */
interface Held {
  readonly principal: NewSession["principal"];
  readonly policyArns?: readonly Arn[];
  readonly secret: string;
  /** ms */
  readonly expires: number;
}

/** The Credentials of an answer, and how large their token is. Throws PackedPolicyTooLarge where it would be larger than AWS's are. */
export function openSession(ctx: Context, { principal, policyArns, seconds, tokenSize = 0 }: NewSession) {
  if (tokenSize < 0 || tokenSize > LARGEST_TOKEN) throw errors.tokenSize(tokenSize);
  const accessKeyId = newAccessKeyId("ASIA", principal.account);
  const held: Held = {
    principal,
    ...(policyArns?.length && { policyArns }),
    secret: newToken(40),
    // AWS tells whole seconds.
    expires: (Math.floor(ctx.now / 1000) + seconds) * 1000,
  };
  const packed = deflateRawSync(JSON.stringify(held)).toString("base64url");
  const least = Math.max(SMALLEST_TOKEN, tokenSize);
  // Three bytes are four characters: what is sealed of so many is as long at the least.
  const SessionToken = ctx.seal(packed.padEnd(Math.ceil((least * 3) / 4) - SEALED_MORE), accessKeyId);
  const utilization = Math.ceil((SessionToken.length / LARGEST_TOKEN) * 100);
  if (utilization > 100) throw errors.packedTooLarge(utilization);
  return {
    Credentials: {
      AccessKeyId: accessKeyId,
      SecretAccessKey: held.secret,
      SessionToken,
      Expiration: new Date(held.expires),
    },
    SessionTokenSize: SessionToken.length,
    SessionTokenUtilization: utilization,
  };
}

/** Bytes of a seal beside what is sealed: nonce, tag, and its prefix of eight characters. */
const SEALED_MORE = 28 + 6;

export const identity: Identity = {
  // A key of temporary credentials is nobody's without its token.
  credential(ctx, { accessKeyId, sessionToken }) {
    if (!accessKeyId.startsWith("ASIA") || sessionToken === undefined) return undefined;
    const held = openToken(ctx, accessKeyId, sessionToken);
    if (!held) return "badToken";
    return held.policyArns
      ? ctx.recall("iam", `session ${accessKeyId}`, () => withManagedPolicies(ctx, held))
      : held.credential;
  },
};

interface Opened extends Held {
  readonly accessKeyId: string;
  readonly credential: Credential;
}

const OPENED_LIMIT = 1000;
// Opening one costs as much as all else that is done to authenticate a request. For each cloud: a reset is another key.
const opened = new WeakMap<Clock, Map<string, Opened>>();

function openToken(ctx: Context, accessKeyId: string, token: string): Opened | undefined {
  const known = opened.get(ctx.clock) ?? new Map<string, Opened>();
  opened.set(ctx.clock, known);
  const found = known.get(token) ?? unseal(ctx, accessKeyId, token);
  if (found?.accessKeyId !== accessKeyId) return undefined;
  // The one that was not used for longest goes first.
  known.delete(token);
  known.set(token, found);
  if (known.size > OPENED_LIMIT) known.delete(known.keys().next().value!);
  return found;
}

function unseal(ctx: Context, accessKeyId: string, token: string): Opened | undefined {
  const packed = ctx.unseal(token, accessKeyId);
  if (packed === undefined) return undefined;
  const held = JSON.parse(inflateRawSync(Buffer.from(packed.trimEnd(), "base64url")).toString("utf8")) as Held;
  const { principal, secret, expires } = held;
  return { ...held, accessKeyId, credential: { secretAccessKey: secret, temporary: true, principal, expires } };
}

async function withManagedPolicies(ctx: Context, { principal, policyArns = [], credential }: Opened) {
  if (principal.kind !== "session" && principal.kind !== "federated") return credential;
  const policies = [...(principal.policies ?? [])];
  for (const arn of policyArns) policies.push((await managedPolicy(ctx, principal.account, arn)) ?? NOTHING);
  return { ...credential, principal: { ...principal, policies } };
}

/** A session policy that is no more allows nothing. */
const NOTHING = '{"Version":"2012-10-17","Statement":[]}';

export const asSts = (account: string): Principal => ({ kind: "service", name: "sts.amazonaws.com", account });

/** The default version's document; undefined where there is no such policy. */
export async function managedPolicy(ctx: Context, account: string, PolicyArn: Arn): Promise<string | undefined> {
  const as = asSts(account);
  try {
    const { Policy } = await ctx.call("iam", "GetPolicy", { PolicyArn }, as);
    const VersionId = Policy!.DefaultVersionId!;
    const { PolicyVersion } = await ctx.call("iam", "GetPolicyVersion", { PolicyArn, VersionId }, as);
    return decodeURIComponent(PolicyVersion!.Document!);
  } catch (error) {
    if (error instanceof AwsError && error.status === 404) return undefined;
    throw error;
  }
}
