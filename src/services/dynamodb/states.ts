// What state a table and its indexes are in, and what may be asked of them meanwhile: AWS refuses a change that meets another one.
// The sentences were seen on AWS in 2026-10, the times too. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
import { errors } from "./errors.ts";
import type { Change, Index, Table } from "./schema.ts";

/** With `--delays real`; ms. */
export const TAKES_MS = {
  create: 6_000,
  createWithIndexes: 16_000,
  delete: 5_000,
  throughput: 2_000,
  toProvisioned: 80_000,
  toOnDemand: 130_000,
  stream: 5_000,
  class: 5_000,
  warm: 390_000,
  encryption: 22_000,
  indexChange: 2_000,
  indexResources: 30_000,
  indexFilled: 480_000,
  indexDelete: 5_000,
  none: 0,
} as const;

export function tableStatus({ status, changes = [], indexes }: Table): "CREATING" | "UPDATING" | "DELETING" | "ACTIVE" {
  if (status) return status;
  const changing = changes.some(({ kind }) => kind !== "warm" && kind !== "encryption");
  return changing || indexes.some((index) => index.status === "DELETING" || findsResources(index))
    ? "UPDATING"
    : "ACTIVE";
}

export const indexStatus = (table: Table, index: Index) => index.status ?? table.status ?? "ACTIVE";

const findsResources = ({ status, backfilling }: Index): boolean => status === "CREATING" && !backfilling;

/** What an UpdateTable changes, so far as it may meet something else. */
export interface Wanted {
  readonly capacity: boolean;
  readonly onDemandThroughput: boolean;
  readonly stream: boolean;
  readonly class: boolean;
  readonly encryption: boolean;
  /** Names of indexes. */
  readonly creates: readonly string[];
  readonly deletes: readonly string[];
  readonly updates: readonly string[];
}

/** Throws ResourceInUseException or LimitExceededException. */
export function admit(table: Table, wanted: Wanted): void {
  settledTable(table);
  meetsIndexes(table, wanted);
  for (const change of table.changes ?? []) meets(table, change, wanted);
}

export function admitDelete(table: Table): void {
  settledTable(table);
  if (table.indexes.some(({ status }) => status))
    throw errors.inUse("Cannot delete table while indexes are being created, updated, or deleted.");
  if (table.changes?.some(({ kind }) => kind === "stream"))
    throw errors.inUse("Cannot delete table while stream is being enabled/disabled.");
  if (table.changes?.length) throw errors.inUse(`Table: ${table.name} is in the process of being updated.`);
}

export function settledTable({ status, name }: Table): void {
  if (status) throw errors.inUse(`Table is being ${status === "CREATING" ? "created" : "deleted"}: ${name}`);
}

export const oneIndexAtATime = () =>
  errors.subscriberLimit("Only 1 online index can be created or deleted simultaneously per table");

function meetsIndexes(table: Table, { capacity, onDemandThroughput, stream, creates, deletes, updates }: Wanted): void {
  const { name, indexes } = table;
  for (const index of indexes) {
    const where = `Table: ${name} Index: ${index.name}`;
    if (updates.includes(index.name)) {
      if (findsResources(index)) throw errors.inUse(`Index is being created but is not backfilling yet.  ${where}`);
      if (index.status === "DELETING" || index.status === "UPDATING")
        throw errors.inUse(`Index is being ${index.status === "DELETING" ? "deleted" : "updated"}.  ${where}`);
    }
    if (deletes.includes(index.name)) {
      if (findsResources(index))
        throw errors.inUse(
          `Index creation is in resource allocation phase. Retry deletion during backfilling phase or when the index is active.  ${where}`,
        );
      if (index.status === "DELETING" || index.status === "UPDATING")
        throw errors.inUse(`Index is being ${index.status === "DELETING" ? "deleted" : "updated"}.  ${where}`);
    } else if (creates.length + deletes.length > 0 && (index.status === "CREATING" || index.status === "DELETING"))
      throw oneIndexAtATime();
  }
  const going = indexes.filter(({ status }) => status === "DELETING").map((index) => index.name);
  const coming = indexes.filter(findsResources).map((index) => index.name);
  for (const [names, verb, noun] of [
    [going, "deleted", "deletion"],
    [coming, "created", "creation"],
  ] as const) {
    if (names.length === 0) continue;
    const list = `[${names.join(", ")}]`;
    if (capacity)
      throw errors.inUse(`Can't change table IOPS when an index is being ${verb}. Table: ${name} Indexes: ${list}`);
    if (onDemandThroughput)
      throw errors.inUse(
        `OnDemandThroughput cannot be updated while index ${noun} is in progress for indexes: ${list}`,
      );
    if (stream)
      throw errors.inUse(`Can't change stream status when an index is being ${verb}. Table: ${name} Indexes: ${list}`);
  }
}

function meets(table: Table, { kind, next }: Change, wanted: Wanted): void {
  const { name, stream } = table;
  const index = wanted.creates.length + wanted.deletes.length > 0;
  switch (kind) {
    case "throughput":
    case "billing":
      if (wanted.capacity) throw errors.inUse(`Table IOPS are currently being updated. Table: ${name}`);
      if (wanted.onDemandThroughput && kind === "billing")
        throw errors.inUse("OnDemandThroughput cannot be updated while BillingMode update is in progress");
      if (wanted.stream)
        throw errors.inUse(`Can't enable or disable stream while table IOPS are being updated. Table: ${name}`);
      if (index)
        throw errors.inUse(`Can't create or delete indexes while table IOPS are being updated. Table: ${name}`);
      return;
    case "stream": {
      const which = `Table: ${name} Stream: ${stream?.label} Operation: ${stream?.enabled ? "ENABLE" : "DISABLE"}`;
      if (wanted.stream) throw errors.inUse(`A stream status change is currently in progress. ${which}`);
      if (wanted.capacity) throw errors.inUse(`Can't change table IOPS when stream status is being updated. ${which}`);
      if (wanted.class) throw errors.inUse(`Can't update table class when stream status is being updated. ${which}`);
      if (index) throw errors.inUse(`Can't create or delete an index when stream status is being updated. ${which}`);
      return;
    }
    case "class": {
      const which = `TableClassUpdateInProgress: ${next.tableClass}`;
      const during = `when a table class update is in progress. Table: ${name} ${which}`;
      if (wanted.class) throw errors.inUse(`Can't update table class ${during}`);
      if (wanted.capacity) throw errors.inUse(`Can't change table IOPS ${during}`);
      if (wanted.stream) throw errors.inUse(`Can't change stream status ${during}`);
      if (index) throw errors.inUse(`Can't create or delete an index ${during}`);
      if (wanted.onDemandThroughput)
        throw errors.inUse(`OnDemandThroughput cannot be updated while TableClass update is in progress. ${which}`);
      return;
    }
    case "encryption":
      if (wanted.encryption) throw errors.inUse("Server-Side Encryption is still being updated");
      return;
    case "warm":
      return;
  }
}
