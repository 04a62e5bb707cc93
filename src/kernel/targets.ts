// What one service brings to another's resource: by the operation that takes it there, under IAM, as whoever brings it.
import type { Context, Principal } from "./context.ts";
import { AwsError } from "./error.ts";
import { type Arn, parseArn } from "./names.ts";

/** A message attribute. `BinaryValue` is base64: a parcel is JSON. */
export type ParcelAttribute =
  | { readonly DataType: string; readonly StringValue: string }
  | { readonly DataType: string; readonly BinaryValue: string };

/** The payload of a Work to a queue, a topic, a function or a bus; or what `sendTo` brings at once. JSON. */
export type Parcel =
  /** A queue and a topic get `body`, a function the same text as its event. */
  | {
      readonly kind: "message";
      readonly body: string;
      /** A topic's. */
      readonly subject?: string;
      readonly attributes?: Readonly<Record<string, ParcelAttribute>>;
      /** Of FIFO queues and topics, and of fair queues. */
      readonly groupId?: string;
      readonly deduplicationId?: string;
    }
  /** A function gets `event`; a queue and a topic its JSON. */
  | { readonly kind: "event"; readonly event: unknown; readonly subject?: string }
  /** For an event bus. A log group gets its detail. */
  | {
      readonly kind: "entry";
      readonly source: string;
      readonly detailType: string;
      readonly detail: unknown;
      readonly resources: readonly Arn[];
      /** ms since the epoch. Default: now. */
      readonly time?: number;
    };

/** Whatever has no `kind` (S3's `{ Records }`) is an event as it is. */
export function parcelOf(payload: unknown): Parcel {
  const { kind } = (typeof payload === "object" && payload !== null ? payload : {}) as { kind?: unknown };
  return kind === "message" || kind === "event" || kind === "entry"
    ? (payload as Parcel)
    : { kind: "event", event: payload };
}

/** Where a parcel can be brought. */
export const takesParcels = (service: string): boolean => Object.hasOwn(SENDERS, service);

/** Brings it as `as`: the resource's policy, or the role of a session, decides. Throws what the operation does. */
export async function sendTo(
  ctx: Context,
  { to, as, parcel }: { to: Arn; as: Principal; parcel: Parcel },
): Promise<void> {
  const arn = parseArn(to);
  const send = arn && takesParcels(arn.service) ? SENDERS[arn.service] : undefined;
  if (!send) throw new AwsError("NotImplemented", 501, `nothing here takes a delivery to ${to}`);
  const { region } = arn!;
  const there =
    region === ctx.region
      ? ctx
      : ctx.fork({
          principal: as,
          account: ctx.account,
          region,
          cause: ctx.requestId,
          ...(ctx.trace !== undefined && { trace: ctx.trace }),
        });
  await send(there, to, as, parcel);
}

const bodyOf = (parcel: Parcel): string =>
  parcel.kind === "message" ? parcel.body : JSON.stringify(parcel.kind === "event" ? parcel.event : parcel.detail);

/** Of one's own, and of a message that has them. */
const grouped = (parcel: Parcel) =>
  parcel.kind === "message"
    ? {
        ...(parcel.attributes && { MessageAttributes: withBytes(parcel.attributes) }),
        ...(parcel.groupId !== undefined && { MessageGroupId: parcel.groupId }),
        ...(parcel.deduplicationId !== undefined && { MessageDeduplicationId: parcel.deduplicationId }),
      }
    : {};

const withBytes = (attributes: Readonly<Record<string, ParcelAttribute>>) =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      "BinaryValue" in value ? { ...value, BinaryValue: Buffer.from(value.BinaryValue, "base64") } : { ...value },
    ]),
  );

const SENDERS: Readonly<Record<string, (ctx: Context, to: Arn, as: Principal, parcel: Parcel) => Promise<unknown>>> = {
  lambda: (ctx, to, as, parcel) =>
    ctx.call(
      "lambda",
      "Invoke",
      { FunctionName: to, InvocationType: "Event", Payload: Buffer.from(bodyOf(parcel)) },
      as,
    ),

  sqs(ctx, to, as, parcel) {
    const { account, resource } = parseArn(to)!;
    const QueueUrl = `${ctx.endpoint}/${account}/${resource}`;
    return ctx.call("sqs", "SendMessage", { QueueUrl, MessageBody: bodyOf(parcel), ...grouped(parcel) }, as);
  },

  sns(ctx, to, as, parcel) {
    const Subject = parcel.kind === "entry" ? undefined : parcel.subject;
    const subject = Subject === undefined ? {} : { Subject };
    return ctx.call("sns", "Publish", { TopicArn: to, Message: bodyOf(parcel), ...subject, ...grouped(parcel) }, as);
  },

  /** A stream of one's own for each day: `<principal>/2026/11/23`. */
  async logs(ctx, to, as, parcel) {
    const logGroupName = /^log-group:([^:]+)/.exec(parseArn(to)!.resource)?.[1];
    if (!logGroupName) throw new AwsError("NotImplemented", 501, `nothing here takes a delivery to ${to}`);
    const timestamp = ctx.clock.now();
    const day = new Date(timestamp).toISOString().slice(0, 10).replaceAll("-", "/");
    const sender = as.kind === "service" ? as.name.split(".")[0] : "target";
    const stream = { logGroupName, logStreamName: `${sender}/${day}` };
    const put = () =>
      ctx.call("logs", "PutLogEvents", { ...stream, logEvents: [{ timestamp, message: bodyOf(parcel) }] }, as);
    try {
      await put();
    } catch (error) {
      if (!(error instanceof AwsError) || error.code !== "ResourceNotFoundException") throw error;
      await ctx.call("logs", "CreateLogStream", stream, as).catch((second: unknown) => {
        if (!(second instanceof AwsError) || second.code !== "ResourceAlreadyExistsException") throw second;
      });
      await put();
    }
  },

  async events(ctx, to, as, parcel) {
    if (parcel.kind !== "entry") throw new AwsError("NotImplemented", 501, `a bus takes no ${parcel.kind}: ${to}`);
    const entry = {
      EventBusName: to,
      Source: parcel.source,
      DetailType: parcel.detailType,
      Detail: JSON.stringify(parcel.detail),
      Resources: [...parcel.resources],
      ...(parcel.time !== undefined && { Time: new Date(parcel.time) }),
    };
    const { Entries } = await ctx.call("events", "PutEvents", { Entries: [entry] }, as);
    const { ErrorCode, ErrorMessage } = Entries?.[0] ?? {};
    if (ErrorCode !== undefined)
      throw new AwsError(ErrorCode, ErrorCode.startsWith("Internal") ? 500 : 400, ErrorMessage ?? "");
  },
};
