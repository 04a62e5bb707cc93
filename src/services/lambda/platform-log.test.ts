import assert from "node:assert/strict";
import { test } from "node:test";
import { CreateFunctionCommand, UpdateFunctionConfigurationCommand } from "@aws-sdk/client-lambda";
import { type LambdaCloud, ROLE, startCloudWithRole } from "../../../test/lambda.ts";
import { zipOf } from "../../../test/zip.ts";
import type { LoggingConfig } from "./logging.ts";
import { platformLog } from "./platform-log.ts";

const requestId = "8f507cfc-xmpl-4697-b07a-ac58fc914c95";
const now = Date.UTC(2026, 0, 13, 12);
const report = { requestId, durationMs: 3.006, billedMs: 4, memoryMb: 128, maxMemoryMb: 36 };

test("Lambda's own lines are AWS's", () => {
  const log = platformLog({ LogFormat: "Text", LogGroup: "g" });
  assert.deepEqual(log.start(now, requestId, "$LATEST"), [`START RequestId: ${requestId} Version: $LATEST`]);
  const init = (runtime: string) => log.initStart(now, { runtime, runtimeVersionArn: "arn:0b", version: "1" });
  assert.deepEqual(init("python3.13"), ["INIT_START Runtime Version: python:3.13.v1\tRuntime Version ARN: arn:0b"]);
  assert.match(init("nodejs22.x")[0]!, /Version: nodejs:22\.v1\t/);
  assert.match(init("provided.al2023")[0]!, /Version: provided:al2023\.v1\t/);
  const line = `REPORT RequestId: ${requestId}\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t`;
  assert.deepEqual(log.report(now, report), [`END RequestId: ${requestId}`, line]);
  assert.equal(log.report(now, { ...report, initMs: 110.1 })[1], `${line}Init Duration: 110.10 ms\t`);
  const failed = (kind: "function" | "runtime" | "timeout") =>
    log.report(now, { ...report, error: { type: "Runtime.ExitError", kind } })[1];
  assert.equal(failed("function"), line);
  assert.equal(failed("timeout"), `${line}Status: timeout\t`);
  assert.equal(failed("runtime"), `${line}Status: error\tError Type: Runtime.ExitError\t`);
});

const json = (SystemLogLevel: "DEBUG" | "INFO" | "WARN", ApplicationLogLevel: "TRACE" | "WARN" = "WARN") =>
  platformLog({ LogFormat: "JSON", LogGroup: "g", SystemLogLevel, ApplicationLogLevel } satisfies LoggingConfig);
const typesOf = (lines: readonly string[]): string[] => lines.map((line) => JSON.parse(line).type);

test("JSON says the same in records, each with a level of its own", () => {
  const [start] = json("INFO").start(now, requestId, "$LATEST");
  assert.deepEqual(JSON.parse(start!), {
    time: "2026-01-13T12:00:00.000Z",
    type: "platform.start",
    record: { requestId, version: "$LATEST" },
  });
  const [said] = json("INFO").report(now, { ...report, initMs: 110.1 });
  assert.deepEqual(JSON.parse(said!).record, {
    requestId,
    metrics: { durationMs: 3.006, billedDurationMs: 4, memorySizeMB: 128, maxMemoryUsedMB: 36, initDurationMs: 110.1 },
    status: "success",
  });
  assert.deepEqual(typesOf(json("DEBUG").report(now, report)), ["platform.runtimeDone", "platform.report"]);
  assert.deepEqual(json("WARN").report(now, report), []);
  assert.deepEqual(json("WARN").start(now, requestId, "1"), []);
  const failed = json("WARN").report(now, { ...report, error: { type: "Runtime.ExitError", kind: "runtime" } });
  assert.deepEqual(
    failed.map((line) => JSON.parse(line).record.status),
    ["error", "error"],
  );
  assert.deepEqual(json("INFO").initialized(now, 12), []);
  assert.deepEqual(typesOf(json("DEBUG").initialized(now, 12)), ["platform.initRuntimeDone", "platform.initReport"]);
  const error = { type: "Runtime.ExitError", kind: "runtime" } as const;
  const init = { stream: "platform", text: "INIT_REPORT ...", initFailure: { ms: 1, phase: "invoke", error } } as const;
  assert.deepEqual(JSON.parse(json("WARN").line(now, init)[1]!).record, {
    initializationType: "on-demand",
    phase: "invoke",
    status: "error",
    errorType: "Runtime.ExitError",
    metrics: { durationMs: 1 },
  });
});

