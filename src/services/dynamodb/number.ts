// DynamoDB's numbers: 38 significant digits, magnitude 1E-130 to 9.9..E+125, and zero. Exact, never a JavaScript number.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
import { errors } from "./errors.ts";

/** value = ± d.ddd × 10^exponent with the digits of `digits`, which neither begins nor ends with 0. Zero has no digits and no sign. */
export interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

const MOST_DIGITS = 38;
const LARGEST_EXPONENT = 125;
const SMALLEST_EXPONENT = -130;
const ZERO: Decimal = { negative: false, digits: "", exponent: 0 };
const SYNTAX = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** Throws AWS's ValidationException for what is no number, has too many digits, or is out of range. */
export function parseNumber(text: string): Decimal {
  const match = SYNTAX.exec(text);
  const whole = match?.[2] ?? "";
  const fraction = match?.[3] ?? "";
  if (!match || whole.length + fraction.length === 0)
    throw errors.validation(`The parameter cannot be converted to a numeric value${text === "" ? "" : `: ${text}`}`);
  return within(match[1] === "-", whole + fraction, whole.length - 1 + Number(match[4] ?? 0));
}

/** The normal form that DynamoDB answers: plain decimal always, `1e125` has 126 digits. */
export function formatNumber({ negative, digits, exponent }: Decimal): string {
  if (digits === "") return "0";
  const sign = negative ? "-" : "";
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = digits.slice(exponent + 1);
  return fraction ? `${sign}${whole}.${fraction}` : sign + whole;
}

const PLAIN = /^(?:0|-?[1-9]\d{0,37})$/;
export const canonicalNumber = (text: string): string => (PLAIN.test(text) ? text : formatNumber(parseNumber(text)));

/** Of two canonical texts: negative, 0 or positive. */
export function compareNumbers(a: string, b: string): number {
  if (a === b) return 0;
  const x = parseNumber(a);
  const y = parseNumber(b);
  const sign = signOf(x) - signOf(y);
  if (sign !== 0) return sign;
  const size = x.exponent - y.exponent || (x.digits < y.digits ? -1 : x.digits > y.digits ? 1 : 0);
  return x.negative ? -size : size;
}

/** Exact a + b, or a - b; beyond 38 digits or the range it is AWS's overflow error. */
export function addNumbers(a: string, b: string, operator: "+" | "-" = "+"): string {
  const x = parseNumber(a);
  const y = parseNumber(b);
  const scale = Math.min(scaleOf(x), scaleOf(y));
  const sum = asInteger(x, scale) + (operator === "+" ? asInteger(y, scale) : -asInteger(y, scale));
  const digits = (sum < 0n ? -sum : sum).toString();
  return formatNumber(within(sum < 0n, digits, digits.length - 1 + scale));
}

/**
 * Bytes that sort as the numbers do: a biased base-100 exponent, then digit pairs plus one; for negative numbers all inverted, with 102 at
 * the end unless there are 20 pairs. AWS hashes these bytes to place a partition.
 */
export function numberBytes(text: string): Uint8Array {
  const { negative, digits, exponent } = parseNumber(text);
  if (digits === "") return Uint8Array.of(0x80);
  const pairsExponent = Math.floor(exponent / 2);
  const aligned = exponent - 2 * pairsExponent === 1 ? digits : `0${digits}`;
  const pairs = Math.ceil(aligned.length / 2);
  const bytes = new Uint8Array(1 + pairs + (negative && pairs < 20 ? 1 : 0));
  bytes[0] = negative ? 62 - pairsExponent : 193 + pairsExponent;
  for (let i = 0; i < pairs; i++) {
    const pair = Number(aligned.slice(2 * i, 2 * i + 2).padEnd(2, "0"));
    bytes[1 + i] = negative ? 101 - pair : 1 + pair;
  }
  if (negative && pairs < 20) bytes[1 + pairs] = 102;
  return bytes;
}

/** As AWS counts: a byte for each two significant digits, one more, and one for the sign. */
export function numberSize(canonical: string): number {
  const negative = canonical.startsWith("-");
  const [whole = "", fraction = ""] = canonical.slice(negative ? 1 : 0).split(".");
  if (whole === "0") return 1 + pairs(fraction.replace(/^0+/, "")) + (negative ? 1 : 0);
  const significant = fraction === "" ? whole.replace(/0+$/, "") : whole;
  return 1 + pairs(significant) + pairs(fraction) + (negative ? 1 : 0);
}

/** Two digits to a byte, on either side of the point. */
const pairs = (digits: string): number => Math.ceil(digits.length / 2);

function within(negative: boolean, digits: string, exponent: number): Decimal {
  const leading = /^0*/.exec(digits)![0].length;
  const significant = digits.slice(leading).replace(/0+$/, "");
  if (significant === "") return ZERO;
  const power = exponent - leading;
  if (significant.length > MOST_DIGITS)
    throw errors.validation("Attempting to store more than 38 significant digits in a Number");
  if (power > LARGEST_EXPONENT)
    throw errors.validation("Number overflow. Attempting to store a number with magnitude larger than supported range");
  if (power < SMALLEST_EXPONENT)
    throw errors.validation(
      "Number underflow. Attempting to store a number with magnitude smaller than supported range",
    );
  return { negative, digits: significant, exponent: power };
}

const signOf = (n: Decimal): number => (n.digits === "" ? 0 : n.negative ? -1 : 1);
const scaleOf = (n: Decimal): number => n.exponent - n.digits.length + 1;
const asInteger = (n: Decimal, scale: number): bigint =>
  n.digits === "" ? 0n : BigInt((n.negative ? "-" : "") + n.digits) * 10n ** BigInt(scaleOf(n) - scale);
