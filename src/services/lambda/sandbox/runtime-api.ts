// The Runtime API, 2018-06-01, as a runtime sees it: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// One RuntimeApi a worker. Our own bootstraps speak through an inherited socket (fd 3), a package's own `bootstrap` through TCP.
//
// What AWS does not have: on fd 3 an answer may say `Response-File` (the body is in the worker's file of that request), and an error
// `Exit-Status` (a bash handler that failed); both save the bash bootstrap the work.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Extensions } from "./extensions.ts";
import { sayText as text } from "./reply.ts";
import type { Invocation, ResponseSink } from "./sandbox.ts";

// Not imported: see door/server.ts.
const { createServer } = process.getBuiltinModule("node:http");

/** 6 MiB and 100 bytes: AWS's own figure. */
export const LARGEST_PAYLOAD = 6_291_556;
/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html: 200 MB since July 2025. */
export const LARGEST_STREAM = 209_715_200;

export interface Answer {
  readonly body: Buffer;
  /** Present: the runtime reported an error of the function. */
  readonly errorType?: string;
  readonly tooLarge?: boolean;
  /** Its bytes went to the invocation's sink. */
  readonly streamed?: boolean;
  readonly inFile?: boolean;
  /** Of a bash handler. */
  readonly exitStatus?: number;
}

export interface Runtime {
  onReady(): void;
  onInitError(answer: Answer): void;
  onAnswer(answer: Answer): void;
}

type State = "Started" | "InitError" | "Ready" | "Running" | "ResponseSent";

export class RuntimeApi {
  readonly #runtime: Runtime;
  readonly #extensions: Extensions;
  #state: State = "Started";
  #waiting: ServerResponse | undefined;
  #invocation: Invocation | undefined;
  #truncated: Answer | undefined;

  constructor(runtime: Runtime, extensions: Extensions) {
    this.#runtime = runtime;
    this.#extensions = extensions;
  }

  /** A new process: what its predecessor said is over. */
  restart(): void {
    this.#state = "Started";
    this.#waiting = undefined;
    this.#invocation = undefined;
    this.#truncated = undefined;
  }

  get ready(): boolean {
    return this.#state === "Ready" && !this.#invocation;
  }

  /** Only when ready. A client that gave up waiting gets it when it asks again. */
  give(invocation: Invocation): void {
    this.#invocation = invocation;
    this.#deliver(invocation);
  }

  #deliver(invocation: Invocation): void {
    const response = this.#waiting;
    this.#waiting = undefined;
    if (!response || response.destroyed) return;
    this.#state = "Running";
    response.writeHead(200, {
      "Lambda-Runtime-Aws-Request-Id": invocation.requestId,
      "Lambda-Runtime-Deadline-Ms": `${Math.round(invocation.deadlineMs)}`,
      "Lambda-Runtime-Invoked-Function-Arn": invocation.functionArn,
      "Lambda-Runtime-Trace-Id": invocation.traceId,
      ...(invocation.clientContext && { "Lambda-Runtime-Client-Context": headerJson(invocation.clientContext) }),
      "Content-Type": "application/json",
      "Content-Length": invocation.event.length,
    });
    response.end(invocation.event);
  }

  async handle(request: IncomingMessage, response: ServerResponse, inherited: boolean): Promise<void> {
    const [, version, resource, ...rest] = (request.url ?? "").split("?")[0]!.split("/");
    const path = rest.join("/");
    const known = [resource, ...rest].join("/").replace(/\/$/, "");
    if (version !== "2018-06-01" && (await this.#extensions.handle(version ?? "", known, request, response))) return;
    if (version !== "2018-06-01") return say(response, 404, NOT_FOUND);
    if (request.method === "GET" && resource === "ping") return text(response, 200, "pong");
    if (resource !== "runtime") return say(response, 404, NOT_FOUND);
    if (request.method === "GET" && path === "invocation/next") return this.#next(response);
    if (request.method === "POST" && path === "init/error") return this.#initError(request, response);
    const answer = /^invocation\/([^/]+)\/(response|error)$/.exec(path);
    if (request.method === "POST" && answer)
      return this.#answer(request, response, { id: answer[1]!, kind: answer[2] as "response" | "error", inherited });
    return say(response, 404, NOT_FOUND);
  }

  #next(response: ServerResponse): void {
    if (this.#state === "Running" || this.#state === "InitError") this.#forbid(response, "Ready");
    else {
      this.#sayTruncated();
      if (this.#state !== "Ready") this.#invocation = undefined;
      this.#state = "Ready";
      this.#waiting = response;
      if (this.#invocation) this.#deliver(this.#invocation);
      else this.#runtime.onReady();
    }
  }

  async #initError(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    if (this.#state !== "Started") return this.#forbid(response, "InitError");
    this.#state = "InitError";
    accept(response);
    this.#runtime.onInitError({ body: body.bytes, errorType: errorType(request) });
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    { id, kind, inherited }: { id: string; kind: "response" | "error"; inherited: boolean },
  ): Promise<void> {
    const mode = request.headers["lambda-runtime-function-response-mode"];
    const invocation = this.#invocation;
    const streamed = kind === "response" && mode === "streaming" && this.#state === "Running";
    const sink = streamed && id === invocation?.requestId ? invocation.sink : undefined;
    const body = await (sink ? passBody(request, sink) : readBody(request)).catch((error: unknown) => {
      if (streamed && !inherited) this.#cut(invocation);
      throw error;
    });
    if (id !== this.#invocation?.requestId) return say(response, 400, INVALID_ID);
    if (this.#state !== "Running")
      return this.#forbid(response, kind === "response" ? "InvocationResponse" : "InvocationErrorResponse");
    if (mode !== undefined && mode !== "streaming") return this.#badMode(response);
    this.#state = "ResponseSent";
    if (body.tooLarge) say(response, 413, TOO_LARGE);
    else accept(response);
    this.#runtime.onAnswer({
      body: body.bytes,
      tooLarge: body.tooLarge,
      streamed: sink !== undefined,
      ...(kind === "error" && { errorType: errorType(request) }),
      ...(inherited && request.headers["response-file"] && { inFile: true }),
      ...(inherited && request.headers["exit-status"] && { exitStatus: Number(request.headers["exit-status"]) }),
      ...trailingError(request),
    });
  }

  /** The connection broke in the middle of a stream. A runtime that is dying says so by its exit, which comes a little later. */
  async #cut(invocation: Invocation | undefined): Promise<void> {
    if (this.#invocation !== invocation || this.#state !== "Running") return;
    this.#state = "ResponseSent";
    const errorType = "Runtime.TruncatedResponse";
    this.#truncated = { body: Buffer.from(JSON.stringify({ errorType, errorMessage: TRUNCATED })), errorType };
    await sleep(DYING_MS);
    if (this.#invocation === invocation) this.#sayTruncated();
  }

  #sayTruncated(): void {
    const answer = this.#truncated;
    this.#truncated = undefined;
    if (answer) this.#runtime.onAnswer(answer);
  }

  #badMode(response: ServerResponse): void {
    this.#state = "ResponseSent";
    say(response, 400, {
      errorMessage: "Invalid response mode header",
      errorType: "Runtime.InvalidResponseModeHeader",
    });
    const body = Buffer.from(JSON.stringify({ errorType: "Runtime.InvalidResponseModeHeader" }));
    this.#runtime.onAnswer({ body, errorType: "Runtime.InvalidResponseModeHeader" });
  }

  #forbid(response: ServerResponse, to: string): void {
    say(response, 403, {
      errorMessage: `State transition from ${this.#state} to ${to} failed for runtime. Error: State transition is not allowed`,
      errorType: "InvalidStateTransition",
    });
  }
}

