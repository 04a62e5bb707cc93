// Extensions: programs of /opt/extensions beside the runtime, and what they are told through the Extensions API and the Telemetry API.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ladder } from "./ladder.ts";
import { json, openWorld, type Trial, text, type World } from "./sandbox.fixture.ts";
import type { Spec } from "./sandbox.ts";

const rungs = await ladder();
const TIME = { timeout: 20_000 };
let world: World;
before(async () => {
  world = await openWorld();
});
after(() => world[Symbol.asyncDispose]());

/** A layer with executables in extensions/. */
async function layer(extensions: Readonly<Record<string, string>>): Promise<string> {
  const dir = await mkdtemp(join(world.dir, "layer-"));
  await chmod(dir, 0o755);
  await mkdir(join(dir, "extensions"));
  for (const [name, program] of Object.entries(extensions)) {
    await writeFile(join(dir, "extensions", name), program);
    await chmod(join(dir, "extensions", name), 0o755);
  }
  return dir;
}

/** An extension in bash: what it is told becomes lines of the log. `more` runs once it has registered, with its id in $id. */
const extension = (events: string, { more = "", each = "" } = {}) => `#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API
echo "env:\${_HANDLER:-none}"
headers=$(curl -s -D - -o "\${TMPDIR:-/tmp}/registered" -H "Lambda-Extension-Name: \${0##*/}" -H "Lambda-Extension-Accept-Feature: accountId" -d '{"events":[${events}]}' $api/2020-01-01/extension/register)
echo "registered:$(cat "\${TMPDIR:-/tmp}/registered")"
id=$(grep -i lambda-extension-identifier <<<"$headers" | cut -d' ' -f2 | tr -d '\\r')
${more}
while event=$(curl -s -H "Lambda-Extension-Identifier: $id" $api/2020-01-01/extension/event/next); do
  echo "event:$event"
  ${each}
  [[ $event == *SHUTDOWN* ]] && exit 0
done
`;

const BOTH = `"INVOKE","SHUTDOWN"`;
const ECHO = { "lambda.sh": `handler() { echo "$1"; }` };

const start = async (
  extensions: Readonly<Record<string, string>>,
  {
    files = ECHO as Readonly<Record<string, string>>,
    ...spec
  }: Partial<Spec> & { files?: Readonly<Record<string, string>> } = {},
): Promise<Trial> => world.try(files, { optDir: await layer(extensions), ...spec });

const said = (run: Trial, what: string): string[] =>
  run.lines
    .filter(({ stream, text }) => stream === "extension" && text.startsWith(`${what}:`))
    .map((line) => line.text.slice(what.length + 1));
const events = (run: Trial): Record<string, unknown>[] =>
  said(run, "event")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test(
  "an external extension registers, gets each invocation, and SHUTDOWN when the environment ends",
  TIME,
  async () => {
    const run = await start({ ext: extension(BOTH) });
    assert.equal(await run.answer(1), 1);
    assert.equal(await run.answer(2), 2);
    assert.deepEqual(said(run, "env"), ["none"]);
    assert.deepEqual(JSON.parse(said(run, "registered")[0]!), {
      functionName: "f",
      functionVersion: "$LATEST",
      handler: "lambda.handler",
      accountId: "000000000000",
    });
    assert.ok(run.log("platform").includes("EXTENSION\tName: ext\tState: Ready\tEvents: [INVOKE,SHUTDOWN]"));
    const began = performance.now();
    await run.worker[Symbol.asyncDispose]();
    assert.ok(performance.now() - began < 1_900, "it ended by itself, before its time was over");
    const [first, second, last] = events(run);
    assert.deepEqual(
      [first?.eventType, first?.requestId, second?.requestId, (first?.tracing as { type: string } | undefined)?.type],
      ["INVOKE", "request-1", "request-2", "X-Amzn-Trace-Id"],
    );
    assert.ok(Math.abs(Number(first?.deadlineMs) - Date.now()) < 20_000);
    assert.deepEqual([last?.eventType, last?.shutdownReason], ["SHUTDOWN", "spindown"]);
  },
);

for (const choice of ["unshare", "none"] as const) {
  const rung = rungs.find(({ name }) => name === (choice === "none" ? "E" : "C"));
  test(`extensions run on rung ${rung?.name}`, {
    ...TIME,
    skip: rung?.works ? false : "not on this host",
  }, async () => {
    await using other = await openWorld(choice);
    const run = await other.try(ECHO, { optDir: await layer({ ext: extension(BOTH) }) });
    assert.equal(await run.answer(1), 1);
    await run.worker[Symbol.asyncDispose]();
    assert.deepEqual(
      events(run).map(({ eventType, shutdownReason }) => shutdownReason ?? eventType),
      ["INVOKE", "spindown"],
    );
  });
}

