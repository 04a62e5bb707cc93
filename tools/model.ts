// Writes src/services/<name>/model.json from an SDK client's own run-time schema, merged with botocore's published model.
// The client says names, traits and protocol; botocore says what the client lacks: kinds of numbers, constraints, which error
// belongs to which operation, the order of members. Documentation is not taken. Neither is needed at run time.
//   npm run model s3 client-s3        npm run model -- --all        [--botocore DIR]
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import type { Member, Model, Operation, Protocol, Shape, Structure, Traits } from "../src/model/model.ts";
import { CLIENTS } from "./clients.ts";

const PROTOCOLS: Record<string, Protocol> = {
  "aws.protocols#restXml": "restXml",
  "aws.protocols#restJson1": "restJson",
  "aws.protocols#awsJson1_0": "awsJson1_0",
  "aws.protocols#awsJson1_1": "awsJson1_1",
  "aws.protocols#awsQuery": "query",
  "smithy.protocols#rpcv2Cbor": "rpcv2Cbor",
};

/** What older or other SDKs speak to a service, besides the protocol of today's JavaScript client. */
const ALSO: Record<string, readonly Protocol[]> = {
  sqs: ["query"],
  cloudwatch: ["rpcv2Cbor", "query"],
};

/** Neither source has it any more; SQS answers the query protocol under this name. */
const NAMESPACES: Record<string, string> = { sqs: "http://queue.amazonaws.com/doc/2012-11-05/" };

/** What stands before a modelled error's name in `__type`. Seen on AWS; in neither source. */
const ERROR_PREFIXES: Record<string, string> = {
  dynamodb: "com.amazonaws.dynamodb.v20120810#",
  dynamodbstreams: "com.amazonaws.dynamodb.v20120810#",
  sqs: "com.amazonaws.sqs#",
};

/** DynamoDB's parser is a newer one, with its own words for wrong types. Seen on AWS. */
const TERSE = new Set(["dynamodb", "dynamodbstreams"]);

// The SDK's schemas are tuples [kind, namespace, name, traits, ...]; references are functions, simple types numbers.
type SdkTraits = number | Record<string, never>;
type SdkSchema = readonly [number, string, string, SdkTraits, ...unknown[]];
interface BotoShape {
  readonly type: string;
  readonly members?: Record<string, BotoMember>;
  readonly member?: BotoMember;
  readonly key?: BotoMember;
  readonly value?: BotoMember;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly min?: number;
  readonly max?: number;
  readonly sensitive?: boolean;
  readonly flattened?: boolean;
  readonly timestampFormat?: string;
}
interface BotoMember {
  readonly shape: string;
  readonly locationName?: string;
  readonly flattened?: boolean;
}
interface Boto {
  readonly metadata: Record<string, string> & { awsQueryCompatible?: object };
  readonly operations: Record<
    string,
    {
      input?: BotoMember;
      output?: BotoMember;
      errors?: BotoMember[];
      http: { method: string; requestUri: string; responseCode?: number };
    }
  >;
  readonly shapes: Record<string, BotoShape>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: "boolean" }, botocore: { type: "string" } },
});

/** Where the machine's own botocore keeps its models, unless another folder is named. */
const botocoreData =
  values.botocore ??
  join(
    execFileSync("python3", ["-c", "import botocore; print(botocore.__path__[0])"], { encoding: "utf8" }).trim(),
    "data",
  );
async function write(name: string, sdk: string): Promise<void> {
  const model = build(name, await readClient(sdk), readBotocore(name));
  const dir = new URL(`../src/services/${name}/`, import.meta.url);
  mkdirSync(dir, { recursive: true });
  writeFileSync(new URL("model.json", dir), print(model));
  console.log(
    `${name}: ${Object.keys(model.operations).length} operations, ${Object.keys(model.shapes).length} shapes`,
  );
}

interface Client {
  readonly protocol: Protocol;
  readonly xmlNamespace?: string;
  readonly operations: readonly SdkSchema[];
  readonly errors: readonly SdkSchema[];
}

async function readClient(sdk: string): Promise<Client> {
  const module: Record<string, unknown> = await import(`@aws-sdk/${sdk}`);
  const name = Object.keys(module).find((k) => k.endsWith("Client") && k !== "__Client");
  const Client = module[name!] as new (config: object) => { config: Record<string, never> };
  const { config } = new Client({ region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "b" } });
  const { protocol, protocolSettings } = config as {
    protocol?: { getShapeId(): string };
    protocolSettings?: { xmlNamespace?: string };
  };
  const schemas = Object.entries(module).flatMap(([k, v]) =>
    k.endsWith("$") && Array.isArray(v) ? [v as unknown as SdkSchema] : [],
  );
  return {
    protocol: PROTOCOLS[protocol!.getShapeId()]!,
    ...(protocolSettings?.xmlNamespace && { xmlNamespace: protocolSettings.xmlNamespace }),
    operations: schemas.filter((s) => s[0] === 9).sort(byName),
    // The base class of a client's exceptions is an error schema too, in a namespace of its own.
    errors: schemas.filter((s) => s[0] === -3 && !s[1].startsWith("smithy.ts.sdk.synthetic")).sort(byName),
  };
}

