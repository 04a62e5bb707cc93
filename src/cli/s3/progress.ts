// A bar on a terminal: what is done of what is known to be to do. Lines that are printed meanwhile stand above it.

export interface Progress extends Disposable {
  /** Bytes that a file adds to what is to do. */
  expect(bytes: number): void;
  /** Bytes that have gone or come; negative where they must again. */
  done(bytes: number): void;
  finish(): void;
  print(line: string): void;
}

const EVERY_MS = 100;
const WIDTH = 30;
const CLEAR = "\r\x1b[K";

/** Where stderr is no terminal, lines only. */
export function openProgress(): Progress {
  const shown = process.stderr.isTTY === true;
  const began = performance.now();
  let [expected, moved, files, finished] = [0, 0, 0, 0];
  const draw = () => {
    const share = expected === 0 ? 0 : Math.min(1, moved / expected);
    const bar = "█".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, "░");
    const speed = size(moved / Math.max(1, (performance.now() - began) / 1000));
    process.stderr.write(
      `${CLEAR}${bar} ${size(moved)} of ${size(expected)}, ${finished} of ${files} files, ${speed}/s`,
    );
  };
  const timer = shown ? setInterval(draw, EVERY_MS).unref() : undefined;
  return {
    expect(bytes) {
      expected += bytes;
      files++;
    },
    done(bytes) {
      moved += bytes;
    },
    finish() {
      finished++;
    },
    print(line) {
      if (shown) process.stderr.write(CLEAR);
      process.stdout.write(`${line}\n`);
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      if (shown) process.stderr.write(CLEAR);
    },
  };
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

function size(bytes: number): string {
  let at = 0;
  let value = Math.max(0, bytes);
  for (; value >= 1024 && at < UNITS.length - 1; at++) value /= 1024;
  return `${at === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[at]}`;
}