test(
  "a timeout and a crash are the reasons of a SHUTDOWN, and the next invocation starts the extension anew",
  TIME,
  async () => {
    await using run = await start(
      { ext: extension(BOTH) },
      { files: { "lambda.sh": `handler() { [[ $1 == 1 ]] && sleep 30; [[ $1 == 2 ]] && kill -9 $$; echo "$1"; }` } },
    );
    assert.equal((await run.invoke(1, { timeoutMs: 400 })).error?.type, "Sandbox.Timedout");
    assert.deepEqual(json(await run.invoke(2, { requestId: "8b3f6c2e" })), {
      errorType: "Runtime.ExitError",
      errorMessage: "RequestId: 8b3f6c2e Error: Runtime exited with error: signal: killed",
    });
    assert.equal(await run.answer(3), 3);
    assert.deepEqual(
      events(run)
        .filter(({ shutdownReason }) => shutdownReason)
        .map(({ shutdownReason }) => shutdownReason),
      ["timeout", "failure"],
    );
    assert.equal(said(run, "registered").length, 3);
  },
);

test("the environment is taken again only when the extension has asked for the next event", TIME, async () => {
  await using run = await start({ ext: extension(BOTH, { each: "sleep 0.3; echo worked:" }) });
  const began = performance.now();
  const invoked = run.worker.invoke({
    requestId: "8b3f6c2e",
    event: Buffer.from("1"),
    functionArn: "arn",
    deadlineMs: Date.now() + 5_000,
    timeoutMs: 5_000,
    traceId: "Root=1",
  });
  await invoked;
  assert.equal(run.worker.state, "busy");
  await run.worker.settled();
  assert.ok(performance.now() - began >= 300);
  assert.equal(said(run, "worked").length, 1);
});

test("an extension that ends takes the environment with it, and is named so", TIME, async () => {
  await using run = await start(
    { ext: extension(BOTH, { each: "exit 3" }) },
    { files: { "lambda.sh": "handler() { sleep 20; }" } },
  );
  const result = await run.invoke(1, { requestId: "8b3f6c2e" });
  assert.deepEqual(json(result), {
    errorType: "Extension.Crash",
    errorMessage: "RequestId: 8b3f6c2e Error: exit status 3",
  });
  assert.equal(result.error?.type, "Extension.Crash");
});

test("an extension that reports an init error fails the init and the invocation", TIME, async () => {
  const more = `curl -s -o /dev/null -H "Lambda-Extension-Identifier: $id" -H "Lambda-Extension-Function-Error-Type: Ext.NoKey" -d '{}' $api/2020-01-01/extension/init/error; exit 1`;
  await using run = await start({ ext: extension(BOTH, { more }) });
  assert.match(
    run.log("platform").at(-1)!,
    /^INIT_REPORT .*\tPhase: init\tStatus: error\tError Type: Extension\.InitError$/,
  );
  assert.deepEqual(json(await run.invoke(1, { requestId: "8b3f6c2e" })), {
    errorType: "Extension.InitError",
    errorMessage: "RequestId: 8b3f6c2e Error: Ext.NoKey",
  });
});

test("the Extensions API refuses in AWS's words", TIME, async () => {
  const body = `api=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
ask() { curl -s -w '%{http_code}' "$@" | tr -d '\\n'; echo; }
ask -d '{"events":[]}' $api/register
ask -H 'Lambda-Extension-Name: x' -d '{"events":["SHUTDOWN"]}' $api/register
ask -H 'Lambda-Extension-Name: x' -d '{"events":["INVOKE"]}' $api/register
ask $api/event/next
ask -H 'Lambda-Extension-Identifier: x' $api/event/next
ask -H 'Lambda-Extension-Identifier: 00000000-0000-0000-0000-000000000000' $api/event/next`;
  await using run = await world.try({ "lambda.sh": `handler() {\n${body}\n}` });
  assert.deepEqual(text(await run.invoke()).split("\n"), [
    '{"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}403',
    '{"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}403',
    '{"errorMessage":"Extension registration closed already","errorType":"Extension.RegistrationClosed"}403',
    '{"errorMessage":"Missing Lambda-Extension-Identifier header","errorType":"Extension.MissingExtensionIdentifier"}403',
    '{"errorMessage":"Invalid Lambda-Extension-Identifier","errorType":"Extension.InvalidExtensionIdentifier"}403',
    '{"errorMessage":"Unknown extension 00000000-0000-0000-0000-000000000000","errorType":"Extension.UnknownExtensionIdentifier"}403',
  ]);
});

test("an internal extension registers during init, is awaited, and gets SIGTERM its time to end", TIME, async () => {
  const app = `import os, json, signal, threading, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension"
request = urllib.request.Request(api + "/register", b'{"events":["INVOKE"]}', {"Lambda-Extension-Name": "inside"})
ident = urllib.request.urlopen(request).headers["Lambda-Extension-Identifier"]
def loop():
    while True:
        event = json.load(urllib.request.urlopen(urllib.request.Request(api + "/event/next", headers={"Lambda-Extension-Identifier": ident})))
        print("told " + event["requestId"])
threading.Thread(target=loop, daemon=True).start()
def bye(*_):
    print("bye"); os._exit(0)
signal.signal(signal.SIGTERM, bye)
def handler(event, context): return event`;
  const run = await world.try({ "app.py": app }, { runtime: "python3.13", handler: "app.handler" });
  assert.equal(await run.answer(1), 1);
  assert.ok(run.log("stdout").includes("told request-1"));
  await run.worker[Symbol.asyncDispose]();
  assert.equal(run.log("stdout").at(-1), "bye");
});

