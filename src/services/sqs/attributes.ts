// The attributes of a queue: what may be set, AWS's defaults, AWS's words for what is wrong.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
import { resourcePolicyFault } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { checkRedriveAllow } from "./redrive.ts";

export type Attributes = Readonly<Record<string, string>>;

interface Rule {
  /** What a queue has that was never told otherwise; absent: it has none. */
  readonly value?: string;
  readonly fifo?: true;
  holds(value: string): boolean;
}

const integer =
  (least: number, most: number) =>
  (value: string): boolean =>
    /^\d{1,10}$/.test(value) && Number(value) >= least && Number(value) <= most;
const oneOf =
  (...values: string[]) =>
  (value: string): boolean =>
    values.includes(value);
const BOOLEAN = oneOf("true", "false");

// MaximumMessageSize is 1 MiB since August 2025 (recorded).
const RULES: Readonly<Record<string, Rule>> = {
  VisibilityTimeout: { value: "30", holds: integer(0, 43_200) },
  MaximumMessageSize: { value: "1048576", holds: integer(1024, 1_048_576) },
  MessageRetentionPeriod: { value: "345600", holds: integer(60, 1_209_600) },
  DelaySeconds: { value: "0", holds: integer(0, 900) },
  ReceiveMessageWaitTimeSeconds: { value: "0", holds: integer(0, 20) },
  Policy: { holds: (value) => resourcePolicyFault(value) === undefined },
  RedrivePolicy: { holds: () => true },
  RedriveAllowPolicy: { holds: () => true },
  KmsMasterKeyId: { holds: () => true },
  KmsDataKeyReusePeriodSeconds: { holds: integer(60, 86_400) },
  SqsManagedSseEnabled: { value: "true", holds: BOOLEAN },
  FifoQueue: { fifo: true, holds: BOOLEAN },
  ContentBasedDeduplication: { value: "false", fifo: true, holds: BOOLEAN },
  DeduplicationScope: { value: "queue", fifo: true, holds: oneOf("queue", "messageGroup") },
  FifoThroughputLimit: { value: "perQueue", fifo: true, holds: oneOf("perQueue", "perMessageGroupId") },
};

/** Those two have a sentence of their own on a standard queue; the other FIFO attributes it does not know. */
const FIFO_TUNING = ["DeduplicationScope", "FifoThroughputLimit"];

/** Set to "", these are as if never set; the others go back to their default. */
const isUnset = (value: string): boolean => value === "";

/** What `given` makes of `before`: a new queue's are {}, but for FifoQueue. Throws AWS's sentence about the first that is wrong. */
export function changed(before: Attributes, given: Attributes): Attributes {
  const fifo = before.FifoQueue === "true";
  for (const [name, value] of Object.entries(given)) check(name, value, fifo);
  if (given.KmsMasterKeyId && given.SqsManagedSseEnabled === "true") throw errors.oneEncryption();
  const after: Record<string, string> = { ...before, ...withEncryption(given) };
  for (const [name, value] of Object.entries(after)) if (isUnset(value)) delete after[name];
  if (after.FifoThroughputLimit === "perMessageGroupId" && after.DeduplicationScope !== "messageGroup")
    throw errors.attribute("FifoThroughputLimit");
  return after;
}

function check(name: string, value: string, fifo: boolean): void {
  if (!isSettable(name)) throw errors.unknownAttribute(name);
  const rule = RULES[name]!;
  if (rule.fifo && !fifo) throw FIFO_TUNING.includes(name) ? errors.onlyForFifo(name) : errors.unknownAttribute(name);
  if (name === "FifoQueue" && value !== "true")
    throw errors.attribute("FifoQueue", "Modifying queue type is not supported.");
  if (name === "RedriveAllowPolicy" && !isUnset(value)) checkRedriveAllow(value);
  if (!isUnset(value) && !rule.holds(value)) throw errors.attribute(name);
}

/** A key of KMS takes the place of SQS's own (recorded); taking it away does not bring the other back. */
const withEncryption = (given: Attributes): Attributes =>
  given.KmsMasterKeyId
    ? { ...given, SqsManagedSseEnabled: "false" }
    : given.SqsManagedSseEnabled === "true"
      ? { ...given, KmsMasterKeyId: "", KmsDataKeyReusePeriodSeconds: "" }
      : given;

/** With AWS's defaults. A FIFO queue has its own besides. */
export function effective(attributes: Attributes): Attributes {
  const fifo = attributes.FifoQueue === "true";
  const values: Record<string, string> = {};
  for (const [name, { value, fifo: only }] of Object.entries(RULES)) {
    if (only && !fifo) continue;
    const own = attributes[name] ?? value;
    if (own !== undefined) values[name] = own;
  }
  if (values.KmsMasterKeyId) values.KmsDataKeyReusePeriodSeconds ??= "300";
  return values;
}

/** The first of `given` that a queue of these attributes has otherwise. */
export function differing(attributes: Attributes, given: Attributes): string | undefined {
  const has = effective(attributes);
  return Object.entries(given).find(([name, value]) => (has[name] ?? "") !== value)?.[0];
}

export const isSettable = (name: string): boolean => Object.hasOwn(RULES, name);

export const numberOf = (attributes: Attributes, name: string): number =>
  Number(attributes[name] ?? RULES[name]!.value);
