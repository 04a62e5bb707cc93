// Which operation of a REST service a request means. Compiled once a model into a tree of path segments.
import type { HttpRequest } from "../model/http.ts";
import type { Model, Operation, Protocol, Structure } from "../model/model.ts";

/** What a request was found to ask. */
export interface Route {
  readonly operation: string;
  readonly protocol: Protocol;
  /** REST: what stood in the path, not yet decoded. */
  readonly labels: Readonly<Record<string, string>>;
  /** REST: the parsed query. */
  readonly query?: URLSearchParams;
  /** query protocol: the parameters, from the body or the URL. */
  readonly form?: URLSearchParams;
}

export interface Found {
  readonly operation: string;
  /** By member name, not yet decoded. */
  readonly labels: Readonly<Record<string, string>>;
}

export type Routes = (request: HttpRequest, query: URLSearchParams) => Found | undefined;

interface Candidate {
  readonly operation: string;
  readonly method: string;
  readonly labels: readonly string[];
  /** `?tagging`, `?list-type=2`: must be there. */
  readonly literals: readonly (readonly [string, string])[];
  /** Required members: they tell UploadPart from PutObject, and GetBucketAnalyticsConfiguration from the list of them. */
  readonly query: readonly string[];
  readonly headers: readonly string[];
}

interface Segment {
  readonly literals: Map<string, Segment>;
  label?: Segment;
  readonly ends: Candidate[];
  /** `{Key+}`: takes all that is left, at least one character. */
  readonly greedy: Candidate[];
}

export function compileRoutes(model: Model): Routes {
  const root = newSegment();
  for (const operation of Object.values(model.operations)) if (operation.http) add(root, model, operation);
  return (request, query) => {
    const segments = request.path.slice(1).split("/");
    return find(root, segments, 0, [], { request, query });
  };
}

function newSegment(): Segment {
  return { literals: new Map(), ends: [], greedy: [] };
}

function add(root: Segment, model: Model, { name, input, http }: Operation): void {
  const [path, search = ""] = http!.uri.split("?");
  const { members, required = [] } = model.shapes[input] as Structure;
  const at = (location: string) =>
    required.filter((m) => members[m]!.location === location).map((m) => members[m]!.locationName!);
  const labels: string[] = [];
  const candidate: Candidate = {
    operation: name,
    method: http!.method,
    labels,
    literals: search
      .split("&")
      .filter(Boolean)
      .map((p) => [p.split("=")[0]!, p.split("=")[1] ?? ""] as const),
    query: at("query"),
    headers: at("header").map((h) => h.toLowerCase()),
  };
  let segment = root;
  for (const part of trimmed(path!.slice(1).split("/"))) {
    const label = /^\{(\w+)(\+?)\}$/.exec(part);
    if (label) labels.push(label[1]!);
    if (label?.[2]) {
      segment.greedy.push(candidate);
      return;
    }
    if (label) segment = segment.label ??= newSegment();
    else {
      const next = segment.literals.get(part) ?? newSegment();
      segment.literals.set(part, next);
      segment = next;
    }
  }
  segment.ends.push(candidate);
}

/** `/functions/` and `/functions` are one. */
function trimmed(segments: string[]): string[] {
  return segments.at(-1) === "" ? segments.slice(0, -1) : segments;
}

interface Asked {
  readonly request: HttpRequest;
  readonly query: URLSearchParams;
}

/** Literal before label before the greedy rest. */
function find(
  node: Segment,
  segments: readonly string[],
  at: number,
  values: readonly string[],
  asked: Asked,
): Found | undefined {
  const part = segments[at];
  const isEnd = part === undefined || (part === "" && at === segments.length - 1);
  if (isEnd) return best(node.ends, values, asked);
  const literal = node.literals.get(part);
  const found =
    (literal && find(literal, segments, at + 1, values, asked)) ??
    (node.label && part !== "" ? find(node.label, segments, at + 1, [...values, part], asked) : undefined);
  return found ?? best(node.greedy, [...values, segments.slice(at).join("/")], asked);
}

function best(candidates: readonly Candidate[], values: readonly string[], asked: Asked): Found | undefined {
  let chosen: Candidate | undefined;
  let highest = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    const score = rank(candidate, asked);
    if (score <= highest) continue;
    highest = score;
    chosen = candidate;
  }
  if (!chosen) return undefined;
  return { operation: chosen.operation, labels: Object.fromEntries(chosen.labels.map((l, i) => [l, values[i]!])) };
}

/** Literals count most, then the required members, then the SDK's x-id (GET / is two operations of S3). */
function rank({ operation, method, literals, query, headers }: Candidate, asked: Asked): number {
  if (method !== asked.request.method) return Number.NEGATIVE_INFINITY;
  for (const [name, value] of literals)
    if (!asked.query.has(name) || (value !== "" && asked.query.get(name) !== value)) return Number.NEGATIVE_INFINITY;
  const complete =
    query.every((q) => asked.query.has(q)) && headers.every((h) => asked.request.headers[h] !== undefined);
  const required = complete ? query.length + headers.length : -1;
  return literals.length * 100 + required * 2 + (asked.query.get("x-id") === operation ? 1 : 0);
}
