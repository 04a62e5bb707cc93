import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CloudWatchLogsClient,
  DeleteQueryDefinitionCommand,
  DescribeQueriesCommand,
  DescribeQueryDefinitionsCommand,
  GetLogGroupFieldsCommand,
  GetLogRecordCommand,
  GetQueryResultsCommand,
  PutQueryDefinitionCommand,
  StartLiveTailCommand,
  StartQueryCommand,
  StopQueryCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { ROOT } from "../../../test/cloud.ts";
import { type LogsCloud, startLogs } from "../../../test/logs.ts";
import { refusal } from "../../../test/principals.ts";

/** A query's rows, each as `name=value` without the pointer. */
async function query(cloud: LogsCloud, queryString: string, more = {}): Promise<string[]> {
  const { queryId } = await cloud.logs.send(
    new StartQueryCommand({
      logGroupName: "g",
      startTime: Math.floor(cloud.now() / 1000) - 3600,
      endTime: Math.floor(cloud.now() / 1000) + 1,
      queryString,
      ...more,
    }),
  );
  const { results, status } = await cloud.logs.send(new GetQueryResultsCommand({ queryId }));
  assert.equal(status, "Complete");
  return results!.map((row) =>
    row
      .filter(({ field }) => field !== "@ptr")
      .map(({ field, value }) => `${field}=${value}`)
      .join(" "),
  );
}

async function startWithEvents(): Promise<LogsCloud> {
  const cloud = await startLogs();
  await cloud.aws.clock({ freeze: Math.ceil(cloud.now() / 600_000) * 600_000 + 590_000 });
  await cloud.createGroup("g", "web", "fn");
  const event = (agoMs: number, of: object) => [agoMs, JSON.stringify(of)] as const;
  await cloud.put(
    "g",
    "web",
    event(400_000, { path: "/a", ms: 10, status: 200, user: { id: "u1", ip: "10.0.0.7" } }),
    event(300_000, { path: "/b", ms: 30, status: 500, user: { id: "u2", ip: "192.168.0.1" } }),
    event(200_000, { path: "/a", ms: 20, status: 200, user: { id: "u1" } }),
    event(100_000, { path: "/c", ms: 200, status: 404, tags: ["x", "y"] }),
  );
  await cloud.put("g", "fn", [50_000, "[INFO] user=jane took 12 ms"], [40_000, "[ERROR] user=joe took 7 ms"]);
  return cloud;
}

