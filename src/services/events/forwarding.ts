// From bus to bus. What arrives there is the same event, of the account and region that it came from; PutEvents would make it the sender's
// own. So it carries who it is in a seal that only this cloud can make.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html
import { type Arn, AwsError, type Context, type Principal, parseArn } from "../../kernel/mod.ts";
import { type Event, timeText } from "./event.ts";

/** Of the event, what an entry does not say. Times in ms. */
interface Identity {
  readonly id: string;
  readonly account: string;
  readonly region: string;
  readonly time: number;
  readonly replay?: string;
}

const ABOUT = "events forward";

/** Throws what PutEvents does, or the code of the entry. */
export async function forward(
  ctx: Context,
  { to, as, event }: { to: Arn; as: Principal; event: Event },
): Promise<void> {
  const { region } = parseArn(to)!;
  const there =
    region === ctx.region ? ctx : ctx.fork({ principal: as, account: ctx.account, region, cause: ctx.requestId });
  const identity: Identity = {
    id: event.id,
    account: event.account,
    region: event.region,
    time: Date.parse(event.time),
    ...(event["replay-name"] !== undefined && { replay: event["replay-name"] }),
  };
  const entry = {
    EventBusName: to,
    Source: event.source,
    DetailType: event["detail-type"],
    Detail: JSON.stringify(event.detail),
    Resources: [...event.resources],
    TraceHeader: ctx.seal(JSON.stringify(identity), ABOUT),
  };
  const { Entries } = await there.call("events", "PutEvents", { Entries: [entry] }, as);
  const { ErrorCode, ErrorMessage } = Entries?.[0] ?? {};
  if (ErrorCode !== undefined) throw new AwsError(ErrorCode, 400, ErrorMessage ?? "");
}

/** Of an entry that a bus sent. */
export function forwardedIdentity(
  ctx: Context,
  traceHeader: string | undefined,
): Pick<Event, "id" | "account" | "region" | "time" | "replay-name"> | undefined {
  const text = traceHeader?.startsWith("sealed") ? ctx.unseal(traceHeader, ABOUT) : undefined;
  if (text === undefined) return undefined;
  const { id, account, region, time, replay } = JSON.parse(text) as Identity;
  return { id, account, region, time: timeText(time), ...(replay !== undefined && { "replay-name": replay }) };
}
