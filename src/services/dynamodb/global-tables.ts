// Global tables, version 2019.11.21: tables of one name in several regions of this cloud. UpdateTable's ReplicaUpdates make them and end them; a
// new one is filled by due work. Sentences were seen on AWS, 2026-10.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GlobalTables.html
import type { Access, Context, Tx, Work } from "../../kernel/mod.ts";
import { onTable } from "./access.ts";
import { beginCopy, isBeingCopied } from "./copies.ts";
import { wantedKey } from "./encryption.ts";
import { errors } from "./errors.ts";
import { dynamodbItself } from "./itself.ts";
import { dropTable } from "./removal.ts";
import { eachMember, type FollowTtl, noRecentSource, withStatus } from "./replicas.ts";
import { inRegionOf } from "./replication.ts";
import { fillStep } from "./restore.ts";
import { writing } from "./rows.ts";
import { findTable, insertTable, ofNewTable, type Replica, redefine, type Table, type TableRef } from "./schema.ts";
import { copyStamps, refIn } from "./stamps.ts";
import { admit } from "./states.ts";
import { closeStream, openStream } from "./streams/streams.ts";
import { description, NO_COUNTS, type TableDescription } from "./table-description.ts";
import { numbered, tableByName } from "./tables.ts";
import { changeTtl } from "./ttl.ts";
import type { UpdateInput } from "./update-rules.ts";
import { createView, seenIn } from "./views.ts";

/** https://docs.aws.amazon.com/general/latest/gr/ddb.html, without those that an account must ask for. */
const REGIONS =
  "us-east-1 us-east-2 us-west-1 us-west-2 ap-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 eu-north-1 sa-east-1".split(
    " ",
  );
const ALL_OF_NOTHING = {
  capacity: false,
  onDemandThroughput: false,
  stream: false,
  class: false,
  encryption: false,
  creates: [],
  deletes: [],
  updates: [],
};

type ReplicaUpdate = NonNullable<UpdateInput["ReplicaUpdates"]>[number];
type Overrides = NonNullable<ReplicaUpdate["Create"]>;

/** Of a Work to a replica that is to be: make it of the table in this region, and fill it. */
export interface MakeReplica {
  readonly kind: "make replica";
  readonly from: string;
}

/** Of a Work to a replica: it is no longer wanted. */
export interface DropReplica {
  readonly kind: "drop replica";
}

/** What ReplicaUpdates demand besides UpdateTable. */
export function replicaAccess(ctx: Context, input: UpdateInput): Access[] {
  return (input.ReplicaUpdates ?? []).flatMap(({ Create, Delete }) => {
    const region = Create?.RegionName ?? Delete?.RegionName;
    if (region === undefined) return [];
    const verb = Create ? "Create" : "Delete";
    const table = onTable(ctx, `${verb}TableReplica`, input.TableName);
    return [
      table,
      { action: `dynamodb:${verb}Table`, resource: table.resource.replace(/^(arn:aws:dynamodb:)[^:]*/, `$1${region}`) },
    ];
  });
}

/** One action of one kind. The answer is of the table as it was: the new entry comes a while later, as on AWS. */
export async function updateReplicas(ctx: Context, input: UpdateInput): Promise<TableDescription> {
  const update = oneAction(ctx, input);
  return ctx.write(async (tx) => {
    const table = await tableByName(tx, ctx, input.TableName);
    admit(table, ALL_OF_NOTHING);
    if (update.Create) await createReplica(tx, ctx, table, update.Create);
    else if (update.Delete) await deleteReplica(tx, ctx, table, update.Delete.RegionName!);
    else await updateReplica(tx, table, update.Update!);
    const told = { ...table, replicas: table.replicas ?? [] };
    return { ...description(told, NO_COUNTS, { now: ctx.now, whole: true }), TableStatus: "UPDATING" };
  });
}

function oneAction(ctx: Context, input: UpdateInput): ReplicaUpdate {
  const { TableName: _name, ReplicaUpdates = [], MultiRegionConsistency, ...others } = input;
  if (MultiRegionConsistency === "STRONG") throw errors.notImplemented("MultiRegionConsistency STRONG");
  if (Object.values(others).some((value) => value !== undefined))
    throw errors.invalid("Replica modification must be the only operation in the request");
  const given = ReplicaUpdates.map((update) => JSON.stringify(update));
  const updates = ReplicaUpdates.filter((_, i) => given.indexOf(given[i]!) === i);
  const kinds = new Set(
    updates.flatMap((update) => Object.entries(update).flatMap(([kind, action]) => (action ? [kind] : []))),
  );
  if (kinds.size > 1)
    throw errors.validation("Update table operation with more than one type of replica actions not allowed.");
  if (updates.length > 1)
    throw errors.validation("Update table operation with more than one create or delete replica actions not allowed");
  const [update] = updates;
  const action = update?.Create ?? update?.Update ?? update?.Delete;
  const region = action?.RegionName;
  const says = Object.entries(action ?? {}).filter(([name, value]) => name !== "RegionName" && value !== undefined);
  if (!update || region === undefined || (update.Update && says.length === 0))
    throw errors.validation("There are no actions specified in the Replica Update Action of the request.");
  if (!REGIONS.includes(region))
    throw errors.validation(
      `Region ${region} is not supported. The latest version of global tables are only supported in the following regions: [${REGIONS.join(", ")}]`,
    );
  if (region === ctx.region)
    throw errors.validation(
      "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or UpdateTable as required.",
    );
  if (update.Create?.KMSMasterKeyId !== undefined || update.Update?.KMSMasterKeyId !== undefined)
    throw errors.notImplemented("ReplicaUpdates' KMSMasterKeyId");
  return update;
}

