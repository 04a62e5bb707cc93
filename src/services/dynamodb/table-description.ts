// A table as DescribeTable answers it.
import type { Output, Tx } from "../../kernel/mod.ts";
import type { Index, KeySchema, Restore, Table, TableStream, Throughput } from "./schema.ts";
import { streamArn } from "./streams/streams.ts";

export type TableDescription = NonNullable<Output<"dynamodb", "DescribeTable">["Table"]>;
type GlobalDescription = NonNullable<TableDescription["GlobalSecondaryIndexes"]>[number];
type LocalDescription = NonNullable<TableDescription["LocalSecondaryIndexes"]>[number];

/** What a table that pays per request can take from the start, by AWS's own page on warm throughput. */
const ON_DEMAND_WARM: Throughput = { read: 12_000, write: 4_000 };

export interface Count {
  readonly items: number;
  readonly bytes: number;
}
/** Of a number in dynamodb_item. */
export type Counts = ReadonlyMap<number, Count>;
export const NO_COUNTS: Counts = new Map();

/** DescribeTable tells warm throughput and the time of the billing mode; CreateTable tells them only where they were asked for. */
export function description(table: Table, counts: Counts, { whole }: { whole: boolean }): TableDescription {
  const { items, bytes } = counts.get(table.number) ?? { items: 0, bytes: 0 };
  const indexes = (kind: Index["kind"]) => table.indexes.filter((index) => index.kind === kind);
  const locals = indexes("local").map((index) => localDescription(table, index, counts));
  const globals = indexes("global").map((index) => globalDescription(table, index, { counts, whole }));
  return {
    AttributeDefinitions: table.attributes.map(({ name, type }) => ({ AttributeName: name, AttributeType: type })),
    TableName: table.name,
    KeySchema: elements(table.key),
    TableStatus: table.status ?? "ACTIVE",
    CreationDateTime: new Date(table.createdMs),
    ProvisionedThroughput: {
      NumberOfDecreasesToday: 0,
      ReadCapacityUnits: table.throughput.read,
      WriteCapacityUnits: table.throughput.write,
      ...(table.throughputIncreasedMs && { LastIncreaseDateTime: new Date(table.throughputIncreasedMs) }),
      ...(table.throughputDecreasedMs && { LastDecreaseDateTime: new Date(table.throughputDecreasedMs) }),
    },
    TableSizeBytes: bytes,
    ItemCount: items,
    TableArn: table.arn,
    TableId: table.id,
    ...(table.onDemandSinceMs !== undefined && {
      BillingModeSummary: {
        BillingMode: table.billingMode,
        ...(whole && { LastUpdateToPayPerRequestDateTime: new Date(table.onDemandSinceMs) }),
      },
    }),
    ...(locals.length > 0 && { LocalSecondaryIndexes: locals }),
    ...(globals.length > 0 && { GlobalSecondaryIndexes: globals }),
    ...(table.tableClass && { TableClassSummary: { TableClass: table.tableClass } }),
    ...(table.stream && streamDescription(table, table.stream)),
    ...(table.restore && { RestoreSummary: restoreSummary(table.restore) }),
    DeletionProtectionEnabled: table.deletionProtection,
    ...(table.onDemandThroughput && { OnDemandThroughput: table.onDemandThroughput }),
    ...((whole || table.warm) && { WarmThroughput: warmDescription(table, table) }),
  };
}

/** As long as it is CREATING: afterwards nothing tells where a table came from (seen on AWS). */
const restoreSummary = ({ backupArn, tableArn, atMs }: Restore) => ({
  ...(backupArn !== undefined && { SourceBackupArn: backupArn }),
  SourceTableArn: tableArn,
  RestoreDateTime: new Date(atMs),
  RestoreInProgress: true,
});

/** The latest stream's name stays when it is disabled; the specification goes. */
const streamDescription = (table: Table, stream: TableStream) => ({
  ...(stream.enabled && { StreamSpecification: { StreamEnabled: true, StreamViewType: stream.viewType } }),
  LatestStreamArn: streamArn(table, stream),
  LatestStreamLabel: stream.label,
});

/** What DeleteTable tells of a table that is going. */
export function lastDescription(table: Table): TableDescription {
  const { DeletionProtectionEnabled, ProvisionedThroughput, TableArn, TableId, TableName, BillingModeSummary } =
    description(table, NO_COUNTS, { whole: false });
  return {
    DeletionProtectionEnabled,
    ItemCount: 0,
    ProvisionedThroughput,
    TableArn,
    TableId,
    TableName,
    TableSizeBytes: 0,
    TableStatus: "DELETING",
    ...(BillingModeSummary && { BillingModeSummary }),
  };
}

function localDescription(table: Table, index: Index, counts: Counts): LocalDescription {
  const { items, bytes } = counts.get(index.number) ?? { items: 0, bytes: 0 };
  return {
    IndexName: index.name,
    KeySchema: elements(index.key),
    Projection: {
      ProjectionType: index.projection,
      ...(index.nonKeyAttributes.length > 0 && { NonKeyAttributes: [...index.nonKeyAttributes] }),
    },
    IndexSizeBytes: bytes,
    ItemCount: items,
    IndexArn: `${table.arn}/index/${index.name}`,
  };
}

function globalDescription(
  table: Table,
  index: Index,
  { counts, whole }: { counts: Counts; whole: boolean },
): GlobalDescription {
  return {
    ...localDescription(table, index, counts),
    IndexStatus: "ACTIVE",
    ProvisionedThroughput: {
      NumberOfDecreasesToday: 0,
      ReadCapacityUnits: index.throughput.read,
      WriteCapacityUnits: index.throughput.write,
    },
    ...(index.onDemandThroughput && { OnDemandThroughput: index.onDemandThroughput }),
    ...((whole || index.warm) && { WarmThroughput: warmDescription(table, index) }),
  };
}

function warmDescription({ billingMode }: Table, { warm, throughput }: Pick<Index, "warm" | "throughput">) {
  const { read, write } = warm ?? (billingMode === "PROVISIONED" ? throughput : ON_DEMAND_WARM);
  return { ReadUnitsPerSecond: read, WriteUnitsPerSecond: write, Status: "ACTIVE" as const };
}

export const elements = ({ hash, range }: KeySchema) => [
  ...hash.map(({ name }) => ({ AttributeName: name, KeyType: "HASH" as const })),
  ...range.map(({ name }) => ({ AttributeName: name, KeyType: "RANGE" as const })),
];

// AWS counts every six hours. We count when asked, unless that took so long that the last figure has to serve for a while.
const SLOW_MS = 20;
const FRESH_MS = 6 * 60 * 60 * 1000;
const MOST_KEPT = 1000;
const kept = new Map<string, { readonly at: number; readonly counts: Counts }>();

export async function countRows(tx: Tx, table: Table, now: number): Promise<Counts> {
  const known = kept.get(table.id);
  if (known && now >= known.at && now - known.at < FRESH_MS) return known.counts;
  const started = performance.now();
  const counts = new Map<number, Count>();
  for (const { number } of [table, ...table.indexes])
    counts.set(
      number,
      (await tx.one<Count>(
        "SELECT COUNT(*) AS items, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM dynamodb_item WHERE number = :number",
        { number },
      ))!,
    );
  if (performance.now() - started > SLOW_MS) {
    if (kept.size >= MOST_KEPT) kept.clear();
    kept.set(table.id, { at: now, counts });
  }
  return counts;
}
