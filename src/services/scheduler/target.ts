// What a schedule invokes: templated targets (a queue, a function, a topic, a bus), or any operation of any service (universal targets), as its role.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html
import {
  type Arn,
  type Context,
  type Input,
  type Parcel,
  type Principal,
  parseArn,
  parsedJson,
  sendTo,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export type Target = NonNullable<Input<"scheduler", "CreateSchedule">["Target"]>;

/** The members that each kind may have, besides those that all have. */
const TEMPLATED: Readonly<Record<string, { readonly resource: RegExp; readonly own: readonly (keyof Target)[] }>> = {
  lambda: { resource: /^function:[^:]+(:[^:]+)?$/, own: [] },
  sqs: { resource: /^[^:/]+$/, own: ["SqsParameters"] },
  sns: { resource: /^[^:/]+$/, own: [] },
  events: { resource: /^event-bus\/.+$/, own: ["EventBridgeParameters"] },
};
const COMMON: readonly (keyof Target)[] = ["Arn", "RoleArn", "Input", "RetryPolicy", "DeadLetterConfig"];

/** https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html: what begins so is no target. */
const READS =
  /^(get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe|batchRead|transactGet|adminGet|adminList|testMigration|retrieve|testConnection|translateDocument|isAuthorized|invokeModel)/i;

/** Throws where AWS refuses a target, or it is none that we can invoke. */
export function checkTarget(ctx: Context, target: Target): void {
  const universal = universalOf(target.Arn!);
  if (universal) checkUniversal(ctx, target, universal);
  else checkTemplated(target);
}

function checkTemplated(target: Target): void {
  const arn = parseArn(target.Arn!);
  if (!arn) throw errors.arn();
  const kind = Object.hasOwn(TEMPLATED, arn.service) ? TEMPLATED[arn.service] : undefined;
  if (!kind) throw errors.notImplemented(`A target of ${arn.service}`);
  if (!kind.resource.test(arn.resource)) throw errors.arn();
  refuseOthers(target, kind.own);
  const json = arn.service === "lambda" || arn.service === "events";
  if (json && target.Input !== undefined && parsedJson(target.Input) === undefined) throw errors.inputNotJson();
  if (arn.service === "events" && !target.EventBridgeParameters)
    throw errors.parametersMissing("EventBridgeParameters");
  const fifo = arn.service === "sqs" && arn.resource.endsWith(".fifo");
  if (fifo && !target.SqsParameters?.MessageGroupId) throw errors.parametersMissing("SqsParameters.MessageGroupId");
}

interface Universal {
  readonly service: string;
  readonly action: string;
}

function universalOf(arn: Arn): Universal | undefined {
  const [, service, action] = /^arn:aws:scheduler:::aws-sdk:([^:]+):([^:]+)$/.exec(arn) ?? [];
  return action === undefined ? undefined : { service: service!, action };
}

function checkUniversal(ctx: Context, target: Target, { service, action }: Universal): void {
  if (READS.test(action)) throw errors.readOnly(target.Arn!);
  if (!ctx.action(service, action)) throw errors.notImplemented(`The target ${service}:${action}`);
  refuseOthers(target, []);
  const input = parsedJson(target.Input ?? "{}");
  if (typeof input !== "object" || input === null || Array.isArray(input)) throw errors.inputNotJson();
}

function refuseOthers(target: Target, own: readonly (keyof Target)[]): void {
  for (const [member, value] of Object.entries(target))
    if (value !== undefined && !COMMON.includes(member as keyof Target) && !own.includes(member as keyof Target))
      throw errors.parametersUnwanted(member);
}

export interface Invocation {
  readonly schedule: Arn;
  /** When it was to be, in ms since the epoch. */
  readonly at: number;
  readonly executionId: string;
  /** 1 for the first. */
  readonly attempt: number;
}

/** What the target gets: its Input with the context attributes in it, or what AWS sends where there is none. */
export function payloadOf({ Arn: arn, Input: input }: Target, of: Invocation): string {
  if (input !== undefined) {
    const attributes: Readonly<Record<string, string>> = {
      "schedule-arn": of.schedule,
      "scheduled-time": isoSeconds(of.at),
      "execution-id": of.executionId,
      "attempt-number": String(of.attempt),
    };
    return input.replaceAll(/<aws\.scheduler\.([a-z-]+)>/g, (whole, name: string) => attributes[name] ?? whole);
  }
  return universalOf(arn!) || parseArn(arn!)?.service === "events" ? "{}" : JSON.stringify(notice(of));
}

/** https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html: "a default notification"; `detail` is a text there. */
function notice({ schedule, at, executionId }: Invocation) {
  const { account, region } = parseArn(schedule)!;
  return {
    version: "0",
    id: executionId,
    "detail-type": "Scheduled Event",
    source: "aws.scheduler",
    account,
    time: isoSeconds(at),
    region,
    resources: [schedule],
    detail: "{}",
  };
}

export const isoSeconds = (at: number): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");

/** Invokes it as `as`: a session of the schedule's role. Throws what the operation does. */
export async function invoke(
  ctx: Context,
  { target, as, payload, schedule }: { target: Target; as: Principal; payload: string; schedule: Arn },
): Promise<void> {
  const universal = universalOf(target.Arn!);
  if (!universal) return sendTo(ctx, { to: target.Arn!, as, parcel: parcelOf(target, payload, schedule) });
  const action = ctx.action(universal.service, universal.action);
  if (!action) throw errors.notImplemented(`The target ${universal.service}:${universal.action}`);
  const input = action.input(JSON.parse(payload));
  await ctx.call(action.service, action.operation as never, input as never, as);
}

function parcelOf({ EventBridgeParameters: events, SqsParameters: sqs }: Target, body: string, schedule: Arn): Parcel {
  if (events) {
    const { Source = "", DetailType = "" } = events;
    return { kind: "entry", source: Source, detailType: DetailType, detail: JSON.parse(body), resources: [schedule] };
  }
  const groupId = sqs?.MessageGroupId;
  return { kind: "message", body, ...(groupId !== undefined && { groupId }) };
}
