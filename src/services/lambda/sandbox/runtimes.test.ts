// What each built-in runtime does for a function: bash, node, python, and a package's own bootstrap.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Files, json, openWorld, text, type World } from "./sandbox.fixture.ts";

const TIME = { timeout: 20_000 };
let world: World;
before(async () => {
  world = await openWorld();
});
after(() => world[Symbol.asyncDispose]());

const RUNTIMES: Readonly<
  Record<string, { runtime: string; handler: string; files: (body: keyof typeof BODIES) => Files }>
> = {
  bash: {
    runtime: "provided.al2023",
    handler: "lambda.handler",
    files: (body) => ({ "lambda.sh": BODIES[body].bash }),
  },
  node: { runtime: "nodejs22.x", handler: "index.handler", files: (body) => ({ "index.mjs": BODIES[body].node }) },
  python: { runtime: "python3.13", handler: "app.handler", files: (body) => ({ "app.py": BODIES[body].python }) },
};

const BODIES = {
  echo: {
    bash: "handler() { cat; }",
    node: "export const handler = async (event) => event;",
    python: "def handler(event, context): return event",
  },
  big: {
    bash: `handler() { printf '"'; head -c 5000000 /dev/zero | tr '\\0' x; printf '"'; }`,
    node: `export const handler = async () => "x".repeat(5_000_000);`,
    python: `def handler(event, context): return "x" * 5_000_000`,
  },
  tooBig: {
    bash: `handler() { printf '"'; head -c 6500000 /dev/zero | tr '\\0' x; printf '"'; }`,
    node: `export const handler = async () => "x".repeat(6_500_000);`,
    python: `def handler(event, context): return "x" * 6_500_000`,
  },
  exit3: {
    bash: "handler() { exit 3; }",
    node: "export const handler = async () => process.exit(3);",
    python: "import os\ndef handler(event, context): os._exit(3)",
  },
  sleep: {
    bash: "handler() { sleep 30; }",
    node: "export const handler = () => new Promise((resolve) => setTimeout(resolve, 30_000));",
    python: "import time\ndef handler(event, context): time.sleep(30)",
  },
  syntax: {
    bash: "handler() {\n  if true; then\n}\n",
    node: "export const handler = async () => {\n  let = = 3;\n",
    python: "def handler(event, context)\n  return 1\n",
  },
  lines: {
    bash: `handler() { echo one >&2; echo two >/dev/stderr; printf 'three' >&2; echo '{}'; }`,
    node: `export const handler = async () => { process.stdout.write("one\\ntwo\\n"); process.stderr.write("three"); return {}; };`,
    python: `import sys\ndef handler(event, context):\n  print("one")\n  print("two", file=sys.stderr)\n  sys.stderr.write("three")\n  sys.stderr.flush()\n  return {}`,
  },
} as const;

