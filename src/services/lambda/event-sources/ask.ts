// Whether a function's role may poll a source, and whether there is one: asked before a mapping is made, in AWS's words.
import { type Arn, AwsError, type Context, type Principal, parseArn } from "../../../kernel/mod.ts";
import type { Configuration } from "../configuration.ts";
import { errors, invalidParameter } from "../errors.ts";
import type { FunctionRef } from "../names.ts";
import { assumeRole } from "../roles.ts";
import { isQueue } from "./rows.ts";

export async function askSource(
  ctx: Context,
  source: Arn,
  { ref, configuration: { Role, Timeout } }: { ref: FunctionRef; configuration: Configuration },
): Promise<void> {
  const { session: as } = await assumeRole(ctx, ref, Role, errors.roleNotAssumable);
  if (isQueue(source)) await askQueue(ctx, source, { as, timeoutS: Timeout });
  else await askStream(ctx, source, as);
}

/** Each call is one that IAM decides and that then does nothing: what it refuses after that is no news. */
async function askQueue(
  ctx: Context,
  queue: Arn,
  { as, timeoutS }: { as: Principal; timeoutS: number },
): Promise<void> {
  const { account, resource } = parseArn(queue)!;
  const QueueUrl = `${ctx.endpoint}/${account}/${resource}`;
  const receive = ctx.call("sqs", "ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 0 }, as);
  await receive.catch(permitted("ReceiveMessage"));
  await ctx.call("sqs", "DeleteMessage", { QueueUrl, ReceiptHandle: "?" }, as).catch(permitted("DeleteMessage"));
  const AttributeNames = ["VisibilityTimeout" as const];
  const told = await ctx
    .call("sqs", "GetQueueAttributes", { QueueUrl, AttributeNames }, as)
    .catch(permitted("GetQueueAttributes"));
  const visibilityS = Number(told?.Attributes?.VisibilityTimeout);
  if (visibilityS < timeoutS)
    throw invalidParameter(
      `Queue visibility timeout: ${visibilityS} seconds is less than Function timeout: ${timeoutS} seconds`,
    );
}

const permitted = (operation: string) => (error: unknown) => {
  if (!(error instanceof AwsError) || error.status >= 500) throw error;
  if (/^AccessDenied/.test(error.code))
    throw invalidParameter(`The function execution role does not have permissions to call ${operation} on SQS`);
  if (/NonExistentQueue|QueueDoesNotExist/.test(error.code))
    throw invalidParameter(
      "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
    );
  return undefined;
};

async function askStream(ctx: Context, stream: Arn, as: Principal): Promise<void> {
  try {
    const StreamArn = stream;
    const { StreamDescription } = await ctx.call("dynamodbstreams", "DescribeStream", { StreamArn, Limit: 1 }, as);
    const ShardId = StreamDescription?.Shards?.[0]?.ShardId;
    if (ShardId === undefined) return;
    const input = { StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" as const };
    const { ShardIterator } = await ctx.call("dynamodbstreams", "GetShardIterator", input, as);
    await ctx.call("dynamodbstreams", "GetRecords", { ShardIterator, Limit: 1 }, as);
  } catch (error) {
    if (!(error instanceof AwsError) || error.status >= 500) throw error;
    if (/^AccessDenied/.test(error.code))
      throw invalidParameter(
        `Cannot access stream ${stream}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.`,
      );
    if (error.code === "ResourceNotFoundException") throw invalidParameter(`Stream not found: ${stream}`);
    throw error;
  }
}
