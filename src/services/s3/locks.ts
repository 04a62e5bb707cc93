// One writer a key. Readers need none: a row names its bytes, and the fingerprint tells whether they are still these.

export class KeyLocks {
  readonly #last = new Map<string, Promise<void>>();

  async hold<T>(bucket: string, key: string, work: () => Promise<T>): Promise<T> {
    const release = await this.take(bucket, key);
    try {
      return await work();
    } finally {
      release();
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
