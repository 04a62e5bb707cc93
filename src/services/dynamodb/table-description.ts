// A table as DescribeTable answers it.
import type { Output, Tx } from "../../kernel/mod.ts";
import type { Capacity, Index, KeySchema, Replica, Restore, Table, TableStream } from "./schema.ts";
import { indexStatus, tableStatus } from "./states.ts";
import { streamArn } from "./streams/streams.ts";
import { decreasesToday, warmNow } from "./throughput.ts";
import { compareText } from "./value.ts";

export type TableDescription = NonNullable<Output<"dynamodb", "DescribeTable">["Table"]>;
type GlobalDescription = NonNullable<TableDescription["GlobalSecondaryIndexes"]>[number];
type LocalDescription = NonNullable<TableDescription["LocalSecondaryIndexes"]>[number];

export interface Count {
  readonly items: number;
  readonly bytes: number;
}
/** Of a number in dynamodb_item. */
export type Counts = ReadonlyMap<number, Count>;
export const NO_COUNTS: Counts = new Map();

export interface Telling {
  readonly now: number;
  /** DescribeTable tells warm throughput and the time of the billing mode; CreateTable tells them only where they were asked for. */
  readonly whole: boolean;
}

export function description(table: Table, counts: Counts, telling: Telling): TableDescription {
  const { now, whole } = telling;
  const { items, bytes } = counts.get(table.number) ?? { items: 0, bytes: 0 };
  const indexes = (kind: Index["kind"]) => table.indexes.filter((index) => index.kind === kind);
  const locals = indexes("local").map((index) => localDescription(table, index, counts));
  const globals = indexes("global").map((index) => globalDescription(table, index, { counts, ...telling }));
  return {
    AttributeDefinitions: table.attributes
      .map(({ name, type }) => ({ AttributeName: name, AttributeType: type }))
      .sort((one, other) => compareText(one.AttributeName, other.AttributeName)),
    TableName: table.name,
    KeySchema: elements(table.key),
    TableStatus: tableStatus(table),
    CreationDateTime: new Date(table.createdMs),
    ProvisionedThroughput: throughputDescription(table, now),
    TableSizeBytes: bytes,
    ItemCount: items,
    TableArn: table.arn,
    TableId: table.id,
    ...((table.onDemandSinceMs !== undefined || table.billingMode === "PAY_PER_REQUEST") && {
      BillingModeSummary: {
        BillingMode: table.billingMode,
        ...(whole &&
          table.onDemandSinceMs !== undefined && {
            LastUpdateToPayPerRequestDateTime: new Date(table.onDemandSinceMs),
          }),
      },
    }),
    ...(locals.length > 0 && { LocalSecondaryIndexes: locals }),
    ...(globals.length > 0 && { GlobalSecondaryIndexes: globals }),
    ...(table.tableClass && { TableClassSummary: classDescription(table) }),
    ...encryptionDescription(table),
    ...(table.stream && streamDescription(table, table.stream)),
    ...(table.replicas && {
      GlobalTableVersion: "2019.11.21",
      Replicas: table.replicas.map((replica) => replicaDescription(table, replica)),
    }),
    ...(table.restore && { RestoreSummary: restoreSummary(table.restore) }),
    DeletionProtectionEnabled: table.deletionProtection,
    ...(table.onDemandThroughput && { OnDemandThroughput: table.onDemandThroughput }),
    ...((whole || table.warm) && { WarmThroughput: warmDescription(table, table) }),
  };
}

/** Of each region the others; an override is told where it was asked for. */
const replicaDescription = (table: Table, replica: Replica) => ({
  RegionName: replica.region,
  ReplicaStatus: replica.status ?? ("ACTIVE" as const),
  ...(replica.throughput && { ProvisionedThroughputOverride: replica.throughput }),
  ...(replica.onDemandThroughput && { OnDemandThroughputOverride: replica.onDemandThroughput }),
  ...(replica.tableClass && { ReplicaTableClassSummary: { TableClass: replica.tableClass } }),
  ...(table.indexes.some(({ kind }) => kind === "global") && {
    GlobalSecondaryIndexes: table.indexes
      .filter(({ kind }) => kind === "global")
      .map(({ name }) => ({ ...replica.indexes?.find(({ IndexName }) => IndexName === name), IndexName: name })),
  }),
});

/** As long as it is CREATING: afterwards nothing tells where a table came from (seen on AWS). */
const restoreSummary = ({ backupArn, tableArn, atMs }: Restore) => ({
  ...(backupArn !== undefined && { SourceBackupArn: backupArn }),
  SourceTableArn: tableArn,
  RestoreDateTime: new Date(atMs),
  RestoreInProgress: true,
});

