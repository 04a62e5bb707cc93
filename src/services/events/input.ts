// What a target is given of an event: all of it, one part of it, a constant, or what a template makes of its parts.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
import type { Arn, Input } from "../../kernel/mod.ts";
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
  return filled(InputTemplate, values);
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

/** Texts within quotes are written as they are there, objects and lists without their own quotes; elsewhere all is JSON. */
function filled(template: string, values: ReadonlyMap<string, unknown>): string {
  const quoted = quotedAt(template);
  return template.replace(PLACEHOLDER, (whole, name: string, at: number) => {
    if (!values.has(name)) return whole;
    // A path that leads nowhere is an empty text.
    const value = values.get(name) ?? "";
    if (!quoted(at)) return JSON.stringify(value);
    if (typeof value === "string") return JSON.stringify(value).slice(1, -1);
    return typeof value === "object" ? JSON.stringify(value).replaceAll('"', "") : String(value);
  });
}

/** Whether a place of the template is within a JSON text. */
function quotedAt(template: string): (at: number) => boolean {
  const inside: boolean[] = [];
  let open = false;
  for (let at = 0; at < template.length; at++) {
    const char = template[at];
    if (open && char === "\\") {
      inside[at] = true;
      at++;
    } else if (char === '"') open = !open;
    inside[at] = open;
  }
  return (at) => inside[at] === true;
}

/** What is wrong with a transformer: a name that is not defined, a template that is no JSON whatever is filled in. */
export function templateFault(
  template: string,
  names: readonly string[],
): { readonly unknown: string } | "malformed" | undefined {
  const known = new Set<string>([...names, ...PREDEFINED]);
  for (const [, name] of template.matchAll(PLACEHOLDER)) if (!known.has(name!)) return { unknown: name! };
  const tried = filled(template, new Map([...known].map((name) => [name, ""])));
  // Several texts, one a line, are a text of several lines.
  const lines = tried.split(/\r?\n/).filter((line) => line.trim() !== "");
  return isJson(tried) || (lines.length > 0 && lines.every((line) => /^\s*"/.test(line) && isJson(line)))
    ? undefined
    : "malformed";
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
}

type Step = { readonly name: string } | { readonly index: number } | "all";

/** JSON path, as far as EventBridge has it: names after dots or in brackets, positions, `*`. Undefined: it is no such path. */
export function stepsOf(path: string): readonly Step[] | undefined {
  if (!path.startsWith("$")) return undefined;
  const steps: Step[] = [];
  const step = /\.\*|\[\*\]|\.([^.[\]*"'\s]+)|\[(-?\d+)\]|\[(?:'([^']*)'|"([^"]*)")\]/y;
  for (step.lastIndex = 1; step.lastIndex < path.length; ) {
    const found = step.exec(path);
    if (!found) return undefined;
    const [, dotted, index, single, double] = found;
    const name = dotted ?? single ?? double;
    steps.push(name !== undefined ? { name } : index !== undefined ? { index: Number(index) } : "all");
  }
  return steps;
}

const known = new Map<string, readonly Step[] | undefined>();
const MOST_KNOWN = 1000;

/** Undefined where the path leads nowhere. What `*` finds is a list. */
export function valueAt(event: unknown, path: string): unknown {
  if (!known.has(path)) {
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(path, stepsOf(path));
  }
  const steps = known.get(path);
  if (!steps) return undefined;
  let found: unknown[] = [event];
  for (const step of steps) found = found.flatMap((value) => taken(value, step));
  return steps.includes("all") ? found : found[0];
}

function taken(value: unknown, step: Step): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if (step === "all") return Object.values(value);
  if ("index" in step) return Array.isArray(value) ? [value.at(step.index)].filter((one) => one !== undefined) : [];
  const own = !Array.isArray(value) && Object.hasOwn(value, step.name);
  return own ? [(value as Record<string, unknown>)[step.name]] : [];
}
