// A function's events: the permission each needs, and what brings them.
import { call, type Fields, field, itemsOf, type Node, node, TemplateError } from "./node.ts";
import { make, merge, need, pathOf, type Resources } from "./sam-make.ts";
import { expandScheduleV2 } from "./sam-schedule.ts";
import { expandSource } from "./sam-sources.ts";
import { convert, record } from "./shape.ts";
import type { Resource } from "./template.ts";

const S3_EVENT = record({ Bucket: "text", Events: "json", Filter: "json" }, ["Bucket", "Events"]);
const SCHEDULE = record(
  { Schedule: "text", Input: "text", Name: "text", Description: "text", Enabled: "boolean", State: "text" },
  ["Schedule"],
);

const SNS_EVENT = record({ Topic: "text", FilterPolicy: "json", FilterPolicyScope: "text", RedrivePolicy: "json" }, [
  "Topic",
]);
const PATTERN = record(
  {
    Pattern: "json",
    EventBusName: "text",
    RuleName: "text",
    State: "text",
    Input: "text",
    InputPath: "text",
    InputTransformer: "json",
    RetryPolicy: "json",
    DeadLetterConfig: record({ Arn: "text" }, ["Arn"]),
    Target: record({ Id: "text" }, ["Id"]),
  },
  ["Pattern"],
);

interface Event {
  readonly resource: Resource;
  readonly name: string;
  readonly event: Node;
}

export function expandEvent({ resource, name, event }: Event, into: Resources): void {
  const path = `${pathOf(resource)}.Events.${name}`;
  const type = need(event, "Type", path);
  const expand = type.kind === "scalar" ? events[type.text] : undefined;
  if (!expand) throw new TemplateError(type.line, `${path}.Type`, "aws-like does not understand this type of event");
  expand({ resource, id: `${resource.id}${name}`, path, given: need(event, "Properties", path) }, into);
}

interface Expanding {
  readonly resource: Resource;
  readonly id: string;
  readonly path: string;
  readonly given: Node;
}

const events: Readonly<Record<string, (expanding: Expanding, into: Resources) => void>> = {
  /** No SourceArn: the bucket depends on the permission, so the permission must not depend on the bucket. */
  S3({ resource, id, path, given }, into) {
    convert(S3_EVENT, given, `${path}.Properties`);
    const { line } = given;
    make(into, resource, {
      id: `${id}Permission`,
      type: "AWS::Lambda::Permission",
      properties: {
        Action: "lambda:InvokeFunction",
        FunctionName: call(line, "Ref", resource.id),
        Principal: "s3.amazonaws.com",
        SourceAccount: call(line, "Ref", "AWS::AccountId"),
      },
    });
    const bucket = need(given, "Bucket", `${path}.Properties`);
    const found = bucket.kind === "call" && bucket.name === "Ref" && bucket.argument.kind === "scalar";
    const target = found ? into.get((bucket.argument as { text: string }).text) : undefined;
    if (target?.type !== "AWS::S3::Bucket")
      throw new TemplateError(bucket.line, `${path}.Properties.Bucket`, "it must be !Ref of a bucket in this template");
    const configurations = itemsOf(field(given, "Events")).map((event) => ({
      Event: event,
      Function: call(line, "Fn::GetAtt", [resource.id, "Arn"]),
      Filter: field(given, "Filter"),
    }));
    const notification = node(line, { NotificationConfiguration: { LambdaConfigurations: configurations } });
    into.set(target.id, {
      ...target,
      properties: merge(target.properties, notification) as Fields,
      dependsOn: [...target.dependsOn, `${id}Permission`],
    });
  },

  SNS({ resource, id, path, given }, into) {
    convert(SNS_EVENT, given, `${path}.Properties`);
    const { line } = given;
    const topic = need(given, "Topic", `${path}.Properties`);
    make(into, resource, {
      id: `${id}Permission`,
      type: "AWS::Lambda::Permission",
      properties: {
        Action: "lambda:InvokeFunction",
        FunctionName: call(line, "Ref", resource.id),
        Principal: "sns.amazonaws.com",
        SourceArn: topic,
      },
    });
    make(into, resource, {
      id,
      type: "AWS::SNS::Subscription",
      properties: {
        Protocol: "lambda",
        Endpoint: call(line, "Fn::GetAtt", [resource.id, "Arn"]),
        TopicArn: topic,
        FilterPolicy: field(given, "FilterPolicy"),
        FilterPolicyScope: field(given, "FilterPolicyScope"),
        RedrivePolicy: field(given, "RedrivePolicy"),
      },
    });
  },

  Schedule({ resource, id, path, given }, into) {
    convert(SCHEDULE, given, `${path}.Properties`);
    const { line } = given;
    const enabled = field(given, "Enabled");
    const off = enabled?.kind === "scalar" && enabled.text === "false";
    make(into, resource, {
      id,
      type: "AWS::Events::Rule",
      properties: {
        Name: field(given, "Name"),
        Description: field(given, "Description"),
        ScheduleExpression: field(given, "Schedule"),
        State: field(given, "State") ?? (enabled && node(line, off ? "DISABLED" : "ENABLED")),
        Targets: [
          {
            Id: `${id}LambdaTarget`,
            Arn: call(line, "Fn::GetAtt", [resource.id, "Arn"]),
            Input: field(given, "Input"),
          },
        ],
      },
    });
    permitRule({ resource, id, line }, into);
  },

  ScheduleV2: expandScheduleV2,
  SQS: expandSource("SQS"),
  DynamoDB: expandSource("DynamoDB"),
  EventBridgeRule: expandPattern,
  /** The older name of the same. */
  CloudWatchEvent: expandPattern,
};

function expandPattern({ resource, id, path, given }: Expanding, into: Resources): void {
  convert(PATTERN, given, `${path}.Properties`);
  const { line } = given;
  const target = field(given, "Target");
  make(into, resource, {
    id,
    type: "AWS::Events::Rule",
    properties: {
      Name: field(given, "RuleName"),
      EventBusName: field(given, "EventBusName"),
      EventPattern: field(given, "Pattern"),
      State: field(given, "State"),
      Targets: [
        {
          Id: (target && field(target, "Id")) ?? `${id}LambdaTarget`,
          Arn: call(line, "Fn::GetAtt", [resource.id, "Arn"]),
          Input: field(given, "Input"),
          InputPath: field(given, "InputPath"),
          InputTransformer: field(given, "InputTransformer"),
          RetryPolicy: field(given, "RetryPolicy"),
          DeadLetterConfig: field(given, "DeadLetterConfig"),
        },
      ],
    },
  });
  permitRule({ resource, id, line }, into);
}

/** The rule may invoke the function. */
function permitRule({ resource, id, line }: { resource: Resource; id: string; line: number }, into: Resources): void {
  make(into, resource, {
    id: `${id}Permission`,
    type: "AWS::Lambda::Permission",
    properties: {
      Action: "lambda:InvokeFunction",
      FunctionName: call(line, "Ref", resource.id),
      Principal: "events.amazonaws.com",
      SourceArn: call(line, "Fn::GetAtt", [id, "Arn"]),
    },
  });
}
