import assert from "node:assert/strict";
import { test } from "node:test";
import { compileFilterPolicy, type FilterPolicyScope } from "./filter-policy.ts";
import { compilePattern, type PatternFault } from "./pattern.ts";

/** What a pattern takes, and what it leaves. */
const MATCHES: readonly [what: string, pattern: object, takes: readonly object[], leaves: readonly object[]][] = [
  [
    "values are equal with their type",
    { a: ["x", 5, true, null] },
    [{ a: "x" }, { a: 5 }, { a: 5.0 }, { a: true }, { a: null }],
    [{ a: "X" }, { a: "5" }, { a: false }, { a: "true" }, { a: 0 }, { a: "" }, {}, { b: "x" }, { a: { x: "x" } }],
  ],
  ["an empty text is a value", { a: [""] }, [{ a: "" }], [{ a: null }, { a: " " }, { a: [] }]],
  ["all paths must match", { a: [1], b: { c: [2] } }, [{ a: 1, b: { c: 2, d: 3 } }], [{ a: 1 }, { a: 1, b: 2 }]],
  ["arrays match where they meet", { a: [1, 2] }, [{ a: [2, 3] }, { a: [[3], [1]] }], [{ a: [3] }, { a: [] }]],
  ["an empty array has no value", { a: [null] }, [{ a: [null] }], [{ a: [] }]],
  ["prefix", { a: [{ prefix: "us-" }] }, [{ a: "us-east-1" }, { a: ["eu", "us-"] }], [{ a: "US-" }, { a: 5 }, {}]],
  ["suffix", { a: [{ suffix: ".png" }] }, [{ a: ".png" }, { a: "x.png" }], [{ a: "x.PNG" }, { a: "png" }]],
  [
    "prefix and suffix that ignore case",
    { a: [{ prefix: { "equals-ignore-case": "EventB" } }, { suffix: { "equals-ignore-case": "tBridge" } }] },
    [{ a: "eventbus" }, { a: "EVENTB" }, { a: "a-TBRIDGE" }],
    [{ a: "event" }, { a: "tbridge-" }],
  ],
  ["equals-ignore-case", { a: [{ "equals-ignore-case": "Alice" }] }, [{ a: "aLICE" }], [{ a: "Alices" }, { a: null }]],
  ["exactly", { a: [{ exactly: "x" }] }, [{ a: "x" }], [{ a: "X" }]],
  [
    "anything-but a text takes whatever else is there",
    { a: [{ "anything-but": "x" }] },
    [{ a: "y" }, { a: null }, { a: 5 }, { a: ["x", "y"] }, { a: "" }],
    [{ a: "x" }, {}, { a: [] }, { a: ["x"] }],
  ],
  ["anything-but texts", { a: [{ "anything-but": ["x", "y"] }] }, [{ a: "z" }, { a: 1 }], [{ a: "x" }, { a: "y" }]],
  [
    "anything-but numbers",
    { a: [{ "anything-but": [1, 6000] }] },
    [{ a: 2 }, { a: "1" }, { a: 6_000_000_000 }],
    [{ a: 1 }, { a: 6e3 }],
  ],
  ["anything-but zero", { a: [{ "anything-but": 0 }] }, [{ a: 1 }, { a: "" }, { a: false }], [{ a: 0 }, { a: -0 }]],
  [
    "anything-but that begins so",
    { a: [{ "anything-but": { prefix: "us-" } }] },
    [{ a: "eu" }, { a: 12 }, { a: null }],
    [{ a: "us-1" }, {}],
  ],
  [
    "anything-but one of those ends",
    { a: [{ "anything-but": { suffix: ["a", "b"] } }] },
    [{ a: "c" }],
    [{ a: "xa" }, { a: "b" }],
  ],
  [
    "anything-but in any case",
    { a: [{ "anything-but": { "equals-ignore-case": ["On"] } }] },
    [{ a: "no" }],
    [{ a: "ON" }],
  ],
  [
    "anything-but a wildcard",
    { a: [{ "anything-but": { wildcard: "*/lib/*" } }] },
    [{ a: "/bin/x" }],
    [{ a: "/lib/x" }],
  ],
  [
    "numeric",
    { a: [{ numeric: ["=", 3.018e2] }] },
    [{ a: 301.8 }],
    [{ a: "301.8" }, { a: 301.80001 }, { a: null }, { a: 302 }],
  ],
  [
    "numeric above",
    { a: [{ numeric: [">", 0] }] },
    [{ a: 0.000001 }, { a: 5e9 }],
    [{ a: 0 }, { a: 5_000_000_001 }, { a: 1e300 }],
  ],
  ["numeric at least", { a: [{ numeric: [">=", -5e9] }] }, [{ a: -5e9 }], [{ a: -5_000_000_001 }]],
  ["numeric below", { a: [{ numeric: ["<", 10] }, { numeric: ["<=", -1] }] }, [{ a: 9.999999 }], [{ a: 10 }]],
  ["numeric between", { a: [{ numeric: [">", 0, "<=", 5] }] }, [{ a: 5 }, { a: 1 }], [{ a: 0 }, { a: 5.000001 }]],
  ["numbers in the sixth digit", { a: [{ numeric: ["=", 0.3] }] }, [{ a: 0.1 + 0.2 }], [{ a: 0.300001 }]],
  ["large numbers are equal as numbers", { a: [123456789012] }, [{ a: 123456789012 }], [{ a: 123456789013 }]],
  [
    "cidr",
    { a: [{ cidr: "10.0.0.0/24" }] },
    [{ a: "10.0.0.0" }, { a: "10.0.0.255" }],
    [{ a: "10.0.1.0" }, { a: "10.0.0" }, { a: 10 }, { a: "::ffff:10.0.0.1" }],
  ],
  ["cidr begins where it is written", { a: [{ cidr: "10.0.0.5/24" }] }, [{ a: "10.0.0.5" }], [{ a: "10.0.0.4" }]],
  ["cidr of all", { a: [{ cidr: "0.0.0.0/0" }] }, [{ a: "255.255.255.255" }], [{ a: "::1" }]],
  [
    "cidr of IPv6",
    { a: [{ cidr: "2001:db8:1234:1a00::/56" }] },
    [{ a: "2001:0db8:1234:1a00:0:0:0:1" }, { a: "2001:db8:1234:1aff:ffff:ffff:ffff:ffff" }],
    [{ a: "2001:db8:1234:1b00::" }, { a: "10.0.0.1" }],
  ],
  [
    "exists",
    { a: [{ exists: true }] },
    [{ a: null }, { a: 0 }, { a: [1] }],
    [{}, { a: {} }, { a: [] }, { a: { b: 1 } }],
  ],
  [
    "exists not",
    { a: { b: [{ exists: false }] } },
    [{}, { a: {} }, { a: { b: { c: 1 } } }, { a: 1 }],
    [{ a: { b: null } }],
  ],
  ["exists not, or a value", { a: [{ exists: false }, "x"] }, [{}, { a: "x" }], [{ a: "y" }]],
  ["wildcard", { a: [{ wildcard: "a*c" }] }, [{ a: "ac" }, { a: "abcc" }], [{ a: "a" }, { a: "acb" }, { a: 5 }]],
  [
    "wildcards",
    { a: [{ wildcard: "*/dir/*.png" }] },
    [{ a: "/dir/.png" }, { a: "x/dir/y/z.png" }],
    [{ a: "/dir.png" }],
  ],
  [
    "wildcard's text may not be used twice",
    { a: [{ wildcard: "ab*b*ba" }] },
    [{ a: "abbba" }],
    [{ a: "abba" }, { a: "aba" }],
  ],
  ["wildcard escapes", { a: [{ wildcard: "a\\*\\\\*" }] }, [{ a: "a*\\x" }], [{ a: "aX\\x" }, { a: "a*x" }]],
  [
    "$or",
    { s: [1], $or: [{ a: [1] }, { b: [1], c: [1] }] },
    [
      { s: 1, a: 1 },
      { s: 1, b: 1, c: 1 },
    ],
    [{ s: 1, b: 1 }, { a: 1 }, { s: 1 }],
  ],
  [
    "$or in $or, and beside it",
    { $or: [{ a: [1] }, { d: { $or: [{ b: [1] }, { c: [1] }] } }], e: { $or: [{ f: [1] }, { g: [1] }] } },
    [
      { a: 1, e: { f: 1 } },
      { d: { c: 1 }, e: { g: 1 } },
    ],
    [{ a: 1 }, { e: { f: 1 } }, { d: {}, e: { g: 1 } }],
  ],
  [
    "keys with dots in the pattern",
    { "a.b": { c: [1] } },
    [{ a: { b: { c: 1 } } }, { a: { "b.c": 1 } }],
    [{ a: { b: 1 } }],
  ],
  ["keys with dots in the event", { a: { b: [1] } }, [{ "a.b": 1 }, { "a.b": 1, a: { b: 2 } }], [{ "a.c": 1 }]],
  [
    "objects in arrays",
    { e: { first: ["Anna"], last: ["Smith"] } },
    [
      {
        e: [
          { first: "John", last: "Doe" },
          { first: "Anna", last: "Smith" },
        ],
      },
      { e: [[{ first: "Anna", last: ["S", "Smith"] }]] },
    ],
    [
      {
        e: [
          { first: "Anna", last: "Jones" },
          { first: "Peter", last: "Smith" },
        ],
      },
      { e: [[{ first: "Anna" }], [{ last: "Smith" }]] },
    ],
  ],
  [
    "arrays in objects in arrays",
    { a: { b: { c: [1], d: [2] }, e: [3] } },
    [{ a: [{ e: 3, b: [{ c: 0 }, { c: 1, d: 2 }] }] }],
    [{ a: [{ e: 3, b: [{ c: 1 }, { d: 2 }] }] }, { a: [{ e: 3 }, { b: [{ c: 1, d: 2 }] }] }],
  ],
  ["arrays beside one another", { a: { x: [1] }, b: { x: [1] } }, [{ a: [{ x: 1 }], b: [{ x: 0 }, { x: 1 }] }], []],
  [
    "exists: false looks at all elements",
    { a: { b: [1], c: [{ exists: false }] } },
    [{ a: [{ b: 1 }] }],
    [{ a: [{ b: 1 }, { c: 2 }] }],
  ],
  [
    "names of operators are keys, where an operator is not meant",
    { prefix: { numeric: [1] } },
    [{ prefix: { numeric: 1 } }],
    [{}],
  ],
  ["names of JavaScript's own", { constructor: ["x"], __proto__x: [1] }, [{ constructor: "x", __proto__x: 1 }], [{}]],
];
for (const [what, pattern, takes, leaves] of MATCHES)
  test(`A pattern: ${what}`, () => {
    const compiled = compilePattern(JSON.stringify(pattern));
    for (const event of takes) assert.equal(compiled.matches(event), true, `takes ${JSON.stringify(event)}`);
    for (const event of leaves) assert.equal(compiled.matches(event), false, `leaves ${JSON.stringify(event)}`);
  });

