// What a pipe is made of, and what of it is done here.
import { type Context, compilePattern, httpFault, type Input, PatternFault, parseArn } from "../../kernel/mod.ts";
import { errors, type Field } from "./errors.ts";
import { templateFault } from "./template.ts";

/** As CreatePipe is given it, but for name, state and tags. Kept as JSON. */
export type Definition = Pick<
  Input<"pipes", "CreatePipe">,
  | "Description"
  | "Source"
  | "SourceParameters"
  | "Enrichment"
  | "EnrichmentParameters"
  | "Target"
  | "TargetParameters"
  | "RoleArn"
  | "LogConfiguration"
  | "KmsKeyIdentifier"
>;

/**
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html: records of one batch. Others take what their payload
 * allows. "If you configure a pipe with an enrichment or target that doesn't support batching, you won't be able to activate batching on the source."
 */
const MOST_RECORDS: Readonly<Record<string, number>> = {
  sqs: 10,
  sns: 10,
  "events event-bus": 10,
  "events api-destination": 1,
};
const MOST_OF_A_SOURCE = 10_000;

/** What a source, enrichment or target is: `lambda`, `events api-destination`. "" is none. */
export function kindOf(arn: string | undefined): string {
  const { service = "", resource = "" } = parseArn(arn ?? "") ?? {};
  return service === "events" ? `${service} ${resource.split("/")[0]}` : service;
}

export const sourceKind = (definition: Pick<Definition, "Source">): "sqs" | "dynamodb" | undefined => {
  const arn = parseArn(definition.Source ?? "");
  if (arn?.service === "sqs") return "sqs";
  return arn?.service === "dynamodb" && /^table\/[^/]+\/stream\/./.test(arn.resource) ? "dynamodb" : undefined;
};

/** Refuses what has no effect here, by name, and what AWS refuses, all fields at once. */
export function check(ctx: Context, definition: Definition): void {
  refuse(definition);
  const faults = [
    ...sourceFaults(ctx, definition),
    ...filterFaults(definition),
    ...arnFaults(definition),
    ...templateFaults(definition),
    ...targetFaults(definition),
  ];
  if (faults.length > 0) throw errors.validation(...faults);
}

const SOURCE_PARAMETERS = ["FilterCriteria", "SqsQueueParameters", "DynamoDBStreamParameters"];
const TARGET_PARAMETERS = [
  "InputTemplate",
  "HttpParameters",
  "LambdaFunctionParameters",
  "SqsQueueParameters",
  "EventBridgeEventBusParameters",
  "CloudWatchLogsParameters",
];
const ENRICHMENTS = ["lambda", "events api-destination"];
const TARGETS = ["lambda", "sqs", "sns", "events event-bus", "events api-destination", "logs"];

function refuse(definition: Definition): void {
  const { Source, Enrichment, Target, LogConfiguration } = definition;
  const given = (members: object | undefined, known: readonly string[], of: string) => {
    for (const [name, value] of Object.entries(members ?? {}))
      if (value !== undefined && !known.includes(name)) throw errors.notImplemented(`${of}.${name}`);
  };
  const source = parseArn(Source ?? "");
  if (Source?.startsWith("smk://")) throw errors.notImplemented("A source of self-managed Kafka");
  if (source && !sourceKind(definition) && source.service !== "dynamodb")
    throw errors.notImplemented(`A source of ${source.service}`);
  given(definition.SourceParameters, SOURCE_PARAMETERS, "SourceParameters");
  const [enrichment, target] = [kindOf(Enrichment), kindOf(Target)];
  if (enrichment && !ENRICHMENTS.includes(enrichment)) throw errors.notImplemented(`An enrichment of ${enrichment}`);
  given(definition.EnrichmentParameters, ["InputTemplate", "HttpParameters"], "EnrichmentParameters");
  if (target && !TARGETS.includes(target)) throw errors.notImplemented(`A target of ${target}`);
  given(definition.TargetParameters, TARGET_PARAMETERS, "TargetParameters");
  if (definition.TargetParameters?.EventBridgeEventBusParameters?.EndpointId !== undefined)
    throw errors.notImplemented("EventBridgeEventBusParameters.EndpointId");
  if (LogConfiguration && LogConfiguration.Level !== "OFF") throw errors.notImplemented("LogConfiguration");
}

