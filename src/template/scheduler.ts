// AWS::Scheduler::Schedule and AWS::Scheduler::ScheduleGroup.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Scheduler.html
import { defineKind, goneTags, type Place, type Subject, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const MISSING = "ResourceNotFoundException";

const target = record(
  {
    Arn: "text",
    RoleArn: "text",
    Input: "text",
    DeadLetterConfig: record({ Arn: "text" }),
    RetryPolicy: record({ MaximumEventAgeInSeconds: "number", MaximumRetryAttempts: "number" }),
    SqsParameters: record({ MessageGroupId: "text" }),
    EventBridgeParameters: record({ DetailType: "text", Source: "text" }, ["DetailType", "Source"]),
  },
  ["Arn", "RoleArn"],
);
const scheduleShape = record(
  {
    Name: "text",
    GroupName: "text",
    Description: "text",
    ScheduleExpression: "text",
    ScheduleExpressionTimezone: "text",
    FlexibleTimeWindow: record({ Mode: "text", MaximumWindowInMinutes: "number" }, ["Mode"]),
    StartDate: "text",
    EndDate: "text",
    State: "text",
    KmsKeyArn: "text",
    Target: target,
  },
  ["FlexibleTimeWindow", "ScheduleExpression", "Target"],
);
type Schedule = Subject<Value<typeof scheduleShape>>;

export const schedule = defineKind<typeof scheduleShape>({
  shape: scheduleShape,
  named: "Name",
  longestName: 64,
  fixed: ["GroupName"],
  identify: (name, { account, region }, property) => ({
    ref: name,
    attributes: {
      Arn: `arn:aws:scheduler:${region}:${account}:schedule/${property("GroupName") ?? "default"}/${name}`,
    },
  }),
  exists: async (call, subject) =>
    (await unless(call("scheduler", "GetSchedule", keyOf(subject)), MISSING)) !== undefined,
  async create(call, subject) {
    await call("scheduler", "CreateSchedule", inputOf(subject));
  },
  async update(call, subject) {
    await call("scheduler", "UpdateSchedule", inputOf(subject));
  },
  async remove(call, subject) {
    await unless(call("scheduler", "DeleteSchedule", keyOf(subject)), MISSING);
    return true;
  },
});

const keyOf = ({ name, properties: { GroupName } }: Schedule) => ({
  Name: name,
  ...(GroupName !== undefined && { GroupName }),
});

const inputOf = ({ name, properties }: Schedule) => {
  const { StartDate, EndDate, State, FlexibleTimeWindow, Name: _, ...given } = properties;
  return {
    ...given,
    Name: name,
    FlexibleTimeWindow: FlexibleTimeWindow as { Mode: "OFF" | "FLEXIBLE" },
    ...(State !== undefined && { State: State as "ENABLED" }),
    ...(StartDate !== undefined && { StartDate: new Date(StartDate) }),
    ...(EndDate !== undefined && { EndDate: new Date(EndDate) }),
  };
};

const groupShape = record({ Name: "text", Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])) });

const groupArn = (name: string, { account, region }: Place): string =>
  `arn:aws:scheduler:${region}:${account}:schedule-group/${name}`;

/** It goes with its schedules, as on AWS. */
export const scheduleGroup = defineKind<typeof groupShape>({
  shape: groupShape,
  named: "Name",
  longestName: 64,
  fixed: [],
  identify: (name, place) => ({ ref: name, attributes: { Arn: groupArn(name, place), State: "ACTIVE" } }),
  exists: async (call, { name }) =>
    (await unless(call("scheduler", "GetScheduleGroup", { Name: name }), MISSING)) !== undefined,
  async create(call, { name, properties: { Tags } }) {
    await call("scheduler", "CreateScheduleGroup", { Name: name, ...(Tags?.length && { Tags }) });
  },
  async update(call, { name, properties: { Tags } }, place, before) {
    const ResourceArn = groupArn(name, place);
    const gone = goneTags(before?.properties.Tags, Tags);
    if (gone.length > 0) await call("scheduler", "UntagResource", { ResourceArn, TagKeys: gone });
    if (Tags?.length) await call("scheduler", "TagResource", { ResourceArn, Tags });
  },
  async remove(call, { name }) {
    await unless(call("scheduler", "DeleteScheduleGroup", { Name: name }), MISSING);
    return true;
  },
});