test("A path that is named twice counts as it is named last", () => {
  const pattern = compilePattern('{"a": ["x"], "b": ["y"], "a": ["z"]}');
  assert.equal(pattern.matches({ a: "z", b: "y" }), true);
  assert.equal(pattern.matches({ a: "x", b: "y" }), false);
});

test("What is no object matches nothing, not even a pattern that wants nothing", () => {
  const pattern = compilePattern('{"a": [{"exists": false}]}');
  assert.equal(pattern.matches({}), true);
  for (const event of [undefined, null, "text", 5, [], [{}]]) assert.equal(pattern.matches(event), false);
});

test("An event that is nested without end, or repeats itself, does not hold up", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 200_000; i++) deep = i % 2 ? { a: deep } : [deep];
  assert.equal(compilePattern('{"a": [1]}').matches({ a: deep }), false);
  const wide = { a: Array.from({ length: 300 }, (_, b) => ({ b, c: -b, d: b })) };
  const pattern = compilePattern(
    '{"a": {"b": [{"exists": true}], "c": [{"exists": true}], "d": [{"exists": true}], "e": [{"exists": false}]}}',
  );
  assert.equal(pattern.matches(wide), true);
  const never = compilePattern(
    '{"a": {"b": [{"numeric": [">", 150]}], "c": [{"numeric": [">", -150]}], "d": [{"exists": true}]}}',
  );
  assert.equal(never.matches(wide), false);
});

