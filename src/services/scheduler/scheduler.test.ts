import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  type CreateScheduleCommandInput,
  CreateScheduleGroupCommand,
  DeleteScheduleCommand,
  DeleteScheduleGroupCommand,
  GetScheduleCommand,
  GetScheduleGroupCommand,
  ListScheduleGroupsCommand,
  ListSchedulesCommand,
  ListTagsForResourceCommand,
  SchedulerClient,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateScheduleCommand,
} from "@aws-sdk/client-scheduler";
import { GetQueueUrlCommand, SQSClient } from "@aws-sdk/client-sqs";
import { allow, policy, refusal, trust, userWith } from "../../../test/principals.ts";
import {
  ACCOUNT,
  bodies,
  GROUP,
  MINUTE,
  QUEUE,
  ROLE,
  received,
  role,
  schedule,
  startCloudAtNoon,
} from "../../../test/schedules.ts";

test("Schedules are created, read, changed, listed by page and deleted", async () => {
  await using it = await startCloudAtNoon();
  const { scheduler } = it;
  const made = await scheduler.send(schedule("one", "rate(5 minutes)", { State: "DISABLED", Description: "first" }));
  const arn = `arn:aws:scheduler:us-east-1:${ACCOUNT}:schedule/default/one`;
  assert.equal(made.ScheduleArn, arn);
  const { $metadata: _, ...found } = await scheduler.send(new GetScheduleCommand({ Name: "one" }));
  const noon = new Date("2027-01-10T12:00:00Z");
  assert.deepEqual(found, {
    ActionAfterCompletion: "NONE",
    Arn: arn,
    CreationDate: noon,
    Description: "first",
    FlexibleTimeWindow: { Mode: "OFF" },
    GroupName: "default",
    LastModificationDate: noon,
    Name: "one",
    ScheduleExpression: "rate(5 minutes)",
    ScheduleExpressionTimezone: "UTC",
    State: "DISABLED",
    Target: {
      Arn: QUEUE,
      Input: "one",
      RetryPolicy: { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 },
      RoleArn: ROLE,
    },
  });
  const dates = { StartDate: new Date("2027-02-01T00:00:00Z"), EndDate: new Date("2027-03-01T00:00:00Z") };
  const other = schedule("one", "cron(0 8 * * ? *)", { ScheduleExpressionTimezone: "Europe/Berlin", ...dates });
  await scheduler.send(new UpdateScheduleCommand(other.input));
  const after = await scheduler.send(new GetScheduleCommand({ Name: "one" }));
  assert.equal(after.ScheduleExpressionTimezone, "Europe/Berlin");
  assert.deepEqual([after.StartDate, after.EndDate], [dates.StartDate, dates.EndDate]);
  assert.equal(after.State, "ENABLED", "what is not said is as if it had never been");
  assert.equal(after.Description, undefined);

  await scheduler.send(new CreateScheduleGroupCommand({ Name: "g" }));
  for (const Name of ["a", "two"]) await scheduler.send(schedule(Name, "rate(1 day)", { GroupName: "g" }));
  const list = async (input: object) => {
    const { Schedules = [], NextToken } = await scheduler.send(new ListSchedulesCommand(input));
    return { names: Schedules.map(({ GroupName, Name }) => `${GroupName}/${Name}`), NextToken };
  };
  assert.deepEqual((await list({})).names, ["default/one", "g/a", "g/two"]);
  assert.deepEqual((await list({ GroupName: "g" })).names, ["g/a", "g/two"]);
  assert.deepEqual((await list({ NamePrefix: "t" })).names, ["g/two"]);
  assert.deepEqual((await list({ State: "DISABLED" })).names, []);
  const first = await list({ MaxResults: 2 });
  assert.deepEqual(first.names, ["default/one", "g/a"]);
  assert.deepEqual(await list({ MaxResults: 2, NextToken: first.NextToken }), {
    names: ["g/two"],
    NextToken: undefined,
  });

  await scheduler.send(new DeleteScheduleCommand({ Name: "one" }));
  const gone = "ResourceNotFoundException 404 Schedule one does not exist.";
  assert.equal(await refusal(scheduler.send(new GetScheduleCommand({ Name: "one" }))), gone);
  assert.equal(await refusal(scheduler.send(new DeleteScheduleCommand({ Name: "one" }))), gone);
  assert.equal(await refusal(scheduler.send(new UpdateScheduleCommand(other.input))), gone);
});

