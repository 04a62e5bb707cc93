// A function's SQS and DynamoDB events: a mapping each, and what the function's role may do for it.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-sqs.html, ...-dynamodb.html
import { call, field, fieldsOf, type Node, type Plain, TemplateError } from "./node.ts";
import { make, pathOf, type Resources } from "./sam-make.ts";
import { convert, listOf, type RecordOf, record } from "./shape.ts";
import type { Resource } from "./template.ts";

const COMMON = {
  BatchSize: "number",
  Enabled: "boolean",
  FilterCriteria: "json",
  FunctionResponseTypes: listOf("text"),
  MaximumBatchingWindowInSeconds: "number",
} as const;

interface Source {
  readonly shape: RecordOf;
  /** What SAM calls the ARN. */
  readonly arn: string;
  readonly managedPolicy: string;
}

const SOURCES: Readonly<Record<string, Source>> = {
  SQS: {
    shape: record({ ...COMMON, Queue: "text", ScalingConfig: "json" }, ["Queue"]),
    arn: "Queue",
    managedPolicy: "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
  },
  DynamoDB: {
    shape: record(
      {
        ...COMMON,
        Stream: "text",
        StartingPosition: "text",
        BisectBatchOnFunctionError: "boolean",
        DestinationConfig: record({ OnFailure: record({ Type: "text", Destination: "text" }, ["Destination"]) }),
        MaximumRecordAgeInSeconds: "number",
        MaximumRetryAttempts: "number",
        ParallelizationFactor: "number",
        TumblingWindowInSeconds: "number",
      },
      ["Stream", "StartingPosition"],
    ),
    arn: "Stream",
    managedPolicy: "arn:aws:iam::aws:policy/service-role/AWSLambdaDynamoDBExecutionRole",
  },
};

export const expandSource =
  (type: "SQS" | "DynamoDB") =>
  ({ resource, id, path, given }: { resource: Resource; id: string; path: string; given: Node }, into: Resources) => {
    const { shape, arn } = SOURCES[type]!;
    convert(shape, given, `${path}.Properties`);
    const same = Object.keys(shape.record).filter((name) => name !== arn && name !== "DestinationConfig");
    const destination = field(field(field(given, "DestinationConfig"), "OnFailure"), "Destination");
    make(into, resource, {
      id,
      type: "AWS::Lambda::EventSourceMapping",
      properties: {
        FunctionName: call(given.line, "Ref", resource.id),
        EventSourceArn: field(given, arn),
        ...Object.fromEntries(same.map((name) => [name, field(given, name)])),
        ...(destination && { DestinationConfig: { OnFailure: { Destination: destination } } }),
      },
    });
  };

/** Once each, however many events there are. */
export function sourcePolicies(events: Node | undefined): string[] {
  const types = fieldsOf(events).map(([, event]) => typeOf(event));
  return Object.entries(SOURCES)
    .filter(([type]) => types.includes(type))
    .map(([, { managedPolicy }]) => managedPolicy);
}

const ACTIONS: Readonly<Record<string, string>> = { SQS: "sqs:SendMessage", SNS: "sns:Publish", S3: "s3:PutObject" };

/** What the role may, so that discarded records of streams reach where they are to go. */
export function discardStatements(resource: Resource): Plain[] {
  return fieldsOf(field(resource.properties, "Events")).flatMap(([name, event]) => {
    const one = field(field(field(event, "Properties"), "DestinationConfig"), "OnFailure");
    if (!one) return [];
    const type = field(one, "Type");
    const arn = field(one, "Destination");
    const action = type?.kind === "scalar" ? ACTIONS[type.text] : undefined;
    if (!action || !arn)
      throw new TemplateError(
        one.line,
        `${pathOf(resource)}.Events.${name}.Properties.DestinationConfig.OnFailure`,
        "a destination has a Type (SQS, SNS, S3) and a Destination",
      );
    const Resource = action === "s3:PutObject" ? call(one.line, "Fn::Join", ["", [arn, "/*"]]) : arn;
    return [{ Action: action, Effect: "Allow", Resource } as Plain];
  });
}

function typeOf(event: Node): string | undefined {
  const type = field(event, "Type");
  return type?.kind === "scalar" ? type.text : undefined;
}
