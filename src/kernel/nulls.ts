// JSON may say null in a list or a map where AWS's models have no place for it.

/** The input without those, at any depth: for a service's `quirks.input`. Bytes and times stay as they are. */
export function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls) as T;
  if (typeof value !== "object" || value === null || !isPlain(value)) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(kept.map(([name, item]) => [name, withoutNulls(item)])) as T;
}

const isPlain = (value: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(value));