interface Owner {
  readonly api: RuntimeApi;
  readonly inherited: boolean;
  last: Promise<void>;
}

/** The HTTP of all workers of this process. A connection belongs to the worker that it was adopted for. */
export class RuntimeServer {
  readonly #http: Server;
  readonly #owners = new WeakMap<Socket, Owner>();

  constructor() {
    this.#http = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
      const owner = this.#owners.get(request.socket)!;
      // One after the other: the bash bootstrap sends its answer and asks for the next event in one breath.
      owner.last = owner.last
        .then(() => owner.api.handle(request, response, owner.inherited))
        .catch(() => void request.socket.destroy()); // A runtime that dies in the middle of its request is known by its exit.
    });
    this.#http.timeout = 0;
    this.#http.on("clientError", (_error, socket) => socket.destroy());
  }

  adopt(socket: Socket, api: RuntimeApi, options: { inherited: boolean }): void {
    this.#owners.set(socket, { api, inherited: options.inherited, last: Promise.resolve() });
    this.#http.emit("connection", socket);
  }
}

const NOT_FOUND = { errorMessage: "404 page not found", errorType: "NotFound" };
const INVALID_ID = { errorMessage: "Invalid request ID", errorType: "InvalidRequestID" };
const TOO_LARGE = {
  errorMessage: `Exceeded maximum allowed payload size (${LARGEST_PAYLOAD} bytes).`,
  errorType: "RequestEntityTooLarge",
};

const DYING_MS = 250;
const TRUNCATED = "The response stream ended before it was complete.";

const accept = (response: ServerResponse): void => text(response, 202, '{"status":"OK"}\n');
const say = (response: ServerResponse, status: number, document: Record<string, string>): void =>
  text(response, status, `${JSON.stringify(document)}\n`);

/** JSON as a header may carry it: on one line, in ASCII. */
const headerJson = (text: string): string =>
  text.replace(/\s/g, " ").replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

async function readBody(request: IncomingMessage): Promise<{ bytes: Buffer; tooLarge: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= LARGEST_PAYLOAD) chunks.push(chunk);
    else chunks.length = 0;
  }
  const tooLarge = length > LARGEST_PAYLOAD;
  return { bytes: tooLarge ? Buffer.alloc(0) : Buffer.concat(chunks), tooLarge };
}

async function passBody(request: IncomingMessage, sink: ResponseSink): Promise<{ bytes: Buffer; tooLarge: boolean }> {
  sink.begin(request.headers["content-type"] ?? "application/octet-stream");
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= LARGEST_STREAM) await sink.write(chunk);
  }
  return { bytes: Buffer.alloc(0), tooLarge: length > LARGEST_STREAM };
}

/** What AWS keeps of the header; a runtime that sends none (Node's, Python's) says it in the body. */
function errorType(request: IncomingMessage): string {
  const said = request.headers["lambda-runtime-function-error-type"];
  if (typeof said !== "string") return "";
  if (/^(Runtime|Function)\.[A-Z][a-zA-Z]+$/.test(said)) return said;
  return said.startsWith("Function.") ? "Function.Unknown" : "Runtime.Unknown";
}

/** A streaming response that failed half way says so in its trailers. */
function trailingError(request: IncomingMessage): { errorType: string; body: Buffer } | undefined {
  const type = request.trailers["lambda-runtime-function-error-type"];
  if (!type) return undefined;
  return { errorType: type, body: Buffer.from(request.trailers["lambda-runtime-function-error-body"] ?? "", "base64") };
}
