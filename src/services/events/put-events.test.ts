import assert from "node:assert/strict";
import { after, test } from "node:test";
import { busArn, entry, eventsOf, listen, queueArn, ruleArn, sink } from "../../../test/bus.ts";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const events = eventsOf(cloud);
await cloud.aws.clock({ freeze: Date.parse("2026-11-22T10:00:30.500Z") });

const bodies = async (received: () => Promise<{ Body?: string | undefined }[]>) =>
  (await received()).map(({ Body }) => JSON.parse(Body!) as Record<string, unknown>);

test("An event comes to the targets of the rules that it meets, as AWS writes it", async () => {
  const received = await sink(cloud, "met");
  await listen(
    events,
    { Name: "met", EventPattern: { source: ["app"], detail: { n: [{ "anything-but": [1] }] } } },
    queueArn("met"),
  );
  const Entries = [
    entry({ n: 1 }),
    entry({ n: 2 }, { Resources: ["arn:aws:s3:::b"], Time: new Date("2026-11-01T00:00:00.9Z") }),
    entry('{"n": 12345678901234567890, "z": [ ]}'),
  ];
  const { Entries: answered, FailedEntryCount } = await events.putEvents({ Entries });
  assert.equal(FailedEntryCount, 0);
  const ids = answered!.map(({ EventId }) => EventId);
  // A standard queue promises no order.
  const got = await received();
  const [one, two] = ids.slice(1).map((id) => got.find(({ Body }) => Body!.includes(id!)));
  assert.deepEqual(JSON.parse(one!.Body!), {
    version: "0",
    id: ids[1],
    "detail-type": "t",
    source: "app",
    account: "000000000000",
    time: "2026-11-01T00:00:00Z",
    region: "us-east-1",
    resources: ["arn:aws:s3:::b"],
    detail: { n: 2 },
  });
  // What JavaScript would round is not rounded.
  assert.match(two!.Body!, /"time":"2026-11-22T10:00:30Z".*"detail":\{"n":12345678901234567890,"z":\[\]\}\}$/);
});

const REFUSED: [what: object, code: string, message: string][] = [
  [{ Source: undefined }, "InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."],
  [
    { DetailType: undefined },
    "InvalidArgument",
    "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
  ],
  [{ Detail: undefined }, "InvalidArgument", "Parameter Detail is not valid. Reason: Detail is a required argument."],
  [{ Detail: "text" }, "MalformedDetail", "Detail is malformed."],
  [{ Detail: '"text"' }, "MalformedDetail", "Detail is malformed."],
  [{ Detail: "[{}]" }, "MalformedDetail", "Detail is malformed."],
  [{ Detail: '{"a":' }, "MalformedDetail", "Detail is malformed."],
  [{ Source: "aws.s3" }, "NotAuthorizedForSourceException", "Not authorized for the source."],
];

test("PutEvents refuses each wrong entry by itself, and takes the others", async () => {
  const { Entries, FailedEntryCount } = await events.putEvents({
    Entries: [...REFUSED.map(([what]) => entry({}, what)), entry()],
  });
  assert.deepEqual(
    Entries!.slice(0, -1).map(({ ErrorCode, ErrorMessage }) => [ErrorCode, ErrorMessage]),
    REFUSED.map(([, code, message]) => [code, message]),
  );
  assert.equal(FailedEntryCount, REFUSED.length);
  assert.match(Entries!.at(-1)!.EventId!, /^[0-9a-f-]{36}$/);
});

test("PutEvents takes 10 entries and 1 MiB at most", async () => {
  const over = events.putEvents({ Entries: [entry({ x: "x".repeat(1024 * 1024) })] });
  assert.equal(
    await refusal(over),
    "ValidationException 400 Total size of the entries in the request is over the limit.",
  );
  const fits = await events.putEvents({ Entries: [entry({ x: "x".repeat(1024 * 1024 - 100) })] });
  assert.equal(fits.FailedEntryCount, 0);
  await assert.rejects(events.putEvents({ Entries: Array.from({ length: 11 }, () => entry()) }), {
    name: "ValidationException",
    message: /failed to satisfy constraint: Member must have length less than or equal to 10$/,
  });
});

test("An event for a bus that is not there is taken and lost, as on AWS", async () => {
  const { Entries } = await events.putEvents({ Entries: [entry({}, { EventBusName: "nowhere" })] });
  assert.ok(Entries![0]!.EventId);
});

test("A rule that is off, deleted or changed meets nothing any more", async () => {
  const received = await sink(cloud, "changing");
  const rule = { Name: "changing", EventPattern: { "detail-type": ["one"] } };
  const send = () => events.putEvents({ Entries: ["one", "two"].map((DetailType) => entry({}, { DetailType })) });
  const types = async () => (await bodies(received)).map((body) => body["detail-type"]);
  await listen(events, rule, queueArn("changing"));
  await send();
  assert.deepEqual(await types(), ["one"]);
  await listen(events, { ...rule, EventPattern: { "detail-type": ["two"] } });
  await send();
  assert.deepEqual(await types(), ["two"]);
  await events.disableRule({ Name: "changing" });
  await send();
  assert.deepEqual(await types(), []);
  await events.enableRule({ Name: "changing" });
  await events.removeTargets({ Rule: "changing", Ids: ["t0"] });
  await send();
  assert.deepEqual(await types(), []);
});

