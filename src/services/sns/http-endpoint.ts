// A message brought to an HTTP endpoint. https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { AwsError, type Context } from "../../kernel/mod.ts";

/** AWS waits so long for an answer. Real time: nobody can move another's clock. */
const TIMEOUT_MS = 15_000;
const MOST_ANSWER_BYTES = 64 * 1024;

export interface Delivery {
  readonly url: string;
  readonly body: string;
  readonly contentType: string;
  readonly type: string;
  readonly messageId: string;
  readonly topicArn: string;
  /** Of notifications, and of the farewell. */
  readonly subscriptionArn?: string;
  readonly raw?: boolean;
}

/** Resolves when the endpoint took it. An answer of 5xx or 429, or none, may be tried again; any other is final: an AwsError of status 400. */
export async function bringToHttp(ctx: Context, delivery: Delivery): Promise<void> {
  const status = await post(ctx, delivery);
  if (status >= 200 && status < 300) return;
  const text = `${delivery.url} answered ${status}`;
  if (status >= 500 || status === 429) throw new Error(text);
  throw new AwsError("EndpointRefused", 400, text);
}

function post(ctx: Context, { url, body, contentType, ...of }: Delivery): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const request = (url.startsWith("https:") ? requestHttps : requestHttp)(url, {
    method: "POST",
    agent: false,
    signal: AbortSignal.any([ctx.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    headers: {
      "x-amz-sns-message-type": of.type,
      "x-amz-sns-message-id": of.messageId,
      "x-amz-sns-topic-arn": of.topicArn,
      ...(of.subscriptionArn !== undefined && { "x-amz-sns-subscription-arn": of.subscriptionArn }),
      ...(of.raw === true && { "x-amz-sns-rawdelivery": "true" }),
      "Content-Length": Buffer.byteLength(body),
      "Content-Type": contentType,
      "User-Agent": "Amazon Simple Notification Service Agent",
      "Accept-Encoding": "gzip,deflate",
    },
  });
  request.on("error", reject);
  request.on("response", (response) => {
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MOST_ANSWER_BYTES) response.destroy();
    });
    response.on("error", reject);
    response.on("close", () => resolve(response.statusCode!));
  });
  request.end(body);
  return promise;
}
