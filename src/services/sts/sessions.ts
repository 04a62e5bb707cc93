// Temporary credentials: a key, a secret and a token of chance that belong together. They are kept until they are over, on the clock, and a
// while longer, so that their holder is told that they are expired and not that they never were.
import {
  type Context,
  type Credential,
  type Identity,
  newAccessKeyId,
  newToken,
  type Principal,
} from "../../kernel/mod.ts";

export const migrations = [
  `
  CREATE TABLE sts_session (
    access_key_id TEXT NOT NULL PRIMARY KEY, secret TEXT NOT NULL, token TEXT NOT NULL, principal TEXT NOT NULL,
    expires_ms BIGINT NOT NULL);
  CREATE INDEX sts_session_expires ON sts_session (expires_ms)
  `,
];

const KEPT_MS = 7 * 24 * 3600_000;
/** As long as AWS's are at the least, so that what stores them is made large enough. */
const TOKEN_LENGTH = 356;

/** The Credentials of an answer. */
export async function openSession(ctx: Context, principal: Principal & { account: string }, seconds: number) {
  const session = {
    access_key_id: newAccessKeyId("ASIA", principal.account),
    secret: newToken(40),
    token: newToken(TOKEN_LENGTH),
    principal: JSON.stringify(principal),
    // AWS tells whole seconds.
    expires_ms: (Math.floor(ctx.now / 1000) + seconds) * 1000,
  };
  await ctx.write(async (tx) => {
    await tx.run("DELETE FROM sts_session WHERE expires_ms < :before", { before: ctx.now - KEPT_MS });
    await tx.run(
      `INSERT INTO sts_session (access_key_id, secret, token, principal, expires_ms)
       VALUES (:access_key_id, :secret, :token, :principal, :expires_ms)`,
      session,
    );
  });
  return {
    AccessKeyId: session.access_key_id,
    SecretAccessKey: session.secret,
    SessionToken: session.token,
    Expiration: new Date(session.expires_ms),
  };
}

export const identity: Identity = {
  // A key of temporary credentials is nobody's without its token.
  async credential(ctx, { accessKeyId, sessionToken }): Promise<Credential | "badToken" | undefined> {
    if (!accessKeyId.startsWith("ASIA") || sessionToken === undefined) return undefined;
    const found = await ctx.read((tx) =>
      tx.one<{ secret: string; token: string; principal: string; expires_ms: number }>(
        "SELECT secret, token, principal, expires_ms FROM sts_session WHERE access_key_id = :id",
        { id: accessKeyId },
      ),
    );
    if (found && found.token !== sessionToken) return "badToken";
    return (
      found && {
        secretAccessKey: found.secret,
        temporary: true,
        principal: JSON.parse(found.principal) as Principal,
        expires: found.expires_ms,
      }
    );
  },
};
