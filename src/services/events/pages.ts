// Limit and NextToken, as all lists here have them.

const MOST = 100;

/** `read` is asked for one more than is answered, to know whether there is more. */
export async function paged<T>(
  input: { Limit?: number | undefined; NextToken?: string | undefined },
  read: (page: { after: string; limit: number }) => Promise<T[]>,
): Promise<{ items: T[]; more: boolean }> {
  const limit = input.Limit ?? MOST;
  const after = input.NextToken === undefined ? "" : Buffer.from(input.NextToken, "base64").toString();
  const found = await read({ after, limit: limit + 1 });
  return { items: found.slice(0, limit), more: found.length > limit };
}

export const cursorOf = (name: string): string => Buffer.from(name).toString("base64");
