// A code of the caller's multi-factor device.
import type { Context } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

interface Asked {
  readonly SerialNumber?: string | undefined;
  readonly TokenCode?: string | undefined;
}

/** Whether one was given; throws AccessDenied where it is wrong. It is used up then: to be asked once a request. */
export async function verifiedMfa(ctx: Context, { SerialNumber, TokenCode }: Asked): Promise<boolean> {
  if (SerialNumber === undefined && TokenCode === undefined) return false;
  if (SerialNumber === undefined || TokenCode === undefined) throw errors.mfaIncomplete();
  if (!(await ctx.verifyMfa(SerialNumber, TokenCode))) throw errors.mfaWrong();
  return true;
}
