// What a mapping may be told, for queues and for streams, and what AWS says of what it may not.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html, .../services-ddb-params.html
import { type Arn, compilePattern, type Input, PatternFault, parseArn } from "../../../kernel/mod.ts";
import { errors, invalidParameter } from "../errors.ts";

/** What Create and Update have in common. */
type Given = Omit<Input<"lambda", "CreateEventSourceMapping">, "FunctionName">;

/** The members that a caller chooses, in AWS's names, with AWS's defaults filled in: the column `definition`. */
export interface Definition {
  readonly BatchSize: number;
  readonly MaximumBatchingWindowInSeconds: number;
  readonly FunctionResponseTypes: readonly string[];
  readonly FilterCriteria?: { readonly Filters: readonly { readonly Pattern: string }[] };
  /** Of queues. */
  readonly ScalingConfig?: { readonly MaximumConcurrency?: number | undefined };
  /** Of streams, all that follow. */
  readonly StartingPosition?: "TRIM_HORIZON" | "LATEST";
  readonly ParallelizationFactor?: number;
  readonly BisectBatchOnFunctionError?: boolean;
  readonly MaximumRecordAgeInSeconds?: number;
  readonly MaximumRetryAttempts?: number;
  readonly TumblingWindowInSeconds?: number;
  readonly DestinationConfig?: { readonly OnFailure: { readonly Destination?: Arn } };
}

/** `source` is a queue or a DynamoDB stream of this region; anything else is refused: by its name, where AWS would take it. */
export function checkSource(given: Given, region: string): Arn {
  for (const parameter of OTHER_SOURCES) if (given[parameter] !== undefined) throw errors.unsupported(parameter);
  const arn = parseArn(given.EventSourceArn ?? "");
  const other = arn && LATER_SOURCES[arn.service];
  if (other) throw errors.unsupported(`event sources in ${other}`);
  const stream = arn?.service === "dynamodb" && /^table\/[^/]+\/stream\/[^/]+$/.test(arn.resource);
  if (!arn || !(arn.service === "sqs" || stream)) throw invalidParameter("Unrecognized event source.");
  if (arn.region !== region) throw errors.unsupported("event sources in another region");
  return given.EventSourceArn!;
}

const OTHER_SOURCES = [
  "SelfManagedEventSource",
  "SelfManagedKafkaEventSourceConfig",
  "AmazonManagedKafkaEventSourceConfig",
  "DocumentDBEventSourceConfig",
  "SourceAccessConfigurations",
  "Topics",
  "Queues",
] as const;

const LATER_SOURCES: Readonly<Record<string, string>> = {
  kinesis: "Kinesis",
  kafka: "Amazon MSK",
  mq: "Amazon MQ",
  rds: "DocumentDB",
};

/** What we would have to ignore. */
const UNSUPPORTED = ["KMSKeyArn", "MetricsConfig", "LoggingConfig", "ProvisionedPollerConfig"] as const;

const ONLY_STREAMS = [
  "DestinationConfig",
  "ParallelizationFactor",
  "BisectBatchOnFunctionError",
  "MaximumRecordAgeInSeconds",
  "MaximumRetryAttempts",
  "TumblingWindowInSeconds",
] as const;

