// The policy of a posted form: until when it may be sent, and what each of its fields may be. That it is the signer's own is known by now.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
import { AwsError, type PostedForm, realNow } from "../../kernel/mod.ts";

/** Bytes of the file, both inclusive. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const errors = {
  document: (what: string) => new AwsError("InvalidPolicyDocument", 400, `Invalid Policy: ${what}`),
  against: (what: string) => new AwsError("AccessDenied", 403, `Invalid according to Policy: ${what}`),
  failed: (condition: readonly unknown[]) => errors.against(`Policy Condition failed: ${shown(condition)}`),
};

const shown = (condition: readonly unknown[]): string =>
  `[${condition.map((part) => JSON.stringify(part)).join(", ")}]`;

/** Fields that need no condition, beside those that begin with `x-ignore-`. */
const FREE = new Set(["policy", "signature", "x-amz-signature", "awsaccesskeyid", "file"]);

/**
 * In the order of AWS's checks: the document, its end, each condition, fields without one. Names and operators are compared without case, values with
 * it, after `${filename}` was replaced. The end is in real time: browsers have no other. undefined: nothing is said of the file's size.
 */
export function checkPolicy({ fields }: PostedForm, bucket: string): Range | undefined {
  const policy = fields.get("policy");
  if (policy === undefined) return undefined;
  const { expiration, conditions } = parse(policy);
  if (expiration <= realNow()) throw errors.against("Policy expired.");
  const values = new Map([...fields, ["bucket", bucket]]);
  const covered = new Set<string>();
  let range: Range | undefined;
  for (const condition of conditions) {
    const [operator, name, value] = condition;
    if (operator === "content-length-range") {
      range = narrowed(range, condition);
      continue;
    }
    const field = name.slice(1).toLowerCase();
    const given = values.get(field);
    const holds = operator === "eq" ? given === value : given !== undefined && startsWith(field, given, value);
    if (!name.startsWith("$") || !holds) throw errors.failed(condition);
    covered.add(field);
  }
  const extra = [...fields.keys()].filter(
    (name) => !covered.has(name) && !FREE.has(name) && !name.startsWith("x-ignore-"),
  );
  if (extra.length > 0) throw errors.against(`Extra input fields: ${extra.join(", ")}`);
  return range;
}

/** A Content-Type with commas is a list: each of it must begin so. */
const startsWith = (field: string, given: string, value: string): boolean =>
  (field === "content-type" ? given.split(",") : [given]).every((one) => one.trimStart().startsWith(value));

function narrowed(range: Range | undefined, condition: Condition): Range {
  const [min, max] = [condition[1], condition[2]].map((bound) =>
    /^\d{1,15}$/.test(bound) ? Number(bound) : Number.NaN,
  );
  if (Number.isNaN(min! + max!)) throw errors.failed(condition);
  return { min: Math.max(range?.min ?? 0, min!), max: Math.min(range?.max ?? Number.POSITIVE_INFINITY, max!) };
}

/** Operator in lower case, `$field` or the least size, value or the greatest size; sizes as text. */
type Condition = readonly [operator: string, name: string, value: string];

function parse(policy: string): { expiration: number; conditions: Condition[] } {
  const text = Buffer.from(policy, "base64").toString("utf8");
  let document: unknown;
  try {
    // S3 lets a dollar sign be escaped, which JSON does not.
    document = JSON.parse(text.replace(/\\(.)/gs, (pair, escaped: string) => (escaped === "$" ? "$" : pair)));
  } catch {
    throw errors.document("Invalid JSON.");
  }
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw errors.document("Invalid JSON.");
  const { expiration, conditions } = document as { expiration?: unknown; conditions?: unknown };
  if (expiration === undefined) throw errors.document("Policy missing expiration.");
  if (conditions === undefined) throw errors.document("Policy missing conditions.");
  const at = typeof expiration === "string" && ISO_TIME.test(expiration) ? Date.parse(expiration) : Number.NaN;
  if (Number.isNaN(at)) throw errors.document(`Invalid 'expiration' value: '${expiration}'`);
  if (!Array.isArray(conditions)) throw errors.document("Invalid 'conditions' value: must be a List.");
  return { expiration: at, conditions: conditions.map(readCondition) };
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const OPERATORS = ["eq", "starts-with", "content-length-range"];

function readCondition(given: unknown): Condition {
  if (typeof given !== "object" || given === null) throw errors.document("Invalid Condition: must be a List or a Map.");
  if (!Array.isArray(given)) {
    const [entry, ...more] = Object.entries(given);
    if (!entry || more.length > 0)
      throw errors.document("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.");
    if (typeof entry[1] !== "string") throw errors.document("Invalid Simple-Condition: value must be a string.");
    return ["eq", `$${entry[0]}`, entry[1]];
  }
  const [operator, ...rest] = given as unknown[];
  const known = typeof operator === "string" && OPERATORS.find((name) => name === operator.toLowerCase());
  if (!known) throw errors.document(`Invalid Condition: unknown operation '${operator}'.`);
  if (rest.length !== 2) throw errors.document(`Invalid '${known}' Condition: wrong number of arguments.`);
  if (rest.some((part) => typeof part !== "string" && (known !== "content-length-range" || typeof part !== "number")))
    throw errors.document(`Invalid '${known}' Condition: values must be strings.`);
  return [known, String(rest[0]), String(rest[1])];
}
