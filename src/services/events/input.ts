// What a target is given of an event: all of it, one part of it, a constant, or what a template makes of its parts.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
import { type Arn, filled, type Input, parsedJson, valueAt } from "../../kernel/mod.ts";
import { type Event, timeText } from "./event.ts";

type Target = NonNullable<Input<"events", "PutTargets">["Targets"]>[number];

export interface Moment {
  readonly ruleArn: Arn;
  readonly ruleName: string;
  /** When EventBridge got the event. ms. */
  readonly receivedMs: number;
}

/** The text that the target is sent. `text` is the whole event's. */
export function inputFor(target: Target, { event, text }: { event: Event; text: string }, moment: Moment): string {
  if (target.Input !== undefined) return target.Input;
  // A path that leads nowhere says nothing: null.
  if (target.InputPath !== undefined) return JSON.stringify(valueAt(event, target.InputPath) ?? null);
  const { InputTemplate, InputPathsMap = {} } = target.InputTransformer ?? {};
  if (InputTemplate === undefined) return text;
  const values = new Map<string, unknown>(
    Object.entries(InputPathsMap).map(([name, path]) => [name, valueAt(event, path)]),
  );
  for (const [name, value] of predefined(event, moment)) values.set(name, value);
  return fill(InputTemplate, values);
}

const PREDEFINED = [
  "aws.events.rule-arn",
  "aws.events.rule-name",
  "aws.events.event.ingestion-time",
  "aws.events.event",
  "aws.events.event.json",
] as const;

function predefined(event: Event, { ruleArn, ruleName, receivedMs }: Moment): [string, unknown][] {
  const { detail: _, "detail-type": detailType, ...rest } = event;
  const values: Record<(typeof PREDEFINED)[number], unknown> = {
    "aws.events.rule-arn": ruleArn,
    "aws.events.rule-name": ruleName,
    "aws.events.event.ingestion-time": timeText(receivedMs),
    // Without its detail, and with `detailType`: so AWS sends it.
    "aws.events.event": { ...rest, detailType },
    "aws.events.event.json": event,
  };
  return Object.entries(values);
}

const PLACEHOLDER = /<([A-Za-z0-9_\-.]+)>/g;

/** Objects and lists within quotes lose their own. */
const fill = (template: string, values: ReadonlyMap<string, unknown>): string =>
  filled(template, {
    placeholder: PLACEHOLDER,
    value: (name) => values.get(name),
    quoted: (value) => (typeof value === "object" ? JSON.stringify(value).replaceAll('"', "") : String(value)),
  });

/** What is wrong with a transformer: a name that is not defined, a template that is no JSON whatever is filled in. */
export function templateFault(
  template: string,
  names: readonly string[],
): { readonly unknown: string } | "malformed" | undefined {
  const known = new Set<string>([...names, ...PREDEFINED]);
  for (const [, name] of template.matchAll(PLACEHOLDER)) if (!known.has(name!)) return { unknown: name! };
  const tried = fill(template, new Map([...known].map((name) => [name, ""])));
  // Several texts, one a line, are a text of several lines.
  const lines = tried.split(/\r?\n/).filter((line) => line.trim() !== "");
  return isJson(tried) || (lines.length > 0 && lines.every((line) => /^\s*"/.test(line) && isJson(line)))
    ? undefined
    : "malformed";
}

export const isJson = (text: string): boolean => parsedJson(text) !== undefined;