test("Groups hold schedules, have tags, and take their schedules with them", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const Tags = [{ Key: "team", Value: "a" }];
  const { ScheduleGroupArn } = await scheduler.send(
    new CreateScheduleGroupCommand({ Name: "g", Tags, ClientToken: "t" }),
  );
  assert.equal(ScheduleGroupArn, GROUP.replace("default", "g"));
  await scheduler.send(new CreateScheduleGroupCommand({ Name: "g", Tags, ClientToken: "t" }));
  assert.equal(
    await refusal(scheduler.send(new CreateScheduleGroupCommand({ Name: "g" }))),
    "ConflictException 409 Schedule group g already exists.",
  );
  const list = async (input: object) =>
    (await scheduler.send(new ListScheduleGroupsCommand(input))).ScheduleGroups!.map(
      ({ Name, State }) => `${Name} ${State}`,
    );
  assert.deepEqual(await list({}), ["default ACTIVE", "g ACTIVE"]);
  assert.deepEqual(await list({ NamePrefix: "g" }), ["g ACTIVE"]);
  const page = await scheduler.send(new ListScheduleGroupsCommand({ MaxResults: 1 }));
  assert.deepEqual(await list({ NextToken: page.NextToken }), ["g ACTIVE"]);
  assert.equal((await scheduler.send(new GetScheduleGroupCommand({ Name: "default" }))).Arn, GROUP);

  const ResourceArn = ScheduleGroupArn!;
  await scheduler.send(new TagResourceCommand({ ResourceArn, Tags: [{ Key: "cost", Value: "b" }] }));
  await scheduler.send(new UntagResourceCommand({ ResourceArn, TagKeys: ["team"] }));
  const tags = await scheduler.send(new ListTagsForResourceCommand({ ResourceArn }));
  assert.deepEqual(tags.Tags, [{ Key: "cost", Value: "b" }]);
  const none = new ListTagsForResourceCommand({ ResourceArn: GROUP.replace("default", "none") });
  assert.equal(
    await refusal(scheduler.send(none)),
    "ResourceNotFoundException 404 Schedule group none does not exist.",
  );
  const many = Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: "v" }));
  assert.match(
    await refusal(scheduler.send(new TagResourceCommand({ ResourceArn, Tags: many }))),
    /^ValidationException/,
  );

  await scheduler.send(schedule("s", "rate(1 minute)", { GroupName: "g" }));
  await cloud.settle();
  await scheduler.send(new DeleteScheduleGroupCommand({ Name: "g" }));
  await cloud.advance(5 * MINUTE);
  assert.deepEqual(await bodies(cloud), ["s"], "nothing more is due");
  for (const command of [
    schedule("s", "rate(1 minute)", { GroupName: "g" }),
    new ListSchedulesCommand({ GroupName: "g" }),
    new GetScheduleGroupCommand({ Name: "g" }),
    new DeleteScheduleGroupCommand({ Name: "g" }),
  ])
    assert.equal(
      await refusal(scheduler.send(command as GetScheduleGroupCommand)),
      "ResourceNotFoundException 404 Schedule group g does not exist.",
    );
  assert.match(
    await refusal(scheduler.send(new DeleteScheduleGroupCommand({ Name: "default" }))),
    /^ValidationException 400/,
  );
});

/** Recorded on AWS. */
const NO_EXPRESSIONS = [
  "cron(0 1 * * * *)",
  "rate(10 seconds)",
  "rate( 10 minutes )",
  "at(2021-12-31)",
  "at(2021-12-31T23:59:59Z)",
  "5 minutes",
];

