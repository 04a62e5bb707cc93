// HTTP/1.1 over node:http: limits, and answers of our own where Node would break the connection. It knows nothing of AWS but its error XML.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { pipeline, type Readable } from "node:stream";
import type { HttpAnswer, HttpRequest } from "../model/http.ts";

// Imported as an ES module, node:http evaluates all that it could export, fetch and WebSocket among them: a tenth of the start.
const { createServer } = process.getBuiltinModule("node:http");

export interface Server extends AsyncDisposable {
  readonly port: number;
}

export type Answerer = (request: HttpRequest, signal: AbortSignal) => Promise<HttpAnswer>;

/** S3 allows 8 KB of headers, 2 KB of it user metadata; presigned URLs and session tokens are long. */
const MAX_HEADER_BYTES = 64 * 1024;
/** A client that sends no headers is cut off; a body may take as long as it takes. */
const HEADERS_TIMEOUT_MS = 30_000;

/** `answer` does not throw. Rejects with the system's error where the port cannot be had. */
export async function listen(options: { host: string; port: number }, answer: Answerer): Promise<Server> {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: 0,
    keepAliveTimeout: 65_000,
    noDelay: true,
    // A missing Host is answered by the door, in the caller's protocol.
    requireHostHeader: false,
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    // An answer that Node will not write is our defect, and must not be the end of the process.
    serve(req, res, answer).catch((error: Error) => {
      process.stderr.write(
        `aws-like: the answer to ${req.method} ${toRequest(req).path} could not be written: ${error.stack}\n`,
      );
      if (res.headersSent) res.destroy();
      else res.writeHead(500, { "content-length": "0", connection: "close" }).end();
    });
  };
  server.on("request", handle);
  server.on("checkContinue", (req, res) => {
    continueWhenRead(req, res);
    handle(req, res);
  });
  server.on("checkExpectation", handle);
  server.on("clientError", refuse);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function serve(req: IncomingMessage, res: ServerResponse, answer: Answerer): Promise<void> {
  const gone = new AbortController();
  res.on("close", () => {
    if (!res.writableFinished) gone.abort();
  });
  const { status, headers, cookies, body } = await answer(toRequest(req), gone.signal);
  await endOfTurn();
  if (res.destroyed) {
    if (typeof body === "object" && "destroy" in body) (body as Readable).destroy();
    return;
  }
  // What was not read of the body would be taken for the next request.
  if (!req.complete && !req.readableFlowing) res.setHeader("Connection", "close");
  if (cookies) res.setHeader("Set-Cookie", cookies);
  const silent = req.method === "HEAD" || status === 204 || status === 304;
  if (body === undefined || typeof body === "string" || body instanceof Uint8Array) {
    const length = typeof body === "string" ? Buffer.byteLength(body) : (body?.length ?? 0);
    if (status !== 204 && status !== 304 && !("content-length" in headers)) headers["content-length"] = String(length);
    res.writeHead(status, lengthLast(headers));
    if (silent) res.end();
    // A string goes out in one piece with the head, in its own encoding; the head is latin-1, and so is text of a byte a character.
    else if (typeof body === "string" && length === body.length) res.end(body, "latin1");
    else res.end(typeof body === "string" ? Buffer.from(body) : body);
    return;
  }
  res.writeHead(status, lengthLast(headers));
  if (silent) {
    body.destroy();
    res.end();
    return;
  }
  // An answer that breaks off halfway can only be cut, so that the client sees that it is not whole.
  pipeline(body, res, (error) => {
    if (error) res.destroy();
  });
}

let turn: Promise<void> | undefined;

/**
 * Answers of one turn of the event loop go out together: a client that waits is woken by each write, and where it sleeps again in between, waking it
 * costs the machine more than the answer did.
 */
function endOfTurn(): Promise<void> {
  turn ??= new Promise((resolve) =>
    setImmediate(() => {
      turn = undefined;
      resolve();
    }),
  );
  return turn;
}

/** Node reads a Content-Disposition that comes after Content-Length as UTF-8, and throws where it is Latin-1. */
function lengthLast({ "content-length": length, ...headers }: HttpAnswer["headers"]): HttpAnswer["headers"] {
  return length === undefined ? headers : { ...headers, "content-length": length };
}

function toRequest(req: IncomingMessage): HttpRequest {
  const url = req.url!;
  const mark = url.indexOf("?");
  return {
    method: req.method!,
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? "" : url.slice(mark + 1),
    headers: joined(req.rawHeaders),
    body: req,
    from: req.socket.remoteAddress ?? "",
  };
}

/** Node's own `headers` drop repeated ones; a signature covers them all. */
function joined(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    const value = raw[i + 1]!;
    headers[name] = name in headers ? `${headers[name]},${value}` : value;
  }
  return headers;
}

/** `Expect: 100-continue`: a refusal is answered before the body is sent; the body is asked for when somebody reads it. */
function continueWhenRead(req: IncomingMessage, res: ServerResponse): void {
  const read = req.read;
  req.read = function (this: IncomingMessage, size?: number) {
    req.read = read;
    if (!res.headersSent) res.writeContinue(); // else it is only drained
    return read.call(this, size);
  };
}

/** Bytes that are no HTTP request never reach the door. */
function refuse(error: NodeJS.ErrnoException, socket: Readable & Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, message] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [
          "400 Bad Request",
          "RequestHeaderSectionTooLarge",
          "Your request header section exceeds the maximum allowed size.",
        ]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [
            "408 Request Timeout",
            "RequestTimeout",
            "Your socket connection to the server was not read from or written to within the timeout period.",
          ]
        : ["400 Bad Request", "BadRequest", "An error occurred when parsing the HTTP request."];
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/xml\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}
