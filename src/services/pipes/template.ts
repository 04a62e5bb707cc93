// Input templates: free text, or JSON, with <$.paths> into the event and <aws.pipes...> variables.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
import { filled, parsedJson, stepsOf, valueAt } from "../../kernel/mod.ts";

export interface Variables {
  readonly pipeArn: string;
  readonly pipeName: string;
  readonly sourceArn: string;
  readonly enrichmentArn: string | undefined;
  readonly targetArn: string;
  /** ms since the epoch. */
  readonly now: number;
}

const PLACEHOLDER = /<(\$(?:[.[][^<>]*)?|aws\.pipes\.[a-z.-]+)>/g;
const NAMES: Readonly<Record<string, (variables: Variables, event: unknown) => unknown>> = {
  "aws.pipes.pipe-arn": ({ pipeArn }) => pipeArn,
  "aws.pipes.pipe-name": ({ pipeName }) => pipeName,
  "aws.pipes.source-arn": ({ sourceArn }) => sourceArn,
  "aws.pipes.enrichment-arn": ({ enrichmentArn }) => enrichmentArn,
  "aws.pipes.target-arn": ({ targetArn }) => targetArn,
  "aws.pipes.event.ingestion-time": ({ now }) => new Date(now).toISOString(),
  "aws.pipes.event": (_, event) => event,
  "aws.pipes.event.json": (_, event) => parsedFields(event),
};

/** Why it is no template; undefined: it is one. */
export function templateFault(template: string): string | undefined {
  for (const [, name] of template.matchAll(PLACEHOLDER)) {
    if (name!.startsWith("$") ? stepsOf(name!) : Object.hasOwn(NAMES, name!)) continue;
    return `Invalid ${name!.startsWith("$") ? "JSON path" : "reserved variable"}: <${name}>`;
  }
  return undefined;
}

/** What the template makes of an event: JSON where the template is JSON, else text in which values stand as they are. */
export function fill(template: string, event: unknown, variables: Variables): unknown {
  const whole = parsedFields(event);
  const value = (name: string) => (name.startsWith("$") ? valueAt(whole, name) : NAMES[name]!(variables, event));
  // Whatever the values are, they make no JSON of a text that is none.
  if (parsedJson(jsonOf(template, () => 0)) === undefined)
    return template.replace(PLACEHOLDER, (_, name: string) => textOf(value(name)));
  return parsedJson(jsonOf(template, value));
}

const jsonOf = (template: string, value: (name: string) => unknown): string =>
  filled(template, {
    placeholder: PLACEHOLDER,
    value,
    quoted: (found) => JSON.stringify(textOf(found)).slice(1, -1),
  });

const textOf = (value: unknown): string =>
  value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** "Implicit body data parsing": a body that is JSON can be looked into. */
export function parsedFields(event: unknown): unknown {
  if (typeof event !== "object" || event === null || !("body" in event) || typeof event.body !== "string") return event;
  const body = /^\s*[{["]/.test(event.body) ? parsedJson(event.body) : undefined;
  return body === undefined ? event : { ...event, body };
}
