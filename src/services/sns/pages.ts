// All lists here have pages of a hundred.
import { pageOf } from "../../kernel/mod.ts";

const PAGE = 100;

/** Rows are in the order of their ARNs. */
export async function paged<T extends { readonly arn: string }>(
  token: string | undefined,
  read: (page: { after: string; limit: number }) => Promise<T[]>,
): Promise<{ items: T[]; next: { NextToken?: string } }> {
  const after = token === undefined ? "" : Buffer.from(token, "base64").toString();
  const { items, more } = await pageOf(PAGE, (limit) => read({ after, limit }));
  const next = more ? { NextToken: Buffer.from(items.at(-1)!.arn).toString("base64") } : {};
  return { items, next };
}