test("Insights: each command, and what it makes of the events", async () => {
  await using cloud = await startWithEvents();
  const cases: readonly (readonly [query: string, rows: readonly string[]])[] = [
    ["fields path, ms | filter ms > 15 | sort ms", ["path=/a ms=20", "path=/b ms=30", "path=/c ms=200"]],
    ["fields path | sort @timestamp desc | limit 1 | filter ispresent(path)", []],
    [
      "filter status = 500 or path = '/c' | display path, status | sort path desc",
      ["path=/c status=404", "path=/b status=500"],
    ],
    [
      "stats count(*) as n, avg(ms) as mean, max(ms) by path | sort path",
      ["path=/a n=2 mean=15 max(ms)=20", "path=/b n=1 mean=30 max(ms)=30", "path=/c n=1 mean=200 max(ms)=200", "n=2"],
    ],
    [
      "stats count(*), count(ms), sum(ms), min(ms), count_distinct(path), pct(ms, 50), stddev(status)",
      ["count(*)=6 count(ms)=4 sum(ms)=260 min(ms)=10 count_distinct(path)=3 pct(ms, 50)=20 stddev(status)=130.4914"],
    ],
    [
      "filter ispresent(ms) | stats sum(ms) / count(*) as mean, earliest(path), latest(path), sortsFirst(path), sortsLast(path)",
      ["mean=65 earliest(path)=/a latest(path)=/c sortsFirst(path)=/a sortsLast(path)=/c"],
    ],
    ["filter ispresent(ms) | stats count(*) as n by status | stats max(n) as most", ["most=2"]],
    [
      'parse @message "[*] user=* took * ms" as level, user, took | filter ispresent(level) | sort level',
      ["level=ERROR user=joe took=7", "level=INFO user=jane took=12"],
    ],
    ["parse @message /user=(?<who>\\w+) took (?<took>\\d+)/ | filter took > 7 | display who", ["who=jane"]],
    [
      "fields @message | filter @message like /(?i)error/ | parse 'user=* ' as who",
      ["@message=[ERROR] user=joe took 7 ms who=joe"],
    ],
    ["filter @message like 'INFO' and @logStream = 'fn' | fields @logStream", ["@logStream=fn"]],
    ["filter ispresent(path) and path not like /a|b/ | display path", ["path=/c"]],
    ["filter path in ['/b', '/c'] and not (status = 404) | display path", ["path=/b"]],
    ["filter status not in [200, 404] and ispresent(status) | display path", ["path=/b"]],
    [
      "filter ispresent(path) | dedup path | fields path, ms | sort path",
      ["path=/a ms=20", "path=/b ms=30", "path=/c ms=200"],
    ],
    ["filter user.ip =~ /^10/ | display user.id", ["user.id=u1"]],
    ["filter isIpv4InSubnet(user.ip, '10.0.0.0/8') | display user.ip", ["user.ip=10.0.0.7"]],
    ["filter tags.1 = 'y' | display tags[0]", ["tags[0]=x"]],
    [
      "filter path = '/c' | fields ms * 2 + 1 as a, ms % 7 as b, 2 ^ 3 as c, -ms as d, abs(-ms) as e, ms / 3 as f | display a, b, c, d, e, f",
      ["a=401 b=4 c=8 d=-200 e=200 f=66.6667"],
    ],
    [
      "filter path = '/c' | display strlen(path) as a, toupper(path) as b, substr(path, 1) as c, replace(path, '/', '-') as d, concat(path, ':', ms) as e, coalesce(no, 'x') as f, trim('  t ') as g, strcontains(path, 'c') as h, isempty(no) as i",
      ["a=2 b=/C c=c d=-c e=/c:200 f=x g=t h=1 i=true"],
    ],
    [
      "# a comment\nfilter ispresent(ms)\n| stats count(*) as n by bin(5m) as t | sort t",
      [`t=${shown(cloud.now() - 590_000 + 190_000 - 190_000)} n=2`, `t=${shown(cloud.now() - 290_000)} n=2`],
    ],
    [
      "filter path = '/c' | display datefloor(@timestamp, 1h) as h, dateceil(@timestamp, 1d) > @timestamp as up, toMillis(fromMillis(5)) as ms5",
      [`h=${shown(Math.floor(cloud.now() / 3_600_000) * 3_600_000)} up=true ms5=5`],
    ],
    [
      "filter ispresent(ms) | stats count(*) by status, path | sort count(*) desc, status desc | limit 2",
      ["status=200 path=/a count(*)=2", "status=500 path=/b count(*)=1"],
    ],
  ];
  for (const [text, rows] of cases) assert.deepEqual(await query(cloud, text), rows, text);
  const whole = await query(cloud, "");
  assert.equal(whole.length, 6);
  assert.match(whole[0]!, /^@timestamp=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} @message=\[ERROR\]/);
  assert.equal((await query(cloud, "fields @message", { limit: 2 })).length, 2);
  assert.equal((await query(cloud, "fields @message", { startTime: 0, endTime: 1 })).length, 0);
});

const shown = (ms: number): string => new Date(ms).toISOString().replace("T", " ").slice(0, 23);

test("A function's REPORT has fields of its own", async () => {
  await using cloud = await startLogs();
  await cloud.createGroup("/aws/lambda/f", "s");
  const id = "8f507cfc-0000-4697-b07a-ac58fc914c95";
  await cloud.put(
    "/aws/lambda/f",
    "s",
    `START RequestId: ${id} Version: $LATEST\n`,
    `REPORT RequestId: ${id}\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n`,
  );
  const rows = await query(
    cloud,
    "filter @type = 'REPORT' | display @requestId, @duration, @billedDuration, @initDuration, @maxMemoryUsed / 1000 / 1000 as mb, @memorySize",
    { logGroupName: undefined, logGroupNames: ["/aws/lambda/f"] },
  );
  assert.deepEqual(rows, [
    `@requestId=${id} @duration=3.01 @billedDuration=4 @initDuration=110.1 mb=36 @memorySize=128000000`,
  ]);
});

