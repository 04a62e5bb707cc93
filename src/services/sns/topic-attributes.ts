// The attributes of a topic: what may be set, AWS's defaults, AWS's words for what is wrong.
// https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
import { resourcePolicyFault } from "../../kernel/mod.ts";
import { type TopicRef, topicArn } from "./arns.ts";
import { effectiveTopicPolicy, topicPolicy } from "./delivery-policy.ts";
import { errors, Fault } from "./errors.ts";
import { ACTIONS, actionsOf, defaultPolicy } from "./topic-policy.ts";

/** Those that were set; none is "". */
export type Attributes = Readonly<Record<string, string>>;

const MAX_DISPLAY_NAME = 100;

/** What is kept of a value; undefined takes the attribute away. Throws a Fault. */
const RULES: Readonly<Record<string, (value: string) => string | undefined>> = {
  DisplayName(value) {
    if (value.length > MAX_DISPLAY_NAME || /[\p{Cc}]/u.test(value.replace(/\t/g, ""))) throw new Fault("DisplayName");
    return value || undefined;
  },
  Policy(value) {
    if (value === "") return undefined;
    if (resourcePolicyFault(value) !== undefined) throw new Fault("Policy Error: null");
    if (actionsOf(value).some((action) => !isOurs(action)))
      throw new Fault("Policy statement action out of service scope!");
    return value;
  },
  DeliveryPolicy: topicPolicy,
  KmsMasterKeyId: (value) => value || undefined,
  SignatureVersion(value) {
    if (value !== "1" && value !== "2") throw new Fault("SignatureVersion");
    return value;
  },
  TracingConfig(value) {
    if (value === "Active") throw errors.notImplemented("TracingConfig Active");
    if (value !== "PassThrough") throw new Fault("TracingConfig");
    return value;
  },
  ContentBasedDeduplication: boolean("ContentBasedDeduplication"),
  FifoThroughputScope(value) {
    if (value !== "Topic" && value !== "MessageGroup") throw new Fault("FifoThroughputScope");
    return value;
  },
};
const FIFO_ONLY = ["ContentBasedDeduplication", "FifoThroughputScope"];
const REFUSED =
  /^(ArchivePolicy|DataProtectionPolicy|(HTTP|Firehose|Lambda|Application|SQS)(SuccessFeedbackRoleArn|FailureFeedbackRoleArn|SuccessFeedbackSampleRate))$/;

export const isSettable = (name: string, fifo: boolean): boolean =>
  Object.hasOwn(RULES, name) && (fifo || !FIFO_ONLY.includes(name));

export function boolean(name: string): (value: string) => string {
  return (value) => {
    if (!/^(true|false)$/i.test(value)) throw new Fault(`${name}: Invalid value [${value}]. Must be true or false.`);
    return value.toLowerCase();
  };
}

/** What one new value makes of a topic's attributes. Throws a Fault. */
export function withAttribute(before: Attributes, name: string, value: string): Attributes {
  if (REFUSED.test(name)) throw errors.notImplemented(`${name} of a topic`);
  const kept = RULES[name]!(value);
  const { [name]: _, ...others } = before;
  return kept === undefined ? others : { ...others, [name]: kept };
}

/** Of a new topic. Throws a Fault. */
export function newAttributes(given: Attributes, fifo: boolean): Attributes {
  let made: Attributes = fifo ? { FifoTopic: "true" } : {};
  for (const [name, value] of Object.entries(given)) {
    if (name === "FifoTopic") continue;
    if (!REFUSED.test(name) && !isSettable(name, fifo)) throw new Fault(`Unknown attribute: ${name}`);
    made = withAttribute(made, name, value);
  }
  return made;
}

/** As GetTopicAttributes answers them, but for the counts. */
export function effective(ref: TopicRef, set: Attributes): Attributes {
  return {
    Policy: defaultPolicy(ref),
    DisplayName: "",
    ...(set.FifoTopic === "true" && { ContentBasedDeduplication: "false" }),
    ...set,
    EffectiveDeliveryPolicy: JSON.stringify(effectiveTopicPolicy(set.DeliveryPolicy)),
    Owner: ref.account,
    TopicArn: topicArn(ref),
  };
}

const isOurs = (action: string): boolean => {
  const [service = "", name = ""] = action.toLowerCase().split(":");
  return (
    action === "*" || (service === "sns" && (/[*?]/.test(name) || ACTIONS.some((one) => one.toLowerCase() === name)))
  );
};