/** Recorded on AWS, but for the last lines: Event Ruler has their words. `%` is the text. */
const REFUSED: readonly [pattern: string, reason: string][] = [
  ['{"int": 42}', '"int" must be an object or an array\n at [Source: (String)"%"; line: 1, column: 11]'],
  ['{"string": "my-value"}', '"string" must be an object or an array\n at [Source: (String)"%"; line: 1, column: 13]'],
  [
    '{"detail": {"equal": [{"NUMERIC": ["=", 5]}]}}',
    'Unrecognized match type NUMERIC\n at [Source: (String)"%"; line: 1, column: 36]',
  ],
  ['{"resources": []}', 'Empty arrays are not allowed\n at [Source: (String)"%"; line: 1, column: 17]'],
  ['{"my_key": [{"EXISTS": true}]}', 'Unrecognized match type EXISTS\n at [Source: (String)"%"; line: 1, column: 28]'],
  [
    '{"detail": {"c-count": [{"numeric": [">", 0, ">", 0]}]}}',
    'Bad numeric range operator: >\n at [Source: (String)"%"; line: 1, column: 49]',
  ],
  [
    '{"detail": {"c-count": [{"numeric": [">", 0, "<"]}]}}',
    'Value of < must be numeric\n at [Source: (String)"%"; line: 1, column: 50]',
  ],
  [
    '{"key":[["value"]]}',
    'Match value must be String, number, true, false, or null\n at [Source: (String)"%"; line: 1, column: 10]',
  ],
  [
    '{"key":[{"suffix":"value","prefix":"value2"}]}',
    'Only one key allowed in match expression\n at [Source: (String)"%"; line: 1, column: 37]',
  ],
  ['{"key":[{"numeric":[]}]}', 'Invalid member in numeric match: ]\n at [Source: (String)"%"; line: 1, column: 22]'],
  [
    '{"key":[{"numeric":["operator"]}]}',
    'Unrecognized numeric range operator: operator\n at [Source: (String)"%"; line: 1, column: 32]',
  ],
  [
    '{"key":[{"numeric":[1,"<="]}]}',
    'Invalid member in numeric match: 1\n at [Source: (String)"%"; line: 1, column: 22]',
  ],
  [
    '{"key":[{"numeric":["=","000"]}]}',
    'Value of equals must be numeric\n at [Source: (String)"%"; line: 1, column: 26]',
  ],
  ['{"key":[{"numeric":[">="]}]}', 'Value of >= must be numeric\n at [Source: (String)"%"; line: 1, column: 26]'],
  [
    '{"key":[{"numeric":["<",100,">",10]}]}',
    'Too many elements in numeric expression\n at [Source: (String)"%"; line: 1, column: 30]',
  ],
  [
    '{"key":[{"numeric":[">",3,"<",1]}]}',
    'Bottom must be less than top\n at [Source: (String)"%"; line: 1, column: 33]',
  ],
  [
    '{"key":[{"numeric":[">",20,30]}]}',
    'Bad value in numeric range: 30\n at [Source: (String)"%"; line: 1, column: 30]',
  ],
  [
    '{"key":[{"numeric":[">",20,"<",30,"<",50]}]}',
    'Too many terms in numeric range expression\n at [Source: (String)"%"; line: 1, column: 36]',
  ],
  [
    '{"key":[{"exists":"no"}]}',
    'exists match pattern must be either true or false.\n at [Source: (String)"%"; line: 1, column: 20]',
  ],
  [
    '{"EventBusArn": [{"wildcard": 123}]}',
    'wildcard match pattern must be a string\n at [Source: (String)"%"; line: 1, column: 34]',
  ],
  [
    '{"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:**:event-bus/*"}]}',
    'Consecutive wildcard characters at pos 26\n at [Source: (String)"%"; line: 1, column: 72]',
  ],
  [
    '{"EventBusArn": [{"wildcard": "*:*:*:*:*:event-bus/*"}]}',
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character",
  ],
  [
    '{"a": [{"equals-ignore-case": {"prefix": "ec2"}}]}',
    'equals-ignore-case match pattern must be a string\n at [Source: (String)"%"; line: 1, column: 32]',
  ],
  ['{"a": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR, one '/' required"],
  ['{"a": [{"cidr": "10.0.0.0/x"}]}', "Malformed CIDR, mask bits must be an integer"],
  ['{"a": [{"cidr": "xx.11.xx/8"}]}', "Nonstandard IP address: xx.11.xx"],
  ['{"a": [{"cidr": "xxxx:db8:1234:1a00::/56"}]}', "Nonstandard IP address: xxxx:db8:1234:1a00::"],
  [
    '{"detail": {"sourceIPAddress": [{"cidr": ["bad-type"]}]}}',
    'prefix match pattern must be a string\n at [Source: (String)"%"; line: 1, column: 43]',
  ],
  [
    '{"detail": {"state": [{"anything-but": {"equals-ignore-case": 123}}]}}',
    'Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.\n at [Source: (String)"%"; line: 1, column: 66]',
  ],
  [
    '{"detail": {"state": [{"anything-but": {"prefix": [123, "test"]}}]}}',
    'prefix/suffix match pattern must be a string\n at [Source: (String)"%"; line: 1, column: 55]\n at [Source: (String)"%"; line: 1, column: 55]',
  ],
  [
    '{"detail": {"FileName": [{"anything-but": {"suffix": {"equals-ignore-case": ".png"}}}]}}',
    'Value of anything-but must be an array or single string/number value.\n at [Source: (String)"%"; line: 1, column: 55]',
  ],
  ["[]", 'Filter is not an object\n at [Source: (String)"%"; line: 1, column: 2]'],
  [
    "this is no json",
    "Unrecognized token 'this': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"%\"; line: 1, column: 5]",
  ],
  [
    "{'bad': 'quotation'}",
    "Unexpected character (''' (code 39)): was expecting double-quote to start field name\n at [Source: (String)\"%\"; line: 1, column: 2]",
  ],
  [
    '{"not": closed mark"',
    "Unrecognized token 'closed': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"%\"; line: 1, column: 15]",
  ],
  ['{"a":\n [\n  {"b": 1}]}', 'Unrecognized match type b\n at [Source: (String)"%"; line: 3, column: 10]'],
  ["{}", 'Empty objects are not allowed\n at [Source: (String)"%"; line: 1, column: 3]'],
  ['{"a": [{}]}', 'Match expression name not found\n at [Source: (String)"%"; line: 1, column: 10]'],
  [
    '{"a": [{"anything-but": ["x", 1]}]}',
    'Inside anything but list, either all values are number or string, mixed type is not supported\n at [Source: (String)"%"; line: 1, column: 33]',
  ],
  [
    '{"a": [{"anything-but": {"prefix": ""}}]}',
    'Null prefix/suffix not allowed\n at [Source: (String)"%"; line: 1, column: 38]',
  ],
  [
    '{"a": [{"anything-but": {"numeric": 1}}]}',
    'Unsupported anything-but pattern: numeric\n at [Source: (String)"%"; line: 1, column: 38]',
  ],
  [
    '{"a": [{"prefix": {"suffix": "a"}}]}',
    'Unsupported prefix pattern: suffix\n at [Source: (String)"%"; line: 1, column: 31]',
  ],
  [
    '{"a": [{"numeric": ["=", 5000000001]}]}',
    'Value must be between -5.0E9 and 5.0E9, inclusive\n at [Source: (String)"%"; line: 1, column: 36]',
  ],
  ['{"a": [{"cidr": "10.0.0.0/32"}]}', "IPv4 mask bits must be < 32"],
  ['{"a": [{"cidr": "::/128"}]}', "IPv6 mask bits must be < 128"],
  [
    '{"a": [{"wildcard": "a\\\\b"}]}',
    'Invalid escape character at pos 2\n at [Source: (String)"%"; line: 1, column: 27]',
  ],
  ['{"$or": {"a": [1]}}', 'It must be an Array followed with $or.\n at [Source: (String)"%"; line: 1, column: 10]'],
  [
    '{"$or": [{"a": [1]}]}',
    'There must have at least 2 Objects in $or relationship.\n at [Source: (String)"%"; line: 1, column: 21]',
  ],
  [
    '{"$or": [1, 2]}',
    'Only JSON object is allowed in array of $or relationship.\n at [Source: (String)"%"; line: 1, column: 11]',
  ],
  [
    '{"$or": [{"prefix": [1]}, {"a": [1]}]}',
    'prefix is Ruler reserved fieldName which cannot be used inside $or.\n at [Source: (String)"%"; line: 1, column: 22]',
  ],
  [
    '{"a": [1',
    'Unexpected end-of-input: expected close marker for Array (start marker at [Source: (String)"%"; line: 1, column: 7])\n at [Source: (String)"%"; line: 1, column: 9]',
  ],
  [
    '{"a": ["x',
    'Unexpected end-of-input: was expecting closing quote for a string value\n at [Source: (String)"%"; line: 1, column: 10]',
  ],
  [
    '{"a": [1}',
    "Unexpected close marker '}': expected ']' (for Array starting at [Source: (String)\"%\"; line: 1, column: 7])\n at [Source: (String)\"%\"; line: 1, column: 9]",
  ],
  [
    '{"a": [1] "b": [2]}',
    'Unexpected character (\'"\' (code 34)): was expecting comma to separate Object entries\n at [Source: (String)"%"; line: 1, column: 11]',
  ],
];
test("EventBridge says what is wrong with a pattern, and where", () => {
  for (const [pattern, reason] of REFUSED) {
    const message = `Event pattern is not valid. Reason: ${reason.replaceAll("%", () => pattern)}`;
    assert.throws(() => compilePattern(pattern), { name: "PatternFault", message });
  }
});

test("A long pattern is shown to its 500th character", () => {
  const text = `{"a": [1], "${"b".repeat(600)}": 5}`;
  assert.throws(
    () => compilePattern(text),
    (error: PatternFault) =>
      error.reason.includes(`(String)"${text.slice(0, 500)}"[truncated ${text.length - 500} chars]; line`),
  );
});

test("$or makes a thousand combinations, and no more", () => {
  const ors = (count: number, each: number) =>
    JSON.stringify(
      Object.fromEntries(
        Array.from({ length: count }, (_, i) => [
          `k${i}`,
          { $or: Array.from({ length: each }, (_, j) => ({ [`f${j}`]: [1] })) },
        ]),
      ),
    );
  assert.equal(compilePattern(ors(3, 10)).rules.length, 1000);
  for (const tooMany of [ors(10, 2), ors(60, 2)])
    assert.throws(() => compilePattern(tooMany), /Reason: Rule is too complex/);
});

test("A wildcard may repeat itself behind one asterisk, as AWS's documentation shows", () => {
  for (const wildcard of [
    "/Users/*/dir/dir/dir/dir/dir/doc.txt",
    "arn:aws:events:us-east-1:*:event-bus/*",
    "*/dir/*.png",
    "*Title*",
  ])
    compilePattern(JSON.stringify({ a: [{ wildcard }] }));
  assert.throws(() => compilePattern(JSON.stringify({ a: [{ wildcard: `${"a*".repeat(30)}b` }] })), /too complex/);
});

const text = (StringValue: string) => ({ DataType: "String", StringValue });
const number = (StringValue: string) => ({ DataType: "Number", StringValue });
const list = (...values: unknown[]) => ({ DataType: "String.Array", StringValue: JSON.stringify(values) });

test("A filter policy asks a message's attributes", () => {
  const filter = (
    policy: object,
    attributes: Parameters<ReturnType<typeof compileFilterPolicy>["matches"]>[0]["attributes"],
  ) => compileFilterPolicy(JSON.stringify(policy), "MessageAttributes").matches({ body: '{"a": "x"}', attributes });
  assert.equal(filter({ a: ["x"] }, { a: text("x") }), true);
  assert.equal(filter({ a: ["x"] }, {}), false, "the body is not asked");
  assert.equal(filter({ a: [5] }, { a: number("5.0") }), true);
  assert.equal(filter({ a: [5] }, { a: text("5") }), false);
  assert.equal(filter({ a: [{ numeric: [">", 1] }] }, { a: list(0, 2) }), true);
  assert.equal(filter({ a: [{ "anything-but": ["rugby", "tennis"] }] }, { a: list("rugby", "chess") }), true);
  assert.equal(filter({ a: ["x"] }, { a: { DataType: "String.Array", StringValue: "x" } }), false);
  assert.equal(filter({ a: ["x"] }, { a: { DataType: "String.Custom", StringValue: "x" } }), true);
  assert.equal(filter({ a: [{ exists: true }] }, { a: { DataType: "Binary" } }), false);
  assert.equal(filter({ a: [{ exists: false }] }, {}), true);
  assert.equal(filter({ a: [null, { "anything-but": "x" }] }, {}), true, "null is what is not there");
  assert.equal(filter({ a: [null, { "anything-but": "x" }] }, { a: text("x") }), false);
  assert.equal(filter({ $or: [{ a: ["x"] }, { b: ["y"] }] }, { b: text("y") }), true);
  assert.equal(filter({ a: [{ suffix: "x" }, { cidr: "10.0.0.0/8" }] }, { a: text("10.1.1.1") }), true);
});

test("A filter policy asks a message's body", () => {
  const policy = compileFilterPolicy('{"a": {"b": [{"prefix": "auto-"}, null]}}', "MessageBody");
  const matches = (body: string) => policy.matches({ body, attributes: { a: text("auto-1") } });
  assert.equal(matches('{"a": {"b": "auto-1"}}'), true);
  assert.equal(matches('{"a": [{"b": "x"}, {"b": "auto-"}]}'), true);
  for (const body of ["{}", "no json", '"auto-1"', "[]", "", '{"a": {"b": "manual"}}'])
    assert.equal(matches(body), false, body);
});

const KEYS = (count: number, prefix = "k") =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, ["v"]]));
const VALUES = (count: number) => Array.from({ length: count }, (_, i) => `v${i}`);
const AT = "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column:";