/** Some words are ours, where AWS's are not recorded. */
const REFUSED: readonly [
  what: Partial<CreateScheduleCommandInput> & { target?: object },
  expression: string,
  refused: RegExp,
][] = [
  [{ ScheduleExpressionTimezone: "Mars/Olympus" }, "rate(1 day)", /^ValidationException 400 .*Mars\/Olympus/],
  [{ StartDate: new Date("2027-01-10T11:54:00Z") }, "rate(1 day)", /cannot be earlier than 5 minutes ago\.$/],
  [{ EndDate: new Date("2027-01-10T11:54:00Z") }, "rate(1 day)", /EndDate/],
  [{ StartDate: new Date("2027-02-10"), EndDate: new Date("2027-02-09") }, "rate(1 day)", /later than the StartDate/],
  [{ FlexibleTimeWindow: { Mode: "FLEXIBLE" } }, "rate(1 day)", /^ValidationException 400 MaximumWindowInMinutes/],
  [
    { FlexibleTimeWindow: { Mode: "OFF", MaximumWindowInMinutes: 5 } },
    "rate(1 day)",
    /^ValidationException 400 MaximumWindow/,
  ],
  [{ target: { Arn: "nothing" } }, "rate(1 day)", /^ValidationException 400 Provided Arn is not in correct format\.$/],
  [
    { target: { Arn: "arn:aws:sns:us-east-1:000000000000:a:b" } },
    "rate(1 day)",
    /^ValidationException 400 Provided Arn/,
  ],
  [
    { target: { Arn: `arn:aws:lambda:us-east-1:${ACCOUNT}:function:f`, Input: "no json" } },
    "rate(1 day)",
    /^ValidationException 400 .*JSON/,
  ],
  [
    { target: { Arn: `arn:aws:events:us-east-1:${ACCOUNT}:event-bus/b`, Input: "{}" } },
    "rate(1 day)",
    /EventBridgeParameters/,
  ],
  [{ target: { Arn: `${QUEUE}.fifo` } }, "rate(1 day)", /^ValidationException 400 SqsParameters/],
  [
    { target: { KinesisParameters: { PartitionKey: "k" } } },
    "rate(1 day)",
    /^ValidationException 400 KinesisParameters/,
  ],
  [
    { target: { Arn: `arn:aws:states:us-east-1:${ACCOUNT}:stateMachine:m` } },
    "rate(1 day)",
    /^NotImplemented 501 .*states/,
  ],
  [
    { target: { Arn: "arn:aws:scheduler:::aws-sdk:sqs:receiveMessage", Input: "{}" } },
    "rate(1 day)",
    /^ValidationException 400 .*only reads/,
  ],
  [
    { target: { Arn: "arn:aws:scheduler:::aws-sdk:ec2:startInstances", Input: "{}" } },
    "rate(1 day)",
    /^NotImplemented 501 .*ec2:startInstances/,
  ],
  [{ target: { Arn: "arn:aws:scheduler:::aws-sdk:s3:putObject", Input: "{}" } }, "rate(1 day)", /^NotImplemented 501/],
  [
    { target: { Arn: "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", Input: "[]" } },
    "rate(1 day)",
    /^ValidationException 400/,
  ],
  [
    { target: { RoleArn: `arn:aws:iam::${ACCOUNT}:role/none` } },
    "rate(1 day)",
    /^ValidationException 400 The execution role you provide must allow AWS EventBridge Scheduler to assume the role\.$/,
  ],
  [
    { target: { RoleArn: `arn:aws:iam::${ACCOUNT}:role/lambdas` } },
    "rate(1 day)",
    /must allow AWS EventBridge Scheduler to assume the role\.$/,
  ],
  [
    { target: { DeadLetterConfig: { Arn: `${QUEUE}.fifo` } } },
    "rate(1 day)",
    /^ValidationException 400 .*deadLetterConfig\.arn/,
  ],
];
// What follows moves no clock: one cloud does for all of it.
const still = await startCloudAtNoon();
after(() => still[Symbol.asyncDispose]());