test("A query is refused where it is wrong, described when it has run, and its rows lead to their records", async () => {
  await using cloud = await startWithEvents();
  const { logs } = cloud;
  for (const text of [
    "fields",
    "nonsense a",
    "filter a =",
    "stats nosuch(a)",
    "parse @message '* *' as a",
    "fields a | | fields b",
    "limit x",
    "filter a like /(/",
    "fields a b",
  ])
    assert.match(await refusal(query(cloud, text)), /^MalformedQueryException 400 /, text);
  assert.match(
    await refusal(query(cloud, "fields a | pattern @message")),
    /^NotImplemented 501 The query command pattern/,
  );
  assert.match(await refusal(query(cloud, "x", { queryLanguage: "SQL" })), /^NotImplemented 501/);
  assert.match(await refusal(query(cloud, "fields a", { logGroupName: "none" })), /^ResourceNotFoundException 400/);
  assert.match(await refusal(query(cloud, "fields a", { logGroupNames: ["g"] })), /^InvalidParameterException 400/);
  assert.match(
    await refusal(logs.send(new GetQueryResultsCommand({ queryId: "none" }))),
    /^ResourceNotFoundException 400/,
  );
  const { queryId } = await logs.send(
    new StartQueryCommand({
      logGroupIdentifiers: ["arn:aws:logs:us-east-1:000000000000:log-group:g"],
      startTime: cloud.now() - 3_600_000,
      endTime: cloud.now(),
      queryString: "filter status = 500 | fields path",
    }),
  );
  const { results, statistics } = await logs.send(new GetQueryResultsCommand({ queryId }));
  assert.equal(statistics!.recordsMatched, 1);
  assert.equal(statistics!.recordsScanned, 6);
  const pointer = results![0]!.find(({ field }) => field === "@ptr")!.value!;
  const { logRecord } = await logs.send(new GetLogRecordCommand({ logRecordPointer: pointer }));
  assert.equal(logRecord!.path, "/b");
  assert.equal(logRecord!["@log"], "000000000000:g");
  assert.match(
    await refusal(logs.send(new GetLogRecordCommand({ logRecordPointer: "x" }))),
    /^InvalidParameterException 400/,
  );
  const { queries } = await logs.send(new DescribeQueriesCommand({ logGroupName: "g" }));
  assert.deepEqual(
    queries!.map(({ queryString, status }) => [queryString, status]),
    [["filter status = 500 | fields path", "Complete"]],
  );
  assert.match(await refusal(logs.send(new StopQueryCommand({ queryId }))), /^InvalidParameterException 400/);
  const fields = await logs.send(new GetLogGroupFieldsCommand({ logGroupName: "g" }));
  assert.deepEqual(
    fields.logGroupFields!.filter(({ name }) => ["@message", "path"].includes(name!)),
    [
      { name: "@message", percent: 100 },
      { name: "path", percent: 67 },
    ],
  );
});

test("Queries are kept by name", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  const put = (more = {}) =>
    logs.send(new PutQueryDefinitionCommand({ name: "n", queryString: "fields a", logGroupNames: ["g"], ...more }));
  const { queryDefinitionId } = await put();
  await put({ queryDefinitionId, queryString: "fields b" });
  const { queryDefinitions } = await logs.send(new DescribeQueryDefinitionsCommand({ queryDefinitionNamePrefix: "n" }));
  assert.deepEqual(
    queryDefinitions!.map(({ queryString, logGroupNames }) => [queryString, logGroupNames]),
    [["fields b", ["g"]]],
  );
  assert.match(await refusal(put({ queryDefinitionId: "none" })), /^ResourceNotFoundException 400/);
  assert.equal((await logs.send(new DeleteQueryDefinitionCommand({ queryDefinitionId }))).success, true);
  assert.match(
    await refusal(logs.send(new DeleteQueryDefinitionCommand({ queryDefinitionId }))),
    /^ResourceNotFoundException 400/,
  );
});

test("A live tail hears of what comes in, as far as it asked for it", async () => {
  await using cloud = await startLogs();
  await cloud.createGroup("g", "a", "b");
  const client = new CloudWatchLogsClient({
    endpoint: cloud.endpoint,
    region: "us-east-1",
    credentials: ROOT,
    disableHostPrefix: true,
  });
  try {
    const arn = "arn:aws:logs:us-east-1:000000000000:log-group:g";
    const tail = (more = {}) => client.send(new StartLiveTailCommand({ logGroupIdentifiers: [arn], ...more }));
    assert.match(await refusal(tail({ logGroupIdentifiers: [`${arn}none`] })), /^ResourceNotFoundException 400/);
    assert.match(await refusal(tail({ logGroupIdentifiers: ["g"] })), /^InvalidParameterException 400/);
    const { responseStream } = await tail({ logStreamNames: ["a"], logEventFilterPattern: "ERROR" });
    for await (const { sessionStart, sessionUpdate } of responseStream!) {
      if (sessionStart) {
        assert.equal(sessionStart.logEventFilterPattern, "ERROR");
        await cloud.put("g", "a", "info 1", "ERROR 2");
        await cloud.put("g", "b", "ERROR 3");
      }
      if (!sessionUpdate?.sessionResults?.length) continue;
      assert.deepEqual(
        sessionUpdate.sessionResults.map(({ message, logStreamName, logGroupIdentifier }) => [
          message,
          logStreamName,
          logGroupIdentifier,
        ]),
        [["ERROR 2", "a", "000000000000:g"]],
      );
      break;
    }
  } finally {
    client.destroy();
  }
});
