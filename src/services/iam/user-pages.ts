// Lists of what a user, or the caller, has.
import type { Context } from "../../kernel/mod.ts";
import { cut, pageOf } from "./paging.ts";
import { nameOf, userRow } from "./users.ts";

interface Input {
  readonly UserName?: string | undefined;
  readonly Marker?: string | undefined;
  readonly MaxItems?: number | undefined;
}

/** `sql` reads by :account, :user_key, :after and :limit, in the order of `key`. Throws NoSuchEntity. */
export async function userPage<T>(ctx: Context, input: Input, { sql, key }: { sql: string; key(row: T): string }) {
  const page = pageOf(input);
  return await ctx.read(async (tx) => {
    const user = await userRow(tx, ctx.account, input.UserName ?? nameOf(ctx.principal));
    const rows = await tx.all<T>(sql, { account: ctx.account, user_key: user.user_key, ...page });
    return { user, ...cut(rows, page, key) };
  });
}
