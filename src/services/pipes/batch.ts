// One batch on its way through a pipe: enriched, shaped, and brought to the target. All of it is done as the pipe's role.
import {
  type Arn,
  AwsError,
  type Consumed,
  type Context,
  httpParts,
  invokeApi,
  newRequestId,
  type Output,
  type Principal,
  parseArn,
  parsedJson,
  type SourceRecord,
  valueAt,
} from "../../kernel/mod.ts";
import { type Definition, kindOf } from "./definition.ts";
import { type PipeRef, pipeArn } from "./rows.ts";
import { fill, parsedFields, type Variables } from "./template.ts";

export interface Pipe {
  readonly ref: PipeRef;
  readonly definition: Definition;
  readonly as: Principal;
  /** ms since the epoch. */
  readonly createdMs: number;
}

/** Which of the records have failed; a throw: all. */
export async function pass(ctx: Context, pipe: Pipe, records: readonly SourceRecord[]): Promise<Consumed> {
  const { definition } = pipe;
  const enriched = definition.Enrichment ? await enrich(ctx, pipe, records) : undefined;
  const events: readonly unknown[] = enriched ?? records;
  if (events.length === 0) return { failed: [] }; // "If you don't want to invoke the target, return an empty response"
  const failed = await bring(ctx, pipe, events);
  if (failed.length === 0) return { failed: [] };
  // What an enrichment answers has no source record of its own: then all of it goes the whole way again.
  if (enriched) throw new Error(`${failed.length} of ${events.length} enriched events were refused by the target`);
  const ids = records.map(idOf);
  return { failed: failed.map((one) => (typeof one === "number" ? ids[one]! : one)) };
}

const idOf = (record: SourceRecord): string =>
  typeof record.messageId === "string"
    ? record.messageId
    : ((record.dynamodb as { SequenceNumber?: string } | undefined)?.SequenceNumber ?? "");

async function enrich(ctx: Context, pipe: Pipe, records: readonly SourceRecord[]): Promise<readonly unknown[]> {
  const { Enrichment, EnrichmentParameters } = pipe.definition;
  const shaped = shape(ctx, pipe, records, EnrichmentParameters?.InputTemplate);
  const answer =
    kindOf(Enrichment) === "lambda"
      ? await invoke(ctx, { function: Enrichment!, as: pipe.as, events: shaped })
      : await request(ctx, {
          to: Enrichment!,
          sent: { pipe, shaped, events: records },
          parameters: EnrichmentParameters?.HttpParameters,
        });
  if (Array.isArray(answer)) return answer;
  const empty =
    answer === null || answer === "" || (typeof answer === "object" && Object.keys(answer as object).length === 0);
  return empty ? [] : [answer];
}

/** "Input transformers are applied separately on each individual JSON record in the array". */
function shape(ctx: Context, pipe: Pipe, events: readonly unknown[], template: string | undefined): unknown[] {
  if (!template) return [...events];
  const { definition, ref } = pipe;
  const variables: Variables = {
    pipeArn: pipeArn(ref),
    pipeName: ref.name,
    sourceArn: definition.Source!,
    enrichmentArn: definition.Enrichment,
    targetArn: definition.Target!,
    now: ctx.clock.now(),
  };
  return events.map((event) => fill(template, event, variables));
}

/** An array, "even if the batch size is 1". A function that fails fails the batch. */
async function invoke(
  ctx: Context,
  of: { function: string; as: Principal; events: readonly unknown[] },
): Promise<unknown> {
  const Payload = Buffer.from(JSON.stringify(of.events));
  const answer = await ctx.call("lambda", "Invoke", { FunctionName: of.function, Payload }, of.as);
  const text = Buffer.from(answer.Payload ?? []).toString();
  if (answer.FunctionError !== undefined) throw new Error(`${of.function} failed: ${text}`);
  return text === "" ? null : (JSON.parse(text) as unknown);
}

/** One event, by itself: API destinations take no batches. What is answered, read as JSON where it is. */
async function request(
  ctx: Context,
  {
    to,
    sent: { pipe, shaped, events },
    parameters,
  }: { to: Arn; sent: Sent; parameters: Parameters<typeof httpParts>[0] },
): Promise<unknown> {
  if (shaped.length > 1) throw new Error(`${to} takes one event at a time, not ${shaped.length}`);
  const parts = httpParts(parameters, parsedFields(events[0]));
  const call = { ...parts, body: textOf(shaped[0]), answered: true };
  const text = await invokeApi(ctx, { to, as: pipe.as, call });
  return parsedJson(text) ?? text;
}