test("A line of the function is kept by the level that it names together with a valid time; else it counts as INFO", () => {
  const timestamp = "2026-01-13T12:00:00.000Z";
  const cases: [object | string, { kept: boolean }][] = [
    [{ timestamp, level: "ERROR" }, { kept: true }],
    [{ timestamp, level: "warning" }, { kept: true }],
    [{ timestamp, log_level: "CRITICAL" }, { kept: true }],
    [{ timestamp, level: "INFO" }, { kept: false }],
    [{ timestamp, level: "loud" }, { kept: false }],
    [{ timestamp: "today", level: "ERROR" }, { kept: false }],
    [{ level: "ERROR" }, { kept: false }],
    ["ERROR", { kept: false }],
    ["{ no json", { kept: false }],
  ];
  for (const [said, { kept }] of cases) {
    const text = typeof said === "string" ? said : JSON.stringify(said);
    assert.deepEqual(json("INFO").line(now, { stream: "stdout", text }), kept ? [text] : [], text);
    assert.deepEqual(json("INFO", "TRACE").line(now, { stream: "stdout", text }), [text]);
  }
  const text = "Task timed out after 3.00 seconds";
  assert.deepEqual(json("WARN").line(now, { stream: "platform", text }), [text]);
});

async function logOf(cloud: LambdaCloud, name: string): Promise<Record<string, unknown>[]> {
  const { log } = await cloud.invoke(name, { n: 1 }, { LogType: "Tail" });
  return log
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("Functions log as their LoggingConfig says: structured lines of Node and Python, from their level on", async () => {
  await using cloud = await startCloudWithRole();
  const create = (FunctionName: string, Runtime: "nodejs22.x" | "python3.13", code: string, level: "DEBUG" | "WARN") =>
    cloud.lambda.send(
      new CreateFunctionCommand({
        FunctionName,
        Runtime,
        Handler: "app.handler",
        Role: ROLE,
        Code: { ZipFile: zipOf({ [Runtime === "python3.13" ? "app.py" : "app.mjs"]: code }) },
        LoggingConfig: { LogFormat: "JSON", ApplicationLogLevel: level, SystemLogLevel: "WARN" },
      }),
    );
  const { LoggingConfig: chosen } = await create(
    "node",
    "nodejs22.x",
    `export const handler = async () => {
      console.info("not this");
      console.warn("a %s", "b");
      console.warn({ deep: [1] });
      console.error("failed:", new RangeError("no\\nmore"));
      throw new TypeError("end");
    };`,
    "WARN",
  );
  assert.deepEqual(chosen, {
    LogFormat: "JSON",
    ApplicationLogLevel: "WARN",
    SystemLogLevel: "WARN",
    LogGroup: "/aws/lambda/node",
  });
  const [text, object, error, last, ...none] = await logOf(cloud, "node");
  assert.deepEqual(none, []);
  assert.match(String(text!.timestamp), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual([text!.level, text!.message, object!.message], ["WARN", "a b", { deep: [1] }]);
  assert.deepEqual([error!.level, error!.errorType, error!.errorMessage], ["ERROR", "RangeError", "no\nmore"]);
  assert.match(String(text!.requestId), /^[0-9a-f-]{36}$/);
  const { errorType, errorMessage } = last!.message as Record<string, unknown>;
  assert.deepEqual([last!.level, errorType, errorMessage], ["ERROR", "TypeError", "end"]);

  await create(
    "python",
    "python3.13",
    `import logging
def handler(event, context):
    logging.debug("seen", extra={"colour": "red"})
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("caught")
    raise ValueError("end")
`,
    "DEBUG",
  );
  const [seen, caught, raised] = await logOf(cloud, "python");
  assert.deepEqual([seen!.level, seen!.message, seen!.logger, seen!.colour], ["DEBUG", "seen", "root", "red"]);
  assert.match(String(seen!.requestId), /^[0-9a-f-]{36}$/);
  assert.deepEqual([caught!.errorType, caught!.errorMessage], ["ZeroDivisionError", "division by zero"]);
  assert.equal(caught!.location, "/var/task/app.py:handler:7");
  assert.deepEqual([raised!.log_level, raised!.errorType, raised!.requestId], ["ERROR", "ValueError", seen!.requestId]);

  await cloud.lambda.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: "python",
      LoggingConfig: { ApplicationLogLevel: "FATAL", SystemLogLevel: "DEBUG" },
    }),
  );
  assert.deepEqual(
    (await logOf(cloud, "python")).map(({ type }) => type),
    ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"].map((type) => `platform.${type}`),
  );
  const back = await cloud.lambda.send(
    new UpdateFunctionConfigurationCommand({ FunctionName: "python", LoggingConfig: { LogFormat: "Text" } }),
  );
  assert.deepEqual(back.LoggingConfig, { LogFormat: "Text", LogGroup: "/aws/lambda/python" });
  await assert.rejects(
    cloud.lambda.send(
      new UpdateFunctionConfigurationCommand({ FunctionName: "python", LoggingConfig: { SystemLogLevel: "INFO" } }),
    ),
    {
      name: "InvalidParameterValueException",
      message:
        'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the LogFormat to "Json" and try again.',
    },
  );
});