for (const [name, { runtime, handler, files }] of Object.entries(RUNTIMES)) {
  const start = (body: keyof typeof BODIES) => world.try(files(body), { runtime, handler });

  describe(name, () => {
    test("answers an event with what its handler returns, all of Unicode included", TIME, async () => {
      await using run = await start("echo");
      const event = { text: 'ü \u{1f600} \u0000 " \\ \n 漢字', n: 1.5, list: [null, true, "&~%s $HOME `id` *"] };
      assert.deepEqual(await run.answer(event), event);
    });

    test("takes an event of 1 MB", TIME, async () => {
      await using run = await start("echo");
      const event = { text: "é".repeat(500_000) };
      assert.deepEqual(await run.answer(event), event);
    });

    test("is reused: the second invocation has no init", TIME, async () => {
      await using run = await start("echo");
      const first = await run.invoke(1);
      const second = await run.invoke(2);
      assert.ok(first.initMs! > 0 && first.billedMs >= first.initMs!);
      assert.equal(second.initMs, undefined);
      assert.equal(second.billedMs, Math.ceil(second.durationMs));
      assert.deepEqual([json(first), json(second)], [1, 2]);
      assert.ok(second.maxMemoryMb > 0 && second.maxMemoryMb <= 256);
    });

    test("answers with 5 MB", TIME, async () => {
      await using run = await start("big");
      const result = await run.invoke();
      assert.equal(result.error, undefined);
      assert.equal(result.payload.length, 5_000_002);
    });

    test("may not answer with more than 6 MB", TIME, async () => {
      await using run = await start("tooBig");
      const result = await run.invoke();
      assert.deepEqual(json(result), {
        errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        errorType: "Function.ResponseSizeTooLarge",
      });
      assert.equal(result.error?.kind, "function");
    });

    test("that exits with 3 is Runtime.ExitError, and the next invocation is served", TIME, async () => {
      await using run = await start("exit3");
      const result = await run.invoke({}, { requestId: "8b3f6c2e" });
      assert.deepEqual(json(result), {
        errorType: "Runtime.ExitError",
        errorMessage: "RequestId: 8b3f6c2e Error: Runtime exited with error: exit status 3",
      });
      assert.equal(result.error?.type, "Runtime.ExitError");
      assert.ok(
        run
          .log("platform")
          .includes("RequestId: 8b3f6c2e Error: Runtime exited with error: exit status 3\nRuntime.ExitError"),
      );
      assert.equal((await run.invoke({})).error?.type, "Runtime.ExitError");
    });

    test("that outlives its timeout is killed, and the next invocation is served", TIME, async () => {
      await using run = await start("sleep");
      const result = await run.invoke({}, { timeoutMs: 300, requestId: "8b3f6c2e" });
      assert.deepEqual(json(result), {
        errorType: "Sandbox.Timedout",
        errorMessage: "RequestId: 8b3f6c2e Error: Task timed out after 0.30 seconds",
      });
      assert.deepEqual(result.error, { type: "Sandbox.Timedout", kind: "timeout" });
      assert.equal(result.durationMs, 300);
      assert.match(
        run.log("platform").at(-1)!,
        /^\d{4}-\d\d-\d\dT[\d:.]+Z 8b3f6c2e Task timed out after 0\.30 seconds$/,
      );
      assert.equal((await run.invoke({}, { timeoutMs: 1_000 })).error?.type, "Sandbox.Timedout");
    });

    test("with a syntax error fails at init, is tried again in the invocation, and says where", TIME, async () => {
      await using run = await start("syntax");
      const result = await run.invoke();
      const document = json(result) as { errorType: string; errorMessage: string };
      assert.equal(document.errorType, "Runtime.UserCodeSyntaxError");
      assert.match(document.errorMessage, /syntax/i);
      assert.equal(result.initMs, undefined);
      const reports = run.log("platform").filter((line) => line.startsWith("INIT_REPORT"));
      assert.match(
        reports[0]!,
        /^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: Runtime\.UserCodeSyntaxError$/,
      );
      assert.match(reports[1]!, /\tPhase: invoke\t/);
    });

    test("logs each line of stdout and stderr as the invocation's", TIME, async () => {
      await using run = await start("lines");
      await run.invoke({}, { requestId: "8b3f6c2e" });
      const lines = run.lines.filter(({ requestId }) => requestId === "8b3f6c2e").map((line) => line.text);
      // Two streams have no order between them. "three" has no line end.
      assert.deepEqual(lines.toSorted(), ["one", "three", "two"]);
    });
  });
}

