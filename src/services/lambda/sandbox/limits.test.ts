// What ends an environment or an invocation on the strongest rung, and in which words; and rung D, which has no layout.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { canUse } from "./cgroup.ts";
import { ladder } from "./ladder.ts";
import { scopesSignals } from "./landlocked.ts";
import { json, openWorld, text } from "./sandbox.fixture.ts";

const TIME = { timeout: 20_000 };
const bash = (body: string) => ({ "lambda.sh": `handler() {\n${body}\n}` });
const rungs = await ladder();

test("the file size and /tmp are bounded: a write past the limit fails, it does not kill", TIME, async () => {
  await using world = await openWorld();
  const body = `head -c 3000000 /dev/zero >"\${TMPDIR:-/tmp}/big" 2>/dev/null; echo $?; rm -f "\${TMPDIR:-/tmp}/big"`;
  await using run = await world.try(bash(body), { ephemeralMb: 1 });
  assert.notEqual(await run.answer(), 0);
});

test("an environment whose /tmp is over its size is not used again", TIME, async () => {
  await using world = await openWorld();
  const body = `for i in 1 2 3; do head -c 900000 /dev/zero >"\${TMPDIR:-/tmp}/$i"; done; echo 1`;
  await using run = await world.try(bash(body), { ephemeralMb: 1 });
  await run.invoke();
  assert.equal(run.worker.state, "dead");
  assert.match(run.log("platform").at(-1)!, /\/tmp/);
});

const landlock = rungs.find(({ name }) => name === "D");
test("rung D: the real paths, and none of them but the system's and the function's own; no signal leaves", {
  ...TIME,
  skip: landlock?.works ? false : `rung D does not work on this host: ${landlock?.why}`,
}, async () => {
  await using world = await openWorld("landlock");
  const secret = join(world.dir, "db.sqlite");
  await writeFile(secret, "secret");
  await using other = await world.try(bash("pwd; echo $TMPDIR"), { env: { OTHER: "neighbour" } });
  const [code, tmp] = text(await other.invoke()).split("\n");
  const attempts = {
    "read the database": `cat ${secret}`,
    "list the workspace": `ls ${world.dir}`,
    "read a home": `ls ${homedir()}`,
    "read the passwords": "cat /etc/shadow",
    "read this test": `cat ${fileURLToPath(import.meta.url)}`,
    "read another's code": `cat ${code}/lambda.sh`,
    "write to another's /tmp": `touch ${tmp}/x`,
    "write to the host's /tmp": "touch /tmp/aws-like-escaped",
    "change its code": "echo >>lambda.sh",
    "signal the cloud": `kill -0 ${process.pid}`,
    "read the cloud's environment": `cat /proc/${process.pid}/environ`,
    "read another's environment": "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -q OTHER=neighbour",
    "leave by /proc": `cat /proc/${process.pid}/root/etc/shadow || cat /proc/self/root/etc/shadow`,
    mount: "mount -t tmpfs x $TMPDIR",
  };
  const body = Object.entries(attempts)
    .map(([name, line]) => `if { ${line}; } >/dev/null 2>&1 </dev/null; then echo "${name}"; fi`)
    .join("\n");
  const last = `echo word >$TMPDIR/x; cat $TMPDIR/x; echo logged >/dev/stderr; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status | tr -d '\\t'`;
  await using run = await world.try(bash(`${body}\n${last}`));
  const scoped = scopesSignals() ? [] : ["signal the cloud"];
  assert.deepEqual(text(await run.invoke()).split("\n"), [
    ...scoped,
    "word",
    "CapEff:0000000000000000",
    "NoNewPrivs:1",
  ]);
  assert.deepEqual(run.log("stderr"), ["logged"]);
});

test("a function that goes on filling /tmp is ended before its timeout", TIME, async () => {
  await using world = await openWorld();
  const body = `while :; do head -c 900000 /dev/zero >"\${TMPDIR:-/tmp}/$i"; ((i++)); sleep 0.05; done`;
  await using run = await world.try(bash(body), { ephemeralMb: 1 });
  const result = await run.invoke({}, { timeoutMs: 15_000, requestId: "8b3f6c2e" });
  assert.deepEqual(json(result), {
    errorType: "Runtime.ExitError",
    errorMessage: "RequestId: 8b3f6c2e Error: Runtime exited with error: signal: killed",
  });
  assert.ok(result.durationMs < 10_000);
  assert.equal(run.worker.state, "dead");
  assert.match(run.log("platform").at(-1)!, /\/tmp holds more than 1 MB/);
});

test("with --cpu aws a function has processors in proportion to its memory", {
  ...TIME,
  skip: canUse("cpu") ? false : "no cgroup of the processors on this host",
}, async () => {
  await using world = await openWorld("auto", { cpu: "aws" });
  const app = `import time
def handler(event, context):
    end = time.monotonic() + 0.8
    before = time.process_time()
    while time.monotonic() < end: pass
    return time.process_time() - before`;
  await using run = await world.try(
    { "app.py": app },
    { runtime: "python3.13", handler: "app.handler", memoryMb: 128 },
  );
  const seconds = Number(await run.answer({}, { timeoutMs: 10_000 }));
  assert.ok(seconds < 0.2, `${seconds} s of processor time in 0.8 s: 128 MB are 0.07 processors`);
});

