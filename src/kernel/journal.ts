// What happened, and what caused it: one line of JSON each in logs/journal.ndjson, which `why` reads and anyone may grep.

export interface Entry {
  /** ms since the epoch, on the clock. */
  readonly at: number;
  readonly level: "debug" | "info" | "warn" | "error";
  /** The request, work or event that this belongs to, and what caused that. */
  readonly id: string;
  readonly cause?: string;
  /** What part speaks: `s3`, `lambda`, `door`, `post`. */
  readonly from: string;
  /** One line for people. */
  readonly text: string;
  /** `subject` (an ARN, a path), `tookMs`, `principal`, `decision`... */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Bound to a context: adds time, id and cause. `debug` goes to the journal only; the others are shown on the terminal too. */
export interface Log {
  debug(text: string, fields?: Record<string, unknown>): void;
  info(text: string, fields?: Record<string, unknown>): void;
  warn(text: string, fields?: Record<string, unknown>): void;
  error(text: string, fields?: Record<string, unknown>): void;
}
