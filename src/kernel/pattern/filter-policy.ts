// SNS's filter policies: EventBridge's patterns over a message's attributes, or over its body, within limits of SNS's own. Pure.
// https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
import { parsedJson } from "../json.ts";
import { PatternFault } from "./fault.ts";
import type { Field, Rule } from "./parse.ts";
import { Pattern, rulesOf } from "./pattern.ts";
import { Tokens } from "./tokens.ts";

export type FilterPolicyScope = "MessageAttributes" | "MessageBody";

export interface FilteredMessage {
  readonly body: string;
  readonly attributes: Readonly<Record<string, { readonly DataType?: string; readonly StringValue?: string }>>;
}

export interface FilterPolicy {
  matches(message: FilteredMessage): boolean;
}

// https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
const MOST_COMBINATIONS = 150;
const MOST_KEYS = 5;
const MOST_BYTES = 256 * 1024;

/** Throws a PatternFault: SNS says "Invalid parameter: " before its message, or "Invalid parameter: Attributes Reason: ". */
export function compileFilterPolicy(text: string, scope: FilterPolicyScope): FilterPolicy {
  if (Buffer.byteLength(text) > MOST_BYTES) throw faulty("Filter policy is too long");
  refuseNoJson(text);
  const rules = rulesOf(text, "redacted", "FilterPolicy: ");
  const fields = rules.flatMap((rule) => [...rule.values()]);
  if (scope === "MessageAttributes" && fields.some(({ depth }) => depth > 1))
    throw new PatternFault("Filter policy scope MessageAttributes does not support nested filter policy");
  if (new Set(fields.map(({ top }) => top)).size > MOST_KEYS)
    throw faulty("Filter policy can not have more than 5 keys");
  if (combinations(rules) > MOST_COMBINATIONS) throw faulty("Filter policy is too complex");
  if (scope === "MessageBody") {
    const pattern = new Pattern(rules);
    return { matches: ({ body }) => pattern.matches(parsedJson(body)) };
  }
  const pattern = new Pattern(rules.map(withAbsentNulls));
  return { matches: ({ attributes }) => pattern.matches(eventOf(attributes)) };
}

const faulty = (reason: string): PatternFault => new PatternFault(reason, `FilterPolicy: ${reason}`);

/** SNS reads the whole text before it looks at what it says. */
function refuseNoJson(text: string): void {
  const tokens = new Tokens(text, "redacted");
  try {
    while (tokens.next() !== "end");
  } catch (error) {
    throw error instanceof PatternFault ? faulty(`failed to parse JSON. ${error.reason}`) : error;
  }
}

/** Over all rules that `$or` makes, the values of each path, times its depth, multiplied. */
const combinations = (rules: readonly Rule[]): number =>
  rules.reduce(
    (sum, rule) => sum + [...rule.values()].reduce((all, { tests, depth }) => all * tests.length * depth, 1),
    0,
  );

/** In attributes null is what is not there: recorded on AWS. */
const withAbsentNulls = (rule: Rule): Rule =>
  new Map(
    [...rule].map(([path, field]): [string, Field] => {
      const isNull = field.tests.some((test) => test.kind === "exact" && test.value === null);
      return [path, isNull ? { ...field, tests: [...field.tests, { kind: "absent" }] } : field];
    }),
  );

/** String, String.Array and Number; other types are as if they were not there. */
function eventOf(attributes: FilteredMessage["attributes"]): Record<string, unknown> {
  const event: Record<string, unknown> = Object.create(null);
  for (const [name, { DataType = "String", StringValue = "" }] of Object.entries(attributes)) {
    const type = DataType.split(".")[0];
    if (DataType === "String.Array") event[name] = arrayOf(StringValue);
    else if (type === "Number") event[name] = Number(StringValue);
    else if (type === "String") event[name] = StringValue;
  }
  return event;
}

function arrayOf(text: string): unknown[] {
  const value = parsedJson(text); // what is no JSON matches nothing
  return Array.isArray(value) ? value : [];
}
