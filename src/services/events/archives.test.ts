import assert from "node:assert/strict";
import { after, test } from "node:test";
import { busArn, entry, eventsOf, listen, queueArn, ruleArn, sink } from "../../../test/bus.ts";
import { startCloud } from "../../../test/cloud.ts";
import { refusal } from "../../../test/principals.ts";

const DAY = 86_400_000;
const START = Date.parse("2026-11-22T10:00:00Z");
const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const events = eventsOf(cloud);
await cloud.aws.clock({ freeze: START });

const archiveArn = (name: string) => `arn:aws:events:us-east-1:000000000000:archive/${name}`;
const put = (...details: object[]) =>
  events.putEvents({ Entries: details.map((detail) => entry(detail, { Source: "kept" })) });
const described = async (ArchiveName: string) => {
  const { EventCount, SizeBytes } = await events.describeArchive({ ArchiveName });
  return [EventCount, SizeBytes! > 0];
};

test("An archive keeps the events that meet its pattern, counts them, and forgets them when their days are over", async () => {
  const EventPattern = JSON.stringify({ source: ["kept"], detail: { keep: [true] } });
  const made = await events.createArchive({
    ArchiveName: "days",
    EventSourceArn: busArn("default"),
    EventPattern,
    RetentionDays: 2,
  });
  assert.deepEqual([made.ArchiveArn, made.State], [archiveArn("days"), "ENABLED"]);
  await put({ keep: true, n: 1 }, { keep: false });
  await cloud.advance(DAY);
  await put({ keep: true, n: 2 });
  assert.deepEqual(await described("days"), [2, true]);
  await cloud.advance(DAY);
  assert.deepEqual(await described("days"), [1, true]);
  await events.updateArchive({ ArchiveName: "days", RetentionDays: 3 });
  await cloud.advance(DAY);
  assert.deepEqual(await described("days"), [1, true]);
  await cloud.advance(DAY);
  assert.deepEqual(await described("days"), [0, false]);
  const { Archives } = await events.listArchives({ NamePrefix: "da" });
  assert.deepEqual(
    Archives!.map(({ ArchiveName, RetentionDays, EventSourceArn }) => [ArchiveName, RetentionDays, EventSourceArn]),
    [["days", 3, busArn("default")]],
  );
  assert.match(await refusal(events.listArchives({ NamePrefix: "a", State: "ENABLED" })), /^ValidationException 400 /);
});

test("An archive's rule is EventBridge's own, and goes with it", async () => {
  await events.createArchive({ ArchiveName: "own", EventSourceArn: busArn("default") });
  const rule = await events.describeRule({ Name: "Events-Archive-own" });
  assert.deepEqual(
    [rule.ManagedBy, rule.EventPattern],
    ["prod.vhs.events.aws.internal", '{"replay-name":[{"exists":false}]}'],
  );
  const managed =
    "ManagedRuleException 400 Rule Events-Archive-own is managed by an AWS service can only be modified if force option is enabled.";
  const Name = "Events-Archive-own";
  assert.equal(await refusal(events.deleteRule({ Name })), managed);
  assert.equal(await refusal(events.disableRule({ Name })), managed);
  assert.equal(await refusal(events.putRule({ Name, EventPattern: '{"source":["a"]}' })), managed);
  assert.equal(await refusal(events.putTargets({ Rule: Name, Targets: [{ Id: "1", Arn: queueArn("q") }] })), managed);
  assert.equal(await refusal(events.removeTargets({ Rule: Name, Ids: ["own"] })), managed);
  assert.equal(
    await refusal(events.tagResource({ ResourceARN: ruleArn(Name), Tags: [{ Key: "a", Value: "b" }] })),
    managed,
  );
  await events.deleteArchive({ ArchiveName: "own" });
  assert.match(await refusal(events.describeRule({ Name })), /^ResourceNotFoundException/);
  assert.equal(
    await refusal(events.describeArchive({ ArchiveName: "own" })),
    "ResourceNotFoundException 400 Archive own does not exist.",
  );
});

