import assert from "node:assert/strict";
import { test } from "node:test";
import { compileFilterPattern, PatternFault } from "./filter-pattern.ts";

const matches = (pattern: string, message: string): boolean => compileFilterPattern(pattern)(message) !== undefined;

function table(cases: readonly (readonly [pattern: string, message: string, expected: boolean])[]): void {
  for (const [pattern, message, expected] of cases)
    assert.equal(matches(pattern, message), expected, `${pattern} on ${message}`);
}

test("Terms must all be there; optional ones once, excluded ones never; case counts", () => {
  table([
    ["", "anything", true],
    ["ERROR", "[ERROR] A fatal exception", true],
    ["ERROR", "Exiting with ERRORCODE: -1", true],
    ["error", "ERROR", false],
    ["ERROR ARGUMENTS", "ERROR 400 INVALID ARGUMENTS", true],
    ["ERROR ARGUMENTS", "ERROR 419 MISSING", false],
    ["?ERROR ?WARN", "WARN 1", true],
    ["?ERROR ?WARN", "INFO 1", false],
    ["?ERROR ARGUMENTS", "ARGUMENTS only", true],
    ["?ERROR ARGUMENTS", "ERROR only", false],
    ["ERROR -ARGUMENTS", "ERROR 401", true],
    ["ERROR -ARGUMENTS", "ERROR ARGUMENTS", false],
    ['"INTERNAL SERVER ERROR"', "500 INTERNAL SERVER ERROR", true],
    ['"INTERNAL SERVER ERROR"', "ERROR SERVER INTERNAL", false],
    ['-"a b" c', "c a b", false],
    ['"say \\"hi\\""', 'say "hi"', true],
    ["%AUTHORIZED%", "UNAUTHORIZED 401", true],
    ["%^4\\d{2}$%", "404", true],
    ["%^4\\d{2}$%", "504", false],
    ["Straße", "Straße", true],
  ]);
});

test("A JSON pattern compares properties", () => {
  const event = JSON.stringify({
    eventType: "UpdateTrail",
    sourceIPAddress: "111.111.111.111",
    arrayKey: ["value", "another value"],
    objectList: [
      { name: "a", id: 1 },
      { name: "b", id: 2 },
    ],
    SomeObject: null,
    active: true,
    off: false,
    latency: 12.5,
    text: "404",
    "dotted.name": 3,
    user: { id: 1, email: "John.Stiles@example.com" },
  });
  table([
    ['{ $.eventType = "UpdateTrail" }', event, true],
    ['{ $.eventType = "Update*" }', event, true],
    ['{ $.eventType = "Create*" }', event, false],
    ["{ $.sourceIPAddress != 123.123.* }", event, true],
    ["{ $.sourceIPAddress = 111.111.* }", event, true],
    ['{ $.arrayKey[0] = "value" }', event, true],
    ['{ $.arrayKey[7] = "value" }', event, false],
    ['{ $.objectList[1].name = "b" && $.objectList[1].id = 2 }', event, true],
    ["{ $.objectList[*].id = 2 }", event, true],
    ['{ $.user.* = "John*" }', event, true],
    ["{ $.SomeObject IS NULL }", event, true],
    ["{ $.SomeOtherObject NOT EXISTS }", event, true],
    ["{ $.SomeObject NOT EXISTS }", event, false],
    ["{ $.active IS TRUE }", event, true],
    ["{ $.off is false }", event, true],
    ["{ $.latency > 12 && $.latency <= 1.25e1 }", event, true],
    ["{ $.latency < 12 }", event, false],
    ["{ $.text = 404 }", event, true],
    ["{ $.text > 400 }", event, true],
    ["{ $['dotted.name'] = 3 }", event, true],
    ['{ $.["dotted.name"] = 3 }', event, true],
    ["{ ($.user.id = 1 || $.latency = 1) && $.user.email = %^John% }", event, true],
    ["{ $.user.id = 2 || $.latency = 1 }", event, false],
    ["{ $.missing != 1 }", event, false],
    ["{ $.user = 1 }", event, false],
    ["{ $.a = 1 }", "no json", false],
    ["{ $.a = 1 }", '{"a": 1', false],
    ["{$.a=1}", '{"a":1}\n', true],
  ]);
  const { extracted, value } = compileFilterPattern("{ $.user.id = 1 }")(event)!;
  assert.deepEqual(extracted, { "$.user.id": "1" });
  assert.equal(value("$.latency"), "12.5");
  assert.equal(value("$.nothing"), undefined);
});

test("A space-delimited pattern names fields", () => {
  const line = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534';
  table([
    ["[ip, id, user, timestamp, request, status_code, size]", line, true],
    ["[ip, id, user, timestamp, request, status_code]", line, false],
    ["[ip, id, user, timestamp, request, status_code = 4*, size > 1000]", line, true],
    ["[ip, id, user, timestamp, request, status_code = 5*, size]", line, false],
    ["[ip, ..., request = *index*, status_code, size]", line, true],
    ["[..., status_code = 404, size >= 1534]", line, true],
    ["[ip = 127.0.*, ...]", line, true],
    ["[ip, id, user = frank || user = joe, ...]", line, true],
    ["[ip, id, (user != frank && user != joe), ...]", line, false],
    ['[ip, id, user, timestamp, request = "GET * HTTP/1.0", ...]', line, true],
    ["[ip=%^127%, ,user, ...]", line, true],
    ["[w1=ERROR, w2]", "ERROR happened", true],
    ["[w1!=ERROR, w2]", "ERROR happened", false],
    ["[]", line, true],
    ["[a, ..., b]", "one", false],
  ]);
  const match = compileFilterPattern("[ip, , ..., request, status, size]")(line)!;
  assert.equal(match.extracted.$request, "GET /index.html HTTP/1.0");
  assert.equal(match.extracted.$2, "Prod");
  assert.equal(match.extracted.$4, "10/Oct/2000:13:25:15 -0700");
  assert.equal(match.value("$size"), "1534");
});

test("A pattern that is none is refused", () => {
  for (const pattern of [
    "{ $.a = }",
    "{ $.a = 1",
    "{ a = 1 }",
    "{ $.a }",
    "{ $.a > x }",
    '{ $.a = "b }',
    "{ $.a = 1 } x",
    "[a, ..., b, ...]",
    "[a b]",
    "[a = 1 && b = 2]",
    "not-quoted",
    '"open',
    "%open",
    "%(%",
    "%(?=a)%",
  ])
    assert.throws(() => compileFilterPattern(pattern), PatternFault, pattern);
});
