// InvokeWithResponseStream: the answer as events, a chunk each, and at the end how it went.
import { defineOperations, type Output } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { routeFunction } from "./functions.ts";
import { readClientContext, readPayload } from "./invocations.ts";
import { functionArn, resolveName, resourceOf } from "./names.ts";
import { followed } from "./recursion.ts";
import { type Streamed, streamed } from "./response-stream.ts";
import { runtimeOf } from "./runtime.ts";
import { refusePending } from "./states.ts";

type Event =
  NonNullable<Output<"lambda", "InvokeWithResponseStream">["EventStream"]> extends AsyncIterable<infer E> ? E : never;

export const streamingInvocations = defineOperations("lambda", {
  InvokeWithResponseStream: {
    access: (ctx, input) => ({
      action: "lambda:InvokeFunction",
      resource: resourceOf(ctx, input.FunctionName, input.Qualifier),
    }),
    async handle(ctx, input) {
      const ref = resolveName(ctx, input.FunctionName!, input.Qualifier);
      if (input.TenantId) throw errors.unsupported("TenantId");
      const type = input.InvocationType ?? "RequestResponse";
      const event = readPayload(input.Payload, type);
      const clientContext = readClientContext(input.ClientContext);
      const row = await ctx.read((tx) => routeFunction(tx, ref));
      if (!row) throw errors.functionNotFound(functionArn({ ...ref, qualifier: ref.qualifier ?? "$LATEST" }));
      refusePending(row);
      if (type === "DryRun") return { StatusCode: 204, EventStream: undefined };
      const { requestId } = ctx;
      const answer = await streamed((sink) =>
        runtimeOf(ctx).run(ctx, row, {
          requestId,
          event,
          invokedArn: functionArn(ref),
          clientContext,
          trace: followed(ctx),
          sink,
        }),
      );
      return {
        StatusCode: 200,
        ExecutedVersion: row.version,
        EventStream: events(answer, input.LogType === "Tail"),
      };
    },
  },
});

async function* events({ contentType, body, outcome }: Streamed, withLog: boolean): AsyncGenerator<Event> {
  for await (const chunk of body) yield { PayloadChunk: { Payload: chunk } };
  const { payload, error, logTail } = await outcome;
  if (!error && contentType === undefined && payload.length > 0) yield { PayloadChunk: { Payload: payload } };
  yield {
    InvokeComplete: {
      ...(error && { ErrorCode: "Unhandled", ErrorDetails: Buffer.from(payload).toString("utf8") }),
      ...(withLog && { LogResult: logTail }),
    },
  };
}
