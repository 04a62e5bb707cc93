// What a group owes: events to its subscribers, counts to CloudWatch, and to itself to forget what is expired. Each is a work to the group's ARN.
import { gzipSync } from "node:zlib";
import { AwsError, type Context, type Principal, sendTo, type Tx, type Work } from "../../kernel/mod.ts";
import { eventsOfBatch, type Found } from "./events.ts";
import { type Export, exportTo, failExport } from "./export-run.ts";
import { compileFilterPattern } from "./filter-pattern/filter-pattern.ts";
import { metricData, type Transformation } from "./metric-data.ts";
import { type Retain, retain } from "./retention.ts";
import { type FilterRow, findGroup, type GroupRow, knownFilters, refOfArn } from "./rows.ts";

/** A batch came in that a filter wants. */
export type Filtered = ({ readonly kind: "subscription"; readonly filter: string } | { readonly kind: "metrics" }) & {
  readonly stream: string;
  readonly seq: number;
};

type Own = Filtered | Retain | Export;

export async function deliver(asked: Context, work: Work): Promise<void> {
  const own = ownOf(work);
  const ref = refOfArn(work.to);
  if (!own || !ref) throw new AwsError("NotImplemented", 501, `nothing here takes a delivery to ${work.to}`);
  const { account, region } = ref;
  const home = asked.account === account && asked.region === region;
  const ctx = home ? asked : asked.fork({ principal: work.as, account, region, cause: asked.requestId });
  if (own.kind === "retain") return retain(ctx, work.to, own);
  if (own.kind === "export") return exportTo(ctx, work, own);
  const group = await findGroup(ctx.singly, ref);
  if (!group) return; // deleted meanwhile
  const events = await eventsOfBatch(ctx, group, own);
  if (events.length === 0) return;
  const filters = await knownFilters(ctx, group);
  if (own.kind === "metrics")
    return measure(
      ctx,
      work.as,
      filters.filter(({ kind }) => kind === "metric"),
      events,
    );
  const filter = filters.find(({ kind, name }) => kind === "subscription" && name === own.filter);
  if (filter) await bring(ctx, work.as, { group, filter, events });
}

export async function giveUp(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  const own = ownOf(work);
  const reason = error instanceof Error ? error.message : String(error);
  if (own?.kind === "export") await failExport(ctx, tx, own, reason);
  ctx.log.error(`${own?.kind ?? "a delivery"} of ${work.to} is given up: ${reason}`, { subject: work.to });
}

/** Only Logs itself puts these. */
const ownOf = ({ as, payload }: Work): Own | undefined =>
  as.kind === "service" && as.name === "logs.amazonaws.com" ? (payload as Own) : undefined;

interface Bringing {
  readonly group: GroupRow;
  readonly filter: FilterRow;
  readonly events: readonly Found[];
}

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html: gzipped JSON in base64. */
async function bring(ctx: Context, as: Principal, { group, filter, events }: Bringing): Promise<void> {
  const match = compileFilterPattern(filter.pattern);
  const wanted = events.filter(({ message }) => match(message));
  if (wanted.length === 0) return; // the pattern was changed meanwhile
  const data = {
    messageType: "DATA_MESSAGE",
    owner: group.account,
    logGroup: group.name,
    logStream: wanted[0]!.stream,
    subscriptionFilters: [filter.name],
    logEvents: wanted.map(({ id, timestamp, message }) => ({ id, timestamp, message })),
  };
  const { destinationArn: to } = JSON.parse(filter.definition) as { destinationArn: string };
  const event = { awslogs: { data: gzipSync(JSON.stringify(data)).toString("base64") } };
  await invokeAs(ctx, as, (principal) => sendTo(ctx, { to, as: principal, parcel: { kind: "event", event } }));
}

/** A function's policy may name the service with its region, or without. */
export async function invokeAs(
  ctx: Context,
  as: Principal,
  invoke: (as: Principal) => Promise<unknown>,
): Promise<void> {
  try {
    await invoke(as);
  } catch (error) {
    if (!(error instanceof AwsError) || error.code !== "AccessDeniedException" || as.kind !== "service") throw error;
    await invoke({ ...as, name: `logs.${ctx.region}.amazonaws.com` });
  }
}

async function measure(
  ctx: Context,
  as: Principal,
  filters: readonly FilterRow[],
  events: readonly Found[],
): Promise<void> {
  for (const { pattern, definition } of filters) {
    const [transformation] = JSON.parse(definition) as [Transformation];
    const MetricData = metricData(transformation, compileFilterPattern(pattern), events);
    if (MetricData.length === 0) continue;
    await ctx.call("cloudwatch", "PutMetricData", { Namespace: transformation.metricNamespace, MetricData }, as);
  }
}
