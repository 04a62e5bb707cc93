// Limit and NextToken, as all lists here have them.
import { pageOf } from "../../kernel/mod.ts";

const MOST = 100;

export function paged<T>(
  input: { Limit?: number | undefined; NextToken?: string | undefined },
  read: (page: { after: string; limit: number }) => Promise<T[]>,
): Promise<{ items: T[]; more: boolean }> {
  const after = input.NextToken === undefined ? "" : Buffer.from(input.NextToken, "base64").toString();
  return pageOf(input.Limit ?? MOST, (limit) => read({ after, limit }));
}

export const cursorOf = (name: string): string => Buffer.from(name).toString("base64");