/** Places in `events`, or ids of records, of those that the target did not take. */
function bring(ctx: Context, pipe: Pipe, events: readonly unknown[]): Promise<readonly (number | string)[]> {
  const { definition } = pipe;
  const shaped = shape(ctx, pipe, events, definition.TargetParameters?.InputTemplate);
  const sent: Sent = { pipe, shaped, events };
  return TARGETS[kindOf(definition.Target)]!(ctx, sent);
}

interface Sent {
  readonly pipe: Pipe;
  readonly shaped: readonly unknown[];
  /** As they were before: dynamic parameters look into them. */
  readonly events: readonly unknown[];
}

const TARGETS: Readonly<Record<string, (ctx: Context, sent: Sent) => Promise<readonly (number | string)[]>>> = {
  async lambda(ctx, { pipe: { definition, as }, shaped }) {
    const { Target, TargetParameters } = definition;
    if (TargetParameters?.LambdaFunctionParameters?.InvocationType !== "FIRE_AND_FORGET")
      return reported(await invoke(ctx, { function: Target!, as, events: shaped }));
    const Payload = Buffer.from(JSON.stringify(shaped));
    await ctx.call("lambda", "Invoke", { FunctionName: Target, InvocationType: "Event", Payload }, as);
    return [];
  },

  async sqs(ctx, { pipe: { definition, as }, shaped, events }) {
    const { account, resource } = parseArn(definition.Target!)!;
    const { MessageGroupId, MessageDeduplicationId } = definition.TargetParameters?.SqsQueueParameters ?? {};
    const Entries = shaped.map((body, i) => ({
      Id: String(i),
      MessageBody: textOf(body),
      ...dynamic({ MessageGroupId, MessageDeduplicationId }, events[i]),
    }));
    const QueueUrl = `${ctx.endpoint}/${account}/${resource}`;
    return refused(ctx, await ctx.call("sqs", "SendMessageBatch", { QueueUrl, Entries }, as));
  },

  async sns(ctx, { pipe: { definition, as }, shaped }) {
    const PublishBatchRequestEntries = shaped.map((body, i) => ({ Id: String(i), Message: textOf(body) }));
    const input = { TopicArn: definition.Target, PublishBatchRequestEntries };
    return refused(ctx, await ctx.call("sns", "PublishBatch", input, as));
  },

  async logs(ctx, sent) {
    await putLogs(ctx, sent);
    return [];
  },

  async "events api-destination"(ctx, sent) {
    const { Target, TargetParameters } = sent.pipe.definition;
    await request(ctx, { to: Target!, sent, parameters: TargetParameters?.HttpParameters });
    return [];
  },

  async "events event-bus"(ctx, { pipe: { ref, definition, as }, shaped, events }) {
    const { DetailType, Source, Resources, Time } = definition.TargetParameters?.EventBridgeEventBusParameters ?? {};
    const service = parseArn(definition.Source!)!.service;
    const entries = shaped.map((detail, i) => {
      const time = Time === undefined ? undefined : dynamicOf(Time, events[i]);
      return {
        EventBusName: definition.Target,
        Source: dynamicOf(Source ?? `Pipe ${ref.name}`, events[i]),
        DetailType: dynamicOf(DetailType ?? `Event from aws:${service}`, events[i]),
        Detail: textOf(detail),
        ...(Resources && { Resources: Resources.map((one) => dynamicOf(one, events[i])) }),
        ...(time !== undefined && { Time: timeOf(time) }),
      };
    });
    const { Entries = [] } = await ctx.call("events", "PutEvents", { Entries: entries }, as);
    return Entries.flatMap(({ ErrorCode, ErrorMessage }, i) => {
      if (ErrorCode === undefined) return [];
      ctx.log.warn(`the bus refused an event: ${ErrorCode} ${ErrorMessage}`);
      return [i];
    });
  },
};

