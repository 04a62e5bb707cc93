import assert from "node:assert/strict";
import { test } from "node:test";
import type { Item } from "../value.ts";
import { applyUpdate } from "./apply.ts";
import { type Bindings, bindCondition, bindProjection, bindUpdate } from "./bind.ts";
import { compileCondition, compileProjection, compileUpdate } from "./compile.ts";
import { matches } from "./evaluate.ts";
import { project } from "./project.ts";

const bindings = (values: Item = {}, names: Record<string, string> = {}): Bindings => ({
  names,
  values,
  usedNames: new Set(),
  usedValues: new Set(),
});
const VALUES: Item = {
  ":s": { S: "ab" },
  ":t": { S: "z" },
  ":n": { N: "5" },
  ":m": { N: "1" },
  ":l": { L: [{ S: "x" }] },
  ":ss": { SS: ["a", "b"] },
  ":type": { S: "S" },
  ":bad": { S: "X" },
  ":bool": { BOOL: true },
};
const NAMES = { "#a": "a", "#odd": "a.b-c" };
const ITEM: Item = {
  a: { S: "abc" },
  b: { N: "5" },
  c: { L: [{ N: "1" }, { M: { d: { S: "deep" } } }, { N: "3" }] },
  d: { M: { e: { S: "in" }, f: { L: [{ S: "x" }, { S: "y" }] } } },
  e: { SS: ["a", "b"] },
  "a.b-c": { S: "odd" },
};
const condition = (text: string) =>
  bindCondition(compileCondition(text, "ConditionExpression"), "ConditionExpression", bindings(VALUES, NAMES));
const update = (text: string) =>
  bindUpdate(compileUpdate(text, "UpdateExpression"), "UpdateExpression", bindings(VALUES, NAMES));

const HOLDS = [
  "begins_with(a, :s)",
  "a <> :s",
  "b = :n AND NOT b = :m",
  "not b between :m and :m",
  "b BETWEEN :m AND :n",
  "b in (:m, :n)",
  "size(e) < :n",
  "b = :n",
  "contains(a, :s)",
  "attribute_type(a, :type)",
  "attribute_exists(c[1].d) and attribute_not_exists(c[3])",
  "attribute_not_exists(d.gone)",
  "gone <> :s",
  "(a) = (d.e) or b = :n",
  "#odd <> :s and e = :ss",
  "a = :t or b = :n and c = c[0] or b > :m",
] as const;

test("conditions that hold", () => {
  for (const text of HOLDS) assert.equal(matches(condition(text), ITEM), true, text);
});

const FAILS = [
  "gone = :s",
  "gone = another",
  "b < :m",
  "a > :n",
  "begins_with(b, :s)",
  "NOT (b = :n)",
  "a = :t AND b = :n",
];