const throughputDescription = (capacity: Capacity, now: number) => ({
  NumberOfDecreasesToday: decreasesToday(capacity, now),
  ReadCapacityUnits: capacity.throughput.read,
  WriteCapacityUnits: capacity.throughput.write,
  ...(capacity.throughputIncreasedMs && { LastIncreaseDateTime: new Date(capacity.throughputIncreasedMs) }),
  ...(capacity.throughputDecreasedMs && { LastDecreaseDateTime: new Date(capacity.throughputDecreasedMs) }),
});

const classDescription = ({ tableClass, tableClassChangesMs = [] }: Table) => ({
  TableClass: tableClass,
  ...(tableClassChangesMs.length > 0 && { LastUpdateDateTime: new Date(tableClassChangesMs.at(-1)!) }),
});

/** AWS's own key is not told. While it changes, the old one is, where there was one. */
function encryptionDescription({ encryptionKey = "", changes = [] }: Table) {
  const change = changes.find(({ kind }) => kind === "encryption");
  const key = encryptionKey || change?.next.encryptionKey;
  if (!key) return {};
  const Status = change ? ("UPDATING" as const) : ("ENABLED" as const);
  return { SSEDescription: { Status, SSEType: "KMS" as const, KMSMasterKeyArn: key } };
}

/** The latest stream's name stays when it is disabled; the specification goes. */
const streamDescription = (table: Table, stream: TableStream) => ({
  ...(stream.enabled && { StreamSpecification: { StreamEnabled: true, StreamViewType: stream.viewType } }),
  LatestStreamArn: streamArn(table, stream),
  LatestStreamLabel: stream.label,
});

/** What DeleteTable tells of a table that is going. */
export function lastDescription(table: Table, now: number): TableDescription {
  const { DeletionProtectionEnabled, ProvisionedThroughput, TableArn, TableId, TableName, BillingModeSummary } =
    description(table, NO_COUNTS, { now, whole: false });
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
      ...(index.nonKeyAttributes.length > 0 && { NonKeyAttributes: index.nonKeyAttributes.toSorted(compareText) }),
    },
    IndexSizeBytes: bytes,
    ItemCount: items,
    IndexArn: `${table.arn}/index/${index.name}`,
  };
}

function globalDescription(
  table: Table,
  index: Index,
  { counts, whole, now }: Telling & { readonly counts: Counts },
): GlobalDescription {
  return {
    ...localDescription(table, index, counts),
    IndexStatus: indexStatus(table, index),
    ...(index.status === "CREATING" && { Backfilling: index.backfilling ?? false }),
    ProvisionedThroughput: throughputDescription(index, now),
    ...(index.onDemandThroughput && { OnDemandThroughput: index.onDemandThroughput }),
    ...(whole && { WarmThroughput: warmDescription(table, index) }),
  };
}

function warmDescription(table: Table, capacity: Capacity) {
  // While it becomes on-demand it is as warm as it was.
  const before = capacity === table && table.changes?.some(({ kind, next }) => kind === "billing" && next.warm);
  const { read, write } = warmNow(capacity, before ? "PROVISIONED" : table.billingMode);
  const changing = capacity === table && table.changes?.some(({ kind }) => kind === "warm");
  const warming = changing || (table.status === "CREATING" && capacity.warm);
  return {
    ReadUnitsPerSecond: read,
    WriteUnitsPerSecond: write,
    Status: warming ? ("UPDATING" as const) : ("ACTIVE" as const),
  };
}

export const elements = ({ hash, range }: KeySchema) => [
  ...hash.map(({ name }) => ({ AttributeName: name, KeyType: "HASH" as const })),
  ...range.map(({ name }) => ({ AttributeName: name, KeyType: "RANGE" as const })),
];

// AWS counts every six hours. We count when asked, unless there were so many rows that the last figure has to serve for a while.
const MANY_ROWS = 50_000;
const FRESH_MS = 6 * 60 * 60 * 1000;
const MOST_KEPT = 1000;
const kept = new Map<string, { readonly at: number; readonly counts: Counts }>();

export async function countRows(tx: Tx, table: Table, now: number): Promise<Counts> {
  const known = kept.get(table.id);
  const numbers = [table, ...table.indexes].map(({ number }) => number);
  // An index that has come since is counted with the rest.
  if (known && now >= known.at && now - known.at < FRESH_MS && numbers.every((number) => known.counts.has(number)))
    return known.counts;
  const counts = new Map<number, Count>();
  for (const number of numbers)
    counts.set(
      number,
      (await tx.one<Count>(
        "SELECT COUNT(*) AS items, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM dynamodb_item WHERE number = :number",
        { number },
      ))!,
    );
  if (counts.values().reduce((sum, { items }) => sum + items, 0) > MANY_ROWS) {
    if (kept.size >= MOST_KEPT) kept.clear();
    kept.set(table.id, { at: now, counts });
  }
  return counts;
}
