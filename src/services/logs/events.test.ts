import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  DescribeLogStreamsCommand,
  FilterLogEventsCommand,
  GetLogEventsCommand,
  PutLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { startLogs } from "../../../test/logs.ts";
import { refusal } from "../../../test/principals.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test("PutLogEvents keeps AWS's rules of order, span, size and age", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  await cloud.createGroup("g", "s");
  const now = cloud.now();
  const put = (logEvents: { timestamp: number; message: string }[], more = {}) =>
    logs.send(new PutLogEventsCommand({ logGroupName: "g", logStreamName: "s", logEvents, ...more }));
  const at = (timestamp: number, message = "m") => ({ timestamp, message });
  const refused = [
    [
      put([at(now), at(now - 1)]),
      "InvalidParameterException 400 Log events in a single PutLogEvents request must be in chronological order.",
    ],
    [
      put([at(now - DAY - 1), at(now)]),
      "InvalidParameterException 400 The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    ],
    [
      put([at(now, "x".repeat(1_048_576 - 25))]),
      "InvalidParameterException 400 Log event too large: 1048577 bytes exceeds limit of 1048576",
    ],
    [
      put([at(now, "x".repeat(600_000)), at(now, "x".repeat(600_000))]),
      "InvalidParameterException 400 Upload too large: 1200052 bytes exceeds limit of 1048576",
    ],
    [
      put([at(now)], { logStreamName: "none" }),
      "ResourceNotFoundException 400 The specified log stream does not exist.",
    ],
    [put([at(now)], { logGroupName: "none" }), "ResourceNotFoundException 400 The specified log group does not exist."],
  ] as const;
  for (const [sent, words] of refused) assert.equal(await refusal(sent), words);
  assert.match(await refusal(put([])), /^InvalidParameterException 400 1 validation error detected/);
  assert.match(await refusal(put([at(now, "")])), /^InvalidParameterException 400 1 validation error detected/);

  const old = await put([at(now - 14 * DAY - HOUR), at(now - 14 * DAY + HOUR)], { sequenceToken: "ignored" });
  assert.deepEqual(old.rejectedLogEventsInfo, { tooOldLogEventEndIndex: 1 });
  assert.match(old.nextSequenceToken!, /^\d{56}$/);
  const fresh = await put([at(now, "now"), at(now + HOUR, "soon"), at(now + 3 * HOUR, "too soon")]);
  assert.deepEqual(fresh.rejectedLogEventsInfo, { tooNewLogEventStartIndex: 2 });
  const nothing = await put([at(now - 20 * DAY)]);
  assert.deepEqual(nothing.rejectedLogEventsInfo, { tooOldLogEventEndIndex: 1 });
  assert.deepEqual(await cloud.filter("g"), ["m", "now", "soon"]);
  const whole = await put([at(now, "x".repeat(1_048_576 - 26))]);
  assert.equal(whole.rejectedLogEventsInfo, undefined);
});

test("GetLogEvents reads a stream both ways, in pages that end where nothing more is", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  await cloud.createGroup("g", "s");
  const now = cloud.now();
  // Batches that overlap in time: events come in the order of theirs.
  await cloud.put("g", "s", [50, "2"], [30, "4"], [10, "6"]);
  await cloud.put("g", "s", [60, "1"], [40, "3"], [20, "5"]);
  const get = async (more = {}) => {
    const { events, nextForwardToken, nextBackwardToken } = await logs.send(
      new GetLogEventsCommand({ logGroupName: "g", logStreamName: "s", ...more }),
    );
    return { text: events!.map(({ message }) => message).join(""), f: nextForwardToken!, b: nextBackwardToken! };
  };
  assert.equal((await get({ startFromHead: true })).text, "123456");
  assert.equal((await get()).text, "123456");
  assert.equal((await get({ limit: 2 })).text, "56");
  assert.equal((await get({ limit: 2, startFromHead: true })).text, "12");
  assert.equal((await get({ startTime: now - 50, endTime: now - 20 })).text, "234");
  const first = await get({ limit: 2, startFromHead: true });
  const second = await get({ limit: 3, nextToken: first.f });
  const third = await get({ nextToken: second.f });
  const end = await get({ nextToken: third.f });
  assert.deepEqual([second.text, third.text, end.text], ["345", "6", ""]);
  assert.equal(end.f, third.f);
  assert.equal((await get({ nextToken: third.b, limit: 2 })).text, "45");
  assert.equal((await get({ nextToken: first.b })).b, first.b);
  assert.match(first.f, /^f\/\d{56}\/s$/);
  // Who waits at the end has what comes then.
  await cloud.put("g", "s", "7");
  assert.equal((await get({ nextToken: end.f })).text, "7");
  assert.equal(
    await refusal(get({ nextToken: "f/1" })),
    "InvalidParameterException 400 The specified nextToken is invalid.",
  );
  assert.equal(
    (await get({ logGroupName: undefined, logGroupIdentifier: "arn:aws:logs:us-east-1:000000000000:log-group:g" }))
      .text,
    "1234567",
  );
});

