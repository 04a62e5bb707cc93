import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { EventBridge, type PutRuleCommandInput, type Target } from "@aws-sdk/client-eventbridge";
import { AddPermissionCommand } from "@aws-sdk/client-lambda";
import { type Message, SQS } from "@aws-sdk/client-sqs";
import { sink as queueOf } from "../../../test/bus.ts";
import { startCloud } from "../../../test/cloud.ts";
import { arnOf, startCloudWithRole } from "../../../test/lambda.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const events = cloud.client(EventBridge);
const sqs = cloud.client(SQS);
const MINUTE = 60_000;
await cloud.aws.clock({ freeze: Date.parse("2026-11-22T10:00:30.500Z") });

const RULE = "arn:aws:events:us-east-1:000000000000:rule/";
const QUEUE = "arn:aws:sqs:us-east-1:000000000000:";
let made = 0;

const sink = (name: string, attributes: Record<string, string> = {}) => queueOf(cloud, name, attributes);

async function rule(input: Partial<PutRuleCommandInput>, ...Targets: Target[]): Promise<string> {
  const Name = `r${made++}`;
  await events.putRule({ Name, ScheduleExpression: "rate(1 minute)", ...input });
  if (Targets.length > 0) await events.putTargets({ Rule: Name, Targets });
  return Name;
}

async function end(Name: string): Promise<void> {
  const { Targets = [] } = await events.listTargetsByRule({ Rule: Name });
  if (Targets.length > 0) await events.removeTargets({ Rule: Name, Ids: Targets.map(({ Id }) => Id!) });
  await events.deleteRule({ Name });
}

const times = (messages: Message[]) => messages.map(({ Body }) => JSON.parse(Body!).time);

test("A rule at a rate sends its target a Scheduled Event, period after period", async () => {
  const received = await sink("rate");
  const name = await rule({ ScheduleExpression: "rate(5 minutes)" }, { Id: "t", Arn: `${QUEUE}rate` });
  await cloud.advance(5 * MINUTE - 1);
  assert.deepEqual(await received(), []);
  await cloud.advance(1);
  const [message] = await received();
  const { id, ...event } = JSON.parse(message!.Body!);
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(event, {
    version: "0",
    "detail-type": "Scheduled Event",
    source: "aws.events",
    account: "000000000000",
    time: "2026-11-22T10:05:30Z",
    region: "us-east-1",
    resources: [`${RULE}${name}`],
    detail: {},
  });
  await cloud.advance(15 * MINUTE);
  assert.deepEqual(times(await received()), ["2026-11-22T10:10:30Z", "2026-11-22T10:15:30Z", "2026-11-22T10:20:30Z"]);
  await end(name);
  await cloud.advance(10 * MINUTE);
  assert.deepEqual(await received(), []);
});

