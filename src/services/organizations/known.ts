// What an account is called: as the accounts file says, or by its number.
import type { Context } from "../../kernel/mod.ts";

export function knownAs(ctx: Context, account: string): { readonly name: string; readonly email: string } {
  const known = ctx.config.accounts.find(({ id }) => id === account);
  return { name: known?.name ?? account, email: known?.email ?? `${account}@example.com` };
}