function byName(a: SdkSchema, b: SdkSchema): number {
  return a[2] < b[2] ? -1 : 1;
}

function readBotocore(name: string): Boto {
  const dir = join(botocoreData, name);
  const version = readdirSync(dir)
    .filter((v) => /^\d{4}-/.test(v))
    .sort()
    .at(-1)!;
  const plain = join(dir, version, "service-2.json");
  const bytes = existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(`${plain}.gz`));
  return JSON.parse(bytes.toString("utf8"));
}

function build(service: string, sdk: Client, boto: Boto): Model {
  const shapes: Record<string, Shape> = {};
  const structureOf = collector(shapes, boto);
  const operations: Record<string, Operation> = {};
  const rest = sdk.protocol === "restXml" || sdk.protocol === "restJson";
  for (const [, , name, ownTraits, input, output] of sdk.operations) {
    const traits = spell(ownTraits);
    const known = boto.operations[name];
    operations[name] = {
      name,
      input: structureOf(input, known?.input?.shape),
      output: structureOf(output, known?.output?.shape),
      errors: known?.errors?.map((e) => e.shape).filter((e) => sdk.errors.some((s) => s[2] === e)) ?? [],
      ...(rest && { http: http(traits.http as unknown as [string, string, number], input) }),
      ...(traits.endpoint !== undefined && { hostPrefix: traits.endpoint[0] as string }),
    };
  }
  for (const error of sdk.errors) structureOf(error, boto.shapes[error[2]] ? error[2] : undefined);
  const { metadata } = boto;
  const xmlNamespace = NAMESPACES[service] ?? metadata.xmlNamespace ?? sdk.xmlNamespace;
  const protocols = [sdk.protocol, ...(ALSO[service] ?? [])];
  return {
    service,
    serviceId: metadata.serviceId!,
    apiVersion: metadata.apiVersion!,
    signingName: metadata.signingName ?? metadata.endpointPrefix!,
    protocols,
    ...(metadata.targetPrefix && { target: metadata.targetPrefix }),
    ...(protocols.some((p) => p === "query" || p === "restXml") && { xmlNamespace }),
    ...(metadata.awsQueryCompatible && { queryCompatible: true }),
    ...(ERROR_PREFIXES[service] && { errorPrefix: ERROR_PREFIXES[service] }),
    ...(TERSE.has(service) && { terse: true }),
    operations,
    shapes: Object.fromEntries(Object.entries(shapes).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** The SDK leaves S3's bucket to the endpoint, and tells operations of one URI apart by x-id, which is not sure on the wire. */
function http([method, uri, status]: [string, string, number], input: unknown) {
  const clean = uri.replace(/[?&]x-id=\w+/, "");
  const members = (deref(input) as SdkSchema)[4];
  const bucket = Array.isArray(members) && members.includes("Bucket") && !clean.includes("{Bucket}");
  return { method, uri: bucket ? `/{Bucket}${clean.replace(/^\/(?=\?|$)/, "")}` : clean, status };
}

/** Returns a function that adds a schema's shape, and all it refers to, to `shapes`, and gives the shape's name. */
function collector(shapes: Record<string, Shape>, boto: Boto) {
  const unit: Structure = { type: "structure", members: {} };

  function add(name: string, shape: Shape): string {
    const taken = shapes[name];
    if (!taken) shapes[name] = shape;
    else if (JSON.stringify(taken) !== JSON.stringify(shape)) return add(`${name}_`, shape);
    return name;
  }

  function structure(ref: unknown, known?: string): string {
    const schema = deref(ref);
    return schema === "unit" ? add("Unit", unit) : visit(schema, known).shape;
  }

  /** The member's shape, and the traits that the schema has where the member is. */
  function visit(ref: unknown, known: string | undefined): Member {
    let schema = deref(ref);
    let traits: Record<string, never> = {};
    while (Array.isArray(schema) && schema.length === 2) {
      traits = { ...spell(schema[1]), ...traits };
      schema = deref(schema[0]);
    }
    if (Array.isArray(schema) && schema[0] === 0) {
      traits = { ...spell(schema[3]), ...traits };
      schema = deref(schema[4]);
    }
    const shape = known === undefined ? undefined : boto.shapes[known];
    if (typeof schema === "number" && schema < 64) return simple(schema, known, shape, traits);
    if (typeof schema === "number") {
      const inner = schema & 63;
      const name = known ?? (schema < 128 ? "ListOf" : "MapOf") + SIMPLE[inner]![0];
      return collection({ name, isList: schema < 128, inner, key: 0, own: {}, traits }, shape);
    }
    const [kind, , name, own, a, b] = schema as SdkSchema;
    if (kind === 1)
      return collection({ name: known ?? name, isList: true, inner: a, key: 0, own: spell(own), traits }, shape);
    if (kind === 2)
      return collection({ name: known ?? name, isList: false, inner: b, key: a, own: spell(own), traits }, shape);
    return aggregate(schema as SdkSchema, shape, traits);
  }

  function simple(kind: number, known: string | undefined, shape: BotoShape | undefined, all: Record<string, never>) {
    const [fallback, types] = SIMPLE[kind]!;
    const { streaming, ...traits } = all;
    const fits = shape && types.includes(shape.type);
    const format = TIMESTAMP[kind];
    const isOwn = fits && shape.timestampFormat !== undefined;
    const name = fits ? known! : streaming || kind === 42 ? "StreamingBlob" : fallback;
    const added = add(name, {
      type: (fits ? shape.type : types[0]) as "string",
      ...((streaming || kind === 42) && { streaming: true }),
      ...(isOwn && format && { timestampFormat: format }),
      ...(fits && constraints(shape)),
      ...(fits && shape.enum && { enum: shape.enum }),
      ...(fits && shape.pattern !== undefined && { pattern: shape.pattern }),
      ...(fits && shape.sensitive && { sensitive: true }),
    });
    return { shape: added, ...translate(traits), ...(!isOwn && format && { timestampFormat: format }) };
  }

  function collection(
    c: {
      name: string;
      isList: boolean;
      inner: unknown;
      key: unknown;
      own: Record<string, never>;
      traits: Record<string, never>;
    },
    shape: BotoShape | undefined,
  ): Member {
    const traits = { ...translate(c.own), ...translate(c.traits) };
    const published = shape && {
      ...constraints(shape),
      ...(shape.sensitive && { sensitive: true as const }),
    };
    // A list may contain itself (AttributeValue): its name is taken before its member is visited.
    const inner = visit(c.inner, (c.isList ? shape?.member : shape?.value)?.shape);
    const element = { ...inner, ...elementName(c.isList ? shape?.member : shape?.value, inner) };
    if (c.isList) return { shape: add(c.name, { type: "list", member: element, ...published }), ...traits };
    const key = visit(c.key, shape?.key?.shape);
    const keyed = { ...key, ...elementName(shape?.key, key) };
    return { shape: add(c.name, { type: "map", key: keyed, value: element, ...published }), ...traits };
  }

  const visited = new Set<unknown>();
  function aggregate(schema: SdkSchema, referred: BotoShape | undefined, traits: Record<string, never>): Member {
    // An operation that botocore has not yet may be the first to come here: then the name tells.
    const named = boto.shapes[schema[2]];
    const shape = referred ?? (named?.members ? named : undefined);
    const [kind, , name, own, names, refs, count] = schema as unknown as [
      number,
      string,
      string,
      SdkTraits,
      string[],
      unknown[],
      number?,
    ];
    const ownTraits = spell(own);
    if (!visited.has(schema)) {
      visited.add(schema);
      const members: Record<string, Member> = {};
      const order = Object.keys(shape?.members ?? {}).filter((m) => names.includes(m));
      for (const m of [...order, ...names.filter((n) => !order.includes(n))])
        members[m] = visit(refs[names.indexOf(m)], shape?.members?.[m]?.shape);
      const required = shape ? shape.required?.filter((m) => members[m]) : names.slice(0, count ?? 0);
      const { streaming, error, httpError, awsQueryError, ...rest } = ownTraits;
      const common = { members, ...translate(rest), ...(shape?.sensitive && { sensitive: true as const }) };
      if (shapes[name]) throw new Error(`two structures are named ${name}`);
      shapes[name] =
        kind === 4
          ? { type: "union", ...common, ...(streaming !== undefined && { eventStream: true }) }
          : {
              type: "structure",
              ...common,
              ...(required?.length && { required }),
              ...(kind === -3 && { error: errorTrait(name, { error, httpError, awsQueryError }) }),
            };
    }
    return { shape: name, ...translate(traits) };
  }

  return structure;
}

function errorTrait(name: string, traits: { error?: string; httpError?: number; awsQueryError?: [string, number] }) {
  const fault = traits.error as "client" | "server";
  const code = traits.awsQueryError?.[0];
  const status = traits.httpError ?? (fault === "server" ? 500 : 400);
  return { status, fault, ...(code && code !== name && { code }) };
}

function constraints({ type, min, max }: BotoShape) {
  // A timestamp or boolean has none; some models say so all the same.
  if (type === "boolean" || type === "timestamp") return {};
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

function elementName(published: BotoMember | undefined, visited: Member): Traits {
  return published?.locationName && !visited.xmlName ? { xmlName: published.locationName } : {};
}

/** Kind -> our name where botocore has none, and the types of botocore that may stand for it. */
const SIMPLE: Record<number, readonly [string, readonly string[]]> = {
  0: ["String", ["string", "character"]],
  1: ["Double", ["double", "integer", "long", "float", "short", "byte"]],
  2: ["Boolean", ["boolean"]],
  4: ["Timestamp", ["timestamp"]],
  5: ["Timestamp", ["timestamp"]],
  6: ["Timestamp", ["timestamp"]],
  7: ["Timestamp", ["timestamp"]],
  15: ["Document", ["document"]],
  17: ["Long", ["long"]],
  21: ["Blob", ["blob"]],
  42: ["StreamingBlob", ["blob"]],
};
const TIMESTAMP: Record<number, "date-time" | "http-date" | "epoch-seconds"> = {
  5: "date-time",
  6: "http-date",
  7: "epoch-seconds",
};

/** The SDK's trait -> ours. What is not listed (httpChecksum, idempotent, ...) says nothing about the wire. */
function translate(traits: Record<string, never>): Traits {
  const { httpHeader, httpQuery, httpPrefixHeaders, xmlNamespace, ...flags } = traits as Record<string, string>;
  const [prefix, uri] = (xmlNamespace as unknown as [string, string] | [string] | undefined) ?? [];
  return {
    ...(flags.httpLabel && { location: "label" }),
    ...(httpQuery !== undefined && { location: "query", locationName: httpQuery }),
    ...(flags.httpQueryParams && { location: "queryParams" }),
    ...(httpHeader !== undefined && { location: "header", locationName: httpHeader }),
    ...(httpPrefixHeaders !== undefined && { location: "prefixHeaders", locationName: httpPrefixHeaders }),
    ...(flags.httpPayload && { location: "payload" }),
    ...(flags.httpResponseCode && { location: "statusCode" }),
    ...(flags.xmlName && { xmlName: flags.xmlName }),
    ...(flags.xmlFlattened && { xmlFlattened: true }),
    ...(flags.xmlAttribute && { xmlAttribute: true }),
    ...(xmlNamespace && { xmlNamespace: uri ? { prefix: prefix!, uri } : { uri: prefix! } }),
    ...(flags.jsonName && { jsonName: flags.jsonName }),
    ...(flags.sensitive && { sensitive: true }),
    ...(flags.idempotencyToken && { idempotencyToken: true }),
    ...(flags.eventHeader && { event: "header" }),
    ...(flags.eventPayload && { event: "payload" }),
    ...(flags.hostLabel && { hostLabel: true }),
  };
}

const FLAGS = [
  "httpLabel",
  "idempotent",
  "idempotencyToken",
  "sensitive",
  "httpPayload",
  "httpResponseCode",
  "httpQueryParams",
];

/** Traits are an object, or a number of one bit for each of the commonest flags. */
function spell(traits: unknown): Record<string, never> {
  if (typeof traits === "object") return traits as Record<string, never>;
  return Object.fromEntries(FLAGS.filter((_, i) => ((traits as number) >> i) & 1).map((f) => [f, 1 as never]));
}

function deref(ref: unknown): unknown {
  return typeof ref === "function" ? ref() : ref;
}

/** One operation, one shape a line: a renewed model reads well as a diff. */
function print(model: Model): string {
  const lines = Object.entries(model).map(([key, value]) => {
    if (key !== "operations" && key !== "shapes") return `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
    const entries = Object.entries(value).map(([k, v]) => `    ${JSON.stringify(k)}: ${JSON.stringify(v)}`);
    return `${JSON.stringify(key)}: {\n${entries.join(",\n")}\n  }`;
  });
  return `{\n  ${lines.join(",\n  ")}\n}\n`;
}

const [only, client] = positionals;
if (values.all) for (const [name, sdk] of Object.entries(CLIENTS)) await write(name, sdk);
else if (only && client) await write(only, client);
else throw new Error("npm run model SERVICE SDK-CLIENT [--botocore DIR], or npm run model -- --all");