test("A target is given a part of the event, or what a template makes of it", async () => {
  const received = await sink(cloud, "shaped");
  const Arn = queueArn("shaped");
  const paths = {
    name: "$.detail.name",
    n: "$.detail.n",
    tags: "$.detail.tags",
    nowhere: "$.detail.nowhere",
    first: "$.detail.tags[0]",
  };
  const shaped = (InputTemplate: string, InputPathsMap: Record<string, string> = paths) => ({
    Arn,
    InputTransformer: { InputPathsMap, InputTemplate },
  });
  await listen(
    events,
    { Name: "shaped", EventPattern: { source: ["shaped"] } },
    { Arn, InputPath: "$.detail.tags" },
    shaped('{"who": <name>, "n": <n>, "tags": <tags>, "nowhere": <nowhere>, "text": "<name> has <n>: <tags>"}'),
    shaped('"<name> is\\"<first>\\""'),
    shaped('"rule <aws.events.rule-name>"\n"of <aws.events.rule-arn>, at <aws.events.event.ingestion-time>"', {}),
    shaped('{"e": <aws.events.event>, "all": <aws.events.event.json>}', {}),
  );
  const detail = { name: 'An "n"', n: 5, tags: ["x", "y"] };
  const { Entries } = await events.putEvents({ Entries: [entry(detail, { Source: "shaped" })] });
  const head = {
    version: "0",
    id: Entries![0]!.EventId,
    source: "shaped",
    account: "000000000000",
    time: "2026-11-22T10:00:30Z",
    region: "us-east-1",
    resources: [],
  };
  assert.deepEqual(
    (await received()).map(({ Body }) => Body!).sort(),
    [
      `"An \\"n\\" is\\"x\\""`,
      `"rule shaped"\n"of ${ruleArn("shaped")}, at 2026-11-22T10:00:30Z"`,
      `["x","y"]`,
      JSON.stringify({ e: { ...head, detailType: "t" }, all: { ...head, "detail-type": "t", detail } })
        .replace('"id"', '"id"')
        .replace('{"e":', '{"e": ')
        .replace(',"all":', ', "all": '),
      `{"who": "An \\"n\\"", "n": 5, "tags": ["x","y"], "nowhere": "", "text": "An \\"n\\" has 5: [x,y]"}`,
    ]
      .map((text) => (text.startsWith('{"e"') ? reordered(text) : text))
      .sort(),
  );
});

/** Members in the order of an event. */
const reordered = (text: string): string => {
  const { e, all } = JSON.parse(text) as { e: object; all: Record<string, unknown> };
  const order = ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"];
  const whole = Object.fromEntries(order.map((member) => [member, all[member]]));
  return `{"e": ${JSON.stringify(e)}, "all": ${JSON.stringify(whole)}}`;
};

test("PutEvents is decided for each entry, by its source, its detail type and its bus", async () => {
  const Condition = { StringEquals: { "events:source": "mine", "events:detail-type": ["a", "b"] } };
  const may = policy(allow("events:PutEvents", { Condition, Resource: busArn("default") }));
  const user = eventsOf(cloud, await userWith(cloud, "teller", { may }));
  const told = (DetailType: string, Source = "mine") => entry({}, { Source, DetailType });
  await user.putEvents({ Entries: [told("a"), told("b")] });
  assert.match(
    await refusal(user.putEvents({ Entries: [told("a"), told("c")] })),
    /^AccessDeniedException 400 .* events:PutEvents on resource: arn:aws:events:us-east-1:000000000000:event-bus\/default/,
  );
  assert.match(await refusal(user.putEvents({ Entries: [told("a", "theirs")] })), /^AccessDeniedException 400/);
});

test("TestEventPattern says whether an event meets a pattern", async () => {
  const Event = JSON.stringify({
    id: "1",
    account: "000000000000",
    source: "app",
    time: "2026-11-22T10:00:30Z",
    region: "us-east-1",
    resources: [],
    "detail-type": "t",
    detail: { a: "xyz" },
  });
  const asked = (pattern: object) => events.testEventPattern({ Event, EventPattern: JSON.stringify(pattern) });
  assert.equal((await asked({ detail: { a: [{ prefix: "x" }] } })).Result, true);
  assert.equal((await asked({ detail: { a: ["x"] } })).Result, false);
  assert.match(
    await refusal(asked({ a: "x" })),
    /^InvalidEventPatternException 400 Event pattern is not valid\. Reason: /,
  );
  assert.equal(
    await refusal(events.testEventPattern({ Event: "{}", EventPattern: '{"a":["b"]}' })),
    "ValidationException 400 Parameter Event is not valid. Reason: id is a required field.",
  );
});
