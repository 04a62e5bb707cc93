// A service that acts for a resource does so as a role that trusts it.
import type { Context, Principal } from "./context.ts";
import type { Arn } from "./names.ts";

export interface RoleSession {
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken: string;
  };
  /** For `ctx.call`: what is called so is decided by the role's policies. */
  readonly session: Principal;
}

/** `by`: the service, with the resource that it acts for. Throws what AssumeRole does: AccessDenied also where there is no such role. */
export async function assumeRole(
  ctx: Context,
  { role, name, by }: { role: Arn; name: string; by: Principal },
): Promise<RoleSession> {
  // A session's name has two characters at least, and 64 at most.
  const input = { RoleArn: role, RoleSessionName: name.padEnd(2, "_").slice(0, 64) };
  const { Credentials, AssumedRoleUser } = await ctx.call("sts", "AssumeRole", input, by);
  return {
    credentials: {
      accessKeyId: Credentials!.AccessKeyId!,
      secretAccessKey: Credentials!.SecretAccessKey!,
      sessionToken: Credentials!.SessionToken!,
    },
    session: {
      kind: "session",
      account: role.split(":")[4]!,
      arn: AssumedRoleUser!.Arn!,
      id: AssumedRoleUser!.AssumedRoleId!,
      roleArn: role,
    },
  };
}
