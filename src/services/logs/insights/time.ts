// Periods of time, and the beginnings of theirs that a moment lies in. UTC.

export interface Period {
  readonly count: number;
  readonly unit: string;
}

const UNITS: readonly (readonly [pattern: RegExp, ms: number])[] = [
  [/^(ms|msecs?|milliseconds?)$/, 1],
  [/^(s|secs?|seconds?)$/, 1000],
  [/^(m|mins?|minutes?)$/, 60_000],
  [/^(h|hrs?|hours?)$/, 3_600_000],
  [/^(d|days?)$/, 86_400_000],
  [/^(w|weeks?)$/, 7 * 86_400_000],
];
const MONTHS: readonly (readonly [pattern: RegExp, months: number])[] = [
  [/^(mo|mon|months?)$/, 1],
  [/^(q|qtrs?|quarters?)$/, 3],
  [/^(y|yrs?|years?)$/, 12],
];

/** ms since the epoch of the beginning; `next`: of the one after it. */
export function floor(ms: number, { count, unit }: Period, next = 0): number {
  const fixed = UNITS.find(([pattern]) => pattern.test(unit))?.[1];
  if (fixed !== undefined) {
    const length = Math.max(1, count) * fixed;
    return (Math.floor(ms / length) + next) * length;
  }
  const length = Math.max(1, count) * (MONTHS.find(([pattern]) => pattern.test(unit))?.[1] ?? 1);
  const date = new Date(ms);
  const months = date.getUTCFullYear() * 12 + date.getUTCMonth();
  const start = (Math.floor(months / length) + next) * length;
  return Date.UTC(Math.floor(start / 12), start % 12);
}

/** As Insights shows it. */
export const shown = (ms: number): string => new Date(ms).toISOString().replace("T", " ").slice(0, 23);
