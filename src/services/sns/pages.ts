// All lists here have pages of a hundred.

const PAGE = 100;

/** `read` is asked for one more than is answered, to know whether there is more. Rows are in the order of their ARNs. */
export async function paged<T extends { readonly arn: string }>(
  token: string | undefined,
  read: (page: { after: string; limit: number }) => Promise<T[]>,
): Promise<{ items: T[]; next: { NextToken?: string } }> {
  const after = token === undefined ? "" : Buffer.from(token, "base64").toString();
  const found = await read({ after, limit: PAGE + 1 });
  const items = found.slice(0, PAGE);
  const next = found.length > PAGE ? { NextToken: Buffer.from(items.at(-1)!.arn).toString("base64") } : {};
  return { items, next };
}
