// The REST protocols: where each member of a structure travels in an HTTP message.
import type { HttpRequest } from "../model/http.ts";
import type { MapShape, Member, Model, Shape, Simple, Structure } from "../model/model.ts";
import { type TextCodec, textCodec } from "./text.ts";

export interface Bindings {
  readonly status?: string;
  readonly labels: readonly Bound[];
  readonly query: readonly Bound[];
  /** The map that takes all other parameters of the query. */
  readonly rest?: string;
  readonly headers: readonly Bound[];
  /** The same by their names on the wire: a request has fewer headers than S3 has members for them. */
  readonly byHeader: ReadonlyMap<string, readonly Bound[]>;
  readonly prefixes: readonly { readonly name: string; readonly prefix: string }[];
  readonly payload?: { readonly name: string; readonly member: Member; readonly shape: Shape };
  /** Some member travels in the body as one of several: of a request, of an answer. */
  readonly body: boolean;
  readonly answerBody: boolean;
}

interface Bound {
  readonly name: string;
  /** In lower case where it is a header. */
  readonly wire: string;
  readonly list: boolean;
  readonly codec: TextCodec;
  readonly type: Simple["type"];
}

export function bindings(model: Model, structure: string): Bindings {
  const members = Object.entries((model.shapes[structure] as Structure).members);
  const at = (location: Member["location"]) => members.filter(([, m]) => m.location === location);
  const bound = (location: Member["location"], format: "date-time" | "http-date"): Bound[] =>
    at(location).map(([name, member]) => bind(model, name, member, format));
  const payload = at("payload")[0];
  const status = at("statusCode")[0]?.[0];
  const rest = at("queryParams")[0]?.[0];
  const headers = bound("header", "http-date");
  return {
    ...(status && { status }),
    labels: bound("label", "date-time"),
    query: bound("query", "date-time"),
    ...(rest && { rest }),
    headers,
    byHeader: Map.groupBy(headers, ({ wire }) => wire),
    prefixes: at("prefixHeaders").map(([name, m]) => ({ name, prefix: m.locationName!.toLowerCase() })),
    ...(payload && { payload: { name: payload[0], member: payload[1], shape: model.shapes[payload[1].shape]! } }),
    body: members.some(([, m]) => inRequestBody(m)),
    answerBody: members.some(([, m]) => inAnswerBody(m)),
  };
}

export function inRequestBody({ location }: Member): boolean {
  return location === undefined || location === "statusCode";
}

/** An answer has no path and no query: what is bound to them (API Gateway's `position`) is in its body. */
export function inAnswerBody({ location }: Member): boolean {
  return location === undefined || location === "label" || location === "query" || location === "queryParams";
}

function bind(model: Model, name: string, member: Member, format: "date-time" | "http-date"): Bound {
  const shape = model.shapes[member.shape]!;
  const list = shape.type === "list";
  const element = list ? shape.member : member;
  const simple = (list ? model.shapes[element.shape] : shape) as Simple;
  const wire = member.location === "header" ? member.locationName!.toLowerCase() : (member.locationName ?? name);
  return { name, wire, list, codec: textCodec(simple, element, { format }), type: simple.type };
}

export class BadParameter extends Error {
  readonly wire: string;
  readonly text: string;
  readonly type: Simple["type"];

  constructor(bound: { wire: string; type: Simple["type"] }, text: string) {
    super(`${bound.wire} is no ${bound.type}`);
    this.wire = bound.wire;
    this.text = text;
    this.type = bound.type;
  }
}

