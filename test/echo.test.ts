// The protocol suite: every operation of every model, through the real SDK over HTTP to a server of find, route, input and
// output alone. What a client sends arrives deep-equal, what the server answers arrives deep-equal, every modelled error
// arrives as its own class. No fixtures: a renewed model is covered the day it is renewed.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { AwsQueryProtocol, AwsSmithyRpcV2CborProtocol } from "@aws-sdk/core/protocols";
import { find, isForm } from "../src/door/find.ts";
import { AwsError } from "../src/kernel/error.ts";
import type { HttpAnswer, HttpRequest } from "../src/model/http.ts";
import { loadModel } from "../src/model/load.ts";
import type { Model, Protocol, Structure } from "../src/model/model.ts";
import * as wire from "../src/wire/wire.ts";
import { CLIENTS } from "../tools/clients.ts";
import { anyStructure, type Random, random, type Wishes } from "./random.ts";

/** What this suite does not send or compare, and why; printed. Operations, or members as `Structure.member` patterns. */
const SKIPPED: readonly { readonly service: string; readonly what: RegExp; readonly why: string }[] = [
  { service: "s3", what: /\.(Checksum(?!Algorithm)|ContentMD5)/, why: "the SDK computes checksums itself" },
  { service: "s3", what: /\.(CopySource)?SSECustomerKey/, why: "the SDK encodes SSE-C keys and adds their MD5" },
  { service: "s3", what: /\.ChecksumAlgorithm$/, why: "the SDK turns it into a trailer" },
  { service: "s3", what: /^(?!HeadObjectOutput)\w+\.ContentLength$/, why: "it is HTTP's own, the body's true length" },
  { service: "s3", what: /\.ExpiresString$/, why: "the SDK makes it of Expires" },
  { service: "s3", what: /^CreateBucketConfiguration\.Location/, why: "the SDK overwrites or validates the location" },
  {
    service: "sqs",
    what: /^ReceiveMessageRequest\.MessageSystemAttributeNames$/,
    why: "in the query protocol it has AttributeNames' name",
  },
  { service: "lambda", what: /\.ResponseStreamContentType$/, why: "it is the event stream's own Content-Type" },
  { service: "apigateway", what: /^GetExportRequest\.accepts$/, why: "the SDK overwrites Accept" },
  { service: "events", what: /\.EndpointId$/, why: "the SDK makes a host of it" },
  { service: "cloudwatch", what: /^DashboardNotFoundError$/, why: "its query code is another error's too" },
];

/** Members that are there though nobody gave them. */
const DEFAULTS = new Set(["ContentType", "contentType", "ExpiresString", "ResponseStreamContentType"]);
/** ECHO=s3.PutObject shows one alone. */
const ONLY = process.env.ECHO;
const ROUNDS = 3;
const models = new Map(
  Object.keys(CLIENTS).map((name) => [name, loadModel(new URL(`../src/services/${name}/x`, import.meta.url).href)]),
);

/** What the server is to answer next, and what it got. */
interface Exchange {
  answer(model: Model, route: wire.Route): HttpAnswer;
  operation?: string;
  protocol?: Protocol;
  input?: unknown;
  failure?: unknown;
}

let exchange: Exchange;
let server: Server;
let endpoint: string;

before(async () => {
  server = createServer((req, res) => void serve(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const { service, what, why } of SKIPPED) console.log(`not echoed: ${service} ${what.source} (${why})`);
});

after(() => {
  server.closeAllConnections();
  server.close();
});

async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    const answer = await echo(toRequest(req));
    res.writeHead(answer.status, answer.headers);
    if (answer.body instanceof Readable) answer.body.pipe(res);
    else res.end(answer.body);
  } catch (error) {
    exchange.failure = error;
    res.writeHead(599).end();
  }
}