test("An empty stream is waited for at its end", async () => {
  await using cloud = await startLogs();
  await cloud.createGroup("g", "true", "false");
  for (const startFromHead of [true, false]) {
    const logStreamName = `${startFromHead}`;
    const command = { logGroupName: "g", logStreamName, startFromHead };
    const empty = await cloud.logs.send(new GetLogEventsCommand(command));
    assert.deepEqual(empty.events, []);
    await cloud.advance(1000);
    await cloud.put("g", logStreamName, `${startFromHead}`);
    const next = await cloud.logs.send(new GetLogEventsCommand({ ...command, nextToken: empty.nextForwardToken }));
    assert.equal(next.events!.at(-1)!.message, `${startFromHead}`);
  }
});

test("FilterLogEvents merges the streams of a group by time, and finds by pattern, time and stream", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  await cloud.createGroup("g", "web/1", "web/2", "db");
  const now = cloud.now();
  await cloud.put("g", "web/1", [50, "ERROR 1"], [30, "info 3"]);
  await cloud.put("g", "web/2", [40, "info 2"], [20, "ERROR 4"]);
  await cloud.put("g", "db", [10, '{"level":"error","ms":12}']);
  assert.deepEqual(await cloud.filter("g"), ["ERROR 1", "info 2", "info 3", "ERROR 4", '{"level":"error","ms":12}']);
  assert.deepEqual(await cloud.filter("g", { filterPattern: "ERROR" }), ["ERROR 1", "ERROR 4"]);
  assert.deepEqual(await cloud.filter("g", { filterPattern: '{ $.level = "error" && $.ms > 10 }' }), [
    '{"level":"error","ms":12}',
  ]);
  assert.deepEqual(await cloud.filter("g", { logStreamNamePrefix: "web/", startTime: now - 30 }), [
    "info 3",
    "ERROR 4",
  ]);
  assert.deepEqual(await cloud.filter("g", { logStreamNames: ["web/2", "db"], endTime: now - 20 }), [
    "info 2",
    "ERROR 4",
  ]);
  const pages: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await logs.send(new FilterLogEventsCommand({ logGroupName: "g", limit: 2, nextToken }));
    pages.push(page.events!.map(({ message }) => message!.slice(-1)).join(""));
    nextToken = page.nextToken;
  } while (nextToken);
  assert.deepEqual(pages, ["12", "34", "}"]);
  const [event] = (await logs.send(new FilterLogEventsCommand({ logGroupName: "g", limit: 1 }))).events!;
  assert.match(event!.eventId!, /^\d{56}$/);
  assert.equal(event!.logStreamName, "web/1");
  assert.equal(event!.ingestionTime! >= now, true);
  for (const [more, words] of [
    [{ filterPattern: "{ $.a" }, /^InvalidParameterException 400 Invalid filter pattern/],
    [{ logStreamNames: ["none"] }, /^ResourceNotFoundException 400 The specified log stream does not exist/],
    [{ logStreamNames: ["db"], logStreamNamePrefix: "d" }, /mutually exclusive/],
    [{ startTime: 2, endTime: 1 }, /^InvalidParameterException 400/],
    [{ nextToken: "%" }, /nextToken is invalid/],
  ] as const)
    assert.match(await refusal(cloud.filter("g", more as object)), words);
});

test("The text of a log is a file that a person can read; messages come back byte for byte", async () => {
  await using cloud = await startLogs();
  await cloud.createGroup("/aws/app", "2026/11/23/[$LATEST]ab");
  await cloud.createGroup("aws/app", "x");
  const messages = ["one", "ended\n", "two\nlines", "ü€😀 \r tab\t", "2026-01-01T00:00:00.000Z looks like one", "\n"];
  await cloud.put("/aws/app", "2026/11/23/[$LATEST]ab", ...messages);
  await cloud.put("aws/app", "x", "other");
  assert.deepEqual(await cloud.filter("/aws/app"), messages);
  assert.deepEqual(await cloud.filter("aws/app"), ["other"]);
  const time = new Date(cloud.now()).toISOString();
  const root = join(cloud.aws.config.dir, "logs/groups");
  const file = join(root, "aws/app", time.slice(0, 10), "2026-11-23-[$LATEST]ab.log");
  const text = await readFile(file, "utf8");
  assert.match(text, /^\S{24} one\n\S{24} ended\n\S{24} two\nlines\n/);
  assert.match(await readFile(join(root, "aws/app~2", time.slice(0, 10), "x.log"), "utf8"), /^\S{24} other\n$/);
  // Whoever removes a file has removed its events, and nothing else.
  await rm(file);
  assert.deepEqual(await cloud.filter("/aws/app"), []);
  await cloud.put("/aws/app", "2026/11/23/[$LATEST]ab", "anew");
  assert.deepEqual(await cloud.filter("/aws/app"), ["anew"]);
});

test("Many who write to one stream at once lose nothing, and streams whose names differ in a slash are two", async () => {
  await using cloud = await startLogs();
  await cloud.createGroup("g", "a/b", "a-b");
  const all = Array.from({ length: 40 }, (_, i) => `event ${i}`);
  await Promise.all(all.map((message, i) => cloud.put("g", i % 2 ? "a/b" : "a-b", message)));
  assert.deepEqual((await cloud.filter("g")).sort(), [...all].sort());
  assert.equal((await cloud.filter("g", { logStreamNames: ["a/b"] })).length, 20);
  const { logStreams } = await cloud.logs.send(new DescribeLogStreamsCommand({ logGroupName: "g" }));
  assert.ok(logStreams!.every(({ lastIngestionTime }) => lastIngestionTime! > 0));
});
