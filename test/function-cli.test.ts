// aws-like invoke and function, as a user runs them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { IAM } from "@aws-sdk/client-iam";
import { Lambda } from "@aws-sdk/client-lambda";
import { run } from "./bin.ts";
import { startCloudWithRole } from "./lambda.ts";

const cloud = await startCloudWithRole();
after(() => cloud[Symbol.asyncDispose]());
const cli = (...args: string[]) => run([...args, "--endpoint", cloud.endpoint]);

async function directory(name: string, files: Record<string, string>): Promise<string> {
  const dir = join(cloud.aws.config.dir, name);
  await mkdir(dir);
  for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text);
  return dir;
}

test("function add makes a directory a live function: an edit is seen, and the role may write its logs alone", async () => {
  const dir = await directory("hello", { "lambda.sh": 'handler() { echo "{\\"was\\":$1}"; }\n' });
  const added = await cli("function", "add", dir);
  assert.deepEqual(
    [added.code, added.stdout],
    [0, "arn:aws:lambda:us-east-1:000000000000:function:hello\n"],
    added.stderr,
  );
  const first = await cli("invoke", "hello", "--event", '{"n":1}');
  assert.deepEqual([first.code, first.stdout], [0, '{"was":{"n":1}}\n']);
  assert.match(first.stderr, /^INIT_START .*\nSTART RequestId: .*\nEND RequestId: .*\nREPORT RequestId: .*\n$/);
  await writeFile(join(dir, "lambda.sh"), "handler() { echo 2; }\n");
  assert.equal((await cli("invoke", "hello")).stdout, "2\n");

  const { PolicyNames } = await cloud.client(IAM).listRolePolicies({ RoleName: "hello-role" });
  assert.deepEqual(PolicyNames, ["logs"]);
  const again = await cli("function", "add", dir, "--handler", "lambda.other");
  assert.equal(again.code, 0, again.stderr);
  const { Handler } = await cloud.client(Lambda).getFunctionConfiguration({ FunctionName: "hello" });
  assert.equal(Handler, "lambda.other");
  const { stdout } = await cli("function", "list", "--json");
  assert.deepEqual(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).name),
    ["hello"],
  );
});

test("The runtime is guessed by the files that are there", async () => {
  const cases: [files: Record<string, string>, runtime: string, handler: string][] = [
    [{ "index.mjs": "" }, "nodejs24.x", "index.handler"],
    [{ "app.py": "" }, "python3.14", "app.handler"],
    [{ "lambda_function.py": "" }, "python3.14", "lambda_function.lambda_handler"],
    [{ bootstrap: "", "index.js": "" }, "provided.al2023", "lambda.handler"],
  ];
  await Promise.all(
    cases.map(async ([files, runtime, handler], at) => {
      const dir = await directory(`guess-${at}`, files);
      const { code, stderr } = await cli("function", "add", dir, "--name", `g${at}`);
      assert.equal(code, 0, stderr);
      const made = await cloud.client(Lambda).getFunctionConfiguration({ FunctionName: `g${at}` });
      assert.deepEqual([made.Runtime, made.Handler], [runtime, handler]);
    }),
  );
});

test("invoke shows lines as they come, waits for an asynchronous one, and its exit code says whether the function failed", async () => {
  await cloud.createBash("twice", 'echo one >&2; [ "$1" = 1 ] && { echo two >&2; return 3; }; echo "[$1]"');
  const failed = await cli("invoke", "twice", "--event", "1", "--follow");
  assert.equal(failed.code, 1);
  assert.deepEqual(JSON.parse(failed.stdout), { errorType: "Runtime.ExitError", errorMessage: "two" });
  assert.match(failed.stderr, /\none\ntwo\nRequestId: (?:.*\n)*END RequestId: .*\nREPORT .*\n$/);
  const event = join(cloud.aws.config.dir, "event.json");
  await writeFile(event, "[2]");
  const later = await cli("invoke", "twice", "--event", event, "--async", "--follow");
  assert.equal(later.code, 0);
  assert.match(later.stdout, /^[0-9a-f-]{36}\n$/);
  assert.match(later.stderr, new RegExp(`\\none\\nEND RequestId: ${later.stdout.trim()}\\n`));
  const lost = await cli("invoke", "twice", "--event", "1", "--async", "--follow");
  assert.equal(lost.code, 1);
});