test("A replay brings the archived events of its time to the rules of now, in their order, with its name", async () => {
  await events.createEventBus({ Name: "replayed" });
  const bus = busArn("replayed");
  await events.createArchive({ ArchiveName: "all", EventSourceArn: bus });
  const from = cloud.aws.now();
  for (let at = 0; at < 12; at++) {
    const ten = Array.from({ length: 10 }, (_, n) => entry({ n: at * 10 + n }, { EventBusName: "replayed" }));
    await events.putEvents({ Entries: ten });
    await cloud.advance(1000);
  }
  const received = await sink(cloud, "replayed");
  const unasked = await sink(cloud, "unasked");
  const EventPattern = { "replay-name": ["again"], detail: { n: [{ numeric: ["<", 115] }] } };
  await listen(events, { Name: "again", EventBusName: "replayed", EventPattern }, queueArn("replayed"));
  await listen(events, { Name: "unasked", EventBusName: "replayed", EventPattern }, queueArn("unasked"));
  const replay = {
    ReplayName: "again",
    EventSourceArn: archiveArn("all"),
    EventStartTime: new Date(from + 1000),
    EventEndTime: new Date(from + 60_000),
    Destination: { Arn: bus, FilterArns: [ruleArn("replayed/again")] },
  };
  assert.equal((await events.startReplay(replay)).State, "STARTING");
  const bodies = (await received()).map(
    ({ Body }) => JSON.parse(Body!) as { detail: { n: number }; "replay-name": string },
  );
  assert.deepEqual(
    bodies.map(({ detail }) => detail.n).sort((a, b) => a - b),
    Array.from({ length: 105 }, (_, n) => n + 10),
  );
  assert.equal(bodies[0]!["replay-name"], "again");
  assert.deepEqual(await unasked(), []);
  const { State, EventLastReplayedTime, ReplayEndTime, Destination } = await events.describeReplay({
    ReplayName: "again",
  });
  assert.deepEqual(
    [State, EventLastReplayedTime, Destination],
    ["COMPLETED", new Date(from + 11_000), replay.Destination],
  );
  assert.ok(ReplayEndTime);
  // What is replayed is not archived again.
  assert.deepEqual((await events.describeArchive({ ArchiveName: "all" })).EventCount, 120);
  assert.deepEqual(
    (await events.listReplays({ State: "COMPLETED" })).Replays!.map(({ ReplayName }) => ReplayName),
    ["again"],
  );

  const wrong = (more: object) => refusal(events.startReplay({ ...replay, ReplayName: "wrong", ...more }));
  assert.equal(
    await refusal(events.startReplay(replay)),
    "ResourceAlreadyExistsException 400 Replay again already exists.",
  );
  assert.equal(
    await wrong({ EventSourceArn: archiveArn("none") }),
    "ResourceNotFoundException 400 Archive none does not exist.",
  );
  assert.equal(
    await wrong({ Destination: { Arn: busArn("default") } }),
    "ValidationException 400 Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.",
  );
  assert.equal(
    await wrong({ EventEndTime: replay.EventStartTime }),
    "ValidationException 400 Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
  );
  assert.equal(
    await refusal(events.cancelReplay({ ReplayName: "again" })),
    "IllegalStatusException 400 Replay again is not in a valid state for this operation.",
  );
  assert.equal(
    await refusal(events.describeReplay({ ReplayName: "none" })),
    "ResourceNotFoundException 400 Replay none does not exist.",
  );
});

test("A replay that is cancelled on its way stops, and says so", async () => {
  // A thousand events more, ten steps: the cancellation comes long before the last.
  const ten = Array.from({ length: 10 }, () => entry({}, { EventBusName: "replayed" }));
  await Promise.all(Array.from({ length: 100 }, () => events.putEvents({ Entries: ten })));
  const EventPattern = { "replay-name": ["stopped"] };
  await listen(events, { Name: "stopped", EventBusName: "replayed", EventPattern }, queueArn("nowhere"));
  await events.startReplay({
    ReplayName: "stopped",
    EventSourceArn: archiveArn("all"),
    EventStartTime: new Date(START),
    EventEndTime: new Date(START + 100 * DAY),
    Destination: { Arn: busArn("replayed") },
  });
  assert.equal((await events.cancelReplay({ ReplayName: "stopped" })).State, "CANCELLING");
  await cloud.settle();
  assert.equal((await events.describeReplay({ ReplayName: "stopped" })).State, "CANCELLED");
});

test("CreateArchive refuses what is no bus, is not there, or has no such pattern", async () => {
  const ask = (more: object) =>
    refusal(events.createArchive({ ArchiveName: "x", EventSourceArn: busArn("default"), ...more }));
  assert.equal(
    await ask({ EventSourceArn: busArn("none") }),
    "ResourceNotFoundException 400 Event bus none does not exist.",
  );
  assert.match(
    await ask({ EventSourceArn: archiveArn("all") }),
    /^ValidationException 400 Parameter EventSourceArn is not valid\./,
  );
  assert.match(await ask({ EventPattern: '{"a":1}' }), /^InvalidEventPatternException 400 Event pattern is not valid/);
  assert.equal(await ask({ ArchiveName: "all" }), "ResourceAlreadyExistsException 400 Archive all already exists.");
});

test("An archive that could not be read again and again fails a replay that says why, and forgets later", async () => {
  const rename = (from: string, to: string) =>
    cloud.aws.write((tx) => tx.run(`ALTER TABLE ${from} RENAME TO ${to}`, {}));
  await events.createArchive({ ArchiveName: "trouble", EventSourceArn: busArn("default"), RetentionDays: 1 });
  await put({ n: 1 });
  await cloud.advance(DAY - 60_000);
  await rename("events_archived", "events_archived_away");
  await events.startReplay({
    ReplayName: "trouble",
    EventSourceArn: archiveArn("trouble"),
    EventStartTime: new Date(START),
    EventEndTime: new Date(START + 100 * DAY),
    Destination: { Arn: busArn("default") },
  });
  await cloud.advance(10 * 60_000);
  await rename("events_archived_away", "events_archived");
  const { State, StateReason } = await events.describeReplay({ ReplayName: "trouble" });
  assert.equal(State, "FAILED");
  assert.match(StateReason!, /events_archived/);
  assert.deepEqual(await described("trouble"), [1, true]);
  await cloud.advance(DAY / 12);
  assert.deepEqual(await described("trouble"), [0, false]);
});