function sourceFaults(ctx: Context, { Source, SourceParameters, Target, Enrichment }: Definition): Field[] {
  const arn = parseArn(Source ?? "");
  const kind = sourceKind({ Source });
  if (!kind) return [{ name: "Source", message: "Source is not supported." }];
  const faults: Field[] = [];
  if (arn!.region !== ctx.region || arn!.account !== ctx.account)
    faults.push({ name: "Source", message: "The source must be in the same account and region as the pipe." });
  const [wanted, other] =
    kind === "sqs"
      ? (["SqsQueueParameters", "DynamoDBStreamParameters"] as const)
      : (["DynamoDBStreamParameters", "SqsQueueParameters"] as const);
  if (SourceParameters?.[other])
    faults.push({ name: `SourceParameters.${other}`, message: "Unexpected parameter for the given source." });
  if (kind === "dynamodb" && !SourceParameters?.[wanted])
    faults.push({ name: `SourceParameters.${wanted}`, message: "Missing required parameter." });
  const parameters = SourceParameters?.[wanted];
  const size = parameters?.BatchSize ?? 1;
  const name = `SourceParameters.${wanted}.BatchSize`;
  const most = Math.min(...[Target, Enrichment].map((arn) => MOST_RECORDS[kindOf(arn)] ?? MOST_OF_A_SOURCE));
  if (size > most) faults.push({ name, message: `Batch size must be at most ${most} for the given target.` });
  const windowed = (parameters?.MaximumBatchingWindowInSeconds ?? 0) > 0;
  if (kind === "sqs" && size > 10 && !windowed)
    faults.push({
      name,
      message: "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    });
  if (windowed && arn!.resource.endsWith(".fifo"))
    faults.push({
      name: `SourceParameters.${wanted}.MaximumBatchingWindowInSeconds`,
      message: "Batching window is not supported for FIFO queues",
    });
  return faults;
}

const MOST_FILTERS = 5;

function filterFaults({ SourceParameters }: Definition): Field[] {
  const filters = SourceParameters?.FilterCriteria?.Filters ?? [];
  const name = "SourceParameters.FilterCriteria.Filters";
  if (filters.length > MOST_FILTERS) return [{ name, message: `A pipe has at most ${MOST_FILTERS} filters.` }];
  return filters.flatMap(({ Pattern = "" }, i) => {
    const message = faultOf(Pattern);
    return message === undefined ? [] : [{ name: `${name}[${i}].Pattern`, message }];
  });
}

function faultOf(pattern: string): string | undefined {
  try {
    compilePattern(pattern);
    return undefined;
  } catch (error) {
    if (error instanceof PatternFault) return error.message;
    throw error;
  }
}

function arnFaults({ Enrichment, Target }: Definition): Field[] {
  const faults: Field[] = [];
  if (!parseArn(Target ?? "")) faults.push({ name: "Target", message: "Target is not a valid ARN." });
  if (Enrichment && !parseArn(Enrichment))
    faults.push({ name: "Enrichment", message: "Enrichment is not a valid ARN." });
  return faults;
}

const templateFaults = ({ EnrichmentParameters, TargetParameters }: Definition): Field[] =>
  Object.entries({ EnrichmentParameters, TargetParameters }).flatMap(([name, parameters]) => {
    const fault = parameters?.InputTemplate === undefined ? undefined : templateFault(parameters.InputTemplate);
    const path = httpFault(parameters?.HttpParameters);
    return [
      ...(fault === undefined ? [] : [{ name: `${name}.InputTemplate`, message: fault }]),
      ...(path === undefined ? [] : [{ name: `${name}.HttpParameters`, message: `Invalid JSON path: ${path}` }]),
    ];
  });

function targetFaults({ Target, TargetParameters = {}, Enrichment, EnrichmentParameters }: Definition): Field[] {
  const { service, resource } = parseArn(Target ?? "") ?? {};
  const belongs: Readonly<Record<string, string>> = {
    HttpParameters: "events api-destination",
    LambdaFunctionParameters: "lambda",
    SqsQueueParameters: "sqs",
    EventBridgeEventBusParameters: "events event-bus",
    CloudWatchLogsParameters: "logs",
  };
  const faults = Object.entries(belongs)
    .filter(([name, of]) => TargetParameters[name as keyof typeof TargetParameters] && of !== kindOf(Target))
    .map(([name]) => ({
      name: `TargetParameters.${name}`,
      message: "Unexpected parameter for the given target.",
    }));
  if (EnrichmentParameters?.HttpParameters && kindOf(Enrichment) !== "events api-destination")
    faults.push({
      name: "EnrichmentParameters.HttpParameters",
      message: "Unexpected parameter for the given enrichment.",
    });
  if (service === "sns" && resource?.endsWith(".fifo"))
    faults.push({ name: "Target", message: "FIFO topics are not supported." });
  if (service === "sqs" && resource?.endsWith(".fifo") && !TargetParameters.SqsQueueParameters?.MessageGroupId)
    faults.push({
      name: "TargetParameters.SqsQueueParameters.MessageGroupId",
      message: "Message group id is required for FIFO queues.",
    });
  return faults;
}
