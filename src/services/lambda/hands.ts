// Of each function so many at once, the others in the order in which they asked. A slow function holds up its own events only.
export class Hands {
  readonly #count: number;
  readonly #of: Map<string, { busy: number; readonly waiting: (() => void)[] }>;

  /** `count`: for each function. */
  constructor(count: number) {
    this.#count = count;
    this.#of = new Map();
  }

  /** Resolves when a hand of `name` is free. Its disposal gives it back, to whoever has waited longest. */
  async take(name: string): Promise<AsyncDisposable> {
    const own = this.#of.get(name) ?? { busy: 0, waiting: [] };
    this.#of.set(name, own);
    if (own.busy < this.#count) own.busy++;
    else await new Promise<void>((resolve) => own.waiting.push(resolve));
    return {
      [Symbol.asyncDispose]: async () => {
        const next = own.waiting.shift();
        if (next) return next();
        own.busy--;
        if (own.busy === 0) this.#of.delete(name);
      },
    };
  }
}