/** All members that are not in the body. Throws BadParameter, and URIError for a label that is no percent-encoded UTF-8. */
export function readHead(
  b: Bindings,
  model: Model,
  given: {
    readonly structure: string;
    readonly uri: string;
    readonly request: HttpRequest;
    readonly labels: Readonly<Record<string, string>>;
    readonly query: URLSearchParams;
  },
): Record<string, unknown> {
  const { request, query, labels } = given;
  const out: Record<string, unknown> = {};
  for (const bound of b.labels) {
    const raw = labels[bound.name];
    if (raw !== undefined) out[bound.name] = read(bound, decodeURIComponent(raw));
  }
  for (const bound of b.query) {
    if (!query.has(bound.wire)) continue;
    const value = bound.list
      ? query.getAll(bound.wire).map((text) => read(bound, text))
      : read(bound, query.get(bound.wire)!);
    if (value !== undefined) out[bound.name] = value;
  }
  if (b.rest) {
    const shape = model.shapes[(model.shapes[given.structure] as Structure).members[b.rest]!.shape] as MapShape;
    const lists = model.shapes[shape.value.shape]!.type === "list";
    const rest = restOfQuery(b, query, { lists, uri: given.uri });
    if (Object.keys(rest).length > 0) out[b.rest] = rest;
  }
  for (const header in request.headers) {
    const text = request.headers[header]!;
    for (const bound of b.byHeader.get(header) ?? NONE) {
      const value = bound.list ? splitList(text, bound).map((item) => read(bound, item)) : readHeader(bound, text);
      if (value !== undefined) out[bound.name] = value;
    }
  }
  for (const { name, prefix } of b.prefixes) {
    const found = Object.keys(request.headers).filter((header) => header.startsWith(prefix));
    if (found.length > 0)
      out[name] = Object.fromEntries(found.map((header) => [header.slice(prefix.length), request.headers[header]]));
  }
  return out;
}

const NONE: readonly Bound[] = [];

function restOfQuery(b: Bindings, query: URLSearchParams, { lists, uri }: { lists: boolean; uri: string }): object {
  const literals = new URLSearchParams(uri.split("?")[1] ?? "").keys();
  const own = new Set([...b.query.map((q) => q.wire), ...literals]);
  const names = [...new Set(query.keys())].filter((name) => !own.has(name));
  return Object.fromEntries(names.map((name) => [name, lists ? query.getAll(name) : query.get(name)]));
}

/** Nothing is not a number: `max-keys=` is as if it were not there. */
function read(bound: Bound, text: string): unknown {
  if (text === "" && bound.type !== "string") return undefined;
  try {
    return bound.codec.read(text);
  } catch {
    throw new BadParameter(bound, text);
  }
}

/** RFC 9110: a date that is none (If-Modified-Since) is passed over. */
function readHeader(bound: Bound, text: string): unknown {
  if (bound.type !== "timestamp") return read(bound, text);
  try {
    return bound.codec.read(text);
  } catch (error) {
    if (bound.wire.startsWith("x-amz-")) throw new BadParameter(bound, text);
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** Commas part the items, except within quotes; those of an http-date belong to it. */
function splitList(text: string, bound: Bound): string[] {
  if (bound.type === "timestamp") return text.match(/[^,]+,[^,]+/g)?.map((item) => item.trim()) ?? [];
  const items = text.match(/(?:"(?:\\.|[^"\\])*"|[^,"])+/g) ?? [];
  return items.map((item) => {
    const trimmed = item.trim();
    return /^".*"$/s.test(trimmed) ? trimmed.slice(1, -1).replace(/\\(.)/g, "$1") : trimmed;
  });
}

/** Headers of an answer, or of a modelled error. */
export function writeHead(b: Bindings, value: Readonly<Record<string, unknown>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const bound of b.headers) {
    const item = value[bound.name];
    if (item === undefined || item === null) continue;
    headers[bound.wire] = headerSafe(
      bound.list
        ? (item as unknown[]).map((v) => quoted(bound.codec.write(v), bound)).join(", ")
        : bound.codec.write(item),
    );
  }
  for (const { name, prefix } of b.prefixes)
    for (const [key, item] of Object.entries((value[name] as Record<string, string> | undefined) ?? {}))
      headers[prefix + key.toLowerCase()] = headerSafe(item);
  return headers;
}

function quoted(text: string, bound: Bound): string {
  return bound.type === "string" && /[,"]/.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not stand in a header
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/g;
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

/** Headers are bytes: what latin-1 cannot hold goes as UTF-8. A control character would end the header, so it is a space. */
export function headerSafe(text: string): string {
  const line = text.replace(CONTROL, " ");
  return BEYOND_LATIN1.test(line) ? Buffer.from(line, "utf8").toString("latin1") : line;
}

export function isStreaming(shape: Shape): shape is Simple {
  return shape.type === "blob" && shape.streaming === true;
}