test("CreateSchedule refuses what AWS refuses, and what we have not", async () => {
  const { cloud, scheduler } = still;
  const AssumeRolePolicyDocument = trust({ Service: "lambda.amazonaws.com" });
  await cloud.client(IAMClient).send(new CreateRoleCommand({ RoleName: "lambdas", AssumeRolePolicyDocument }));
  for (const expression of NO_EXPRESSIONS)
    assert.equal(
      await refusal(scheduler.send(schedule("s", expression))),
      `ValidationException 400 Invalid Schedule Expression ${expression}.`,
    );
  for (const [what, expression, refused] of REFUSED)
    assert.match(await refusal(scheduler.send(schedule("s", expression, what))), refused, JSON.stringify(what));
  assert.deepEqual((await scheduler.send(new ListSchedulesCommand({}))).Schedules, []);
});

test("A ClientToken makes CreateSchedule the same request; without it the name is taken", async () => {
  const { scheduler } = still;
  await scheduler.send(schedule("s", "rate(1 day)", { ClientToken: "token" }));
  await scheduler.send(schedule("s", "rate(1 day)", { ClientToken: "token" }));
  const taken = "ConflictException 409 Schedule s already exists.";
  assert.equal(await refusal(scheduler.send(schedule("s", "rate(1 day)", { ClientToken: "other" }))), taken);
  assert.equal(await refusal(scheduler.send(schedule("s", "rate(2 days)", { ClientToken: "token" }))), taken);
});

test("Who makes a schedule needs scheduler:CreateSchedule on it, and iam:PassRole", async () => {
  const { cloud } = still;
  const none = cloud.client(SchedulerClient, await userWith(cloud, "none"));
  assert.match(
    await refusal(none.send(schedule("mine", "rate(1 day)"))),
    /^AccessDeniedException 403 .*scheduler:CreateSchedule on resource: arn:aws:scheduler:us-east-1:000000000000:schedule\/default\/mine/,
  );
  const may = policy(allow("scheduler:*"));
  const half = cloud.client(SchedulerClient, await userWith(cloud, "half", { may }));
  assert.match(await refusal(half.send(schedule("mine", "rate(1 day)"))), /^AccessDeniedException 403 .*iam:PassRole/);
  const passing = policy(
    allow("scheduler:CreateSchedule"),
    allow("iam:PassRole", { Condition: { StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } } }),
  );
  const full = cloud.client(SchedulerClient, await userWith(cloud, "full", { may: passing }));
  await full.send(schedule("mine", "rate(1 day)"));
});

test("A rate is due at once, then in step; changed, it begins anew; disabled, it is not", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const rate = schedule("r", "rate(10 minutes)");
  await scheduler.send(rate);
  await cloud.settle();
  assert.deepEqual(await bodies(cloud), ["r"]);
  await cloud.advance(25 * MINUTE);
  assert.deepEqual(await bodies(cloud), ["r", "r"]);
  const target = { ...rate.input.Target!, Input: "other" };
  await scheduler.send(new UpdateScheduleCommand({ ...rate.input, Target: target }));
  await cloud.advance(4 * MINUTE);
  assert.deepEqual(await bodies(cloud), [], "another target puts nothing off and brings nothing forward");
  await cloud.advance(MINUTE);
  assert.deepEqual(await bodies(cloud), ["other"]);
  await scheduler.send(new UpdateScheduleCommand({ ...rate.input, State: "DISABLED" }));
  await cloud.advance(30 * MINUTE);
  assert.deepEqual(await bodies(cloud), []);
});

test("Start and end bound a schedule; completed, it stays or is deleted", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const at = (time: string) => new Date(`2027-01-10T${time}Z`);
  const bounds = { StartDate: at("13:00:00"), EndDate: at("13:20:00") };
  await scheduler.send(schedule("rate", "rate(10 minutes)", { ...bounds, ActionAfterCompletion: "DELETE" }));
  await scheduler.send(schedule("cron", "cron(0/20 * * * ? *)", bounds));
  await scheduler.send(
    schedule("once", "at(2027-01-10T14:30:00)", {
      ScheduleExpressionTimezone: "Europe/Berlin",
      ActionAfterCompletion: "DELETE",
    }),
  );
  await scheduler.send(schedule("past", "at(2026-01-10T14:30:00)", { ActionAfterCompletion: "DELETE" }));
  await cloud.advance(59 * MINUTE);
  assert.deepEqual(await bodies(cloud), []);
  await cloud.advance(MINUTE);
  assert.deepEqual((await bodies(cloud)).sort(), ["cron", "rate"]);
  await cloud.advance(20 * MINUTE);
  assert.deepEqual((await bodies(cloud)).sort(), ["cron", "rate", "rate"]);
  await cloud.advance(10 * MINUTE);
  assert.deepEqual(await bodies(cloud), ["once"]);
  await cloud.advance(10 * 60 * MINUTE);
  assert.deepEqual(await bodies(cloud), []);
  const { Schedules } = await scheduler.send(new ListSchedulesCommand({}));
  assert.deepEqual(
    Schedules!.map(({ Name }) => Name),
    ["cron", "past"],
  );
});

