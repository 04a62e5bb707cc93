import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { loadModel } from "./load.ts";
import type { Model } from "./model.ts";
import { compilePattern } from "./pattern.ts";
import { sentence, validate } from "./validate.ts";

const modelOf = (name: string): Model => loadModel(new URL(`../services/${name}/service.ts`, import.meta.url).href)();
const services = readdirSync(new URL("../services", import.meta.url));
const table = { TableName: "abc", KeySchema: [{ AttributeName: "a", KeyType: "HASH" }] };

test("sound input has no violations", () => {
  assert.deepEqual(validate(modelOf("dynamodb"), "CreateTable", table), []);
  assert.deepEqual(validate(modelOf("sqs"), "SendMessage", { QueueUrl: "u", MessageBody: "" }), []);
});

test("a member that is missing is null", () => {
  assert.deepEqual(validate(modelOf("events"), "PutRule", {}), [
    "Value null at 'name' failed to satisfy constraint: Member must not be null",
  ]);
});

test("a string tells its pattern before its length", () => {
  assert.deepEqual(validate(modelOf("events"), "PutRule", { Name: "!".repeat(65) }), [
    `Value '${"!".repeat(65)}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+`,
    `Value '${"!".repeat(65)}' at 'name' failed to satisfy constraint: Member must have length less than or equal to 64`,
  ]);
});

test("a path names list members by number and map members by key", () => {
  const { SendMessageBatch } = modelOf("sqs").operations;
  assert.ok(SendMessageBatch);
  assert.deepEqual(
    validate(modelOf("sns"), "PublishBatch", {
      TopicArn: "t",
      PublishBatchRequestEntries: [{ Id: "a", Message: "m", MessageAttributes: { attr1: {} } }],
    }),
    [
      "Value null at 'publishBatchRequestEntries.1.member.messageAttributes.attr1.member.dataType' failed to satisfy constraint: Member must not be null",
    ],
  );
});

test("simple members of a list are told of together, at the list", () => {
  assert.deepEqual(
    validate(modelOf("lambda"), "UpdateFunctionConfiguration", { FunctionName: "f", Layers: ["x", "y"] }).map((v) =>
      v.replace(/pattern: .*/, "..."),
    ),
    [
      "Value '[x, y]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 140, Member must have length greater than or equal to 1, Member must satisfy regular expression ...",
    ],
  );
});

test("a map's keys and values are told of at the map, numbers as Java prints them", () => {
  const input = (weights: Record<string, number>) => ({
    FunctionName: "f",
    Name: "a",
    FunctionVersion: "1",
    RoutingConfig: { AdditionalVersionWeights: weights },
  });
  const [value] = validate(modelOf("lambda"), "CreateAlias", input({ "2": 2 }));
  assert.match(value!, /^Value '\{2=2\.0\}' at 'routingConfig\.additionalVersionWeights' .*Map value must satisfy/);
  assert.match(value!, /Member must have value less than or equal to 1\.0/);
  const [key] = validate(modelOf("lambda"), "CreateAlias", input({ $LATEST: 0.5 }));
  assert.match(key!, /Map keys must satisfy constraint: \[Member must have length less than or equal to 1024/);
});

test("structures are printed as Java prints them", () => {
  const entries = Array.from({ length: 11 }, (_, i) => ({ Source: `s${i}` }));
  const [violation] = validate(modelOf("events"), "PutEvents", { Entries: entries });
  assert.match(violation!, /^Value '\[PutEventsRequestEntry\(time=null, source=s0, resources=null, detailType=null, /);
  assert.match(violation!, /\)\]' at 'entries' .*: Member must have length less than or equal to 10$/);
});

test("a sensitive value is not shown", () => {
  const violations = validate(modelOf("iam"), "CreateLoginProfile", { UserName: "u", Password: "a".repeat(200) });
  assert.deepEqual(violations, [
    "Value at 'password' failed to satisfy constraint: Member must have length less than or equal to 128",
  ]);
});

test("ten violations are enough", () => {
  const keys = Array.from({ length: 25 }, () => ({}));
  const violations = validate(modelOf("events"), "PutTargets", { Rule: "r", Targets: keys });
  assert.equal(violations.length, 10);
  assert.match(
    sentence(violations),
    /^10 validation errors detected: Value null at 'targets\.1\.member\.id' .*; Value/,
  );
  assert.match(sentence(["x"]), /^1 validation error detected: x$/);
});

test("every pattern of every model can be read, and none takes long", () => {
  const patterns = new Set<string>();
  for (const name of services) {
    const text = readFileSync(new URL(`../services/${name}/model.json`, import.meta.url), "utf8");
    for (const shape of Object.values((JSON.parse(text) as Model).shapes))
      if ("pattern" in shape && shape.pattern !== undefined) patterns.add(shape.pattern);
  }
  assert.ok(patterns.size > 200);
  for (const pattern of patterns) {
    const matches = compilePattern(pattern);
    for (const unit of ["a", "0", " ", "a.", "a/", "arn:aws:", "_"]) {
      const started = performance.now();
      matches(`${unit.repeat(2000)}\u0001!`);
      assert.ok(performance.now() - started < 400, `${pattern} on ${unit}`);
    }
  }
});

test("header patterns that would backtrack without end mean what they say", () => {
  const matches = compilePattern("^[ \\t]*[\\x20-\\x7E]+([ \\t]+[\\x20-\\x7E]+)*[ \\t]*$");
  for (const good of ["a", " a b\tc ", "\t x\t", " "]) assert.ok(matches(good), good);
  for (const bad of ["", "\t", "a\u0001", "ä"]) assert.ok(!matches(bad), JSON.stringify(bad));
});