test("A cron rule is due on the minute, in UTC, for each of its targets", async () => {
  const received = await sink("cron");
  const fifo = await sink("cron.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  await cloud.aws.clock({ freeze: Date.parse("2026-11-23T07:00:10Z") });
  const name = await rule(
    { ScheduleExpression: "cron(0/30 8 ? * MON-FRI *)" },
    { Id: "a", Arn: `${QUEUE}cron` },
    { Id: "b", Arn: `${QUEUE}cron`, Input: '{"constant":1}' },
    { Id: "c", Arn: `${QUEUE}cron.fifo`, SqsParameters: { MessageGroupId: "g" } },
  );
  await cloud.advance(90 * MINUTE);
  const bodies = (await received()).map(({ Body }) => JSON.parse(Body!));
  assert.deepEqual(bodies.flatMap((body) => body.time ?? []).sort(), ["2026-11-23T08:00:00Z", "2026-11-23T08:30:00Z"]);
  assert.equal(bodies.filter(({ constant }) => constant === 1).length, 2);
  const grouped = await fifo();
  assert.deepEqual(
    grouped.map(({ Attributes }) => Attributes!.MessageGroupId),
    ["g", "g"],
  );
  await end(name);
});

test("A disabled rule is not due, an enabled one begins anew", async () => {
  const received = await sink("switched");
  const name = await rule({ State: "DISABLED" }, { Id: "t", Arn: `${QUEUE}switched` });
  await cloud.advance(2 * MINUTE);
  assert.deepEqual(await received(), []);
  await events.enableRule({ Name: name });
  await cloud.advance(MINUTE);
  assert.equal((await received()).length, 1);
  await events.disableRule({ Name: name });
  assert.equal((await events.describeRule({ Name: name })).State, "DISABLED");
  await cloud.advance(2 * MINUTE);
  assert.deepEqual(await received(), []);
  await end(name);
});

test("PutRule with another schedule plans anew; the same again puts nothing off", async () => {
  const received = await sink("again");
  const name = await rule({ ScheduleExpression: "rate(2 minutes)" }, { Id: "t", Arn: `${QUEUE}again` });
  await cloud.advance(MINUTE);
  await events.putRule({ Name: name, ScheduleExpression: "rate(2 minutes)", Description: "said again" });
  await cloud.advance(MINUTE);
  assert.equal((await received()).length, 1);
  await events.putRule({ Name: name, ScheduleExpression: "rate(1 hour)" });
  await cloud.advance(59 * MINUTE);
  assert.deepEqual(await received(), []);
  await cloud.advance(MINUTE);
  assert.equal((await received()).length, 1);
  await end(name);
});

test("What a target refuses goes to its dead-letter queue at once, and says why", async () => {
  const dead = await sink("dead");
  await sqs.createQueue({ QueueName: "closed" }); // no policy: EventBridge may not send
  const DeadLetterConfig = { Arn: `${QUEUE}dead` };
  const name = await rule(
    {},
    { Id: "closed", Arn: `${QUEUE}closed`, DeadLetterConfig },
    { Id: "missing", Arn: `${QUEUE}missing`, Input: "{}", DeadLetterConfig },
    { Id: "lost", Arn: `${QUEUE}closed` },
  );
  await cloud.advance(MINUTE);
  const letters = await dead();
  const told = letters.map(({ MessageAttributes }) => {
    const { TARGET_ARN, ERROR_CODE, RULE_ARN, RETRY_ATTEMPTS } = MessageAttributes!;
    return [TARGET_ARN, ERROR_CODE, RULE_ARN, RETRY_ATTEMPTS].map((attribute) => attribute!.StringValue);
  });
  assert.deepEqual(told.sort(), [
    [`${QUEUE}closed`, "NO_PERMISSIONS", `${RULE}${name}`, "0"],
    // A queue that is not there has no policy that could let anyone in.
    [`${QUEUE}missing`, "NO_PERMISSIONS", `${RULE}${name}`, "0"],
  ]);
  await end(name);
});

test("A function is invoked by EventBridge, when its policy lets it", async () => {
  await using own = await startCloudWithRole();
  await own.createBash("tick", 'echo "got $1" >&2');
  const bridge = own.client(EventBridge);
  await own.lambda.send(
    new AddPermissionCommand({
      FunctionName: "tick",
      StatementId: "events",
      Action: "lambda:InvokeFunction",
      Principal: "events.amazonaws.com",
      SourceArn: `${RULE}every-minute`,
    }),
  );
  for (const Name of ["every-minute", "not-permitted"]) {
    await bridge.putRule({ Name, ScheduleExpression: "rate(1 minute)" });
    await bridge.putTargets({ Rule: Name, Targets: [{ Id: "f", Arn: arnOf("tick") }] });
  }
  await own.advance(MINUTE);
  const dir = join(own.aws.config.dir, "logs/lambda/tick");
  const text = (await Promise.all((await readdir(dir)).map((file) => readFile(join(dir, file), "utf8")))).join("");
  const got = [...text.matchAll(/ got (\{.*\})/g)].map(([, event]) => JSON.parse(event!).resources);
  assert.deepEqual(got, [[`${RULE}every-minute`]]);
});

test("Rules are described, listed by prefix and page, and found by their target", async () => {
  for (const name of ["list-a", "list-b", "list-c"])
    await events.putRule({
      Name: name,
      ScheduleExpression: "rate(7 days)",
      Description: "d",
      Tags: [{ Key: "k", Value: "v" }],
    });
  const described = { Name: "list-a", Arn: `${RULE}list-a`, State: "ENABLED", Description: "d" };
  const { $metadata: _, ...rule } = await events.describeRule({ Name: "list-a" });
  const expected = { ...described, ScheduleExpression: "rate(7 days)", EventBusName: "default" };
  assert.deepEqual(rule, { ...expected, CreatedBy: "000000000000" });
  const first = await events.listRules({ NamePrefix: "list-", Limit: 2 });
  assert.deepEqual(first.Rules![0], expected);
  const rest = await events.listRules({ NamePrefix: "list-", Limit: 2, NextToken: first.NextToken });
  assert.deepEqual([rest.Rules!.map(({ Name }) => Name), rest.NextToken], [["list-c"], undefined]);

  const Targets = ["1", "2", "3"].map((Id) => ({ Id, Arn: `${QUEUE}listed`, Input: "[]" }));
  await events.putTargets({ Rule: "list-b", Targets });
  const page = await events.listTargetsByRule({ Rule: "list-b", Limit: 2 });
  assert.deepEqual(page.Targets, Targets.slice(0, 2));
  const more = await events.listTargetsByRule({ Rule: "list-b", NextToken: page.NextToken });
  assert.deepEqual([more.Targets, more.NextToken], [Targets.slice(2), undefined]);
  assert.deepEqual((await events.listRuleNamesByTarget({ TargetArn: `${QUEUE}listed` })).RuleNames, ["list-b"]);
  await assert.rejects(events.deleteRule({ Name: "list-b" }), {
    name: "ValidationException",
    message: "Rule can't be deleted since it has targets.",
  });
});

test("Tags of a rule are added, replaced and taken away", async () => {
  const ResourceARN = `${RULE}${await rule({ Tags: [{ Key: "a", Value: "1" }] })}`;
  await events.tagResource({
    ResourceARN,
    Tags: [
      { Key: "a", Value: "2" },
      { Key: "b", Value: "" },
    ],
  });
  await events.untagResource({ ResourceARN, TagKeys: ["b"] });
  assert.deepEqual((await events.listTagsForResource({ ResourceARN })).Tags, [{ Key: "a", Value: "2" }]);
  await assert.rejects(events.listTagsForResource({ ResourceARN: `${RULE}nobody` }), {
    name: "ResourceNotFoundException",
    message: "Rule nobody does not exist on EventBus default.",
  });
});

const WRONG_RULES: [input: Partial<PutRuleCommandInput>, name: string, message: string | RegExp][] = [
  [
    { ScheduleExpression: undefined },
    "ValidationException",
    "Parameter(s) EventPattern or ScheduleExpression must be specified.",
  ],
  [{ ScheduleExpression: "rate(1 minutes)" }, "ValidationException", "Parameter ScheduleExpression is not valid."],
  [{ EventBusName: "other" }, "ValidationException", "ScheduleExpression is supported only on the default event bus."],
  [
    { EventBusName: "other", ScheduleExpression: undefined, EventPattern: '{"source":["a"]}' },
    "ResourceNotFoundException",
    "Event bus other does not exist.",
  ],
  [{ EventPattern: "nonsense" }, "InvalidEventPatternException", /^Event pattern is not valid\. Reason: /],
];
for (const [input, name, message] of WRONG_RULES)
  test(`PutRule refuses ${JSON.stringify(input)}`, async () => {
    await assert.rejects(rule(input), { name, message });
  });

const WRONG_TARGETS: [target: Partial<Target>, name: string, message: string][] = [
  [
    { Arn: "queue" },
    "ValidationException",
    "Parameter queue is not valid. Reason: Provided Arn is not in correct format.",
  ],
  [
    { Arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m" },
    "NotImplemented",
    "A target of states is not implemented by aws-like.",
  ],
  [
    { KinesisParameters: { PartitionKeyPath: "$.id" } },
    "NotImplemented",
    "Targets.KinesisParameters is not implemented by aws-like.",
  ],
  [
    { InputPath: "$.detail", Input: "{}" },
    "ValidationException",
    "Only one of Input, InputPath, or InputTransformer must be provided for target t.",
  ],
  [{ InputPath: "detail" }, "ValidationException", "Invalid InputPath for target t : detail"],
  [
    { InputTransformer: { InputPathsMap: { a: "$.id" }, InputTemplate: '{"x": <b>}' } },
    "ValidationException",
    "InputTemplate for target t contains invalid placeholder b.",
  ],
  [
    { InputTransformer: { InputPathsMap: { a: "$.id" }, InputTemplate: "id is <a>" } },
    "ValidationException",
    "Invalid InputTemplate for target t : id is <a>",
  ],
  [
    { Arn: "arn:aws:events:eu-west-1:000000000000:event-bus/default" },
    "ValidationException",
    "RoleArn is required for target arn:aws:events:eu-west-1:000000000000:event-bus/default.",
  ],
  [{ Input: "nonsense" }, "ValidationException", "JSON syntax error in input for target t : nonsense"],
  [{ Arn: `${QUEUE}q.fifo` }, "ValidationException", "Parameter(s) SqsParameters must be specified for target: t."],
];
for (const [target, name, message] of WRONG_TARGETS)
  test(`PutTargets refuses ${JSON.stringify(target)}`, async () => {
    const Rule = await rule({});
    await assert.rejects(events.putTargets({ Rule, Targets: [{ Id: "t", Arn: `${QUEUE}q`, ...target }] }), {
      name,
      message,
    });
    await end(Rule);
  });

test("A rule has five targets at most, and must be there to have any", async () => {
  const targets = Array.from({ length: 6 }, (_, n) => ({ Id: `${n}`, Arn: `${QUEUE}q` }));
  const Rule = await rule({});
  await assert.rejects(events.putTargets({ Rule, Targets: targets }), {
    name: "LimitExceededException",
    message: "The requested resource exceeds the maximum number allowed.",
  });
  assert.deepEqual((await events.listTargetsByRule({ Rule })).Targets, []);
  const missing = { name: "ResourceNotFoundException", message: "Rule nobody does not exist on EventBus default." };
  await assert.rejects(events.putTargets({ Rule: "nobody", Targets: targets.slice(1) }), missing);
  await assert.rejects(events.removeTargets({ Rule: "nobody", Ids: ["t"] }), missing);
  await assert.rejects(events.describeRule({ Name: "nobody" }), missing);
  await assert.rejects(events.enableRule({ Name: "nobody" }), missing);
});

test("A rule whose time could not be written again and again loses that time, not its schedule", async () => {
  const received = await sink("after-trouble");
  const name = await rule({ ScheduleExpression: "rate(10 minutes)" }, { Id: "1", Arn: `${QUEUE}after-trouble` });
  const rename = (from: string, to: string) =>
    cloud.aws.write((tx) => tx.run(`ALTER TABLE ${from} RENAME TO ${to}`, {}));
  await rename("events_target", "events_target_away");
  await cloud.advance(15 * MINUTE);
  await rename("events_target_away", "events_target");
  await cloud.advance(5 * MINUTE);
  assert.equal((await received()).length, 1);
  await end(name);
});
