// What is known already is not waited for: a decision about a principal whose policies are remembered awaits nothing.

export function after<T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** The first answer that is not undefined; whoever comes later is not asked. */
export function firstOf<A, T>(
  asked: readonly A[],
  ask: (one: A) => T | undefined | Promise<T | undefined>,
  from = 0,
): T | undefined | Promise<T | undefined> {
  for (let at = from; at < asked.length; at++) {
    const found = ask(asked[at]!);
    if (found instanceof Promise) return found.then((value) => value ?? firstOf(asked, ask, at + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}
