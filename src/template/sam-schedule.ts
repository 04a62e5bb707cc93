// A function's ScheduleV2: a schedule of EventBridge Scheduler, and the role that it invokes the function with.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-schedulev2.html
import { call, field, type Node, type Plain } from "./node.ts";
import { CREATED_BY, make, type Resources } from "./sam-make.ts";
import { convert, record } from "./shape.ts";
import type { Resource } from "./template.ts";

const SCHEDULE_V2 = record(
  {
    ScheduleExpression: "text",
    ScheduleExpressionTimezone: "text",
    FlexibleTimeWindow: "json",
    StartDate: "text",
    EndDate: "text",
    State: "text",
    Name: "text",
    GroupName: "text",
    Description: "text",
    Input: "text",
    KmsKeyArn: "text",
    RoleArn: "text",
    RetryPolicy: "json",
    DeadLetterConfig: record({ Arn: "text" }, ["Arn"]),
  },
  ["ScheduleExpression"],
);
/** What a schedule has by the same name. */
const SAME = ["ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "EndDate", "State"] as const;
const TOLD = ["GroupName", "Description", "KmsKeyArn"] as const;

export function expandScheduleV2(
  { resource, id, path, given }: { resource: Resource; id: string; path: string; given: Node },
  into: Resources,
): void {
  convert(SCHEDULE_V2, given, `${path}.Properties`);
  const { line } = given;
  const functionArn = call(line, "Fn::GetAtt", [resource.id, "Arn"]);
  const own = field(given, "RoleArn");
  const dead = field(field(given, "DeadLetterConfig"), "Arn");
  if (!own) make(into, resource, { id: `${id}Role`, type: "AWS::IAM::Role", properties: roleOf(functionArn, dead) });
  make(into, resource, {
    id,
    type: "AWS::Scheduler::Schedule",
    properties: {
      ...Object.fromEntries([...SAME, ...TOLD].map((name) => [name, field(given, name)])),
      // SAM names it as the resource is called.
      Name: field(given, "Name") ?? id,
      FlexibleTimeWindow: field(given, "FlexibleTimeWindow") ?? { Mode: "OFF" },
      Target: {
        Arn: functionArn,
        RoleArn: own ?? call(line, "Fn::GetAtt", [`${id}Role`, "Arn"]),
        Input: field(given, "Input"),
        RetryPolicy: field(given, "RetryPolicy"),
        DeadLetterConfig: field(given, "DeadLetterConfig"),
      },
    },
  });
}

function roleOf(functionArn: Node, dead: Node | undefined): Readonly<Record<string, Plain>> {
  const may = (Action: string, Resource: Node) => ({ Action, Effect: "Allow", Resource });
  const Statement = [may("lambda:InvokeFunction", functionArn), ...(dead ? [may("sqs:SendMessage", dead)] : [])];
  return {
    AssumeRolePolicyDocument: {
      Version: "2012-10-17",
      Statement: [{ Action: ["sts:AssumeRole"], Effect: "Allow", Principal: { Service: ["scheduler.amazonaws.com"] } }],
    },
    Policies: [{ PolicyName: "InvokePolicy", PolicyDocument: { Version: "2012-10-17", Statement } as Plain }],
    Tags: [CREATED_BY],
  };
}
