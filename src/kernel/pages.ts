/** A page of a list: `read` is asked for one more than is answered, to know whether there is more. */
export async function pageOf<T>(
  limit: number,
  read: (limit: number) => Promise<T[]>,
): Promise<{ items: T[]; more: boolean }> {
  const found = await read(limit + 1);
  return { items: found.slice(0, limit), more: found.length > limit };
}