async function echo(request: HttpRequest): Promise<HttpAnswer> {
  const bytes = new Uint8Array(Buffer.concat(await request.body.toArray()));
  const form = isForm(request) ? new URLSearchParams(Buffer.from(bytes).toString()) : undefined;
  const found = find(request, models, { ...(form && { form }) });
  assert.ok(found, `no service for ${request.method} ${request.path}`);
  const model = models.get(found.service)!();
  const route = wire.route(model, found.protocol, found.request, form);
  assert.ok(route, `no operation for ${request.method} ${request.path}?${request.query}`);
  exchange.operation = `${found.service}.${route.operation}`;
  exchange.protocol = route.protocol;
  const body = wire.readsBody(model, route.operation) === "stream" ? Readable.from([bytes]) : bytes;
  exchange.input = wire.input(model, route, found.request, body);
  return exchange.answer(model, route);
}

function toRequest(req: IncomingMessage): HttpRequest {
  const [path, query = ""] = req.url!.split("?") as [string, string?];
  const headers: Record<string, string> = {};
  for (let i = 0; i < req.rawHeaders.length; i += 2) headers[req.rawHeaders[i]!.toLowerCase()] = req.rawHeaders[i + 1]!;
  return { method: req.method!, path, query, headers, body: req, from: "127.0.0.1" };
}

// biome-ignore lint/suspicious/noExplicitAny: the clients' modules are used alike, by the names of operations
type Sdk = any;

async function clientOf(service: string, options: object = {}): Promise<{ sdk: Sdk; client: Sdk }> {
  const sdk: Sdk = await import(`@aws-sdk/${CLIENTS[service as keyof typeof CLIENTS]}`);
  const Client = sdk[Object.keys(sdk).find((k) => k.endsWith("Client") && k !== "__Client")!];
  const client = new Client({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
    maxAttempts: 1,
    disableHostPrefix: true,
    ...(service === "s3" && {
      forcePathStyle: true,
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    }),
    ...(service === "sqs" && { useQueueUrlAsEndpoint: false, md5: false }),
    ...options,
  });
  return { sdk, client };
}

function wishes(service: string, next: Random): Wishes {
  const skipped = SKIPPED.filter((s) => s.service === service);
  return {
    random: next,
    skip: (structure, member) => skipped.some((s) => s.what.test(`${structure}.${member}`)),
    fixed: (structure, member) =>
      service !== "s3" || !structure.endsWith("Request")
        ? undefined
        : member === "Bucket"
          ? `bucket-${Math.floor(next() * 1e6)}`
          : member === "ExpectedBucketOwner"
            ? "111122223333"
            : undefined,
  };
}

async function echoes(service: string, options: object = {}, protocol?: Protocol): Promise<void> {
  const model = models.get(service)!();
  const { sdk, client } = await clientOf(service, options);
  const problems: string[] = [];
  const operations = Object.entries(model.operations).filter(([name]) => !ONLY || ONLY === `${service}.${name}`);
  for (const [name, operation] of operations)
    for (let round = 0; round < ROUNDS; round++) {
      const next = random(hash(`${service}.${name}.${round}`));
      const sent = anyStructure(model, operation.input, wishes(service, next));
      const told = anyStructure(model, operation.output, wishes(service, next));
      const statusCode = Object.entries((model.shapes[operation.output] as Structure).members).find(
        ([, m]) => m.location === "statusCode",
      );
      if (statusCode) told[statusCode[0]] = 200 + Math.floor(next() * 4);
      exchange = { answer: (m, route) => wire.output(m, route, streaming(m, operation.output, told), "req-1") };
      try {
        const result = await client.send(new sdk[`${name}Command`](structuredClone(sent)));
        assert.equal(exchange.operation, `${service}.${name}`);
        if (protocol) assert.equal(exchange.protocol, protocol);
        const wanted = wishes(service, next);
        const got = Object.entries(exchange.input as object).filter(([m]) => !wanted.skip(operation.input, m));
        assert.deepEqual(await plain(Object.fromEntries(got), sent), await plain(sent), "input");
        const { $metadata, ...rest } = result;
        assert.deepEqual(await plain(rest, told), await plain(told), "output");
      } catch (error) {
        problems.push(`${service}.${name}#${round}: ${exchange.failure ?? error}`);
      }
    }
  client.destroy();
  assert.deepEqual(problems.slice(0, 30), [], `${problems.length} problems`);
}

