// A line on a terminal: how far a long work is.

export interface Progress extends Disposable {
  /** `share`: 0 to 1, where it is known. */
  at(count: number, share?: number): void;
}

const EVERY_MS = 100;
const WIDTH = 30;
const CLEAR = "\r\x1b[K";

/** `what`: `items`. Nothing is shown where stderr is no terminal. */
export function openProgress(what: string): Progress {
  const shown = process.stderr.isTTY === true;
  const began = performance.now();
  let drawn = began;
  return {
    at(count, share) {
      const now = performance.now();
      if (!shown || now - drawn < EVERY_MS) return;
      drawn = now;
      const bar =
        share === undefined
          ? ""
          : `${"█".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, "░")} ${String(Math.floor(share * 100)).padStart(3)} %  `;
      const speed = Math.round((count * 1000) / (now - began));
      process.stderr.write(`${CLEAR}${bar}${grouped(count)} ${what}, ${grouped(speed)}/s`);
    },
    [Symbol.dispose]() {
      if (shown) process.stderr.write(CLEAR);
    },
  };
}

export const grouped = (count: number): string => count.toLocaleString("en-US");