/** Recorded on AWS. */
const POLICIES_REFUSED: readonly [scope: FilterPolicyScope, policy: string, message: string][] = [
  [
    "MessageAttributes",
    "{invalidjson}",
    `FilterPolicy: failed to parse JSON. Unexpected character ('i' (code 105)): was expecting double-quote to start field name${AT} 2]`,
  ],
  ["MessageBody", '{"key":[{"wrong-operator":true}]}', `FilterPolicy: Unrecognized match type wrong-operator${AT} 31]`],
  ["MessageAttributes", '{"key_a":"value_one"}', `FilterPolicy: "key_a" must be an object or an array${AT} 11]`],
  [
    "MessageAttributes",
    '{"a":{"b":["c"]}}',
    "Filter policy scope MessageAttributes does not support nested filter policy",
  ],
  ["MessageAttributes", JSON.stringify(KEYS(6)), "FilterPolicy: Filter policy can not have more than 5 keys"],
  ["MessageBody", JSON.stringify(KEYS(6)), "FilterPolicy: Filter policy can not have more than 5 keys"],
  ["MessageAttributes", JSON.stringify({ a: VALUES(151) }), "FilterPolicy: Filter policy is too complex"],
  ["MessageBody", JSON.stringify({ a: VALUES(13), b: VALUES(12) }), "FilterPolicy: Filter policy is too complex"],
  [
    "MessageBody",
    JSON.stringify({ a: { b: { c: VALUES(4) } }, d: { e: VALUES(3) }, f: VALUES(3) }),
    "FilterPolicy: Filter policy is too complex",
  ],
];
test("SNS says what is wrong with a filter policy", () => {
  for (const [scope, policy, message] of POLICIES_REFUSED)
    assert.throws(() => compileFilterPolicy(policy, scope), { name: "PatternFault", message });
  compileFilterPolicy(JSON.stringify({ a: VALUES(10), b: VALUES(15) }), "MessageAttributes");
  compileFilterPolicy(JSON.stringify({ a: KEYS(7) }), "MessageBody");
});
