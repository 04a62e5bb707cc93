// An event as rules see it and targets get it. https://docs.aws.amazon.com/eventbridge/latest/ref/events-structure.html
import { type Arn, parsedJson } from "../../kernel/mod.ts";

export interface Event {
  readonly version: "0";
  readonly id: string;
  readonly "detail-type": string;
  readonly source: string;
  readonly account: string;
  /** ISO 8601, whole seconds. */
  readonly time: string;
  readonly region: string;
  readonly resources: readonly Arn[];
  readonly detail: unknown;
  /** Of what is replayed from an archive. */
  readonly "replay-name"?: string;
}

export const timeText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");

/** An object that is JSON text; undefined where it is none. */
export function detailOf(text: string): object | undefined {
  const value = parsedJson(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
}

/** JSON with the numbers that JavaScript would round as they are written, for targets; undefined where there are none. */
export const parseExact = (text: string): unknown => (LONG_NUMBER.test(text) ? JSON.parse(text, exact) : undefined);

const LONG_NUMBER = /\d{16}/;

// "JSON.parse source text access", which the type library does not know yet.
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

const exact = (_key: string, value: unknown, context?: { source?: string }): unknown =>
  typeof value === "number" && !Number.isSafeInteger(value) && context?.source !== undefined
    ? rawJSON(context.source)
    : value;
