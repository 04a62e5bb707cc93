// What a table and a global index can take: billing modes, provisioned, on-demand and warm throughput, as AWS lets them be set and changed.
// Sentences, limits and the order of checks were seen on AWS in 2026-10. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
import type { Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { Capacity, Definition, OnDemandThroughput, Throughput } from "./schema.ts";

type CreateInput = Input<"dynamodb", "CreateTable">;
export type GivenThroughput = CreateInput["ProvisionedThroughput"];
export type GivenWarm = CreateInput["WarmThroughput"];
type GivenOnDemand = CreateInput["OnDemandThroughput"];
export type BillingMode = Definition["billingMode"];

/** What pays per request can take from the start, by AWS's own page on warm throughput. */
const ON_DEMAND: Throughput = { read: 12_000, write: 4_000 };
const NOTHING: Throughput = { read: 0, write: 0 };
/** AWS's defaults of an account; DescribeLimits tells them. */
export const MOST_OF_TABLE = 40_000;
export const MOST_OF_ACCOUNT = 80_000;
/** In a day of UTC; then one an hour. */
const FREE_DECREASES = 4;
const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** Whose it is; AWS's sentences differ. */
export interface Holder {
  /** Of an index; undefined: the table. */
  readonly index?: string | undefined;
  readonly region: string;
}

export const throughputOf = (given: GivenThroughput): Throughput =>
  given ? { read: given.ReadCapacityUnits ?? 0, write: given.WriteCapacityUnits ?? 0 } : NOTHING;

/** Of a new table or index, in the billing mode that it will have; that both agree has been checked. */
export function newCapacity(
  given: {
    readonly ProvisionedThroughput?: GivenThroughput;
    readonly OnDemandThroughput?: GivenOnDemand;
    readonly WarmThroughput?: GivenWarm;
  },
  mode: BillingMode,
  holder: Holder,
): Capacity {
  const throughput = throughputOf(given.ProvisionedThroughput);
  notTooMuch(throughput, holder);
  const initial = mode === "PROVISIONED" ? throughput : ON_DEMAND;
  const onDemandThroughput = newOnDemand(given.OnDemandThroughput, mode, { holder, created: true });
  return {
    throughput,
    ...(given.WarmThroughput && { warm: newWarm(given.WarmThroughput, initial, { mode, holder }) }),
    ...(onDemandThroughput && { onDemandThroughput }),
  };
}

function notTooMuch({ read, write }: Throughput, { index, region }: Holder): void {
  for (const [name, value] of [
    ["ReadCapacityUnits", read],
    ["WriteCapacityUnits", write],
  ] as const)
    if (value > MOST_OF_TABLE)
      throw errors.limitExceeded(
        `The requested ${name}${index === undefined ? "" : ` for index ${index}`}, ${value}, is above the per ${index === undefined ? "table" : "index"} maximum for the account in ${region}. Per table maximum: ${MOST_OF_TABLE}. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.`,
      );
}

/** What it is warm for: never less than what it can take. */
export function warmNow({ warm, throughput }: Capacity, mode: BillingMode): Throughput {
  const base = mode === "PROVISIONED" ? throughput : ON_DEMAND;
  return warm ? { read: Math.max(warm.read, base.read), write: Math.max(warm.write, base.write) } : base;
}

const ofWarm = ({ index }: Holder): string => (index === undefined ? "for table" : `for index ${index}`);

function newWarm(
  given: NonNullable<GivenWarm>,
  initial: Throughput,
  { mode, holder }: { mode: BillingMode; holder: Holder },
): Throughput {
  const wanted = { read: given.ReadUnitsPerSecond ?? initial.read, write: given.WriteUnitsPerSecond ?? initial.write };
  for (const [units, provisioned, value, least] of [
    ["ReadUnitsPerSecond", "ReadCapacityUnits", wanted.read, initial.read],
    ["WriteUnitsPerSecond", "WriteCapacityUnits", wanted.write, initial.write],
  ] as const) {
    if (value < least)
      throw errors.invalid(
        `Requested ${units} for WarmThroughput ${ofWarm(holder)} is lower than ${
          mode === "PROVISIONED"
            ? `${provisioned} of ProvisionedThroughput`
            : "initial throughput for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial"
        }`,
      );
    notTooWarm(units, value, holder);
  }
  return wanted;
}

/** Of one that is there: it only ever grows. */
export function nextWarm(
  capacity: Capacity,
  given: NonNullable<GivenWarm>,
  { mode, holder }: { mode: BillingMode; holder: Holder },
): Throughput {
  const now = warmNow(capacity, mode);
  const wanted = { read: given.ReadUnitsPerSecond ?? now.read, write: given.WriteUnitsPerSecond ?? now.write };
  for (const [units, value, current] of [
    ["ReadUnitsPerSecond", wanted.read, now.read],
    ["WriteUnitsPerSecond", wanted.write, now.write],
  ] as const) {
    if (value < current)
      throw errors.invalid(
        `Requested ${units} for WarmThroughput ${ofWarm(holder)} is lower than current WarmThroughput, decreasing WarmThroughput is not supported`,
      );
    notTooWarm(units, value, holder);
  }
  return wanted;
}

function notTooWarm(units: "ReadUnitsPerSecond" | "WriteUnitsPerSecond", value: number, holder: Holder): void {
  if (value > MOST_OF_TABLE)
    throw errors.subscriberLimit(
      `Requested ${units} for WarmThroughput ${ofWarm(holder)} exceeds TableMax${units.startsWith("R") ? "Read" : "Write"}CapacityUnits of the account in region ${holder.region}`,
    );
}

const MEMBERS = ["MaxReadRequestUnits", "MaxWriteRequestUnits"] as const;

/** Undefined: no limits. In UpdateTable -1 takes a limit away, and what is not said stays. */
export function newOnDemand(
  given: GivenOnDemand,
  mode: BillingMode,
  { holder, created, current }: { holder: Holder; created?: boolean; current?: OnDemandThroughput | undefined },
): OnDemandThroughput | undefined {
  const { index } = holder;
  const whose = index === undefined ? "" : created ? ` for index: ${index}` : ` for index : ${index}`;
  for (const member of MEMBERS) {
    const value = given?.[member];
    if (value === undefined) continue;
    if (mode === "PROVISIONED")
      throw errors.invalid(
        `${member} for OnDemandThroughput${whose} cannot be specified when ${created ? "" : "the "}table BillingMode is PROVISIONED${created ? "." : ""}`,
      );
    if (value < 1 && !(value === -1 && !created))
      throw errors.invalid(
        `Requested ${member} for OnDemandThroughput for ${index === undefined ? "table" : `index : ${index}`} is outside of valid range`,
      );
    if (value > MOST_OF_TABLE)
      throw errors.subscriberLimit(
        `Requested ${member} for OnDemandThroughput for ${index === undefined ? "table" : `index : ${index}`} exceeds TableMax${member === "MaxReadRequestUnits" ? "Read" : "Write"}CapacityUnits of the account in region ${holder.region}`,
      );
  }
  const merged: OnDemandThroughput = { ...current, ...given };
  const kept = MEMBERS.filter((member) => (merged[member] ?? -1) > 0);
  return kept.length > 0 ? Object.fromEntries(kept.map((member) => [member, merged[member]])) : undefined;
}

export interface Provision {
  /** True at once, also while the change is under way. */
  readonly atOnce: Partial<Capacity>;
  readonly next: Partial<Capacity>;
}

/** Of one that is PROVISIONED and stays so. Throws where nothing would change, and where it was decreased too often. */
export function provision(
  capacity: Capacity,
  wanted: Throughput,
  { holder, now }: { holder: Holder; now: number },
): Provision {
  const { read, write } = capacity.throughput;
  const { index } = holder;
  if (wanted.read === read && wanted.write === write) {
    const what = index === undefined ? "the table" : `the index ${index}`;
    const of = index === undefined ? "the table" : `index ${index}`;
    throw errors.validation(
      `The provisioned throughput for ${what} will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for ${of}: ${read}. Requested ReadCapacityUnits: ${read}. Current WriteCapacityUnits provisioned for ${of}: ${write}. Requested WriteCapacityUnits: ${write}. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.`,
    );
  }
  notTooMuch(wanted, holder);
  const shrinks = wanted.read < read || wanted.write < write;
  const grows = wanted.read > read || wanted.write > write;
  if (shrinks) mayDecrease(capacity, now);
  return {
    atOnce: { ...(grows && { throughputIncreasedMs: now }), ...(shrinks && { throughputDecreasedMs: now }) },
    next: {
      throughput: wanted,
      warm: warmNow(capacity, "PROVISIONED"),
      ...(shrinks && { decreases: { day: dayOf(now), count: decreasesToday(capacity, now) + 1 } }),
    },
  };
}

const dayOf = (now: number): number => Math.floor(now / DAY_MS);

export const decreasesToday = ({ decreases }: Capacity, now: number): number =>
  decreases?.day === dayOf(now) ? decreases.count : 0;

function mayDecrease(capacity: Capacity, now: number): void {
  const count = decreasesToday(capacity, now);
  const last = capacity.throughputDecreasedMs ?? 0;
  if (count < FREE_DECREASES || now >= last + HOUR_MS) return;
  throw errors.subscriberLimit(
    `Provisioned throughput decreases are limited within a given UTC day. After the first ${FREE_DECREASES} decreases, each subsequent decrease in the same UTC day can be performed at most once every 3600 seconds. Number of decreases today: ${count}. Last decrease at ${inWords(last)}. Next decrease can be made at ${inWords(last + HOUR_MS)}`,
  );
}

/** `Friday, October 9, 2026 at 12:21:34 AM Coordinated Universal Time`, as Java says it. */
const WORDS = new Intl.DateTimeFormat("en-US", { dateStyle: "full", timeStyle: "full", timeZone: "UTC" });
const inWords = (ms: number): string => WORDS.format(ms).replaceAll("\u202f", " ");

// Which of them go together.

export function newTableBilling(mode: BillingMode, given: GivenThroughput): void {
  if (mode === "PAY_PER_REQUEST" && given) throw notOnDemand();
  if (mode === "PROVISIONED" && !given)
    throw errors.invalid(
      "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
    );
}

export const notOnDemand = () =>
  errors.invalid(
    "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
  );

/** What a table or an index keeps where the table's billing mode changes. */
export const switched = (capacity: Capacity, mode: BillingMode, throughput: Throughput): Partial<Capacity> => ({
  throughput: mode === "PROVISIONED" ? throughput : NOTHING,
  warm: warmNow(capacity, mode === "PROVISIONED" ? "PAY_PER_REQUEST" : "PROVISIONED"),
  onDemandThroughput: undefined,
});

/** It becomes so warm when the switch is done. */
export const warmOnDemand = (capacity: Capacity): Throughput => warmNow(capacity, "PAY_PER_REQUEST");