async function createReplica(tx: Tx, ctx: Context, table: Table, given: Overrides): Promise<void> {
  const region = given.RegionName!;
  if (await findTable(tx, refIn(table, region)))
    throw errors.validation(
      `Failed to create a the new replica of table with name: ‘${table.name}’ because one or more replicas already existed as tables.`,
    );
  if (table.replicas?.some((replica) => replica.status)) throw changing();
  // There is no auto scaling here.
  if (table.billingMode === "PROVISIONED")
    throw errors.validation("Table write capacity should either be Pay-Per-Request or AutoScaled.");
  if (table.encryptionKey && table.encryptionKey !== managedKey(ctx))
    throw errors.invalid("KMSMasterKeyId must be specified for each replica.");
  const replica: Replica = { region, status: "CREATING", from: table.region, addedMs: ctx.now, ...overridesOf(given) };
  const stream = table.stream?.enabled ? table.stream : await openStream(tx, ctx, table, "NEW_AND_OLD_IMAGES");
  await redefine(tx, table, { stream, replicas: [...(table.replicas ?? []), replica] });
  for (const other of table.replicas ?? []) {
    const member = await findTable(tx, refIn(table, other.region));
    if (member) await redefine(tx, member, { replicas: [...(member.replicas ?? []), replica] });
  }
  await send(tx, ctx, refIn(table, region), { kind: "make replica", from: table.region } satisfies MakeReplica);
}

const managedKey = (ctx: Context): string => wantedKey(ctx, { Enabled: true });
const changing = () => errors.validationInUse("The resource which you are attempting to change is in use.");

/** Capacity for reads, and the class, may be another in each region; writes are the same everywhere. */
function overridesOf(given: Overrides): Partial<Replica> {
  const { ProvisionedThroughputOverride, OnDemandThroughputOverride, TableClassOverride, GlobalSecondaryIndexes } =
    given;
  return {
    ...(ProvisionedThroughputOverride && { throughput: ProvisionedThroughputOverride }),
    ...(OnDemandThroughputOverride && { onDemandThroughput: OnDemandThroughputOverride }),
    ...(TableClassOverride && { tableClass: TableClassOverride }),
    ...(GlobalSecondaryIndexes && { indexes: GlobalSecondaryIndexes }),
  };
}

async function updateReplica(tx: Tx, table: Table, given: Overrides): Promise<void> {
  memberOf(table, given.RegionName!);
  if (given.ProvisionedThroughputOverride && table.billingMode === "PAY_PER_REQUEST")
    throw errors.validation(
      "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
    );
  const { tableClass, onDemandThroughput, ...others } = overridesOf(given);
  const change = { ...others, ...(tableClass && { tableClass }), ...(onDemandThroughput && { onDemandThroughput }) };
  for (const region of [table.region, ...(table.replicas ?? []).map((replica) => replica.region)]) {
    const member = await findTable(tx, refIn(table, region));
    if (!member) continue;
    const own = region === given.RegionName && {
      ...(tableClass && { tableClass }),
      ...(onDemandThroughput && { onDemandThroughput: { ...member.onDemandThroughput, ...onDemandThroughput } }),
    };
    await redefine(tx, member, {
      ...own,
      replicas: member.replicas?.map((replica) =>
        replica.region === given.RegionName ? { ...replica, ...change } : replica,
      ),
    });
  }
}

function memberOf(table: Table, region: string): Replica {
  const replica = table.replicas?.find((candidate) => candidate.region === region);
  if (!replica)
    throw errors.validation(
      `Update global table operation failed because one or more replicas were not part of the global table. Please retry the request without these replicas: [${region}].`,
    );
  return replica;
}