describe("bash", () => {
  test("a handler that fails is an error with its last line on stderr as the message", TIME, async () => {
    await using run = await world.try({ "lambda.sh": `handler() { echo "no such file" >&2; echo >&2; return 4; }` });
    const result = await run.invoke();
    assert.deepEqual(json(result), { errorType: "Runtime.ExitError", errorMessage: "no such file" });
    assert.equal(result.error?.kind, "function");
    // The runtime itself lives on.
    assert.equal(
      run.log("platform").some((line) => line.startsWith("INIT_REPORT")),
      false,
    );
  });

  test("what the file sets with set -e holds in the handler and does not end the runtime", TIME, async () => {
    const file = `set -euo pipefail\nhandler() { [[ $1 == 1 ]] && echo '"fine"' && return; false | true; echo '"not reached"'; }`;
    await using run = await world.try({ "lambda.sh": file });
    assert.equal((await run.invoke(2)).error?.type, "Runtime.ExitError");
    assert.equal(await run.answer(1), "fine");
  });

  test(
    "a handler gets its event as $1 and on stdin, and a job left behind does not hold up the answer",
    TIME,
    async () => {
      const file = `handler() { sleep 20 & read -r line; [[ $line == "$1" ]] && echo "$1"; }`;
      await using run = await world.try({ "lambda.sh": file });
      assert.deepEqual(await run.answer({ a: 1 }, { timeoutMs: 3_000 }), { a: 1 });
    },
  );

  test("a handler cannot speak to the Runtime API in the bootstrap's place", TIME, async () => {
    await using run = await world.try({
      "lambda.sh": `handler() { { echo x >&3; } 2>/dev/null && echo '"open"' || echo '"closed"'; }`,
    });
    assert.equal(await run.answer(), "closed");
  });

  test("a missing file, function or dot is an init error that names it", TIME, async () => {
    await using noFile = await world.try({ "other.sh": "" });
    assert.match(text(await noFile.invoke()), /"Runtime.ImportModuleError".*lambda\.sh: No such file/);
    await using noFunction = await world.try({ "lambda.sh": "true" });
    assert.match(
      text(await noFunction.invoke()),
      /"Runtime.HandlerNotFound".*Handler 'handler' missing on module 'lambda'/,
    );
    await using noDot = await world.try({ "lambda.sh": "true" }, { handler: "lambda" });
    assert.match(text(await noDot.invoke()), /"Runtime.MalformedHandlerName".*Bad handler 'lambda'/);
  });
});

