// The Extensions API, 2020-01-01: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
// One Extensions a worker: who has registered for what, and who has asked for the next event. Messages: AWS's runtime interface emulator.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { say } from "./reply.ts";
import type { Invocation, Spec } from "./sandbox.ts";

export type ShutdownReason = "spindown" | "timeout" | "failure";

export interface ExtensionsOwner {
  /** One of them has registered, or asked for the next event: look again who is awaited. */
  onChange(): void;
  /** It gave up; `type` is what it says of itself. */
  onError(kind: "InitError" | "ExitError", message: string): void;
  /** For the log and the Telemetry API. */
  onSubscription(request: TelemetryRequest): Promise<void>;
}

export interface TelemetryRequest {
  readonly version: string;
  readonly extension: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

type State = "Started" | "Registered" | "Ready" | "Running" | "InitError" | "ExitError";

interface Extension {
  readonly id: string;
  readonly name: string;
  readonly external: boolean;
  events: readonly string[];
  state: State;
  waiting?: ServerResponse | undefined;
}

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html has none; the emulator's is 10. */
const MOST_EXTENSIONS = 10;

export class Extensions {
  readonly #spec: Spec;
  readonly #owner: ExtensionsOwner;
  #all: Extension[] = [];
  #open = true;
  #shutdown: Record<string, unknown> | undefined;

  constructor(spec: Spec, owner: ExtensionsOwner) {
    this.#spec = spec;
    this.#owner = owner;
  }

  /** A new life of the environment, with these files in /opt/extensions. */
  restart(external: readonly string[]): void {
    this.#open = true;
    this.#shutdown = undefined;
    this.#all = external.map((name) => ({ id: randomUUID(), name, external: true, events: [], state: "Started" }));
  }

  /** Init is over: who has not registered by now is too late. */
  close(): void {
    this.#open = false;
  }

  /** Every external one: only then the runtime is started. */
  get registered(): boolean {
    return this.#all.every(({ state }) => state !== "Started");
  }

  /** Every one has asked for the next event. */
  get ready(): boolean {
    return this.#all.every(({ state }) => state === "Ready");
  }

  /** In milliseconds, what they have to end in. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown */
  get shutdownMs(): number {
    if (this.#all.some(({ external }) => external)) return 2_000;
    return this.#all.length > 0 ? 500 : 0;
  }

  /** As the log names them at the end of init. */
  get described(): readonly { readonly name: string; readonly state: string; readonly events: readonly string[] }[] {
    return this.#all.map(({ name, state, events }) => ({ name, state, events }));
  }

  invoke(invocation: Invocation): void {
    this.#tell("INVOKE", {
      eventType: "INVOKE",
      deadlineMs: Math.round(invocation.deadlineMs),
      requestId: invocation.requestId,
      invokedFunctionArn: invocation.functionArn,
      tracing: { type: "X-Amzn-Trace-Id", value: invocation.traceId },
    });
  }

  /** Who is still at work with an invocation gets it when it asks. */
  shutDown(reason: ShutdownReason, deadlineMs: number): void {
    this.#shutdown = { eventType: "SHUTDOWN", shutdownReason: reason, deadlineMs: Math.round(deadlineMs) };
    this.#tell("SHUTDOWN", this.#shutdown);
  }