/** The stream is made where it is missing: its default is the pipe's name. */
async function putLogs(ctx: Context, { pipe: { ref, definition, as }, shaped, events }: Sent): Promise<void> {
  const { LogStreamName, Timestamp } = definition.TargetParameters?.CloudWatchLogsParameters ?? {};
  const logGroupName = /^log-group:([^:]+)/.exec(parseArn(definition.Target!)!.resource)?.[1] ?? "";
  const now = ctx.clock.now();
  const byStream = new Map<string, { timestamp: number; message: string }[]>();
  for (const [i, one] of shaped.entries()) {
    const stream = dynamicOf(LogStreamName ?? ref.name, events[i]);
    const timestamp = Timestamp === undefined ? now : timeOf(dynamicOf(Timestamp, events[i])).getTime();
    byStream.set(stream, [...(byStream.get(stream) ?? []), { timestamp, message: textOf(one) }]);
  }
  for (const [logStreamName, all] of byStream) {
    const logEvents = all.sort((a, b) => a.timestamp - b.timestamp);
    const put = () => ctx.call("logs", "PutLogEvents", { logGroupName, logStreamName, logEvents }, as);
    await put().catch(async (error: unknown) => {
      if (!(error instanceof AwsError) || error.code !== "ResourceNotFoundException") throw error;
      await ctx.call("logs", "CreateLogStream", { logGroupName, logStreamName }, as);
      await put();
    });
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** `{ batchItemFailures: [{ itemIdentifier }] }`; anything else means that all went well. */
function reported(answer: unknown): string[] {
  const failures = (answer as { batchItemFailures?: unknown } | null)?.batchItemFailures;
  if (!Array.isArray(failures)) return [];
  return failures.map((failure) => String((failure as { itemIdentifier?: unknown } | null)?.itemIdentifier ?? ""));
}

type BatchAnswer = Pick<Output<"sqs", "SendMessageBatch">, "Failed"> | Pick<Output<"sns", "PublishBatch">, "Failed">;

function refused(ctx: Context, { Failed = [] }: BatchAnswer): number[] {
  return Failed.map(({ Id, Code, Message }) => {
    ctx.log.warn(`the target refused an entry: ${Code} ${Message}`);
    return Number(Id);
  });
}

/** A parameter may be a path into the event. */
const dynamicOf = (value: string, event: unknown): string => {
  if (!value.startsWith("$.") && !value.startsWith("$[")) return value;
  const found = valueAt(parsedFields(event), value);
  if (found === undefined) throw new AwsError("ValidationException", 400, `${value} is not in the event`);
  return textOf(found);
};

const dynamic = (values: Readonly<Record<string, string | undefined>>, event: unknown) =>
  Object.fromEntries(
    Object.entries(values)
      .filter((entry): entry is [string, string] => entry[1] !== undefined)
      .map(([name, value]) => [name, dynamicOf(value, event)]),
  );

/** Epoch seconds, epoch milliseconds, or ISO 8601. */
function timeOf(text: string): Date {
  const number = Number(text);
  if (Number.isNaN(number)) return new Date(text);
  return new Date(number < 1e11 ? number * 1000 : number);
}

/** What a stream's dead-letter queue or topic gets. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-errors.html */
export const deadLetter = (
  ctx: Context,
  { ref }: Pipe,
  lost: { records: readonly SourceRecord[]; reason: string; attempts: number; shardId: string; streamArn: string },
): unknown => {
  const ids = lost.records.map(idOf);
  const times = lost.records.map(
    ({ dynamodb }) => (dynamodb as { ApproximateCreationDateTime?: number } | undefined)?.ApproximateCreationDateTime,
  );
  const timeText = (seconds: number | undefined) =>
    seconds === undefined ? undefined : new Date(seconds * 1000).toISOString();
  return {
    context: {
      partialFailure: false,
      pipeArn: pipeArn(ref),
      condition: lost.reason,
      approximateInvokeCount: lost.attempts,
      requestId: newRequestId(),
    },
    version: "1.0",
    timestamp: new Date(ctx.clock.now()).toISOString(),
    DDBStreamBatchInfo: {
      shardId: lost.shardId,
      startSequenceNumber: ids[0],
      endSequenceNumber: ids.at(-1),
      approximateArrivalOfFirstRecord: timeText(times[0]),
      approximateArrivalOfLastRecord: timeText(times.at(-1)),
      batchSize: lost.records.length,
      streamArn: lost.streamArn,
    },
  };
};