test("A flexible window moves each invocation somewhere within it, and the scheduled time stays", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const window = { FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 30 } } as const;
  const target = { Input: "<aws.scheduler.scheduled-time>" };
  for (let i = 0; i < 12; i++)
    await scheduler.send(schedule(`f${i}`, "at(2027-01-10T13:00:00)", { ...window, target }));
  await cloud.advance(60 * MINUTE);
  const early = (await bodies(cloud)).length;
  await cloud.advance(15 * MINUTE);
  const half = await bodies(cloud);
  await cloud.advance(15 * MINUTE);
  const rest = await bodies(cloud);
  assert.equal(early + half.length + rest.length, 12);
  assert.ok(half.length > 0 && rest.length > 0, `${early}, ${half.length}, ${rest.length}`);
  assert.deepEqual([...new Set([...half, ...rest])], ["2027-01-10T13:00:00Z"]);

  const bounds = { StartDate: new Date("2027-01-10T14:00:00Z"), EndDate: new Date("2027-01-10T14:50:00Z") };
  await scheduler.send(schedule("often", "rate(10 minutes)", { ...window, ...bounds, target }));
  await cloud.advance(90 * MINUTE);
  const times = ["00", "10", "20", "30", "40", "50"].map((minute) => `2027-01-10T14:${minute}:00Z`);
  assert.deepEqual((await bodies(cloud)).sort(), times, "windows that lie over one another lose nothing");
});

test("Context attributes say what is invoked, when and how often it was tried", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const Input =
    "<aws.scheduler.schedule-arn>|<aws.scheduler.scheduled-time>|<aws.scheduler.execution-id>|<aws.scheduler.attempt-number>|<aws.scheduler.other>";
  await scheduler.send(schedule("s", "at(2027-01-10T12:01:00)", { target: { Input } }));
  await scheduler.send(schedule("none", "at(2027-01-10T12:02:00)", { target: { Input: undefined } }));
  await cloud.advance(2 * MINUTE);
  const [given, notice] = await bodies(cloud);
  const arn = `arn:aws:scheduler:us-east-1:${ACCOUNT}:schedule/default`;
  assert.match(given!, new RegExp(`^${arn}/s\\|2027-01-10T12:01:00Z\\|[0-9a-f]{16}\\|1\\|<aws.scheduler.other>$`));
  const { id, ...event } = JSON.parse(notice!) as { id: string };
  assert.match(id, /^[0-9a-f]{16}$/);
  assert.deepEqual(event, {
    version: "0",
    "detail-type": "Scheduled Event",
    source: "aws.scheduler",
    account: ACCOUNT,
    time: "2027-01-10T12:02:00Z",
    region: "us-east-1",
    resources: [`${arn}/none`],
    detail: "{}",
  });
});

