// Invoke: answer now (RequestResponse), later (Event), or not at all (DryRun).
import { defineOperations } from "../../kernel/mod.ts";
import { putInvocation } from "./deliveries.ts";
import { errors } from "./errors.ts";
import { routeFunction } from "./functions.ts";
import { functionArn, resolveName, resourceOf } from "./names.ts";
import { followed } from "./recursion.ts";
import { runtimeOf } from "./runtime.ts";
import { refusePending } from "./states.ts";

export const invocations = defineOperations("lambda", {
  Invoke: {
    access: (ctx, input) => ({
      action: "lambda:InvokeFunction",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    // AWS's order: the name, the payload's size and form, the function.
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      for (const parameter of ["DurableExecutionName", "TenantId"] as const)
        if (input[parameter]) throw errors.unsupported(parameter);
      const type = input.InvocationType ?? "RequestResponse";
      const event = readPayload(input.Payload, type);
      const clientContext = readClientContext(input.ClientContext);
      const row = await ctx.read((tx) => routeFunction(tx, ref));
      if (!row) throw errors.functionNotFound(functionArn({ ...ref, qualifier: ref.qualifier ?? "$LATEST" }));
      refusePending(row);
      if (type === "DryRun") return { StatusCode: 204 };
      if (type === "Event") {
        await ctx.write((tx) => putInvocation(ctx, tx, { ref, event }));
        return { StatusCode: 202 };
      }
      const outcome = await runtimeOf(ctx).run(ctx, row, {
        requestId: ctx.requestId,
        event,
        invokedArn: functionArn(ref),
        clientContext,
        trace: followed(ctx),
      });
      return {
        StatusCode: 200,
        Payload: outcome.payload,
        ExecutedVersion: outcome.version,
        ...(outcome.error && { FunctionError: "Unhandled" }),
        ...(input.LogType === "Tail" && { LogResult: outcome.logTail }),
      };
    },
  },

  /** What `Invoke` with `Event` was before 2014-12, with less room. It has no qualifier but the name's. */
  InvokeAsync: {
    access: (ctx, input) => ({
      action: "lambda:InvokeFunction",
      resource: resourceOf(ctx, input.FunctionName),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!);
      const event = readPayload(Buffer.concat(await input.InvokeArgs!.toArray()), "InvokeAsync");
      await ctx.write(async (tx) => {
        const row = await routeFunction(tx, ref);
        if (!row) throw errors.functionNotFound(functionArn({ ...ref, qualifier: ref.qualifier ?? "$LATEST" }));
        refusePending(row);
        await putInvocation(ctx, tx, { ref, event });
      });
      return { Status: 202 };
    },
  },
});

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB, asynchronous 1 MB.
const MAX_PAYLOAD_BYTES: Readonly<Record<string, number>> = {
  RequestResponse: 6_291_456,
  DryRun: 6_291_456,
  Event: 1_048_576,
  InvokeAsync: 262_144,
};

/** The event's bytes, known to be JSON. No payload is an empty object. */
export function readPayload(payload: Uint8Array | undefined, type: string): Uint8Array {
  if (payload === undefined || payload.length === 0) return Buffer.from("{}");
  const limit = MAX_PAYLOAD_BYTES[type]!;
  if (payload.length > limit) throw errors.payloadTooLarge(payload.length, type, limit);
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload));
  } catch (error) {
    throw errors.badJson((error as Error).message);
  }
  return payload;
}

export function readClientContext(context: string | undefined): string | undefined {
  if (!context) return undefined;
  const json = Buffer.from(context, "base64").toString("utf8");
  try {
    if (typeof JSON.parse(json) === "object") return json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw errors.badClientContext();
}
