// How deliveries to HTTP endpoints are tried again: what a topic and a subscription may say, and the waits that follow from it.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
import type { Retry } from "../../kernel/mod.ts";
import { Fault } from "./errors.ts";
import { type Json, jsonObject } from "./json.ts";

interface Healthy {
  readonly minDelayTarget: number;
  readonly maxDelayTarget: number;
  readonly numRetries: number;
  readonly numMaxDelayRetries: number;
  readonly numNoDelayRetries: number;
  readonly numMinDelayRetries: number;
  readonly backoffFunction: string;
}

const DEFAULT: Healthy = {
  minDelayTarget: 20,
  maxDelayTarget: 20,
  numRetries: 3,
  numMaxDelayRetries: 0,
  numNoDelayRetries: 0,
  numMinDelayRetries: 0,
  backoffFunction: "linear",
};
const DEFAULT_REQUEST = { headerContentType: "text/plain; charset=UTF-8" };

const MAX_RETRIES = 100;
const MAX_DELAY_S = 3600;
const MAX_TOTAL_S = 3600;

/** Between the first wait and the last, as a share of the way: AWS names the curves and not their formulas. */
const CURVES: Readonly<Record<string, (share: number) => number>> = {
  linear: (share) => share,
  arithmetic: (share) => (share * (share + 1)) / 2,
  geometric: (share) => share ** 2,
  exponential: (share) => (2 ** (share * 10) - 1) / (2 ** 10 - 1),
};

export interface SubscriptionPolicy {
  readonly healthyRetryPolicy: Healthy | null;
  readonly sicklyRetryPolicy: null;
  readonly throttlePolicy: { readonly maxReceivesPerSecond: number } | null;
  readonly requestPolicy: Readonly<Record<string, string>> | null;
  readonly guaranteed: false;
}

/** As GetTopicAttributes answers it; undefined where "" takes it away. Throws a Fault. */
export function topicPolicy(text: string): string | undefined {
  if (text === "") return undefined;
  const policy = jsonObject("DeliveryPolicy", text);
  known(policy, ["http"]);
  const http = (policy.http ?? {}) as Json;
  known(http, [
    "defaultHealthyRetryPolicy",
    "disableSubscriptionOverrides",
    "defaultThrottlePolicy",
    "defaultRequestPolicy",
    "defaultSicklyRetryPolicy",
  ]);
  if (http.disableSubscriptionOverrides !== undefined && typeof http.disableSubscriptionOverrides !== "boolean")
    throw fault("http.disableSubscriptionOverrides must be a boolean");
  checkHealthy("http.defaultHealthyRetryPolicy", http.defaultHealthyRetryPolicy);
  checkThrottle("http.defaultThrottlePolicy", http.defaultThrottlePolicy);
  checkRequest("http.defaultRequestPolicy", http.defaultRequestPolicy);
  if (policy.http === undefined || policy.http === null) return undefined;
  const { defaultHealthyRetryPolicy, disableSubscriptionOverrides, ...rest } = http;
  return JSON.stringify({
    http: {
      ...(defaultHealthyRetryPolicy != null && { defaultHealthyRetryPolicy }),
      disableSubscriptionOverrides: disableSubscriptionOverrides ?? false,
      ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null)),
    },
  });
}

/** The topic's, with all that it did not say. */
export function effectiveTopicPolicy(text: string | undefined) {
  const http = (text === undefined ? {} : (JSON.parse(text) as { http: Json }).http) as {
    defaultHealthyRetryPolicy?: Partial<Healthy>;
    disableSubscriptionOverrides?: boolean;
    defaultThrottlePolicy?: { maxReceivesPerSecond: number };
    defaultRequestPolicy?: Record<string, string>;
  };
  return {
    http: {
      defaultHealthyRetryPolicy: { ...DEFAULT, ...http.defaultHealthyRetryPolicy },
      disableSubscriptionOverrides: http.disableSubscriptionOverrides ?? false,
      ...(http.defaultThrottlePolicy && { defaultThrottlePolicy: http.defaultThrottlePolicy }),
      defaultRequestPolicy: { ...DEFAULT_REQUEST, ...http.defaultRequestPolicy },
    },
  };
}

/** A subscription's own, complete; undefined where "" takes it away. Throws a Fault. */
export function subscriptionPolicy(text: string): string | undefined {
  if (text === "") return undefined;
  const policy = jsonObject("DeliveryPolicy", text);
  known(policy, ["healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed"]);
  if (policy.sicklyRetryPolicy != null) throw fault("sicklyRetryPolicy is not supported");
  checkHealthy("healthyRetryPolicy", policy.healthyRetryPolicy);
  checkThrottle("throttlePolicy", policy.throttlePolicy);
  checkRequest("requestPolicy", policy.requestPolicy);
  const own: SubscriptionPolicy = {
    healthyRetryPolicy:
      policy.healthyRetryPolicy == null ? null : { ...DEFAULT, ...(policy.healthyRetryPolicy as Healthy) },
    sicklyRetryPolicy: null,
    throttlePolicy: (policy.throttlePolicy ?? null) as SubscriptionPolicy["throttlePolicy"],
    requestPolicy: (policy.requestPolicy ?? null) as SubscriptionPolicy["requestPolicy"],
    guaranteed: false,
  };
  return JSON.stringify(own);
}

