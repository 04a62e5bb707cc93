// Pipes that run: a poller each. What cannot be begun says why in its state.
import {
  AwsError,
  assumeRole,
  type Config,
  type Consumer,
  type Context,
  compilePattern,
  forgetPositions,
  type Poller,
  Pollers,
  type Principal,
  parseArn,
  pollQueue,
  pollStream,
  type Running,
  sendTo,
} from "../../kernel/mod.ts";
import { deadLetter, type Pipe, pass } from "./batch.ts";
import { type Definition, sourceKind } from "./definition.ts";
import { type PipeRow, pipeArn, pipesToRun, savePipe } from "./rows.ts";

const started = new WeakMap<Config, Pollers>();

const pollersOf = (ctx: Context): Pollers => {
  const pollers = started.get(ctx.config);
  if (!pollers) throw new Error("pipes is called before it is started");
  return pollers;
};

export async function start(ctx: Context): Promise<Running> {
  const pollers = new Pollers();
  started.set(ctx.config, pollers);
  for (const row of await ctx.read(pipesToRun)) await beginAgain(ctx, row);
  return pollers;
}

/** One pipe whose role is gone, or trusts Pipes no more, holds up nobody's start. */
async function beginAgain(ctx: Context, row: PipeRow): Promise<void> {
  let after: PipeRow = { ...row, state: "RUNNING", reason: null };
  try {
    await begin(ctx, row);
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    after = { ...row, state: "START_FAILED", reason: reasonOf(error) };
    ctx.log.error(`pipe ${row.name} cannot be started: ${error.message}`, { subject: pipeArn(row) });
  }
  if (after.state !== row.state) await ctx.write((tx) => savePipe(tx, after));
}

const pipesPrincipal = (row: PipeRow): Principal => ({
  kind: "service",
  name: "pipes.amazonaws.com",
  account: row.account,
  sourceArn: pipeArn(row),
});

/** Resolves when it runs. A role that is missing, or does not trust Pipes, is found out by the first poll. */
export async function begin(asked: Context, row: PipeRow): Promise<void> {
  const by = pipesPrincipal(row);
  const ctx = asked.fork({ principal: by, account: row.account, region: row.region });
  const definition = JSON.parse(row.definition) as Definition;
  const { session } = await assumeRole(ctx, { role: definition.RoleArn!, name: row.name, by });
  const poller = pollersOf(ctx);
  await poller.begin(pipeArn(row), () => poll(ctx, { ref: row, definition, as: session, createdMs: row.created_ms }));
}

/** Why the pipe cannot run, in the words that AWS gives as its state's reason; undefined: nothing is in its way. */
export async function obstacle(asked: Context, row: PipeRow): Promise<string | undefined> {
  const by = pipesPrincipal(row);
  const ctx = asked.fork({ principal: by, account: row.account, region: row.region });
  const definition = JSON.parse(row.definition) as Definition;
  try {
    const { session } = await assumeRole(ctx, { role: definition.RoleArn!, name: row.name, by });
    await askSource(ctx, definition, session);
    return undefined;
  } catch (error) {
    if (!(error instanceof AwsError) || error.status >= 500) throw error;
    return reasonOf(error);
  }
}

const reasonOf = ({ code, message }: AwsError): string => {
  const why = code.startsWith("AccessDenied")
    ? `The provided customer role does not have permissions to ${missing(message)}`
    : message;
  return `Input parameter is invalid from the request due to : ${why}`;
};

/** As AWS names it: `call GetQueueAttributes on SQS`. A role that does not trust Pipes has not even its session. */
function missing(message: string): string {
  const [, service, action] = /perform: "?(\w+):(\w+)/.exec(message) ?? [];
  if (service === undefined || service === "sts") return "be assumed by EventBridge Pipes";
  return service === "sqs"
    ? `call ${SQS_CALLS[action!.toLowerCase()] ?? action} on SQS`
    : `call ${action} on ${service}`;
}

