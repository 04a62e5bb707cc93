// One writer a key. Readers need none: a row names its bytes, and the fingerprint tells whether they are still these.

export class KeyLocks {
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves when `work` does; what that hands to `until` has the lock for as long as it takes, and does not fail. */
  async hold<T>(
    bucket: string,
    key: string,
    work: (until: (settled: Promise<void>) => void) => Promise<T>,
  ): Promise<T> {
    const release = await this.take(bucket, key);
    let settled: Promise<void> | undefined;
    try {
      return await work((promise) => {
        settled = promise;
      });
    } finally {
      if (settled) void settled.then(release);
      else release();
    }
  }

  /** Whoever takes several takes them in one order: keys ascending. */
  async take(bucket: string, key: string): Promise<() => void> {
    const name = `${bucket}/${key}`;
    const before = this.#last.get(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last.set(name, promise);
    await before;
    return () => {
      if (this.#last.get(name) === promise) this.#last.delete(name);
      resolve();
    };
  }
}
