// What is brought to EventBridge's own ARNs: a rule is due or sends to a target, a service tells a bus, an archive forgets, a replay goes on.
import { AwsError, type Context, parcelOf, sendTo, type Tx, type Work } from "../../kernel/mod.ts";
import { archiveOfArn, type Sweep, sweep, sweepLater } from "./archived.ts";
import { busOfArn } from "./bus-rows.ts";
import { refOfArn as namedRefOfArn } from "./connection-rows.ts";
import { type Event, timeText } from "./event.ts";
import { type Fire, fire, skip } from "./firing.ts";
import { authorize, deauthorize } from "./oauth.ts";
import { bring } from "./put-events.ts";
import { failReplay, replayOfArn, replayStep } from "./replays.ts";
import { refOfArn } from "./rows.ts";
import { giveUpSend, type Send, send } from "./sending.ts";

export async function deliver(ctx: Context, work: Work): Promise<void> {
  const { to } = work;
  if (busOfArn(to)) return toBus(ctx, work);
  // All else is EventBridge's own.
  const own = work.as.kind === "service" && work.as.name === "events.amazonaws.com";
  const payload = work.payload as { kind?: string } | null;
  const rule = refOfArn(to);
  if (own && rule && payload?.kind === "fire") return fire(ctx, rule, payload as Fire);
  if (own && rule && payload?.kind === "send") return send(ctx, work, payload as Send);
  const archive = archiveOfArn(to);
  if (own && archive && payload?.kind === "sweep") return sweep(ctx, archive, payload as Sweep);
  const replay = replayOfArn(to);
  if (own && replay && payload?.kind === "replay") return replayStep(ctx, replay);
  const connection = namedRefOfArn("connection", to);
  if (own && connection && payload?.kind === "authorize") return authorize(ctx, connection);
  throw new AwsError("NotImplemented", 501, `nothing here takes a delivery to ${to}`);
}

export async function giveUp(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  const payload = (work.payload ?? {}) as { kind?: string };
  const { kind } = payload;
  const [rule, archive, replay] = [refOfArn(work.to), archiveOfArn(work.to), replayOfArn(work.to)];
  const connection = namedRefOfArn("connection", work.to);
  if (kind === "send" && rule) await giveUpSend(ctx, tx, work, error);
  else if (kind === "fire" && rule) await skip(ctx, tx, rule, payload as Fire);
  else if (archive) await sweepLater(ctx, tx, archive, payload as Sweep);
  else if (replay) await failReplay(ctx, tx, replay, error);
  else if (connection) await deauthorize(tx, connection, error);
  else if (busOfArn(work.to)) ctx.log.error(`an event for ${work.to} is lost`, { subject: work.to });
}

/** An AWS service tells a bus of its own account what happened: nobody has to permit that. Whoever else comes is asked as PutEvents asks. */
async function toBus(ctx: Context, work: Work): Promise<void> {
  const bus = busOfArn(work.to)!;
  const parcel = parcelOf(work.payload);
  const { as } = work;
  const trusted = parcel.kind === "entry" && /^aws\./.test(parcel.source) && as.kind === "service";
  if (!trusted || as.account !== bus.account) return sendTo(ctx, { to: work.to, as, parcel });
  const event: Event = {
    version: "0",
    // The same at a second delivery.
    id: work.id,
    "detail-type": parcel.detailType,
    source: parcel.source,
    account: bus.account,
    time: timeText(parcel.time ?? work.createdAt),
    region: bus.region,
    resources: parcel.resources,
    detail: parcel.detail,
  };
  await bring(ctx, [{ bus, arrival: { event, receivedMs: ctx.now, forwarded: false } }]);
}