describe("node", () => {
  const node = (files: Files, handler = "index.handler", runtime = "nodejs22.x") =>
    world.try(files, { runtime, handler });

  test("a handler may be CommonJS, in a directory, nested, and answer by callback", TIME, async () => {
    await using run = await node(
      {
        "src/app.js":
          "exports.a = { b: (event, context, callback) => setTimeout(callback, 5, null, context.functionName) };",
      },
      "src/app.a.b",
    );
    assert.equal(await run.answer(), "f");
  });

  test("package.json makes a .js file an ES module", TIME, async () => {
    await using run = await node({
      "package.json": `{"type":"module"}`,
      "index.js": "export const handler = async () => import.meta.url;",
    });
    assert.match(String(await run.answer()), /index\.js$/);
  });

  test("an error reaches the caller with its type, message and trace, and the log as Invoke Error", TIME, async () => {
    await using run = await node({ "index.js": `exports.handler = async () => { throw new TypeError("bäd"); };` });
    const document = json(await run.invoke()) as { errorType: string; errorMessage: string; trace: string[] };
    assert.equal(document.errorType, "TypeError");
    assert.equal(document.errorMessage, "bäd");
    assert.equal(document.trace[0], "TypeError: bäd");
    assert.match(
      run.log("stdout").at(-1)!,
      /^\S+Z\trequest-1\tERROR\tInvoke Error \t\{"errorType":"TypeError","errorMessage":"bäd","stack":\[/,
    );
  });

  test("console lines carry time, request and level, and a message's lines stay one event", TIME, async () => {
    await using run = await node({ "index.mjs": `export const handler = async () => console.warn("a\\nb %d", 5);` });
    assert.equal(await run.answer(), null);
    assert.match(run.log("stdout").at(-1)!, /^\d{4}-\d\d-\d\dT[\d:.]+Z\trequest-1\tWARN\ta\rb 5$/);
  });

  test("a promise that nothing will settle is Runtime.NodeJsExit", TIME, async () => {
    await using run = await node({ "index.mjs": "export const handler = () => new Promise(() => {});" });
    assert.equal((json(await run.invoke()) as { errorType: string }).errorType, "Runtime.NodeJsExit");
  });

  test("a rejection that nobody handles is Runtime.UnhandledPromiseRejection", TIME, async () => {
    const file = `export const handler = () => { Promise.reject(new Error("lost")); return new Promise((resolve) => setTimeout(resolve, 1000)); };`;
    await using run = await node({ "index.mjs": file });
    const document = json(await run.invoke()) as { errorType: string; errorMessage: string };
    assert.deepEqual([document.errorType, document.errorMessage], ["Runtime.UnhandledPromiseRejection", "Error: lost"]);
  });

  test("a missing module or handler is named, and callbacks are refused from Node 24 on", TIME, async () => {
    await using noModule = await node({ "index.mjs": `import "nope"; export const handler = () => 1;` });
    assert.match(text(await noModule.invoke()), /"Runtime.ImportModuleError".*nope/);
    await using noHandler = await node({ "index.mjs": "export const other = 1;" });
    assert.match(
      text(await noHandler.invoke()),
      /"Runtime.HandlerNotFound","errorMessage":"index.handler is undefined or not exported"/,
    );
    await using callback = await node(
      { "index.js": "exports.handler = (a, b, c) => c();" },
      "index.handler",
      "nodejs24.x",
    );
    assert.match(text(await callback.invoke()), /"Runtime.CallbackHandlerDeprecated"/);
  });
});

describe("python", () => {
  const python = (app: string, handler = "app.handler") =>
    world.try({ "app.py": app }, { runtime: "python3.13", handler });

  test("an error reaches the caller with its trace, and the log in one event", TIME, async () => {
    await using run = await python("def handler(event, context):\n    raise ValueError('bäd')\n");
    const result = await run.invoke({}, { requestId: "8b3f6c2e" });
    const { stackTrace, ...document } = json(result) as { stackTrace: string[] };
    assert.deepEqual(document, { errorMessage: "bäd", errorType: "ValueError", requestId: "8b3f6c2e" });
    assert.match(stackTrace[0]!, /^ {2}File "\S*app\.py", line 2, in handler\n {4}raise ValueError\('bäd'\)\n$/);
    assert.match(
      run.log("stdout").at(-1)!,
      /^\[ERROR\] ValueError: bäd\rTraceback \(most recent call last\):\r\u00a0\u00a0File /,
    );
  });

  test("logging writes level, time and request, tab by tab", TIME, async () => {
    await using run = await python(
      "import logging\nlogging.getLogger().setLevel('INFO')\ndef handler(event, context):\n    logging.info('hi %d', 5)\n",
    );
    assert.equal(await run.answer(), null);
    assert.match(run.log("stdout").at(-1)!, /^\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\trequest-1\thi 5$/);
  });

  test("faults of the package are named as AWS names them", TIME, async () => {
    const faults: readonly (readonly [app: string, handler: string, type: string, message: RegExp])[] = [
      [
        "import nope",
        "app.handler",
        "Runtime.ImportModuleError",
        /^Unable to import module 'app': No module named 'nope'$/,
      ],
      ["x = 1", "app.handler", "Runtime.HandlerNotFound", /^Handler 'handler' missing on module 'app'$/],
      [
        "x = 1",
        "app",
        "Runtime.MalformedHandlerName",
        /^Bad handler 'app': not enough values to unpack \(expected 2, got 1\)$/,
      ],
      ["x = 1", "sys.handler", "Runtime.BuiltInModuleConflict", /^Cannot use built-in module sys as a handler module$/],
      [
        "def handler(e, c): return {1}",
        "app.handler",
        "Runtime.MarshalError",
        /^Unable to marshal response: Object of type set is not JSON serializable$/,
      ],
    ];
    for (const [app, handler, type, message] of faults) {
      await using run = await python(app, handler);
      const document = json(await run.invoke()) as { errorType: string; errorMessage: string };
      assert.equal(document.errorType, type);
      assert.match(document.errorMessage, message);
    }
  });

  test("the context has the function's names, its deadline and the request", TIME, async () => {
    const app = `def handler(event, context):
    return [context.function_name, context.aws_request_id, context.memory_limit_in_mb, 0 < context.get_remaining_time_in_millis() <= 5000, context.invoked_function_arn]`;
    await using run = await python(app);
    assert.deepEqual(await run.answer(), [
      "f",
      "request-1",
      "256",
      true,
      "arn:aws:lambda:us-east-1:000000000000:function:f",
    ]);
  });
});

describe("a package's own bootstrap", () => {
  const tutorial = `#!/bin/bash
set -euo pipefail
source "$LAMBDA_TASK_ROOT/\${_HANDLER%.*}.sh"
while true; do
  headers=$(mktemp)
  event=$(curl -sS -LD "$headers" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next")
  id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  response=$("\${_HANDLER##*.}" "$event")
  curl -sS "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response" -d "$response" >/dev/null
done`;

  test("is run with the Runtime API on loopback, as AWS's tutorial writes it", TIME, async () => {
    await using run = await world.try(
      { bootstrap: tutorial, "function.sh": `handler() { echo "got $1"; }` },
      { handler: "function.handler" },
    );
    assert.equal(text(await run.invoke({ a: "ü" })), 'got {"a":"ü"}');
    assert.equal(text(await run.invoke(2)), "got 2");
  });

  test("that cannot be executed is Runtime.InvalidEntrypoint", TIME, async () => {
    await using run = await world.try({ bootstrap: "echo never" });
    assert.deepEqual(json(await run.invoke({}, { requestId: "8b3f6c2e" })), {
      errorType: "Runtime.InvalidEntrypoint",
      errorMessage: "RequestId: 8b3f6c2e Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
    });
  });
});

test("AWS_LAMBDA_EXEC_WRAPPER wraps a managed runtime, and a missing one is exit status 127", TIME, async () => {
  const files = {
    "index.mjs": "export const handler = async () => process.env.WRAPPED;",
    wrapper: '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n',
  };
  const spec = { runtime: "nodejs22.x", handler: "index.handler" };
  const task = world.sandbox.rung.layout ? "/var/task" : ".";
  await using run = await world.try(files, { ...spec, env: { AWS_LAMBDA_EXEC_WRAPPER: `${task}/wrapper` } });
  assert.equal(await run.answer(), "yes");
  await using missing = await world.try(files, { ...spec, env: { AWS_LAMBDA_EXEC_WRAPPER: "/opt/nothing" } });
  assert.match(text(await missing.invoke()), /exit status 127/);
});

test("the client's context reaches the function in all of Unicode, over a header", TIME, async () => {
  const app =
    "def handler(event, context): return [context.client_context.custom, context.client_context.client.app_title]";
  await using run = await world.try({ "app.py": app }, { runtime: "python3.13", handler: "app.handler" });
  const clientContext = JSON.stringify({ custom: { a: "ü\u{1f600}\n" }, client: { app_title: "x" } }, null, 2);
  assert.deepEqual(json(await run.invoke({}, { clientContext })), [{ a: "ü\u{1f600}\n" }, "x"]);
});

test("a streamed response is collected, and an error in its trailers is the function's", TIME, async () => {
  const bootstrap = `#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
base = "/2018-06-01/runtime/invocation/"
while True:
    api.request("GET", base + "next")
    answer = api.getresponse()
    fail = answer.read() == b"1"
    trailers = b"Lambda-Runtime-Function-Error-Type: Function.Broken\\r\\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\\r\\n" if fail else b""
    api.putrequest("POST", base + answer.headers["Lambda-Runtime-Aws-Request-Id"] + "/response")
    for name, value in (("Lambda-Runtime-Function-Response-Mode", "streaming"), ("Transfer-Encoding", "chunked"), ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")):
        api.putheader(name, value)
    api.endheaders()
    api.send(b"3\\r\\nabc\\r\\n3\\r\\ndef\\r\\n0\\r\\n" + trailers + b"\\r\\n")
    assert api.getresponse().read()
`;
  await using run = await world.try({ bootstrap });
  assert.equal(text(await run.invoke(0)), "abcdef");
  const failed = await run.invoke(1);
  assert.deepEqual([json(failed), failed.error], [{ a: 1 }, { type: "Function.Broken", kind: "function" }]);
});

test("a runtime that this host cannot run is refused by name", TIME, async () => {
  await assert.rejects(world.try({ "App.class": "" }, { runtime: "java21" }), {
    name: "InvalidRuntimeException",
    message: /java21/,
  });
});
