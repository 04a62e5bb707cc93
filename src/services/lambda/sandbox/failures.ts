// What the caller is told of a failure, and what the log says of it: AWS's documents, types and sentences.
import type { Exit } from "./runtime-process.ts";
import type { Result } from "./sandbox.ts";

export interface Failure {
  readonly payload: Buffer;
  readonly error: NonNullable<Result["error"]>;
  /** The platform's line in the log. */
  readonly line?: string;
}

export function exited(requestId: string, exit: Exit): Failure {
  const reason = exit.how ? `Runtime exited with error: ${exit.how}` : "Runtime exited without providing a reason";
  return broken(requestId, reason, exit.outOfMemory ? "Runtime.OutOfMemory" : "Runtime.ExitError");
}

/** `seconds` as AWS prints them: 3.00. */
export function timedOut(requestId: string, timeoutMs: number, at: Date): Failure {
  const sentence = `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`;
  const errorType = "Sandbox.Timedout";
  return {
    payload: document({ errorType, errorMessage: `RequestId: ${requestId} Error: ${sentence}` }),
    error: { type: errorType, kind: "timeout" },
    line: `${at.toISOString()} ${requestId} ${sentence}`,
  };
}

export const noEntrypoint = (requestId: string, { type, message }: { type: string; message: string }): Failure =>
  broken(requestId, message, type);

/** A bash handler that returned `status`: its last words are the message. */
export function handlerFailed(requestId: string, status: number, lastWords: string | undefined): Failure {
  const failure = broken(requestId, `Runtime exited with error: exit status ${status}`, "Runtime.ExitError");
  const payload = lastWords ? document({ errorType: "Runtime.ExitError", errorMessage: lastWords }) : failure.payload;
  return { ...failure, payload, error: { ...failure.error, kind: "function" } };
}

/** Of an extension that ended, or said that it cannot go on: the whole environment fails with it. */
export const extensionFailed = (requestId: string, { type, message }: { type: string; message: string }): Failure =>
  broken(requestId, message, type);

/** The function removed or replaced the file that holds its answer. */
export const lostAnswer = (requestId: string): Failure =>
  broken(requestId, "The answer of the handler cannot be read", "Runtime.Unknown");

export function tooLarge(limit: number): Failure {
  const errorType = "Function.ResponseSizeTooLarge";
  const errorMessage = `Response payload size exceeded maximum allowed payload size (${limit} bytes).`;
  return { payload: document({ errorMessage, errorType }), error: { type: errorType, kind: "function" } };
}

/** What the runtime itself reported goes to the caller as it is. */
export const reported = (body: Buffer, type: string): Failure => ({
  payload: body.length > 0 ? body : document({ errorType: type || "Runtime.Unknown", errorMessage: "" }),
  error: { type: type || "Runtime.Unknown", kind: "function" },
});

/** https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html, "Failures during the init phase". */
export function initReport(initMs: number, phase: "init" | "invoke", error: Failure["error"]): string {
  const status = error.kind === "timeout" ? "Status: timeout" : `Status: error\tError Type: ${error.type}`;
  return `INIT_REPORT Init Duration: ${initMs.toFixed(2)} ms\tPhase: ${phase}\t${status}`;
}

export const extensionLine = (one: { name: string; state: string; events: readonly string[] }): string =>
  `EXTENSION\tName: ${one.name}\tState: ${one.state}\tEvents: [${one.events.join(",")}]`;

// OOM is told from other kills in REPORT alone: the caller reads Runtime.ExitError for both.
function broken(requestId: string, reason: string, type: string): Failure {
  const errorType = type === "Runtime.OutOfMemory" ? "Runtime.ExitError" : type;
  const errorMessage = requestId ? `RequestId: ${requestId} Error: ${reason}` : reason;
  return {
    payload: document({ errorType, errorMessage }),
    error: { type, kind: "runtime" },
    line: `${errorMessage}\n${errorType}`,
  };
}

const document = (fields: Record<string, string>): Buffer => Buffer.from(JSON.stringify(fields));
