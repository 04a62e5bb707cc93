// A function's role: Lambda assumes it, once to see that it may, and once for each sandbox.
import { AwsError, assumeRole as assume, type Context, type Principal, type RoleSession } from "../../kernel/mod.ts";
import { type FunctionRef, functionArn } from "./names.ts";

/** Lambda as the one who acts for a function. */
export const lambdaPrincipal = (ref: FunctionRef): Principal => ({
  kind: "service",
  name: "lambda.amazonaws.com",
  account: ref.account,
  sourceArn: functionArn({ account: ref.account, region: ref.region, name: ref.name }),
});

/** A new session of the role, named as the function. Throws `refusal` where the role is missing or does not trust Lambda. */
export const assumeRole = (
  ctx: Context,
  ref: FunctionRef,
  role: string,
  refusal: () => AwsError,
): Promise<RoleSession> =>
  assume(ctx, { role, name: ref.name, by: lambdaPrincipal(ref) }).catch((error) => {
    if (error instanceof AwsError && error.status < 500) throw refusal();
    throw error;
  });