  #tell(event: string, document: Record<string, unknown>): void {
    for (const extension of this.#all) {
      if (!extension.events.includes(event) || !extension.waiting) continue;
      extension.state = "Running";
      say(extension.waiting, 200, document, { "Lambda-Extension-Event-Identifier": randomUUID() });
      extension.waiting = undefined;
    }
  }

  /** `path` is what follows the version. */
  async handle(version: string, path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const route = `${version} ${request.method} ${path}`;
    if (route === "2020-01-01 POST extension/register") await this.#register(request, response);
    else if (route === "2020-01-01 GET extension/event/next") this.#next(request, response);
    else if (route === "2020-01-01 POST extension/init/error") this.#error("InitError", request, response);
    else if (route === "2020-01-01 POST extension/exit/error") this.#error("ExitError", request, response);
    else if (route === "2022-07-01 PUT telemetry" || route === "2020-08-15 PUT logs") {
      const extension = this.#known(request, response);
      if (!extension) return true;
      await this.#owner.onSubscription({ version, extension: extension.name, request, response });
    } else return false;
    return true;
  }

  async #register(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = request.headers["lambda-extension-name"];
    if (typeof name !== "string" || name === "")
      return forbid(response, "Extension.InvalidExtensionName", "Empty extension name");
    const events = eventsOf(await textOf(request));
    if (typeof events === "string") return forbid(response, "InvalidRequestFormat", events);
    const external = this.#all.find((extension) => extension.external && extension.name === name);
    const allowed = external ? ["INVOKE", "SHUTDOWN"] : ["INVOKE"];
    const strange = events.find((event) => !allowed.includes(event));
    if (strange !== undefined)
      return forbid(response, "Extension.InvalidEventType", `${strange}: ${strangeEvent(strange)}`);
    if (external && external.state !== "Started") return refuse(response, external, "Registered");
    const extension = external ?? this.#newInternal(name, response);
    if (!extension) return;
    extension.events = events;
    extension.state = "Registered";
    const features = String(request.headers["lambda-extension-accept-feature"] ?? "").split(/\s*,\s*/);
    const { functionName, version: functionVersion, handler, functionArn } = this.#spec;
    const accountId = features.includes("accountId") ? { accountId: functionArn.split(":")[4] } : {};
    say(
      response,
      200,
      { functionName, functionVersion, handler, ...accountId },
      { "Lambda-Extension-Identifier": extension.id },
    );
    this.#owner.onChange();
  }

  #newInternal(name: string, response: ServerResponse): Extension | undefined {
    const problem = !this.#open
      ? (["Extension.RegistrationClosed", "Extension registration closed already"] as const)
      : this.#all.some((extension) => extension.name === name)
        ? (["Extension.InvalidExtensionState", "Extension with this name already registered"] as const)
        : this.#all.length >= MOST_EXTENSIONS
          ? (["Extension.TooManyExtensions", `Extension limit (${MOST_EXTENSIONS}) reached`] as const)
          : undefined;
    if (problem) {
      forbid(response, problem[0], problem[1]);
      return undefined;
    }
    const extension: Extension = { id: randomUUID(), name, external: false, events: [], state: "Started" };
    this.#all.push(extension);
    return extension;
  }

  #next(request: IncomingMessage, response: ServerResponse): void {
    const extension = this.#known(request, response);
    if (!extension) return;
    const { state, waiting } = extension;
    // A client that gave up waiting may ask again.
    if (["InitError", "ExitError"].includes(state) || (state === "Ready" && !waiting?.destroyed))
      refuse(response, extension, "Ready");
    else {
      extension.state = "Ready";
      extension.waiting = response;
      if (this.#shutdown) this.#tell("SHUTDOWN", this.#shutdown);
      else this.#owner.onChange();
    }
  }

  #error(kind: "InitError" | "ExitError", request: IncomingMessage, response: ServerResponse): void {
    const extension = this.#known(request, response);
    if (!extension) return;
    const type = request.headers["lambda-extension-function-error-type"];
    if (typeof type !== "string" || type === "")
      forbid(response, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found");
    else if (kind === "InitError" && extension.state !== "Registered") refuse(response, extension, kind);
    else {
      extension.state = kind;
      say(response, 202, { status: "OK" });
      this.#owner.onError(kind, type);
    }
  }

  #known(request: IncomingMessage, response: ServerResponse): Extension | undefined {
    const id = request.headers["lambda-extension-identifier"];
    const extension = this.#all.find((one) => one.id === id && one.state !== "Started");
    if (extension) return extension;
    if (typeof id !== "string" || id === "")
      forbid(response, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header");
    else if (!UUID.test(id))
      forbid(response, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier");
    else forbid(response, "Extension.UnknownExtensionIdentifier", `Unknown extension ${id}`);
    return undefined;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const strangeEvent = (event: string): string =>
  event === "SHUTDOWN" ? "ShutdownEventNotSupportedForInternalExtension" : "InvalidEventType";

const forbid = (response: ServerResponse, errorType: string, errorMessage: string): void =>
  say(response, 403, { errorMessage, errorType });

function refuse(response: ServerResponse, { state, name }: Extension, to: State): void {
  const message = `State transition from ${state} to ${to} failed for extension ${name}. Error: State transition is not allowed`;
  forbid(response, "Extension.InvalidExtensionState", message);
}

/** The events, or what is wrong with the document. */
function eventsOf(text: string): string[] | string {
  try {
    const { events = [] } = JSON.parse(text) as { events?: unknown };
    return Array.isArray(events) ? events.map(String) : "events is a list";
  } catch (error) {
    return (error as Error).message;
  }
}

/** More than this is no registration and no subscription. */
const LONGEST_DOCUMENT = 65_536;

export async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8") as AsyncIterable<string>)
    if (text.length < LONGEST_DOCUMENT) text += chunk;
  return text;
}
