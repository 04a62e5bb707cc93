// The runtime of a Node function: `Handler: index.handler`. It speaks HTTP on fd 3, a socket to the Runtime API, with blocking reads:
// between two invocations nothing of the function runs, as on AWS, where the sandbox is frozen; and `net` need not be loaded.
// node:http would double the cold start. Resolution and errors are those of AWS's runtime for Node 22 and older; from 24 on those of its successor.

const fs = process.getBuiltinModule("fs");
const path = process.getBuiltinModule("path");
const { format } = process.getBuiltinModule("util");
const { createRequire } = process.getBuiltinModule("module");
const { pathToFileURL } = process.getBuiltinModule("url");

const API = 3;
const BASE = "/2018-06-01/runtime";
const root = process.env.LAMBDA_TASK_ROOT;
// The runtime that was asked for, which may be another than the Node that runs.
const callbacks = Number(process.env.AWS_EXECUTION_ENV?.match(/nodejs(\d+)/)?.[1] ?? 24) < 24;

let requestId;

// --- the Runtime API -----------------------------------------------------------------------------------------------------------

let buffered = Buffer.alloc(0);

function writeAll(fd, bytes) {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (error) {
      // process.stdout makes the pipe non-blocking when a function uses it.
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function read() {
  const part = Buffer.allocUnsafe(65_536);
  const length = fs.readSync(API, part);
  if (length === 0) process.reallyExit(0); // Lambda is gone.
  return part.subarray(0, length);
}

function ask(method, resource, body = "", headers = "") {
  const bytes = Buffer.from(body);
  const head = headOf(method, resource, `${headers}Content-Length: ${bytes.length}\r\n`);
  writeAll(API, Buffer.concat([Buffer.from(head), bytes]));
  return receive();
}

const headOf = (method, resource, headers) =>
  `${method} ${BASE}${resource} HTTP/1.1\r\nHost: runtime\r\n${headers}\r\n`;

function receive() {
  let end = buffered.indexOf("\r\n\r\n");
  while (end < 0) {
    buffered = Buffer.concat([buffered, read()]);
    end = buffered.indexOf("\r\n\r\n");
  }
  const answer = {};
  for (const line of buffered.toString("latin1", 0, end).split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    answer[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const length = Number(answer["content-length"] ?? 0);
  const parts = [buffered.subarray(end + 4)];
  for (let have = parts[0].length; have < length; have += parts.at(-1).length) parts.push(read());
  const rest = parts.length === 1 ? parts[0] : Buffer.concat(parts);
  buffered = rest.subarray(length);
  return { headers: answer, body: rest.toString("utf8", 0, length) };
}

// --- the log -------------------------------------------------------------------------------------------------------------------

const json = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";

const textLine = (level, text) =>
  writeAll(1, Buffer.from(`${new Date().toISOString()}\t${requestId}\t${level}\t${text.replaceAll("\n", "\r")}\n`));

/** One value is the message as it is; of several, the text of all, and what is known of the first error among them. */
function jsonLine(level, parts) {
  const head = { timestamp: new Date().toISOString(), level, requestId };
  const error = parts.length > 1 ? parts.find(isError) : undefined;
  const text = () => ({ ...head, message: format(...parts), ...(error && errorFields(error)) });
  let said;
  try {
    const one = parts[0] === undefined ? format(parts[0]) : parts[0];
    said = JSON.stringify(parts.length === 1 ? { ...head, message: one } : text(), errorsToo);
  } catch {
    said = JSON.stringify(text()); // What JSON cannot hold, util.format can.
  }
  writeAll(1, Buffer.from(`${said}\n`));
}

const errorFields = (error) => ({
  errorType: error?.constructor?.name ?? "UnknownError",
  errorMessage: error.message,
  stackTrace: traceOf(error),
});
const errorsToo = (_, value) => (isError(value) ? { ...value, ...errorFields(value) } : value);

const LEVELS = { log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", debug: "DEBUG", trace: "TRACE" };
const ORDER = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const lowest = json ? ORDER.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL) : -1;
for (const [name, level] of Object.entries(LEVELS))
  console[name] = (...parts) => {
    if (ORDER.indexOf(level) < lowest) return;
    if (json) jsonLine(level, parts);
    else textLine(level, format(...parts.map((part) => (isError(part) ? loggable(part) : part))));
  };

/** What the runtime itself says of an error. */
function logError(title, error) {
  if (json) jsonLine("ERROR", [error]);
  else textLine("ERROR", `${title} \t${loggable(error)}`);
}

// --- errors --------------------------------------------------------------------------------------------------------------------

const isError = (value) => value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";

class RuntimeError extends Error {
  constructor(name, message, extra = {}) {
    super(message);
    Object.assign(this, extra);
    this.name = `Runtime.${name}`;
    this.stack = `${this.name}: ${message}\n${this.stack.split("\n").slice(1).join("\n")}`;
  }
}

const traceOf = (error) => (error.stack ?? "").split("\n");

/** What the caller reads. A function may throw anything at all. */
function document(error) {
  if (!isError(error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  const { name, message } = error;
  return { errorType: name, errorMessage: message, ...described(error), trace: traceOf(error) };
}

function described(error) {
  if (!(error instanceof RuntimeError) || !("reason" in error)) return {};
  return { reason: document(error.reason), promise: {} };
}

/** What the log reads: the same, with the error's own fields, and `stack` for `trace`. */
function logDocument(error) {
  if (!isError(error)) return { errorType: typeof error, errorMessage: String(error), stack: [] };
  const { errorType, errorMessage, trace, ...more } = document(error);
  const own = Object.fromEntries(Object.entries(error).filter(([key]) => key !== "name" && !(key in more)));
  return { errorType, errorMessage, ...own, ...more, stack: trace };
}

const loggable = (error) => {
  try {
    return JSON.stringify(logDocument(error));
  } catch {
    return format(error); // A field that JSON cannot hold.
  }
};

function report(resource, error, title) {
  logError(title, error);
  const body = document(error);
  const kind = /^Runtime\./.test(body.errorType) ? `Lambda-Runtime-Function-Error-Type: ${body.errorType}\r\n` : "";
  ask("POST", resource, JSON.stringify(body), kind);
}

let answered = true;
/** The stream of the invocation that runs. */
let streaming;

/** An error that belongs to no call: it ends the runtime, and the invocation that runs with it. */
function die(error, title, status) {
  if (!answered && streaming?.begun) streaming.fail(error, title);
  else if (!answered) report(`/invocation/${requestId}/error`, error, title);
  else if (requestId === undefined) report("/init/error", error, title);
  else logError(title, error);
  process.exit(status);
}

process.on("uncaughtException", (error) => die(error, "Uncaught Exception", 129));
process.on("unhandledRejection", (reason) => {
  const message = isError(reason) ? `${reason.name}: ${reason.message}` : String(reason);
  die(new RuntimeError("UnhandledPromiseRejection", message, { reason }), "Unhandled Promise Rejection", 128);
});

// --- response streaming --------------------------------------------------------------------------------------------------------

// The names by which AWS's runtime and its middlewares know a streaming handler.
const STREAMS = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");

const awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMS] = "response";
    if (options?.highWaterMark !== undefined) handler[HIGH_WATER_MARK] = Number.parseInt(options.highWaterMark, 10);
    return handler;
  },
  HttpResponseStream: {
    /** Status, headers and cookies go before the body, parted from it by eight zero bytes. */
    from(stream, prelude) {
      const text = JSON.stringify(prelude);
      stream.setContentType("application/vnd.awslambda.http-integration-response");
      stream._onBeforeFirstWrite = (write) => {
        write(text);
        write(new Uint8Array(8));
      };
      return stream;
    },
  },
};
if (process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA !== "1") globalThis.awslambda = awslambda;

const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";
/** Trailers are headers: Lambda reads 16 KB of them. */
const MOST_TRAILER_BYTES = 8192;

/** A Writable whose bytes go out at once, by blocking writes: Lambda's own pace is the function's. */
function responseStream(id, highWaterMark, onFinish) {
  const { Writable } = process.getBuiltinModule("stream");
  let contentType = "application/octet-stream";
  const send = (chunk) => {
    const bytes = Buffer.from(chunk);
    if (bytes.length > 0)
      writeAll(API, Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]));
  };
  const begin = () => {
    if (stream.begun) return;
    stream.begun = true;
    const headers = `Content-Type: ${contentType}\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\nTrailer: ${ERROR_TYPE}, ${ERROR_BODY}\r\n`;
    writeAll(API, Buffer.from(headOf("POST", `/invocation/${id}/response`, headers)));
    stream._onBeforeFirstWrite?.(send);
  };
  const stream = new Writable({
    ...(highWaterMark > 0 && { highWaterMark }),
    write(chunk, _encoding, done) {
      begin();
      send(chunk);
      done();
    },
    final(done) {
      begin();
      writeAll(API, Buffer.from("0\r\n\r\n"));
      receive();
      onFinish();
      done();
    },
  });
  // What is neither text nor bytes is sent as JSON.
  const { write, end } = stream;
  const sendable = (chunk) =>
    typeof chunk === "string" || chunk instanceof Uint8Array || typeof chunk === "function" || chunk == null
      ? chunk
      : JSON.stringify(chunk);
  stream.write = (chunk, ...more) => write.call(stream, sendable(chunk), ...more);
  stream.end = (chunk, ...more) => end.call(stream, sendable(chunk), ...more);
  stream.begun = false;
  stream.setContentType = (type) => {
    if (stream.begun) throw new Error("Cannot set content-type, too late.");
    contentType = type;
  };
  stream.fail = (error, title) => {
    logError(title, error);
    const full = document(error);
    const body = JSON.stringify(full).length > MOST_TRAILER_BYTES ? { ...full, trace: [] } : full;
    const encoded = Buffer.from(JSON.stringify(body).slice(0, MOST_TRAILER_BYTES)).toString("base64");
    writeAll(API, Buffer.from(`0\r\n${ERROR_TYPE}: ${body.errorType}\r\n${ERROR_BODY}: ${encoded}\r\n\r\n`));
    receive();
  };
  return stream;
}

function runStreaming(handler, { id, event, context, end, fail }) {
  const stream = responseStream(id, handler[HIGH_WATER_MARK], () => end(() => undefined));
  streaming = stream;
  const failStream = (error) => {
    if (!stream.begun) return fail(error);
    end(() => stream.fail(error, "Invoke Error"));
  };
  stream.on("error", failStream);
  let result;
  try {
    result = handler(JSON.parse(event), stream, context);
  } catch (error) {
    return failStream(error);
  }
  if (typeof result?.then !== "function")
    return failStream(new Error("Streaming does not support non-async handlers."));
  atRest = unsettled;
  result.then((value) => {
    if (value !== undefined) console.warn("Streaming handlers ignore return values.");
    // The answer is over when the stream is; where nothing is left that could end it, it ends here.
    if (!answered && id === requestId) atRest = () => stream.end();
  }, failStream);
}

// --- the handler ---------------------------------------------------------------------------------------------------------------

async function load(handler) {
  if (handler.includes(".."))
    throw new RuntimeError(
      "MalformedHandlerName",
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  const base = path.basename(handler);
  const dir = handler.slice(0, handler.length - base.length);
  const match = /^([^.]*)\.(.*)$/.exec(base);
  if (!match) throw new RuntimeError("MalformedHandlerName", "Bad handler");
  const module = await loadModule(path.resolve(root, dir, match[1]), path.join(dir, match[1]));
  const found = pick(module, match[2]) ?? (module.default && pick(module.default, match[2]));
  if (!found) throw new RuntimeError("HandlerNotFound", `${handler} is undefined or not exported`);
  if (typeof found !== "function") throw new RuntimeError("HandlerNotFound", `${handler} is not a function`);
  if (!callbacks && found.length >= 3 && found[STREAMS] === undefined)
    throw new RuntimeError(
      "CallbackHandlerDeprecated",
      "AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later.",
    );
  return found;
}

const pick = (module, names) => names.split(".").reduce((nested, name) => nested?.[name], module);

/** Node 22 and older: require first, import what is ESM. From 24 on: import alone. */
async function loadModule(file, name) {
  try {
    const require = createRequire(path.join(root, "/"));
    if (callbacks) {
      if (isFile(file)) return require(file);
      if (isFile(`${file}.js`)) return isEsm(`${file}.js`) ? await imported(`${file}.js`) : require(`${file}.js`);
      if (isFile(`${file}.mjs`)) return await imported(`${file}.mjs`);
      if (isFile(`${file}.cjs`)) return require(`${file}.cjs`);
    } else for (const end of ["", ".js", ".mjs", ".cjs"]) if (isFile(file + end)) return await imported(file + end);
    return require(require.resolve(name, { paths: [root, path.dirname(file)] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw wrapped("UserCodeSyntaxError", error);
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND")
      throw wrapped("ImportModuleError", error);
    throw error;
  }
}

const imported = (file) => import(pathToFileURL(file).href);
const wrapped = (name, error) => new RuntimeError(name, String(error));
const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

/** The nearest package.json says what a .js file is. */
function isEsm(file) {
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    const description = path.join(dir, "package.json");
    if (isFile(description)) return JSON.parse(fs.readFileSync(description, "utf8")).type === "module";
    if (dir === path.dirname(dir) || path.basename(dir) === "node_modules") return false;
  }
}

// --- invocations ---------------------------------------------------------------------------------------------------------------

/** What to do when nothing is left in the event loop: by default, a promise was never settled. */
let atRest = () => undefined;
process.on("beforeExit", () => atRest());

function contextOf(headers) {
  const { env } = process;
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const parsed = (text) => (text ? JSON.parse(text) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(headers["lambda-runtime-client-context"]),
    identity: parsed(headers["lambda-runtime-cognito-identity"]),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: requestId,
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    xRayTraceId: headers["lambda-runtime-trace-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

function next(handler) {
  const { headers, body } = ask("GET", "/invocation/next");
  requestId = headers["lambda-runtime-aws-request-id"];
  answered = false;
  const trace = headers["lambda-runtime-trace-id"];
  if (trace) process.env._X_AMZN_TRACE_ID = trace;
  else delete process.env._X_AMZN_TRACE_ID;
  const id = requestId;
  const end = (send) => {
    if (answered || id !== requestId) return;
    answered = true;
    atRest = () => undefined;
    send();
    setImmediate(next, handler);
  };
  const fail = (error) => end(() => report(`/invocation/${id}/error`, error, "Invoke Error"));
  const succeed = (result) => {
    let text;
    try {
      text = JSON.stringify(result === undefined ? null : result) ?? "null";
    } catch (error) {
      return fail(error);
    }
    end(() => ask("POST", `/invocation/${id}/response`, text, "Content-Type: application/json\r\n"));
  };
  const context = contextOf(headers);
  streaming = undefined;
  if (handler[STREAMS] === "response") runStreaming(handler, { id, event: body, context, end, fail });
  else run(handler, { event: body, context, succeed, fail });
}

function run(handler, { event, context, succeed, fail }) {
  const settle = (error, result) => (error !== undefined && error !== null ? fail(error) : succeed(result));
  const callback = (error, result) => {
    if (!context.callbackWaitsForEmptyEventLoop || (error !== undefined && error !== null)) settle(error, result);
    else atRest = () => settle(error, result);
  };
  if (callbacks)
    Object.assign(context, {
      done: callback,
      succeed: (result) => callback(null, result),
      fail: (error) => callback(error ?? "handled"),
    });
  atRest = () => succeed(null);
  let result;
  try {
    result = callbacks ? handler(JSON.parse(event), context, callback) : handler(JSON.parse(event), context);
  } catch (error) {
    return fail(error);
  }
  if (typeof result?.then === "function") {
    atRest = unsettled;
    result.then(succeed, fail);
  } else if (!callbacks) succeed(result);
}

const unsettled = () =>
  die(
    new RuntimeError(
      "NodeJsExit",
      "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes",
    ),
    "Invoke Error",
    13,
  );

let handler;
try {
  handler = await load(process.env._HANDLER);
} catch (error) {
  report("/init/error", error, "Uncaught Exception");
  process.exit(129);
}
next(handler);