test("A universal target calls an operation under the role", async () => {
  await using it = await startCloudAtNoon({ may: allow(["sqs:CreateQueue", "sqs:SendMessage"]) });
  const { cloud, scheduler } = it;
  const universal = (Name: string, action: string, input: object) =>
    schedule(Name, "at(2027-01-10T12:01:00)", {
      target: {
        Arn: `arn:aws:scheduler:::aws-sdk:${action}`,
        Input: JSON.stringify(input),
        DeadLetterConfig: { Arn: QUEUE },
        RetryPolicy: { MaximumRetryAttempts: 0 },
      },
    });
  await scheduler.send(universal("make", "sqs:createQueue", { QueueName: "made", Attributes: { DelaySeconds: "0" } }));
  await scheduler.send(
    universal("unknown", "sqs:sendMessage", { QueueUrl: "http://q/000000000000/none", MessageBody: "x" }),
  );
  await scheduler.send(universal("wrong", "sqs:createQueue", { QueueName: 5 }));
  await scheduler.send(universal("denied", "dynamodb:deleteTable", { TableName: "things" }));
  await cloud.advance(MINUTE);
  await cloud.client(SQSClient).send(new GetQueueUrlCommand({ QueueName: "made" }));
  const dead = (await received(cloud)).map(({ MessageAttributes: a, Body }) => ({
    schedule: a!.SCHEDULE_ARN!.StringValue!.split("/").at(-1),
    code: a!.ERROR_CODE!.StringValue,
    condition: a!.EXHAUSTED_RETRY_CONDITION?.StringValue,
    Body,
  }));
  assert.deepEqual(
    dead
      .sort((x, y) => x.schedule!.localeCompare(y.schedule!))
      .map(({ schedule, code, condition }) => [schedule, code, condition]),
    [
      ["denied", "AccessDeniedException", undefined],
      ["unknown", "QueueDoesNotExist", undefined],
      ["wrong", "SerializationException", undefined],
    ],
  );
  assert.equal(dead.find(({ schedule }) => schedule === "denied")!.Body, '{"TableName":"things"}');
});

test("A refusal is a dead letter at once, by the role, with what AWS says of it", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const Arn = QUEUE.replace(/q$/, "none");
  await scheduler.send(schedule("s", "at(2027-01-10T12:01:00)", { target: { Arn, DeadLetterConfig: { Arn: QUEUE } } }));
  await scheduler.send(schedule("lost", "at(2027-01-10T12:01:00)", { target: { Arn } }));
  await cloud.advance(MINUTE);
  const [letter, ...more] = await received(cloud);
  assert.equal(more.length, 0);
  assert.equal(letter!.Body, "s");
  const attributes = Object.fromEntries(
    Object.entries(letter!.MessageAttributes!).map(([name, { StringValue }]) => [name, StringValue]),
  );
  const { EXECUTION_ID, ERROR_MESSAGE, ...rest } = attributes;
  assert.match(EXECUTION_ID!, /^[0-9a-f]{16}$/);
  assert.match(ERROR_MESSAGE!, /queue/);
  assert.deepEqual(rest, {
    ERROR_CODE: "QueueDoesNotExist",
    IS_PAYLOAD_TRUNCATED: "false",
    RETRY_ATTEMPTS: "0",
    SCHEDULED_TIME: "2027-01-10T12:01:00Z",
    SCHEDULE_ARN: `arn:aws:scheduler:us-east-1:${ACCOUNT}:schedule/default/s`,
    TARGET_ARN: Arn,
  });
});

test("A role may ask for the schedule's group; its trust is asked again at each invocation", async () => {
  await using it = await startCloudAtNoon();
  const { cloud, scheduler } = it;
  const condition = (arn: string) => ({
    Condition: { StringEquals: { "aws:SourceArn": arn, "aws:SourceAccount": ACCOUNT } },
  });
  await role(cloud, "group", allow("sqs:*"), condition(GROUP));
  await role(cloud, "other", allow("sqs:*"), condition(GROUP.replace("default", "other")));
  await role(cloud, "weak", allow("sqs:ReceiveMessage"));
  const as = (name: string) => ({ target: { RoleArn: ROLE.replace(/sched$/, name) } });
  await scheduler.send(schedule("s", "at(2027-01-10T12:01:00)", as("group")));
  await scheduler.send(schedule("weak", "at(2027-01-10T12:01:00)", as("weak")));
  assert.match(
    await refusal(scheduler.send(schedule("t", "rate(1 day)", as("other")))),
    /must allow AWS EventBridge Scheduler/,
  );
  await cloud.advance(MINUTE);
  assert.deepEqual(await bodies(cloud), ["s"], "weak may not send");
});