/** What is given over what there was. `before`: at an update. */
export function choose(source: Arn, given: Given, before?: Definition): Definition {
  for (const parameter of UNSUPPORTED) if (given[parameter] !== undefined) throw errors.unsupported(parameter);
  const definition =
    parseArn(source)!.service === "sqs" ? ofQueue(source, given, before) : ofStream(source, given, before);
  const { BatchSize, MaximumBatchingWindowInSeconds } = definition;
  if (definition.StartingPosition === undefined && BatchSize > 10 && MaximumBatchingWindowInSeconds === 0)
    throw invalidParameter(
      "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    );
  return definition;
}

function ofQueue(source: Arn, given: Given, before: Definition | undefined): Definition {
  if (given.StartingPosition !== undefined || given.StartingPositionTimestamp !== undefined)
    throw invalidParameter("StartingPosition is not valid for SQS event sources.");
  for (const parameter of ONLY_STREAMS) if (given[parameter] !== undefined) throw notOfThisKind(parameter);
  const definition = { ...common(given, before, 10), ...scaling(given, before) };
  if (!source.endsWith(".fifo")) return definition;
  if (definition.MaximumBatchingWindowInSeconds > 0)
    throw invalidParameter("Batching window is not supported for FIFO queues");
  if (definition.BatchSize > 10) throw invalidParameter("Maximum batch size for FIFO queues is 10");
  return definition;
}

/** An empty ScalingConfig takes the limit away. */
function scaling({ ScalingConfig }: Given, before: Definition | undefined): Pick<Definition, "ScalingConfig"> {
  if (ScalingConfig === undefined) return before?.ScalingConfig ? { ScalingConfig: before.ScalingConfig } : {};
  const { MaximumConcurrency } = ScalingConfig;
  return MaximumConcurrency === undefined ? {} : { ScalingConfig: { MaximumConcurrency } };
}

function ofStream(source: Arn, given: Given, before: Definition | undefined): Definition {
  if (given.ScalingConfig !== undefined) throw notOfThisKind("ScalingConfig");
  const position = before ? before.StartingPosition : given.StartingPosition;
  if (position === undefined)
    throw invalidParameter(
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
    );
  if (position === "AT_TIMESTAMP" || given.StartingPositionTimestamp !== undefined)
    throw invalidParameter(`Unsupported starting position for arn type: ${source}`);
  const age = given.MaximumRecordAgeInSeconds ?? before?.MaximumRecordAgeInSeconds ?? -1;
  if (age !== -1 && age < LEAST_AGE_S)
    throw invalidParameter(`MaximumRecordAgeInSeconds must be -1, or at least ${LEAST_AGE_S}: ${age}`);
  const definition: Definition = {
    ...common(given, before, 100),
    StartingPosition: position,
    ParallelizationFactor: given.ParallelizationFactor ?? before?.ParallelizationFactor ?? 1,
    BisectBatchOnFunctionError: given.BisectBatchOnFunctionError ?? before?.BisectBatchOnFunctionError ?? false,
    MaximumRecordAgeInSeconds: age,
    MaximumRetryAttempts: given.MaximumRetryAttempts ?? before?.MaximumRetryAttempts ?? -1,
    TumblingWindowInSeconds: given.TumblingWindowInSeconds ?? before?.TumblingWindowInSeconds ?? 0,
    DestinationConfig: given.DestinationConfig
      ? destinationOf(given.DestinationConfig)
      : (before?.DestinationConfig ?? { OnFailure: {} }),
  };
  if (definition.TumblingWindowInSeconds! > 0 && definition.ParallelizationFactor! > 1)
    throw errors.unsupported("TumblingWindowInSeconds together with a ParallelizationFactor");
  return definition;
}

/** "MaximumRecordAgeInSeconds ... between 60 and 604800", the guide says; the model lets 0 to 59 through. */
const LEAST_AGE_S = 60;

function common(given: Given, before: Definition | undefined, batchSize: number): Definition {
  const filters = given.FilterCriteria ? filtersOf(given.FilterCriteria) : before?.FilterCriteria;
  return {
    BatchSize: given.BatchSize ?? before?.BatchSize ?? batchSize,
    MaximumBatchingWindowInSeconds: given.MaximumBatchingWindowInSeconds ?? before?.MaximumBatchingWindowInSeconds ?? 0,
    FunctionResponseTypes: given.FunctionResponseTypes ?? before?.FunctionResponseTypes ?? [],
    ...(filters && { FilterCriteria: filters }),
  };
}

/** "five different filters ... up to a maximum of 10": the quota can be raised, so ten are taken. */
const MOST_FILTERS = 10;

/** undefined: an empty list, which takes the filters away. */
function filtersOf({ Filters = [] }: NonNullable<Given["FilterCriteria"]>): Definition["FilterCriteria"] {
  if (Filters.length > MOST_FILTERS)
    throw invalidParameter(`FilterCriteria has ${Filters.length} filters: there can be ${MOST_FILTERS} at most.`);
  if (Filters.length === 0) return undefined;
  return {
    Filters: Filters.map(({ Pattern }) => {
      if (Pattern === undefined || !compiles(Pattern)) throw invalidParameter("Invalid filter pattern definition.");
      return { Pattern };
    }),
  };
}

function compiles(pattern: string): boolean {
  try {
    compilePattern(pattern);
    return true;
  } catch (error) {
    if (error instanceof PatternFault) return false;
    throw error;
  }
}

/** Where discarded records of a stream go: a standard queue, a standard topic, or a bucket. */
function destinationOf(config: NonNullable<Given["DestinationConfig"]>): NonNullable<Definition["DestinationConfig"]> {
  if (config.OnSuccess?.Destination) throw notOfThisKind("DestinationConfig");
  const { Destination } = config.OnFailure ?? {};
  if (!Destination) return { OnFailure: {} };
  const service = parseArn(Destination)?.service;
  if (!["sqs", "sns", "s3"].includes(service ?? "") || Destination.endsWith(".fifo"))
    throw invalidParameter(`The destination ARN ${Destination} is invalid.`);
  return { OnFailure: { Destination } };
}

const notOfThisKind = (parameter: string) =>
  invalidParameter(`Unsupported ${parameter} parameter for given event source mapping type.`);