/** Subscribes, and prints what it gets, one line a batch. */
const listener = (version: string, schema: string, types: string) => `#!/usr/bin/env python3
import os, json, threading, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        print("batch:" + self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
server = HTTPServer(("sandbox.localdomain", 8123), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
def ask(method, path, body=None, **headers):
    return urllib.request.urlopen(urllib.request.Request(api + path, body, headers, method=method))
answer = ask("POST", "/2020-01-01/extension/register", b'{"events":["INVOKE","SHUTDOWN"]}', **{"Lambda-Extension-Name": os.path.basename(__file__)})
ident = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}
def subscribe(wish):
    try: return ask("PUT", "${version}", json.dumps(wish).encode(), **ident).read().decode().strip()
    except urllib.error.HTTPError as error: return str(error.code) + error.read().decode().strip()
print("refused:" + subscribe({"schemaVersion": "${schema}", "types": [], "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain"}}), flush=True)
print("accepted:" + subscribe({"schemaVersion": "${schema}", "types": ${types}, "buffering": {"timeoutMs": 25, "maxItems": 1000, "maxBytes": 262144}, "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8123"}}), flush=True)
while True:
    event = json.load(ask("GET", "/2020-01-01/extension/event/next", **ident))
    if event["eventType"] == "SHUTDOWN": break
`;

const batches = (run: Trial): { type: string; record: unknown }[] =>
  said(run, "batch").flatMap((line) => JSON.parse(line));

test("the Telemetry API sends platform events, lines of the function and of extensions, each sandbox to its own", {
  ...TIME,
  skip: readdirSync("/usr/bin").includes("python3") ? false : "no python3 for the extension",
}, async () => {
  const files = { "lambda.sh": `handler() { echo "hello $1" >&2; echo "$1"; }` };
  const ext = listener("/2022-07-01/telemetry", "2022-12-13", `["platform", "function"]`);
  // Two at once listen on one port.
  const runs = await Promise.all([start({ ext }, { files }), start({ ext }, { files })]);
  for (const [index, run] of runs.entries()) assert.equal(await run.answer(index), index);
  await Promise.all(runs.map((run) => run.worker[Symbol.asyncDispose]()));
  for (const [index, run] of runs.entries()) {
    assert.deepEqual(said(run, "refused"), [
      '400{"errorType":"ValidationError","errorMessage":"URI port is not provided; types should not be empty"}',
    ]);
    assert.deepEqual(said(run, "accepted"), ['"OK"']);
    const got = batches(run);
    assert.deepEqual(
      got.filter(({ type }) => type.startsWith("platform.")).map(({ type }) => type),
      [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
      ],
    );
    assert.deepEqual(
      got.filter(({ type }) => type === "function").map(({ record }) => record),
      [`hello ${index}`],
    );
    const report = got.at(-1)!.record as { requestId: string; status: string; metrics: Record<string, number> };
    assert.deepEqual([report.requestId, report.status, report.metrics.memorySizeMB], ["request-1", "success", 256]);
    assert.ok(report.metrics.initDurationMs! > 0 && report.metrics.billedDurationMs! >= report.metrics.durationMs!);
  }
});

test("the Logs API says the same in its older words", {
  ...TIME,
  skip: readdirSync("/usr/bin").includes("python3") ? false : "no python3 for the extension",
}, async () => {
  const run = await start({ ext: listener("/2020-08-15/logs", "2020-08-15", `["platform"]`) });
  await run.invoke(1);
  await run.worker[Symbol.asyncDispose]();
  assert.deepEqual(
    batches(run).map(({ type }) => type),
    [
      "platform.logsSubscription",
      "platform.extension",
      "platform.start",
      "platform.runtimeDone",
      "platform.end",
      "platform.report",
    ],
  );
});

test("environments with extensions leave nothing behind: no process, no pipe, no file", TIME, async () => {
  const open = () => readdirSync("/proc/self/fd").length;
  const before = open();
  const run = await start({ ext: extension(BOTH) }, { env: { MARK: `extension-${process.pid}` } });
  await run.invoke(1);
  await run.worker[Symbol.asyncDispose]();
  const left = readdirSync("/proc").filter(
    (pid) => /^\d+$/.test(pid) && pid !== `${process.pid}` && environOf(pid).includes(`extension-${process.pid}`),
  );
  assert.deepEqual(left, []);
  // The launchers in stock may be more by some.
  assert.ok(open() <= before + 12, `${before} -> ${open()} descriptors`);
});

function environOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return ""; // Gone meanwhile.
  }
}
