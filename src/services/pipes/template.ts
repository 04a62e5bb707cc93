// Input templates: free text, or JSON, with <$.paths> into the event and <aws.pipes...> variables.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html

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
  for (const [, name] of template.matchAll(PLACEHOLDER))
    if (!name!.startsWith("$") && !Object.hasOwn(NAMES, name!)) return `Invalid reserved variable: <${name}>`;
  return undefined;
}

/** What the template makes of an event: JSON where the template is JSON, else text in which values stand as they are. */
export function fill(template: string, event: unknown, variables: Variables): unknown {
  const whole = parsedFields(event);
  const valueOf = (name: string) => (name.startsWith("$") ? atPath(whole, name) : NAMES[name]!(variables, event));
  const filled = (write: (value: unknown, at: number) => string) =>
    template.replace(PLACEHOLDER, (_, name: string, at: number) => write(valueOf(name), at));
  if (parse(template.replace(PLACEHOLDER, (_, __, at: number) => (quoted(template, at) ? "" : "null"))) === undefined)
    return filled(textOf);
  // A path that leads nowhere is an empty text.
  return parse(
    filled((value, at) =>
      quoted(template, at) ? JSON.stringify(textOf(value)).slice(1, -1) : JSON.stringify(value ?? ""),
    ),
  );
}

const textOf = (value: unknown): string =>
  value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** Whether what stands at `at` is within a JSON string. */
function quoted(template: string, at: number): boolean {
  let within = false;
  for (let i = 0; i < at; i++)
    if (template[i] === "\\") i++;
    else if (template[i] === '"') within = !within;
  return within;
}

/** `$.a.b[0]`, `$['a']`, `*` for every member. undefined: nothing is there. */
export function atPath(event: unknown, path: string): unknown {
  const steps = [...path.slice(1).matchAll(/\.([^.[\]]+)|\[(\d+|\*)\]|\['([^']+)'\]/g)];
  let found: unknown[] = [event];
  let many = false;
  for (const [, name, index, quotedName] of steps) {
    const key = name ?? quotedName ?? index!;
    many ||= key === "*";
    found = found.flatMap((value) => stepInto(value, key));
  }
  return many ? found : found[0];
}

function stepInto(value: unknown, key: string): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if (key === "*") return Object.values(value);
  const next = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  return next === undefined ? [] : [next];
}

/** "Implicit body data parsing": a body that is JSON can be looked into. */
export function parsedFields(event: unknown): unknown {
  if (typeof event !== "object" || event === null || !("body" in event) || typeof event.body !== "string") return event;
  const body = /^\s*[{["]/.test(event.body) ? parse(event.body) : undefined;
  return body === undefined ? event : { ...event, body };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
