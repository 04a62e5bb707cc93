// An HTTP request becomes an operation and its input, an output or an error becomes an HTTP answer: for every service,
// driven by its model. Services' departures from their models are their own quirks; nothing here knows a service.
import type { AwsError } from "../kernel/error.ts";
import type { HttpAnswer, HttpRequest } from "../model/http.ts";
import type { Model, Protocol } from "../model/model.ts";
import { compiled } from "./compiled.ts";
import { errorAnswer } from "./errors.ts";
import { isStreaming } from "./http.ts";
import type { Route } from "./routes.ts";

export { input } from "./input.ts";
export { output } from "./output.ts";
export type { Route } from "./routes.ts";

const NOTHING: Readonly<Record<string, string>> = {};

/** Undefined: the service has no such operation. `form` is demanded for the query protocol. */
export function route(
  model: Model,
  protocol: Protocol | undefined,
  request: HttpRequest,
  form?: URLSearchParams,
): Route | undefined {
  const spoken = protocol ?? model.protocols[0]!;
  switch (spoken) {
    case "restXml":
    case "restJson": {
      const query = new URLSearchParams(request.query);
      const found = compiled(model).routes()(request, query);
      return found && { ...found, protocol: spoken, query };
    }
    case "query": {
      const parameters = form ?? new URLSearchParams(request.query);
      const operation = known(model, parameters.get("Action") ?? "");
      return operation === undefined ? undefined : { operation, protocol: spoken, labels: NOTHING, form: parameters };
    }
    case "rpcv2Cbor": {
      const operation = known(model, /^\/service\/[^/]+\/operation\/([^/]+)$/.exec(request.path)?.[1] ?? "");
      return operation === undefined ? undefined : { operation, protocol: spoken, labels: NOTHING };
    }
    default: {
      const operation = known(model, (request.headers["x-amz-target"] ?? "").split(".").at(-1)!);
      return operation === undefined ? undefined : { operation, protocol: spoken, labels: NOTHING };
    }
  }
}

function known(model: Model, operation: string): string | undefined {
  return Object.hasOwn(model.operations, operation) ? operation : undefined;
}

/** What `input` wants of the body. Of RPC protocols always all bytes. */
export function readsBody(model: Model, operation: string): "none" | "bytes" | "stream" {
  const { input, http } = model.operations[operation]!;
  if (!http) return "bytes";
  const b = compiled(model).bindings(input);
  if (b.payload) return isStreaming(b.payload.shape) ? "stream" : "bytes";
  return b.body ? "bytes" : "none";
}

/** An operation's input that stands in a JSON document by the model's own names, wherever its members travel in a request. */
export const document = (model: Model, operation: string, json: unknown): unknown =>
  compiled(model).trees("awsJson1_0").reader(model.operations[operation]!.input)(json);

/** Every protocol's form of an error. Of a modelled error's members those that `error.fields` has are written too. */
export function error(
  model: Model,
  protocol: Protocol,
  operation: string | undefined,
  error: AwsError,
  requestId: string,
): HttpAnswer {
  return errorAnswer(model, protocol, { operation, error, requestId });
}
