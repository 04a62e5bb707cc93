// PutEvents: what customers put on a bus. One transaction for a request, with all the deliveries that it causes.
import { type Access, type Context, defineOperations, type Input, newRequestId } from "../../kernel/mod.ts";
import { onBus } from "./access.ts";
import { type BusRef, busArn, busOf } from "./bus-rows.ts";
import { errors } from "./errors.ts";
import { detailOf, type Event, parseExact, timeText } from "./event.ts";
import { forwardedIdentity } from "./forwarding.ts";
import { type Arrival, type Listeners, listenersOf, put, type Routed, routed, tell } from "./routing.ts";

/** All entries of a request. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html */
const MOST_BYTES = 1024 * 1024;
const TIME_BYTES = 14;

type Entry = NonNullable<Input<"events", "PutEvents">["Entries"]>[number];
interface Refusal {
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
}

export const putEvents = defineOperations("events", {
  PutEvents: {
    access: (ctx, input) => accessOf(ctx, input.Entries ?? []),
    async handle(ctx, input) {
      const entries = input.Entries ?? [];
      if (input.EndpointId !== undefined) throw errors.notImplemented("PutEvents' EndpointId");
      if (sum(entries.map(sizeOf)) > MOST_BYTES)
        throw errors.validation("Total size of the entries in the request is over the limit.");
      const taken = entries.map((entry) => arrivalOf(ctx, entry));
      await bring(
        ctx,
        taken.filter((one): one is Taken => !("ErrorCode" in one)),
      );
      const Entries = taken.map((one) => ("ErrorCode" in one ? one : { EventId: one.arrival.event.id }));
      return { FailedEntryCount: taken.filter((one) => "ErrorCode" in one).length, Entries };
    },
  },
});

/** Each entry is asked about by itself, with its source and its detail type. */
function accessOf(ctx: Context, entries: readonly Entry[]): Access[] {
  const asked = new Map<string, Access>();
  for (const { EventBusName, Source = "", DetailType = "", TraceHeader } of entries) {
    const bus = busOf(ctx, EventBusName);
    const conditions = {
      "events:source": Source,
      "events:detail-type": DetailType,
      "events:eventBusInvocation": String(forwardedIdentity(ctx, TraceHeader) !== undefined),
    };
    asked.set(JSON.stringify([busArn(bus), conditions]), onBus("PutEvents", bus, conditions));
  }
  return [...asked.values()];
}

export interface Taken {
  readonly bus: BusRef;
  readonly arrival: Arrival;
}

/** To the rules of their buses, in one transaction; none where no rule is met. On a bus that is not there events are lost, as on AWS. */
export async function bring(ctx: Context, taken: readonly Taken[]): Promise<void> {
  const all: (Routed & { bus: BusRef })[] = [];
  // A bus is looked at once, however many of the entries are for it.
  const buses = new Map<string, Listeners | undefined>();
  for (const { bus } of taken) if (!buses.has(busArn(bus))) buses.set(busArn(bus), await listenersOf(ctx, bus));
  for (const { bus, arrival } of taken) {
    const listeners = buses.get(busArn(bus));
    if (listeners) all.push({ bus, ...routed(ctx, listeners, arrival) });
    else ctx.log.warn(`there is no event bus ${bus.name}: an event is lost`, { subject: busArn(bus) });
  }
  if (all.some(({ met }) => met.length > 0))
    await ctx.write(async (tx) => {
      for (const one of all) await put(ctx, tx, one);
    });
  for (const { bus, ...one } of all) tell(ctx, bus, one);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function sizeOf({ Time, Source = "", DetailType = "", Detail = "", Resources = [] }: Entry): number {
  const texts = [Source, DetailType, Detail, ...Resources].map((text) => Buffer.byteLength(text));
  return (Time === undefined ? 0 : TIME_BYTES) + sum(texts);
}

const required = (name: string): Refusal => ({
  ErrorCode: "InvalidArgument",
  ErrorMessage: `Parameter ${name} is not valid. Reason: ${name} is a required argument.`,
});

/** AWS's order: what is missing, what is malformed, whose source it is. */
function arrivalOf(ctx: Context, entry: Entry): Taken | Refusal {
  const { Source, DetailType, Detail, Resources = [], Time } = entry;
  if (!Source) return required("Source");
  if (!DetailType) return required("DetailType");
  if (!Detail) return required("Detail");
  const detail = detailOf(Detail);
  if (!detail) return { ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." };
  const identity = forwardedIdentity(ctx, entry.TraceHeader);
  if (!identity && /^aws\./i.test(Source))
    return { ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source." };
  const bus = busOf(ctx, entry.EventBusName);
  if (bus.region !== ctx.region) throw errors.validation("Cross-region api call is not allowed.");
  const { id, account, time, region, ...replayed } = identity ?? {
    id: newRequestId(),
    account: ctx.account,
    time: timeText(Time?.getTime() ?? ctx.now),
    region: ctx.region,
  };
  const event: Event = {
    version: "0",
    id,
    "detail-type": DetailType,
    source: Source,
    account,
    time,
    region,
    resources: Resources,
    detail,
    ...replayed,
  };
  const exact = parseExact(Detail);
  const arrival = { event, receivedMs: ctx.now, forwarded: identity !== undefined };
  return { bus, arrival: exact === undefined ? arrival : { ...arrival, exact: { ...event, detail: exact } } };
}