/** SQS's own denials write its actions in small letters. */
const SQS_CALLS: Readonly<Record<string, string>> = { getqueueattributes: "GetQueueAttributes" };

/** Looks at the source without taking anything from it. */
async function askSource(ctx: Context, definition: Definition, as: Principal): Promise<void> {
  const arn = definition.Source!;
  if (sourceKind(definition) === "dynamodb") {
    await ctx.call("dynamodbstreams", "DescribeStream", { StreamArn: arn }, as);
    return;
  }
  const { account, resource } = parseArn(arn)!;
  const QueueUrl = `${ctx.endpoint}/${account}/${resource}`;
  await ctx.call("sqs", "GetQueueAttributes", { QueueUrl, AttributeNames: ["QueueArn"] }, as);
}

export const end = (ctx: Context, row: PipeRow): Promise<void> => pollersOf(ctx).end(pipeArn(row));

/** The pipe is gone, and with it how far it had read. */
export const forget = (ctx: Context, row: PipeRow): Promise<unknown> =>
  ctx.write((tx) => forgetPositions(tx, pipeArn(row)));

const MOST_AT_ONCE = 64;

function poll(ctx: Context, pipe: Pipe): Poller {
  const { definition, ref, as } = pipe;
  const { SourceParameters = {}, Source } = definition;
  const parameters = SourceParameters.SqsQueueParameters ?? SourceParameters.DynamoDBStreamParameters;
  const common = {
    id: pipeArn(ref),
    arn: Source!,
    as: async () => as,
    filters: (SourceParameters.FilterCriteria?.Filters ?? []).map(({ Pattern = "{}" }) => compilePattern(Pattern)),
    batchSize: parameters?.BatchSize ?? 1,
    windowMs: (parameters?.MaximumBatchingWindowInSeconds ?? 0) * 1000,
  };
  const consumer: Consumer = {
    async consume(own, records) {
      const consumed = await pass(own, pipe, records);
      const passed = records.length - consumed.failed.length;
      own.log.info(
        `pipe ${ref.name}: ${passed} of ${records.length} from ${nameOf(Source!)} to ${nameOf(definition.Target!)}`,
        {
          subject: pipeArn(ref),
        },
      );
      return consumed;
    },
    discard: async (own, lost) => {
      const to = SourceParameters.DynamoDBStreamParameters?.DeadLetterConfig?.Arn;
      if (to === undefined) return;
      await sendTo(own, { to, as, parcel: { kind: "event", event: deadLetter(own, pipe, lost) } });
    },
    trouble(own, error) {
      if (error) own.log.error(`pipe ${ref.name} cannot ask ${Source}: ${(error as Error).message}`);
      else own.log.info(`pipe ${ref.name} can ask ${Source} again`);
    },
  };
  if (sourceKind(definition) === "sqs")
    return pollQueue(ctx, { ...common, maximumConcurrency: MOST_AT_ONCE }, consumer);
  const { StartingPosition, MaximumRetryAttempts, MaximumRecordAgeInSeconds, OnPartialBatchItemFailure, ...rest } =
    SourceParameters.DynamoDBStreamParameters!;
  return pollStream(
    ctx,
    {
      ...common,
      startingPosition: StartingPosition === "LATEST" ? "LATEST" : "TRIM_HORIZON",
      createdMs: pipe.createdMs,
      parallelization: rest.ParallelizationFactor ?? 1,
      maxRecordAgeMs: limited(MaximumRecordAgeInSeconds, 1000),
      maxRetries: limited(MaximumRetryAttempts, 1),
      bisect: OnPartialBatchItemFailure === "AUTOMATIC_BISECT",
    },
    consumer,
  );
}

/** For a person: what stands behind the account. */
const nameOf = (arn: string): string => arn.split(":").slice(5).join(":");

/** -1, the default: no limit. */
const limited = (value: number | undefined, unit: number): number | undefined =>
  value === undefined || value === -1 ? undefined : value * unit;
