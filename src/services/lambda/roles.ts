// A function's role: Lambda assumes it, once to see that it may, and once for each sandbox.
import { AwsError, type Context, type Principal } from "../../kernel/mod.ts";
import type { Credentials } from "./environment.ts";
import { type FunctionRef, functionArn } from "./names.ts";

/** Lambda as the one who acts for a function. */
export const lambdaPrincipal = (ref: FunctionRef): Principal => ({
  kind: "service",
  name: "lambda.amazonaws.com",
  account: ref.account,
  sourceArn: functionArn({ account: ref.account, region: ref.region, name: ref.name }),
});

/** A new session of the role, named as the function. Throws `refusal` where the role is missing or does not trust Lambda. */
export async function assumeRole(
  ctx: Context,
  ref: FunctionRef,
  role: string,
  refusal: () => AwsError,
): Promise<{ credentials: Credentials; session: Principal }> {
  // A session's name has two characters at least, a function's one.
  const input = { RoleArn: role, RoleSessionName: ref.name.padEnd(2, "_") };
  const { Credentials: given, AssumedRoleUser: user } = await ctx
    .call("sts", "AssumeRole", input, lambdaPrincipal(ref))
    .catch((error) => {
      if (error instanceof AwsError && error.status < 500) throw refusal();
      throw error;
    });
  return {
    credentials: {
      accessKeyId: given!.AccessKeyId!,
      secretAccessKey: given!.SecretAccessKey!,
      sessionToken: given!.SessionToken!,
    },
    session: {
      kind: "session",
      account: role.split(":")[4]!,
      arn: user!.Arn!,
      id: user!.AssumedRoleId!,
      roleArn: role,
    },
  };
}