test("a fork bomb ends at the process limit", {
  ...TIME,
  skip: rungs[0]?.layout ? false : "rung E counts no processes",
}, async () => {
  await using world = await openWorld();
  const app = `import os, time
def handler(event, context):
    for count in range(2000):
        try:
            if os.fork() == 0: time.sleep(20)
        except BlockingIOError:
            return count`;
  await using run = await world.try(
    { "app.py": app },
    { runtime: "python3.13", handler: "app.handler", memoryMb: 10_240 },
  );
  const forks = Number(await run.answer({}, { timeoutMs: 10_000 }));
  assert.ok(forks > 100 && forks < 742, `${forks} processes`);
});

test("an answer that the function has replaced by a link to a file of the host is not read", TIME, async () => {
  await using world = await openWorld();
  const secret = join(world.dir, "secret");
  await writeFile(secret, "secret");
  const body = `self=$BASHPID; out=$(readlink /proc/$self/fd/1); rm "$out"; ln -s ${secret} "$out"; echo '{}'`;
  await using run = await world.try(bash(body));
  assert.deepEqual(json(await run.invoke({}, { requestId: "8b3f6c2e" })), {
    errorType: "Runtime.Unknown",
    errorMessage: "RequestId: 8b3f6c2e Error: The answer of the handler cannot be read",
  });
});

test("an abandoned invocation is killed and rejects with the signal's reason", TIME, async () => {
  await using world = await openWorld();
  await using run = await world.try(bash("sleep 30"));
  const abandoned = new AbortController();
  const invoked = run.invoke({}, { signal: abandoned.signal });
  setTimeout(() => abandoned.abort(new Error("the caller went away")), 50);
  await assert.rejects(invoked, /the caller went away/);
  await run.worker.settled();
  assert.equal(run.worker.state, "warm");
});

test("init that takes too long is killed, and tried again within the invocation and its timeout", TIME, async () => {
  await using world = await openWorld("auto", { initLimitMs: 200 });
  await using run = await world.try({ "lambda.sh": "sleep 30" });
  assert.match(run.log("platform")[0]!, /^INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: timeout$/);
  const result = await run.invoke({}, { timeoutMs: 300 });
  assert.equal(result.error?.type, "Sandbox.Timedout");
  assert.equal(result.durationMs, 300);
});

test("a runtime that exits at init is told within the invocation, with its status", TIME, async () => {
  await using world = await openWorld();
  await using run = await world.try({ "lambda.sh": "exit 7" });
  const result = await run.invoke({}, { requestId: "8b3f6c2e" });
  assert.deepEqual(json(result), {
    errorType: "Runtime.ExitError",
    errorMessage: "RequestId: 8b3f6c2e Error: Runtime exited with error: exit status 7",
  });
  const quiet = await world.try({ "lambda.sh": "exit 0" });
  assert.match(text(await quiet.invoke()), /Runtime exited without providing a reason/);
});

test("a runtime that dies of a signal is named by it, and an exit without a status has no reason", TIME, async () => {
  await using world = await openWorld();
  const words = {
    "kill -ABRT $$": "with error: signal: aborted",
    "kill -SEGV $$": "with error: signal: segmentation fault",
    "kill -KILL $$": "with error: signal: killed",
    "kill -TERM $$": "with error: signal: terminated",
  };
  await using sh = await world.try(bash(`eval "$(tr -d '"')"; sleep 5`));
  for (const [death, how] of Object.entries(words)) {
    const result = await sh.invoke(death, { requestId: "8b3f6c2e" });
    const errorMessage = `RequestId: 8b3f6c2e Error: Runtime exited ${how}`;
    assert.deepEqual(json(result), { errorType: "Runtime.ExitError", errorMessage });
    assert.ok(sh.log("platform").includes(`${errorMessage}\nRuntime.ExitError`));
  }
  const app = "import os\ndef handler(event, context): os._exit(event)";
  await using python = await world.try({ "app.py": app }, { runtime: "python3.13", handler: "app.handler" });
  assert.match(text(await python.invoke(0)), /Error: Runtime exited without providing a reason"/);
  assert.match(text(await python.invoke(1)), /Error: Runtime exited with error: exit status 1"/);
});

test("the Runtime API refuses what is out of turn, in AWS's words", TIME, async () => {
  await using world = await openWorld();
  const body = `api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01
echo "["
curl -s -o - -w ',%{http_code},' $api/runtime/invocation/next
curl -s -w ',%{http_code},' -d x $api/runtime/invocation/nope/response
curl -s -w ',%{http_code},' -d x $api/runtime/init/error
curl -s -w ',%{http_code}' $api/runtime/nothing
echo "]"`;
  await using run = await world.try(bash(body));
  assert.deepEqual(await run.answer(), [
    {
      errorMessage: "State transition from Running to Ready failed for runtime. Error: State transition is not allowed",
      errorType: "InvalidStateTransition",
    },
    403,
    { errorMessage: "Invalid request ID", errorType: "InvalidRequestID" },
    400,
    {
      errorMessage:
        "State transition from Running to InitError failed for runtime. Error: State transition is not allowed",
      errorType: "InvalidStateTransition",
    },
    403,
    { errorMessage: "404 page not found", errorType: "NotFound" },
    404,
  ]);
});

test("the Runtime API of a sandbox with its own uid hangs up on everybody else", {
  ...TIME,
  skip: rungs[0]?.ownUid && rungs[0].works ? false : "only rung A has a uid for each sandbox",
}, async () => {
  await using world = await openWorld();
  await using run = await world.try(bash(`echo "\\"$AWS_LAMBDA_RUNTIME_API\\""`));
  const [host, port] = String(await run.answer()).split(":");
  const socket = connect(Number(port), host);
  socket.write("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
  let said = "";
  socket.on("data", (data) => {
    said += data;
  });
  await new Promise((resolve) => socket.once("close", resolve).once("error", resolve));
  assert.equal(said, "");
});
