// CreateSession: credentials for one directory bucket, for five minutes. The token is all there is of a session, sealed with the workspace's key.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateSession.html
import {
  type Access,
  AwsError,
  type Context,
  defineOperations,
  type Identity,
  newToken,
  newUniqueId,
  type Principal,
} from "../../kernel/mod.ts";
import { bucketFacts, bucketOf } from "./buckets.ts";
import { expressArn, isDirectoryBucket } from "./directory-names.ts";
import { columnOf, encryptionMembers, planOf } from "./encryption.ts";
import { errors } from "./errors.ts";
import { headerOf } from "./request.ts";

const LASTS_MS = 5 * 60_000;

export type Mode = "ReadOnly" | "ReadWrite";

/** What a token holds. */
export interface ExpressSession {
  readonly bucket: string;
  /** When the bucket was made that it was asked of; undefined: it was yet to be. */
  readonly madeMs: number | undefined;
  readonly mode: Mode;
  /** Of who asked. */
  readonly account: string;
  readonly principal: Principal;
  readonly secret: string;
  /** ms, on the clock */
  readonly expires: number;
}

export const expressSessions = defineOperations("s3", {
  CreateSession: {
    async access(ctx, input) {
      const { SessionMode: mode } = input;
      if (mode === undefined) return await readAccess(ctx, input.Bucket!);
      return await sessionAccess(ctx, input.Bucket!, mode);
    },
    async handle(ctx, input) {
      if (!isDirectoryBucket(input.Bucket)) throw errors.methodNotAllowed("GET", "BUCKET");
      const { SessionMode: asked, ServerSideEncryption: encryption } = input;
      if (asked !== undefined && asked !== "ReadOnly" && asked !== "ReadWrite")
        throw errors.invalidArgument("Invalid session mode", "x-amz-create-session-mode", asked);
      if (encryption !== undefined && encryption !== "AES256")
        throw errors.notImplemented("x-amz-server-side-encryption of a session");
      const bucket = (await toBeMade(ctx, input)) ? undefined : await bucketOf(ctx, input);
      const mode = asked ?? ((await mayWrite(ctx, input.Bucket!)) ? "ReadWrite" : "ReadOnly");
      const AccessKeyId = newUniqueId(KEY_PREFIX, 20);
      // Whole seconds, as AWS tells them.
      const expires = Math.floor((ctx.now + LASTS_MS) / 1000) * 1000;
      const { account, principal } = ctx;
      const session: ExpressSession = {
        bucket: input.Bucket!,
        madeMs: bucket?.created_ms,
        mode,
        account,
        principal,
        secret: newToken(40),
        expires,
      };
      const SessionToken = ctx.seal(JSON.stringify(session), about(AccessKeyId));
      const encrypted = encryptionMembers(bucket ? columnOf(planOf(ctx, bucket, {}).encryption, []) : null);
      return {
        ...encrypted,
        Credentials: { AccessKeyId, SecretAccessKey: session.secret, SessionToken, Expiration: new Date(expires) },
      };
    },
  },
});

export const identity: Identity = {
  credential(ctx, { accessKeyId, sessionToken, express }) {
    if (!express || sessionToken === undefined) return undefined;
    const session = openSession(ctx, accessKeyId, sessionToken);
    if (!session) return "badToken";
    const { secret, principal, expires } = session;
    return { secretAccessKey: secret, temporary: true, principal, expires };
  },
};

/**
 * SDKs that are given one endpoint for everything sign each request for a directory bucket with a session, that which is to make it among them: at such
 * an endpoint a bucket that is not there yet has sessions, too. AWS's zonal hosts have none of it.
 */
async function toBeMade(ctx: Context, input: { readonly Bucket?: string | undefined }): Promise<boolean> {
  if (isZonalHost(headerOf(input, "host"))) return false;
  return (await bucketFacts(ctx, input.Bucket!)) === undefined;
}

const isZonalHost = (host = ""): boolean => /(^|\.)s3express-/.test(host);

/** undefined: not a token of this key's. */
export function openSession(ctx: Context, accessKeyId: string, token: string): ExpressSession | undefined {
  const text = ctx.unseal(token, about(accessKeyId));
  return text === undefined ? undefined : (JSON.parse(text) as ExpressSession);
}

const KEY_PREFIX = "AXPR";

export const isSessionKey = (accessKeyId: string): boolean => accessKeyId.startsWith(KEY_PREFIX);

const about = (accessKeyId: string): string => `s3express session ${accessKeyId}`;

/** Whoever may begin a session may what the session may: each request that is made without one is asked for it. */
export async function sessionAccess(ctx: Context, name: string, mode: string): Promise<Access> {
  const bucket = (await bucketFacts(ctx, name)) ?? { name, account: ctx.account, region: ctx.region };
  return {
    action: "s3express:CreateSession",
    resource: expressArn(bucket),
    conditions: { "s3express:SessionMode": mode },
  };
}

/** Where no mode is named it is the greatest that is allowed: reading is allowed by either. */
export const readAccess = async (ctx: Context, name: string): Promise<Access[]> =>
  (await mayWrite(ctx, name)) ? [] : [await sessionAccess(ctx, name, "ReadOnly")];

async function mayWrite(ctx: Context, Bucket: string): Promise<boolean> {
  if (ctx.principal.kind === "anonymous") return false;
  try {
    await ctx.call("s3", "CreateSession", { Bucket, SessionMode: "ReadWrite" });
    return true;
  } catch (error) {
    if (error instanceof AwsError && error.status === 403) return false;
    throw error;
  }
}