/** What holds for a subscription: its own, where the topic lets it, else the topic's. */
export function effectivePolicy(topic: string | undefined, own: string | undefined): SubscriptionPolicy {
  const { http } = effectiveTopicPolicy(topic);
  const mine =
    own === undefined || http.disableSubscriptionOverrides ? undefined : (JSON.parse(own) as SubscriptionPolicy);
  return {
    healthyRetryPolicy: mine?.healthyRetryPolicy ?? http.defaultHealthyRetryPolicy,
    sicklyRetryPolicy: null,
    throttlePolicy: mine?.throttlePolicy ?? http.defaultThrottlePolicy ?? null,
    requestPolicy: mine?.requestPolicy ?? http.defaultRequestPolicy,
    guaranteed: false,
  };
}

/** In AWS's four phases: at once, at the least delay, growing, at the greatest. */
export function retryOf({ healthyRetryPolicy }: SubscriptionPolicy): Retry {
  const policy = healthyRetryPolicy ?? DEFAULT;
  return { waitsMs: waitsOf(policy).map((s) => s * 1000), attempts: 1 + policy.numRetries };
}

/** In seconds, one for each retry. */
function waitsOf(policy: Healthy): number[] {
  const { minDelayTarget: least, maxDelayTarget: most, numRetries, backoffFunction } = policy;
  const curve = CURVES[backoffFunction]!;
  const growing = numRetries - policy.numNoDelayRetries - policy.numMinDelayRetries - policy.numMaxDelayRetries;
  const steps = Array.from(
    { length: growing },
    (_, at) => least + (most - least) * curve(growing > 1 ? at / (growing - 1) : 0),
  );
  return [
    ...Array<number>(policy.numNoDelayRetries).fill(0),
    ...Array<number>(policy.numMinDelayRetries).fill(least),
    ...steps,
    ...Array<number>(policy.numMaxDelayRetries).fill(most),
  ];
}

/** SQS and Lambda: 100,015 attempts over 23 days. */
export const MANAGED_RETRY: Retry = {
  waitsMs: [...[0, 0, 0, 1, 1], ...Array.from({ length: 10 }, (_, at) => Math.min(20, 20 ** (at / 9))), 20].map((s) =>
    Math.round(s * 1000),
  ),
  attempts: 100_015,
};

function checkHealthy(name: string, given: unknown): void {
  if (given === undefined || given === null) return;
  if (typeof given !== "object" || Array.isArray(given)) throw fault(`${name} must be a JSON object`);
  const policy = given as Partial<Healthy>;
  known(policy as Json, Object.keys(DEFAULT));
  const number = (key: keyof Healthy, least: number, most: number) => {
    const value = policy[key];
    if (value === undefined) return;
    if (typeof value !== "number" || !Number.isInteger(value)) throw fault(`${name}.${key} must be an integer`);
    if (value < least) throw fault(`${name}.${key} must be greater than or equal to ${least}`);
    if (value > most) throw fault(`${name}.${key} must be less than or equal to ${most}`);
  };
  for (const key of ["minDelayTarget", "maxDelayTarget", "numRetries"] as const)
    if (policy[key] === undefined) throw fault(`${name}.${key} must be specified`);
  number("minDelayTarget", 1, MAX_DELAY_S);
  number("maxDelayTarget", 1, MAX_DELAY_S);
  number("numRetries", 0, MAX_RETRIES);
  for (const key of ["numMaxDelayRetries", "numNoDelayRetries", "numMinDelayRetries"] as const)
    number(key, 0, MAX_RETRIES);
  if (policy.backoffFunction !== undefined && !Object.hasOwn(CURVES, policy.backoffFunction))
    throw fault(`${name}.backoffFunction must be one of ${Object.keys(CURVES).join(", ")}`);
  const whole = { ...DEFAULT, ...policy };
  if (whole.minDelayTarget > whole.maxDelayTarget)
    throw fault(`${name}.maxDelayTarget must be greater than or equal to ${name}.minDelayTarget`);
  if (whole.numNoDelayRetries + whole.numMinDelayRetries + whole.numMaxDelayRetries > whole.numRetries)
    throw fault(`${name}.numRetries must be greater than or equal to the sum of the retries of its phases`);
  if (waitsOf(whole).reduce((sum, wait) => sum + wait, 0) > MAX_TOTAL_S)
    throw fault(`${name}: Total policy retry time cannot be greater than ${MAX_TOTAL_S} seconds`);
}

function checkThrottle(name: string, given: unknown): void {
  if (given === undefined || given === null) return;
  known(given as Json, ["maxReceivesPerSecond"]);
  const { maxReceivesPerSecond: most } = given as { maxReceivesPerSecond?: unknown };
  if (!Number.isInteger(most) || (most as number) < 1)
    throw fault(`${name}.maxReceivesPerSecond must be greater than or equal to 1`);
}

// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html#creating-delivery-policy
const CONTENT_TYPES = [
  "application/atom+xml",
  "application/json",
  "application/octet-stream",
  "application/soap+xml",
  "application/x-www-form-urlencoded",
  "application/xhtml+xml",
  "application/xml",
  "text/css",
  "text/csv",
  "text/html",
  "text/plain",
  "text/xml",
];

function checkRequest(name: string, given: unknown): void {
  if (given === undefined || given === null) return;
  known(given as Json, ["headerContentType"]);
  const { headerContentType: type = "" } = given as { headerContentType?: string };
  if (!CONTENT_TYPES.includes(String(type).split(";")[0]!.trim().toLowerCase()))
    throw fault(`${name}.headerContentType: '${type}' is not a supported content type`);
}

function known(given: Json, names: readonly string[]): void {
  if (typeof given !== "object" || Array.isArray(given)) throw fault("a member that is an object was expected");
  for (const name of Object.keys(given)) if (!names.includes(name)) throw fault(`Unexpected JSON member: ${name}`);
}

const fault = (text: string): Fault => new Fault(`DeliveryPolicy: ${text}`);