test("What cannot be done is said in one sentence", async () => {
  const outside = join(import.meta.dirname, "../bin");
  const cases: [args: string[], sentence: RegExp][] = [
    [["invoke"], /say one function/],
    [
      ["invoke", "none"],
      /ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:none/,
    ],
    [["invoke", "none", "--follow"], /ResourceNotFoundException: /],
    [["invoke", "none", "--event", "{"], /\{ is neither JSON nor a file/],
    [["invoke", "none", "--event", "/etc/hostname"], /the event is not JSON/],
    [["function", "remove", "x"], /say: aws-like function add DIR, or aws-like function list/],
    [["function", "add", "/nowhere"], /\/nowhere is no directory/],
    [
      ["function", "add", outside],
      /has no lambda.sh, bootstrap, index.mjs, index.js or app.py; say --runtime and --handler/,
    ],
    [
      ["function", "add", outside, "--runtime", "provided.al2023", "--handler", "x"],
      /InvalidParameterValueException: The live code .* must lie within the workspace/,
    ],
  ];
  await Promise.all(
    cases.map(async ([args, sentence]) => {
      const { code, stderr } = await cli(...args);
      assert.equal(code, 1);
      assert.match(stderr, /^aws-like: [^\n]+\n$/);
      assert.match(stderr, sentence);
    }),
  );
});

test("debug: the sandbox waits for a debugger, and the timeout does not run while one is there", async () => {
  const dir = await directory("held", {
    "index.mjs": "export const handler = async (event) => {\n  const answer = event.n + 1;\n  return answer;\n};\n",
  });
  assert.equal((await cli("function", "add", dir)).code, 0);
  await cloud.client(Lambda).updateFunctionConfiguration({ FunctionName: "held", Timeout: TIMEOUT_S });
  const port = await freePort();
  const asked = ["debug", "held", "--port", `${port}`, "--event"];
  const debugged = cli(...asked, '{"n":1}');
  await holdAtLine(1, port);
  const { code, stdout, stderr } = await debugged;
  assert.deepEqual([code, stdout], [0, "2\n"], stderr);
  const [, durationMs] = /\tDuration: ([\d.]+) ms/.exec(stderr)!;
  assert.ok(Number(durationMs) > TIMEOUT_S * 1000, `${durationMs} ms`);
  // Whoever left debugs no more: the next sandbox waits for nobody.
  assert.equal((await cli("invoke", "held", "--event", '{"n":2}')).stdout, "3\n");
  const shell = await cli("debug", "twice");
  assert.match(shell.stderr, /^aws-like: twice runs on provided\.al2023: there is no debugger for it/);
});

test("debug: Python waits with the debugpy that lies beside the function, and says so where there is none", async () => {
  const app = "def handler(event, context):\n    return 1\n";
  // A stand-in that says what it is asked for: the real one is no part of this host.
  const debugpy = 'def listen(at):\n    print("listens", at)\ndef wait_for_client():\n    print("waits")\n';
  await cli("function", "add", await directory("py", { "app.py": app, "debugpy.py": debugpy }));
  const waited = await cli("debug", "py", "--port", "5679", "--event", "{}");
  assert.deepEqual([waited.code, waited.stdout], [0, "1\n"], waited.stderr);
  assert.match(waited.stderr, /listens \('127\.0\.0\.1', 5679\)\nwaits\nSTART /);
  await cli("function", "add", await directory("py-alone", { "app.py": app }));
  const alone = await cli("debug", "py-alone", "--event", "{}");
  assert.equal(alone.code, 1);
  assert.match(JSON.parse(alone.stdout).errorMessage, /No module named 'debugpy'.*pip install --target DIR debugpy/);
});

const TIMEOUT_S = 1;
/** Longer than the function's timeout. */
const HELD_MS = 1300;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** Attaches as an editor does, stops there, goes on. */
async function holdAtLine(lineNumber: number, port: number): Promise<void> {
  const socket = new WebSocket(await debuggerAt(port));
  await once(socket, "open");
  let id = 0;
  const say = (method: string, params = {}) => socket.send(JSON.stringify({ id: ++id, method, params }));
  const { promise: paused, resolve } = Promise.withResolvers<void>();
  socket.addEventListener("message", ({ data }) => JSON.parse(data).method === "Debugger.paused" && resolve());
  say("Debugger.enable");
  say("Debugger.setBreakpointByUrl", { lineNumber, urlRegex: ".*/index\\.mjs$" });
  say("Runtime.runIfWaitingForDebugger");
  await paused;
  await new Promise((resolve) => setTimeout(resolve, HELD_MS));
  say("Debugger.resume");
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.close();
}

async function debuggerAt(port: number): Promise<string> {
  for (let tries = 0; ; tries++)
    try {
      const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
        webSocketDebuggerUrl: string;
      }[];
      return target!.webSocketDebuggerUrl;
    } catch (error) {
      if (tries === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
}