async function errors(service: string, options: object = {}): Promise<void> {
  const model = models.get(service)!();
  const { sdk, client } = await clientOf(service, options);
  const operation = Object.values(model.operations).find((o) => o.http?.method !== "HEAD")!;
  const problems: string[] = [];
  for (const [name, shape] of Object.entries(model.shapes)) {
    if (shape.type !== "structure" || !shape.error) continue;
    if (SKIPPED.some((s) => s.service === service && s.what.test(name))) continue;
    const next = random(hash(`${service}.${name}`));
    const { message, Message, ...fields } = anyStructure(model, name, wishes(service, next));
    delete fields.Type;
    exchange = {
      answer: (m, r) =>
        wire.error(
          m,
          r.protocol,
          r.operation,
          new AwsError(name, shape.error!.status, "what went wrong", fields),
          "req-1",
        ),
    };
    const input = anyStructure(model, operation.input, wishes(service, next));
    try {
      const error = await client.send(new sdk[`${operation.name}Command`](input)).then(
        () => assert.fail("an error is expected"),
        (e: Error) => e,
      );
      assert.ok(error instanceof sdk[name], `${error.name} (${error.message}) is no ${name}`);
      assert.equal(error.$metadata.httpStatusCode, shape.error.status);
      assert.equal(error.message, "what went wrong");
      for (const [key, value] of Object.entries(fields))
        assert.deepEqual(await plain((error as Sdk)[key]), await plain(value), key);
    } catch (error) {
      problems.push(`${service}.${name}: ${exchange.failure ?? error}`);
    }
  }
  client.destroy();
  assert.deepEqual(problems.slice(0, 30), [], `${problems.length} problems`);
}

/** Event streams are given as what a handler gives: an AsyncIterable. */
function streaming(model: Model, structure: string, told: Record<string, unknown>): unknown {
  for (const [name, member] of Object.entries((model.shapes[structure] as Structure).members)) {
    const shape = model.shapes[member.shape]!;
    if (shape.type === "union" && shape.eventStream && told[name])
      return { ...told, [name]: Readable.from([told[name]]) };
  }
  return told;
}

function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const c of text) h = Math.imul(h ^ c.codePointAt(0)!, 0x01000193);
  return h;
}

/** Bytes as hex, streams read, undefined left out; a member that was not asked for and is empty counts as absent. */
async function plain(value: Sdk, like?: Sdk): Promise<unknown> {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (value instanceof Date || value === null || typeof value !== "object") return value;
  if (typeof value.transformToByteArray === "function") return plain(await value.transformToByteArray());
  if (value instanceof Readable) return plain(new Uint8Array(Buffer.concat(await value.toArray())));
  if (Symbol.asyncIterator in value) {
    for await (const event of value) return plain(event);
    return undefined;
  }
  if (Array.isArray(value)) return Promise.all(value.map((item) => plain(item)));
  const entries: [string, unknown][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined || (like && !(key in like) && (isNothing(item) || DEFAULTS.has(key)))) continue;
    const entry = await plain(item);
    if (entry !== undefined) entries.push([key, entry]);
  }
  return Object.fromEntries(entries);
}

function isNothing(item: Sdk): boolean {
  return (
    item === null || (typeof item === "object" && Object.keys(item).length === 0) || typeof item?.pipe === "function"
  );
}

for (const service of Object.keys(CLIENTS)) {
  test(`every operation of ${service} arrives as it was sent, and its answer too`, { timeout: 30_000 }, () =>
    echoes(service),
  );
  test(`every modelled error of ${service} arrives as its own class`, { timeout: 30_000 }, () => errors(service));
}
for (const service of ["sqs", "cloudwatch"]) {
  const query = { protocol: AwsQueryProtocol };
  test(`${service} speaks the query protocol too`, { timeout: 30_000 }, async () => {
    await echoes(service, query, "query");
    await errors(service, query);
  });
}
test("cloudwatch speaks rpcv2Cbor too", { timeout: 30_000 }, async () => {
  const cbor = { protocol: AwsSmithyRpcV2CborProtocol };
  await echoes("cloudwatch", cbor, "rpcv2Cbor");
  await errors("cloudwatch", cbor);
});
