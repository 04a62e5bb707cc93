// JSON path, as far as EventBridge and Pipes have it: names after dots or in brackets, positions, `*`.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html

type Step = { readonly name: string } | { readonly index: number } | "all";

/** Undefined: it is no such path. */
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
