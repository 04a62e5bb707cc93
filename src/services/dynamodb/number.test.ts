import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addNumbers, canonicalNumber, compareNumbers, numberBytes, numberSize } from "./number.ts";

const CANONICAL: readonly (readonly [string, string])[] = [
  ["0", "0"],
  ["-0", "0"],
  ["+7", "7"],
  ["007.500", "7.5"],
  [".5", "0.5"],
  ["5.", "5"],
  ["1e3", "1000"],
  ["1E-3", "0.001"],
  ["-12.5e1", "-125"],
  ["1e125", `1${"0".repeat(125)}`],
  ["-1e-130", `-0.${"0".repeat(129)}1`],
  ["0e999999999999", "0"],
  [`${"9".repeat(38)}`, "9".repeat(38)],
];

test("a number is answered in plain decimal, without sign of plus and needless zeros", () => {
  for (const [text, canonical] of CANONICAL) assert.equal(canonicalNumber(text), canonical);
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["", /^The parameter cannot be converted to a numeric value$/],
  ["a", /^The parameter cannot be converted to a numeric value: a$/],
  ["1 ", /cannot be converted/],
  ["0x1", /cannot be converted/],
  ["NaN", /cannot be converted/],
  ["Infinity", /cannot be converted/],
  ["1.2.3", /cannot be converted/],
  [".", /cannot be converted/],
  ["1".repeat(39), /^Attempting to store more than 38 significant digits in a Number$/],
  ["1e126", /^Number overflow\. Attempting to store a number with magnitude larger than supported range$/],
  ["-1e126", /overflow/],
  ["1e-131", /^Number underflow\. Attempting to store a number with magnitude smaller than supported range$/],
  ["1e999999999999", /overflow/],
];

test("what is no number, too long or out of range is refused in AWS's words", () => {
  for (const [text, message] of REFUSED)
    assert.throws(() => canonicalNumber(text), { name: "ValidationException", message });
});

test("addition and subtraction are exact, and refuse what needs more than 38 digits", () => {
  assert.equal(addNumbers("0.1", "0.2"), "0.3");
  assert.equal(addNumbers("99999999999999999999", "1"), "100000000000000000000");
  assert.equal(addNumbers("5", "7.25", "-"), "-2.25");
  assert.equal(addNumbers("5", "5", "-"), "0");
  assert.throws(() => addNumbers("1e125", "1"), /38 significant digits/);
  assert.throws(() => addNumbers("9e125", "9e125"), /overflow/);
});

test("AWS's size of a number: half a byte a significant digit, and one more", () => {
  for (const [text, size] of [
    ["0", 1],
    ["5", 2],
    ["-5", 3],
    ["100", 2],
    ["1234", 3],
    ["0.05", 2],
    ["-12.345", 5],
  ] as const)
    assert.equal(numberSize(text), size, text);
});

const decimal = fc
  .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 38n - 1n }), fc.integer({ min: -130, max: 87 }))
  .map(([negative, digits, exponent]) => `${negative ? "-" : ""}${digits}e${exponent}`);

test("bytes sort as numbers do", () => {
  fc.assert(
    fc.property(decimal, decimal, (a, b) => {
      const [x, y] = [canonicalNumber(a), canonicalNumber(b)];
      assert.equal(Math.sign(Buffer.compare(numberBytes(x), numberBytes(y))), Math.sign(compareNumbers(x, y)));
    }),
  );
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (a, b) => {
      assert.equal(Math.sign(Buffer.compare(numberBytes(`${a}`), numberBytes(`${b}`))), Math.sign(a - b));
    }),
  );
});

test("the normal form is its own normal form, and equal numbers have equal bytes", () => {
  fc.assert(
    fc.property(decimal, (text) => {
      const canonical = canonicalNumber(text);
      assert.equal(canonicalNumber(canonical), canonical);
      assert.deepEqual(numberBytes(text), numberBytes(canonical));
      assert.ok(numberBytes(text).length <= 22);
    }),
  );
});

test("adding agrees with exact integer arithmetic", () => {
  const integer = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
  fc.assert(
    fc.property(integer, integer, (a, b) => {
      assert.equal(addNumbers(`${a}`, `${b}`), `${a + b}`);
      assert.equal(addNumbers(`${a}`, `${b}`, "-"), `${a - b}`);
    }),
  );
});

test("a number takes a byte for two digits on either side of the point", () => {
  for (const [number, bytes] of [
    ["0", 1],
    ["1", 2],
    ["12", 2],
    ["1010", 3],
    ["100", 2],
    ["1.5", 3],
    ["15", 2],
    ["3.14159", 5],
    ["100.5", 4],
    ["0.15", 2],
    ["0.0000001", 2],
    ["-42", 3],
    [`1${"0".repeat(125)}`, 2],
  ] as const)
    assert.equal(numberSize(number), bytes, number);
});
