// Streamed answers as the sandbox passes them on: of a runtime that a package brings, and of bash on each rung.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { json, openWorld, text } from "./sandbox.fixture.ts";
import type { ResponseSink } from "./sandbox.ts";

const TIME = { timeout: 30_000 };

function collector(options: { slowMs?: number } = {}) {
  const chunks: Uint8Array[] = [];
  let type = "";
  const sink: ResponseSink = {
    begin(contentType) {
      type = contentType;
    },
    write(chunk) {
      chunks.push(chunk);
      return options.slowMs === undefined ? undefined : sleep(options.slowMs, undefined, { ref: false });
    },
  };
  return { sink, type: () => type, text: () => Buffer.concat(chunks).toString() };
}

/** Speaks the Runtime API over TCP, as the event says. */
const BOOTSTRAP = `#!/usr/bin/env python3
import http.client, json, os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = http.client.HTTPConnection(host, int(port))
base = "/2018-06-01/runtime/invocation/"
def begin(to, id, mode):
    to.putrequest("POST", base + id + "/response")
    for name, value in (("Content-Type", "text/plain"), ("Lambda-Runtime-Function-Response-Mode", mode), ("Transfer-Encoding", "chunked"), ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")):
        to.putheader(name, value)
    to.endheaders()
    to.send(b"3\\r\\nabc\\r\\n")
while True:
    api.request("GET", base + "next")
    answer = api.getresponse()
    how = json.loads(answer.read())
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    if how == "cut":
        other = http.client.HTTPConnection(host, int(port))
        begin(other, id, "streaming")
        other.sock.shutdown(socket.SHUT_RDWR)
        other.close()
        time.sleep(0.02)
        continue
    begin(api, id, "buffered" if how == "mode" else "streaming")
    if how == "die": os._exit(7)
    trailers = b"Lambda-Runtime-Function-Error-Type: Function.Broken\\r\\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\\r\\n" if how == "trailers" else b""
    api.send(b"3\\r\\ndef\\r\\n0\\r\\n" + trailers + b"\\r\\n")
    said = api.getresponse()
    print(said.status, said.read().decode().strip(), flush=True)
`;

test("a package's own runtime streams, with trailers where it fails half way", TIME, async () => {
  await using world = await openWorld();
  await using run = await world.try({ bootstrap: BOOTSTRAP });
  const well = collector();
  const result = await run.invoke("well", { sink: well.sink });
  assert.deepEqual([result.error, text(result), well.text(), well.type()], [undefined, "", "abcdef", "text/plain"]);

  const trailers = collector();
  const failed = await run.invoke("trailers", { sink: trailers.sink });
  assert.deepEqual([json(failed), failed.error], [{ a: 1 }, { type: "Function.Broken", kind: "function" }]);
  assert.equal(trailers.text(), "abcdef");

  const cut = await run.invoke("cut", { sink: collector().sink });
  assert.equal(cut.error?.type, "Runtime.TruncatedResponse");
  assert.equal((await run.invoke("cut")).error?.type, "Runtime.TruncatedResponse", "nor is half of it collected");

  const mode = collector();
  const wrong = await run.invoke("mode", { sink: mode.sink });
  assert.deepEqual([wrong.error?.type, mode.text()], ["Runtime.InvalidResponseModeHeader", ""]);
  assert.match(run.log("stdout").at(-1)!, /^400 .*Runtime\.InvalidResponseModeHeader/);

  const dead = await run.invoke("die", { sink: collector().sink });
  assert.equal(dead.error?.type, "Runtime.ExitError", "how the runtime ended says more than that its answer did");
  const again = collector();
  await run.invoke("well", { sink: again.sink });
  assert.equal(again.text(), "abcdef");
});

const BASH = {
  "lambda.sh":
    'handler() { printf "%s\\0\\0\\0\\0\\0\\0\\0\\0" "{\\"statusCode\\":201}"; sleep 0.02; cat /dev/stdin; echo more >/dev/stdout; }',
};

for (const choice of ["auto", "unshare", "none"] as const)
  test(`bash streams in a sandbox of ${choice}, at the pace of who takes it`, TIME, async () => {
    await using world = await openWorld(choice);
    await using run = await world.try(BASH);
    const { sink, type, text: got } = collector({ slowMs: 10 });
    assert.equal((await run.invoke("x".repeat(300_000), { sink })).error, undefined);
    assert.equal(type(), "application/vnd.awslambda.http-integration-response");
    assert.equal(got(), `{"statusCode":201}${"\0".repeat(8)}"${"x".repeat(300_000)}"\nmore\n`);
    assert.equal((await run.invoke("y")).error, undefined, "and answers whole to who wants it so");
  });

test("who takes an answer too slowly is cut off at the function's deadline", TIME, async () => {
  await using world = await openWorld();
  await using run = await world.try({ "lambda.sh": "handler() { head -c $1 /dev/zero; }" });
  const { sink } = collector({ slowMs: 60_000 });
  const result = await run.invoke(1_000_000, { sink, timeoutMs: 300 });
  assert.equal(result.error?.kind, "timeout");
  assert.equal((await run.invoke(10)).error, undefined);
});