async function deleteReplica(tx: Tx, ctx: Context, table: Table, region: string): Promise<void> {
  const replica = memberOf(table, region);
  if (replica.status) throw changing();
  const there = await findTable(tx, refIn(table, region));
  if (there) {
    noRecentSource(there, ctx.now);
    if (there.deletionProtection)
      throw errors.validation(
        `Cannot delete table ${table.name} in region ${region} because it has deletion protection enabled. Disable deletion protection first.`,
      );
  }
  await eachMember(tx, table, (member) => redefine(tx, member, { replicas: withStatus(member, region, "DELETING") }));
  await send(tx, ctx, refIn(table, region), { kind: "drop replica" } satisfies DropReplica);
}

const send = (tx: Tx, ctx: Context, { arn }: TableRef, payload: MakeReplica | DropReplica) =>
  ctx.put(tx, { to: arn, as: dynamodbItself(arn), payload });

export async function followTtl(ctx: Context, work: Work): Promise<void> {
  const { from } = work.payload as FollowTtl;
  const { there, ref } = inRegionOf(ctx, work);
  await writing(there, async (within) => {
    const table = await findTable(within.tx, ref);
    const source = await findTable(within.tx, refIn(ref, from));
    if (source && table?.replicas && !table.status && table.ttlAttribute !== source.ttlAttribute)
      await changeTtl(within, table, source.ttlAttribute);
  });
}

export async function makeReplica(ctx: Context, work: Work): Promise<void> {
  const { from } = work.payload as MakeReplica;
  const { there, ref } = inRegionOf(ctx, work);
  await there.write(async (tx) => {
    const source = await findTable(tx, refIn(ref, from));
    const wanted = source?.replicas?.find(({ region }) => region === ref.region);
    // It may come twice, and it may be too late.
    if (!source || wanted?.status !== "CREATING" || (await findTable(tx, ref))) return;
    await insertReplica(tx, there, { ref, source, wanted });
  });
  for (let done = false; !done; )
    done = await writing(there, async (within) => {
      const table = await findTable(within.tx, ref);
      if (table?.status !== "CREATING" || !table.replicas) return true;
      const source = await findTable(within.tx, refIn(ref, from));
      const copied = await fillStep(within.tx, table);
      if (source && copied) await copyStamps(within.tx, { from: source, to: table, span: copied.span });
      if (copied && !copied.done) return false;
      const made = await redefine(within.tx, table, { status: undefined });
      // It may have been switched meanwhile, and what is still being made was not told.
      const ttl = source ? source.ttlAttribute : made.ttlAttribute;
      if (ttl !== undefined || made.ttlAttribute !== undefined) await changeTtl(within, made, ttl);
      await eachMember(within.tx, made, (member) =>
        member.region === ref.region
          ? Promise.resolve()
          : redefine(within.tx, member, { replicas: withStatus(member, ref.region, undefined) }),
      );
      return true;
    });
}

async function insertReplica(
  tx: Tx,
  ctx: Context,
  { ref, source, wanted }: { ref: TableRef; source: Table; wanted: Replica },
): Promise<void> {
  const { key, attributes, billingMode, throughput, onDemandThroughput, onDemandSinceMs, ttlAttribute } = source;
  const { status: _, ...own } = { ...wanted, region: source.region };
  const table: Table = {
    ...ref,
    key,
    attributes,
    billingMode,
    throughput,
    ...(onDemandThroughput && { onDemandThroughput: { ...onDemandThroughput, ...wanted.onDemandThroughput } }),
    ...(onDemandSinceMs !== undefined && { onDemandSinceMs }),
    ...(ttlAttribute !== undefined && { ttlAttribute }),
    ...((wanted.tableClass ?? source.tableClass) && { tableClass: wanted.tableClass ?? source.tableClass! }),
    ...(source.encryptionKey && { encryptionKey: managedKey(ctx) }),
    deletionProtection: false,
    indexes: await numbered(
      tx,
      source.indexes.map(({ number: _number, status: _status, ...index }) => index),
    ),
    stream: await openStream(tx, ctx, { ...ref, key }, source.stream?.viewType ?? "NEW_AND_OLD_IMAGES"),
    // As it sees them: the one it is made of first.
    replicas: [
      { region: source.region, from: own.from === source.region ? "" : own.from, addedMs: 0 },
      ...(source.replicas ?? []).filter(({ region }) => region !== ref.region),
    ],
    status: "CREATING",
    ...(await ofNewTable(tx, ctx)),
  };
  await insertTable(tx, table);
  await createView(tx, table, await seenIn(tx, source));
  await beginCopy(tx, table.number, source);
}

export async function dropReplica(ctx: Context, work: Work): Promise<void> {
  const { there, ref } = inRegionOf(ctx, work);
  await there.write(async (tx) => {
    const table = await findTable(tx, ref);
    if (!table?.replicas) return;
    if (await isBeingCopied(tx, table)) throw new Error("the replica is being copied");
    await closeStream(tx, there, table);
    await dropTable(tx, there, table);
  });
}
