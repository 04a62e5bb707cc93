// What answers at a function's URL: ID.lambda-url.REGION.HOST. The order: the URL, a browser's preflight, who asks, may they, the event, the function.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html, urls-auth.html
import {
  type Access,
  AwsError,
  type Context,
  type Gate,
  type HttpAnswer,
  type HttpRequest,
  type Site,
} from "../../kernel/mod.ts";
import { fromPayload, fromStream } from "./function-url-answer.ts";
import { corsHeaders, preflight } from "./function-url-cors.ts";
import { type Asked, eventOf } from "./function-url-event.ts";
import { type Cors, findUrlById, targetOf, type UrlRow } from "./function-urls.ts";
import { routeFunction } from "./functions.ts";
import { functionArn } from "./names.ts";
import { followed } from "./recursion.ts";
import { streamed } from "./response-stream.ts";
import { runtimeOf } from "./runtime.ts";

/** Any name of this cloud will do, and AWS's own (`on.aws`). */
const HOST = /^([0-9a-z]+)\.lambda-url\.([a-z0-9-]+)\.[^:]+(?::\d+)?$/i;

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB, and so is the event that the request becomes. */
const LARGEST_EVENT = 6_291_456;

export const functionUrlSite: Site = {
  name: "FunctionUrl",
  matches: ({ headers }) => headers.host?.includes(".lambda-url.") === true && HOST.test(headers.host),
  async handle(ctx, request, gate) {
    const [, id, region] = HOST.exec(request.headers.host!.toLowerCase())!;
    const row = await ctx.read((tx) => findUrlById(tx, id!));
    // What has no URL is nobody's to ask about.
    if (!row || row.region !== region) return refusal(ctx, noUrl());
    const cors = row.cors === null ? undefined : (JSON.parse(row.cors) as Cors);
    const answer =
      (cors && preflight(cors, request)) ??
      (await visited({ ctx, request, gate, row }).catch((error: unknown) => refusal(ctx, expected(error))));
    const headers = { ...answer.headers, ...(cors && corsHeaders(cors, request)) };
    return { ...answer, headers };
  },
};

interface Visit {
  readonly ctx: Context;
  readonly request: HttpRequest;
  readonly gate: Gate;
  readonly row: UrlRow;
}

async function visited({ ctx: anybody, request, gate, row }: Visit): Promise<HttpAnswer> {
  const body = await gate.read(LARGEST_EVENT).catch((error: unknown) => {
    throw expected(error).status === 413 ? tooLarge() : error;
  });
  // A URL that is everybody's looks at no signature: it may be the function's own matter.
  const isOpen = row.auth_type === "NONE";
  const { ctx, accessKeyId } = isOpen ? { ctx: anybody, accessKeyId: undefined } : await gate.enter(body);
  if (!isOpen && ctx.principal.kind === "anonymous") throw forbidden();
  await gate.authorize(ctx, demandsOf(row)).catch((error: unknown) => {
    throw expected(error).status === 403 ? forbidden() : error;
  });
  const ref = targetOf(row);
  const found = await ctx.read((tx) => routeFunction(tx, ref));
  if (!found) throw noUrl();
  const asked: Asked = { request, body, row, ...(accessKeyId !== undefined && { accessKeyId }) };
  const event = Buffer.from(JSON.stringify(eventOf(ctx, asked)));
  if (event.length > LARGEST_EVENT) throw tooLarge();
  const call = { requestId: ctx.requestId, event, invokedArn: functionArn(ref), trace: followed(ctx) };
  const runtime = runtimeOf(ctx);
  if (row.invoke_mode === "BUFFERED") return fromPayload(ctx, await runtime.run(ctx, found, call));
  return fromStream(ctx, await streamed((sink) => runtime.run(ctx, found, { ...call, sink })));
}

/** Both, since October 2025. */
function demandsOf(row: UrlRow): Access[] {
  const resource = functionArn(targetOf(row));
  const authType = { "lambda:FunctionUrlAuthType": row.auth_type };
  return [
    { action: "lambda:InvokeFunctionUrl", resource, conditions: authType },
    { action: "lambda:InvokeFunction", resource, conditions: { ...authType, "lambda:InvokedViaFunctionUrl": "true" } },
  ];
}

const noUrl = (): AwsError => new AwsError("AccessDeniedException", 403, "", { Message: null });
const forbidden = (): AwsError => {
  const Message =
    "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";
  return new AwsError("AccessDeniedException", 403, "", { Message });
};
const tooLarge = (): AwsError =>
  new AwsError(
    "RequestEntityTooLargeException",
    413,
    `Request must be smaller than ${LARGEST_EVENT} bytes for the InvokeFunction operation`,
  );

/** What is no answer of AWS's is a defect: the door says so. */
function expected(error: unknown): AwsError {
  if (error instanceof AwsError) return error;
  throw error;
}

/** In AWS's three forms: `Message` of who may not, `message` of all else, and nothing told of a function that could not be run. */
function refusal(ctx: Context, error: AwsError): HttpAnswer {
  const { code, status, message, fields } = error;
  const isTold = status === 403 || status === 413 || status === 429;
  if (!isTold) ctx.log.warn(`the function could not be run: ${message}`);
  // A header of Lambda's API, and no member of the document.
  const { retryAfterSeconds, ...members } = fields;
  const document = message === "" ? members : { ...members, message };
  return {
    status: isTold ? status : 502,
    headers: {
      "content-type": "application/json",
      "x-amzn-requestid": ctx.requestId,
      ...(isTold && { "x-amzn-errortype": code }),
      ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
    },
    body: isTold ? JSON.stringify(document) : "Internal Server Error",
  };
}