test("conditions that do not hold", () => {
  for (const text of FAILS) assert.equal(matches(condition(text), ITEM), false, text);
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["", "The expression can not be empty;"],
  ["a", 'Syntax error; token: "<EOF>", near: "a"'],
  ["a = ", 'Syntax error; token: "<EOF>", near: "="'],
  ["a = :s b", 'Syntax error; token: "b", near: ":s b"'],
  ["_a = :s", 'Syntax error; token: "_", near: "_a"'],
  ["a == :s", 'Syntax error; token: "=", near: "== :s"'],
  ["a = :s and", 'Syntax error; token: "<EOF>", near: "and"'],
  ["b in ()", 'Syntax error; token: ")", near: "()"'],
  ["((a = :s))", "The expression has redundant parentheses;"],
  ["a = :s or ((b = :n))", "The expression has redundant parentheses;"],
  ["abort = :s", "Attribute name is a reserved keyword; reserved keyword: abort"],
  ["#x = :s", "An expression attribute name used in the document path is not defined; attribute name: #x"],
  ["a = :x", "An expression attribute value used in expression is not defined; attribute value: :x"],
  ["foo(a)", "Invalid function name; function: foo"],
  ["toString(a)", "Invalid function name; function: toString"],
  ["size(a)", "The function is not allowed to be used this way in an expression; function: size"],
  [
    "attribute_exists(a) = :s",
    "The function is not allowed to be used this way in an expression; function: attribute_exists",
  ],
  ["if_not_exists(a, :s) = :s", "The function is not allowed in a condition expression; function: if_not_exists"],
  [
    "attribute_exists(a, b)",
    "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2",
  ],
  ["attribute_exists(:s)", "Operator or function requires a document path; operator or function: attribute_exists"],
  [
    "begins_with(a, :n)",
    "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
  ],
  ["a < :bool", "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"],
  [
    "attribute_type(a, :bad)",
    "Invalid attribute type name found; type: X, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
  ],
  [
    "a = #a",
    "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]",
  ],
  [
    "a between :n and :s",
    "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {S:ab}",
  ],
  [
    "a between :n and :m",
    "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {N:1}",
  ],
  [Array(302).fill("a = :s").join(" or ").slice(0, 4000), "operator count"],
  ["a".repeat(5000), "Expression size has exceeded the maximum allowed size; expression size: 5000"],
];

test("conditions are refused in AWS's words", () => {
  for (const [text, words] of REFUSED)
    assert.throws(
      () => condition(text),
      (error: Error) => error.message.startsWith("Invalid ConditionExpression: ") && error.message.includes(words),
      `${text.slice(0, 60)} -> ${words}`,
    );
});

test("parentheses that group are not redundant", () => {
  for (const text of ["((a = :s) and (b = :n))", "((a) = :s)", "(a = :s) and b = :n", "((b) in (:n))"])
    assert.doesNotThrow(() => condition(text), text);
});

const UPDATES: readonly (readonly [string, Item])[] = [
  ["SET a = :s", { a: { S: "ab" } }],
  ["set b = b + :m, g = b - :m", { b: { N: "6" }, g: { N: "4" } }],
  ["SET g = if_not_exists(g, :n), a = if_not_exists(a, :n)", { g: { N: "5" } }],
  ["SET d.f = list_append(d.f, :l)", { d: { M: { e: { S: "in" }, f: { L: [{ S: "x" }, { S: "y" }, { S: "x" }] } } } }],
  ["SET c[9] = :s, c[7] = :t", { c: { L: [...ITEM.c!.L!, { S: "z" }, { S: "ab" }] } }],
  ["REMOVE c[0], c[2]", { c: { L: [ITEM.c!.L![1]!] } }],
  ["ADD b :n, e :ss", { b: { N: "10" } }],
  ["DELETE e :ss", { e: undefined as never }],
  ["SET b = (b - :n), g = (b), h = (b) + :n", { b: { N: "0" }, g: { N: "5" }, h: { N: "10" } }],
  ["SET a = b, b = a", { a: { N: "5" }, b: { S: "abc" } }],
  ["REMOVE gone SET g = :s ADD h :n", { g: { S: "ab" }, h: { N: "5" } }],
];

test("updates read the item as it was, and leave the rest", () => {
  for (const [text, changes] of UPDATES) {
    const expected = Object.fromEntries(Object.entries({ ...ITEM, ...changes }).filter(([, value]) => value));
    const before = structuredClone(ITEM);
    assert.deepEqual(applyUpdate(update(text), ITEM, true), expected, text);
    assert.deepEqual(ITEM, before, `${text} changes its input`);
  }
});

const REFUSED_UPDATES: readonly (readonly [string, string])[] = [
  ["SET a :s", 'Invalid UpdateExpression: Syntax error; token: ":s", near: "a :s"'],
  ["SET _123 = :s", 'Invalid UpdateExpression: Syntax error; token: "_", near: "SET _123"'],
  [
    "SET a = :s SET b = :s",
    'Invalid UpdateExpression: The "SET" section can only be used once in an update expression;',
  ],
  ["SET a = ((b - :n))", "Invalid UpdateExpression: The expression has redundant parentheses;"],
  ["SET a = (b - :n) + :n", 'Invalid UpdateExpression: Syntax error; token: "+", near: ") + :n"'],
  ["SET a = size(b)", "Invalid UpdateExpression: The function is not allowed in an update expression; function: size"],
  [
    "SET a.b = :s, a = :s",
    "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a]",
  ],
  [
    "SET a.b = :s REMOVE a[0]",
    "Invalid UpdateExpression: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [0]]",
  ],
  [
    "ADD a :s",
    "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
  ],
  [
    "DELETE a :n",
    "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
  ],
  ["SET a = gone", "The provided expression refers to an attribute that does not exist in the item"],
  ["SET gone.x = :s", "The document path provided in the update expression is invalid for update"],
  ["REMOVE gone.x", "The document path provided in the update expression is invalid for update"],
  ["SET a = a + :n", "An operand in the update expression has an incorrect data type"],
  ["ADD a :n", "An operand in the update expression has an incorrect data type"],
];

test("updates are refused in AWS's words", () => {
  for (const [text, message] of REFUSED_UPDATES)
    assert.throws(() => applyUpdate(update(text), ITEM, true), { name: "ValidationException", message }, text);
});

test("REMOVE within an item that is not there does nothing", () => {
  assert.deepEqual(applyUpdate(update("REMOVE x.y"), {}, false), {});
});

test("a projection keeps what it names, lists closed up", () => {
  const paths = bindProjection(
    compileProjection("c[2], c[0], d.f[1], #odd, gone.x", "ProjectionExpression"),
    "ProjectionExpression",
    bindings({}, NAMES),
  );
  assert.deepEqual(project(ITEM, paths), {
    c: { L: [{ N: "1" }, { N: "3" }] },
    d: { M: { f: { L: [{ S: "y" }] } } },
    "a.b-c": { S: "odd" },
  });
});
